-- Faults B1 to B8: connections that are used again, and what must never be sent twice.
-- Takes: 24 s

local certificates = require "spec.support.certificates"
local raw_server = require "spec.support.raw_server"
local wire = require "spec.support.wire"

local OK = raw_server.reply(200, { data = {} })
local ANSWER = { "read", { send = OK }, "again" }
local LOST = { kind = "network" }

local function row(title, body) wire.each_mode(it, title, body) end

local function marked(mark)
  return raw_server.reply(200, { data = {} }, { ["X-Mark"] = mark })
end

describe("a connection that is used again", function()
  for number, ending in ipairs { "fin", "rst" } do
    row(
      ("B%d and ends by %s before the reply has lost it: libcurl does not repeat by itself"):format(
        number, ending:upper()), function(mode)
      local fault = { "read", { send = OK }, "read", ending }
      local options = { before = 1, again = ANSWER }
      wire.lost_reply(mode, fault, LOST, options)
      local results =
        wire.play({ fault, ANSWER }, { mode = mode, before = 1, call = { retries = 0 } })
      for _, kind in ipairs(wire.kinds) do
        assert.is_true(results[kind.name].err.timeline[1].reused, kind.name)
      end
    end)

    row(("B%d and ends by %s after the request was carried out commits once"):format(number,
      ending:upper()), function(mode)
        wire.lost_in_sandbox(mode, { fault = "reset_after_commit", fin = ending == "fin" }, true,
          LOST, { warm = true })
      end)
  end

  -- How a connection ends, or is spoilt, between two calls.
  local STRAY =
    { send = raw_server.reply(200, { data = { name = "stray" } }, { ["X-Mark"] = "stray" }) }
  local idle = {
    ["was closed"] = { "close" },
    ["was reset"] = { "rst" },
    ["was told that it waited too long, and closed"] = {
      { send = raw_server.reply(408, "", { Connection = "close" }) }, "close" },
    ["holds a reply that nobody asked for"] = { STRAY, "stall" },
    ["holds half a reply that nobody asked for, and was reset"] = {
      { send = STRAY.send:sub(1, 40) }, "rst" },
  }
  local SERVERS = { [""] = false, [", with TLS"] = certificates.good }

  for what, ending in pairs(idle) do
    for how, tls in pairs(SERVERS) do
      row("B3 but " .. what .. " while idle is replaced before sending" .. how, function(mode)
        local script = { "read", { send = OK }, { wait = "idle" } }
        for _, step in ipairs(ending) do script[#script + 1] = step end
        local jobs, servers = {}, {}
        for index, kind in ipairs(wire.kinds) do
          local server = raw_server.start { tls = tls or nil, script = { script, ANSWER } }
          local client = wire.client(server.url, tls and { ca_file = certificates.ca } or nil, mode)
          servers[index] = server
          jobs[index] = { client = client, run = function()
            assert(client:get_org { id = wire.ID })
            server:release "idle"
            assert.is_true(server:await("quiet", 1))
            for _ = 1, 2 do
              local result = wire.call(client, kind, { retries = 0 })
              assert.is_truthy(result.data, result.message)
              assert.is_nil(result.err.headers["x-mark"])
              assert.equal(1, result.err.attempts)
            end
            client:close()
          end }
        end
        wire.run(mode, jobs)
        for _, server in ipairs(servers) do
          assert.equal(3, #server:requests())
          assert.equal(2, server:connections())
          server:stop()
        end
      end)
    end
  end

  -- The sandbox closes the connection once it has answered.
  row("B3 but was closed by the sandbox costs no attempt", function(mode)
    local results = wire.play_sandbox({ fault = "close_idle", seconds = 0 },
      { mode = mode, call = { retries = 0 }, afterwards = true })
    for _, kind in ipairs(wire.kinds) do
      assert.is_truthy(results[kind.name].data, results[kind.name].message)
      assert.equal(1, #results[kind.name].requests, kind.name)
      assert.equal(1, results[kind.name].afterwards.attempts, kind.name)
    end
  end)
end)

describe("a request", function()
  -- GET and DELETE have no body that could be interrupted.
  local writers = {}
  for _, kind in ipairs(wire.kinds) do
    if kind.method == "POST" or kind.method == "PUT" then
      local arguments = wire.merged(kind.arguments)
      local long = ("x"):rep(3 * 1024 * 1024)
      if kind.operation == "create_user" then
        arguments.email = long .. "@acme.example"
      else
        arguments.name = long
      end
      writers[#writers + 1] = wire.merged(kind, { arguments = arguments })
    end
  end

  row("B4 reset while its body is sent may be done, and repeats with the same key", function(mode)
    local fault = { { read = 1000 }, "rst" }
    local options = { mode = mode, kinds = writers, call = { retries = 0 } }
    for name, result in pairs(wire.play({ fault }, options)) do
      wire.assert_error({ kind = "network", outcome = "unknown", attempts = 1,
        retryable = wire.kind[name].repeats }, result, name)
      assert.equal(1, #result.requests, name)
    end
    options.call = { retries = 1 }
    for name, result in pairs(wire.play({ fault, ANSWER }, options)) do
      assert.equal(wire.kind[name].repeats, result.data ~= nil, name)
      assert.equal(wire.kind[name].repeats and 2 or 1, #result.requests, name)
      local first, second = result.requests[1], result.requests[2]
      if second then
        assert.equal(first.head, second.head, name)
        assert.equal(first.body, second.body:sub(1, #first.body), name)
        assert.is_true(second.complete)
      end
    end
  end)
end)

describe("a reply that comes late", function()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)

  before_each(function()
    server:reset {
      { "read", { wait = "late" }, { send = marked "late" }, "stall" },
      { "read", { send = marked "fresh" }, "again" },
    }
  end)

  -- Calls again, before and after the late reply has arrived: neither call gets it.
  local function assert_fresh(client)
    for _ = 1, 2 do
      local _, _, response = client:get_org { id = wire.ID }
      assert.equal("fresh", response.headers["x-mark"])
      server:release "late"
    end
    assert.equal(3, #server:requests())
    assert.equal(2, server:connections())
  end

  row("B5 to a call that timed out is nobody's", function(mode)
    local client = wire.client(server.url, nil, mode)
    wire.run(mode, { { client = client, run = function()
      local _, _, err = client:get_org({ id = wire.ID }, { attempt_timeout = 0.4, retries = 0 })
      assert.equal("timeout", err.kind)
      assert_fresh(client)
    end } })
    client:close()
  end)

  it("B5 to a call that was cancelled is nobody's", function()
    local client = wire.client(server.url)
    local call = client:start("get_org", { id = wire.ID })
    while #server:requests() == 0 do client:step(0.05) end
    call:cancel()
    assert_fresh(client)
    client:close()
  end)
end)

describe("two organizations on one client", function()
  local BASIC = {
    ["11111111-1111-4111-8111-111111111111"] =
      "MTExMTExMTEtMTExMS00MTExLTgxMTEtMTExMTExMTExMTExOndpcmUtcGFydG5lci1rZXk=",
    ["22222222-2222-4222-8222-222222222222"] =
      "MjIyMjIyMjItMjIyMi00MjIyLTgyMjItMjIyMjIyMjIyMjIyOndpcmUtcGFydG5lci1rZXk=",
  }

  row("B6 each send their own credential, call by call", function(mode)
    local server = raw_server.start { script = { ANSWER } }
    local client = wire.client(server.url, nil, mode)
    local jobs = {}
    for organization in pairs(BASIC) do
      local scoped = client:as_org(organization)
      jobs[#jobs + 1] = { client = scoped, run = function()
        for round = 1, 3 do
          assert(scoped:create_current_org_user({ email = organization .. "@acme.com" }))
          assert(client:create_org { name = organization .. " " .. round })
        end
      end }
    end
    wire.run(mode, jobs)
    local requests = server:requests()
    assert.equal(12, #requests)
    for _, request in ipairs(requests) do
      local organization = request.body:match "%x+%-%x+%-%x+%-%x+%-%x+"
      local expected = request.target:find "users" and "Basic " .. BASIC[organization]
        or "Bearer wire-partner-key"
      assert.equal(expected, request.headers.authorization)
    end
    client:close()
    server:stop()
  end)
end)

describe("HTTP/2", function()
  local DATA, HEADERS, RST_STREAM, GOAWAY = 0, 1, 3, 7
  local frame = require("spec.support.raw_http2").frame

  local STATUS_200 = "\136"  -- RFC 7541, appendix A, index 8
  local answered = {
    "h2_head",
    "h2_body",
    { send = frame(HEADERS, 4, 1, STATUS_200) .. frame(DATA, 1, 1, '{"data":{}}') },
    "stall",
  }
  local refusals = {
    ["RST_STREAM with REFUSED_STREAM"] = { "h2_head",
      { send = frame(RST_STREAM, 0, 1, "\0\0\0\7") }, "stall" },
    ["GOAWAY that leaves it out"] = { "h2_head", { send = frame(GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0") },
      "fin" },
  }
  local server

  setup(function()
    local files = certificates.good
    server = raw_server.start {
      tls = { certificate = files.certificate, key = files.key, alpn = "h2" },
      script = { answered },
    }
  end)
  teardown(function() server:stop() end)

  local function call(mode, kind, retries)
    local client = wire.client(server.url, { ca_file = certificates.ca, http_version = "2" }, mode)
    local result
    wire.run(
      mode,
      {
        {
          client = client,
          run = function() result = wire.call(client, kind, { retries = retries }) end,
        },
      }
    )
    client:close()
    return result
  end

  for what, refused in pairs(refusals) do
    row("B7 refused by " .. what .. " was not sent, and is sent again", function(mode)
      for _, kind in ipairs(wire.kinds) do
        server:reset { refused }
        wire.assert_error({ kind = "network", outcome = "unsent", attempts = 1, retryable = true },
          call(mode, kind, 0), kind.name)
        assert.equal(1, #server:requests(), kind.name)
      end
      for _, name in ipairs { "GET", "POST with a key", "POST without a key" } do
        server:reset { refused, answered }
        local result = call(mode, wire.kind[name], 1)
        assert.is_truthy(result.data, result.message)
        assert.equal(2, result.err.attempts)
        assert.equal(2, #server:requests(), name)
      end
    end)
  end

  local doubts = {
    ["GOAWAY that takes it in"] = { "h2_head", { send = frame(GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0") },
      "fin" },
    ["RST_STREAM with INTERNAL_ERROR"] = { "h2_head",
      { send = frame(RST_STREAM, 0, 1, "\0\0\0\2") }, "stall" },
    ["a FIN"] = { "h2_head", "fin" },
  }
  for what, lost in pairs(doubts) do
    row("B7 ended by " .. what .. " is a lost reply", function(mode)
      for _, kind in ipairs(wire.kinds) do
        server:reset { lost }
        wire.assert_error(
          { kind = "network", outcome = "unknown", attempts = 1, retryable = kind.repeats },
          call(mode, kind, 0),
          kind.name
        )
        assert.equal(1, #server:requests(), kind.name)
      end
      server:reset { lost, answered }
      local final = call(mode, wire.kind["POST without a key"], 3)
      wire.assert_error({ kind = "network", outcome = "unknown", attempts = 1 }, final,
        "POST without a key")
      assert.equal(1, #server:requests())
    end)
  end
end)

describe("retries = 0", function()
  local function cut(lines, body)
    return { "read", { send = "HTTP/1.1 200 OK\r\n" .. lines .. "\r\n" .. body }, "fin" }
  end

  -- Every way a request can go wrong once it is on the wire; `warm` on a connection that was used
  -- before.
  local faults = {
    ["FIN"] = { "read", "fin" },
    ["RST"] = { "read", "rst" },
    ["close"] = { "read", "close" },
    ["FIN on a warm connection"] = { warm = true, "read", "fin" },
    ["RST on a warm connection"] = { warm = true, "read", "rst" },
    ["close on a warm connection"] = { warm = true, "read", "close" },
    ["RST in the status line on a warm connection"] = { warm = true, "read", { send = "HTTP/1." },
      { sleep = 0.02 }, "rst" },
    ["stall"] = { "read", "stall" },
    ["stall in the headers"] = { "read", { send = "HTTP/1.1 200 OK\r\nX-A: b" }, "stall" },
    ["stall in the body"] = { "read", { send = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{" },
      "stall" },
    ["drip"] = { "read", { drip = OK, interval = 0.2 } },
    ["short body"] = cut("Content-Length: 50\r\n", "{"),
    ["body without an end"] = cut("", '{"data":'),
    ["chunks cut"] = cut("Transfer-Encoding: chunked\r\n", "5\r\n{\"da"),
    ["chunks broken"] = cut("Transfer-Encoding: chunked\r\n", "zz\r\n"),
    ["two lengths"] = cut("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"),
    ["no headers' end"] = { "read", { send = "HTTP/1.1 200 OK\r\nX-A: b" }, "fin" },
    ["garbage"] = { "read", { send = "garbage" }, "fin" },
    ["headers too large"] = cut("X-Large: " .. ("a"):rep(300 * 1024) .. "\r\n", "{}"),
    ["no JSON"] = { "read", { send = raw_server.reply(200, "<html>") }, "fin" },
    ["redirect"] = { "read", { send = raw_server.reply(302, "", { Location = "/" }) }, "fin" },
    ["kept alive, then closed"] = { "read",
      { send = raw_server.reply(503, "", { Connection = "close" }) }, "fin" },
  }
  for _, status in ipairs { 401, 407, 408, 409, 421, 425, 429, 500, 502, 503, 504 } do
    faults["status " .. status] =
      { "read", { send = raw_server.reply(status, "{}", { ["Retry-After"] = 0 }) }, "again" }
  end

  for what, fault in pairs(faults) do
    row("B8 is one request on the wire: " .. what, function(mode)
      local steps = fault
      if fault.warm then
        steps = { "read", { send = OK } }
        for _, step in ipairs(fault) do steps[#steps + 1] = step end
      end
      local script = { steps, ANSWER }
      steps.warm = nil
      local results = wire.play(
        script,
        {
          mode = mode,
          before = fault.warm and 1 or 0,
          call = { retries = 0, attempt_timeout = 0.4 },
        }
      )
      for _, kind in ipairs(wire.kinds) do
        local result = results[kind.name]
        assert.is_nil(result.data, kind.name)
        assert.equal(1, result.err.attempts, kind.name)
        assert.equal(1, #result.requests, kind.name .. ": " .. result.message)
      end
    end)
  end
end)
