-- Waits inside a cqueues loop: suspends the coroutine that called. One coroutine per loop, alive
-- only while calls are active, polls the client's descriptor for all. Outside a loop, where nothing
-- else could run meanwhile, it blocks.

local condition = require "cqueues.condition"
local cqueues = require "cqueues"

local driver = require "polytomic.driver"

local PATIENCE = 1 -- seconds after which a waiter looks for itself

local function start(self)
  return cqueues.running():wrap(function()
    while self:turn() do cqueues.poll(self.client) end
    local descriptor = self.client:pollfd()
    -- It may be closed now, and its number be another's
    if descriptor then cqueues.cancel(descriptor) end
    self:stop()
  end)
end

return function(client, call)
  local loop = cqueues.running()
  if not loop then
    client:step(PATIENCE)
    return driver.wake(client)
  end
  local woken = condition.new()
  driver.watch(client, call, woken.signal, woken)
  driver.drive(client, loop, start)
  while not call:done() do
    if not woken:wait(PATIENCE) then driver.look(client) end
  end
end
