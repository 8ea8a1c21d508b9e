-- Finding organizations and users in the sandbox.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local modes = require "spec.support.modes"
local sandbox = require "spec.support.sandbox"

local UNKNOWN = "2f1b7b0c-0d5e-4f6e-8c41-4a3c8b0c5d0e"

for _, mode in ipairs(modes) do
  describe("finding with " .. mode.name, function()
    local client
    local results = mode.results
    clients.around(before_each, after_each, mode, function(made) client = made end)

    local function prepare()
      return results(function()
        assert(client:create_org { name = "Other" })
        local org = assert(client:create_org { name = "Acme" })
        assert(client:create_user { org_id = org.id, email = "joe@acme.com" })
        return org, assert(client:create_user { org_id = org.id, email = "jane@acme.com" })
      end)
    end

    it("gives the organization of that very name, with its response", function()
      local org = prepare()
      local found, message, response = results(function()
        return client:find_org { name = "Acme" }
      end)
      assert.same(org, found)
      assert.is_nil(message)
      assert.equal("list_orgs", response.operation)
      assert.is_nil((results(function() return client:find_org { name = "acme" } end)))
    end)

    it("gives the user of that address, compared without case", function()
      local org, user = prepare()
      assert.same(user, (results(function()
        return client:find_user { org_id = org.id, email = "JANE@Acme.com" }
      end)))
    end)

    it("ignores case, also of what is stored, and accepts users without an address", function()
      local answering = clients.answered(
        { { 200, '{"data":[{"id":"1"},{"id":"2","email":"Jane@Acme.com"}]}' } }, mode.options())
      assert.equal("2", (results(function()
        return answering:find_user { org_id = UNKNOWN, email = "jane@acme.COM" }
      end)).id)
    end)

    it("gives nil and no message where there is none", function()
      local org = prepare()
      for _, body in ipairs {
        function() return client:find_org { name = "Acme 2" } end,
        function() return client:find_user { org_id = org.id, email = "jane@acme" } end,
      } do
        local found, message = results(body)
        assert.is_nil(found)
        assert.is_nil(message)
      end
    end)

    it("returns the failure of the list", function()
      sandbox:faults { { operation = "list_orgs", fault = "status", status = 403 } }
      local found, message, err = results(function() return client:find_org { name = "Acme" } end)
      assert.is_nil(found)
      assert.same({ "forbidden", 403 }, { err.kind, err.status })
      assert.equal(message, tostring(err))
      found, message, err = results(function()
        return client:find_user({ org_id = UNKNOWN, email = "jane@acme.com" }, { retries = 0 })
      end)
      assert.is_nil(found)
      assert.truthy(message)
      assert.equal("not_found", err.kind)
    end)

    it("refuses bad data and sends nothing", function()
      for _, case in ipairs {
        { "find_org", {}, "name", "find_org: invalid: name is required" },
        { "find_org", { name = "" }, "name", "find_org: invalid: name must not be empty" },
        { "find_org", { name = 1 }, "name",
          "find_org: invalid: name must be a string, got number" },
        { "find_org", { name = "a", nmae = "b" }, "nmae",
          "find_org: invalid: unknown field 'nmae', did you mean 'name'?" },
        { "find_user", { org_id = UNKNOWN, emial = "a" }, "emial",
          "find_user: invalid: unknown field 'emial', did you mean 'email'?" },
        { "find_user", { org_id = UNKNOWN }, "email", "find_user: invalid: email is required" },
        { "find_user", { email = "a@b.c" }, "org_id", "list_users: invalid: org_id is required" },
        { "find_user", { org_id = "x", email = "a@b.c" }, "org_id",
          "list_users: invalid: org_id must be a UUID" },
        { "find_user", { org_id = UNKNOWN, email = "jane" }, "email", "find_user: invalid: email "
          .. "must be an e-mail address, with a name, '@' and a domain" },
        { "find_user", { org_id = UNKNOWN, email = "jane@acme.com " }, "email",
          "find_user: invalid: email must be an e-mail address, without blanks" },
      } do
        local found, message, err = results(function() return client[case[1]](client, case[2]) end)
        assert.is_nil(found)
        assert.equal(case[4], message)
        assert.same({ "invalid", case[3], "unsent" }, { err.kind, err.field, err.outcome })
      end
      assert.equal(0, #sandbox:requests())
    end)
  end)
end

describe("bad usage of finding", function()
  after_each(clients.close)

  it("raises where the methods are called", function()
    local raised, client = clients.raised, clients.sandbox()
    assert.equal("find_org: use a colon: client:find_org{…}", raised(function()
      client.find_org { name = "Acme" }
    end))
    assert.equal("find_org: arguments must be a table, got string", raised(function()
      client:find_org "Acme"
    end))
    assert.equal("find_user: arguments must be a table, got nil", raised(function()
      client:find_user()
    end))
    contains(raised(function()
      client:find_org({ name = "Acme" }, { tiemout = 1 })
    end), "unknown option 'tiemout'")
    contains(raised(function()
      client:find_user({ org_id = UNKNOWN, email = "a@b.c" }, { x = 1 })
    end), "unknown option 'x'")
  end)
end)
