-- The Polytomic API from Lua: clients, and every operation as a function.

local core = require "polytomic.core"
local version = require "polytomic.version"

-- Their paths are set apart: an older installation may give the one, a newer one the other.
if core.version ~= version then
  error(("polytomic %s was found with the core of %s: package.path and package.cpath (LUA_PATH and "
    .. "LUA_CPATH) lead to different installations"):format(version, tostring(core.version)), 0)
end

local run = require "polytomic.run"

local M = {
  _VERSION = "polytomic " .. version,
  null = core.null,
  array_mt = core.array_mt,
  empty_array = setmetatable({}, {
    __jsontype = "array",
    __newindex = function()
      error("polytomic.empty_array stays empty; give a table of your own polytomic.array_mt", 2)
    end,
    __metatable = "protected",
  }),
  new = core.new,
  client = core.client,
}

-- Module functions run on the default client. They are the core's own, unless that client has a
-- `wait`: then they are Lua functions, through which a coroutine can yield on every Lua. Each is
-- looked up once.
local functions
local looked_up = {}

local function set_functions(has_wait)
  functions = has_wait and run.functions or core.functions
  for name in pairs(looked_up) do M[name] = nil end
  looked_up = {}
end

-- Replaces the default client. Options as for polytomic.new; returns the client.
function M.configure(options)
  local client = core.configure(options)
  set_functions(core.wait_of(client) ~= nil)
  return client
end

-- The other methods of a client, run on the default client: all but the end of it.
local function on_default_client(name)
  if name == "close" or rawget(core.methods, name) == nil then return nil end
  return function(first, ...)
    if first == M then
      core.raise(("%s: this is the module's function: polytomic.%s(…)"):format(name, name))
    end
    local client = core.client()
    return client[name](client, first, ...)
  end
end

-- Described when first asked for: most programs never do.
local late = { operations = core.describe }

run.install()
require("polytomic.batch").install()
require("polytomic.pages").install()
require("polytomic.find").install()
require("polytomic.patch").install()
require("polytomic.ensure").install()
require("polytomic.wait_for").install()
require("polytomic.check").install()
set_functions(core.default_waits()) -- a module loaded again finds the default client of before

return setmetatable(M, {
  __name = "polytomic", -- by which its functions notice a colon
  __index = function(module, name)
    local make = late[name]
    local value
    if make then
      value = make()
    else
      value = functions[name]
      if value then looked_up[name] = true else value = on_default_client(name) end
    end
    if value ~= nil then rawset(module, name, value) end
    return value
  end,
})
