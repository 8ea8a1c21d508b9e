-- In a copas loop a call suspends its thread; here a small server creates an organization for each
-- line it gets.
--
--   eval "$(polytomic sandbox --background)"
--   lua5.1 examples/copas.lua       (Debian has copas for Lua 5.1, LuaRocks for every Lua)

local copas = require "copas"
local polytomic = require "polytomic"
local socket = require "socket"

local client = polytomic.new { wait = require "polytomic.wait.copas" }
local server = assert(socket.bind("127.0.0.1", 0))
local _, port = server:getsockname()
local answered = false

copas.addserver(server, function(connection)
  connection = copas.wrap(connection)
  local org, message = client:create_org { name = connection:receive() }
  connection:send((org and org.id or message) .. "\n")
end)

copas.addthread(function()
  local connection = socket.tcp()
  assert(copas.connect(connection, "127.0.0.1", port))
  copas.send(connection, "Customer 1\n")
  print("created " .. copas.receive(connection))
  connection:close()
  answered = true
end)

while not answered do
  copas.step(0.01)
  print "tick"
end
client:close()
