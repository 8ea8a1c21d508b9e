-- Waits inside a frame loop, as games have it: suspends the coroutine that called until it is
-- resumed in a later frame. However many coroutines wait, the calls are stepped once per frame, by
-- the first that is resumed.

local driver = require "polytomic.driver"

-- For each client: the number of its frame, and the frame in which each waiting call had its turn.
local frames = setmetatable({}, { __mode = "k" })

local function frame_of(client)
  local frame = frames[client]
  if not frame then
    frame = { number = 0, seen = setmetatable({}, { __mode = "k" }) }
    frames[client] = frame
  end
  return frame
end

return function(client, call)
  driver.coroutine(call, "polytomic.wait.frame suspends the calling coroutine: "
    .. "call from a coroutine that your loop resumes every frame")
  local frame = frame_of(client)
  if frame.seen[call] == frame.number then -- its turn comes round again: a new frame
    frame.number = frame.number + 1
    client:step(0)
  end
  frame.seen[call] = frame.number
  if not call:done() then coroutine.yield() end
end
