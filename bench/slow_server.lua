-- What the benchmarks of many creations share: a server that takes 20 ms for each, and the programs
-- that create against it.

local nginx = require "spec.support.nginx"
local process = require "spec.support.process"

local unpack = table.unpack or unpack -- luacheck: ignore

local M = {
  DELAY = 0.020,
  CONCURRENCIES = { 1, 8, 32, 64 },
}

-- Starts the server; returns it as spec.support.nginx does.
function M.start()
  return nginx.start { server = [[
    keepalive_requests 1000000;
    location / {
      content_by_lua_block {
        ngx.req.read_body()
        ngx.sleep(]] .. M.DELAY .. [[)
        ngx.header.content_type = "application/json"
        local body = '{"data":{"id":"248df4b7-aa70-47b8-a036-33ac447e668d",'
          .. '"name":"Acme","issuer":null,"client_id":null}}'
        ngx.header.content_length = #body
        ngx.print(body)
      }
    }
  ]] }
end

-- Runs the words with URL, ITEMS and CONCURRENCY; returns the numbers that they print: seconds,
-- processor seconds of a call, bytes of a call in flight. Nil, and why, where they do not run.
function M.run(words, server, items, concurrency)
  local command = { unpack(words) }
  for _, word in ipairs { server.url, items, concurrency } do
    command[#command + 1] = tostring(word)
  end
  local status, out, err = process.run(command, { env = process.environment(), timeout = 300 })
  if status ~= 0 then return nil, err:match "[^\n]*" end
  local numbers = {}
  for number in out:match("[^\n]*"):gmatch "%S+" do numbers[#numbers + 1] = tonumber(number) end
  return { seconds = numbers[1], cpu = numbers[2], bytes = numbers[3] }
end

return M
