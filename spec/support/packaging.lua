-- What specs of packaging share: make in an environment of its own, and lists of files.

local process = require "spec.support.process"

local M = {}

M.VERSION = rawget(_G, "jit") and "jit" or _VERSION:match("%d+%.%d+")

-- The lines that a command writes, at least one.
function M.lines_of(command)
  local pipe = assert(io.popen(command, "r"))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  assert(#list > 0, command .. " finds nothing")
  return list
end

-- The environment of a user of his own; nothing of a make that runs the specs reaches it.
function M.clean(extra)
  local env = {
    MAKEFLAGS = false,
    MFLAGS = false,
    MAKELEVEL = false,
    MAKEOVERRIDES = false,
    LUA_PATH = false,
    LUA_CPATH = false,
  }
  for name, value in pairs(extra or {}) do env[name] = value end
  local all = process.environment(env)
  for name, value in pairs(env) do all[name] = value end
  return all
end

-- Runs make for this Lua, or another.
function M.make(target, root, version)
  return process.run({
    "make",
    "-s",
    target,
    "LUA_VERSION=" .. (version or M.VERSION),
    "DESTDIR=" .. root,
    "PREFIX=/usr",
  }, { env = M.clean(), timeout = 120 })
end

return M
