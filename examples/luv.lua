-- In a luv loop a call suspends its coroutine, and timers and handles go on.
--
--   eval "$(polytomic sandbox --background)"
--   lua5.4 examples/luv.lua

local polytomic = require "polytomic"
local uv = require "luv"

local client = polytomic.new { wait = require "polytomic.wait.luv" }
local ticker = uv.new_timer()
local left = 3

ticker:start(0, 1, function() print "tick" end)

for i = 1, 3 do
  coroutine.wrap(function()
    local org, message = client:create_org { name = "Customer " .. i }
    print(org and org.name or message)
    left = left - 1
    if left == 0 then ticker:close() end
  end)()
end

uv.run()
client:close()
