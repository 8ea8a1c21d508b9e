-- ensure_org and ensure_user: there and as described, however often and by however many they are
-- run.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local modes = require "spec.support.modes"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local ADMIN, MEMBER = "0a0a0a0a-0000-4000-8000-000000000001", "0a0a0a0a-0000-4000-8000-000000000002"

for _, mode in ipairs(modes) do
  describe("ensuring with " .. mode.name, function()
    local client
    local results = mode.results
    clients.around(before_each, after_each, mode, function(made) client = made end)

    local function ensure_org(arguments, options)
      return results(function() return client:ensure_org(arguments, options) end)
    end

    local function ensure_user(arguments, options)
      return results(function() return client:ensure_user(arguments, options) end)
    end

    local function names()
      local list = {}
      local _, reply = sandbox:request("GET", "/api/organizations")
      for _, org in ipairs(reply.data) do list[org.name] = (list[org.name] or 0) + 1 end
      return list
    end

    it("creates a user who was deleted between being found and being changed", function()
      local org_id = "248df4b7-aa70-47b8-a036-33ac447e668d"
      local user = ('{"id":"%s","email":"jane@acme.com","role_ids":[]}'):format(org_id)
      local server
      client, server = clients.answered({
        { 200, '{"data":[' .. user .. "]}" },
        { 404, "{}" },
        { 200, '{"data":' .. user .. "}" },
      }, mode.options { retries = 0 })
      local found, word =
        ensure_user { org_id = org_id, email = "jane@acme.com", role_ids = { ADMIN } }
      assert.same({ "jane@acme.com", "created" }, { found.email, word })
      local methods = {}
      for index, request in ipairs(server:requests()) do methods[index] = request.method end
      assert.same({ "GET", "PUT", "POST" }, methods)
    end)

    it("skips elements of a list that are not objects, and fails where it is not one", function()
      client = clients.answered({
        { 200, '{"data":[1,true,null,"x",[]]}' },
        { 200, '{"data":7}' },
      }, mode.options { retries = 0 })
      local org, message, err = ensure_org { name = "Acme" }
      assert.same({ nil, "bad_response" }, { org, err.kind }, message)
    end)

    it("creates nothing where the list that it looked through is cut short", function()
      local server
      client, server = clients.answered({
        { 200, '{"data":[],"pagination":{"next_page_token":"t2"}}' },
      }, mode.options { retries = 0 })
      local org, message, err = ensure_org { name = "Acme" }
      assert.same({ nil, "bad_response" }, { org, err.kind })
      contains(message, "names a further page")
      assert.equal(1, #server:requests())
    end)

    describe("an organization", function()
      it("creates it once, then leaves it, then updates what differs and keeps the rest", function()
        local org, word, response =
          ensure_org { name = "Acme", sso_domain = "acme.com", sso_org_id = "o-1" }
        assert.same({ "Acme", "created", "create_org" }, { org.name, word, response.operation })
        local again
        again, word, response = ensure_org { name = "Acme", sso_domain = "acme.com" }
        assert.same({ org, "unchanged", "list_orgs" }, { again, word, response.operation })
        again, word, response = ensure_org { name = "Acme", sso_domain = "acme.org" }
        assert.same({ "updated", "update_org" }, { word, response.operation })
        assert.same({ id = org.id, name = "Acme", sso_domain = "acme.org", sso_org_id = "o-1" },
          again)
        assert.equal(1, sandbox:committed "create_org")
        assert.equal(1, sandbox:committed "update_org")
      end)

      it("takes null and an empty text for a setting that is not there", function()
        ensure_org { name = "Acme" }
        local _, word = ensure_org { name = "Acme", sso_domain = polytomic.null, issuer = "" }
        assert.equal("unchanged", word)
        ensure_org { name = "Acme", sso_domain = "acme.com" }
        local org
        org, word = ensure_org { name = "Acme", sso_domain = polytomic.null }
        assert.equal("updated", word)
        assert.is_nil(org.sso_domain)
      end)

      it("writes again what cannot be read back", function()
        local arguments = { name = "Acme", issuer = "https://idp.example", client_id = "c-1",
          client_secret = "s-1" }
        local _, word = ensure_org(arguments)
        assert.equal("created", word)
        _, word = ensure_org(arguments)
        assert.equal("updated", word)
        _, word = ensure_org { name = "Acme", issuer = "https://idp.example" }
        assert.equal("unchanged", word)
      end)

      it("refuses to end a sign-in unasked, and does it where that is agreed to", function()
        ensure_org { name = "Acme", issuer = "https://idp.example", client_id = "c-1",
          client_secret = "s-1" }
        local org, message, err = ensure_org { name = "Acme", sso_domain = "acme.com" }
        assert.is_nil(org)
        assert.same({ "invalid", "client_secret", "ensure_org" },
          { err.kind, err.field, err.operation })
        contains(message, "client_id and client_secret would be lost")
        assert.equal(0, #sandbox:requests "update_org")
        local word
        org, word = ensure_org { name = "Acme", sso_domain = "acme.com", drop_oidc = true }
        assert.equal("updated", word)
        assert.same({ id = org.id, name = "Acme", sso_domain = "acme.com" }, org)
      end)

      it("looks again where the reply was lost, and has created it", function()
        sandbox:faults { { operation = "create_org", fault = "reset_after_commit" } }
        local org, word, response = ensure_org { name = "Acme" }
        assert.same({ "Acme", "created", "list_orgs" }, { org.name, word, response.operation })
        assert.equal(1, #sandbox:requests "create_org")
        assert.equal(1, names().Acme)
      end)

      it("returns the failure where the reply was lost and it is not there", function()
        sandbox:faults { { operation = "create_org", fault = "reset_before" } }
        local org, message, err = ensure_org { name = "Acme" }
        assert.is_nil(org)
        assert.same({ "network", "unknown", "create_org" },
          { err.kind, err.outcome, err.operation })
        assert.equal(message, tostring(err))
        assert.equal(2, #sandbox:requests "list_orgs")
        assert.equal(1, #sandbox:requests "create_org")
      end)

      it("takes the one that somebody else has created meanwhile", function()
        sandbox:faults { { operation = "list_orgs", fault = "wrong_type", body = '{"data":[]}' } }
        assert.equal(200, (sandbox:request("POST", "/api/organizations", { name = "Acme" })))
        local org, word = ensure_org { name = "Acme" }
        assert.same({ "Acme", "unchanged" }, { org.name, word })
        sandbox:faults { { operation = "list_orgs", fault = "wrong_type", body = '{"data":[]}' } }
        org, word = ensure_org { name = "Acme", sso_domain = "acme.com" }
        assert.same({ "acme.com", "updated" }, { org.sso_domain, word })
        assert.equal(1, names().Acme)
      end)

      it("returns a conflict with something it cannot see", function()
        sandbox:request("POST", "/api/organizations", { name = "Acme" })
        sandbox:faults { { operation = "list_orgs", fault = "wrong_type", body = '{"data":[]}',
          times = 2 } }
        local org, _, err = ensure_org { name = "Acme" }
        assert.is_nil(org)
        assert.same({ "conflict", "create_org" }, { err.kind, err.operation })
      end)

      it("creates nothing where it cannot look", function()
        sandbox:faults { { operation = "list_orgs", fault = "status", status = 403 } }
        local org, _, err = ensure_org { name = "Acme" }
        assert.is_nil(org)
        assert.equal("forbidden", err.kind)
        assert.equal(0, #sandbox:requests "create_org")
      end)

      it("returns a refusal that says it is not there without looking again", function()
        sandbox:faults { { operation = "create_org", fault = "status", status = 403 } }
        local org, _, err = ensure_org { name = "Acme" }
        assert.is_nil(org)
        assert.same({ "forbidden", 1 }, { err.kind, #sandbox:requests "list_orgs" })
      end)

      it("gives a caller's idempotency key to the creation alone", function()
        ensure_org({ name = "Acme" }, { idempotency_key = "key-of-the-caller" })
        ensure_org({ name = "Acme", sso_domain = "acme.com" },
          { idempotency_key = "key-of-the-caller" })
        for _, request in ipairs(sandbox:requests()) do
          local expected = request.operation == "create_org" and "key-of-the-caller" or nil
          assert.equal(expected, request.headers["idempotency-key"], request.operation)
        end
      end)

      it("refuses bad data and sends nothing", function()
        for _, case in ipairs {
          { {}, "name" }, { { name = "" }, "name" }, { { name = "a", domain = "x" }, "domain" },
          { { name = "a", issuer = {} }, "issuer" },
          { { name = "a", drop_oidc = 1 }, "drop_oidc" },
        } do
          local org, message, err = ensure_org(case[1])
          assert.is_nil(org)
          assert.equal(message, tostring(err))
          assert.same({ "invalid", case[2], "unsent" }, { err.kind, err.field, err.outcome })
        end
        assert.equal(0, #sandbox:requests())
      end)
    end)

    describe("a user", function()
      local org_id

      before_each(function()
        local _, reply = sandbox:request("POST", "/api/organizations", { name = "Acme" })
        org_id = reply.data.id
      end)

      local function emails()
        local list = {}
        local _, reply = sandbox:request("GET", "/api/organizations/" .. org_id .. "/users")
        for index, user in ipairs(reply.data) do list[index] = user.email end
        return list
      end

      it("creates it once, leaves it whatever its address's case, updates its roles", function()
        local user, word, response =
          ensure_user { org_id = org_id, email = "Jane@Acme.com", role_ids = { MEMBER } }
        assert.same({ "jane@acme.com", "created", "create_user" },
          { user.email, word, response.operation })
        local again
        again, word = ensure_user { org_id = org_id, email = "JANE@acme.COM",
          role_ids = { MEMBER:upper(), MEMBER } }
        assert.same({ user, "unchanged" }, { again, word })
        again, word, response =
          ensure_user { org_id = org_id, email = "jane@acme.com", role_ids = { ADMIN, MEMBER } }
        assert.same({ user.id, "updated", "update_user" }, { again.id, word, response.operation })
        _, word =
          ensure_user { org_id = org_id, email = "jane@acme.com", role_ids = { MEMBER, ADMIN } }
        assert.equal("unchanged", word)
        _, word = ensure_user { org_id = org_id, email = "jane@acme.com" }
        assert.equal("unchanged", word)
        again, word = ensure_user { org_id = org_id, email = "jane@acme.com", role_ids = { ADMIN } }
        assert.same({ "updated", { ADMIN } }, { word, again.role_ids })
        assert.same({ "jane@acme.com" }, emails())
      end)

      it("compares a role by its name without case", function()
        ensure_user { org_id = org_id, email = "jane@acme.com", role = "admin" }
        local _, word = ensure_user { org_id = org_id, email = "jane@acme.com", role = "Admin" }
        assert.equal("unchanged", word)
        _, word = ensure_user { org_id = org_id, email = "jane@acme.com", role = "user" }
        assert.equal("updated", word)
      end)

      it("looks again where the reply was lost, and has created it", function()
        sandbox:faults { { operation = "create_user", fault = "truncate" } }
        local user, word = ensure_user { org_id = org_id, email = "jane@acme.com" }
        assert.same({ "jane@acme.com", "created" }, { user.email, word })
        assert.same({ "jane@acme.com" }, emails())
      end)

      it("takes the one that somebody else has created meanwhile", function()
        sandbox:request("POST", "/api/organizations/" .. org_id .. "/users",
          { email = "jane@acme.com" })
        sandbox:faults { { operation = "list_users", fault = "wrong_type",
          body = '{"data":null}' } }
        local user, word = ensure_user { org_id = org_id, email = "jane@acme.com" }
        assert.same({ "jane@acme.com", "unchanged" }, { user.email, word })
        assert.same({ "jane@acme.com" }, emails())
      end)

      it("refuses bad data and sends nothing", function()
        local before = #sandbox:requests()
        for _, case in ipairs {
          { { org_id = org_id }, "email" }, { { org_id = "x", email = "a@b.c" }, "org_id" },
          { { org_id = org_id, email = "a@b.c", role_ids = {} }, "role_ids" },
          { { org_id = org_id, email = "a@b.c", role_ids = { "x" } }, "role_ids[1]" },
          { { org_id = org_id, email = "a@b.c", emial = "a@b.c" }, "emial" },
        } do
          local user, _, err = ensure_user(case[1])
          assert.is_nil(user)
          assert.same({ "invalid", case[2], "unsent" }, { err.kind, err.field, err.outcome })
        end
        assert.equal(before, #sandbox:requests())
      end)
    end)
  end)
end

describe("ensuring from two processes at once", function()
  local PROGRAM = [[
    local client = require("polytomic").new()
    local org, word = client:ensure_org { name = "Acme", sso_domain = "acme.com" }
    if not org then error(word) end
    local user, what = client:ensure_user { org_id = org.id, email = arg[1] }
    if not user then error(what) end
    print(word, what)
  ]]

  before_each(function() sandbox:reset() end)

  local function run_two()
    local file = process.temporary_file(PROGRAM)
    local environment = { POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url }
    local children, words = {}, {}
    for index, email in ipairs { "Jane@Acme.com", "jane@acme.com" } do
      children[index] =
        process.start_lua({ file, email }, { env = environment, first_line = false })
    end
    for _, child in ipairs(children) do
      local status = child:wait(60)
      child:stop() -- its output is complete after that
      local out, err = child:output()
      assert.equal(0, status, err)
      words[#words + 1] = out
    end
    for _, word in ipairs(words) do assert.truthy(word:find "^%a+\t%a+\n$", word) end
  end

  local function one_of_each()
    local count, org_id = 0, nil
    local _, orgs = sandbox:request("GET", "/api/organizations")
    for _, org in ipairs(orgs.data) do
      if org.name == "Acme" then count, org_id = count + 1, org.id end
    end
    assert.equal(1, count)
    local _, users = sandbox:request("GET", "/api/organizations/" .. org_id .. "/users")
    assert.equal(1, #users.data)
  end

  it("comes to one organization and one user where both look before either creates", function()
    sandbox:faults {
      { operation = "create_org", fault = "latency", seconds = 1, times = 2 },
      { operation = "create_user", fault = "latency", seconds = 1, times = 2 },
    }
    run_two()
    one_of_each()
    assert.equal(1, sandbox:committed "create_org")
    assert.equal(1, sandbox:committed "create_user")
  end)

  it("comes to one organization and one user through a failing server", function()
    sandbox:faults {
      { operation = "list_orgs", fault = "status", status = 503, times = 2 },
      { operation = "create_org", fault = "reset_after_commit", times = 2 },
      { operation = "list_users", fault = "truncate", times = 2 },
      { operation = "create_user", fault = "reset_after_commit", times = 1 },
      { operation = "create_user", fault = "status", status = 502, times = 1 },
    }
    run_two()
    one_of_each()
  end)
end)

describe("bad usage of ensuring", function()
  after_each(clients.close)

  it("raises where the methods are called", function()
    local raised, client = clients.raised, clients.sandbox()
    assert.equal("ensure_org: use a colon: client:ensure_org{…}", raised(function()
      client.ensure_org { name = "a" }
    end))
    assert.equal("ensure_user: arguments must be a table, got nil", raised(function()
      client:ensure_user()
    end))
    contains(raised(function()
      client:ensure_org({ name = "a" }, { tiemout = 1 })
    end), "unknown option 'tiemout'")
    contains(raised(function()
      client:ensure_user({ org_id = ADMIN, email = "a" }, { tiemout = 1 })
    end), "unknown option 'tiemout'")
  end)
end)
