-- JSON for people who read the command line's output: on several lines, coloured, fit for a
-- terminal, members in a given order, an empty table as `[]` where the API has a list of that name.
-- json_text writes for programs, and faster.

local arrays = require "polytomic.cli.arrays"
local array_mt = require("polytomic.core").array_mt
local json_text = require "polytomic.json_text"
local sorted_names = require "polytomic.sorted_names"

local M = { decode = json_text.decode }

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

-- The names of an object's members: sorted, or in the order that its metatable says.
local function names_of(object)
  local meta = getmetatable(object)
  if meta and meta.order then return meta.order end
  return sorted_names(object)
end

local function string_text(writer, text)
  text = json_text.string(text)
  return writer.fit and writer.fit(text) or text
end

local function write_object(writer, object, depth)
  local names = names_of(object)
  write_entries(writer, "{}", #names, depth, function(i)
    local name = names[i]
    local text = string_text(writer, name)
    if writer.paint then text = writer.paint(text, "blue") end
    writer[#writer + 1] = text .. (writer.pretty and ": " or ":")
    write(writer, object[name], depth + 1, arrays[name])
  end)
end

-- `is_array` decides for an empty table.
function write(writer, value, depth, is_array)
  local kind = type(value)
  if kind == "string" then
    writer[#writer + 1] = string_text(writer, value)
  elseif kind == "number" then
    writer[#writer + 1] = json_text.number(value)
  elseif kind == "boolean" then
    writer[#writer + 1] = tostring(value)
  elseif kind ~= "table" then
    writer[#writer + 1] = "null"
  elseif
    value[1] ~= nil or next(value) == nil and (is_array or getmetatable(value) == array_mt)
  then
    write_entries(writer, "[]", #value, depth, function(i) write(writer, value[i], depth + 1) end)
  else
    write_object(writer, value, depth)
  end
end

-- The text of a decoded value. Options: `pretty` (one member a line), `array` (an empty table is
-- `[]`), `fit(text)` (what becomes of the text of a string), `paint(text, colour)` for names.
function M.encode(value, options)
  local writer = { pretty = options.pretty, fit = options.fit, paint = options.paint }
  write(writer, value, 0, options.array)
  return table.concat(writer)
end

return M
