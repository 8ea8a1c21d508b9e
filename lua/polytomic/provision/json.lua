-- JSON of plain values, with members in order: for the ledger, the keys file and reports.

local json_text = require "polytomic.json_text"

local M = { decode = json_text.decode }

local encode

local function add_object(parts, object)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names)
  parts[#parts + 1] = "{"
  for i, name in ipairs(names) do
    if i > 1 then parts[#parts + 1] = "," end
    parts[#parts + 1] = json_text.string(name) .. ":"
    encode(parts, object[name])
  end
  parts[#parts + 1] = "}"
end

local function add_list(parts, list)
  parts[#parts + 1] = "["
  for i, entry in ipairs(list) do
    if i > 1 then parts[#parts + 1] = "," end
    encode(parts, entry)
  end
  parts[#parts + 1] = "]"
end

function encode(parts, value)
  local kind = type(value)
  if kind == "string" then
    parts[#parts + 1] = json_text.string(value)
  elseif kind == "number" then
    parts[#parts + 1] = json_text.number(value)
  elseif kind == "table" and value[1] ~= nil then
    add_list(parts, value)
  elseif kind == "table" then
    add_object(parts, value)
  elseif value == json_text.null then
    parts[#parts + 1] = "null"
  else
    parts[#parts + 1] = tostring(value)
  end
end

-- The text of a value. An empty table is an object.
function M.encode(value)
  local parts = {}
  encode(parts, value)
  return table.concat(parts)
end

return M
