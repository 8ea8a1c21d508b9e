-- client:check: whether the server answers and each key is accepted.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local core = require "polytomic.core"
local modes = require "spec.support.modes"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

clients.around(before_each, after_each)

for _, mode in ipairs(modes) do
  describe("check with " .. mode.name, function()
    local function check(client)
      return (mode.results(function() return client:check() end))
    end

    it("is well with a good key, and says whose it is", function()
      local found = check(clients.sandbox(mode.options()))
      assert.same({ true, core.version, core.libcurl, sandbox.url, true },
        { found.ok, found.version, found.libcurl, found.url, found.connection.ok })
      assert.is_true(found.connection.seconds > 0)
      local key = found.keys[1]
      assert.same({ 1, "partner_key", "option", true, true },
        { #found.keys, key.kind, key.source, key.ok, key.identity.is_partner })
      assert.is_nil(key.message)
    end)

    it("asks for each key alone", function()
      local found = check(clients.sandbox(mode.options {
        partner_key = sandbox.partner_key,
        api_key = "unknown-to-the-sandbox",
      }))
      assert.is_false(found.ok)
      assert.is_true(found.connection.ok)
      assert.same({ "api_key", false, "partner_key", true },
        { found.keys[1].kind, found.keys[1].ok, found.keys[2].kind, found.keys[2].ok })
      assert.equal("unauthorized", found.keys[1].err.kind)
      contains(found.keys[1].message, "a user API key was sent, which is not accepted")
      local sent = {}
      for _, request in ipairs(sandbox:requests()) do sent[request.headers.authorization] = true end
      assert.is_true(
        sent["Bearer unknown-to-the-sandbox"] and sent["Bearer " .. sandbox.partner_key]
      )
    end)

    it("says that a key is of another kind, whoever takes it", function()
      local user = { 200, '{"data":{"is_user":true,"email":{"not":"a text"}}}' }
      local found = check((clients.answered({ user }, mode.options())))
      assert.is_false(found.ok)
      contains(found.keys[1].message, "this is a user key")
    end)

    it("asks otherwise where the server does not know who a key is", function()
      local client, server =
        clients.answered({ { 404, "{}" }, { 200, '{"data":[]}' } }, mode.options())
      assert.is_true(check(client).ok)
      assert.equal("/api/organizations", server:requests()[2].target)
    end)

    it("says that nobody answers, and asks no more", function()
      local client = clients.sandbox(mode.options {
        base_url = "http://127.0.0.1:1",
        api_key = "some-key",
        partner_key = "some-other-key",
        timeout = 1,
      })
      local found = check(client)
      assert.same({ false, false, 1, "connect" },
        { found.ok, found.connection.ok, #found.keys, found.keys[1].err.kind })
      contains(found.connection.message, "polytomic sandbox")
    end)
  end)
end

describe("check", function()
  it("says that there is no key", function()
    local client = require("polytomic").new { env = false }
    local found = client:check()
    assert.same({ false, false, 0 }, { found.ok, found.connection.ok, #found.keys })
    client:close()
  end)

  it("trims what the environment has", function()
    local code = 'local found = require("polytomic").check() print(found.ok, found.url)'
    local status, out, err = process.run({ process.interpreter(), "-e", code }, {
      env = process.environment {
        POLYTOMIC_DEPLOYMENT_URL = " " .. sandbox.url .. "\r\n",
        POLYTOMIC_PARTNER_KEY = " " .. sandbox.partner_key .. "\r\n",
      },
    })
    assert.same({ 0, "true\t" .. sandbox.url .. "\n", "" }, { status, out, err })
  end)

  it("names the variable that a key comes from", function()
    local code = [[
      local polytomic = require "polytomic"
      local found = polytomic.check()
      print(found.ok, found.keys[1].kind, found.keys[1].source, found.keys[1].message)
    ]]
    local status, out, err = process.run({ process.interpreter(), "-e", code }, {
      env = process.environment {
        POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
        POLYTOMIC_PARTNER_KEY = "unknown-to-the-sandbox",
      },
    })
    assert.same({ 0, "" }, { status, err })
    assert.truthy(out:find("^false\tpartner_key\tPOLYTOMIC_PARTNER_KEY\t"), out)
    contains(out, "(from POLYTOMIC_PARTNER_KEY), which is not accepted")
  end)

  it("raises for bad usage at the caller's line", function()
    assert.equal("check: use a colon: client:check()",
      clients.raised(function() clients.sandbox().check() end))
  end)
end)
