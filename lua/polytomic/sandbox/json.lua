-- JSON for the sandbox: writes with its own encoder, which distinguishes `[]` from `{}`.

local core = require "polytomic.core"
local json_text = require "polytomic.json_text"

local M = { null = json_text.null, decode = json_text.decode }

local array_metatable = { __name = "polytomic.sandbox.array" }

-- Marks `list` (a new table if absent) as an array, so that it is written as `[]` even when empty.
function M.array(list)
  return setmetatable(list or {}, array_metatable)
end

-- The text, where it is not UTF-8 with U+FFFD in place of every byte above ASCII.
local function repaired(text)
  if core.valid_utf8(text) then return text end
  return (text:gsub("[\128-\255]", "\239\191\189"))
end

local write

local function write_array(out, list)
  out[#out + 1] = "["
  for i = 1, #list do
    if i > 1 then out[#out + 1] = "," end
    write(out, list[i])
  end
  out[#out + 1] = "]"
end

local function write_object(out, object)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names)
  out[#out + 1] = "{"
  for i = 1, #names do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = json_text.string(names[i])
    out[#out + 1] = ":"
    write(out, object[names[i]])
  end
  out[#out + 1] = "}"
end

function write(out, value)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = json_text.string(repaired(value)) -- the log keeps what came
  elseif kind == "number" then
    out[#out + 1] = json_text.number(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind == "table" then
    if getmetatable(value) == array_metatable or value[1] ~= nil then
      write_array(out, value)
    else
      write_object(out, value)
    end
  else
    assert(value == M.null, "JSON has no " .. kind)
    out[#out + 1] = "null"
  end
end

-- Writes a value. Member names are sorted, so equal values give equal text. Raises on what JSON
-- cannot hold.
function M.encode(value)
  local out = {}
  write(out, value)
  return table.concat(out)
end

return M
