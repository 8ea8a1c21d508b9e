-- Creates 1,000 organizations on a server that takes 20 ms for each, at concurrency 1, 8, 32 and
-- 64: the wall time over the ideal one, for client:batch and beside it, in the same run, for bare
-- sockets (what the server and the machine allow), the vendor's TypeScript client and Python's
-- httpx, where they are installed.
-- Usage: lua bench/concurrency.lua [ITEMS], from the root of the tree; wants the built library and
-- Debian's nginx with its Lua module.

package.path = "./?.lua;" .. package.path

local load_generator = require "spec.support.load"
local process = require "spec.support.process"
local slow_server = require "bench.slow_server"

local items = tonumber(arg[1]) or 1000
local server = slow_server.start()

local function program(words)
  return function(concurrency)
    local result, message = slow_server.run(words, server, items, concurrency)
    if result then return result.seconds, result.cpu end
    io.stderr:write(words[1], " did not run: ", message, "\n")
  end
end

local function bare(concurrency)
  local cpu = os.clock()
  local result = load_generator.run { { port = server.port, method = "POST",
    target = "/api/organizations", body = '{"name":"Acme"}', concurrency = concurrency,
    times = math.floor(items / concurrency) } }
  local count = result.statuses[200]
  return result.seconds / count * items, (os.clock() - cpu) / count
end

local clients = {
  { "polytomic for Lua", program { process.interpreter(), "bench/creates.lua" } },
  { "bare sockets", bare },
  { "vendor's TypeScript", program { "node", "bench/concurrency.mjs" } },
  { "Python httpx", program { "/usr/bin/python3", "bench/concurrency.py" } },
}

print(("%d creates, %.0f ms each: wall time over the ideal (items * delay / concurrency), "
  .. "processor time of a call"):format(items, slow_server.DELAY * 1000))
for _, concurrency in ipairs(slow_server.CONCURRENCIES) do
  local ideal = items * slow_server.DELAY / concurrency
  for _, one in ipairs(clients) do
    local took, cpu = one[2](concurrency)
    if took then
      print(("%3d at once  %-20s %7.3f s  %.3fx  %4.0f us"):format(concurrency, one[1], took,
        took / ideal, cpu * 1e6))
    end
  end
end
process.stop_all()
