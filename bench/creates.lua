-- Creates organizations with client:batch, several at once; prints the seconds it took, the
-- processor seconds for each, and the bytes of memory that each call in flight takes.
-- Usage: lua creates.lua URL ITEMS CONCURRENCY

local core = require "polytomic.core"
local polytomic = require "polytomic"

local url, items, concurrency = arg[1], tonumber(arg[2]), tonumber(arg[3])
local client = polytomic.new {
  base_url = url, partner_key = "bench", env = false, proxy = "", max_connections = concurrency,
}

local function resident()
  for line in io.lines "/proc/self/status" do
    local size = line:match "^VmRSS:%s+(%d+) kB"
    if size then return tonumber(size) * 1024 end
  end
  return 0
end

-- All of them in flight at once, on connections of their own.
local function memory_in_flight()
  collectgarbage()
  local before, calls = resident(), {}
  for i = 1, concurrency do calls[i] = client:start("create_org", { name = "Acme " .. i }) end
  client:step(0.005)
  local bytes = (resident() - before) / concurrency
  while client:step(0.1) > 0 do end
  for i = 1, concurrency do assert(calls[i]:result()) end
  return bytes
end

local bytes = memory_in_flight()
local list = {}
for i = 1, items do list[i] = { name = "Acme " .. i } end
local began, cpu = core.now(), os.clock()
local results, failures = client:batch("create_org", list, { concurrency = concurrency })
local took = core.now() - began
assert(#failures == 0 and #results == items, failures[1] and failures[1].message)
print(took, (os.clock() - cpu) / items, bytes)
client:close()
