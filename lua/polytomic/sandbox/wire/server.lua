-- The sockets of the sandbox: listens, accepts, starts TLS, hands each connection to its protocol,
-- stops on a signal.

local cqueues = require "cqueues"
local errno = require "cqueues.errno"
local signal = require "cqueues.signal"
local socket = require "cqueues.socket"
local h2_tls = require "http.tls"
local yieldable_pcall = require "http.util".yieldable_pcall

local http1 = require "polytomic.sandbox.wire.http1"
local http2 = require "polytomic.sandbox.wire.http2"
local process = require "polytomic.process"

local M = {}
M.__index = M

local handshake_timeout = 10 -- seconds
local parent_interval = 1

-- Socket calls return nil, message and error number instead of raising.
local function on_error(stream, operation, why)
  if why == errno.ETIMEDOUT then stream:clearerr() end
  return operation .. ": " .. errno.strerror(why), why
end

local function choose_protocol(_, offered)
  for _, name in ipairs(offered) do
    if name == "h2" or name == "http/1.1" then return name end
  end
  return nil
end

-- A TLS server context for the leaf of certificate.lua.
local function new_context(identity)
  local context = h2_tls.new_server_context()
  if h2_tls.has_alpn then context:setAlpnSelect(choose_protocol) end
  assert(context:setPrivateKey(identity.key))
  assert(context:setCertificate(identity.certificate))
  return context
end

-- Listens on host and port (0: any free one). `identity` turns TLS on. Returns the server, or nil
-- and a message.
function M.listen(host, port, service, identity)
  local listener = socket.listen { host = host, port = port, reuseaddr = true }
  listener:onerror(on_error)
  local ok, message = listener:listen()
  local _, _, bound = listener:localname()
  if not ok or not bound then
    return nil,
      string.format("cannot listen on %s port %d: %s", host, port, message or "unknown address")
  end
  return setmetatable({ listener = listener, port = bound, service = service,
    controller = cqueues.new(), context = identity and new_context(identity), connections = 0,
    running = true }, M)
end

-- Starts TLS where it is wanted. Returns the protocol, nil if the handshake failed.
local function negotiate(self, stream)
  if not self.context then return http1 end
  if not stream:starttls(self.context, handshake_timeout) then return nil end
  local tls = stream:checktls()
  local chosen = tls and h2_tls.has_alpn and tls:getAlpnSelected()
  return chosen == "h2" and http2 or http1
end

local function serve(self, stream, id)
  stream:onerror(on_error)
  stream:setmode("b", "bf")
  local protocol = negotiate(self, stream)
  if protocol then protocol.serve(stream, id, self.service, self.controller) end
end

local function accept_one(self, stream)
  self.connections = self.connections + 1
  local id = self.connections
  self.controller:wrap(function()
    local ok, message = yieldable_pcall(serve, self, stream, id)
    stream:close()
    if not ok then io.stderr:write("polytomic sandbox: ", tostring(message), "\n") end
  end)
end

local function accept_all(self)
  while self.running do
    local stream = self.listener:accept { nodelay = true }
    if stream then
      accept_one(self, stream)
    else
      self.listener:clearerr()
      cqueues.sleep(0.05) -- out of descriptors: let some connection end
    end
  end
end

local function wait_for_signal(self)
  local received = signal.listen(signal.SIGTERM, signal.SIGINT)
  received:wait()
  self.running = false
end

local function watch_parent(self, pid)
  while process.find(pid) do cqueues.sleep(parent_interval) end
  self.running = false
end

local function keep(self, keeper)
  while self.running do
    cqueues.sleep(keeper:pause())
    keeper:look()
  end
end

-- Must be called before anything is announced, so that no signal is lost.
function M.catch_signals()
  signal.ignore(signal.SIGPIPE)
  signal.default(signal.SIGTERM, signal.SIGINT)
  signal.block(signal.SIGTERM, signal.SIGINT)
end

-- Serves until SIGTERM or SIGINT, or, where there is a /proc, until the process `parent` (a pid,
-- optional) is gone. `keeper`, optional, writes what changes into its file.
function M:run(parent, keeper)
  self.controller:wrap(accept_all, self)
  self.controller:wrap(wait_for_signal, self)
  if parent and process.find() then self.controller:wrap(watch_parent, self, parent) end
  if keeper then self.controller:wrap(keep, self, keeper) end
  while self.running do
    local ok, message = self.controller:step()
    if not ok then io.stderr:write("polytomic sandbox: ", tostring(message), "\n") end
  end
  self.listener:close()
end

return M
