-- The sandbox's faults, seen from the wire: what the client gets, what is committed, what a retry
-- gets.

local cjson = require("cjson").new()
local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local http = require "spec.support.http"
local process = require "spec.support.process"
local sandbox = require "polytomic.sandbox"

local emulator

local function control(method, path, text)
  local status, body = http.request(method, emulator.url .. "/_sandbox/" .. path, { body = text })
  return status, cjson.decode(body)
end

-- Arms one fault, on create_org unless it says otherwise.
local function arm(fault)
  fault.operation = fault.operation or "create_org"
  local status, body = control("POST", "faults", cjson.encode { fault })
  assert.equal(200, status, body.message)
end

local function requests()
  return select(2, control("GET", "requests")).requests
end

local function request_text(body, extra)
  return table.concat({ "POST /api/organizations HTTP/1.1", "Host: 127.0.0.1",
    "Authorization: Bearer " .. emulator.partner_key, "Idempotency-Key: key-00001",
    "Content-Length: " .. #body, extra or "Connection: close", "", body }, "\r\n")
end

local create_text

-- Creates an organization, always with the same key: everything the server sent, and why it ended.
local function create(timeout)
  return http.exchange(emulator.url, create_text, { timeout = timeout })
end

local function status_of(reply)
  return tonumber(reply:match("^HTTP/1.1 (%d%d%d) "))
end

local function body_of(reply)
  return reply:match("\r\n\r\n(.*)$")
end

local function announced(reply)
  return tonumber(reply:match("\r\nContent%-Length: (%d+)\r\n"))
end

-- The organizations besides the owner.
local function count()
  local headers = { Authorization = "Bearer " .. emulator.partner_key }
  local _, body = http.request("GET", emulator.url .. "/api/organizations", { headers = headers })
  return #cjson.decode(body).data - 1
end

-- A connection that stays open, for several requests.
local function connect()
  local connection = socket.connect("127.0.0.1", tonumber(emulator.url:match("%d+$")))
  connection:onerror(function(_, _, why) return why end)
  connection:settimeout(10)
  connection:setmode("b", "bn")
  return connection
end

-- Reads one reply with a Content-Length: status and body; nil at the end of the connection.
local function read_reply(connection)
  local line, length = connection:xread("*L"), nil
  if not line then return nil end
  local status = status_of(line)
  repeat
    line = connection:xread("*L")
    length = tonumber((line or ""):match("^Content%-Length: (%d+)")) or length
  until not line or line == "\r\n"
  return status, length > 0 and connection:xread(length) or ""
end

describe("a fault of the sandbox", function()
  setup(function()
    emulator = assert(sandbox.start())
    create_text = request_text('{"name":"Acme"}')
  end)
  teardown(function() assert(emulator:stop()) end)
  before_each(function() assert.equal(200, (control("POST", "reset"))) end)
  after_each(function()
    local _, state = control("GET", "faults")
    assert.equal(0, state.unconsumed)
  end)

  describe("of status", function()
    it("comes from a gateway: nothing is committed, nothing stored", function()
      arm { fault = "status", retry_after = 2, headers = { ["X-Gateway"] = "yes" } }
      local reply = create()
      assert.equal(503, status_of(reply))
      assert.matches("\r\nRetry%-After: 2\r\n", reply)
      assert.matches("\r\nX%-Gateway: yes\r\n", reply)
      assert.equal(0, count())
      assert.equal(200, status_of((create())))
    end)

    it("500 is the API's own: stored under the key and replayed", function()
      arm { fault = "status", status = 500 }
      assert.equal(500, status_of((create())))
      assert.equal(500, status_of((create())))
      assert.equal(0, count())
      assert.is_true(requests()[2].replayed)
    end)

    it("with commit carries the operation out, and a retry gets the true outcome", function()
      arm { fault = "status", status = 504, commit = true }
      assert.equal(504, status_of((create())))
      assert.equal(1, count())
      assert.equal(200, status_of((create())))
      assert.equal(1, count())
    end)

    it("500 with commit commits and stores the 500; store = false does not store it", function()
      arm { fault = "status", status = 500, commit = true }
      create()
      assert.equal(500, status_of((create())))
      assert.equal(1, count())
      control("POST", "reset")
      arm { fault = "status", status = 500, store = false }
      create()
      assert.equal(200, status_of((create())))
    end)

    it("with store = true is replayed, body included", function()
      arm { fault = "status", status = 418, store = true, body = "<html>" }
      create()
      local reply = create()
      assert.same({ 418, "<html>" }, { status_of(reply), body_of(reply) })
    end)
  end)

  it("reset_before resets without carrying the operation out, with fin it closes", function()
    for fin, why in pairs { [false] = "Connection reset by peer", [true] = "orderly" } do
      arm { fault = "reset_before", fin = fin }
      local reply, reason = create()
      assert.same({ "", why }, { reply, reason or "orderly" })
    end
    assert.equal(0, count())
    assert.equal(cjson.null, requests()[1].status)
  end)

  it("reset_after_commit resets after the commit, and a retry gets the stored outcome", function()
    arm { fault = "reset_after_commit" }
    local reply, reason = create()
    assert.same({ "", "Connection reset by peer" }, { reply, reason })
    assert.equal(1, count())
    assert.equal(200, status_of((create())))
    local seen = requests()
    assert.same({ true, false }, { seen[1].committed, seen[3].committed })
    assert.equal(1, count())
  end)

  it("latency keeps the key in progress: a duplicate gets 409", function()
    arm { fault = "latency", seconds = 0.6 }
    local first = connect()
    first:xwrite(create_text, "bn")
    repeat
      local seen = requests()
    until seen[1] and seen[1].fault == "latency"
    local duplicate = create()
    assert.equal(409, status_of(duplicate))
    assert.equal("idempotency_in_progress", cjson.decode(body_of(duplicate)).key)
    assert.equal(200, (read_reply(first)))
    first:close()
    assert.equal(1, count())
  end)

  it("of latency that a reset overtakes commits nothing", function()
    arm { fault = "latency", seconds = 0.3 }
    local first = connect()
    first:xwrite(create_text, "bn")
    repeat
      local seen = requests()
    until seen[1] and seen[1].fault == "latency"
    control("POST", "reset")
    assert.equal(503, (read_reply(first)))
    first:close()
    assert.equal(0, count())
  end)

  it("stall_headers sends nothing, stall_body nothing but headers, and both commit", function()
    arm { fault = "stall_headers" }
    local reply, reason = create(0.2)
    assert.same({ "", "Connection timed out" }, { reply, reason })
    assert.equal(1, count())
    control("POST", "reset")
    arm { fault = "stall_body" }
    reply, reason = create(0.2)
    assert.equal("Connection timed out", reason)
    assert.same({ 200, "" }, { status_of(reply), body_of(reply) })
    assert.is_true(announced(reply) > 0)
    assert.equal(1, count())
  end)

  it("stall_headers ends after its seconds, and with commit = false commits nothing", function()
    arm { fault = "stall_headers", seconds = 0.05, commit = false }
    local reply = create()
    assert.same({ 200, '{"data":{}}' }, { status_of(reply), body_of(reply) })
    assert.equal(0, count())
  end)

  it("drip sends the whole reply, in time", function()
    for _, headers in ipairs { false, true } do
      control("POST", "reset")
      arm { fault = "drip", interval = 0.002, headers = headers }
      local before = cqueues.monotime()
      local reply, reason = create()
      assert.is_nil(reason)
      assert.equal(announced(reply), #body_of(reply))
      local bytes = headers and #reply or #body_of(reply)
      assert.is_true(cqueues.monotime() - before >= bytes * 0.002)
    end
  end)

  it("truncate closes in the middle of the body, in each framing", function()
    arm { fault = "truncate" }
    local reply, reason = create()
    assert.is_nil(reason)
    assert.is_true(#body_of(reply) > 0 and #body_of(reply) < announced(reply))
    assert.equal(1, count())
    control("POST", "reset")
    arm { fault = "truncate", chunked = true }
    reply = create()
    local size, chunk = body_of(reply):match("^(%x+)\r\n(.*)$")
    assert.is_true(#chunk < tonumber(size, 16))
    control("POST", "reset")
    arm { fault = "truncate", no_length = true }
    reply = create()
    assert.is_nil(announced(reply))
    assert.is_false((pcall(cjson.decode, body_of(reply))))
  end)

  it("garbage sends random bytes, or the ones asked for", function()
    arm { fault = "garbage", bytes = 100 }
    assert.equal(100, #create())
    arm { fault = "garbage", raw = "HTTP/1.1 99 Nonsense\r\n\r\n" }
    assert.equal("HTTP/1.1 99 Nonsense\r\n\r\n", (create()))
  end)

  it("empty, bad_json and wrong_type answer 200 with the wrong body, after committing", function()
    for _, case in ipairs {
      { { fault = "empty" }, "" },
      { { fault = "bad_json" }, '{"data":{"id":' },
      { { fault = "bad_json", body = "<html>" }, "<html>" },
      { { fault = "wrong_type" }, '{"data":"x"}' },
      { { fault = "wrong_type", body = { data = 3 } }, '{"data":3}' },
      { { fault = "wrong_type", body = "[]" }, "[]" },
    } do
      control("POST", "reset")
      arm(case[1])
      local reply = create()
      assert.same({ 200, case[2] }, { status_of(reply), body_of(reply) })
      assert.equal(1, count())
      assert.equal("Acme", cjson.decode(body_of((create()))).data.name)
    end
  end)

  it("huge sends as many bytes of JSON as asked for", function()
    arm { fault = "huge", bytes = 200001 }
    local reply = create()
    assert.equal(200001, #body_of(reply))
    assert.equal(200001 - 11, #cjson.decode(body_of(reply)).data)
  end)

  it("gzip_bomb sends little that inflates to much", function()
    arm { fault = "gzip_bomb", bytes = 1000000 }
    local reply = create()
    assert.matches("\r\nContent%-Encoding: gzip\r\n", reply)
    assert.is_true(#body_of(reply) < 10000)
    local _, inflated = process.run({ "gzip", "-dc" }, { stdin = body_of(reply) })
    assert.equal('{"data":"' .. ("a"):rep(1000000 - 11) .. '"}', inflated)
  end)

  it("redirect answers 302 without carrying the operation out", function()
    arm { fault = "redirect", status = 307, location = "http://other.example/" }
    local reply = create()
    assert.equal(307, status_of(reply))
    assert.matches("\r\nLocation: http://other.example/\r\n", reply)
    assert.equal(0, count())
  end)

  it("close_idle answers, and closes without having said so", function()
    arm { fault = "close_idle" }
    local connection = connect()
    connection:xwrite(request_text('{"name":"Acme"}', "X: y"), "bn")
    assert.equal(200, (read_reply(connection)))
    assert.is_nil((connection:xread(1)))
    connection:close()
  end)

  it("lets `after` requests pass and takes `times`", function()
    arm { operation = "*", fault = "status", after = 1, times = 2 }
    local seen = {}
    for i = 1, 4 do seen[i] = status_of((create())) end
    assert.same({ 200, 503, 503, 200 }, seen)
  end)

  it("gives way to an earlier one, and keeps to its operation", function()
    arm { operation = "list_orgs", fault = "status", status = 400 }
    arm { fault = "status", status = 502 }
    arm { fault = "status", status = 504 }
    assert.same({ 502, 504, 200 },
      { status_of((create())), status_of((create())), status_of((create())) })
    local _, state = control("GET", "faults")
    assert.same({ 1, 1, 0 },
      { state.unconsumed, state.faults[1].remaining, state.faults[2].remaining })
    assert.is_false((pcall(count)))
  end)

  it("is refused, with a reason, when it is not what the sandbox knows", function()
    for text, reason in pairs {
      ['[{"operation":"*","fault":"flood"}]'] = "unknown fault: flood",
      ['[{"operation":"fly","fault":"empty"}]'] = "unknown operation: fly",
      ['[{"operation":"*","fault":"empty","size":1}]'] = "empty: unknown member size",
      ['[{"operation":"*","fault":"status","status":"x"}]'] =
        "status: status must be a status from 200 to 999",
      ['[{"operation":"*","fault":"empty","times":0}]'] = "empty: times must be at least 1",
      ['[{"operation":"*","fault":"reset_before","commit":true}]'] =
        "reset_before: commit cannot be true",
      ['[{"operation":"*","fault":"empty"},3]'] = "a fault must be an object",
      ['{"operation":"*"}'] = "the body must be an array of faults",
    } do
      local status, body = control("POST", "faults", text)
      assert.same({ 422, reason }, { status, body.message })
    end
    assert.equal(400, (control("POST", "faults", "[")))
    assert.same({}, select(2, control("GET", "faults")).faults)
  end)

  it("can be taken back", function()
    arm { fault = "empty" }
    assert.equal(200, (control("DELETE", "faults")))
    assert.same({}, select(2, control("GET", "faults")).faults)
  end)
end)

describe("the sandbox under load", function()
  setup(function() emulator = assert(sandbox.start()) end)
  teardown(function() assert(emulator:stop()) end)
  before_each(function() control("POST", "reset") end)

  local function create_many(connection, from, to)
    for i = from, to do
      local body = '{"name":"Organization ' .. i .. '"}'
      connection:xwrite((request_text(body, "X: y"):gsub("key%-00001", "key-" .. 10000 + i)), "bn")
      assert.equal(200, (read_reply(connection)))
    end
  end

  it("serves 100 connections at once, each kept alive", function()
    local controller = cqueues.new()
    for c = 1, 100 do
      controller:wrap(function()
        local connection = connect()
        create_many(connection, c * 10 - 9, c * 10)
        connection:close()
      end)
    end
    assert(controller:loop(30))
    assert.equal(1000, count())
    local connections, different = {}, 0
    for _, request in ipairs(requests()) do
      if request.operation == "create_org" and not connections[request.connection] then
        connections[request.connection], different = true, different + 1
      end
    end
    assert.equal(100, different)
  end)

  it("survives clients that leave in the middle of a request", function()
    local text = request_text('{"name":"Acme"}')
    for size = 1, #text - 1, 7 do
      local connection = connect()
      connection:xwrite(text:sub(1, size), "bn")
      connection:close()
    end
    assert.equal(0, count())
  end)

  it("answers 400 to what is not HTTP", function()
    for _, text in ipairs { "nonsense\r\n\r\n", "GET / HTTP/1.1\r\nbroken\r\n\r\n",
      "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n" } do
      assert.equal(400, status_of((http.exchange(emulator.url, text))))
    end
  end)

  it("reads a chunked body and pipelined requests", function()
    local connection = connect()
    local body = '{"name":"Acme"}'
    local chunked = request_text("", "Transfer-Encoding: chunked"):gsub("Content%-Length: 0\r\n",
      "")
      .. "5\r\n" .. body:sub(1, 5) .. "\r\na\r\n" .. body:sub(6) .. "\r\n0\r\n\r\n"
    connection:xwrite(chunked .. request_text(body, "X: y"), "bn")
    local first, first_body = read_reply(connection)
    local second, second_body = read_reply(connection)
    connection:close()
    assert.same({ 200, 200 }, { first, second })
    assert.equal(first_body, second_body)
  end)

  it("stops within a second with connections open and stalled", function()
    local one = assert(sandbox.start())
    local shared = emulator
    emulator = one
    arm { fault = "stall_headers", times = 20 }
    local open = {}
    for i = 1, 20 do
      open[i] = connect()
      open[i]:xwrite(
        request_text('{"name":"Acme ' .. i .. '"}'):gsub("key%-00001", "key-" .. 10000 + i),
        "bn"
      )
    end
    repeat
      local _, state = control("GET", "faults")
    until state.unconsumed == 0
    emulator = shared
    local before = cqueues.monotime()
    assert.is_true(one:stop())
    assert.is_true(cqueues.monotime() - before < 1)
    for _, connection in ipairs(open) do connection:close() end
  end)
end)
