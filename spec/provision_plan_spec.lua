-- What would change: provision.plan.

local clients = require "spec.support.clients"
local core = require "polytomic.core"
local modes = require "spec.support.modes"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"

-- The changes as words: action, customer, e-mail, and the fields with old and new value.
local function words(changes)
  local list = {}
  for i, change in ipairs(changes) do
    local parts, names = { change.action, change.customer, change.email }, {}
    for name in pairs(change.fields) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      local field = change.fields[name]
      parts[#parts + 1] = ("%s=%s>%s"):format(name, field.from or "", field.to or "")
    end
    list[i] = table.concat(parts, " ")
  end
  return list
end

describe("provision.plan", function()
  clients.around(before_each, after_each)

  for _, mode in ipairs(modes) do
    it("says what would be created, changed and left alone, and writes nothing, with "
        .. mode.name, function()
      local client = clients.sandbox(mode.options())
      local org = mode.results(function()
        return assert(client:create_org { name = "Acme", sso_domain = "old.com" })
      end)
      mode.results(function()
        assert(client:create_user { org_id = org.id, email = "jane@acme.com" })
        assert(client:create_user { org_id = org.id, email = "same@acme.com" })
        assert(client:create_org { name = "Initech" })
        return true
      end)
      local written = sandbox:committed()
      local changes, counts = mode.results(function()
        return provision.plan(client, {
          { name = "Acme", sso_domain = "acme.com",
            users = { { email = "JANE@acme.com", roles = { "admin" } },
            { email = "same@acme.com", roles = { "Member" } },
            { email = "new@acme.com", api_key = true } } },
          { name = "Globex", issuer = "https://id.globex.com",
            users = { { email = "g@globex.com", roles = { "Member" } } } },
          { name = "Initech" },
        })
      end)
      assert.same({
        "update_org Acme sso_domain=old.com>acme.com",
        "update_user Acme jane@acme.com roles=Member>Admin",
        "create_user Acme new@acme.com email=>new@acme.com",
        "create_key Acme new@acme.com",
        "create_org Globex issuer=>https://id.globex.com name=>Globex",
        "create_user Globex g@globex.com email=>g@globex.com roles=>Member",
      }, words(changes))
      assert.same({ customers = 3, unchanged = 1, changes = 6, problems = 0, create_org = 1,
        update_org = 1, create_user = 2, update_user = 1, create_key = 1 }, counts)
      assert.equal(written, sandbox:committed())
    end)
  end

  it("reads the organizations once, and users and roles once where they are needed", function()
    local client = clients.sandbox()
    local list = {}
    for i = 1, 20 do
      local org = assert(client:create_org { name = "Acme " .. i })
      assert(client:create_user { org_id = org.id, email = "u@acme.com" })
      list[i] = { name = "Acme " .. i, users = i <= 10
          and { { email = "u@acme.com", roles = i <= 5 and { "Member" } or nil } } or nil }
    end
    list[21] = { name = "New", users = { { email = "u@acme.com", roles = { "Admin" } } } }
    local _, counts = assert(provision.plan(client, list, { concurrency = 4 }))
    assert.same({ 20, 2 }, { counts.unchanged, counts.changes })
    assert.equal(1, #sandbox:requests "list_orgs")
    assert.equal(10, #sandbox:requests "list_users")
    assert.equal(5, #sandbox:requests "list_roles")
  end)

  it("names a role that the organization does not have, with the nearest it has", function()
    local client = clients.sandbox()
    assert(client:create_org { name = "Acme" })
    local changes, counts = provision.plan(client,
      { { name = "Acme", users = { { email = "a@b.c", roles = { "Admn" } } } } })
    assert.equal('the organization has no role "Admn", did you mean "Admin"?', changes[1].problem)
    assert.equal(1, counts.problems)
  end)

  it("does not show a secret, and compares none", function()
    local client = clients.sandbox()
    assert(client:create_org { name = "Acme", issuer = "https://x.com", client_id = "id",
      client_secret = "old" })
    local changes = assert(provision.plan(client,
      { { name = "Acme", issuer = "https://x.com", client_secret = "canary-1" }, { name = "New",
        client_secret = "canary-2" }, { name = "Newer", client_secret = "env:CANARY" } }))
    assert.same({ "create_org New client_secret=>(secret) name=>New",
      "create_org Newer client_secret=>(secret) name=>Newer" }, words(changes))
  end)

  it("gives changes one at a time, in the order of the source, to on_change", function()
    local client = clients.sandbox()
    for i = 1, 30, 3 do
      assert(client:create_org { name = "Acme " .. i, sso_domain = "old.com" })
    end
    sandbox:faults { { operation = "list_users", fault = "latency", seconds = 0.2, times = 1 } }
    local number, seen = 0, {}
    local list, counts = assert(provision.plan(client, function()
      number = number + 1
      if number <= 30 then
        return { name = "Acme " .. number, sso_domain = "acme.com",
          users = { { email = "a@b.c" } } }
      end
    end, { on_change = function(change)
      seen[#seen + 1] = tonumber(change.customer:match "%d+")
    end }))
    assert.same({ {}, 60 }, { list, counts.changes })
    for i, customer in ipairs(seen) do assert.equal(math.ceil(i / 2), customer) end
  end)

  it("returns bad input as an error with every problem, before anything is sent", function()
    local changes, message, err =
      provision.plan(clients.sandbox(), { { name = "" }, { nam = "x" } })
    assert.is_nil(changes)
    assert.equal("invalid", err.kind)
    assert.equal("unsent", err.outcome)
    assert.equal(3, #err.problems)
    assert.matches(
      "^plan: invalid: the list of customers: customer 1: name must not be empty; customer 2: ",
      message)
    assert.equal(0, #sandbox:requests())
  end)

  it("returns the error of a list that cannot be read", function()
    sandbox:faults { { operation = "list_orgs", fault = "status", status = 403, times = 1 } }
    local _, message, err = provision.plan(clients.sandbox(), { { name = "Acme" } })
    assert.equal("forbidden", err.kind)
    assert.matches("^list_orgs: 403 forbidden", message)
    local client = clients.sandbox()
    assert(client:create_org { name = "Acme" })
    sandbox:faults { { operation = "list_users", fault = "status", status = 403, times = 1 } }
    _, message = provision.plan(client, { { name = "Acme", users = { { email = "a@b.c" } } } })
    assert.matches("^list_users: 403 forbidden", message)
  end)

  it("raises bad usage at the caller's line", function()
    local client = clients.sandbox()
    assert.equal("plan: the first argument must be a client, got table", clients.raised(function()
      provision.plan({}, {})
    end))
    assert.equal("plan: unknown option 'concurency', did you mean 'concurrency'?",
      clients.raised(function() provision.plan(client, {}, { concurency = 1 }) end))
    assert.equal("plan: concurrency must be a whole number, 1 or more",
      clients.raised(function() provision.plan(client, {}, { concurrency = 0 }) end))
    assert.equal("plan: customers must be a list, a function or a path, got number",
      clients.raised(function() provision.plan(client, 5) end))
  end)

  it("plans 8,000 customers in memory that does not grow with their changes", function()
    local client, number = clients.sandbox(), 0
    collectgarbage()
    local before, began = collectgarbage "count", core.now()
    local _, counts = provision.plan(client, function()
      number = number + 1
      if number <= 8000 then
        return { name = "Acme " .. number, users = { { email = "a@b.c", roles = { "Admin" } } } }
      end
    end, { on_change = function() end })
    collectgarbage()
    assert.equal(16000, counts.changes)
    assert.is_true(collectgarbage "count" - before < 2048)
    assert.is_true(core.now() - began < 60)
  end)
end)
