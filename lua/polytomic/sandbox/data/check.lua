-- Checks values of requests against the kinds of schema.lua. Members that a schema does not know
-- are let through.

local date_time = require "polytomic.date_time"
local json = require "polytomic.json_text"
local schema = require "polytomic.sandbox.data.schema"

local M = {}

local plain = {}

function plain.any() return true end

plain.open = plain.any

function plain.string(value) return type(value) == "string" end

plain.enum = plain.string

function plain.uuid(value)
  return type(value) == "string" and #value == 36
    and value:find "^%x+%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$" ~= nil
end

function plain.time(value) return type(value) == "string" and date_time.parse(value) ~= nil end

function plain.email(value)
  return type(value) == "string" and value:find "^[^%s@]+@[^%s@]+$" ~= nil
end

function plain.integer(value) return type(value) == "number" and value % 1 == 0 end

function plain.number(value) return type(value) == "number" end

function plain.boolean(value) return type(value) == "boolean" end

local phrases = { string = "a string", enum = "a string",
  uuid = "a UUID", time = "a time (RFC 3339)", email = "an e-mail address",
  integer = "a whole number", number = "a number",
  boolean = "true or false", array = "an array", map = "an object", object = "an object",
  union = "one of its types" }

local function wrong(name, kind) return name, "must be " .. phrases[kind.kind] end

-- An empty JSON array and an empty object read alike: here the schema decides, so that it is
-- written back as it came.
local function check_array(value, kind, name)
  if type(value) ~= "table" or (next(value) ~= nil and value[1] == nil) then
    return wrong(name, kind)
  end
  json.array(value)
  for _, element in ipairs(value) do
    local field, message = M.complaint(element, kind.element, name)
    if field then return field, message end
  end
end

local function check_map(value, kind, name)
  if type(value) ~= "table" or value[1] ~= nil then return wrong(name, kind) end
  for key, element in pairs(value) do
    local field, message = M.complaint(element, kind.element, name .. "." .. key)
    if field then return field, message end
  end
end

local function check_union(value, kind, name)
  for _, variant in ipairs(kind.variants) do
    if not M.complaint(value, variant, name) then return nil end
  end
  return wrong(name, kind)
end

-- What is wrong with the members of an object: the name of the first bad one and why; nil if
-- nothing is. `prefix` goes before the names.
function M.object(value, members, prefix)
  for _, member in ipairs(members) do
    local given = value[member.name]
    if given == nil or given == json.null then
      if member.required then return prefix .. member.name, "is required" end
    else
      local field, message = M.complaint(given, member.kind, prefix .. member.name)
      if field then return field, message end
    end
  end
end

-- What is wrong with a value: the name of the bad member and why; nil if it fits the kind.
function M.complaint(value, kind, name)
  if value == json.null then return nil end
  if kind.kind == "array" then return check_array(value, kind, name) end
  if kind.kind == "map" then return check_map(value, kind, name) end
  if kind.kind == "union" then return check_union(value, kind, name) end
  if kind.kind == "object" then
    if type(value) ~= "table" or value[1] ~= nil then return wrong(name, kind) end
    return M.object(value, schema.members(kind.text), name .. ".")
  end
  if not plain[kind.kind](value) then return wrong(name, kind) end
end

function M.fits(value, kind) return M.complaint(value, kind, "") == nil end

return M
