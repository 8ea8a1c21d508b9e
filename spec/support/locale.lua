-- A locale with a decimal comma, and scripts that run under it.

local process = require "spec.support.process"

local M = {}

local WANTED = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8" }

local name, directory

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- The machine's, else one made from the sources of the package `locales`.
local function find()
  local before = os.setlocale(nil, "numeric")
  for _, wanted in ipairs(WANTED) do
    name = name or os.setlocale(wanted, "numeric")
  end
  os.setlocale(before, "numeric")
  if name then return end
  directory = process.directory()
  local status, _, err =
    process.run({ "localedef", "-f", "UTF-8", "-i", "de_DE", directory .. "/de_DE.UTF-8" },
      { timeout = 120 }) -- a minute's work on a machine that is busy
  assert(status == 0, "no locale with a decimal comma, and none can be made: " .. err)
  name = "de_DE.UTF-8"
end

-- What a script writes that is run by this Lua after it has set that locale; its arguments follow.
function M.run(script, ...)
  local gone = directory and not exists(directory .. "/de_DE.UTF-8/LC_NUMERIC")
  if not name or gone then
    name, directory = nil, nil
    find()
  end
  local path = process.temporary_file([[
    assert(os.setlocale(table.remove(arg, 1)))
    assert(rawget(_G, "jit") or string.format("%.1f", 0.5) == "0,5", "it has no decimal comma")
  ]] .. script)
  local status, out, err = process.run(
    { process.interpreter(), path, name, ... },
    { env = process.environment { LOCPATH = directory or false } }
  )
  assert(status == 0 and err == "", err)
  return out
end

return M
