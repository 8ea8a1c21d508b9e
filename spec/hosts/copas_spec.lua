-- In a copas loop.
-- Needs: copas

local luasocket = require "socket"
-- Debian has copas for Lua 5.1 alone, but any Lua can run it.
if not package.path:find("/usr/share/lua/5.1/?.lua", 1, true) then
  package.path = package.path:gsub(";+$", "") .. ";/usr/share/lua/5.1/?.lua"
end
local copas = require "copas"
local loops = require "spec.support.loops"
local sandbox = require "spec.support.sandbox"
local slow_server = require "spec.support.slow_server"

local host = { name = "copas", wait = require "polytomic.wait.copas",
  outside = "suspends the calling thread: " }

-- Debian's copas knows neither the end of its threads nor timers.
function host.run(threads)
  local left = #threads
  for _, thread in ipairs(threads) do
    copas.addthread(function()
      thread()
      left = left - 1
    end)
  end
  local deadline = luasocket.gettime() + 10
  while left > 0 and luasocket.gettime() < deadline do copas.step(0.005) end
  assert.equal(0, left)
end

-- A socket to copas that is never readable and always ready: its thread runs once in every step.
local function pause(at)
  local ready = {
    getfd = function() return 0 end,
    settimeout = function() return 1 end,
    close = function() return 1 end,
  }
  function ready.dirty() return luasocket.gettime() >= at end
  function ready.receive()
    if luasocket.gettime() >= at then return "" end
    return nil, "timeout"
  end
  copas.receive(ready)
end

function host.ticker(seconds, tick, running)
  while running() do
    tick()
    pause(luasocket.gettime() + seconds)
  end
end

loops.specify(host, { describe = describe, it = it, before_each = before_each })

describe("In copas", function()
  before_each(function() sandbox:reset() end)

  it("the connection of a handler that calls stays open", function()
    local server = slow_server.start { delay = 0.05 }
    local client = loops.client_of(host, server)
    local listener = assert(luasocket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    copas.addserver(listener, function(connection)
      connection = copas.wrap(connection)
      local name = connection:receive()
      local org = client:create_org { name = name }
      connection:send(org.name .. "\n")
    end)
    local answer
    host.run { function()
      local connection = luasocket.tcp()
      assert(copas.connect(connection, "127.0.0.1", port))
      copas.send(connection, "Acme\n")
      answer = copas.receive(connection)
      connection:close()
    end }
    assert.equal("Slow", answer)
    client:close()
    server:stop()
  end)
end)

describe("examples/copas.lua", function()
  it("runs", function()
    assert.truthy(loops.run_example("examples/copas.lua"):find "tick")
  end)
end)
