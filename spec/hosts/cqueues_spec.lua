-- In a cqueues loop.

local core = require "polytomic.core"
local cqueues = require "cqueues"
local loops = require "spec.support.loops"
local sandbox = require "spec.support.sandbox"
local slow_server = require "spec.support.slow_server"

local host = { name = "cqueues", wait = require "polytomic.wait.cqueues" }

function host.run(threads)
  local loop = cqueues.new()
  for _, thread in ipairs(threads) do loop:wrap(thread) end
  assert(loop:loop())
end

function host.ticker(seconds, tick, running)
  while running() do
    tick()
    cqueues.sleep(seconds)
  end
end

loops.specify(host, { describe = describe, it = it, before_each = before_each })

describe("In cqueues", function()
  before_each(function() sandbox:reset() end)

  it("a call outside a loop blocks, as cqueues' own do", function()
    local client = loops.client_of(host, sandbox)
    assert.equal("Acme", (client:create_org { name = "Acme" }).name)
    client:close()
  end)

  it("a client can be polled like any other object", function()
    local client = loops.client_of(nil, sandbox)
    local name
    host.run { function()
      local call = client:start("create_org", { name = "Initech" })
      while not call:done() do
        cqueues.poll(client)
        client:step(0)
      end
      name = call:result().name
    end }
    assert.equal("Initech", name)
    client:close()
  end)

  it("a loop abandoned in the middle of a call leaves the client to the next loop", function()
    local server = slow_server.start { delay = 0.3 }
    local client = loops.client_of(host, server)
    local abandoned = cqueues.new()
    abandoned:wrap(function() client:create_org { name = "Acme" } end)
    abandoned:step(0.05)
    abandoned = nil -- luacheck: ignore
    local began, name = core.now(), nil
    host.run { function() name = client:create_org { name = "Acme" }.name end }
    assert.equal("Slow", name)
    assert.is_true(core.now() - began < 1)
    client:close()
    server:stop()
  end)

  it("two loops in one another each serve their own callers", function()
    local server = slow_server.start { delay = 0.1 }
    local client = loops.client_of(host, server)
    local count = 0
    local inner = cqueues.new()
    inner:wrap(function() if client:create_org { name = "Acme" } then count = count + 1 end end)
    host.run {
      inner and function() assert(inner:loop()) end,
      function()
        if client:create_org { name = "Acme" } then count = count + 1 end
      end,
    }
    assert.equal(2, count)
    client:close()
    server:stop()
  end)
end)

describe("examples/cqueues.lua", function()
  it("runs", function()
    assert.truthy(loops.run_example("examples/cqueues.lua"):find "tick")
  end)
end)
