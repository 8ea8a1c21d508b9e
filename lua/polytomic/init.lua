-- The Polytomic API from Lua: clients, and every operation as a function.

local core = require "polytomic.core"

local M = {
  _VERSION = "polytomic " .. core.version,
  null = core.null,
  new = core.new,
  client = core.client,
  configure = core.configure,
}

for name, operation in pairs(core.functions) do M[name] = operation end

-- Described when first asked for: most programs never do.
local late = { operations = core.describe }

return setmetatable(M, {
  __index = function(module, name)
    local make = late[name]
    if not make then return nil end
    local value = make()
    rawset(module, name, value)
    return value
  end,
})
