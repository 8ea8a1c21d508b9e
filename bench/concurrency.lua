-- Creates 1,000 organizations on a server that takes 20 ms for each, at concurrency 1, 8, 32 and
-- 64: the wall time over the ideal one, for client:batch and beside it, in the same run, for bare
-- sockets (what the server and the machine allow), the vendor's TypeScript client and Python's
-- httpx, where they are installed.
-- Usage: lua bench/concurrency.lua [ITEMS], from the root of the tree; wants the built library and
-- Debian's nginx with its Lua module.

package.path = "./?.lua;" .. package.path

local core = require "polytomic.core"
local load_generator = require "spec.support.load"
local nginx = require "spec.support.nginx"
local polytomic = require "polytomic"
local process = require "spec.support.process"

local DELAY = 0.020
local CONCURRENCIES = { 1, 8, 32, 64 }
local items = tonumber(arg[1]) or 1000

local server = nginx.start { server = [[
  keepalive_requests 1000000;
  location / {
    content_by_lua_block {
      ngx.req.read_body()
      ngx.sleep(]] .. DELAY .. [[)
      ngx.header.content_type = "application/json"
      local body = '{"data":{"id":"248df4b7-aa70-47b8-a036-33ac447e668d",'
        .. '"name":"Acme","issuer":null,"client_id":null}}'
      ngx.header.content_length = #body
      ngx.print(body)
    }
  }
]] }

local function ours(concurrency)
  local client = polytomic.new { base_url = server.url, partner_key = "bench", env = false,
    proxy = "", max_connections = concurrency }
  local list = {}
  for i = 1, items do list[i] = { name = "Acme " .. i } end
  local began, cpu = core.now(), os.clock()
  local results, failures = client:batch("create_org", list, { concurrency = concurrency })
  local took = core.now() - began
  assert(#failures == 0 and #results == items, failures[1] and failures[1].message)
  client:close()
  return took, (os.clock() - cpu) / items
end

-- A program that prints the seconds it took and the processor seconds for each item; nil where it
-- cannot run.
local function other(words)
  return function(concurrency)
    local command = {}
    for i, word in ipairs(words) do command[i] = word end
    for _, word in ipairs { server.url, items, concurrency } do
      command[#command + 1] = tostring(word)
    end
    local status, out, err = process.run(command, { timeout = 300 })
    if status ~= 0 then
      io.stderr:write(words[1], " did not run: ", err:match "[^\n]*", "\n")
      return nil
    end
    local took, cpu = out:match "^(%S+) (%S+)"
    return tonumber(took), tonumber(cpu)
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
  { "polytomic for Lua", ours },
  { "bare sockets", bare },
  { "vendor's TypeScript", other { "node", "bench/concurrency.mjs" } },
  { "Python httpx", other { "/usr/bin/python3", "bench/concurrency.py" } },
}

print(
  ("%d creates, %.0f ms each: wall time over the ideal "
      .. "(items * delay / concurrency), processor time of a call"):format(
    items,
    DELAY * 1000
  )
)
for _, concurrency in ipairs(CONCURRENCIES) do
  local ideal = items * DELAY / concurrency
  for _, one in ipairs(clients) do
    local took, cpu = one[2](concurrency)
    if took then
      print(
        ("%3d at once  %-20s %7.3f s  %.3fx  %4.0f us"):format(concurrency, one[1], took,
          took / ideal, cpu * 1e6)
      )
    end
  end
end
process.stop_all()
