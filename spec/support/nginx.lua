-- Debian's nginx with its Lua module, one worker, loading this tree's LuaJIT build: for specs.

local luasocket = require "socket"
local process = require "spec.support.process"

local M = {}

local MODULES = "/usr/lib/nginx/modules/"

local HEAD = [[
USER
daemon off;
worker_processes WORKERS;
worker_shutdown_timeout 20s;
error_log DIRECTORY/error.log info;
pid DIRECTORY/pid;
load_module MODULESndk_http_module.so;
load_module MODULESngx_http_lua_module.so;
events { worker_connections 4096; }
MAIN
http {
  access_log off;
  client_body_temp_path DIRECTORY/body;
  proxy_temp_path DIRECTORY/proxy;
  fastcgi_temp_path DIRECTORY/fastcgi;
  uwsgi_temp_path DIRECTORY/uwsgi;
  scgi_temp_path DIRECTORY/scgi;
  lua_package_path "ROOT/lua/?.lua;ROOT/lua/?/init.lua;ROOT/?.lua;;";
  lua_package_cpath "ROOT/build/jit/?.so;;";
HTTP
  init_worker_by_lua_block {
    INIT_WORKER
    io.stdout:write("ready\n") io.stdout:flush()
  }
  server {
    listen 127.0.0.1:PORT backlog=4096;
SERVER
  }
}
]]

-- A port that nobody listens on now.
function M.free_port()
  local socket = assert(luasocket.bind("127.0.0.1", 0))
  local _, port = socket:getsockname()
  socket:close()
  return tonumber(port)
end

local function output_of(line)
  local pipe = assert(io.popen(line))
  local text = pipe:read "*l"
  pipe:close()
  return text
end

-- The directory of the tree, as nginx needs it.
function M.root()
  return output_of "pwd"
end

-- "user root;" where the tests run as root: the workers must read the tree.
function M.user()
  return output_of "id -u" == "0" and "user root;" or ""
end

local server = {}
server.__index = server

-- The master's process is told to `reload` (HUP), `quit` gracefully (QUIT), or anything else by the
-- name of a signal.
function server:signal(name)
  self.child:signal(({ reload = "HUP", quit = "QUIT" })[name] or name)
end

-- The error log, at level "info".
function server:log()
  return assert(process.contents(self.directory .. "/error.log"))
end

-- Lines of the error log from the level "error" upwards.
function server:complaints()
  local list = {}
  for line in self:log():gmatch "[^\n]+" do
    if
      line:find "%[error%]"
      or line:find "%[crit%]"
      or line:find "%[alert%]"
      or line:find "%[emerg%]"
    then
      list[#list + 1] = line
    end
  end
  return list
end

function server:stop()
  return self.child:stop()
end

-- Starts nginx with a whole configuration; its first line of standard output says that it is there.
function M.start_text(text, port, options)
  options = options or {}
  local directory = options.directory or output_of("mktemp -d -p " .. process.directory())
  local file = directory .. "/nginx.conf"
  process.write(file, text)
  local child = process.start(
    { "nginx", "-p", directory, "-e", directory .. "/error.log", "-c", file },
    { env = options.env }
  )
  return setmetatable(
    { child = child, directory = directory, port = port, url = "http://127.0.0.1:" .. port },
    server
  )
end

-- Starts nginx. Options are pieces of configuration: `main`, `http`, `server` (locations),
-- `init_worker` (Lua), `workers` (default 1), `substitutes` (name = text, for words in these
-- pieces), and `env`.
function M.start(options)
  local port = M.free_port()
  local directory = output_of("mktemp -d -p " .. process.directory())
  local values = {
    USER = M.user(), WORKERS = options.workers or 1, DIRECTORY = directory, MODULES = MODULES,
    ROOT = M.root(), PORT = port, MAIN = options.main or "", HTTP = options.http or "",
    SERVER = options.server or "", INIT_WORKER = options.init_worker or "",
  }
  local text = HEAD:gsub("[%u_][%u_][%u_]+", values)
  for name, value in pairs(options.substitutes or {}) do
    text = text:gsub(name, (value:gsub("%%", "%%%%")))
  end
  return M.start_text(text, port, { directory = directory, env = options.env })
end

return M
