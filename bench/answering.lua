-- Answers every HTTP/1.1 request with the same bytes, made once: a list of 10,000 users (2.3 MB).
-- Prints its URL; ends when killed.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local USERS = 10000

local function user(number)
  return ('{"id":"%08x-0000-4000-8000-000000000001","email":"user.%05d@customer.example.com",'
    .. '"organization_id":"248df4b7-aa70-47b8-a036-33ac447e668d","role":"user",'
    .. '"role_ids":["0a0a0a0a-0000-4000-8000-000000000002"]}'):format(number, number)
end

local function reply()
  local users = {}
  for number = 1, USERS do users[number] = user(number) end
  local body = '{"data":[' .. table.concat(users, ",") .. "]}"
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    .. #body
    .. "\r\n\r\n"
    .. body
end

local bytes = reply()

local function serve(connection)
  connection:setmode("b", "bf")
  local line = connection:read "*L"
  while line do
    if line == "\r\n" then
      connection:write(bytes)
      connection:flush()
    end
    line = connection:read "*L"
  end
  connection:close()
end

local server = socket.listen { host = "127.0.0.1", port = 0, nodelay = true }
assert(server:listen())
local _, _, port = server:localname()
io.stdout:write("http://127.0.0.1:", port, "\n")
io.stdout:flush()

local loop = cqueues.new()
loop:wrap(function()
  while true do loop:wrap(serve, assert(server:accept { nodelay = true })) end
end)
assert(loop:loop())
