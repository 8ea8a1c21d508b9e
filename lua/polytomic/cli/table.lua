-- Results as tables for people: a list with a column per field, an object with a line per field.
-- On a terminal they keep to its width.

local fields = require "polytomic.cli.fields"
local terminal = require "polytomic.terminal"

local M = {}

local GAP = "  "
local NARROWEST, COMFORTABLE, WIDEST = 4, 12, 60 -- columns of one field

-- A value as text of one line.
local function text_of(value)
  if value == nil or fields.is_null(value) then return "" end
  if type(value) == "table" then
    return terminal.line(require("polytomic.cli.json").encode(value, {}))
  end
  if type(value) == "number" then return require("polytomic.json_text").number(value) end
  return terminal.line(value)
end

-- Ids and what is shown only once are not cut while anything else can be.
local function is_precious(name)
  return name == "id" or name == "value"
end

-- ---- widths ----

local function total(widths)
  local sum = #GAP * (#widths - 1)
  for _, width in ipairs(widths) do sum = sum + width end
  return sum
end

-- The widest column, of those that are precious or of the others, that may still be narrowed to
-- `least`; nil where none may.
local function widest(names, widths, least, precious)
  local index
  for i, width in ipairs(widths) do
    if width > least and is_precious(names[i]) == precious then
      if not index or width > widths[index] then index = i end
    end
  end
  return index
end

-- Narrows columns until they fit, and leaves out the last ones where that is not enough. Returns
-- the names of those left out.
local function fit_columns(names, widths, columns)
  local left_out = {}
  while total(widths) > columns do
    local index = widest(names, widths, COMFORTABLE, false)
    if index then
      widths[index] = widths[index] - 1
    elseif #widths > 2 then
      table.insert(left_out, 1, table.remove(names))
      table.remove(widths)
    else
      index = widest(names, widths, COMFORTABLE, true)
        or widest(names, widths, NARROWEST, false)
        or widest(names, widths, NARROWEST, true)
      if not index then break end
      widths[index] = widths[index] - 1
    end
  end
  return left_out
end

-- ---- lists ----

local Lines = {}
Lines.__index = Lines

local function row(texts, widths, paint)
  local cells = {}
  for i, text in ipairs(texts) do
    local cell = widths[i] and terminal.fit(text, widths[i]) or text
    if i < #texts and widths[i] then cell = terminal.pad(cell, widths[i]) end
    cells[i] = paint and paint(cell, "bold") or cell
  end
  return table.concat(cells, GAP) .. "\n"
end

-- Chooses the columns by the first items.
local function begin(self, items)
  local names = {}
  for i, name in ipairs(self.fields or fields.names(items)) do names[i] = name end
  local widths = {}
  for i, name in ipairs(names) do
    local shown = terminal.line(name)
    widths[i] = terminal.width(shown)
    for _, item in ipairs(items) do
      local width = terminal.width(text_of(fields.value(item, name)))
      if self.columns and not is_precious(name) then width = math.min(width, WIDEST) end
      widths[i] = math.max(widths[i], width)
    end
  end
  self.names, self.widths = names, widths
  self.left_out = self.columns and fit_columns(names, widths, self.columns) or {}
end

local function header(self)
  local titles = {}
  for i, name in ipairs(self.names) do titles[i] = terminal.line(name) end
  return row(titles, self.widths, self.paint)
end

-- The text for some more items.
function Lines:items(items)
  local parts = {}
  if not self.names and #items > 0 then
    begin(self, items)
    if #self.names > 0 then parts[1] = header(self) end
  end
  for _, item in ipairs(items) do
    if fields.is_object(item) and #self.names > 0 then
      local texts = {}
      for i, name in ipairs(self.names) do texts[i] = text_of(fields.value(item, name)) end
      parts[#parts + 1] = row(texts, self.widths)
    else
      local text = text_of(item)
      parts[#parts + 1] = (self.columns and terminal.fit(text, self.columns) or text) .. "\n"
    end
  end
  return table.concat(parts)
end

-- What was left out for lack of room, or nil.
function Lines:remark()
  if not self.left_out or #self.left_out == 0 then return nil end
  return "no room for " .. table.concat(self.left_out, ", ") .. "; --fields chooses"
end

-- A table for a list. `columns` is the width it has to keep to, nil for none; `paint` colours.
function M.list(wanted, columns, paint)
  return setmetatable({ fields = wanted, columns = columns, paint = paint }, Lines)
end

-- ---- objects ----

-- An object, a line per field.
function M.object(object, wanted, columns, paint)
  local names, label = wanted or fields.names { object }, 0
  for _, name in ipairs(names) do label = math.max(label, terminal.width(terminal.line(name))) end
  local lines = {}
  for i, name in ipairs(names) do
    local text = text_of(fields.value(object, name))
    local room = columns and columns - label - #GAP
    if room and not is_precious(name) and room >= NARROWEST then text = terminal.fit(text, room) end
    local title = terminal.pad(terminal.line(name), label)
    lines[i] = ((paint and paint(title, "bold") or title) .. GAP .. text):gsub(" +$", "") .. "\n"
  end
  return table.concat(lines)
end

-- Any other value.
M.text = text_of

return M
