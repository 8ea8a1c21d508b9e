-- The file that minted keys are written to: a line of JSON for each.

local core = require "polytomic.core"
local json = require "polytomic.json_text"

local M = {}
local unpack = table.unpack or unpack -- luacheck: ignore

-- The line of the keys file for a minted key.
local function key_line(record)
  local parts = {}
  for i, name in ipairs { "organization", "organization_id", "email", "user_id", "value" } do
    parts[i] = ('"%s":%s'):format(name, json.string(record[name]))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Writes the minted keys of tasks whose leases are held, durably; says whether they are there.
function M.keep(self, tasks)
  local lines = {}
  for _, task in ipairs(tasks) do
    if task.key and not task.over then lines[#lines + 1] = key_line(task.key) end
  end
  if #lines == 0 then return true end
  local ok, message = core.append_durably(self.keys, unpack(lines))
  if ok then return true end
  self.failure = self.failure
    or { message = ("cannot write the keys file %s: %s"):format(self.keys, message) }
  return false
end

return M
