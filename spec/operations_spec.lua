-- The seventeen operations of organizations and users, for real: against the sandbox, on clients
-- and on the module.

local clients = require "spec.support.clients"
local polytomic = require "polytomic"
local sandbox = require "spec.support.sandbox"

local admin, member = "0a0a0a0a-0000-4000-8000-000000000001", "0a0a0a0a-0000-4000-8000-000000000002"
local uuid_pattern = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

-- Calls an operation on a client, on the module, or by start and step: `how(name, arguments)` gives
-- its three results.
local ways = {
  ["On a client"] = function(options)
    local client = clients.sandbox(options)
  return function(name, arguments, call_options)
    return client[name](client, arguments, call_options)
  end
  end,
  ["On the module"] = function(options)
    local all = { env = false, base_url = sandbox.url, partner_key = sandbox.partner_key }
    for name, value in pairs(options or {}) do all[name] = value end
    return function(name, arguments, call_options)
      polytomic.configure(all)
      local data, message, response = polytomic[name](arguments, call_options)
      polytomic.client():close()
      return data, message, response
    end
  end,
  ["Started and stepped"] = function(options)
    local client = clients.sandbox(options)
    return function(name, arguments, call_options)
      local call = client:start(name, arguments, call_options)
      while not call:done() do client:step(0.1) end
      return call:result()
    end
  end,
  ["With wait"] = function(options)
    local all = { wait = function(client, call) while not call:done() do client:step(0.1) end end }
    for name, value in pairs(options or {}) do all[name] = value end
    local client = clients.sandbox(all)
  return function(name, arguments, call_options)
    return client[name](client, arguments, call_options)
  end
  end,
}

local function names(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.name or item.email end
  return found
end

clients.around(before_each, after_each)

for title, way in pairs(ways) do
  describe(title, function()
    local run

    -- The data of a call that must succeed, and its response.
    local function must(name, arguments, options)
      local data, message, response = run(name, arguments, options)
      assert.is_nil(message)
      assert.not_nil(data)
      assert.same({ name, 200, 1 }, { response.operation, response.status, response.attempts })
      assert.equal(name, sandbox:requests()[#sandbox:requests()].operation)
      return data, response
    end

    local function fails(kind, name, arguments, options)
      local data, message, err = run(name, arguments, options)
      assert.is_nil(data)
      assert.equal(kind, err.kind, message)
      assert.equal("rejected", err.outcome)
      return err
    end

    before_each(function() run = way() end)

    it("create_org makes an organization and returns it as given, without secrets", function()
      local org = must(
        "create_org",
        {
          name = "Acme",
          issuer = "https://login.acme.com",
          client_id = "c-1",
          client_secret = "s-1",
          sso_domain = "acme.com",
          sso_org_id = "o-1",
        }
      )
      assert.is_truthy(org.id:find(uuid_pattern))
      assert.same(
        {
          id = org.id,
          name = "Acme",
          issuer = "https://login.acme.com",
          sso_domain = "acme.com",
          sso_org_id = "o-1",
        },
        org
      )
      assert.equal(1, sandbox:committed("create_org"))
      assert.equal("conflict", fails("conflict", "create_org", { name = "Acme" }).key)
      assert.equal(1, sandbox:committed("create_org"))
    end)

    it("list_orgs lists them, the owner first; get_org gives one", function()
      local org = must("create_org", { name = "Acme" })
      local list = must "list_orgs"
      assert.equal(2, #list)
      assert.equal("Acme", list[2].name)
      assert.same(org, list[2])
      assert.same(org, must("get_org", { id = org.id }))
      fails("not_found", "get_org", { id = admin })
    end)

    it("update_org replaces all settings: what is left out is cleared", function()
      local org = must("create_org",
        { name = "Acme", issuer = "https://login.acme.com", sso_domain = "acme.com" })
      assert.same({ id = org.id, name = "Acme 2", sso_domain = "acme.org" },
        must("update_org", { id = org.id, name = "Acme 2", sso_domain = "acme.org" }))
      assert.same({ id = org.id, name = "Acme 3" },
        must("update_org", { id = org.id, name = "Acme 3", sso_domain = polytomic.null }))
      assert.same({ id = org.id, name = "Acme 3" }, must("get_org", { id = org.id }))
    end)

    it("delete_org gives true for its empty reply and takes the users with it", function()
      local org = must("create_org", { name = "Acme" })
      must("create_user", { org_id = org.id, email = "jane@acme.com" })
      assert.is_true(must("delete_org", { id = org.id }))
      fails("not_found", "get_org", { id = org.id })
      fails("not_found", "list_users", { org_id = org.id })
      fails("not_found", "delete_org", { id = org.id })
      assert.equal(1, sandbox:committed("delete_org"))
    end)

    it("create_user, get_user and list_users make and find users, with roles as a list", function()
      local org = must("create_org", { name = "Acme" })
      assert.same({}, must("list_users", { org_id = org.id }))
      local jane =
        must("create_user", { org_id = org.id, email = "Jane@Acme.com", role_ids = { admin } })
      assert.same(
        {
          id = jane.id,
          email = "jane@acme.com",
          organization_id = org.id,
          role = "admin",
          role_ids = { admin },
        },
        jane
      )
      local joe = must("create_user", { org_id = org.id, email = "joe@acme.com" })
      assert.same({ member }, joe.role_ids)
      assert.same(jane, must("get_user", { org_id = org.id, id = jane.id }))
      assert.same({ "jane@acme.com", "joe@acme.com" },
        names(must("list_users", { org_id = org.id })))
      local err = fails("unprocessable", "create_user", { org_id = org.id, email = "JOE@acme.com" })
      assert.equal("unprocessable", err.key)
    end)

    it("update_user changes the role and leaves the e-mail address as it is", function()
      local org = must("create_org", { name = "Acme" })
      local jane = must("create_user", { org_id = org.id, email = "jane@acme.com" })
      local updated = must("update_user",
        { org_id = org.id, id = jane.id, email = "new@acme.com", role_ids = { admin } })
      assert.same({ "jane@acme.com", "admin" }, { updated.email, updated.role })
      assert.same(updated, must("get_user", { org_id = org.id, id = jane.id }))
    end)

    it("delete_user gives back the user that is gone", function()
      local org = must("create_org", { name = "Acme" })
      local jane = must("create_user", { org_id = org.id, email = "jane@acme.com" })
      assert.equal(jane.id, must("delete_user", { org_id = org.id, id = jane.id }).id)
      fails("not_found", "get_user", { org_id = org.id, id = jane.id })
      assert.same({}, must("list_users", { org_id = org.id }))
    end)

    it("create_user_api_key mints a working key, and replaces it only with force", function()
      local org = must("create_org", { name = "Acme" })
      local jane = must("create_user", { org_id = org.id, email = "jane@acme.com" })
      local first = must("create_user_api_key", { org_id = org.id, id = jane.id }).value
      fails("conflict", "create_user_api_key", { org_id = org.id, id = jane.id })
      fails("conflict", "create_user_api_key", { org_id = org.id, id = jane.id, force = false })
      local second =
        must("create_user_api_key", { org_id = org.id, id = jane.id, force = true }).value
      assert.not_equal(first, second)
      assert.equal("unauthorized",
        select(3, clients.sandbox({ api_key = first }):get_current_org()).kind)
      assert.same(org, (clients.sandbox({ api_key = second }):get_current_org()))
    end)

    it("the current organization's operations take `organization` or a user's key", function()
      local org = must("create_org", { name = "Acme" })
      local boss =
        must("create_user", { org_id = org.id, email = "boss@acme.com", role_ids = { admin } })
      local key = must("create_user_api_key", { org_id = org.id, id = boss.id }).value
      for _, options in ipairs { { organization = org.id }, { api_key = key, partner_key = "" } } do
        run = way(options)
        assert.same(org, must "get_current_org")
        local jane = must("create_current_org_user", { email = "jane@acme.com", role = "user" })
        assert.equal(org.id, jane.organization_id)
        assert.equal(jane.email, must("get_current_org_user", { id = jane.id }).email)
        assert.same({ "boss@acme.com", "jane@acme.com" }, names(must "list_current_org_users"))
        assert.equal("admin",
          must("update_current_org_user", { id = jane.id, role_ids = { admin } }).role)
        assert.equal(jane.id, must("delete_current_org_user", { id = jane.id }).id)
        fails("not_found", "get_current_org_user", { id = jane.id })
      end
    end)

    it("a call repeated with its idempotency key gets the first outcome again", function()
      local first = must("create_org", { name = "Acme" }, { idempotency_key = "order_42-A" })
      assert.same(first, (run("create_org", { name = "Acme" }, { idempotency_key = "order_42-A" })))
      assert.equal(1, sandbox:committed("create_org"))
    end)

    it("what the server refuses comes with its key, message and metadata", function()
      local err = fails("unprocessable", "create_user",
        { org_id = must("create_org", { name = "Acme" }).id, email = "two@at@signs" })
      assert.same({ "unprocessable", "email", 422 }, { err.key, err.metadata.field, err.status })
      assert.is_string(err.message)
      fails(
        "unprocessable",
        "create_user",
        {
          org_id = must("create_org", { name = "Acme 2" }).id,
          email = "a@b.c",
          role_ids = { "11111111-2222-4333-8444-555555555555" },
        }
      )
    end)
  end)
end

describe("The module's operations", function()
  teardown(function() polytomic.configure { env = false } end)

  it("follow configure, from a client with wait to one without and back", function()
    local waited = 0
    local options = { env = false, base_url = sandbox.url, partner_key = sandbox.partner_key }
    for i = 1, 4 do
      options.wait = i % 2 == 0 and function(client, call)
        waited = waited + 1
        while not call:done() do client:step(0.1) end
      end or nil
      polytomic.configure(options)
      assert.is_table(polytomic.list_orgs())
      polytomic.client():close()
    end
    assert.equal(2, waited)
  end)
end)
