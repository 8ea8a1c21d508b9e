-- CSV cells (RFC 4180) for the command line and the reports of provisioning: none that a
-- spreadsheet would run as a formula.

local M = {}

-- What a spreadsheet would run as a formula: it gets an apostrophe, as spreadsheets themselves
-- mark text. Full-width forms count.
local function guarded(text)
  local first = text:match "^[=+%-@\t\r\n]" or text:match "^\239\188[\139\141\157]"
    or text:match "^\239\188\160"
  if not first or text:find "^%-?%d+%.?%d*$" then return text end
  return "'" .. text
end

local function quoted(text)
  if not text:find '[",\r\n]' and not text:find "^ " and not text:find " $" then return text end
  return '"' .. text:gsub('"', '""') .. '"'
end

-- The cell of a value that is no table; nil is an empty one. `raw` leaves formulas as they are.
function M.cell(value, raw)
  if value == nil then return "" end
  if type(value) == "number" then return require("polytomic.json_text").number(value) end
  local text = tostring(value)
  return quoted(raw and text or guarded(text))
end

return M
