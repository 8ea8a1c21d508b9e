-- Waits inside a copas loop: suspends the copas thread that called. To copas a waiter is a socket
-- that becomes readable when there is something to do; whoever is woken steps the calls of all.

local copas = require "copas"

local driver = require "polytomic.driver"

local TICK = 0.010 -- seconds between two looks where the system has no descriptor to wait on
local pause = copas.pause or copas.sleep -- not in old versions

local waiter = {}
waiter.__index = waiter

-- What copas and luasocket's select ask of a socket.
function waiter:getfd() return self.descriptor end
function waiter:dirty() return self.call:done() end
function waiter.settimeout() return 1 end
function waiter.close() return 1 end

function waiter:receive()
  if not self.call:done() then driver.look(self.client) end
  if self.call:done() then return "" end
  return nil, "timeout"
end

return function(client, call)
  driver.coroutine(call, "polytomic.wait.copas suspends the calling thread: "
    .. "call from copas.addthread(function() … end)")
  local descriptor = client:pollfd()
  if descriptor then
    local socket = { client = client, call = call, descriptor = descriptor }
    return copas.receive(setmetatable(socket, waiter))
  end
  if not pause then
    driver.refuse(call,
      "polytomic.wait.copas needs a newer copas on this system, one that has copas.pause")
  end
  while not call:done() do
    driver.look(client)
    pause(TICK)
  end
end
