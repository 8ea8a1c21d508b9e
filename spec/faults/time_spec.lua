-- Faults D1 to D8: replies that take too long, deadlines, and calls that are given up.
-- Takes: 27 s

local cqueues = require "cqueues"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local wire = require "spec.support.wire"

local OK = raw_server.reply(200, { data = { id = "1" } })
local ANSWER = { "read", { send = OK }, "again" }
local PATIENCE = 0.25  -- seconds of attempt_timeout
local LATE = { kind = "timeout" }
-- A call that is to come through on its second attempt gives that one more time.
local IMPATIENT =
  { client = { attempt_timeout = PATIENCE }, patient = { attempt_timeout = 3 * PATIENCE } }

local function row(title, body) wire.each_mode(it, title, body) end

-- What `run` returned, after asserting that it took no more than three times `seconds`.
local function within(seconds, run)
  local started = cqueues.monotime()
  local result = run()
  local taken = cqueues.monotime() - started
  assert.is_true(taken < 3 * seconds, ("it took %.2f s instead of %.2f s"):format(taken, seconds))
  return result
end

-- Of the sandbox, calls that block take only the kinds that tell most; in coroutines all kinds wait
-- at once.
local function in_sandbox(mode, fault)
  local few = mode == "blocking"
      and { wire.kind["POST with a key"], wire.kind["POST without a key"] }
    or wire.answered_with_body
  wire.lost_in_sandbox(mode, fault, true, LATE,
    { client = IMPATIENT.client, patient = IMPATIENT.patient, kinds = few })
end

describe("a reply", function()
  row("D1 of no byte ends at attempt_timeout, and the retry table decides", function(mode)
    wire.lost_reply(mode, { "read", "stall" }, LATE, IMPATIENT)
    in_sandbox(mode, { fault = "stall_headers" })
  end)

  row("D2 whose headers came times out in the same way: the timer covers the body", function(mode)
    local fault = { "read", { send = OK:sub(1, -2) }, "stall" }
    if mode == "blocking" then
      wire.once(mode, fault, LATE, IMPATIENT)
    else
      wire.lost_reply(mode, fault, LATE, IMPATIENT)
    end
    in_sandbox(mode, { fault = "stall_body" })
  end)

  row("D2 of an error that stalls in its body is late, not refused", function(mode)
    wire.once(mode, { "read", { send = "HTTP/1.1 422 No\r\nContent-Length: 9\r\n\r\n{" }, "stall" },
      LATE, IMPATIENT)
  end)

  row("D3 whose body drips times out", function(mode)
    local head, body = OK:match("^(.-\r\n\r\n)(.*)$")
    wire.once(mode, { "read", { send = head }, { drip = body, interval = 0.1 } }, LATE, IMPATIENT)
    if mode == "in coroutines" then in_sandbox(mode, { fault = "drip", interval = 0.1 }) end
  end)

  row("D4 whose headers drip times out", function(mode)
    wire.once(mode, { "read", { drip = OK, interval = 0.1 } }, LATE, IMPATIENT)
    if mode == "in coroutines" then
      in_sandbox(mode, { fault = "drip", interval = 0.1, headers = true })
    end
  end)

  row("D3 that drips on every attempt never makes the call last longer than timeout", function(mode)
    local options = {
      mode = mode,
      client = { timeout = 0.6, attempt_timeout = PATIENCE },
      call = { retries = 9 },
      kinds = { wire.kind.GET },
    }
    local result = within(
      0.6,
      function() return wire.play({ { "read", { drip = OK, interval = 0.1 } } }, options) end
    ).GET
    wire.assert_error({ kind = "timeout", outcome = "unknown" }, result, "GET")
    assert.is_true(result.err.elapsed < 3 * 0.6)
    assert.equal(result.err.attempts, #result.requests)
    assert.equal(result.err.attempts, #result.err.timeline)
  end)
end)

describe("a deadline", function()
  row("D5 shorter than the next wait ends the call now, with the last error", function(mode)
    local busy = raw_server.reply(503, { message = "busy" }, { ["Retry-After"] = 30 })
    local options = { mode = mode, client = { timeout = 5 }, call = { retries = 3 } }
    local results = within(1, function()
      return wire.play({ { "read", { send = busy }, "again" } }, options)
    end)
    for _, kind in ipairs(wire.kinds) do
      local result = results[kind.name]
      local outcome = kind.name == "GET" and "rejected" or "unknown"
      wire.assert_error(
        { kind = "server", status = 503, outcome = outcome, attempts = 1, retryable = true },
        result,
        kind.name
      )
      assert.equal(30, result.err.retry_after, kind.name)
      assert.equal("busy", result.err.message, kind.name)
      assert.equal(1, #result.requests, kind.name)
    end
  end)

  it("D5 that passes while a call waits for a connection ends it unsent", function()
    local server = raw_server.start { script = { { "read", "stall" } } }
    local client = wire.client(server.url, { max_connections = 1, attempt_timeout = 5 })
    local first = client:start("get_org", { id = wire.ID })
    local second = client:start("create_org", { name = "Acme" }, { timeout = PATIENCE })
    within(1, function()
      while not second:done() do client:step(0.05) end
    end)
    local _, _, err = second:result()
    assert.equal("timeout", err.kind)
    assert.equal("unsent", err.outcome)
    assert.equal(0, err.attempts)
    assert.is_false(first:done())
    assert.equal(1, #server:requests())
    client:close()
    server:stop()
  end)
end)

describe("a cancelled call", function()
  local server, client

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  after_each(function() client:close() end)

  -- Cancels, and asserts that the call ends at once and leaves nothing behind.
  local function cancel(call, outcome, attempts)
    call:cancel()
    assert.is_true(call:done())
    local data, message, err = call:result()
    assert.is_nil(data)
    assert.matches("cancelled", message)
    assert.equal("cancelled", err.kind)
    assert.equal(outcome, err.outcome)
    assert.equal(attempts, err.attempts)
    assert.equal(attempts, #err.timeline)
    assert.is_false(err.retryable)
    assert.equal(0, client:step(0))
    assert.equal(0, client:stats().active)
    assert.equal(0, client:stats().queued)
  end

  local function works(calls)
    server:script { ANSWER }
    assert(client:get_org { id = wire.ID })
    assert.equal(calls, client:stats().calls)
  end

  it("D6 before its first step was not sent", function()
    server:reset { ANSWER }
    client = wire.client(server.url)
    cancel(client:start("create_org", { name = "Acme" }), "unsent", 0)
    assert.equal(0, server:connections())
    works(2)
  end)

  it("D6 in the queue was not sent", function()
    server:reset { { "read", "stall" } }
    client = wire.client(server.url, { max_connections = 1 })
    local first = client:start("get_org", { id = wire.ID })
    local second = client:start("create_org", { name = "Acme" })
    while #server:requests() == 0 do client:step(0.05) end
    second:cancel()
    local _, _, err = second:result()
    assert.equal("unsent", err.outcome)
    assert.equal(1, client:step(0))
    cancel(first, "unknown", 1)
    assert.equal(1, #server:requests())
    works(3)
  end)

  it("D6 in transfer may have been carried out, and its connection is gone", function()
    server:reset { { "read", "stall" } }
    client = wire.client(server.url)
    local call = client:start("create_org", { name = "Acme" })
    while #server:requests() == 0 do client:step(0.05) end
    cancel(call, "unknown", 1)
    assert.is_true(server:await("closed", 1))
    works(2)
    assert.equal(2, server:connections())
  end)

  it("D6 while it connects was not sent", function()
    local hole = raw_server.blackhole()
    client = wire.client(hole.url)
    local call = client:start("create_org", { name = "Acme" })
    client:step(0)
    assert.equal(1, client:stats().active)
    cancel(call, "unsent", 1)
    hole.stop()
  end)

  it("D6 in a wait keeps what the attempts before it say", function()
    for _, case in ipairs { { 429, "rejected" }, { 502, "unknown" } } do
      server:reset {
        { "read", { send = raw_server.reply(case[1], "{}", { ["Retry-After"] = 15 }) }, "close" },
      }
      client = wire.client(server.url)
      local call = client:start("create_org", { name = "Acme" })
      repeat client:step(0.05) until tostring(call):find("waiting to retry", 1, true) or call:done()
      cancel(call, case[2], 1)
      works(2)
      client:close()
    end
  end)

  it("D6 by its own coroutine's neighbour returns to the coroutine", function()
    server:reset { { "read", "stall" } }
    local seen
    client = wire.client(server.url, { wait = function(_, call)
      seen = call
      coroutine.yield()
    end })
    local result
    local thread = coroutine.create(function() result = { client:create_org { name = "Acme" } } end)
    assert(coroutine.resume(thread))
    while #server:requests() == 0 do client:step(0.05) end
    seen:cancel()
    assert(coroutine.resume(thread))
    assert.equal("dead", coroutine.status(thread))
    assert.equal("cancelled", result[3].kind)
  end)
end)

describe("the wall clock", function()
  -- A library that moves the wall clock by a day, back and forth, each time somebody looks; the
  -- monotonic clock is left alone.
  local SOURCE = [[
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long jump(void) { static long looks; return looks++ % 2 ? 86400 : -86400; }
int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += jump();
  return result;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
]]

  local CALLS = [[
    local url = ...
    local client = require("polytomic").new { base_url = url, partner_key = "key-of-a-child",
      env = false, proxy = "", attempt_timeout = 0.2 }
    local jumped = math.abs(os.time() - os.time()) > 86400
    local function call(retries)
      local data, _, err = client:create_org({ name = "Acme" }, { retries = retries })
      print(jumped, data and "done" or err.kind, err.attempts, err.elapsed)
    end
    call(0)
    call(2)
  ]]

  it("D7 set back and forth changes nothing: timers are monotonic", function()
    local library = process.directory() .. "/jumping_clock.so"
    local status, _, errors = process.run(
      { "cc", "-shared", "-fPIC", "-o", library, "-x", "c", "-" },
      { stdin = SOURCE }
    )
    assert.equal(0, status, errors)
    local server = raw_server.start {
      script = {
        per = "request",
        { "stall" },
        { { send = raw_server.reply(503, "{}") } },
        { { send = OK } },
      },
    }
    local preloaded = os.getenv "LD_PRELOAD"
    local environment =
      process.environment { LD_PRELOAD = (preloaded and preloaded .. " " or "") .. library }
    local script = process.temporary_file(CALLS)
    local out
    within(2, function()
      status, out, errors = process.run({ process.interpreter(), script, server.url },
        { env = environment, timeout = 20 })
    end)
    assert.equal(0, status, errors)
    local late, done = out:match("^true\ttimeout\t1\t([%d.e-]+)\ntrue\tdone\t2\t([%d.e-]+)\n$")
    assert.is_truthy(late, out)
    assert.is_true(tonumber(late) >= 0.15 and tonumber(late) < 3 * 0.2, out)
    assert.is_true(tonumber(done) >= 0 and tonumber(done) < 3 * 0.7, out)
    server:stop()
  end)
end)

describe("a timeout", function()
  local bad = {
    ["0"] = 0,
    ["-1"] = -1,
    ["NaN"] = 0 / 0,
    ["infinite"] = math.huge,
    ["a string"] = "5",
    ["a table"] = {},
  }

  for what, value in pairs(bad) do
    it("D8 that is " .. what .. " is refused where it is given, and nothing is sent", function()
      local server = raw_server.start()
      local client = wire.client(server.url)
      for _, name in ipairs { "timeout", "attempt_timeout" } do
        local ok, why = pcall(function() client:get_org({ id = wire.ID }, { [name] = value }) end)
        assert.is_false(ok)
        assert.matches("time_spec%.lua:%d+: .*" .. name, why)
        ok, why = pcall(
          function() client:start("get_org", { id = wire.ID }, { [name] = value }) end
        )
        assert.is_false(ok)
        assert.matches("time_spec%.lua:%d+: .*" .. name, why)
      end
      for _, name in ipairs { "timeout", "attempt_timeout", "connect_timeout" } do
        local ok, why = pcall(function() polytomic.new { env = false, [name] = value } end)
        assert.is_false(ok)
        assert.matches("time_spec%.lua:%d+: .*" .. name, why)
      end
      assert.equal(0, client:stats().calls)
      assert.equal(0, server:connections())
      client:close()
      server:stop()
    end)
  end
end)
