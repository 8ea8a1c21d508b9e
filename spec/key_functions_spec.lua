-- Keys that functions give: asked before each call, for keys that live shortly.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"

after_each(clients.close)

local ORG = { 200, '{"data":[]}' }

describe("A key that a function gives", function()
  it("is asked for before each call, and keeps connections while it stays the same", function()
    local count, key = 0, "first-key-of-specs"
    local client, server = clients.answered({ ORG }, {
      partner_key = function()
        count = count + 1
        return key .. "\n"
      end,
    })
    assert.equal(0, count)
    for _ = 1, 3 do assert(client:list_orgs()) end
    assert.same({ 3, 1 }, { count, server:connections() })
    key = "second-key-of-specs"
    for _ = 1, 2 do assert(client:list_orgs()) end
    assert.same({ 5, 2 }, { count, server:connections() })
    local sent = {}
    for index, request in ipairs(server:requests()) do
      sent[index] = request.headers.authorization
    end
    local first, second = "Bearer first-key-of-specs", "Bearer second-key-of-specs"
    assert.same({ first, first, first, second, second }, sent)
  end)

  it("is asked for by started calls, batches and clients of an organization too", function()
    local client, server = clients.answered({ ORG }, {
      partner_key = function() return "key-of-a-function" end,
    })
    client:start("list_orgs"):cancel()
    client:batch("list_orgs", { {}, {} })
    local shared = client:as_org("248df4b7-aa70-47b8-a036-33ac447e668d")
    shared:list_orgs()
    for _, request in ipairs(server:requests()) do
      assert.equal("Bearer key-of-a-function", request.headers.authorization)
    end
    assert.equal(3, #server:requests())
  end)

  it("makes the call unconfigured where it raises or gives no key, and sends nothing", function()
    for _, case in ipairs {
      { function() error({ why = "vault" }) end,
        "the function that gives the partner key raised an error" },
      { function() end, "the function that gives the partner key returned no string" },
      { function() return "" end,
        "the function that gives the partner key returned an empty string" },
      { function() return "two words" end, "the partner key that its function returned must hold" },
    } do
      local client, server = clients.answered({ ORG }, { partner_key = case[1] })
      local data, message, err = client:list_orgs()
      assert.is_nil(data)
      contains(message, case[2])
      assert.same({ "unconfigured", "unsent" }, { err.kind, err.outcome })
      lacks(message, "two words")
      assert.equal(0, #server:requests())
    end
  end)

  it("raised its error, which is kept", function()
    local client = clients.answered({ ORG },
      { partner_key = function() error({ why = "vault" }) end })
    assert.equal("vault", select(3, client:list_orgs()).cause.why)
  end)

  it("P: lets Ctrl-C through, and sends nothing", function()
    local client, server = clients.answered({ ORG }, {
      partner_key = function() error("interrupted!", 0) end, -- as lua.c says it on SIGINT
    })
    local ok, message = pcall(client.list_orgs, client)
    assert.same({ false, "interrupted!", 0 }, { ok, message, #server:requests() })
  end)

  it("may close the client", function()
    local client
    client = clients.answered({ ORG }, {
      partner_key = function()
        client:close()
        return "key-of-a-function"
      end,
    })
    assert.equal("closed", select(3, client:list_orgs()).kind)
  end)

  it("beats the environment, and is in no text", function()
    local client = polytomic.new { partner_key = function() return "key-of-a-function" end }
    assert.equal("polytomic.client (app.polytomic.com, partner key of a function)",
      tostring(client))
    client:close()
  end)
end)
