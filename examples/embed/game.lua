-- What the C host runs: a guild is founded every ten frames, and nobody waits for it.

local polytomic = require "polytomic"

local client = polytomic.new()
local founding = {}

-- Called once per frame; a step takes a bounded part of it.
return function(frame)
  if frame % 10 == 1 then
    founding[#founding + 1] = client:start("create_org", { name = "Guild " .. frame })
  end
  client:step(0)
  for i = #founding, 1, -1 do
    if founding[i]:done() then
      local org, message = table.remove(founding, i):result()
      print(org and "founded " .. org.id or message)
    end
  end
end
