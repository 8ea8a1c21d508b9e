-- What a call gives back: data and response, or message and error, from every kind of reply.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local null = polytomic.null
local uuid = "248df4b7-aa70-47b8-a036-33ac447e668d"
local has_integers = math.type ~= nil -- luacheck: ignore

-- The three results of one call that is answered so; `name` defaults to create_org.
local function answered(body, status, headers, name, arguments, options)
  local client = clients.answered({ { status or 200, body, headers } }, options)
  name = name or "create_org"
  return client[name](client, arguments or { name = "Acme" })
end

-- The data of a reply that must be a success.
local function data_of(body)
  local data, message = answered(body)
  assert.is_nil(message)
  return data
end

local function bad_response(body, name, arguments)
  local data, message, err = answered(body, 200, { ["X-Request-Id"] = "r-1" }, name, arguments)
  assert.is_nil(data, body:sub(1, 40))
  assert.same({ "bad_response", 200, "unknown", false, "r-1" },
    { err.kind, err.status, err.outcome, err.retryable, err.request_id }, body:sub(1, 40))
  assert.is_truthy(message:find("^" .. (name or "create_org")
      .. ": 200 bad_response: .* %(request r%-1%)$"), message)
  assert.is_nil(message:find("[%c]"))
  assert.is_true(#message < 300)
  assert.equal("bad_response", err.timeline[1].error)
  return err, message
end

clients.around(before_each, after_each)

describe("A success", function()
  it("is the data, nil and a response that describes the exchange", function()
    local client =
      clients.answered({ { 200, '{"data":{"id":"x"},"pagination":{"next_page_token":"t"}}',
        { ["X-Request-Id"] = "7f3c", ["X-Thing"] = { "a", "b" }, ["x-thing"] = "c" } } })
    local data, message, response =
      client:create_org({ name = "Acme" }, { idempotency_key = "order_42-A" })
    assert.same({ id = "x" }, data)
    assert.is_nil(message)
    assert.same({ "create_org", 200, "7f3c", 1, "order_42-A" }, { response.operation,
      response.status, response.request_id, response.attempts, response.idempotency_key })
    assert.equal("t", response.body.pagination.next_page_token)
    assert.equal(data, response.body.data)
    assert.equal("application/json", response.headers["content-type"])
    assert.equal("a, b, c", response.headers["x-thing"])
    for name in pairs(response.headers) do assert.equal(name:lower(), name) end
    assert.is_true(response.elapsed > 0 and response.elapsed < 5)
    for _, name in ipairs { "kind", "message", "outcome", "nothing", "text", "Headers" } do
      assert.is_nil(response[name], name)
    end
    assert.is_nil(response[1])
  end)

  it("has a timeline with one entry for every attempt", function()
    sandbox:faults { { operation = "list_orgs", fault = "status", status = 503, retry_after = 0 },
      { operation = "list_orgs", fault = "reset_before" } }
    local _, _, response = clients.sandbox():list_orgs()
    assert.equal(3, response.attempts)
    local timeline = response.timeline
    assert.equal(3, #timeline)
    assert.same({ 503, "server" }, { timeline[1].status, timeline[1].error })
    assert.is_nil(timeline[2].status)
    assert.equal("network", timeline[2].error)
    assert.equal(200, timeline[3].status)
    assert.is_nil(timeline[3].error)
    for _, attempt in ipairs(timeline) do
      for _, name in ipairs { "name", "tcp", "connect", "first_byte", "total", "waited" } do
        assert.is_true(attempt[name] >= 0 and attempt[name] < 10, name)
      end
      assert.is_true(attempt.total >= attempt.first_byte)
      assert.is_boolean(attempt.reused)
    end
    assert.same({ false, true, false },
      { timeline[1].reused, timeline[2].reused, timeline[3].reused })
    assert.is_true(timeline[1].connect > 0)
    assert.is_true(timeline[1].name <= timeline[1].tcp)
    assert.equal(timeline[1].connect, timeline[1].tcp) -- no TLS
    assert.equal(0, timeline[1].waited)
    assert.is_true(response.elapsed >= timeline[3].waited)
  end)

  it("has no idempotency key where none was sent, and shows the one that was made", function()
    local client = clients.sandbox()
    assert.is_nil(select(3, client:list_orgs()).idempotency_key)
    assert.is_nil(select(3,
      client:create_org({ name = "a" }, { idempotency_key = false })).idempotency_key)
    local response = select(3, client:create_org { name = "b" })
    local requests = sandbox:requests("create_org")
    assert.equal(requests[2].headers["idempotency-key"], response.idempotency_key)
    assert.is_nil(requests[1].headers["idempotency-key"])
  end)

  it("is true where the body is empty: on 204, and where the operation promises none", function()
    assert.is_true((answered("", 204)))
    assert.is_true((answered("", 200, nil, "delete_org", { id = uuid })))
    assert.is_true((answered("", 204, nil, "request", { method = "GET", path = "/api/x" })))
    local data, message, response = answered("", 204)
    assert.same({ true, 204 }, { data, response.status })
    assert.is_nil(message)
    assert.is_nil(response.body)
  end)

  it("may have any status from 200 to 299", function()
    for _, status in ipairs { 200, 201, 202, 203, 206, 226, 299 } do
      local data, _, response = answered('{"data":{"id":"x"}}', status)
      assert.same({ "x", status }, { data.id, response.status })
    end
  end)

  it("cannot be changed through its metatable, and is a table that can be walked", function()
    local _, _, response = answered('{"data":{}}')
    assert.equal("protected", getmetatable(response))
    local found = {}
    for name, value in pairs(response) do found[tostring(name)] = value end
    -- It has no __pairs; every part is still there by its name
    if _VERSION == "Lua 5.1" then return end
    assert.equal("create_org", found.operation)
    for _, name in ipairs { "headers", "timeline", "body" } do
      assert.is_table(found[name], name)
    end
  end)
end)

describe("F: a success that is a redirect", function()
  local LOG = {
    sync_id = "248df4b7-aa70-47b8-a036-33ac447e668d",
    id = "248df4b7-aa70-47b8-a036-33ac447e668d", type = "records", filename = "one.csv",
  }
  local events

  local function redirected(status, location, body)
    events = {}
    local client, server = clients.answered({ { status, body or "", { Location = location } } }, {
      on_event = function(event) events[#events + 1] = event end,
    })
    local data, message, detail = client:get_sync_execution_logs(LOG)
    assert.equal(1, #server:requests())
    return data, message, detail, server
  end

  it("returns where it leads, and goes nowhere", function()
    local elsewhere = raw_server.start { script = { per = "request", 200 } }
    local url = elsewhere.url .. "/log?signature=5f"
    local data, message, response = redirected(302, url)
    assert.same({ url = url }, data)
    assert.is_nil(message)
    assert.same({ 302, 1, nil }, { response.status, response.attempts, response.body })
    assert.truthy(response.headers.location:find "^%*+$", "the headers show a signed URL")
    assert.equal(0, elsewhere:connections())
    elsewhere:stop()
  end)

  it("leads on from the request where it is relative, and passes over a page", function()
    local data, _, _, server = redirected(302, "../x?y=1", "<a href='x'>Found</a>")
    local path = "/api/syncs/" .. LOG.sync_id .. "/executions/" .. LOG.id .. "/x?y=1"
    assert.same({ url = server.url .. path }, data)
    assert.same({ url = server.url .. "/x" }, (redirected(302, "/x")))
  end)

  it("is a failure nowhere: not in the timeline, the events or the statistics", function()
    local data, _, response = redirected(302, "/x")
    assert.is_table(data)
    assert.is_nil(response.timeline[1].error)
    for _, event in ipairs(events) do assert.is_nil(event.error, event.type) end
    assert.equal("done", events[#events].type)
  end)

  it("is a bad response where it does not say where to, and shows nothing of it", function()
    for location, problem in pairs {
      ["file:///signed-canary"] = "the Location of the redirect is not a URL of http or https",
      [""] = "the Location of the redirect is empty",
    } do
      local data, message, err = redirected(302, location)
      assert.is_nil(data)
      assert.equal("get_sync_execution_logs: 302 bad_response: " .. problem, message)
      lacks(err.headers.location or "", "signed")
    end
    local _, message = redirected(302, nil)
    assert.equal("get_sync_execution_logs: 302 bad_response: the redirect has no Location", message)
  end)

  it("is an error with every other status, and of every other operation", function()
    local data, _, err = redirected(301, "https://logs.example.com/signed-canary")
    assert.is_nil(data)
    assert.same({ "redirect", "*" }, { err.kind, err.headers.location:sub(-1) })
    local client = clients.answered { { 302, "", { Location = "/x" } } }
    assert.equal("redirect", select(3, client:get_current_org()).kind)
  end)

  it("is a whole URL also when the client is closed before the result is read", function()
    local function late(location)
      local client = clients.answered { { 302, "", { Location = location } } }
      local call = client:start("get_sync_execution_logs", LOG)
      while not call:done() do client:step(1) end
      client:close()
      return call:result()
    end
    assert.same({ url = "https://logs.example.com/x" }, (late "https://logs.example.com/x"))
    assert.matches("^http://127%.0%.0%.1:%d+/x$", late("/x").url)
  end)
end)

describe("Values in a reply", function()
  it("that are null are absent as members and polytomic.null as elements", function()
    local data = data_of '{"data":{"a":null,"b":[null,1,null],"c":{"d":null},"e":[[null]]}}'
    assert.same({ b = { null, 1, null }, c = {}, e = { { null } } }, data)
    assert.is_nil(data.a)
    assert.is_nil(data.c.d)
  end)

  it("that are null or numbers are found after any string", function()
    for _, text in ipairs { [[a\"n1]], [[n\\]], [[\\\"]], "", "1", "null" } do
      local data = data_of('{"data":{"a":"' .. text .. '","b":null}}')
      assert.is_nil(data.b, text)
      data = data_of('{"data":{"a":"' .. text .. '","b":7}}')
      assert.equal("7", tostring(data.b), text)
      assert.equal(text, (data.a:gsub("[\\\"]", "\\%0")))
    end
  end)

  it("that are a list which is null are an empty table", function()
    assert.same({}, (answered('{"data":null}', 200, nil, "list_orgs", {})))
    assert.same({}, (answered('{"data":[]}', 200, nil, "list_orgs", {})))
    for _, body in ipairs { '{"data":null}', '{"data":[]}' } do -- and is a list when given back
      local list = answered(body, 200, nil, "list_orgs", {})
      assert.equal(polytomic.array_mt, getmetatable(list))
    end
  end)

  it("are kept where the API's documents do not know them", function()
    assert.same({ id = "x", harbor_only = true, more = { deep = { 1, 2 } },
      role = "a role of tomorrow" }, (data_of('{"data":{"id":"x","harbor_only":true,'
          .. '"more":{"deep":[1,2]},"role":"a role of tomorrow"}}')))
  end)

  it("are integers where JSON has integers and Lua too, exact up to 64 bits", function()
    local data = data_of('{"data":{"one":1,"zero":0,"minus":-7,"big":9007199254740993,'
        .. '"most":9223372036854775807,"least":-9223372036854775808,'
        .. '"list":[10000000000000001,2],"float":1.5,"whole":2.0}}')
    assert.same({ 1, 0, -7, 1.5, 2, 2 },
      { data.one, data.zero, data.minus, data.float, data.whole, data.list[2] })
    if not has_integers then
      assert.equal(2 ^ 53, data.big)
      return
    end
    for _, name in ipairs { "one", "zero", "minus", "big", "most", "least" } do
      assert.equal("integer", math.type(data[name]), name) -- luacheck: ignore
    end
    assert.equal("9007199254740993", tostring(data.big))
    assert.equal("9223372036854775807", tostring(data.most))
    assert.equal("-9223372036854775808", tostring(data.least))
    assert.equal("10000000000000001", tostring(data.list[1]))
    assert.equal("float", math.type(data.float)) -- luacheck: ignore
  end)

  it("are floats beyond 64 bits, and infinite beyond those", function()
    local data = data_of('{"data":{"a":9223372036854775808,"b":-9223372036854775809,'
        .. '"c":123456789012345678901234567890,"d":1e400,"e":-1e400,"f":5e-324,"g":1e-400}}')
    assert.same({ 2 ^ 63, -2 ^ 63, 123456789012345678901234567890, math.huge, -math.huge, 5e-324,
      0 }, { data.a, data.b, data.c, data.d, data.e, data.f, data.g })
  end)

  it("keep the sign of zero", function()
    assert.equal(-math.huge, 1 / data_of('{"data":{"a":-0}}').a)
    assert.equal(-math.huge, 1 / data_of('{"data":{"a":-0.0}}').a)
  end)

  it("are strings as they were sent, with NUL and whatever bytes", function()
    local data = data_of('{"data":{"nul":"a\\u0000b",'
        .. '"escapes":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fc\\u20ac\\ud83d\\ude00",'
        .. '"digits":"12345678901234567890","bytes":"\255\254","empty":"","":1}}')
    assert.same({ nul = "a\0b", escapes = "\"\\/\b\f\n\r\t\195\188\226\130\172\240\159\152\128",
      digits = "12345678901234567890", bytes = "\255\254", empty = "", [""] = 1 }, data)
  end)

  it("may have a byte order mark and white space before them", function()
    assert.same({ id = "x" }, data_of '\239\187\191 \r\n\t{ "data" : {"id":"x"} } \n')
  end)

  it("that stand twice are the last of them", function()
    assert.same({ id = "second" }, data_of '{"data":{"id":"first","id":"second"}}')
    assert.same({ id = "second" }, data_of '{"data":{"id":"first"},"data":{"id":"second"}}')
    assert.same({ id = "second" }, data_of '{"data":null,"data":{"id":"second"}}')
    assert.same({ id = "second" }, data_of '{"data":[1],"d\\u0061ta":{"id":"second"}}')
    assert.same({}, data_of '{"data":{"id":"first","id":null}}')
  end)

  it("are read down to a depth, and refused below it", function()
    local function nested(depth)
      return '{"data":{"a":' .. ("["):rep(depth) .. ("]"):rep(depth) .. "}}"
    end
    local inner = data_of(nested(900)).a
    for _ = 1, 899 do inner = inner[1] end
    assert.same({}, inner)
    bad_response(nested(1001))
    bad_response(nested(100000))
    bad_response('{"data":' .. ('{"a":'):rep(100000))
  end)

  it("may be many", function()
    local parts = {}
    for i = 1, 100000 do parts[i] = ('"k%d":%d'):format(i, i) end
    local data = data_of('{"data":{' .. table.concat(parts, ",") .. "}}")
    assert.same({ 1, 100000 }, { data.k1, data.k100000 })
    local list = answered('{"data":[' .. ("{},"):rep(99999) .. "{}]}", 200, nil, "list_orgs", {})
    assert.equal(100000, #list)
  end)
end)

describe("E3: a 2xx that is not the promised JSON", function()
  local bodies = { "<html><body>Hello</body></html>", "OK",
    "null", "[]", '"x"', "1", "true", "false", "{}", '{"data":null}', '{"data":[]}',
    '{"data":"x"}', '{"data":1}', '{"data":false}', '{"Data":{}}', '{"data":{}', '{"data":{}}x',
    '{"data":{}}{}', '{"data":{}}\0', '{"data":{"a":1}}\0more', "{'data':{}}", '{"data":{"a":NaN}}',
    '{"data":{"a":01}}', '{"data":{"a":0x1}}', '{"data":{"a":"\\ud80"}}', '{"data":{"a":"\\x"}}',
    '{"data":{"a":1.}}', '{"data":{"a":-.5}}', '{"data":{"a":"b\nc"}}', '{"data":{"a":"b\tc"}}',
    '{"data":{"id":"x"},"data":[]}',
    '{"data":{"a":1,}}', '{"data":{12345678901234567:1}}', '{"data":{"id":"x"},"data":null}',
    '{"data":{"id":"x"},"data":"y"}', "\0", "\255\254{", " ", "\239\187\191" }

  for _, body in ipairs(bodies) do
    it(("is a bad response: %q"):format(body):gsub("%c", "?"), function()
      bad_response(body)
      bad_response(body, "get_org", { id = uuid })
    end)
  end

  it("is a bad response too where a list, a replaced or a deleted one was promised", function()
    for _, body in ipairs { "null", "{}", '{"data":{}}', '{"data":"x"}', "[]", "<html>" } do
      bad_response(body, "list_orgs", {})
    end
    for _, body in ipairs { "null", "{}", "[]", "<html>" } do
      bad_response(body, "update_org", { id = uuid, name = "x" })
    end
    for _, body in ipairs { "null", "[]", "1", '"x"', "false", "<html>" } do
      bad_response(body, "delete_org", { id = uuid })
    end
    for _, body in ipairs { "null", "{}", "[]", "false" } do
      bad_response(body, "delete_user", { org_id = uuid, id = uuid })
    end
  end)

  it("is none where a job is promised that has no data yet", function()
    local uuid_model = { connection_id = uuid, configuration = {}, name = "m", async = true }
    for _, body in ipairs { '{"data":null,"job":{"id":"j"}}', '{"job":{"id":"j"}}' } do
      local data, message, response = answered(body, 200, nil, "create_model", uuid_model)
      assert.same({}, data, message)
      assert.equal("j", response.body.job.id)
    end
  end)

  it("says what came instead, and shows the beginning of what is no JSON", function()
    contains(select(2, bad_response "[]"), "the reply is a list instead of an object")
    contains(select(2, bad_response '{"data":[]}'), "its data is a list instead of an object")
    contains(select(2, bad_response "<html>\n<body>Hello"), "<html> <body>Hello")
    contains(select(2, bad_response(("<p>"):rep(1000))), "<p><p>")
  end)

  it("has the whole body, decoded where it is JSON", function()
    assert.same({ data = "x", more = 1 }, bad_response('{"data":"x","more":1}').body)
    assert.equal("<html>", bad_response("<html>").body)
  end)

  it("is a reply under the sandbox's faults bad_json, wrong_type and empty", function()
    local client = clients.sandbox()
    sandbox:faults { { operation = "create_org", fault = "bad_json" }, { operation = "create_org",
      fault = "wrong_type" }, { operation = "create_org", fault = "wrong_type",
        body = { data = null } }, { operation = "create_org", fault = "empty" } }
    for i = 1, 4 do
      local data, message, err = client:create_org { name = "Acme " .. i }
      assert.is_nil(data)
      assert.same({ "bad_response", "unknown", 200, 1 },
        { err.kind, err.outcome, err.status, err.attempts }, message)
    end
    assert.equal(4, sandbox:committed("create_org"))
    sandbox:faults { { operation = "list_orgs", fault = "wrong_type", body = { data = null } } }
    assert.same({}, (client:list_orgs()))
  end)

  it("counts as a failure", function()
    local client = clients.answered { { 200, "null" } }
    client:list_orgs()
    assert.equal(1, client:stats().failures)
  end)
end)

describe("E4: an error", function()
  local kinds = { [400] = "api", [401] = "unauthorized", [402] = "api", [403] = "forbidden",
    [404] = "not_found", [405] = "api", [408] = "api", [409] = "conflict", [410] = "api",
    [418] = "api", [422] = "unprocessable", [425] = "api", [429] = "rate_limited", [451] = "api",
    [499] = "api", [500] = "server", [501] = "server", [502] = "server", [503] = "server",
    [504] = "server", [599] = "server", [300] = "redirect", [301] = "redirect", [304] = "redirect",
    [308] = "redirect" }
  local bodies = { "", "<html><h1>Oops</h1></html>", '"refused"', "null", "[]", "[1,2]",
    "1", "false", "{}", '{"message":null}', '{"message":7}', '{"message":{}}', '{"error":null}',
    '{"error":{}}', '{"error":{"message":7}}', '{"key":7,"metadata":"x"}', '{"message":', "\0",
    "\255", "{\"message\":\"\\ud80\"}", ("["):rep(100000) }

  for status, kind in pairs(kinds) do
    it(status .. " is " .. kind .. ", whatever its body", function()
      for _, body in ipairs(bodies) do
        if status ~= 304 or body == "" then
          local data, message, err = answered(body, status)
          assert.is_nil(data)
          assert.same({ kind, status, 1, "create_org" },
            { err.kind, err.status, err.attempts, err.operation })
          assert.is_truthy(message:find(("^create_org: %d %s: ."):format(status, kind)), message)
          assert.is_nil(message:find("%c"))
          assert.is_nil(err.message)
        end
      end
    end)
  end

  it("takes message, key and metadata of every shape the API has had", function()
    local function read(body)
      local _, message, err = answered(body, 422)
      return { err.message, err.key, err.metadata, message }
    end
    assert.same(
      {
        "name already taken",
        "conflict",
        { field = "name" },
        "create_org: 422 unprocessable: name already taken",
      },
      read('{"key":"conflict","message":"name already taken",'
          .. '"metadata":{"field":"name"},"status":422}')
    )
    assert.equal("nested", read('{"error":{"message":"nested"}}')[1])
    assert.equal("plain", read('{"error":"plain"}')[1])
    local old = read('{"message":"old","status_code":422,"metadata":["a"]}')
    assert.same({ "old", { "a" } }, { old[1], old[3] })
    assert.is_nil(old[2])
    assert.equal("both", read('{"message":"both","error":"other"}')[1])
    assert.equal("second", read('{"message":"","error":"second"}')[1])
  end)

  it("has all fields of a response beside its own", function()
    local client = clients.answered {
      {
        409,
        '{"message":"taken","extra":[1,null]}',
        { ["X-Request-Id"] = "7f3c", ["X-A"] = { "1", "2" } },
      },
    }
    local data, message, err = client:create_org({ name = "Acme" },
      { idempotency_key = "order_42-A" })
    assert.is_nil(data)
    assert.equal("create_org: 409 conflict: taken (request 7f3c)", message)
    assert.equal(message, tostring(err))
    assert.same(
      { "create_org", 409, "7f3c", 1, "order_42-A", "conflict", "taken", "rejected", false },
      {
        err.operation,
        err.status,
        err.request_id,
        err.attempts,
        err.idempotency_key,
        err.kind,
        err.message,
        err.outcome,
        err.retryable,
      }
    )
    assert.same({ message = "taken", extra = { 1, null } }, err.body)
    assert.equal("1, 2", err.headers["x-a"])
    assert.same({ 1, 409, "conflict" },
      { #err.timeline, err.timeline[1].status, err.timeline[1].error })
    assert.is_true(err.elapsed > 0)
    assert.is_nil(err.field)
    assert.is_nil(err.hint)
    assert.is_nil(err.retry_after)
    assert.is_string(err:curl())
    assert.equal("protected", getmetatable(err))
    local seen = {}
    for name in pairs(err) do seen[tostring(name)] = true end
    for _, name in ipairs {
      "kind",
      "outcome",
      "headers",
      "timeline",
      "elapsed",
      "request_id",
      "idempotency_key",
      "retryable",
    } do
      assert.is_true(seen[name], name)
    end
  end)

  it("has a message that ends with no half of a character, and goes on after a NUL", function()
    for length = 790, 801 do
      local text = ("x"):rep(length) .. ("é😀"):rep(20)
      local _, message = clients
        .answered({ { 422, require("cjson").encode { message = text } } })
        :create_org { name = "Acme" }
      assert.matches("^create_org: 422 unprocessable: x+[é😀]*$", message)
      assert.is_true(utf8 == nil or utf8.len(message) ~= nil, message) -- luacheck: ignore
    end
    local _, message, err =
      clients.answered({ { 422, '{"message":"a\\u0000b"}' } }):create_org { name = "Acme" }
    assert.same({ "create_org: 422 unprocessable: a b", "a\0b" }, { message, err.message })
  end)

  it("has all fields also where nothing was sent", function()
    local _, _, err = clients.sandbox():create_org {}
    assert.same({ "create_org", 0, {}, {}, "name is required", "name" },
      { err.operation, err.attempts, err.headers, err.timeline, err.message, err.field })
    assert.is_nil(err.status)
    assert.is_nil(err.request_id)
    assert.equal("number", type(err.elapsed))
    assert.is_nil(err:curl())
  end)

  it("has a message of one printable line, however long the server's is", function()
    local _, message, err = answered(
      '{"message":"a\\nb\\r\\u0000c\\u001b[0m' .. ("x"):rep(5000) .. '"}',
      400,
      { ["X-Request-Id"] = ("r"):rep(500) }
    )
    assert.is_nil(message:find("%c"))
    assert.is_true(#message < 1100)
    contains(message, "create_org: 400 api: a b")
    assert.equal("a\nb\r\0c\27[0m" .. ("x"):rep(5000), err.message)
  end)

  it("can be raised, its message as its second result by assert", function()
    local client = clients.answered { { 409, '{"message":"taken"}' } }
    local _, message, err = client:create_org { name = "x" }
    assert.equal("create_org: 409 conflict: taken", message)
    local ok, raised = pcall(error, err)
    assert.is_false(ok)
    assert.equal(err, raised)
    assert.equal("create_org: 409 conflict: taken", tostring(raised))
  end)

  it("says whether another try may help, and when", function()
    local function told(status, headers)
      local _, _, err = answered("{}", status, headers)
      return { err.retryable, err.retry_after, err.outcome }
    end
    assert.same({ true, 7, "rejected" }, told(429, { ["Retry-After"] = "7" }))
    assert.same({ true, 0 },
      { told(503, { ["Retry-After"] = "0" })[1], told(503, { ["Retry-After"] = "0" })[2] })
    assert.is_nil(told(429, { ["Retry-After"] = "soon" })[2])
    for status, expected in pairs { [422] = { false, "rejected" }, [500] = { false, "unknown" },
        [502] = { true, "unknown" }, [429] = { true, "rejected" } } do
      local retryable, retry_after, outcome = told(status)[1], told(status)[2], told(status)[3]
      assert.same(expected, { retryable, outcome }, status)
      assert.is_nil(retry_after)
    end
  end)

  it("without a connection has its kind, and no status", function()
    local refused = raw_server.refused()
    local client = polytomic.new {
      env = false,
      base_url = refused.url,
      partner_key = "partner-key-of-specs",
      retries = 0,
    }
    local _, message, err = client:create_org { name = "x" }
    client:close()
    refused.stop()
    assert.same({ "connect", "unsent", 1, true },
      { err.kind, err.outcome, err.attempts, err.retryable })
    assert.is_nil(err.status)
    assert.is_nil(err.body)
    assert.same({}, err.headers)
    assert.is_truthy(message:find("^create_org: connect: ."), message)
  end)

  it("names no more than the redirect, and goes nowhere", function()
    local elsewhere = raw_server.start { script = { per = "request", 200 } }
    local _, _, err = answered("", 307, { Location = elsewhere.url .. "/api/organizations" })
    assert.same({ "redirect", 307, elsewhere.url .. "/api/organizations" },
      { err.kind, err.status, err.headers.location })
    assert.equal(0, elsewhere:connections())
    elsewhere:stop()
  end)
end)

describe("curl()", function()
  local has_curl = process.run { "curl", "--version" } == 0

  -- Runs the command with the sandbox's keys in the environment; status, decoded body.
  local function run(command)
    local status, out, err = process.run(
      command .. " -s -w '\\n%{http_code}'",
      {
        env = {
          POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
          POLYTOMIC_DEPLOYMENT_KEY = sandbox.deployment_key,
          POLYTOMIC_API_KEY = "unknown",
        },
      }
    )
    assert.equal(0, status, err)
    local body, code = out:match("^(.*)\n(%d+)$")
    return tonumber(code), body ~= "" and require("cjson").decode(body) or nil
  end

  it("is a command that repeats the request, the key left to the environment", function()
    local client = clients.answered({ { 200, '{"data":{}}' } }, { user_agent = "acme/1.0" })
    local response = select(
      3,
      client:create_org({ name = "Acme" },
        { idempotency_key = "order_42-A", headers = { ["X-Trace"] = "it's" } })
    )
    local command = response:curl()
    for _, part in ipairs { "curl -X POST 'http://127.0.0.1:", "/api/organizations'",
        ' -H "Authorization: Bearer $POLYTOMIC_PARTNER_KEY"', "'Idempotency-Key: order_42-A'",
        "'X-Polytomic-Version: 2025-09-18'", "'X-Trace: it'\\''s'",
      "--data-raw '{\"name\":\"Acme\"}'" } do
      assert.is_truthy(command:find(part, 1, true), part .. " in " .. command)
    end
    lacks(command, "partner-key-of-specs")
    lacks(command, "\n")
  end)

  it("names the variable of the key that was sent, and the organization it was sent for", function()
    local function command(options, name, call_options)
      local client = clients.answered({ { 200, '{"data":[]}' } }, options)
      return select(3, client[name](client, {}, call_options)):curl()
    end
    contains(command({ partner_key = "", deployment_key = "dk" }, "list_orgs"),
      '"Authorization: Bearer $POLYTOMIC_DEPLOYMENT_KEY"')
    contains(command({ api_key = "ak" }, "list_current_org_users"),
      '"Authorization: Bearer $POLYTOMIC_API_KEY"')
    contains(command({ organization = uuid }, "list_current_org_users"),
      ' -u "' .. uuid .. ':$POLYTOMIC_PARTNER_KEY"')
    contains(command({}, "list_current_org_users", { organization = uuid }),
      ' -u "' .. uuid .. ':$POLYTOMIC_PARTNER_KEY"')
  end)

  it("masks write-only fields and headers that may hold secrets", function()
    local client = clients.answered { { 200, '{"data":{}}' } }
    local response = select(
      3,
      client:create_org({ name = "Acme", client_secret = "canary\"'\\4711" },
        { headers = { ["X-Api-Token"] = "canary4711" } })
    )
    contains(response:curl(), '{"client_secret":"***","name":"Acme"}')
    contains(response:curl(), "X-Api-Token: ***")
    lacks(response:curl(), "4711")
  end)

  it("comes with an error too, and must be called with a colon", function()
    local _, _, err = clients.sandbox():get_org { id = uuid }
    contains(err:curl(), "curl -X GET ")
    contains(clients.raised(function() local _ = err.curl() end), "use a colon")
    contains(clients.raised(function() local _ = err.curl({}) end), "use a colon")
  end)

  it("runs in a shell and repeats the call, whatever its arguments hold", function()
    if not has_curl then return end
    local client = clients.sandbox()
    local name =
      "Acme 'quoted' \"double\" $HOME `id` $(id) \\ @file \n \0 \195\188 ! %7B * ; & | <>"
    local org, _, response = client:create_org { name = name }
    local status, body = run(response:curl())
    assert.equal(200, status)
    assert.same(org, body.data)
    assert.equal(1, #select(1, client:list_orgs()) - 1)
    assert.equal(2, #sandbox:requests("create_org"))
    assert.equal(sandbox:requests("create_org")[1].body, sandbox:requests("create_org")[2].body)
    local jane = assert(client:create_user { org_id = org.id, email = "jane@acme.com" })
    status, body = run(select(3, client:as_org(org.id):get_current_org()):curl())
    assert.same({ 200, name }, { status, body.data.name })
    status = run(select(3, client:create_user_api_key { org_id = org.id, id = jane.id }):curl())
    assert.equal(200, status)
    status = run(select(3, client:delete_user { org_id = org.id, id = jane.id }):curl())
    assert.equal(404, status)
    status = run(
      select(
        3,
        client:request { method = "GET", path = "/api/organizations", query = { q = "a'b$c" } }
      ):curl()
    )
    assert.equal(200, status)
  end)
end)
