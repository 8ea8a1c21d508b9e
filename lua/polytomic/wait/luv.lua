-- Waits inside a luv loop: suspends the coroutine that called. One poll handle, alive only while
-- calls are active, drives all.

local uv = require "luv"

local driver = require "polytomic.driver"

local TICK = 10 -- milliseconds between two turns where the system has no descriptor to poll

local loop = {} -- luv has one per Lua state

-- An error in a coroutine that was woken goes on to luv, after everybody else was woken too.
local thrown

local function resume(thread)
  if coroutine.status(thread) ~= "suspended" then return end
  local ok, message = coroutine.resume(thread)
  if not ok and not thrown then thrown = debug.traceback(thread, tostring(message)) end
end

local function turn(self, handle)
  if not self:turn() then
    handle:stop()
    handle:close()
    self:stop()
  end
  local message = thrown
  thrown = nil
  if message then error(message, 0) end
end

local function start(self)
  local descriptor = self.client:pollfd()
  local handle = descriptor and uv.new_poll(descriptor) or uv.new_timer()
  local function callback() turn(self, handle) end
  if descriptor then handle:start("r", callback) else handle:start(0, TICK, callback) end
  return true
end

return function(client, call)
  local thread = driver.coroutine(call, "polytomic.wait.luv suspends the calling coroutine: "
    .. "call from coroutine.wrap(function() … end)()")
  driver.watch(client, call, resume, thread)
  driver.drive(client, loop, start)
  while not call:done() do coroutine.yield() end
end
