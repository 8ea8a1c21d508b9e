-- Which members of a result are printed: those that --fields names, or all that are there.

local M = {}

-- Whether a value is the JSON null, the only userdata in results.
function M.is_null(value)
  return type(value) == "userdata"
end

-- A list of values, as opposed to an object.
function M.is_list(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

-- An object: a table with names.
function M.is_object(value)
  return type(value) == "table" and value[1] == nil and next(value) ~= nil
end

-- The value of a field, which may be a dotted path; nil where there is none.
function M.value(item, field)
  if type(item) ~= "table" then return nil end
  local value = item[field]
  if value ~= nil then return value end
  for name in field:gmatch "[^.]+" do
    if type(item) ~= "table" then return nil end
    item = item[name]
  end
  return item
end

-- An object of these fields alone, that is written in their order; what is missing is null.
function M.select(item, fields)
  if not M.is_object(item) then return item end
  local selected = {}
  for _, field in ipairs(fields) do
    local value = M.value(item, field)
    if value == nil then value = require("polytomic.json_text").null end
    selected[field] = value
  end
  return setmetatable(selected, { order = fields })
end

-- What comes first in a table or a row; others follow by name.
local FIRST = {}
for i, name in ipairs { "id", "name", "email", "type", "status", "role", "value" } do
  FIRST[name] = i
end

local function before(one, other)
  local first, second = FIRST[one] or 100, FIRST[other] or 100
  if first ~= second then return first < second end
  return one < other
end

-- The names of all members that are not null in any of the items, in the order of columns.
function M.names(items)
  local known, names = {}, {}
  for _, item in ipairs(items) do
    for name, value in pairs(M.is_object(item) and item or {}) do
      if not known[name] and not M.is_null(value) then
        known[name] = true
        names[#names + 1] = name
      end
    end
  end
  table.sort(names, before)
  return names
end

-- ---- the documented fields ----

-- The names of the documented fields of an operation's data, or of each element where it is a list;
-- nil where they are open.
function M.documented(name)
  local operation = require("polytomic.cli.descriptions").operations[name]
  if not operation or not operation.fields then return nil end
  local names = {}
  for i, field in ipairs(operation.fields) do names[i] = field end
  table.sort(names, before)
  return names
end

-- The first of the wanted fields that is not among the names, and the nearest of them; or nil.
function M.unknown(wanted, names)
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for _, field in ipairs(wanted) do
    local first = field:match "^[^.]*"
    if not known[field] and not known[first] then
      return field, require("polytomic.core").nearest(first, names)
    end
  end
end

return M
