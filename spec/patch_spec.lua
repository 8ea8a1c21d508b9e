-- patch_org: changing some settings of an organization and keeping the others.

local clients = require "spec.support.clients"
local cjson = require("cjson").new()
local contains = require("spec.support.text").contains
local modes = require "spec.support.modes"
local polytomic = require "polytomic"
local sandbox = require "spec.support.sandbox"

local SIGN_IN = { name = "Acme", issuer = "https://idp.example", client_id = "c-1",
  client_secret = "s-1", sso_domain = "acme.com" }

for _, mode in ipairs(modes) do
  describe("patch_org with " .. mode.name, function()
    local client
    local results = mode.results
    clients.around(before_each, after_each, mode, function(made) client = made end)

    local function create(settings)
      return (results(function() return assert(client:create_org(settings)) end))
    end

    local function patch(arguments, options)
      return results(function() return client:patch_org(arguments, options) end)
    end

    local function last_update()
      local requests = sandbox:requests "update_org"
      return cjson.decode(requests[#requests].body)
    end

    it("reports a reply without an organization as such", function()
      local other = clients.answered({ 204 }, mode.options { retries = 0 })
      local org, _, err = results(
        function()
          return other:patch_org { id = "248df4b7-aa70-47b8-a036-33ac447e668d", name = "Acme" }
        end
      )
      assert.same({ nil, "bad_response" }, { org, err.kind })
    end)

    describe("patch_user", function()
      local ADMIN = "0a0a0a0a-0000-4000-8000-000000000001"
      local MEMBER = "0a0a0a0a-0000-4000-8000-000000000002"
      local org, user

      before_each(function()
        org = create { name = "Acme" }
        user = results(function()
          return assert(
            client:create_user { org_id = org.id, email = "jane@acme.com", role_ids = { MEMBER } }
          )
        end)
      end)

      local function patch_user(arguments)
        arguments.org_id, arguments.id = org.id, user.id
        return results(function() return client:patch_user(arguments) end)
      end

      local function body()
        local requests = sandbox:requests "update_user"
        return cjson.decode(requests[#requests].body)
      end

      it("keeps the e-mail address and replaces the roles", function()
        local patched, message, response = patch_user { role_ids = { ADMIN } }
        assert.same({ { ADMIN }, "update_user" }, { patched.role_ids, response.operation }, message)
        assert.same({ email = "jane@acme.com", role_ids = { ADMIN } }, body())
      end)

      it("keeps the roles and replaces the e-mail address", function()
        assert(patch_user { email = "jo@acme.com" })
        assert.same({ email = "jo@acme.com", role_ids = { MEMBER } }, body())
      end)

      it("refuses what is wrong before anything is sent", function()
        local before = #sandbox:requests()
        for field, arguments in pairs {
          role_ids = { role_ids = {} }, nonsense = { nonsense = 1 },
        } do
          local data, _, err = patch_user(arguments)
          assert.same({ nil, "invalid", field }, { data, err.kind, err.field })
        end
        assert.equal(before, #sandbox:requests())
      end)
    end)

    it("keeps what is not given", function()
      local org = create { name = "Acme", sso_domain = "acme.com", sso_org_id = "o-1" }
      local patched, message, response = patch { id = org.id, name = "Acme 2" }
      assert.is_nil(message)
      assert.equal("update_org", response.operation)
      assert.same({ id = org.id, name = "Acme 2", sso_domain = "acme.com", sso_org_id = "o-1" },
        patched)
      assert.same({ name = "Acme 2", sso_domain = "acme.com", sso_org_id = "o-1" }, last_update())
    end)

    it("sends null for what is to be cleared", function()
      local org = create { name = "Acme", sso_domain = "acme.com", sso_org_id = "o-1" }
      assert.is_nil(patch({ id = org.id, sso_domain = polytomic.null }).sso_domain)
      assert.equal(cjson.null, last_update().sso_domain)
    end)

    it("refuses to end a sign-in unasked, says what would be lost, replaces nothing", function()
      local org = create { name = "Acme", issuer = "https://idp.example", client_id = "c-1",
        client_secret = "canary-of-the-secret" }
      local patched, message, err = patch { id = org.id, name = "Acme 2" }
      assert.is_nil(patched)
      assert.same({ "invalid", "client_secret", "unsent", "patch_org" },
        { err.kind, err.field, err.outcome, err.operation })
      for _, part in ipairs { "https://idp.example", "client_id and client_secret would be lost",
          "give client_secret", "drop_oidc = true" } do
        contains(message, part)
      end
      assert.equal(message, tostring(err))
      contains(err.hint, "drop_oidc = true")
      assert.equal(0, #sandbox:requests "update_org")
      _, message = patch { id = org.id, client_id = "c-2" }
      contains(message, ", and client_secret would be lost")
      _, message = patch { id = org.id, issuer = "https://other.example", drop_oidc = false }
      contains(message, "would be lost")
      assert.equal(0, #sandbox:requests "update_org")
    end)

    it("keeps the sign-in where the secret is given", function()
      local org = create(SIGN_IN)
      local patched =
        patch { id = org.id, client_id = "c-1", client_secret = "s-1", sso_domain = "acme.org" }
      assert.equal("https://idp.example", patched.issuer)
      assert.same({ name = "Acme", issuer = "https://idp.example", client_id = "c-1",
        client_secret = "s-1", sso_domain = "acme.org" }, last_update())
    end)

    it("gives the sign-in up where that is agreed to, and keeps the rest", function()
      local org = create(SIGN_IN)
      local patched = patch { id = org.id, name = "Acme 2", drop_oidc = true }
      assert.same({ id = org.id, name = "Acme 2", sso_domain = "acme.com" }, patched)
      assert.same({ name = "Acme 2", sso_domain = "acme.com" }, last_update())
    end)

    it("returns what went wrong in reading and in replacing", function()
      local org = create { name = "Acme" }
      create { name = "Taken" }
      local _, _, err = patch { id = "2f1b7b0c-0d5e-4f6e-8c41-4a3c8b0c5d0e", name = "Acme 2" }
      assert.same({ "not_found", "get_org" }, { err.kind, err.operation })
      _, _, err = patch { id = org.id, name = "Taken" }
      assert.same({ "conflict", "update_org" }, { err.kind, err.operation })
    end)

    it("gives a caller's idempotency key to the replacing alone", function()
      local org = create { name = "Acme" }
      local options = { idempotency_key = "key-of-the-caller" }
      assert.truthy(patch({ id = org.id, name = "Acme 2" }, options))
      assert.is_nil(sandbox:requests("get_org")[1].headers["idempotency-key"])
      assert.equal("key-of-the-caller",
        sandbox:requests("update_org")[1].headers["idempotency-key"])
    end)

    it("refuses bad data and sends nothing, and leaves the arguments as they were", function()
      local id = "2f1b7b0c-0d5e-4f6e-8c41-4a3c8b0c5d0e"
      for _, case in ipairs {
        { { name = "a" }, "id" }, { { id = "x" }, "id" }, { { id = id, name = "" }, "name" },
        { { id = id, nmae = "a" }, "nmae" }, { { id = id, drop_oidc = "yes" }, "drop_oidc" },
        { { id = id, issuer = 1 }, "issuer" },
      } do
        local patched, message, err = patch(case[1])
        assert.is_nil(patched)
        assert.equal(message, tostring(err))
        assert.same({ "invalid", case[2], "unsent" }, { err.kind, err.field, err.outcome })
      end
      assert.equal(0, #sandbox:requests())
      local org = create { name = "Acme" }
      local arguments = { id = org.id, sso_domain = "acme.com", drop_oidc = true }
      assert.truthy(patch(arguments))
      assert.same({ id = org.id, sso_domain = "acme.com", drop_oidc = true }, arguments)
    end)
  end)
end

describe("bad usage of patch_org", function()
  after_each(clients.close)

  it("raises where it is called", function()
    local raised, client = clients.raised, clients.sandbox()
    assert.equal("patch_org: use a colon: client:patch_org{…}", raised(function()
      client.patch_org { id = "x" }
    end))
    assert.equal("patch_org: arguments must be a table, got nil", raised(function()
      client:patch_org()
    end))
    contains(raised(function() client:patch_org({ id = "x" }, { tiemout = 1 }) end),
      "unknown option 'tiemout'")
  end)
end)

describe("What get_user gave back", function()
  it("is not what update_user takes, and the error says what is", function()
    sandbox:reset()
    local one = clients.sandbox()
    local org = assert(one:create_org { name = "Acme" })
    local user = assert(one:create_user { org_id = org.id, email = "jane@acme.com" })
    user.org_id = org.id
    local _, message, err = one:update_user(user)
    assert.same({ "invalid", "unsent" }, { err.kind, err.outcome })
    local advice = "(patch_user changes what is given and keeps the rest)"
    contains(message, advice)
  end)
end)
