-- Faults P: Ctrl-C while a call blocks, and debug hooks that raise anywhere.

local core = require "polytomic.core"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local testing = require "polytomic.testing"
local wire = require "spec.support.wire"

local jit = rawget(_G, "jit")
local MAX_SECONDS = 3 * 0.2 -- until an interrupt acts
local STALLED = { { "read", "stall" } }
local WAIT = raw_server.reply(503, "", { ["Retry-After"] = 30 })
local LATER = { { "read", { send = WAIT }, "again" } }

-- What a child does that is interrupted. It has `client`, and `report`, which is told how the call
-- ended.
local BLOCKED = {
  { "in a call", STALLED, [[
    report(pcall(client.create_org, client, { name = "Acme" }))]] },
  { "in the wait before a retry", LATER, [[
    report(pcall(client.create_org, client, { name = "Acme" }))]] },
  { "in a coroutine", STALLED, [[
    local co = coroutine.create(function() return client:create_org { name = "Acme" } end)
    report(pcall(function() assert(coroutine.resume(co)) end))]] },
  { "in a queue", STALLED, [[
    local first = client:start("create_org", { name = "Acme" })
    report(pcall(client.create_org, client, { name = "Acme" }))
    first:cancel()]] },
  { "in a step", STALLED, [[
    local call = client:start("create_org", { name = "Acme" })
    report(pcall(function() while not call:done() do client:step(60) end end))
    call:cancel()]] },
  { "in a step of a coroutine", STALLED, [[
    local call = client:start("create_org", { name = "Acme" })
    local co = coroutine.create(function() while not call:done() do client:step(60) end end)
    report(pcall(function() assert(coroutine.resume(co)) end))
    call:cancel()]] },
}

local CHILD = [[
  local core = require "polytomic.core"
  if jit then jit.off() end -- what is compiled runs no hooks
  local client = core.new { base_url = %q, partner_key = "key-of-a-child", env = false,
    max_connections = 1, timeout = 60, attempt_timeout = 60, %s }
  local function report(ok, message)
    io.write("at ", core.now(), " ", tostring(ok), " ", tostring(message), "\n")
  end
  io.write "ready\n"
  io.flush()
  %s
  io.write("active ", client:stats().active, " queued ", client:stats().queued, "\n")
]]

-- Runs the child's code, interrupts it once the server has a request, and returns the seconds until
-- it reported, and what it printed.
local function interrupted(script, code, options)
  local server = raw_server.start { script = script }
  local path = process.temporary_file(CHILD:format(server.url, options or "", code))
  local child = process.start_lua({ path }, { lifetime = 50 })
  local patience = testing.clock_monotonic() + 20
  repeat until #server:requests() > 0 or testing.clock_monotonic() > patience
  local sent = testing.clock_monotonic()
  child:signal "INT"
  local status = child:wait(10)
  local out, errors
  repeat -- what it has printed may come after its end
    out, errors = child:output()
  until out:find "active" or testing.clock_monotonic() > patience
  child:stop()
  server:stop()
  assert.same({ 0, "" }, { status, errors })
  local at = assert(tonumber(out:match "at ([%d.]+)"), out)
  return at - sent, out
end

describe("An interrupt", function()
  for _, row in ipairs(BLOCKED) do
    it("P " .. row[1] .. " ends it where the script is, and leaves no call", function()
      local seconds, out = interrupted(row[2], row[3])
      assert.is_true(seconds < MAX_SECONDS, out)
      assert.matches("at [%d.]+ false [^\n]*interrupted!\n", out)
      assert.matches("active 0 queued 0", out)
      assert.not_matches("polytomic[^\n]*: interrupted!", out) -- no place inside the library
    end)
  end

  it("P in a call is told to on_event as its end: it was cancelled", function()
    local _, out = interrupted(STALLED, BLOCKED[1][3],
      [[on_event = function(event) print("event", event.type, event.error) end]])
    assert.matches("event\tattempt\tcancelled\n", out)
    assert.matches("event\tdone\tcancelled\n", out)
  end)

  it("P in on_event ends the call", function()
    local seconds, out = interrupted({ { "read", { send = raw_server.reply(503) }, "again" } },
      BLOCKED[1][3], [[on_event = function(event) while event.type == "attempt" do end end]])
    assert.is_true(seconds < MAX_SECONDS, out)
    assert.matches("at [%d.]+ false [^\n]*interrupted!\n", out)
    assert.matches("active 0 queued 0", out)
  end)
end)

describe("A debug hook", function()
  local server, client

  setup(function()
    server = raw_server.start {
      script = { { "read", { send = raw_server.reply(201, { data = { id = "1" } }) }, "again" } },
    }
    client = wire.client(server.url)
  end)
  teardown(function()
    client:close()
    server:stop()
  end)

  -- Calls a function under a hook that raises once, at the event of that number; returns as pcall
  -- does, with one result. Events of `mask`; where it is "", every instruction is one.
  local function under_hook(mask, number, callee, ...)
    local sethook = debug.sethook
    local function hook()
      number = number - 1
      if number > 0 then return end
      sethook()
      error("hooked", 0)
    end
    return pcall(function(...)
      sethook(hook, mask, mask == "" and 1 or 0)
      local result, message = callee(...)
      sethook()
      return result, message
    end, ...)
  end

  it("P that does not raise, and counts every instruction, changes nothing", function()
    debug.sethook(function() end, "crl", 1)
    local org = client:create_org { name = "Acme" }
    debug.sethook()
    assert.same({ id = "1" }, org)
  end)

  it("P that the host sets while a call blocks, and that does not raise, leaves it alone",
    function()
    local slow = raw_server.start {
      script = {
        { "read", { sleep = 0.3 }, { send = raw_server.reply(201, { data = { id = "2" } }) } },
      },
    }
    local patient = wire.client(slow.url)
    local count_of_hook = testing.set_quiet_hook_after(0.05)
    assert.same({ id = "2" }, (patient:create_org { name = "Acme" }))
    assert.equal(1, count_of_hook())
    patient:close()
    slow:stop()
  end)

  for _, mask in ipairs { "", "c", "r", "l", "crl" } do
    it(("P that raises (mask %q) loses nothing of a started call"):format(mask), function()
      for count = 1, 60 do
        local call = client:start("create_org", { name = "Acme" })
        local function finish()
          while not call:done() do client:step(1) end
          return call:result()
        end
        for _ = 1, 3 do under_hook(mask, count, finish) end
        while not call:done() do client:step(1) end
        for _ = 1, 3 do under_hook(mask, count, call.result, call) end
        local org, message = call:result()
        assert.same({ id = "1" }, org, message)
        assert.same({ 0, 0 }, { client:stats().active, client:stats().queued })
      end
    end)

    it(("P that raises (mask %q) leaves no call that blocks"):format(mask), function()
      server:reset()
      local before, raised = client:stats(), 0
      for count = 1, 60 do
        local ok, org, message = under_hook(mask, count, client.create_org, client,
          { name = "Acme" })
        if ok then assert.same({ id = "1" }, org, message) end
        if not ok then
          raised = raised + 1
          assert.equal("hooked", org)
        end
        assert.same({ 0, 0 }, { client:stats().active, client:stats().queued })
      end
      assert.equal(client:stats().calls - before.calls, #server:requests())
      assert.equal(before.failures, client:stats().failures)
      assert.is_true(raised > 0 or jit and mask == "r") -- LuaJIT reports few returns
    end)
  end

  it("P that raises in on_event ends in the error, after the call", function()
    local function listen() return tostring(core.now()) end
    local listening = wire.client(server.url, { on_event = listen })
    local before = #server:requests()
    for count = 1, 40 do
      local ok, org = under_hook("", count, listening.create_org, listening, { name = "Acme" })
      if ok then assert.same({ id = "1" }, org) else assert.equal("hooked", org) end
      assert.equal(0, listening:stats().active)
      assert.equal(0, listening:stats().failures)
      assert.equal(listening:stats().calls, #server:requests() - before)
    end
    listening:close()
  end)
end)
