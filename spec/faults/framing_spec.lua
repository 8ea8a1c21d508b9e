-- Faults C1 to C8: replies that are not the HTTP they should be.
-- Takes: 12 s

local wire = require "spec.support.wire"

local BODY = '{"data":{"id":"1"}}'
local STATUS = "HTTP/1.1 200 OK\r\n"
local LOST = { kind = "network" }
local BROKEN = { kind = "protocol", outcome = "unknown" }

local function row(title, body) wire.each_mode(it, title, body) end

-- Steps that answer a request with these bytes and a FIN.
local function answer(bytes)
  return { "read", { send = bytes }, "fin" }
end

local function with_headers(lines, body)
  return STATUS .. "Content-Type: application/json\r\n" .. lines .. "\r\n" .. (body or BODY)
end

local function with_length(lines)
  return with_headers(lines .. "Content-Length: " .. #BODY .. "\r\n")
end

local function chunked(bytes)
  return with_headers("Transfer-Encoding: chunked\r\n", bytes)
end

local function repeated_headers(count)
  local lines = {}
  for index = 1, count do lines[index] = ("X-%d: v\r\n"):format(index) end
  return table.concat(lines)
end

describe("a body cut short", function()
  row("C1 is a lost reply when it is shorter than its Content-Length", function(mode)
    wire.lost_reply(mode, answer(with_headers("Content-Length: 100\r\n")), LOST)
  end)

  row("C1 is committed at most once", function(mode)
    wire.lost_in_sandbox(mode, { fault = "truncate" }, true, LOST)
  end)

  row("C1 leaves an error status what it is", function(mode)
    local reply = "HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 100\r\n\r\n{"
    wire.final(mode, answer(reply), { kind = "unprocessable", status = 422, outcome = "rejected" })
  end)

  row("C2 is a lost reply when it ends in the middle of the JSON without a length", function(mode)
    wire.lost_reply(mode, answer(with_headers("", '{"data":{"id":"1')), LOST)
  end)

  row("C2 is a lost reply by RST as by FIN", function(mode)
    wire.once(mode,
      { "read", { send = with_headers("", '{"data":{"id":"1') }, { sleep = 0.02 }, "rst" }, LOST)
  end)

  row("C2 is committed at most once", function(mode)
    wire.lost_in_sandbox(mode, { fault = "truncate", no_length = true }, true, LOST,
      { kinds = wire.answered_with_body })
  end)

  row("C2 is taken when the JSON is whole", function(mode)
    wire.taken(mode, with_headers(""))
  end)

  row("C3 is a lost reply when the chunks break off", function(mode)
    wire.lost_reply(mode, answer(chunked(("%x\r\n%s\r\n"):format(#BODY, BODY))), LOST)
  end)

  row("C3 is committed at most once", function(mode)
    wire.lost_in_sandbox(mode, { fault = "truncate", chunked = true }, true, LOST)
  end)
end)

describe("broken chunks", function()
  local broken = {
    ["a size that is not hexadecimal"] = "zz\r\n" .. BODY .. "\r\n0\r\n\r\n",
    ["a negative size"] = "-1\r\n" .. BODY .. "\r\n0\r\n\r\n",
    ["a size past 64 bits"] = "fffffffffffffffff\r\n" .. BODY .. "\r\n0\r\n\r\n",
    ["a size past the body"] = "7fffffffffffffff\r\n" .. BODY,
    ["no CR LF behind the data"] = ("%x\r\n%s0\r\n\r\n"):format(#BODY, BODY),
    ["no chunk at all"] = "",
  }
  for what, bytes in pairs(broken) do
    row("C3 are a lost reply: " .. what, function(mode)
      wire.once(mode, answer(chunked(bytes)), LOST)
    end)
  end

  row("C3 with bare line feeds are read as libcurl reads them", function(mode)
    wire.taken(mode, chunked(("%x\n%s\n0\n\n"):format(#BODY, BODY)))
  end)
end)

describe("a Content-Length", function()
  local bad = {
    ["two that differ"] = "Content-Length: 19\r\nContent-Length: 10\r\n",
    ["a list of two that differ"] = "Content-Length: 19, 10\r\n",
    ["a negative one"] = "Content-Length: -5\r\n",
    ["a word"] = "Content-Length: abc\r\n",
    ["digits and a word"] = "Content-Length: 19abc\r\n",
    ["an empty one"] = "Content-Length:\r\n",
    ["one past 64 bits"] = "Content-Length: 99999999999999999999999\r\n",
  }
  for what, lines in pairs(bad) do
    row("C4 is a broken protocol: " .. what, function(mode)
      wire.final(mode, answer(with_headers(lines)), BROKEN)
    end)
  end

  row("C4 is taken when it is given twice and the same", function(mode)
    wire.taken(mode, with_length(("Content-Length: %d\r\n"):format(#BODY)))
  end)

  row("C4 yields to chunks", function(mode)
    wire.taken(mode, with_headers("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      ("%x\r\n%s\r\n0\r\n\r\n"):format(#BODY, BODY)))
  end)

  it("C4 that is doubtful ends the connection: no rest of one reply becomes another", function()
    local split = with_headers("Content-Length: 19\r\nContent-Length: 2\r\n")
    local results =
      wire.play({ { "read", { send = split }, "read", { send = with_length("X-Late: yes\r\n") } },
      { "read", { send = with_length("X-Fresh: yes\r\n") }, "again" } },
      { mode = "blocking", call = { retries = 0 }, kinds = { wire.kind.PUT } })
    local first = results.PUT
    assert.equal("protocol", first.err.kind)
    assert.equal(1, first.connections)
    local client = wire.client(first.server.url)
    local _, _, response = client:get_org { id = wire.ID }
    assert.equal("yes", response.headers["x-fresh"])
    client:close()
  end)
end)

describe("a status line", function()
  local bad = {
    ["garbage"] = "garbage\r\n\r\n",
    ["the body alone, as in HTTP/0.9"] = BODY,
    ["status 99"] = "HTTP/1.1 99 Low\r\nContent-Length: 2\r\n\r\n{}",
    ["status 099"] = "HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\n{}",
    ["status 000"] = "HTTP/1.1 000 None\r\nContent-Length: 2\r\n\r\n{}",
    ["status 600"] = "HTTP/1.1 600 High\r\nContent-Length: 2\r\n\r\n{}",
    ["status 1000"] = "HTTP/1.1 1000 High\r\nContent-Length: 2\r\n\r\n{}",
    ["a status in words"] = "HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n{}",
    ["no status"] = "HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    ["HTTP/3.7"] = "HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ["a switch to another protocol"] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n"
      .. BODY,
  }
  for what, bytes in pairs(bad) do
    row("C5 is a broken protocol: " .. what, function(mode)
      wire.final(mode, answer(bytes), BROKEN)
    end)
  end

  row("C5 in garbage is final though the request was carried out", function(mode)
    local results = wire.play_sandbox({ fault = "garbage" },
      { mode = mode, call = { retries = 3 } })
    for _, kind in ipairs(wire.kinds) do
      wire.assert_error({ kind = "protocol", outcome = "unknown", attempts = 1, retryable = false },
        results[kind.name], kind.name)
      assert.equal(1, #results[kind.name].requests)
      assert.equal(kind.method == "GET" and 0 or 1, results[kind.name].committed)
    end
  end)

  row("C5 of HTTP/1.0, or after an interim reply, is taken", function(mode)
    wire.taken(mode, "HTTP/1.0 200 OK\r\n\r\n" .. BODY)
    wire.taken(mode, "HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n" .. with_length(""),
      function(_, response, name)
      assert.is_nil(response.headers["x-early"], name)
    end)
  end)

  row("C5 cut short, or an interim reply and nothing after it, is a lost reply", function(mode)
    wire.once(mode, answer("HTTP/1.1 20"), LOST)
    wire.once(mode, answer("HTTP/1.1 100 Continue\r\n\r\n"), LOST)
  end)
end)

describe("a header", function()
  row("C6 with a NUL, or a line without a colon, is a broken protocol", function(mode)
    wire.final(mode, answer(with_length("X-Nul: a\0b\r\n")), BROKEN)
    wire.final(mode, answer(with_length("no colon\r\n")), BROKEN)
  end)

  row("C6 that continues a header that is not there is a broken protocol", function(mode)
    wire.final(mode, answer(STATUS .. "  folded: yes\r\nContent-Length: 19\r\n\r\n" .. BODY),
      BROKEN)
  end)

  row("C6 without a name is left out, without a value is empty, folded is one", function(mode)
    wire.taken(mode, with_length(": nameless\r\nX-Empty:\r\nX-Folded: one\r\n  two\r\n"),
      function(_, response, name)
      assert.is_nil(response.headers[""], name)
      assert.equal("", response.headers["x-empty"], name)
      assert.matches("^one +two$", response.headers["x-folded"], name)
    end)
  end)

  row("C6 that is folded or holds controls breaks no line of a log", function(mode)
    local lines = "X-Request-Id: a\r\n\tb\27[31m\r\nDeprecation: soon\r\n now\7\r\n"
    wire.taken(mode, with_length(lines), function(_, response, name)
      assert.matches("^a +b %[31m$", response.request_id, name)
      assert.equal(response.request_id, response.headers["x-request-id"], name)
      assert.matches("^soon +now $", response.headers.deprecation, name)
    end)
  end)

  row("C6 that comes after the body as HTTP/1.1 replaces none that came before", function(mode)
    wire.taken(mode, STATUS .. "X-Request-Id: true\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. ("%x\r\n%s\r\n0\r\n"):format(#BODY, BODY)
      .. "HTTP/1.1 500 Oops: 1\r\nX-Request-Id: false\r\n\r\n", function(_, response, name)
      assert.equal("true", response.request_id, name)
      assert.equal(200, response.status, name)
    end)
  end)

  row("C6 ended by a bare line feed is taken", function(mode)
    wire.taken(mode, "HTTP/1.1 200 OK\nX-Bare: yes\nContent-Length: 19\n\n" .. BODY,
      function(_, response, name)
      assert.equal("yes", response.headers["x-bare"], name)
    end)
  end)

  row("C6 cut short with the connection is a lost reply", function(mode)
    wire.lost_reply(mode, answer(STATUS .. "X-Cut: sho"), LOST)
  end)

  row("C7 of 400 KB, or among 10 000, is too large", function(mode)
    local large = { kind = "too_large", outcome = "unknown" }
    wire.final(mode, answer(with_length("X-Large: " .. ("a"):rep(400 * 1024) .. "\r\n")), large)
    wire.final(mode, answer(with_length(repeated_headers(10000))), large)
  end)

  row("C7 of 90 KB, or among 4 000, is taken", function(mode)
    wire.taken(mode, with_length("X-Large: " .. ("a"):rep(90 * 1024) .. "\r\n"))
    wire.taken(mode, with_length(repeated_headers(4000)), function(_, response, name)
      assert.equal("v", response.headers["x-4000"], name)
    end)
  end)
end)

describe("an odd reply", function()
  row("C8 204 with a body is a success without one", function(mode)
    wire.taken(mode, "HTTP/1.1 204 No Content\r\nContent-Length: 19\r\n\r\n" .. BODY,
      function(data, response, name)
      assert.is_true(data, name)
      assert.equal(204, response.status, name)
    end)
  end)

  row("C8 with a length and no body, as to HEAD, is a lost reply", function(mode)
    wire.once(mode, answer(STATUS .. "Content-Length: 19\r\n\r\n"), LOST)
  end)

  row("C8 304 is a redirect that is not followed", function(mode)
    wire.final(mode, answer("HTTP/1.1 304 Not Modified\r\n\r\n"),
      { kind = "redirect", status = 304, outcome = "rejected" })
  end)

  row("C8 of no byte is a lost reply", function(mode)
    wire.lost_reply(mode, { "read", "fin" }, LOST)
  end)

  row("C8 of no byte is committed at most once", function(mode)
    wire.lost_in_sandbox(mode, { fault = "reset_after_commit", fin = true }, true, LOST)
  end)

  row("C8 of random bytes is a broken protocol", function(mode)
    wire.final(mode, answer("\1\2\3\255\254\0\7 and so on"), BROKEN)
  end)

  -- What follows a reply on its connection was never asked for.
  for _, mode in ipairs(wire.modes) do
    it("C8 with one nobody asked for is not the reply to the next call (" .. mode .. ")", function()
      local script = {
        { "read", { send = with_length("X-Reply: first\r\n")
            .. with_length("X-Reply: forged\r\n") }, "read",
          { send = with_length("X-Reply: second\r\n") }, "stall" },
        { "read", { send = with_length("X-Reply: second\r\n") }, "again" },
      }
      local results = wire.play(script, { mode = mode, before = 1 })
      for _, kind in ipairs(wire.kinds) do
        assert.equal("second", results[kind.name].err.headers["x-reply"], kind.name)
      end
    end)
  end
end)
