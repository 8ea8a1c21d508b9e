-- Random bytes, identifiers and key values of the sandbox, from the system's generator.

local M = {}

local source = assert(io.open("/dev/urandom", "rb"))
source:setvbuf("full", 4096)

-- A string of `count` random bytes.
function M.bytes(count)
  return assert(source:read(count))
end

-- A random UUID, version 4, in lower case (RFC 4122, section 4.4).
function M.uuid()
  local b = { source:read(16):byte(1, 16) }
  b[7] = 64 + b[7] % 16
  b[9] = 128 + b[9] % 64
  return string.format("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
    b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15],
    b[16])
end

-- `count` random bytes in hexadecimal.
function M.hex(count)
  return (M.bytes(count):gsub(".", function(char) return string.format("%02x", char:byte()) end))
end

return M
