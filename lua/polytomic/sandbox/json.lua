-- JSON for the sandbox: reads with a private lua-cjson, writes with its own encoder, which can tell `[]` from `{}`.
--
-- Debian's lua-cjson 2.1.0 cannot write an empty array, keeps 14 digits and has process-wide settings;
-- nothing here touches the shared instance.

local cjson = require "cjson.safe"

local M = {}

-- The JSON null: the same light userdata lua-cjson reads.
M.null = cjson.null

local reader = cjson.new()
reader.decode_invalid_numbers(false)
local array_metatable = { __name = "polytomic.sandbox.array" }

-- Marks `list` (a new table if absent) as an array, so that it is written as `[]` even when empty.
function M.array(list)
  return setmetatable(list or {}, array_metatable)
end

local subtype = rawget(math, "type") -- integers and floats differ on Lua 5.3 and later
local to_integer = rawget(math, "tointeger")

-- lua-cjson reads every number as a float: turns those without a fraction into integers.
local function restore_integers(value)
  if type(value) == "number" then return to_integer(value) or value end
  if type(value) ~= "table" then return value end
  for name, member in pairs(value) do value[name] = restore_integers(member) end
  return value
end

-- Returns the decoded value, or nil and a message.
function M.decode(text)
  local value, message = reader.decode(text)
  if value ~= nil and to_integer then value = restore_integers(value) end
  return value, message
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }

local function escape(char)
  local short = escapes[char]
  if not short then
    short = string.format("\\u%04x", char:byte())
    escapes[char] = short
  end
  return short
end

local function write_string(out, text)
  out[#out + 1] = '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

local function write_number(out, number)
  assert(number == number and number < math.huge and number > -math.huge, "JSON has no such number")
  if number % 1 == 0 and number > -1e15 and number < 1e15 then
    out[#out + 1] = string.format("%.0f", number)
  elseif subtype and subtype(number) == "integer" then
    out[#out + 1] = string.format("%d", number)
  else
    out[#out + 1] = string.format("%.17g", number)
  end
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
    write_string(out, names[i])
    out[#out + 1] = ":"
    write(out, object[names[i]])
  end
  out[#out + 1] = "}"
end

function write(out, value)
  local kind = type(value)
  if kind == "string" then
    write_string(out, value)
  elseif kind == "number" then
    write_number(out, value)
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

-- Writes a value. Member names are sorted, so equal values give equal text. Raises on what JSON cannot hold.
function M.encode(value)
  local out = {}
  write(out, value)
  return table.concat(out)
end

return M
