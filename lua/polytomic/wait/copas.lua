-- Waits inside a copas loop: suspends the copas thread that called. To copas a waiter is a socket that becomes readable when there
-- is something to do; whoever is woken steps the calls of all.

local copas = require "copas"

local driver = require "polytomic.driver"

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
  local thread, main = coroutine.running()
  local descriptor = client:pollfd()
  if not thread or main or not descriptor then
    call:cancel()
    error("polytomic.wait.copas " .. (descriptor and "suspends the calling thread: call from copas.addthread(function() … end)"
      or "needs a descriptor to wait on, which this system does not offer"), 4)
  end
  copas.receive(setmetatable({ client = client, call = call, descriptor = descriptor }, waiter))
end
