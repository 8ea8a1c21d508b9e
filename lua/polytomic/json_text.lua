-- JSON text for the command line, provisioning and the sandbox: reads with a private lua-cjson, and
-- writes values with their members sorted.
--
-- Debian's lua-cjson 2.1.0 keeps 14 digits, cannot write an empty array and has process-wide
-- settings: it only reads here.

local cjson = require "cjson.safe"
local core = require "polytomic.core"
local sorted_names = require "polytomic.sorted_names"

local M = {}

local array_mt = core.array_mt

-- The JSON null: the same light userdata lua-cjson reads.
M.null = cjson.null

local reader = cjson.new()
reader.decode_invalid_numbers(false)

local subtype = rawget(math, "type") -- integers and floats differ on Lua 5.3 and later
local to_integer = rawget(math, "tointeger")

-- lua-cjson reads every number as a float: turns those without a fraction into integers.
local function restore_integers(value)
  if type(value) == "number" then return to_integer(value) or value end
  if type(value) ~= "table" then return value end
  for name, member in pairs(value) do value[name] = restore_integers(member) end
  return value
end

-- What lua-cjson calls the parts of a text.
local TOKENS = {
  T_OBJ_BEGIN = "'{'", T_OBJ_END = "'}'", T_ARR_BEGIN = "'['", T_ARR_END = "']'",
  T_STRING = "a string", T_NUMBER = "a number", T_BOOLEAN = "a boolean", T_NULL = "null",
  T_COLON = "':'", T_COMMA = "','", T_END = "the end",
}

-- The value of a JSON text; or nil and why there is none.
function M.decode(text)
  local value, message = reader.decode(text)
  if value ~= nil and to_integer then value = restore_integers(value) end
  return value, message and message:gsub("T_[%u_]+", TOKENS):gsub("^Expected", "expected") or nil
end

local escapes = {
  ['"'] = '\\"',
  ["\\"] = "\\\\",
  ["\b"] = "\\b",
  ["\f"] = "\\f",
  ["\n"] = "\\n",
  ["\r"] = "\\r",
  ["\t"] = "\\t",
}

local function escape(char)
  return escapes[char] or string.format("\\u%04x", char:byte())
end

-- A string with its quotes.
function M.string(text)
  return '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

-- A number's text with the decimal point of JSON, whatever the locale's.
local function with_point(text)
  return (text:gsub("[^%d%-+e]+", "."))
end

-- The shortest digits that read back as the same number. Raises for what JSON cannot hold.
function M.number(number)
  assert(number == number and number < math.huge and number > -math.huge, "JSON has no such number")
  if subtype and subtype(number) == "integer" then return string.format("%d", number) end
  if number % 1 == 0 and math.abs(number) < 2 ^ 53 then return string.format("%.0f", number) end
  for digits = 15, 16 do
    local text = string.format("%." .. digits .. "g", number)
    if tonumber(text) == number then return with_point(text) end -- it reads as the locale has it
  end
  return with_point(string.format("%.17g", number))
end

-- Marks a list (a new table if absent), so that it is written as `[]` even when it is empty: as the
-- empty lists of replies are marked.
function M.array(list)
  return setmetatable(list or {}, array_mt)
end

-- The text, where it is not UTF-8 with U+FFFD in place of every byte above ASCII.
local function repaired(text)
  if core.valid_utf8(text) then return text end
  return (text:gsub("[\128-\255]", "\239\191\189"))
end

local write

local function write_list(out, list)
  out[#out + 1] = "["
  for i = 1, #list do
    if i > 1 then out[#out + 1] = "," end
    write(out, list[i])
  end
  out[#out + 1] = "]"
end

local function write_object(out, object)
  local names = sorted_names(object)
  out[#out + 1] = "{"
  for i = 1, #names do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = M.string(names[i])
    out[#out + 1] = ":"
    write(out, object[names[i]])
  end
  out[#out + 1] = "}"
end

function write(out, value)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = M.string(repaired(value))
  elseif kind == "number" then
    out[#out + 1] = M.number(value)
  elseif kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind == "table" then
    if value[1] ~= nil or getmetatable(value) == array_mt then
      write_list(out, value)
    else
      write_object(out, value)
    end
  else
    assert(value == M.null, "JSON has no " .. kind)
    out[#out + 1] = "null"
  end
end

-- The text of a value, for programs: on one line, equal values as equal texts. An empty table is an
-- object unless it is marked. Raises on what JSON cannot hold.
function M.encode(value)
  local out = {}
  write(out, value)
  return table.concat(out)
end

return M
