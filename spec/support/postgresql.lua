-- A PostgreSQL server for specs: started on a free port in a directory of its own, stopped by its
-- process id. PostgreSQL refuses to run as root: then it runs as its own user.
--
--   local server = postgresql.shared()          one per process
--   local url = server:database()               a new, empty database
--   server:restart()

local process = require "spec.support.process"
local socket = require "socket"

local M = {}

local server = {}
server.__index = server

local function output(command)
  local pipe = assert(io.popen(command, "r"))
  local text = pipe:read "*a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local BIN = output "ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1"

-- Whether there is a server to start.
function M.is_there()
  return BIN ~= ""
end

local AS_ROOT = output "id -u" == "0"

-- A command as the user that may run the server.
local function as_user(command)
  return AS_ROOT and "runuser -u postgres -- " .. command or command
end

local function free_port()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  listener:close()
  return port
end

local function run(command)
  local status, out, err = process.run("sh -c " .. process.quote(command), { timeout = 60 })
  assert(status == 0, command .. ": " .. out .. err)
  return out
end

function server:is_ready()
  return (process.run { BIN .. "/pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port }) == 0
end

-- Starts the server and waits until it answers.
function server:start()
  local command = as_user(("%s/postgres -D %s"):format(BIN, self.directory))
  self.child = process.start(command .. " 2>>" .. self.log, { first_line = false })
  for _ = 1, 200 do
    if self:is_ready() then return self end
    os.execute "sleep 0.05"
  end
  error("PostgreSQL does not answer: " .. output("tail -n 5 " .. self.log), 0)
end

-- The process id of the server itself.
function server:pid()
  return tonumber((process.contents(self.directory .. "/postmaster.pid") or ""):match "^%d+")
end

-- Ends it at once, as for a restart of the machine: who is connected loses the connection.
function server:stop()
  local pid = self:pid()
  if pid then os.execute(("kill -INT %d 2>/dev/null"):format(pid)) end
  for _ = 1, 200 do
    if not self:pid() then break end
    os.execute "sleep 0.05"
  end
  self.child:stop()
end

function server:restart()
  self:stop()
  return self:start()
end

-- Runs SQL in a database; what it prints, unaligned.
function server:sql(text, database)
  return run(("%s/psql -X -q -A -t -v ON_ERROR_STOP=1 -h 127.0.0.1 -p %d -U postgres "
    .. "-c %s %s"):format(BIN, self.port, process.quote(text), database or "postgres"))
end

-- The URL of a new, empty database.
function server:database()
  self.count = self.count + 1
  local name = "ledger_" .. self.count
  self:sql("CREATE DATABASE " .. name)
  return ("postgresql://postgres@127.0.0.1:%d/%s"):format(self.port, name), name
end

local function new()
  local root = output "mktemp -d"
  local self = setmetatable({ directory = root .. "/data", log = root .. "/log",
    port = free_port(), count = 0 }, server)
  run(("mkdir %s && touch %s && chmod 711 %s"):format(self.directory, self.log, root))
  if AS_ROOT then run(("chown -R postgres %s %s"):format(self.directory, self.log)) end
  run(("chmod 700 %s && cd / && %s"):format(self.directory,
    as_user(("%s/initdb -D %s -A trust -U postgres --no-sync >/dev/null"):format(BIN,
      self.directory))))
  local file = assert(io.open(self.directory .. "/postgresql.conf", "a"))
  file:write(("listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = ''\n"):format(
    self.port))
  file:close()
  self.janitor = assert(io.popen("exec setsid sh -c 'read line; while ! rm -rf " .. root
    .. "; do :; done' 2>/dev/null", "w"))
  return self:start()
end

-- The server of this process, started when it is first asked for.
function M.shared()
  return process.shared("postgresql", new, function(one) return one.child:alive() end)
end

return M
