-- Where customers come from: CSV, JSON lines, JSON, Lua, a list or a function; each as a function
-- that gives one record after another.

local csv = require "polytomic.provision.csv"
local core = require "polytomic.core"
local fields = require "polytomic.provision.fields"
local json_text = require "polytomic.json_text"

local M = {}

local CHUNK = 65536 -- bytes
local MARK = "^\239\187\191" -- the byte order mark of UTF-8

-- A source is { next =, name =, unit =, rows =, close = }. `next()` gives a record and its number,
-- or nil, a number and a problem, or nil alone at the end. Numbers count lines, or customers, as
-- `unit` says; `rows` says that each record is one user's.

-- ---- CSV ----

local BOOLEANS = { yes = true, ["true"] = true, ["1"] = true, no = false, ["false"] = false,
  ["0"] = false }

-- What a cell stands for; or nil and a problem.
local function cell_value(column, text)
  local kind = fields.kind(column)
  if kind == "list" then
    local list = {}
    for element in (text .. ";"):gmatch "%s*([^;]-)%s*;" do
      if element ~= "" then list[#list + 1] = element end
    end
    return list
  elseif kind == "boolean" then
    local value = BOOLEANS[text:lower()]
    if value == nil then
      return nil, ("%s must be one of yes, true, 1, no, false, 0"):format(column)
    end
    return value
  end
  return text
end

local function shown(text)
  return '"' .. text:gsub("%c", "?") .. '"'
end

-- What is wrong with the first line of the table, as a list of problems.
local function header_problems(columns)
  local problems, seen = {}, {}
  if #columns == 1 and columns[1]:find "[;\t|]" then
    columns.nameless = true
    return { "cells must be separated by commas, the first line has "
      .. shown(columns[1]:match "[;\t|]") }
  end
  for _, column in ipairs(columns) do
    local problem
    if column == "" then
      problem = "a column has no name"
    elseif seen[column] then
      problem = ("the column %s appears twice"):format(shown(column))
    elseif not fields.kind(column) then
      problem = fields.unknown("column", column, fields.columns)
    end
    seen[column] = true
    problems[#problems + 1] = problem
  end
  columns.nameless = not seen.name -- what is wrong with the rows is reported all the same
  if not seen.name then problems[#problems + 1] = "there is no column \"name\"" end
  return problems
end

local function row_of(columns, cells)
  if #cells > #columns then
    return nil, ("there are %d cells, the first line has %d columns"):format(#cells, #columns)
  end
  local row, empty = {}, true
  for i, column in ipairs(columns) do
    local text = cells[i]
    if text and text ~= "" then
      empty = false
      if fields.kind(column) then
        local value, problem = cell_value(column, text)
        if value == nil then return nil, problem end
        row[column] = value
      end
    end
  end
  return row, empty
end

local function csv_source(read)
  local reader = csv.new(read)
  local columns, line, problem = reader:next()
  local pending
  if columns then
    pending = header_problems(columns)
  elseif line then
    pending = { problem }
  else
    pending, line = { "the file is empty, its first line must name the columns" }, 1
  end
  return function()
    if #pending > 0 then return nil, line, table.remove(pending, 1) end
    while columns do
      local cells, number, wrong = reader:next()
      if not cells then return nil, number, wrong end
      if not core.valid_utf8(table.concat(cells, ",")) then
        return nil, number, "it is not UTF-8"
      end
      local row, empty = row_of(columns, cells)
      if not row then return nil, number, empty end
      if not empty and not columns.nameless then return row, number end
    end
  end
end

-- ---- JSON ----

-- A decoded value whose objects have no members that are null. In a list null stays: without it the
-- list would end there.
local function without_nulls(value)
  if type(value) ~= "table" then return value end
  for name, member in pairs(value) do
    if member == json_text.null and type(name) == "string" then
      value[name] = nil
    else
      without_nulls(member)
    end
  end
  return value
end

local function decoded(text)
  if not core.valid_utf8(text) then return nil, "it is not UTF-8" end
  local value, problem = json_text.decode(text)
  if value == nil then return nil, "it is not JSON: " .. problem:gsub("%c", "?") end
  return without_nulls(value)
end

-- The next line of what `read()` gives, without its end; nil at the end.
local function line_reader(read)
  local text, at, over = "", 1, false
  return function()
    while true do
      local newline = text:find("\n", at, true)
      if newline then
        local line = text:sub(at, newline - 1)
        at = newline + 1
        return line
      end
      if over then
        if at > #text then return nil end
        local line = text:sub(at)
        at = #text + 1
        return line
      end
      local chunk = read()
      over = not chunk
      text = text:sub(at) .. (chunk or "")
      at = 1
    end
  end
end

local function lines_source(read)
  local next_line = line_reader(read)
  local number = 0
  return function()
    while true do
      local line = next_line()
      if not line then return nil end
      number = number + 1
      if number == 1 then line = line:gsub(MARK, "") end
      if line:find "%S" then
        local value, problem = decoded(line)
        if value == nil then return nil, number, problem end
        return value, number
      end
    end
  end
end

-- ---- lists and functions ----

local function list_source(list)
  local number, count = 0, 0
  for _ in pairs(list) do count = count + 1 end
  return function()
    number = number + 1
    if list[number] ~= nil then return list[number], number end
    if number <= count then return nil, number, "there is nothing at this place of the list" end
  end
end

local function function_source(give)
  local number = 0
  return function()
    number = number + 1
    local value = give()
    if value ~= nil then return value, number end
  end
end

-- The same of a function of a file: what it raises is a problem of the file, and its end.
local function file_function_source(give)
  local number, over = 0, false
  return function()
    if over then return nil end
    number = number + 1
    local ok, value = pcall(give)
    over = not ok or value == nil
    if not ok then return nil, number, (tostring(value):gsub("%c", " ")) end
    if value ~= nil then return value, number end
  end
end

local function is_list(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

local function value_source(value, name)
  if type(value) == "function" then
    return { next = function_source(value), name = name, unit = "customer" }
  elseif is_list(value) then
    return { next = list_source(value), name = name, unit = "customer" }
  end
  return nil, name .. " gives no list of customers"
end

-- ---- files ----

local function read_all(read)
  local parts = {}
  for chunk in read do parts[#parts + 1] = chunk end
  return table.concat(parts)
end

local by_extension = {}

function by_extension.csv(read, name)
  return { next = csv_source(read), name = name, unit = "line", rows = true }
end

function by_extension.jsonl(read, name)
  return { next = lines_source(read), name = name, unit = "line" }
end

function by_extension.json(read, name)
  local list, problem = decoded((read_all(read):gsub(MARK, "")))
  if list == nil then return nil, name .. ": " .. problem end
  return value_source(list, name)
end

function by_extension.lua(read, name)
  local text = read_all(read):gsub(MARK, ""):gsub("^#[^\n]*", "")
  local chunk, problem = (loadstring or load)(text, "@" .. name) -- luacheck: ignore
  if not chunk then return nil, (problem:gsub("%c", " ")) end
  local ok, value = pcall(chunk)
  if not ok then return nil, (tostring(value):gsub("%c", " ")) end
  if type(value) == "function" then
    return { next = file_function_source(value), name = name, unit = "customer" }
  end
  return value_source(value, name)
end

local function open_file(path)
  local extension = path == "-" and "jsonl" or (path:match "%.([^./]+)$" or ""):lower()
  local make = by_extension[extension]
  if not make then
    return nil, path .. ": the name must end in .csv, .jsonl, .json or .lua"
  end
  local file = io.stdin
  if path ~= "-" then
    local why
    file, why = io.open(path, "rb")
    if not file then return nil, "cannot read " .. why end
  end
  local name = path == "-" and "standard input" or path
  local failure
  local function read()
    local chunk, why = file:read(CHUNK)
    if not chunk and why then failure = why end
    return chunk
  end
  local first = read()
  if failure then return nil, "cannot read " .. name .. ": " .. failure end
  if first and (first:find "^\255\254" or first:find "^\254\255") then
    return nil, name .. " is UTF-16, it must be UTF-8"
  end
  local source, problem = make(function()
    local chunk = first
    first = nil
    if chunk then return chunk end
    return read()
  end, name)
  if not source then return nil, problem end
  function source.close()
    if path ~= "-" then file:close() end
    return failure and "cannot read " .. name .. ": " .. failure
  end
  return source
end

-- The source for a path, "-" (JSON lines on standard input), a list or a function; or nil and a
-- message.
function M.open(given)
  if type(given) == "string" then return open_file(given) end
  return value_source(given, "the list of customers")
end

return M
