-- A locale with a decimal comma, and scripts that run under it.

local process = require "spec.support.process"

local M = {}

-- POSIX in all but numbers, as the package `locales` has its parts. A real locale takes localedef a
-- second, this one some milliseconds.
local SOURCES = { POSIX = "CTYPE COLLATE MONETARY TIME MESSAGES",
  i18n = "PAPER NAME ADDRESS TELEPHONE MEASUREMENT IDENTIFICATION" }
local NUMBERS = 'LC_NUMERIC\ndecimal_point ","\nthousands_sep "."\ngrouping 3;3\nEND LC_NUMERIC\n'

local function definition()
  local parts = { NUMBERS }
  for source, categories in pairs(SOURCES) do
    for category in categories:gmatch "%u+" do
      parts[#parts + 1] = ('LC_%s\ncopy "%s"\nEND LC_%s\n'):format(category, source, category)
    end
  end
  return table.concat(parts)
end

-- The directory with the locale `comma`.
local function make()
  local directory = process.directory()
  local status, _, err = process.run {
    "localedef", "--quiet", "-f", "ANSI_X3.4-1968", "-i", process.temporary_file(definition()),
    directory .. "/comma" }
  assert(status == 0, "no locale with a decimal comma can be made: " .. err)
  return directory
end

-- What a script writes that is run by this Lua after it has set that locale; its arguments follow.
function M.run(script, ...)
  local path = process.temporary_file([[
    assert(os.setlocale "comma")
    assert(rawget(_G, "jit") or string.format("%.1f", 0.5) == "0,5", "it has no decimal comma")
  ]] .. script)
  local status, out, err = process.run({ process.interpreter(), path, ... },
    { env = process.environment { LOCPATH = process.shared("locale", make) } })
  assert(status == 0 and err == "", err)
  return out
end

return M
