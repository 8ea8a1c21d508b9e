-- The options `query` and `body` of a call, and `headers` of a client: what the catalogue does not
-- know yet.

local cjson = require("cjson").new()
local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"

local UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"

after_each(clients.close)

local client, server
before_each(function() client, server = clients.answered { { 200, '{"data":{}}' } } end)

local function last()
  local requests = server:requests()
  return requests[#requests]
end

describe("The option `body` of a call", function()
  it("adds members to what the arguments make", function()
    local limits = { seats = 5, tags = { "a", "b" } }
    local more = { plan = "gold", limits = limits, nothing = polytomic.null }
    assert(client:create_org({ name = "Acme" }, { body = more }))
    assert.same(
      {
        name = "Acme",
        plan = "gold",
        limits = { seats = 5, tags = { "a", "b" } },
        nothing = cjson.null,
      },
      cjson.decode(last().body)
    )
    assert(client:create_org({ name = "Acme" }, { body = {} }))
    assert.equal('{"name":"Acme"}', last().body)
  end)

  it("makes a body for an operation that has none", function()
    assert(client:create_user_api_key({ org_id = UUID, id = UUID }, { body = { note = "x" } }))
    assert.equal('{"note":"x"}', last().body)
  end)

  it("is refused for a member given twice, and what no JSON is, and sends nothing", function()
    for _, case in ipairs {
      { { name = "Initech" }, "body.name", "body.name is given among the arguments too" },
      { { plan = print }, "body.plan", "body.plan must be a JSON value" },
      { { [1] = "x" }, "body", "body must have string keys only" },
      { { plan = 0 / 0 }, "body.plan", "body.plan must be a finite number" },
    } do
      local data, message, err = client:create_org({ name = "Acme" }, { body = case[1] })
      assert.same({ nil, "invalid", case[2], "unsent" }, { data, err.kind, err.field, err.outcome })
      contains(message, case[3])
    end
    assert.equal(0, #server:requests())
  end)

  it("is refused where an operation takes no body", function()
    local _, message, err = client:get_org({ id = UUID }, { body = { plan = "gold" } })
    assert.same({ "invalid", "body" }, { err.kind, err.field })
    contains(message, "goes with POST, PUT and PATCH only")
  end)

  it("M: hides members whose names say that they are secret", function()
    local _, _, response = client:create_org({ name = "Acme" },
      { body = { setup = { api_key = "canary-in-the-mine" } } })
    lacks(response:curl(), "canary")
  end)
end)

describe("The option `query` of a call", function()
  it("adds pairs to what the arguments make", function()
    assert(client:get_org({ id = UUID }, { query = { expand = "users" } }))
    assert.equal("/api/organizations/" .. UUID .. "?expand=users", last().target)
    assert(client:create_org({ name = "Acme" }, { query = { ids = { "a", "b" }, deep = true } }))
    local target = last().target
    contains(target, "ids=a&ids=b")
    contains(target, "deep=true")
    assert.equal('{"name":"Acme"}', last().body)
  end)

  it("is refused for a pair given twice, and sends nothing", function()
    local _, message, err = client:list_events({ limit = 5 }, { query = { limit = 6 } })
    assert.same({ "invalid", "query.limit" }, { err.kind, err.field }, message)
    assert.equal(0, #server:requests())
  end)

  it("belongs in the request itself for `request`", function()
    local request = { method = "GET", path = "/x" }
    local message = clients.raised(function() client:request(request, { query = {} }) end)
    contains(message, "belongs in the request itself")
  end)
end)

describe("The option `headers` of a client", function()
  it("is sent with every request, and a call's own headers beat it", function()
    client, server = clients.answered({ { 200, '{"data":{}}' } }, {
      headers = { ["X-Tenant"] = "acme", ["X-Trace"] = "of-the-client" },
    })
    assert(client:get_org { id = UUID })
    assert.same({ "acme", "of-the-client" },
      { last().headers["x-tenant"], last().headers["x-trace"] })
    assert(client:get_org({ id = UUID }, { headers = { ["x-trace"] = "of-the-call" } }))
    assert.same({ "acme", "of-the-call" },
      { last().headers["x-tenant"], last().headers["x-trace"] })
    assert(client:as_org(UUID):get_org { id = UUID })
    assert.equal("acme", last().headers["x-tenant"])
  end)

  it("takes as many as a call does, beside those of the call", function()
    local mine, theirs = {}, {}
    for index = 1, 32 do
      mine["X-Mine-" .. index], theirs["X-Theirs-" .. index] = "1", "2"
    end
    client, server = clients.answered({ { 200, '{"data":{}}' } }, { headers = mine })
    assert(client:create_org({ name = "Acme" }, { headers = theirs }))
    assert.same({ "1", "2" }, { last().headers["x-mine-32"], last().headers["x-theirs-1"] })
  end)
end)

describe("An e-mail address", function()
  for name, address in pairs {
    ["without '@'"] = "jane.acme.com",
    ["without a name"] = "@acme.com",
    ["without a domain"] = "jane@",
    ["with a blank"] = "jane @acme.com",
    ["with a no-break space"] = "jane@acme.com\194\160",
    ["with a byte order mark"] = "\239\187\191jane@acme.com",
    ["with U+200B"] = "jane\226\128\139@acme.com",
    ["with a right-to-left override"] = "jane\226\128\174@acme.com",
    ["with NUL"] = "jane\0@acme.com",
    ["with a line break"] = "jane@acme.com\n",
    ["with a C1 control"] = "jane\194\133@acme.com",
    ["that is no UTF-8"] = "jane\255@acme.com",
  } do
    it("E10: " .. name .. " is refused, and nothing is sent", function()
      for _, operation in ipairs { "create_user", "update_user" } do
        local id = operation == "update_user" and UUID or nil
        local data, message, err =
          client[operation](client, { org_id = UUID, id = id, email = address })
        assert.same({ nil, "invalid", "email", "unsent" },
          { data, err.kind, err.field, err.outcome }, message)
      end
      assert.equal(0, #server:requests())
    end)
  end

  it("is taken in any script", function()
    assert(client:create_user { org_id = UUID, email = "jäne+tag@例え.jp" })
  end)
end)
