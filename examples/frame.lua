-- In a game: calls move on by a bounded step in every frame, and coroutines wait for them.
--
--   eval "$(polytomic sandbox --background)"
--   lua5.4 examples/frame.lua

local polytomic = require "polytomic"
local socket = require "socket" -- only for its clock and its sleep: a game has its own

local FRAME = 1 / 60
local client = polytomic.new { wait = require "polytomic.wait.frame" }
local threads = {}

for i = 1, 3 do
  threads[i] = coroutine.create(function()
    local org, message = client:create_org { name = "Guild " .. i }
    print(org and "founded " .. org.name or message)
  end)
end

local frames = 0
while #threads > 0 do
  local began = socket.gettime()
  for i = #threads, 1, -1 do
    assert(coroutine.resume(threads[i])) -- one of them steps the client, once a frame
    if coroutine.status(threads[i]) == "dead" then table.remove(threads, i) end
  end
  -- draw the frame
  frames = frames + 1
  socket.sleep(math.max(0, began + FRAME - socket.gettime()))
end

print(frames .. " frames")
client:close()
