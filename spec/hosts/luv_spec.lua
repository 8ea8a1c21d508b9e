-- In a luv loop.
-- Needs: luv

local core = require "polytomic.core"
local loops = require "spec.support.loops"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local slow_server = require "spec.support.slow_server"
local uv = require "luv"

local host = { name = "luv", wait = require "polytomic.wait.luv",
  outside = "suspends the calling coroutine: " }

function host.run(threads)
  for _, thread in ipairs(threads) do coroutine.wrap(thread)() end
  uv.run()
end

function host.ticker(seconds, tick, running)
  local thread = coroutine.running()
  local timer = uv.new_timer()
  timer:start(0, seconds * 1000, function()
    tick()
    if running() then return end
    timer:stop()
    timer:close()
    coroutine.resume(thread)
  end)
  coroutine.yield()
end

loops.specify(host, { describe = describe, it = it, before_each = before_each })

describe("In luv", function()
  before_each(function() sandbox:reset() end)

  it("the loop ends by itself when no call is active", function()
    local client = loops.client_of(host, sandbox)
    coroutine.wrap(function() assert(client:create_org { name = "Acme" }) end)()
    uv.run()
    assert.is_false(uv.loop_alive())
    client:close()
  end)

  it("a coroutine that is resumed by somebody else waits on", function()
    local server = slow_server.start { delay = 0.1 }
    local client = loops.client_of(host, server)
    local name
    local thread = coroutine.create(function() name = client:create_org { name = "Acme" }.name end)
    assert(coroutine.resume(thread))
    assert(coroutine.resume(thread))
    assert.is_nil(name)
    uv.run()
    assert.equal("Slow", name)
    client:close()
    server:stop()
  end)

  it("an error in a woken coroutine goes to luv, and the others are woken all the same", function()
    local script = process.temporary_file [[
      local uv = require "luv"
      local client = require "polytomic".new { base_url = arg[1], partner_key = arg[2],
        env = false, wait = require "polytomic.wait.luv" }
      local call = client:start("create_org", { name = "Acme" })
      local function wait() require "polytomic.wait.luv"(client, call) end
      coroutine.wrap(function() wait() error "first woken" end)()
      coroutine.wrap(function() wait() io.stdout:write "second woken" io.stdout:flush() end)()
      uv.run()
    ]]
    local _, out, err = process.run(
      { process.interpreter(), script, sandbox.url, sandbox.partner_key },
      { env = process.environment() }
    )
    assert.equal("second woken", out)
    assert.truthy(err:find "first woken")
  end)

  it("drops no call when hundreds begin in callbacks", function()
    local server = slow_server.start { delay = 0.02 }
    local client = loops.client_of(host, server)
    local done, began = 0, core.now()
    local timer = uv.new_timer()
    local rounds = 0
    timer:start(0, 5, function()
      rounds = rounds + 1
      for _ = 1, 10 do
        coroutine.wrap(function()
          if client:create_org { name = "Acme" } then done = done + 1 end
        end)()
      end
      if rounds == 30 then
        timer:stop()
        timer:close()
      end
    end)
    uv.run()
    assert.equal(300, done)
    assert.is_true(core.now() - began < 3)
    client:close()
    server:stop()
  end)
end)

describe("examples/luv.lua", function()
  it("runs", function()
    assert.truthy(loops.run_example("examples/luv.lua"):find "tick")
  end)
end)
