-- Wakes whoever waits for a call when it is done, and keeps one driver for all calls that share
-- connections: what the wait adapters and batches are made of.

local core = require "polytomic.core"

local M = {}

-- Who is woken when a call is done, by call: a list of { wake, whom }.
local wakes = setmetatable({}, { __mode = "k" })

-- Runs `wake(whom)` once when the call is done, at once when it is already. A batch gives itself in
-- place of a call. `wake` must not be a closure over the variables of a coroutine that waits: where
-- a host kills the coroutine and uses its stack again, these are anything.
function M.watch(client, call, wake, whom)
  if type(call) == "table" then return call:watch(wake, whom) end
  if call:done() then return wake(whom) end
  local list = wakes[call] or {}
  wakes[call] = list
  list[#list + 1] = { wake, whom }
  core.watch(client, call)
end

local function wake_all(list)
  for _, waiter in ipairs(list) do waiter[1](waiter[2]) end
end

-- Wakes those whose calls are done since, of any client that shares the connections; says whether
-- there were any.
function M.wake(client)
  local call = core.next_done(client)
  local any = call ~= nil
  while call do
    local list = wakes[call]
    wakes[call] = nil
    if list then wake_all(list) end
    call = core.next_done(client)
  end
  return any
end

-- Steps and wakes without a driver: for waiters that lost patience.
function M.look(client)
  client:step(0)
  M.wake(client)
end

-- Ends a call that cannot be waited for, and raises.
function M.refuse(call, message)
  call:cancel()
  core.raise(message)
end

-- The running coroutine, which waits for the call; outside of one, ends the call and raises.
function M.coroutine(call, message)
  local thread, main = coroutine.running()
  if not thread or main then M.refuse(call, message) end
  return thread
end

local driver = {}
driver.__index = driver

-- Drivers by loop, then by connections.
local loops = setmetatable({}, { __mode = "k" })

-- Makes sure that a driver runs in this loop (any value that stands for it) for the client's
-- connections, while calls are active. `start(driver)` begins a thread, timer or handle of the loop
-- that calls `driver:turn()`. Returns the driver, whose `turns` count; or nil and what `start` said
-- where it cannot.
function M.drive(client, loop, start)
  local running = loops[loop]
  if not running then
    running = setmetatable({}, { __mode = "k" })
    loops[loop] = running
  end
  local connections = core.connections(client)
  if running[connections] then return running[connections] end
  -- A client of its own: the caller's may be closed while others on its connections still wait.
  local self = setmetatable({ client = core.companion(client), running = running,
    connections = connections, turns = 0 }, driver)
  running[connections] = self
  local started, message = start(self)
  if started then return self end
  self:stop()
  return nil, message
end

-- Does what can be done now and wakes whoever it concerns; false when no call is left: the driver
-- should stop.
function driver:turn()
  local active, woke
  self.turns = self.turns + 1
  repeat
    active = self.client:step(0)
    woke = M.wake(self.client)
  until active > 0 or not woke -- the woken may have started new calls
  return active > 0
end

-- Ends the driver; the next call that is waited for starts another.
function driver:stop()
  if self.running[self.connections] == self then self.running[self.connections] = nil end
  self.client:close()
end

return M
