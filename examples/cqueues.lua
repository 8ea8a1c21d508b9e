-- In a cqueues loop a call suspends its coroutine, and everything else goes on.
--
--   eval "$(polytomic sandbox --background)"
--   lua5.4 examples/cqueues.lua

local cqueues = require "cqueues"
local polytomic = require "polytomic"

local client = polytomic.new { wait = require "polytomic.wait.cqueues" }
local loop = cqueues.new()
local left = 3

for i = 1, 3 do
  loop:wrap(function()
    local org, message = client:create_org { name = "Customer " .. i }
    print(org and org.name or message)
    left = left - 1
  end)
end

loop:wrap(function()
  while left > 0 do
    print "tick"
    cqueues.sleep(0.001)
  end
end)

assert(loop:loop())
client:close()
