-- Calls inside nginx, one worker, 64 requests at once, each one call to an upstream that takes 200
-- ms: calls per second, and the worker's processor time for a request that makes no call, one with
-- a bare cosocket, and one with this library. Then memory for each call in flight. Usage: luajit
-- bench/openresty.lua [ROUNDS], from the root of the tree; wants the LuaJIT build and Debian's
-- nginx with its Lua module.

package.path = "./?.lua;" .. package.path

local http = require "spec.support.http"
local load_generator = require "spec.support.load"
local nginx = require "spec.support.nginx"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local slow_server = require "spec.support.slow_server"

local CONCURRENCY, TIMES = 64, 25
local rounds = tonumber(arg[1]) or 3

local upstream = slow_server.start { delay = 0.2 }

local HTTP = [[
  init_by_lua_block {
    json = require "cjson"
    client = require "polytomic".new { base_url = "UPSTREAM", partner_key = "bench", env = false,
      max_connections = 64, wait = require "polytomic.wait.openresty" }

    local HEAD = "POST /api/organizations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
      .. "Authorization: Bearer bench\r\nAccept: application/json\r\n"
      .. "Content-Type: application/json\r\nX-Polytomic-Version: 2025-09-18\r\n"
      .. "Idempotency-Key: 248df4b7-aa70-47b8-a036-33ac447e668d\r\n"

    function bare()
      local socket = ngx.socket.tcp()
      assert(socket:connect("127.0.0.1", PORT))
      local body = json.encode { name = "Acme" }
      assert(socket:send(HEAD .. "Content-Length: " .. #body .. "\r\n\r\n" .. body))
      local line, length = assert(socket:receive "*l"), 0
      while line ~= "" do
        length = tonumber(line:match "^Content%-Length: (%d+)") or length
        line = assert(socket:receive "*l")
      end
      local data = json.decode(socket:receive(length)).data
      socket:setkeepalive(60000, 64)
      return data
    end
  }
]]

local server = nginx.start {
  http = HTTP,
  substitutes = { UPSTREAM = upstream.url, PORT = upstream.url:match ":(%d+)$" },
  server = [[
    location = /nothing { content_by_lua_block { ngx.sleep(0.2) ngx.print "x" } }
    location = /bare { content_by_lua_block { ngx.print(bare().id) } }
    location = /polytomic {
      content_by_lua_block { ngx.print(assert(client:create_org { name = "Acme" }).id) }
    }
    location = /pid { content_by_lua_block { ngx.print(ngx.worker.pid()) } }
  ]],
}

local _, worker = http.request("GET", server.url .. "/pid")

-- Processor seconds of the worker so far.
local function spent()
  return tonumber(process.contents("/proc/" .. worker .. "/schedstat"):match "^%d+") / 1e9
end

local function resident()
  return tonumber(process.contents "/proc/self/status":match "VmRSS:%s+(%d+)")
end

local least = {}
for _ = 1, rounds do
  for _, what in ipairs { "nothing", "bare", "polytomic" } do
    load_generator.run {
      { port = server.port, target = "/" .. what, concurrency = CONCURRENCY, times = 1 },
    }
    local before = spent()
    local result = load_generator.run {
      { port = server.port, target = "/" .. what, concurrency = CONCURRENCY, times = TIMES },
    }
    local each = (spent() - before) / (CONCURRENCY * TIMES)
    least[what] = math.min(least[what] or math.huge, each)
    print(("%-10s %4.0f requests per second, %4.0f us of the worker each"):format(what,
      result.statuses[200] / result.seconds, each * 1e6))
  end
end
print(
  ("a call costs %.2f times a bare cosocket's (least of each)"):format(least.polytomic / least.bare)
)

local function in_flight(count, connections)
  local client = polytomic.new {
    base_url = upstream.url,
    partner_key = "bench",
    env = false,
    max_connections = connections,
  }
  client:create_org { name = "Acme" }
  collectgarbage()
  local memory, calls = resident(), {}
  for i = 1, count do calls[i] = client:start("create_org", { name = "Acme" }) end
  client:step(0.05)
  print(("%d calls in flight, %d connections: %.1f KB for each"):format(count, connections,
    (resident() - memory) / count))
  for _, call in ipairs(calls) do call:cancel() end
  client:close()
end

in_flight(5000, 1)
in_flight(500, 500)
server:stop()
process.stop_all()
