-- Finds the libraries the sandbox's server needs, and says clearly what to install when they
-- are missing.

local M = {}

-- Debian installs lua-http under the 5.1 directory, where Lua 5.3 and 5.4 do not look. It runs on
-- them all.
local debian = ";/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"

local function find()
  local ok, message = pcall(require, "http.server")
  if ok then return true end
  local path = package.path
  package.path = path:gsub(";+$", "") .. debian -- ";;" would stand for the default path
  ok = pcall(require, "http.server")
  if ok then return true end
  package.path = path
  return nil, message
end

-- True if everything is there; nil and a one-line message if not.
function M.check()
  local ok, message = find()
  if ok then return true end
  local reason = tostring(message):match("^[^\n]*"):gsub(":$", "")
  return nil,
    "the sandbox needs lua-http: install the Debian package lua-http or the rock http (" .. reason
      .. ")"
end

return M
