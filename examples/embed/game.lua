-- What host.c runs: a frame asks for one step of the API's work and goes on; players sign up while the game runs.

local polytomic = require "polytomic"

local client = polytomic.new { timeout = 30 }
local calls = {}
local game = {}

-- Called once a frame; false ends the loop. `client:step(0)` does what can be done now and never waits.
function game.frame(number)
  if number < 64 then calls[number] = client:start("create_org", { name = "Guild " .. number }) end
  client:step(0)
  for index, call in pairs(calls) do
    if call:done() then
      local org, message = call:result()
      print(org and ("guild %s is ready"):format(org.name) or message)
      calls[index] = nil
    end
  end
  return number < 64 or next(calls) ~= nil
end

return game
