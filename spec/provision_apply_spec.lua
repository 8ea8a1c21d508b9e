-- Bringing customers about: provision.apply, on SQLite.
-- Needs: dbd.sqlite3
-- Takes: 15 s

local clients = require "spec.support.clients"
local core = require "polytomic.core"
local lacks = require("spec.support.text").lacks
local modes = require "spec.support.modes"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"

local UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"

local function ledger()
  local path = process.temporary_file(nil, "ledger")
  return "sqlite:" .. path, path
end

-- Asks a ledger with the sqlite3 of this Lua, while nobody else uses it.
local function ask(url, text)
  local connection = assert(require("DBI").Connect("SQLite3", (url:gsub("^sqlite:", ""))))
  connection:autocommit(true)
  local statement = assert(connection:prepare(text))
  assert(statement:execute())
  local rows = {}
  for row in statement:rows(true) do
    local copy = {}
    for name, value in pairs(row) do copy[name] = value end
    rows[#rows + 1] = copy
  end
  statement:close()
  connection:close()
  return rows
end

local function customer(name, ...)
  local users = {}
  for i, email in ipairs { ... } do users[i] = { email = email } end
  return { name = name, users = users }
end

-- Names and e-mail addresses that the sandbox holds, sorted.
local function held()
  local _, orgs = sandbox:request("GET", "/api/organizations")
  local list = {}
  for _, org in ipairs(orgs.data) do
    if org.name ~= "Sandbox Owner" then
      local _, users = sandbox:request("GET", "/api/organizations/" .. org.id .. "/users")
      local emails = {}
      for i, user in ipairs(users.data) do emails[i] = user.email end
      table.sort(emails)
      list[#list + 1] = org.name .. ": " .. table.concat(emails, " ")
    end
  end
  table.sort(list)
  return list
end

local function sent(operation)
  return #sandbox:requests(operation)
end

local function keys_of(path)
  local list = {}
  for line in (process.contents(path) or ""):gmatch "[^\n]+" do list[#list + 1] = require(
    "cjson").decode(line) end
  return list
end

describe("provision.work", function()
  clients.around(before_each, after_each)

  it("replaces lost keys, and tries again what no server refused when queued anew", function()
    local client, url, keys = clients.sandbox(), ledger(), process.temporary_file()
    local list = { { name = "Acme", users = { { email = "a@b.c", api_key = true } } } }
    local function work(options)
      assert(provision.enqueue(client, list, { ledger = url }))
      options.ledger, options.drain = url, true
      local result = assert(provision.work(client, options))
      return { result.done, result.failed }
    end
    assert.same({ 0, 1 }, work {}) -- no file for keys
    assert.same({}, held())
    sandbox:faults { { operation = "create_user_api_key", fault = "status", status = 500,
      store = true, commit = true, times = 1 } }
    assert.same({ 0, 1 }, work { keys = keys })
    assert.same({ 0, 0 }, work { keys = keys })
    assert.same({ 1, 0 }, work { keys = keys, replace_lost_keys = true })
    assert.equal("a@b.c", keys_of(keys)[1].email)
  end)

  it("puts customers back in an outage of the API, and brings them about after it", function()
    local jobs = require "polytomic.provision.jobs"
    local rounds = jobs.ROUNDS
    jobs.ROUNDS = 0
    local client, url = clients.sandbox { retries = 0 }, ledger()
    assert(provision.enqueue(client, { customer("Acme", "a@b.c") }, { ledger = url }))
    sandbox:faults {
      { operation = "list_orgs", fault = "status", status = 503, times = 2 },
      { operation = "create_org", fault = "reset_before", times = 2 },
      { operation = "create_user", fault = "reset_after_commit", times = 1 },
    }
    local result = assert(provision.work(client, { ledger = url, drain = true }))
    jobs.ROUNDS = rounds
    assert.same({ 1, 0 }, { result.done, result.failed })
    assert.same({ "Acme: a@b.c" }, held())
  end)

  it("gives a customer up that comes to nothing again and again", function()
    local jobs = require "polytomic.provision.jobs"
    local rounds, claims = jobs.ROUNDS, jobs.CLAIMS
    jobs.ROUNDS, jobs.CLAIMS = 0, 3
    local client, url = clients.sandbox { retries = 0 }, ledger()
    assert(provision.enqueue(client, { customer "Acme" }, { ledger = url }))
    sandbox:faults { { operation = "create_org", fault = "reset_before", times = 3 } }
    assert.equal(1, assert(provision.work(client, { ledger = url, drain = true })).failed)
    jobs.ROUNDS, jobs.CLAIMS = rounds, claims
    local failures = assert(provision.status { ledger = url }).failures
    assert.same({ "unknown", 3 }, { failures[1].state, failures[1].attempts })
  end)
end)

describe("provision.apply", function()
  clients.around(before_each, after_each)

  for _, mode in ipairs(modes) do
    it("brings about organizations, users with roles, and keys, with " .. mode.name, function()
      local client, url = clients.sandbox(mode.options()), ledger()
      local keys = process.temporary_file()
      local summary = mode.results(function()
        return assert(provision.apply(client, {
          { name = "Acme", sso_domain = "acme.com", users = {
            { email = "Jane@Acme.com", roles = { "admin" }, api_key = true },
              { email = "joe@acme.com" } } },
          customer("Initech", "pete@initech.com"), customer "Globex",
        }, { ledger = url, keys = keys, concurrency = 2 }))
      end)
      assert.same({ 3, 0, 0, 7, 0, {} }, { summary.done, summary.failed, summary.unknown,
        summary.created, summary.updated,
        summary.failures })
      assert.same({ "Acme: jane@acme.com joe@acme.com", "Globex: ", "Initech: pete@initech.com" },
        held())
      local line = keys_of(keys)[1]
      local _, me = sandbox:request("GET", "/api/me", nil,
        { Authorization = "Bearer " .. line.value })
      assert.same({ "jane@acme.com", "admin", "Acme", line.organization_id, line.user_id },
        { me.data.email, me.data.role, line.organization, me.data.organization_id, me.data.id })
    end)
  end

  it("does nothing the second time, whatever the ledger, and what is left after a part", function()
    local client, url = clients.sandbox(), ledger()
    local list = { customer("Acme", "a@acme.com"), customer("Initech", "i@initech.com") }
    assert(provision.apply(client, list, { ledger = url }))
    local writes = sandbox:committed()
    assert.same(2, assert(provision.apply(client, list, { ledger = url })).done)
    assert.same(2, assert(provision.apply(client, list, { ledger = (ledger()) })).done)
    assert.equal(writes, sandbox:committed())
    list[3] = customer("Globex", "g@globex.com")
    local summary = assert(provision.apply(client, list, { ledger = url }))
    assert.same({ 3, 2 }, { summary.done, summary.created })
    assert.equal(writes + 2, sandbox:committed())
  end)

  it("reads each list once, and sends one request for each thing that is to be", function()
    local client, url = clients.sandbox(), ledger()
    local list = {}
    for i = 1, 20 do list[i] = { name = "Acme " .. i, users = {
      { email = "a@b.c", roles = { "Member" } }, { email = "d@b.c" } } } end
    for i = 1, 5 do assert(client:create_org { name = "Acme " .. i, sso_domain = "x.com" }) end
    assert(provision.apply(client, list, { ledger = url }))
    assert.same({ 1, 20, 40, 5, 20 }, { sent "list_orgs", sent "create_org", sent "create_user",
      sent "list_users", sent "list_roles" })
  end)

  it("follows the file when it changes: a name, a role, one more, one fewer", function()
    local client, url = clients.sandbox(), ledger()
    assert(provision.apply(client, { customer("Acme", "a@b.c"), customer("Initech", "i@b.c"),
      customer "Globex" }, { ledger = url }))
    local summary = assert(provision.apply(client, {
      { name = "Acme", sso_domain = "acme.com", users = {
        { email = "a@b.c", roles = { "Admin" } } } },
      customer("Initech 2", "i@b.c"), customer("Hooli", "h@b.c"),
    }, { ledger = url }))
    assert.same({ 3, 4, 2 }, { summary.done, summary.created, summary.updated })
    assert.same({ "Acme: a@b.c", "Globex: ", "Hooli: h@b.c", "Initech 2: i@b.c", "Initech: i@b.c" },
      held())
  end)

  it("repairs what was renamed or deleted behind its back, under new keys", function()
    local client, url = clients.sandbox(), ledger()
    local list = { customer("Acme", "a@b.c"), customer("Initech", "i@b.c", "j@b.c"),
      customer("Globex", "g@b.c") }
    assert(provision.apply(client, list, { ledger = url }))
    local org = assert(client:find_org { name = "Acme" })
    assert(client:patch_org { id = org.id, name = "Acme Renamed" })
    assert(client:delete_org { id = assert(client:find_org { name = "Globex" }).id })
    local initech = assert(client:find_org { name = "Initech" })
    assert(client:delete_user { org_id = initech.id, id = assert(client:find_user {
      org_id = initech.id, email = "i@b.c" }).id })
    local changes = assert(provision.plan(client, list, { ledger = url }))
    local words = {}
    for i, change in ipairs(changes) do words[i] = change.action .. " "
      .. (change.email or change.customer) end
    assert.same({ "update_org Acme", "create_user i@b.c", "create_org Globex",
      "create_user g@b.c" }, words)
    local summary = assert(provision.apply(client, list, { ledger = url }))
    assert.same({ 3, 3, 1 }, { summary.done, summary.created, summary.updated })
    assert.same({ "Acme: a@b.c", "Globex: g@b.c", "Initech: i@b.c j@b.c" }, held())
    assert.equal(org.id, assert(client:find_org { name = "Acme" }).id)
    assert.same({}, (provision.plan(client, list, { ledger = url })))
  end)

  it("mints a key again for a user that was deleted and made anew", function()
    local client, url, keys = clients.sandbox(), ledger(), process.temporary_file()
    local list = { { name = "Acme", users = { { email = "a@b.c", api_key = true } } } }
    assert(provision.apply(client, list, { ledger = url, keys = keys }))
    local org = assert(client:find_org { name = "Acme" })
    assert(client:delete_user { org_id = org.id, id = assert(client:find_user { org_id = org.id,
      email = "a@b.c" }).id })
    assert.equal(2, assert(provision.apply(client, list, { ledger = url, keys = keys })).created)
    local lines = keys_of(keys)
    assert.equal(2, #lines)
    assert.not_equal(lines[1].value, lines[2].value)
  end)

  it("ends with a refused step that customer only, and tries it again when told to, with a new key",
    function()
    local client, url = clients.sandbox(), ledger()
    sandbox:faults { { operation = "create_org", fault = "status", status = 403, store = true,
      times = 1 } }
    local list = { customer("Acme", "a@b.c"), customer("Initech", "i@b.c") }
    local summary = assert(provision.apply(client, list, { ledger = url, concurrency = 1 }))
    assert.same({ 1, 1 }, { summary.done, summary.failed })
    assert.equal("Acme", summary.failures[1].customer)
    assert.equal("forbidden", summary.failures[1].kind)
    assert.matches("^create_org: 403 forbidden", summary.failures[1].message)
    local before = sent "create_org"
    summary = assert(provision.apply(client, list, { ledger = url }))
    assert.same({ 1, 1, 0 }, { summary.done, summary.failed, sent "create_org" - before })
    summary = assert(provision.apply(client, list, { ledger = url, retry_failed = true }))
    assert.same({ 2, 0 }, { summary.done, summary.failed })
    local requests = sandbox:requests "create_org"
    assert.not_equal(requests[1].headers["idempotency-key"],
      requests[#requests].headers["idempotency-key"])
  end)

  it("looks after a recorded 500, and goes on with what was done, or under a new key", function()
    for _, commit in ipairs { true, false } do
      sandbox:reset()
      local client, url = clients.sandbox(), ledger()
      sandbox:faults {
        { operation = "create_org", fault = "status", status = 500, store = true, commit = commit,
          times = 1 },
        { operation = "create_user", fault = "status", status = 500, store = true, commit = commit,
          times = 1 },
      }
      assert.equal(1, assert(provision.apply(client, { customer("Acme", "a@b.c") },
        { ledger = url })).done)
      assert.same({ "Acme: a@b.c" }, held())
      assert.equal(commit and 1 or 2, sent "create_org")
    end
  end)

  it("waits where a key is in progress, and sends the same key again", function()
    local client, url = clients.sandbox { attempt_timeout = 0.3, retries = 0 }, ledger()
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 1, times = 1 } }
    assert.equal(1, assert(provision.apply(client, { customer "Acme" }, { ledger = url })).done)
    assert.equal(1, sandbox:committed "create_org")
    for _, request in ipairs(sandbox:requests "create_org") do
      assert.equal(sandbox:requests("create_org")[1].headers["idempotency-key"],
        request.headers["idempotency-key"])
    end
  end)

  it("takes what somebody else has made meanwhile, and completes it", function()
    local client, url = clients.sandbox(), ledger()
    local other = clients.sandbox()
    local made = 0
    local summary = assert(provision.apply(client, { { name = "Acme", sso_domain = "acme.com",
      users = { { email = "a@b.c" } } } }, {
      ledger = url,
      confirm = function()
        made = made + 1
        local org = assert(other:create_org { name = "Acme" })
        assert(other:create_user { org_id = org.id, email = "A@b.c" })
        return true
      end,
    }))
    assert.same({ 1, 1, 0, 1 }, { made, summary.done, summary.failed, summary.updated })
    assert.same({ "Acme: a@b.c" }, held())
    assert.equal("acme.com", assert(client:find_org { name = "Acme" }).sso_domain)
  end)

  it("ends well after a storm of 429, and tells that it slows down", function()
    local client, url = clients.sandbox { retries = 1 }, ledger()
    local list, slowed = {}, false
    for i = 1, 12 do list[i] = customer("Acme " .. i, "a@b.c") end
    sandbox:faults {
      { operation = "create_org", fault = "status", status = 429, retry_after = 0, times = 30 },
      { operation = "create_user", fault = "status", status = 429, retry_after = 0, times = 30 },
    }
    local summary = assert(provision.apply(client, list, {
      ledger = url, progress = function(state) slowed = slowed or state.slowed end,
    }))
    assert.same({ 12, 0, true }, { summary.done, summary.failed, slowed })
  end)

  it("keeps a minted key in its file alone", function()
    local client, url, path = clients.sandbox(), ledger()
    local keys, report = process.temporary_file(), process.temporary_file(nil, "jsonl")
    local told = {}
    assert(provision.apply(client, { { name = "Acme", users = { { email = "a@b.c",
      api_key = true } } } }, { ledger = url, keys = keys, report = report,
      on_step = function(event)
        for _, value in pairs(event) do told[#told + 1] = tostring(value) end
      end }))
    local value = keys_of(keys)[1].value
    local text = process.contents(path) .. (process.contents(path .. "-wal") or "")
      .. process.contents(report) .. table.concat(told)
    lacks(text, value)
    local _, mode = process.run { "stat", "-c", "%a", keys }
    assert.equal("600\n", mode)
  end)

  it("takes a new key for what was begun more than a day ago", function()
    local jobs = require "polytomic.provision.jobs"
    local rounds = jobs.ROUNDS
    jobs.ROUNDS = 0
    local client, url = clients.sandbox { retries = 0 }, ledger()
    sandbox:faults { { operation = "create_org", fault = "reset_before", times = 1 } }
    assert.equal(1, assert(provision.apply(client, { customer "Acme" }, { ledger = url })).unknown)
    jobs.ROUNDS = rounds
    ask(url, "UPDATE polytomic_steps SET key_at = key_at - 90000")
    assert.equal(1, assert(provision.apply(client, { customer "Acme" }, { ledger = url })).done)
    local requests = sandbox:requests "create_org"
    assert.not_equal(requests[1].headers["idempotency-key"],
      requests[2].headers["idempotency-key"])
  end)

  it("goes on after lists and updates that fail for a while", function()
    local client, url = clients.sandbox { retries = 0 }, ledger()
    local org = assert(client:create_org { name = "Acme", sso_domain = "old.com" })
    assert(client:create_user { org_id = org.id, email = "a@b.c" })
    sandbox:faults {
      { operation = "update_org", fault = "status", status = 503, times = 2 },
      { operation = "update_user", fault = "reset_after_commit", times = 1 },
      { operation = "create_user", fault = "status", status = 500, store = true, times = 1 },
      { operation = "list_users", fault = "status", status = 503, times = 2, after = 1 },
    }
    local summary = assert(provision.apply(client, { { name = "Acme", sso_domain = "new.com",
      users = { { email = "a@b.c", roles = { "Admin" } }, { email = "b@b.c" } } } },
      { ledger = url }))
    assert.same({ 1, 0, 0 }, { summary.done, summary.failed, summary.unknown })
    assert.same({ "Acme: a@b.c b@b.c" }, held())
  end)

  it("leaves unknown what stays so, looks first the next time, and makes nothing twice", function()
    local jobs = require "polytomic.provision.jobs"
    local rounds = jobs.ROUNDS
    jobs.ROUNDS = 0
    local client, url = clients.sandbox { retries = 0 }, ledger()
    sandbox:faults { { operation = "create_user", fault = "reset_before", times = 1 } }
    local list = { customer("Acme", "a@b.c") }
    local summary = assert(provision.apply(client, list, { ledger = url }))
    jobs.ROUNDS = rounds
    assert.same({ 0, 1, "unknown" }, { summary.done, summary.unknown, summary.failures[1].state })
    assert.equal(1, assert(provision.apply(client, list, { ledger = url })).done)
    assert.same({ "Acme: a@b.c" }, held())
    local requests = sandbox:requests "create_user"
    assert.equal(requests[1].headers["idempotency-key"], requests[2].headers["idempotency-key"])
  end)

  it("leaves unknown what may be there or was not asked for, and goes on the next time", function()
    local jobs = require "polytomic.provision.jobs"
    local rounds = jobs.ROUNDS
    jobs.ROUNDS = 0
    local client, url = clients.sandbox { retries = 0 }, ledger()
    local list = { customer("Acme", "a@b.c") }
    for _, faults in ipairs {
      { { operation = "create_org", fault = "reset_after_commit", times = 1 },
        { operation = "list_orgs", fault = "status", status = 403, times = 1, after = 1 } },
      { { operation = "list_roles", fault = "status", status = 503, times = 1 } },
    } do
      sandbox:faults(faults)
      local summary = assert(provision.apply(client, list, { ledger = url }))
      assert.same({ 1, 0 }, { summary.unknown, summary.failed })
      assert.equal("unknown", summary.failures[1].state)
      list[2] = { name = "Initech", users = { { email = "i@b.c", roles = { "Admin" } } } }
    end
    jobs.ROUNDS = rounds
    assert.equal(2, assert(provision.apply(client, list, { ledger = url })).done)
    assert.same({ "Acme: a@b.c", "Initech: i@b.c" }, held())
    assert.equal(2, sandbox:committed "create_org")
  end)

  it("tries again what no server refused, without being told to", function()
    local client, url = clients.sandbox(), ledger()
    local file, path = process.temporary_file "canary-of-file\n", process.temporary_file()
    local list = { { name = "Acme", client_secret = "file:" .. path } }
    local summary = assert(provision.apply(client, list, { ledger = url }))
    assert.equal("invalid", summary.failures[1].kind)
    assert(os.rename(file, path))
    assert.equal(1, assert(provision.apply(client, list, { ledger = url })).done)
  end)

  it("reports a key that was minted and lost, and replaces it when told to", function()
    local client, url, keys = clients.sandbox(), ledger(), process.temporary_file()
    local list = { { name = "Acme", users = { { email = "a@b.c", api_key = true } } } }
    sandbox:faults { { operation = "create_user_api_key", fault = "status", status = 500,
      store = true, commit = true, times = 1 } }
    local summary = assert(provision.apply(client, list, { ledger = url, keys = keys }))
    assert.equal(1, summary.failed)
    assert.matches("^a@b%.c has an API key whose value is not known here: it was minted and lost",
      summary.failures[1].message)
    assert.same({}, keys_of(keys))
    local before = sent "create_user_api_key"
    summary = assert(provision.apply(client, list, { ledger = url, keys = keys }))
    assert.same({ 1, before }, { summary.failed, sent "create_user_api_key" })
    summary = assert(provision.apply(client, list, { ledger = url, keys = keys,
      replace_lost_keys = true }))
    assert.equal(1, summary.done)
    local _, me = sandbox:request("GET", "/api/me", nil,
      { Authorization = "Bearer " .. keys_of(keys)[1].value })
    assert.equal("a@b.c", me.data.email)
    assert.equal(0, assert(provision.apply(client, list, { ledger = url, keys = keys })).created)
  end)

  it("gets a key again that was minted when it was interrupted, with the same idempotency key",
    function()
    local client, url, keys = clients.sandbox(), ledger(), process.temporary_file()
    local list = { { name = "Acme", users = { { email = "a@b.c", api_key = true } } } }
    local _, message, err = provision.apply(client, list,
      { ledger = url, keys = "/nowhere/at/all" })
    assert.equal("ledger", err.kind)
    assert.matches("cannot write the keys file /nowhere/at/all: No such file or directory$",
      message)
    assert.equal(1, sandbox:committed "create_user_api_key")
    assert.equal(1, assert(provision.apply(client, list, { ledger = url, keys = keys })).done)
    assert.equal(1, #keys_of(keys))
    assert.equal(1, sandbox:committed "create_user_api_key")
  end)

  it("sends a secret at creation and with other changes, and keeps it nowhere", function()
    local client, url, path = clients.sandbox(), ledger()
    local file = process.temporary_file "canary-of-file\n"
    local list = { { name = "Acme", client_id = "id", client_secret = "canary-literal",
      issuer = "https://a.com" },
      { name = "Initech", client_secret = "file:" .. file },
        { name = "Bad", client_secret = "env:NOT_SET_AT_ALL" } }
    local report = process.temporary_file(nil, "jsonl")
    local told = {}
    local summary = assert(provision.apply(client, list,
      { ledger = url, report = report, on_step = function(event)
      for _, value in pairs(event) do told[#told + 1] = tostring(value) end
    end }))
    assert.same({ 2, "the variable NOT_SET_AT_ALL of the client_secret is not set" },
      { summary.done, summary.failures[1].message })
    local secrets = {}
    for _, request in ipairs(sandbox:requests "create_org") do secrets[require("cjson").decode(
      request.body).client_secret] = true end
    assert.same({ ["canary-literal"] = true, ["canary-of-file"] = true }, secrets)
    list[1].sso_domain = "acme.com"
    assert(provision.apply(client, list, { ledger = url }))
    assert.equal("canary-literal", require("cjson").decode(
      sandbox:requests("update_org")[1].body).client_secret)
    local text = (process.contents(path) or "") .. (process.contents(path .. "-wal") or "")
      .. process.contents(report) .. table.concat(told)
    assert.not_matches("canary", text)
  end)

  it("hides a secret that the server repeats in its answer", function()
    local client, url = clients.sandbox(), ledger()
    sandbox:faults { { operation = "create_org", fault = "status", status = 422, times = 1,
      body = { message = "client_secret canary-secret is too short" } } }
    local summary = assert(provision.apply(client, { { name = "Acme",
      client_secret = "canary-secret" } }, { ledger = url }))
    assert.equal(1, summary.failed)
    assert.not_matches("canary", summary.failures[1].message)
  end)

  it("refuses, before anything is sent, keys without a file, bad customers, and no ledger",
    function()
    local client, url, path = clients.sandbox(), ledger()
    local _, message, err = provision.apply(client, { { name = "Acme",
      users = { { email = "a@b.c", api_key = true } } } }, { ledger = url })
    assert.same({ "invalid", "keys" }, { err.kind, err.field })
    assert.matches("API keys are wanted", message)
    _, _, err = provision.apply(client, { { name = "" } }, { ledger = url })
    assert.equal("invalid", err.kind)
    _, message = provision.apply(client, { { name = "Acme" } }, {})
    assert.matches("a ledger is needed", message)
    assert.equal(0, #sandbox:requests "create_org")
    assert.is_nil(process.contents(path))
  end)

  it("keeps a ledger private, and one of another server or account out", function()
    local client, url, path = clients.sandbox(), ledger()
    assert(provision.apply(client, { customer "Acme" }, { ledger = url }))
    local _, mode = process.run { "stat", "-c", "%a", path }
    assert.equal("600\n", mode)
    assert.same({ { base_url = sandbox.url, version = 1 } },
      ask(url, "SELECT version, base_url FROM polytomic_ledger"))
    ask(url, "UPDATE polytomic_ledger SET account = 'someone-else'")
    local _, message, err = provision.apply(client, { customer "Acme" }, { ledger = url })
    assert.equal("ledger", err.kind)
    assert.matches("belongs to the account someone%-else of http://127.-, not to the account %x+%-",
      message)
    ask(url, "UPDATE polytomic_ledger SET base_url = 'https://other.example'")
    _, message = provision.apply(client, { customer "Acme" }, { ledger = url })
    assert.matches("belongs to https://other%.example, not to http://127", message)
  end)

  it("says in one line what is wrong with a ledger", function()
    local client = clients.sandbox()
    for url, pattern in pairs {
      ["sqlite:/nowhere/at/all"] = "cannot create /nowhere/at/all: No such file or directory$",
      ["sqlite:" .. process.temporary_file(("no database "):rep(100))] = "file is not a database$",
      ["mysql://x"] = "must be sqlite:FILE or postgresql://user@host/db, not mysql:",
      ["postgresql://me:canary@host/db"] = "must not hold a password",
      ["sqlite:"] = "needs the path of a file$",
    } do
      local _, message, err = provision.apply(client, { customer "Acme" }, { ledger = url })
      assert.matches(pattern, message)
      assert.equal("ledger", err.kind)
      assert.not_matches("\n", message)
      assert.not_matches("canary", message)
    end
  end)

  it("writes a report with a line per customer, private, safe for spreadsheets", function()
    local client, url, report = clients.sandbox(), ledger(), process.temporary_file(nil, "csv")
    sandbox:faults { { operation = "create_org", fault = "status", status = 422, times = 1,
      body = { message = "no, \"really\"" } } }
    local full_width = "\239\188\157" -- spreadsheets take it for =
    local customers = { customer "=1+1", customer "Acme", customer(full_width .. "1") }
    assert(provision.apply(client, customers,
      { ledger = url, report = report, concurrency = 1 }))
    local lines = {}
    for line in process.contents(report):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal("customer,state,organization_id,attempts,error_kind,error", lines[1])
    assert.matches('^\'=1%+1,failed,,1,unprocessable,"create_org: 422 .-""really""', lines[2])
    assert.matches("^Acme,done,%x+%-", lines[3])
    assert.matches("^'" .. full_width .. "1,done,%x+%-", lines[4])
    local _, mode = process.run { "stat", "-c", "%a", report }
    assert.equal("600\n", mode)
    local _, message = provision.apply(client, {}, { ledger = url, report = "x.txt" })
    assert.matches("must end in .csv or .jsonl", message)
  end)

  it("tells of steps and of how it goes", function()
    local client, url = clients.sandbox(), ledger()
    local events, states = {}, {}
    assert(provision.apply(client, { { name = "Acme", users = { { email = "a@b.c" } } } }, {
      ledger = url,
      on_step = function(event) events[#events + 1] = event.action .. " " .. event.state .. " "
        .. (event.email or event.customer) end,
      progress = function(state) states[#states + 1] = state end,
    }))
    assert.same({ "create_org done Acme", "create_user done a@b.c" }, events)
    local last = states[#states]
    assert.same({ 1, 1, 2, 0 }, { last.done, last.total, last.steps, last.failed })
  end)

  it("surfaces an error of on_step, and gives its customers back", function()
    local client, url = clients.sandbox(), ledger()
    local list = {}
    for i = 1, 6 do list[i] = customer("Acme " .. i, "a@b.c") end
    local ok, message = pcall(provision.apply, client, list,
      { ledger = url, concurrency = 2, on_step = function() error("oh dear", 0) end })
    assert.same({ false, "oh dear" }, { ok, message })
    assert.equal(6, assert(provision.apply(client, list, { ledger = url })).done)
  end)

  it("stops when it is told to, after what is under way, and goes on the next time", function()
    local client, url = clients.sandbox(), ledger()
    local list, steps = {}, 0
    for i = 1, 30 do list[i] = customer("Acme " .. i, "a@b.c") end
    local summary = assert(provision.apply(client, list, {
      ledger = url, concurrency = 4, on_step = function() steps = steps + 1 end,
        stop = function() return steps >= 10 end,
    }))
    assert.is_true(summary.interrupted)
    assert.equal(30, summary.done + summary.queued)
    assert.is_true(summary.queued > 10, summary.queued)
    assert.same({ { n = 0 } },
      ask(url, "SELECT count(*) AS n FROM polytomic_customers WHERE lease_until > 0"))
    assert.equal(30, assert(provision.apply(client, list, { ledger = url })).done)
    assert.equal(30, sandbox:committed "create_org")
  end)

  it("takes over what a dead process of this machine held, at once", function()
    local client, url = clients.sandbox(), ledger()
    local list = { customer("Acme", "a@b.c"), customer "Initech" }
    assert(provision.apply(client, list, { ledger = url, confirm = function() return true end,
      stop = function() return true end }) == nil)
    assert(provision.enqueue(client, list, { ledger = url }))
    local owner = require("polytomic.provision.ledger.owner").name():gsub("/%d+/%d+$",
      "/999999999/1")
    ask(url, ("UPDATE polytomic_customers SET lease = 3, lease_owner = '%s', "
      .. "lease_until = 9e9"):format(owner))
    local began = core.now()
    assert.equal(2, assert(provision.apply(client, list, { ledger = url })).done)
    assert.is_true(core.now() - began < 20)
  end)

  it("waits for the end of the lease where the holder's machine is another, and says so", function()
    local client, url = clients.sandbox(), ledger()
    local list, waiting = { customer "Acme" }, nil
    assert(provision.enqueue(client, list, { ledger = url }))
    ask(url, "UPDATE polytomic_customers SET lease = 3, lease_owner = 'elsewhere/1/2/3', "
      .. "lease_until = (julianday('now') - 2440587.5) * 86400 + 2")
    local summary = assert(provision.apply(client, list,
      { ledger = url, progress = function(state) waiting = waiting or state.waiting end }))
    assert.same({ 1, 1 }, { summary.done, waiting })
  end)

  it("writes nothing of a customer whose lease another has taken meanwhile", function()
    local client, url = clients.sandbox(), ledger()
    local keys = process.temporary_file()
    local list = { { name = "Acme", users = { { email = "a@b.c", api_key = true } } } }
    local stolen
    sandbox:faults { { operation = "create_user_api_key", fault = "latency", seconds = 0.3,
      times = 1 } }
    local summary = assert(provision.apply(client, list,
      { ledger = url, keys = keys, progress = function()
      if stolen or #sandbox:requests "create_user_api_key" == 0 then return end
      stolen = true
      ask(url, "UPDATE polytomic_customers SET lease = lease + 1, lease_owner = 'elsewhere/1/2/3', "
        .. "lease_until = (julianday('now') - 2440587.5) * 86400 + 1")
    end }))
    assert.is_true(stolen)
    assert.equal(1, summary.done) -- after the other's lease, with the key's own idempotency key
    assert.equal(1, #keys_of(keys))
    assert.equal(1, sandbox:committed "create_user_api_key")
    assert.same({ { lease = 3 } }, ask(url, "SELECT lease FROM polytomic_customers"))
  end)

  it("finds a user by an address that the server stores in another case", function()
    local client, server = clients.answered({
      { 200, '{"data":{"organization_id":"x"}}' },
      { 200, '{"data":[{"id":"' .. UUID .. '","name":"Acme"}]}' },
      { 200, '{"data":[{"id":"' .. UUID .. '","email":"Jane@Acme.com","role_ids":[]}]}' },
      { 200, '{"data":{"id":"' .. UUID .. '"}}' },
    }, {})
    local summary = assert(provision.apply(client, { { name = "Acme", users = {
      { email = "jane@acme.com", role_ids = { UUID } } } } }, { ledger = (ledger()) }))
    assert.same({ 1, 0, 1 }, { summary.done, summary.created, summary.updated })
    local methods = {}
    for i, request in ipairs(server:requests()) do methods[i] = request.method end
    assert.same({ "GET", "GET", "GET", "PUT" }, methods)
  end)

  it("E3: leaves out of lists what is not an object with an id and a name", function()
    local client = clients.answered({
      { 200, '{"data":{"id":5}}' },
      { 200, '{"data":[null,5,{"name":7},{"id":"' .. UUID .. '","name":"Acme"}]}' },
      { 200, '{"data":[null,"x",{"email":5},{"email":"jane@acme.com"},{"id":"' .. UUID
        .. '","email":"joe@acme.com","role_ids":[null,7]}]}' },
      { 200, '{"data":[null,{"name":5},{"id":3,"name":"A"},{"id":"' .. UUID
        .. '","name":"Admin"}]}' },
      { 200, '{"data":{"id":"' .. UUID .. '"}}' },
    }, {})
    local url = ledger()
    local summary = assert(provision.apply(client, { { name = "Acme", users = {
      { email = "jane@acme.com", roles = { "Admin" } },
      { email = "joe@acme.com", roles = { "Admin" } } } } }, { ledger = url }))
    assert.same({ 1, 1, 1 }, { summary.done, summary.created, summary.updated })
    assert.same({ { account = "" } }, ask(url, "SELECT account FROM polytomic_ledger"))
  end)

  it("E3: leaves unknown what was created by a reply without an id", function()
    local jobs = require "polytomic.provision.jobs"
    local rounds = jobs.ROUNDS
    jobs.ROUNDS = 0
    local client = clients.answered({ { 200, '{"data":{"organization_id":"x"}}' },
      { 200, '{"data":[]}' }, { 200, '{"data":{"name":"Acme"}}' }, { 200, '{"data":[]}' } }, {})
    local summary = assert(provision.apply(client, { customer "Acme" }, { ledger = (ledger()) }))
    jobs.ROUNDS = rounds
    assert.equal(1, summary.unknown)
    assert.matches("bad_response: the reply holds no id$", summary.failures[1].message)
  end)

  it("counts each customer once where its ledger is busy while it is read", function()
    local ledgers = require "polytomic.provision.ledger"
    local opened = assert(ledgers.open(ledger(), { base_url = "http://x", create = true }))
    opened.pause = function() end
    local rows, ids, taken = {}, {}, 0
    for i = 1, 501 do rows[i] = { name = "Acme " .. i, source = "{}", fingerprint = "x",
      state = "done" } end
    assert(opened:load(rows, false, function(row) ids[#ids + 1] = row.id end))
    local run, runs = opened.db.run, 0
    opened.db.run = function(self, name, ...)
      runs = runs + 1
      if runs == 2 then return nil, { kind = "busy", message = "database is locked" } end
      return run(self, name, ...)
    end
    assert(opened:outcomes(ids, function() taken = taken + 1 end))
    opened:close()
    assert.equal(501, taken)
  end)

  it("stops while it asks whose key it has, and sends nothing more", function()
    local client, server = clients.answered { { { wait = "nothing" } } }
    local asked = 0
    local function stop()
      asked = asked + 1
      return asked > 1
    end
    local summary, _, err = provision.apply(client, { customer "Acme" },
      { ledger = (ledger()), stop = stop })
    assert.same({ nil, "cancelled", "unsent" }, { summary, err.kind, err.outcome })
    asked = 0
    assert.same({ done = 0, failed = 0, created = 0, updated = 0, interrupted = true },
      provision.work(client, { ledger = (ledger()), stop = stop }))
    assert.is_true(#server:requests() <= 2)
  end)

  it("fails where its ledger is lost at the end, whatever becomes of the report", function()
    local ledgers = require "polytomic.provision.ledger"
    local open = ledgers.open
    finally(function() ledgers.open = open end)
    local lost
    ledgers.open = function(...)
      local opened = assert(open(...))
      local run = opened.db.run
      opened.db.run = function(self, name, ...)
        if name == lost then return nil, { kind = "failed", message = "the disk is gone" } end
        return run(self, name, ...)
      end
      return opened
    end
    for _, name in ipairs { "outcomes", "now", "known_ids" } do
      lost = name
      local summary, message, err = provision.apply(clients.sandbox(), { customer "Acme" },
        { ledger = (ledger()), report = process.temporary_file(nil, "csv") })
      assert.is_nil(summary)
      assert.matches("the ledger sqlite:.-: the disk is gone$", message)
      assert.equal("ledger", err.kind)
    end
    local url = ledger()
    assert(open(url, { base_url = core.base_url(clients.sandbox()), create = true })):close()
    lost = "known_ids"
    local _, message = provision.plan(clients.sandbox(), { customer "Acme" }, { ledger = url })
    assert.matches("the disk is gone$", message)
  end)

  -- Another program that locks a ledger for so many seconds.
  local function lock(url, seconds)
    return process.start_lua { "-e", ([[
      local connection = require("DBI").Connect("SQLite3", %q)
      connection:autocommit(true)
      connection:prepare("BEGIN IMMEDIATE"):execute()
      print "locked"
      io.stdout:flush()
      os.execute "sleep %s"
      connection:prepare("ROLLBACK"):execute()]]):format((url:gsub("^sqlite:", "")), seconds) }
  end

  it("stops where it waits for a ledger that another program locks", function()
    local client, url = clients.sandbox(), ledger()
    assert(provision.apply(client, { customer "Acme" }, { ledger = url }))
    local locker, began, stopping = lock(url, "4"), core.now(), false
    local function stop() return stopping or core.now() - began > 0.5 end
    local summary, message, err = provision.apply(client, { customer "Initech" }, { ledger = url,
      stop = function() return stopping end,
      confirm = function() stopping = true return true end })
    assert.is_nil(summary)
    assert.matches("interrupted while waiting: .-locked$", message)
    assert.same({ "cancelled", "unsent" }, { err.kind, err.outcome })
    stopping, began = false, core.now()
    local result = assert(provision.work(client, { ledger = url, retry_failed = true,
      stop = stop }))
    assert.same({ true, 0 }, { result.interrupted, result.done })
    assert.is_true(locker:alive(), "it waited for the other program")
    locker:stop()
  end)

  it("waits for a ledger that another program locks", function()
    local client, url = clients.sandbox(), ledger()
    assert(provision.apply(client, { customer "Acme" }, { ledger = url }))
    local locker = lock(url, "0.8")
    local began = core.now()
    local summary = assert(provision.apply(client, { customer "Acme", customer "Initech" },
      { ledger = url }))
    assert.is_true(core.now() - began > 0.3)
    locker:stop()
    assert.equal(2, summary.done)
  end)
end)
