-- The parts of the sandbox that stand alone: JSON, routes, ordered collections, the store of
-- idempotency keys, UTF-8.

local collection = require "polytomic.sandbox.data.collection"
local core = require "polytomic.core"
local idempotency = require "polytomic.sandbox.rules.idempotency"
local json = require "polytomic.json_text"
local journal = require "polytomic.sandbox.wire.journal"
local router = require "polytomic.sandbox.rules.router"

describe("the sandbox's JSON", function()
  it("distinguishes an empty array from an empty object", function()
    assert.equal('{"a":[],"b":{},"c":null,"d":[1,"x",false]}',
      json.encode { a = json.array(), b = {}, c = json.null, d = { 1, "x", false } })
  end)

  it("escapes quotes, backslashes and control characters, and nothing else", function()
    assert.equal('"\\"\\\\\\n\\u0000\\u001f/\195\169"', json.encode('"\\\n\0\31/\195\169'))
  end)

  it("writes whole numbers without a fraction, and reads integers where Lua has them", function()
    assert.equal("[3,2.5,-1,100000000000000]", json.encode { 3.0, 2.5, -1, 1e14 })
    assert.equal("3", tostring(json.decode("[3]")[1]))
  end)

  it("leaves the shared lua-cjson alone", function()
    local cjson = require "cjson"
    assert.is_true(cjson.decode_invalid_numbers())
    assert.is_nil((json.decode("[NaN]")))
  end)
end)

describe("the sandbox's router", function()
  local routes = router.new()
  for _, path in ipairs { "/a", "/a/{id}", "/a/{id}/b/{other}", "/a/fixed", "/slash/" } do
    routes:add { method = "GET", path = path }
  end

  local function find(path)
    local route, parameters = routes:find("GET", path)
    return route and route.path, parameters
  end

  it("prefers literals, fills and decodes parameters, and minds a trailing slash", function()
    assert.equal("/a/fixed", (find "/a/fixed"))
    local path, parameters = find "/a/x%2Fy/b/z"
    assert.equal("/a/{id}/b/{other}", path)
    assert.same({ id = "x/y", other = "z" }, parameters)
    assert.equal("/slash/", (find "/slash/"))
    for _, nowhere in ipairs { "/a/", "/slash", "/", "*", "/a/x/b", "/a//b/z" } do
      assert.is_nil((find(nowhere)))
    end
  end)

  it("distinguishes a wrong method from a wrong path", function()
    assert.same({ nil, "method" }, { routes:find("PUT", "/a") })
    assert.same({ nil, "path" }, { routes:find("GET", "/b") })
  end)
end)

describe("an ordered collection", function()
  it("keeps the order of adding through many removals", function()
    local items, expected, seen = collection.new(), {}, {}
    for i = 1, 1000 do items:add("id" .. i, i) end
    for i = 1, 1000 do
      if i % 10 == 0 then expected[#expected + 1] = i else items:remove("id" .. i) end
    end
    items:add("last", 1001)
    expected[#expected + 1] = 1001
    items:each(function(item) seen[#seen + 1] = item end)
    assert.same(expected, seen)
    assert.is_nil(items:get("id1"))
    assert.equal(10, items:get("id10"))
    assert.is_true(items.last < 250)
  end)
end)

describe("the store of idempotency keys", function()
  it("keeps an outcome for 24 hours, and a running request for as long as it runs", function()
    local now = 0
    local keys = idempotency.new(function() return now end)
    local verdict, record = keys:begin("p", "key-00001", "a")
    assert.equal("new", verdict)
    now = 48 * 3600
    assert.equal("running", (keys:begin("p", "key-00001", "a")))
    keys:finish(record, "outcome")
    now = 0
    assert.same({ "replay", "outcome" }, { keys:begin("p", "key-00001", "a") })
    now = 24 * 3600 - 1
    assert.equal("mismatch", (keys:begin("p", "key-00001", "b")))
    now = 24 * 3600
    assert.equal("new", (keys:begin("p", "key-00001", "b")))
  end)
end)

describe("the sandbox's log", function()
  it("keeps the newest 20000 requests", function()
    local log = journal.new(function() return 0 end)
    for _ = 1, 20005 do
      log:arrived { method = "GET", target = "/", headers = {}, connection = 1, version = "1.1" }
    end
    local list = log:list()
    assert.same({ 20000, 6, 20005 }, { #list, list[1].n, list[#list].n })
  end)
end)

describe("UTF-8", function()
  it("is told from what is not well-formed, which the sandbox's JSON repairs", function()
    for _, good in ipairs { "", "plain", "\195\169", "\226\130\172", "\240\159\152\128",
        "\239\191\191", "\0" } do
      assert.is_true(core.valid_utf8(good))
      assert.equal(good, json.decode(json.encode { good })[1])
    end
    for _, bad in ipairs {
      "\255", "\128", "\195", "\195x", "\192\175", "\224\128\128", "\237\160\128",
      "\244\144\128\128",
      "\240\159\152", "\245\128\128\128" } do
      assert.is_false(core.valid_utf8(bad))
      assert.is_true(core.valid_utf8(json.encode(bad)))
    end
  end)
end)
