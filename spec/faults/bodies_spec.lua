-- Faults E1 to E10: bodies that are too much, broken, or odd.
-- Takes: 10 s

local contains = require("spec.support.text").contains
local locale = require "spec.support.locale"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local wire = require "spec.support.wire"

local reply = raw_server.reply
local MEGABYTE = 1024 * 1024
local LARGE = { kind = "too_large", outcome = "unknown", status = 200 }

local function row(title, body) wire.each_mode(it, title, body) end

-- A list, which alone asks for a compressed reply.
local LIST = { name = "list", method = "GET", operation = "list_orgs", repeats = true,
  arguments = {} }

-- What one call makes of one reply: `{ data, message, err, requests }`.
local function answered(bytes, kind, options)
  kind = kind or wire.kind.GET
  local settings = wire.merged({ mode = "blocking", call = { retries = 3 }, kinds = { kind } },
    options or {})
  local result = wire.play({ { "read", { send = bytes }, "fin" } }, settings)[kind.name]
  assert.equal(1, #result.requests)
  return result
end

-- The data of a single object whose body is `text`.
local function data_of(text)
  local result = answered(reply(200, '{"data":' .. text .. "}"))
  assert.is_truthy(result.data, result.message)
  return result.data, result.err
end

local function refused(bytes, expected, kind, options)
  local result = answered(bytes, kind, options)
  wire.assert_error(wire.merged({ attempts = 1, retryable = false, outcome = "unknown" }, expected),
    result, bytes:sub(1, 40))
  return result
end

local function piped(command, input)
  local status, out, errors = process.run({ "sh", "-c", command }, { stdin = input })
  assert.equal(0, status, errors)
  return out
end

local function gzip(text)
  return piped("gzip -c", text)
end

local function encoded(coding, bytes, status)
  return reply(status or 200, bytes, { ["Content-Encoding"] = coding })
end

-- What a script prints that has a client of `url`, which takes bodies of 1 MiB unless it is told
-- otherwise, and kilobytes(name), a line of its own /proc/self/status.
local function in_child(url, script, limit)
  local path = process.temporary_file([[
    local url, limit = ...
    local client = require("polytomic").new { base_url = url, partner_key = "key-of-a-child",
      env = false, proxy = "", max_response_bytes = tonumber(limit) }
    local function kilobytes(wanted)
      for line in io.lines "/proc/self/status" do
        local name, number = line:match "^(%a+):%s*(%d+) kB"
        if name == wanted then return tonumber(number) end
      end
    end
  ]] .. script)
  local status, out, errors = process.run(
    { process.interpreter(), path, url, limit or MEGABYTE }, { env = process.environment() })
  assert.equal(0, status, errors)
  return out
end

describe("a compressed body", function()
  local TEXT = '{"data":[{"id":"1","name":"Acme"}]}'
  local packed, bomb

  setup(function()
    packed = gzip(TEXT)
    bomb = piped("head -c 3000000 /dev/zero | gzip -c")
  end)

  it("E1 is read, once or twice packed", function()
    assert.equal("Acme", answered(encoded("gzip", packed), LIST).data[1].name)
    assert.equal("Acme", answered(encoded("gzip, gzip", gzip(packed)), LIST).data[1].name)
  end)

  it("E1 that is a bomb is too large at the decoded limit, once or twice packed", function()
    local small = { client = { max_response_bytes = MEGABYTE } }
    refused(encoded("gzip", bomb), LARGE, LIST, small)
    refused(encoded("gzip, gzip", gzip(bomb)), LARGE, LIST, small)
    refused(encoded("gzip, gzip, gzip, gzip, gzip, gzip", packed), { kind = "protocol" }, LIST)
  end)

  it("E1 that is a bomb leaves memory flat", function()
    local large = piped("head -c 40000000 /dev/zero | gzip -c")
    local server = raw_server.start { script = { per = "request",
      { { send = reply(200, '{"data":[]}') } }, { { send = encoded("gzip", large) } } } }
    local out = in_child(server.url, [[
      client:list_orgs()
      local before = kilobytes "VmHWM"
      local _, _, err = client:list_orgs({}, { retries = 0 })
      print(err.kind, kilobytes "VmHWM" - before)
    ]])
    local growth = tonumber(out:match "^too_large\t(%d+)\n$")
    assert.is_truthy(growth, out)
    assert.is_true(growth < 16 * 1024, "it grew by " .. growth .. " kB")
    server:stop()
  end)

  row("E1 of the sandbox is too large, and retried by nobody", function(mode)
    local results = wire.play_sandbox({ fault = "gzip_bomb", bytes = 3 * MEGABYTE },
      { mode = mode, kinds = { LIST }, client = { max_response_bytes = MEGABYTE },
        call = { retries = 3 } })
    wire.assert_error(wire.merged(LARGE, { attempts = 1, retryable = false }), results.list, "list")
    assert.equal(1, #results.list.requests)
  end)

  it("E2 that is broken is a broken protocol", function()
    local middle = packed:sub(1, 15) .. ("X"):rep(10) .. packed:sub(26)
    local broken = {
      encoded("gzip", middle),
      encoded("gzip", packed:sub(1, -9) .. "XXXXXXXX"),
      encoded("gzip", packed .. "behind the end"),
      encoded("gzip", TEXT),
      encoded("deflate", TEXT),
      encoded("br", TEXT),
      encoded("unheard-of", TEXT),
    }
    for _, bytes in ipairs(broken) do refused(bytes, { kind = "protocol" }, LIST) end
  end)

  it("E2 that ends too early is a protocol error; a lost reply when the connection ends", function()
    refused(encoded("gzip", packed:sub(1, -14)), { kind = "protocol" }, LIST)
    local result = wire.play({ { "read", {
      send = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" .. packed:sub(1, -14) }, "fin" } },
      { mode = "blocking", kinds = { LIST }, call = { retries = 0 } }).list
    wire.assert_error({ kind = "network", outcome = "unknown", attempts = 1, retryable = true },
      result, "list")
  end)

  -- Some servers and proxies pack whatever they are asked for.
  it("E1 and E2 that nobody asked for is the same, whatever the method", function()
    local small = { client = { max_response_bytes = MEGABYTE } }
    local object = gzip '{"data":{"id":"1","name":"Acme"}}'
    for _, kind in ipairs(wire.kinds) do
      local result = answered(encoded("gzip", object), kind)
      assert.is_truthy(result.data, result.message)
      assert.is_nil(result.requests[1].headers["accept-encoding"])
      if kind.method ~= "DELETE" then assert.equal("Acme", result.data.name) end
      refused(encoded("gzip", bomb), LARGE, kind, small)
      refused(encoded("gzip", object:sub(1, -14)), { kind = "protocol" }, kind)
      refused(encoded("gzip", TEXT), { kind = "protocol" }, kind)
      result = refused(encoded("gzip", gzip '{"message":"taken"}', 422),
        { kind = "unprocessable", status = 422, outcome = "rejected" }, kind)
      assert.equal("taken", result.err.message)
    end
  end)

  it("E2 of an error leaves the error what it is", function()
    for _, bytes in ipairs { bomb, TEXT, packed:sub(1, -12), "garbage" } do
      local result = refused(encoded("gzip", bytes, 422), { kind = "unprocessable", status = 422,
        outcome = "rejected" }, LIST, { client = { max_response_bytes = MEGABYTE } })
      assert.equal("rejected", result.err.outcome)
    end
  end)
end)

describe("a large body", function()
  local limit = { client = { max_response_bytes = MEGABYTE } }

  row("E1 is too large whatever the method", function(mode)
    local bytes = reply(200, '{"data":{"id":"' .. ("x"):rep(MEGABYTE) .. '"}}')
    wire.final(mode, { "read", { send = bytes }, "fin" }, LARGE, limit)
    wire.final(mode,
      { "read", { send = raw_server.chunked_reply(200, ("x"):rep(MEGABYTE + 1), 65536) }, "fin" },
      LARGE, limit)
  end)

  row("E1 of the sandbox may have been carried out, once", function(mode)
    local results = wire.play_sandbox({ fault = "huge", bytes = 2 * MEGABYTE },
      { mode = mode, client = limit.client, call = { retries = 3 },
        kinds = wire.answered_with_body })
    for _, kind in ipairs(wire.answered_with_body) do
      wire.assert_error(wire.merged(LARGE, { attempts = 1, retryable = false }), results[kind.name],
        kind.name)
      assert.equal(1, #results[kind.name].requests, kind.name)
      assert.equal(kind.method == "GET" and 0 or 1, results[kind.name].committed, kind.name)
    end
  end)

  it("E1 of exactly max_response_bytes is taken", function()
    local text = '{"data":{"id":"' .. ("x"):rep(MEGABYTE - 18) .. '"}}'
    assert.equal(MEGABYTE, #text)
    assert.equal(MEGABYTE - 18, #answered(reply(200, text), nil, limit).data.id)
    refused(reply(200, text .. " "), LARGE, nil, limit)
  end)

  row("E4 of an error status leaves the error what it is", function(mode)
    local expected = { [404] = "not_found", [422] = "unprocessable", [501] = "server" }
    for status, kind in pairs(expected) do
      local outcome = status == 501 and {} or { outcome = "rejected" }
      wire.final(mode, { "read", { send = reply(status, ("x"):rep(3 * MEGABYTE)) }, "fin" },
        wire.merged({ kind = kind, status = status }, outcome), limit)
    end
  end)

  it("E1 takes no memory for a length that is only promised", function()
    local promise = "HTTP/1.1 200 OK\r\nContent-Length: 60000000\r\n\r\n" .. '{"data":[]'
    local server = raw_server.start { script = { per = "request",
      { { send = reply(200, '{"data":[]}') } }, { { send = promise }, "fin" } } }
    local out = in_child(server.url, [[
      client:list_orgs()
      local before = kilobytes "VmPeak"
      local _, _, err = client:list_orgs({}, { retries = 0 })
      print(err.kind, kilobytes "VmPeak" - before)
    ]], 64 * MEGABYTE)
    local growth = tonumber(out:match "^network\t(%d+)\n$")
    assert.is_true(growth < 8 * 1024, out)
    server:stop()
  end)

  -- With its collector stopped and started for each, Lua 5.3 and LuaJIT kept every one.
  it("E1 of whatever number of lists leaves memory flat once their results are dropped", function()
    local user = '{"id":"%06d","role":"user","role_ids":["0a0a0a0a"],"more":null}'
    local users = {}
    for number = 1, 10000 do users[number] = user:format(number) end
    local list = reply(200, '{"data":[' .. table.concat(users, ",") .. "]}")
    local server = raw_server.start { script = { per = "request", { { send = list } } } }
    local out = in_child(server.url, [[
      local function list()
        assert(#assert(client:list_orgs()) == 10000)
      end
      for _ = 1, 10 do list() end
      local before = kilobytes "VmRSS"
      for _ = 1, 30 do list() end
      print(kilobytes "VmRSS" - before)
    ]], 64 * MEGABYTE)
    assert.is_true(tonumber(out) < 24 * 1024, "it grew by " .. out .. " kB")
    server:stop()
  end)

  it("E6 with very many members is read, and one member twice is its last", function()
    local count = _VERSION == "Lua 5.4" and 1000000 or 100000 -- a million once will do
    local members = {}
    -- Short: LuaJIT hashes only some bytes of a long string
    for index = 1, count do members[index] = ('"%x":1'):format(index) end
    local data = data_of("{" .. table.concat(members, ",") .. "}")
    local sum = 0
    for _, value in pairs(data) do sum = sum + value end
    assert.equal(count, sum)
    assert.equal("last", data_of('{"name":"first","name":"last"}').name)
  end)

  it("E6 nested 100 000 deep is no JSON we read, nested 500 deep is", function()
    local function nested(depth)
      return '{"id":' .. ("["):rep(depth) .. ("]"):rep(depth) .. "}"
    end
    local value = data_of(nested(500)).id
    for _ = 1, 499 do value = value[1] end
    assert.same({}, value)
    for _, text in ipairs { nested(100000), '{"id":' .. ("["):rep(100000),
        '{"a":' .. ('{"a":'):rep(100000) } do
      refused(reply(200, '{"data":' .. text .. "}"), { kind = "bad_response", status = 200 })
    end
  end)
end)

describe("a body that is not the promised JSON", function()
  local bodies = {
    ["HTML"] = "<html><body>Welcome to the gateway</body></html>",
    ["nothing"] = "",
    ["null"] = "null",
    ["a list"] = "[]",
    ["a string"] = '"x"',
    ["a number"] = "1",
    ["two values"] = '{"data":{}}{"data":{}}',
    ["no envelope"] = '{"id":"1"}',
    ["an envelope of null"] = '{"data":null}',
    ["an envelope of a list"] = '{"data":[]}',
    ["a cut object of whole length"] = '{"data":{"id":"1"',
    ["a NUL behind it"] = '{"data":{}}\0',
    ["a single quote"] = "{'data':{}}",
  }
  for what, text in pairs(bodies) do
    row("E3 is a bad response, perhaps carried out, and not repeated: " .. what, function(mode)
      local kinds = {}
      for _, kind in ipairs(wire.kinds) do
        if kind.method ~= "DELETE" then kinds[#kinds + 1] = kind end  -- a DELETE promises no body
      end
      local results = wire.play({ { "read", { send = reply(200, text) }, "fin" } },
        { mode = mode, kinds = kinds, call = { retries = 3 } })
      for _, kind in ipairs(kinds) do
        local result = results[kind.name]
        wire.assert_error({ kind = "bad_response", status = 200, outcome = "unknown", attempts = 1,
          retryable = false }, result, kind.name)
        assert.equal(1, #result.requests, kind.name)
        assert.is_true(#result.message < 300)
      end
    end)
  end

  row("E3 of the sandbox was carried out, once", function(mode)
    for _, fault in ipairs {
      { fault = "bad_json" }, { fault = "wrong_type" }, { fault = "empty" },
    } do
      local results = wire.play_sandbox(fault, { mode = mode, kinds = {
        wire.kind["POST with a key"], wire.kind["POST without a key"] }, call = { retries = 3 } })
      for name, result in pairs(results) do
        assert.equal("unknown", result.err.outcome, name)
        assert.equal(1, result.committed, fault.fault .. " " .. name)
      end
    end
  end)

  it("E4 with an error status is that error", function()
    local texts = { "<html>Bad gateway</html>", "", '"only a string"', "[]",
      '{"message":{"deep":1}}', '{"error":7}', "{", "null", "1e999" }
    local statuses = { [400] = "api", [401] = "unauthorized", [403] = "forbidden",
      [404] = "not_found", [409] = "conflict", [422] = "unprocessable", [429] = "rate_limited",
      [501] = "server" }
    for status, kind in pairs(statuses) do
      for _, text in ipairs(texts) do
        local result =
          answered(reply(status, text), wire.kind["POST with a key"], { call = { retries = 0 } })
        assert.equal(kind, result.err.kind, status .. " " .. text)
        assert.equal(status, result.err.status)
        assert.matches("^create_org: " .. status .. " ", result.message)
      end
    end
  end)
end)

describe("a string", function()
  it("E5 with a NUL keeps it, with a byte order mark before the body it is read", function()
    assert.equal("a\0b", data_of('{"name":"a\\u0000b"}').name)
    assert.equal("Acme", answered(reply(200, '\239\187\191{"data":{"name":"Acme"}}')).data.name)
  end)

  it("E5 with invalid UTF-8 is as it came, and half a surrogate pair is U+FFFD", function()
    local unknown = "\239\191\189"
    for text, meant in pairs {
      ["\255\254"] = "\255\254", ["\192\175"] = "\192\175", ["\237\160\128"] = "\237\160\128",
      ["\\ud800"] = unknown, ["\\udc00\\ud800"] = unknown .. unknown, ["\\ud83d"] = unknown,
      ["\\ud83d\\ude00"] = "\240\159\152\128" } do
      assert.equal(meant, data_of('{"name":"' .. text .. '"}').name, text)
    end
  end)
end)

describe("a number", function()
  it("E7 that Lua can hold is kept to the last digit", function()
    local data =
      data_of('{"a":9007199254740993,"b":9223372036854775807,'
          .. '"c":-9223372036854775808,"d":0.1,"e":1e3,"f":-7}')
    assert.equal(0.1, data.d)
    assert.equal(1000, data.e)
    assert.equal(-7, data.f)
    local type_of = rawget(math, "type")
    if type_of then
      assert.equal("9007199254740993", tostring(data.a))
      assert.equal("9223372036854775807", tostring(data.b))
      assert.equal("-9223372036854775808", tostring(data.c))
      assert.equal("integer", type_of(data.e))
    else
      assert.equal(2 ^ 53, data.a)
      assert.equal(2 ^ 63, data.b)
    end
  end)

  it("E7 past 64 bits is the nearest float, -0 keeps its sign, 1e400 is not finite", function()
    assert.equal(18446744073709551616, data_of('{"a":18446744073709551616}').a)
    assert.equal(-math.huge, 1 / data_of('{"a":-0.0}').a)
    local result = answered(reply(200, '{"data":{"a":1e400}}'))
    assert.is_true(
      result.data == nil and result.err.kind == "bad_response" or result.data.a == math.huge
    )
  end)

  it("E7 that JSON does not know is no JSON", function()
    for _, text in ipairs { "NaN", "Infinity", "-Infinity", "nan", "0x10" } do
      refused(reply(200, '{"data":{"a":' .. text .. "}}"), { kind = "bad_response", status = 200 })
    end
  end)
end)

describe("a locale with a decimal comma", function()
  -- GTK and some game hosts set one.
  it("P changes neither what is read nor what is sent", function()
    local server = raw_server.start { script = { per = "request",
      { { send = reply(200, '{"data":{"a":10.25,"b":[10,20],"c":1e-3}}') } } } }
    assert.equal("41 30 4", locale.run([[
      local polytomic = require "polytomic"
      local client = polytomic.new { base_url = arg[1], partner_key = "key-of-a-child", env = false,
        proxy = "", timeout = 20.5 }
      local data = assert(client:request { method = "POST", path = "/api/x",
        query = { half = 0.5 }, body = { tenth = 0.1, list = { 1.5, 2 } } })
      io.write(string.format("%d %d %d", data.a * 4, data.b[1] + data.b[2], data.c * 4000))
    ]], server.url))
    local request = server:requests()[1]
    contains(request.target, "?half=0.5")
    contains(request.body, '"tenth":0.1')
    contains(request.body, '"list":[1.5,2]')
    server:stop()
  end)
end)

describe("what a body leaves open", function()
  it("E8 null is absent as a member, stays in an array; a list that is null is empty", function()
    local null = require("polytomic").null
    local data = data_of '{"a":null,"b":[1,null,3],"c":{},"d":[]}'
    assert.is_nil(data.a)
    assert.equal(null, data.b[2])
    assert.equal(3, data.b[3])
    assert.same({}, data.c)
    assert.same({}, data.d)
    assert.same({}, answered(reply(200, '{"data":null}'), LIST).data)
    assert.is_nil(data_of('{"id":"1"}').missing)
  end)

  it("E9 members and values nobody knows are kept", function()
    local data, response = data_of '{"id":"1","brand_new":{"deep":[true]},"role":"emperor"}'
    assert.is_true(data.brand_new.deep[1])
    assert.equal("emperor", data.role)
    assert.equal("1", response.body.data.id)
  end)
end)

describe("a request", function()
  it("E10 that cannot be JSON is invalid before a byte is sent", function()
    local cycle = {}
    cycle.cycle = cycle
    local server = raw_server.start()
    local client = wire.client(server.url)
    local bad = {
      cycle,
      { print },
      { [1] = "a", [3] = "b" },
      { 0 / 0 },
      { math.huge },
      { "\255" },
      { a = coroutine.create(function() end) },
      { [true] = 1 },
    }
    for index, value in ipairs(bad) do
      local data, _, err =
        client:create_connection { name = "Acme", type = "csv", configuration = { inner = value } }
      assert.is_nil(data, index)
      assert.equal("invalid", err.kind, index)
      assert.equal("unsent", err.outcome, index)
      assert.truthy(err.field:find "^configuration", index)
    end
    assert.equal(0, server:connections())
    client:close()
    server:stop()
  end)
end)
