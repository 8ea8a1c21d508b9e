-- JSON for the command line: reads with a private lua-cjson, writes with sorted members and tells `[]` from `{}`.

local arrays = require "polytomic.cli.arrays"
local cjson = require("cjson.safe").new()

cjson.decode_invalid_numbers(false)

local M = {}

local subtype = rawget(math, "type") -- integers and floats differ on Lua 5.3 and later
local to_integer = rawget(math, "tointeger")

-- lua-cjson reads every number as a float: turns those without a fraction into integers.
local function restore_integers(value)
  if type(value) == "number" then return to_integer(value) or value end
  if type(value) ~= "table" then return value end
  for name, member in pairs(value) do value[name] = restore_integers(member) end
  return value
end

-- The value of a JSON text; or nil and why there is none.
function M.decode(text)
  local value, message = cjson.decode(text)
  if value ~= nil and to_integer then value = restore_integers(value) end
  return value, message
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return escapes[char] or string.format("\\u%04x", char:byte())
end

local function string_text(text)
  return '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

-- The shortest digits that read back as the same number.
local function number_text(number)
  if subtype and subtype(number) == "integer" then return string.format("%d", number) end
  if number % 1 == 0 and math.abs(number) < 2 ^ 53 then return string.format("%.0f", number) end
  for digits = 15, 16 do
    local text = string.format("%." .. digits .. "g", number)
    if tonumber(text) == number then return text end
  end
  return string.format("%.17g", number)
end

local function line_break(writer, depth)
  if writer.pretty then writer[#writer + 1] = "\n" .. ("  "):rep(depth) end
end

local write

-- One bracketed list of `count` entries; `write_entry(i)` writes the i-th.
local function write_entries(writer, brackets, count, depth, write_entry)
  writer[#writer + 1] = brackets:sub(1, 1)
  for i = 1, count do
    if i > 1 then writer[#writer + 1] = "," end
    line_break(writer, depth + 1)
    write_entry(i)
  end
  if count > 0 then line_break(writer, depth) end
  writer[#writer + 1] = brackets:sub(2)
end

local function write_object(writer, object, depth)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names)
  write_entries(writer, "{}", #names, depth, function(i)
    local name = names[i]
    writer[#writer + 1] = string_text(name) .. (writer.pretty and ": " or ":")
    write(writer, object[name], depth + 1, arrays[name])
  end)
end

-- `is_array` decides for an empty table.
function write(writer, value, depth, is_array)
  local kind = type(value)
  if kind == "string" then
    writer[#writer + 1] = string_text(value)
  elseif kind == "number" then
    writer[#writer + 1] = number_text(value)
  elseif kind == "boolean" then
    writer[#writer + 1] = tostring(value)
  elseif kind ~= "table" then
    writer[#writer + 1] = "null"
  elseif value[1] ~= nil or is_array and next(value) == nil then
    write_entries(writer, "[]", #value, depth, function(i) write(writer, value[i], depth + 1) end)
  else
    write_object(writer, value, depth)
  end
end

-- The text of a decoded value. Options: `pretty` (one member a line), `array` (an empty table is `[]`).
function M.encode(value, options)
  local writer = { pretty = options.pretty }
  write(writer, value, 0, options.array)
  return table.concat(writer)
end

return M
