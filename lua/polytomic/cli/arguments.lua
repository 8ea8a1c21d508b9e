-- Turns the words `name=value` of the command line into the arguments of an operation, led by the
-- types of its fields.

local files = require "polytomic.cli.files"

local M = {}

-- JSON is read only where it is written: the help needs no lua-cjson.
local function decode(text)
  return require("polytomic.cli.json").decode(text)
end

local KEYS = { api_key = true, partner_key = true, deployment_key = true }

-- The name of the key that a word of the command line would give, or nil.
function M.key_in(word)
  local name = (word:match("^%-*([%w_%-]+)") or ""):gsub("%-", "_"):lower()
  return KEYS[name] and name or nil
end

local INTEGER = "^%-?[1-9]%d*$" -- as JSON writes it, and not 0

local subtype = rawget(math, "type") -- Lua 5.3 and later have integers of 64 bits

-- The number of a text; the text itself where it is none: the library refuses it by its field's
-- name. Nil and a message where Lua cannot hold it.
local function integer(text)
  if text ~= "0" and not text:find(INTEGER) then return text end
  local number = tonumber(text)
  local exact = subtype and subtype(number) == "integer"
    or not subtype and math.abs(number) <= 2 ^ 53 and ("%.0f"):format(number) == text
  if exact then return number end
  return nil, "is an integer beyond what " .. _VERSION .. " can hold exactly"
end

local function float(text)
  return text:find("^%-?%d+%.?%d*[eE]?[+-]?%d*$") and tonumber(text) or text
end

local BOOLEANS = { ["true"] = true, ["false"] = false }

local function boolean(text)
  local value = BOOLEANS[text]
  if value == nil then return text end
  return value
end

local function structure(text)
  local value = text:find("^%s*[%[{]") and decode(text)
  return value or text
end

local SCALARS =
  { integer = integer, number = float, boolean = boolean, object = structure, map = structure }

local function scalar(kind, text)
  local convert = SCALARS[kind]
  if convert then return convert(text) end
  return text
end

-- Adds what one word gives to a list: a JSON array, elements between commas, or one element that is
-- an object. The list; or nil and a message.
local function add_to_list(list, field, text)
  local whole = text:find("^%s*%[") and decode(text)
  if type(whole) == "table" then
    for _, element in ipairs(whole) do list[#list + 1] = element end
  elseif SCALARS[field.element] == structure then
    list[#list + 1] = structure(text)
  elseif text ~= "" then
    for element in (text .. ","):gmatch("([^,]*),") do
      local value, problem = scalar(field.element, element)
      if problem then return nil, problem end
      list[#list + 1] = value
    end
  end
  return list
end

local function give(arguments, field, name, text)
  local problem
  if field and field.type == "array" then
    local list = arguments[name]
    arguments[name], problem = add_to_list(type(list) == "table" and list or {}, field, text)
  elseif arguments[name] ~= nil then
    return nil, name .. " is given twice"
  elseif field then
    arguments[name], problem = scalar(field.type, text)
  else
    arguments[name] = text
  end
  if problem then return nil, name .. " " .. problem end
  return true
end

local function give_json(arguments, name, text)
  if arguments[name] ~= nil then return nil, name .. " is given twice" end
  local value, message
  if text:find(INTEGER) then -- lua-cjson would round it
    value, message = integer(text)
    if not value then return nil, name .. " " .. message end
  else
    value, message = decode(text)
    if value == nil then
      return nil, name .. " is not JSON: " .. message, "write " .. name .. "=… for text"
    end
  end
  arguments[name] = value
  return true
end

local function fields_by_name(operation)
  local fields = {}
  for _, field in ipairs(operation.arguments) do fields[field.name] = field end
  return fields
end

-- How an argument of the operation is given: the first that is required, or the first.
local function example(operation)
  local field = operation.arguments[1]
  for _, each in ipairs(operation.arguments) do
    if each.required then
      field = each
      break
    end
  end
  return field and "write " .. field.name .. "=…" or nil
end

-- The arguments that the words give; or nil, a message, which repeats no value, and perhaps advice.
function M.read(operation, words)
  local fields = fields_by_name(operation)
  local arguments = {}
  local inputs = 0
  for position, word in ipairs(words) do
    local name, mark, value = word:match("^([%w_%.%-]+)(:?=)(.*)$")
    if not name then
      return nil,
        "argument " .. position .. " of " .. operation.name .. " is not of the form name=value",
        example(operation)
    end
    if value == "-" then inputs = inputs + 1 end
    if inputs > 1 then return nil, name .. " reads standard input a second time" end
    local text, message = files.text_of(value)
    if not text then
      return nil, name .. ": " .. message, "text that begins with @ is written " .. name
        .. [[:='"@…"']]
    end
    local ok, advice
    if mark == ":=" then
      ok, message, advice = give_json(arguments, name, text)
    else
      ok, message = give(arguments, fields[name], name, text)
    end
    if not ok then return nil, message, advice end
  end
  return arguments
end

return M
