-- Names that do not resolve, for specs, without any network.
--
-- `dns.missing` is a name that never exists (RFC 2606). Here getaddrinfo refuses it in
-- milliseconds; on a machine whose resolver does not answer it takes as long as that resolver's
-- timeouts, so specs that use it give the call a deadline of its own.
--
-- A resolver that is slow or out of order needs another /etc/resolv.conf. A child gets one in a
-- mount namespace of its own, where util-linux's `unshare` may make one and port 53 of a loopback
-- address may be bound; `dns.available()` says whether.
--
--   local resolver = dns.resolver "silent"           takes queries and never answers; "dead"
--   refuses them at once
--   local status, out, err = resolver:run({ process.interpreter(), script }, { env =
--   process.environment() })

local luasocket = require "socket"
local process = require "spec.support.process"

local M = {}

-- Loopback addresses no real resolver listens on; specs of other Luas may, at the same time.
local ADDRESSES = "127.53.53.%d"
local DEAD = "127.53.54.1"        -- one that nobody ever listens on
local UNSHARE = {
  "unshare",
  "--mount",
  "--map-root-user",
  "sh",
  "-c",
  'mount --bind "$0" /etc/resolv.conf && exec "$@"',
}

M.missing = "nowhere.invalid"
M.UNAVAILABLE = "no mount namespace may be made here, or no port 53 bound"

local resolver = {}
resolver.__index = resolver

-- Runs a command (an array of words) with this resolver; arguments and results as `process.run`.
function resolver:run(words, options)
  local command = {}
  for index, word in ipairs(UNSHARE) do command[index] = word end
  command[#command + 1] = self.file
  for _, word in ipairs(words) do command[#command + 1] = word end
  return process.run(command, options)
end

-- Binds a UDP socket to port 53 of the first free address. Returns the address.
local function bound(socket)
  local why
  for last = 1, 254 do
    local address = ADDRESSES:format(last)
    local ok
    ok, why = socket:setsockname(address, 53)
    if ok then return address end
  end
  error(why)
end

-- How many queries have come since the last time it was asked; always 0 for a dead one.
function resolver:queries()
  local count = 0
  while self.socket and self.socket:receive() do count = count + 1 end
  return count
end

function resolver:stop()
  if self.socket then self.socket:close() end
  self.socket = nil
end

-- Starts a resolver, "silent" or "dead".
function M.resolver(behaviour)
  assert(behaviour == "silent" or behaviour == "dead", "a resolver is silent or dead")
  local self = setmetatable({}, resolver)
  local address = DEAD
  if behaviour == "silent" then
    self.socket = assert(luasocket.udp4())
    self.socket:settimeout(0)
    address = bound(self.socket)
  end
  self.file = process.temporary_file("nameserver " .. address .. "\noptions timeout:2 attempts:2\n")
  return self
end

-- Whether this machine lets a child have a resolver of its own.
function M.available()
  local ok, one = pcall(M.resolver, "silent")
  if not ok then return false end
  local status = one:run { "true" }
  one:stop()
  return status == 0
end

return M
