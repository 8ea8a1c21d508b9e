-- Results as CSV (RFC 4180, with plain line feeds): a row per item.

local csv_text = require "polytomic.csv_text"
local fields = require "polytomic.cli.fields"

local M = {}

local function cell(value, raw)
  if fields.is_null(value) then return "" end
  if type(value) == "table" then value = require("polytomic.cli.json").encode(value, {}) end
  return csv_text.cell(value, raw)
end

local Rows = {}
Rows.__index = Rows

local function header(self, items)
  local known = {}
  self.names = {}
  local seen = self.fields and {} or fields.names(items)
  for _, list in ipairs { self.fields or self.documented or {}, seen } do
    for _, name in ipairs(list) do
      if not known[name] then
        known[name] = true
        self.names[#self.names + 1] = name
      end
    end
  end
  self.known = known
  if #self.names == 0 and #items > 0 then
    self.names, self.plain = { "value" }, true
  end
  local titles = {}
  for i, name in ipairs(self.names) do titles[i] = cell(name, self.raw) end
  return #titles > 0 and table.concat(titles, ",") .. "\n" or ""
end

-- Notes members that have no column, since the header was written before they were seen.
local function note_others(self, item)
  if self.fields or self.plain then return end
  for name in pairs(fields.is_object(item) and item or {}) do
    if not self.known[name] then
      self.known[name] = true
      self.left_out[#self.left_out + 1] = name
    end
  end
end

-- The text for some more items; the first time with the header.
function Rows:items(items)
  local parts = {}
  if not self.names then parts[1] = header(self, items) end
  for _, item in ipairs(items) do
    note_others(self, item)
    local cells = {}
    for i, name in ipairs(self.names) do
      local value = item
      if not self.plain then value = fields.value(item, name) end
      cells[i] = cell(value, self.raw)
    end
    parts[#parts + 1] = table.concat(cells, ",") .. "\n"
  end
  return table.concat(parts)
end

-- What came too late for a column, or nil.
function Rows:remark()
  if #self.left_out == 0 then return nil end
  return "no column for " .. table.concat(self.left_out, ", ")
    .. ", first seen after the header was written; --fields chooses"
end

-- Rows for a list. `documented` names the columns it has in any case; `raw` leaves formulas as they
-- are.
function M.list(wanted, documented, raw)
  return setmetatable({ fields = wanted, documented = documented, raw = raw, left_out = {} },
    Rows)
end

return M
