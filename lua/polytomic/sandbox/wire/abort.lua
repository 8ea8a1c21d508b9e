-- Makes closing a socket send a TCP reset: sets SO_LINGER to zero on a descriptor.
--
-- cqueues has no call for it. luasocket does it where it is installed, the FFI does on LuaJIT;
-- elsewhere the faults that need it are refused when they are armed.

local M = {}

local function by_luasocket()
  local ok, core = pcall(require, "socket.core")
  if not ok then return nil end
  return function(descriptor)
    local borrowed = core.tcp()
    borrowed:setfd(descriptor)
    local done, message = borrowed:setoption("linger", { on = true, timeout = 0 })
    borrowed:setfd(-1)
    assert(done, message)
  end
end

local function by_ffi()
  local ok, ffi = pcall(require, "ffi")
  if not ok then return nil end
  ffi.cdef "int setsockopt(int, int, int, const void *, unsigned int);"
  local level, name = 0xffff, 0x0080
  if ffi.os == "Linux" then level, name = 1, 13 end
  return function(descriptor)
    local linger = ffi.new("int[2]", 1, 0)
    assert(ffi.C.setsockopt(descriptor, level, name, linger, ffi.sizeof(linger)) == 0,
      "setsockopt failed")
  end
end

local arm

-- True if resets can be made; nil and a message that says what is missing.
function M.available()
  arm = arm or by_luasocket() or by_ffi()
  if arm then return true end
  return nil, "a reset needs luasocket (Debian package lua-socket, rock luasocket) or LuaJIT; "
    .. "fin = true does without"
end

-- From now on closing the descriptor resets the connection. Raises if that cannot be done.
function M.arm(descriptor)
  assert(M.available())
  arm(descriptor)
end

return M
