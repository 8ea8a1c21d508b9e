-- Creates organizations with lua-http on cqueues, several at once, each on a kept connection;
-- prints the seconds it took and the processor seconds for each.
-- Usage: lua creates_http.lua URL ITEMS CONCURRENCY

if not pcall(require, "http.client") then
  package.path = package.path .. ";/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
end
local cjson = require "cjson"
local cqueues = require "cqueues"
local http_client = require "http.client"
local new_headers = require "http.headers".new

local url, items, concurrency = arg[1], tonumber(arg[2]), tonumber(arg[3])
local host, port = url:match "^http://([^:]+):(%d+)"
local number = 0

local function create(connection, name)
  local headers = new_headers()
  local body = cjson.encode { name = name }
  headers:append(":method", "POST")
  headers:append(":path", "/api/organizations")
  headers:append(":authority", host)
  headers:append("authorization", "Bearer bench")
  headers:append("content-type", "application/json")
  headers:append("x-polytomic-version", "2025-09-18")
  headers:append("idempotency-key", "bench-0123456789-" .. name)
  headers:append("content-length", tostring(#body))
  local stream = connection:new_stream()
  assert(stream:write_headers(headers, false))
  assert(stream:write_body_from_string(body))
  local reply = assert(stream:get_headers())
  assert(reply:get ":status" == "200")
  assert(cjson.decode(assert(stream:get_body_as_string())).data.id, "not what was served")
end

local loop = cqueues.new()
for _ = 1, concurrency do
  loop:wrap(function()
    local place = { host = host, port = tonumber(port), version = 1.1 }
    local connection = assert(http_client.connect(place))
    while number < items do
      number = number + 1
      create(connection, "Acme-" .. number)
    end
    connection:close()
  end)
end
local began, cpu = cqueues.monotime(), os.clock()
assert(loop:loop())
print(cqueues.monotime() - began, (os.clock() - cpu) / items)
