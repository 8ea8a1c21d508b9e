-- Processes of this machine, as far as the system tells.

local M = {}

-- The process id and the start time of a process, of this one where no id is given; nil where it
-- has ended, although nobody may have asked for its status yet, or where the system does not say.
function M.find(id)
  local file = io.open("/proc/" .. (id or "self") .. "/stat", "r")
  local line = file and file:read "*l"
  if file then file:close() end
  if not line then return nil end
  local number, state, rest = line:match "^(%d+) %(.*%) (%a) (.*)$"
  if not number or state == "Z" or state == "X" then return nil end
  local fields = {}
  for field in rest:gmatch "%S+" do fields[#fields + 1] = field end
  return number, fields[19]
end

return M
