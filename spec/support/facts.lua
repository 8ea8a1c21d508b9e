-- The API's documented types, read from the catalogue's JSON files alone, and a check of values
-- against them.

local cjson = require("cjson").new()
local process = require "spec.support.process"

local M = {}

local function read(name)
  return cjson.decode(process.contents("csrc/catalogue/" .. name .. ".json"))
end

M.operations, M.schemas, M.overlay = read "operations", read "schemas", read "overlay"

local lua_types = { string = "string", boolean = "boolean", integer = "number", number = "number" }
local formats = { uuid = "^%x+%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$",
  ["date-time"] = "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.?%d*Z$" }

-- Members that the sandbox adds to documented answers (its inferences say so).
local additions = { ["BulkBulkSyncSchedule.id"] = true, ["BulkSyncListEnvelope.pagination"] = true,
  ["ModelListResponseEnvelope.pagination"] = true }

local complaint

local function complaint_of_members(value, name, schema, where)
  local known = {}
  for _, field in ipairs(schema.fields) do
    known[field.name] = true
    local member, at = value[field.name], where .. "." .. field.name
    if member == nil then
      if field.required then return at .. " is missing" end
    elseif member == cjson.null then
      if not field.nullable then return at .. " is null" end
    else
      local bad = complaint(member, field.type, at, field.format)
      if bad then return bad end
    end
  end
  for key in pairs(value) do
    if not known[key] and not additions[name .. "." .. key] then
      return where .. "." .. key .. " is unknown to " .. name
    end
  end
end

local function complaint_of_schema(value, name, where, format)
  local schema = assert(M.schemas[name], "no schema " .. name)
  if schema.kind == "unresolved" then return nil end
  if schema.kind == "alias" then return complaint(value, schema.type, where, format) end
  if schema.kind == "enum" then
    for _, allowed in ipairs(schema.values) do
      if value == allowed then return nil end
    end
    return where .. " is not in " .. name .. ": " .. tostring(value)
  end
  if schema.kind == "union" then
    for _, variant in ipairs(schema.of) do
      if not complaint(value, variant, where) then return nil end
    end
    return where .. " is none of " .. name
  end
  if type(value) ~= "table" or value[1] ~= nil then return where .. " is no object" end
  return complaint_of_members(value, name, schema, where)
end

local function complaint_of_elements(value, wrapper, inner, where, format)
  if type(value) ~= "table" then return where .. " is no " .. wrapper end
  for key, element in pairs(value) do
    if (type(key) == "number") ~= (wrapper == "array") then return where .. " is no " .. wrapper end
    local bad = complaint(element, inner, where .. "[" .. tostring(key) .. "]", format)
    if bad then return bad end
  end
end

-- Why a value is not of a type as the JSON files write it, naming the place; nil if it is.
function complaint(value, text, where, format)
  local wrapper, inner = text:match "^(%a+)<(.+)>$"
  if wrapper == "enum" then return type(value) ~= "string" and where .. " is no string" or nil end
  if wrapper then return complaint_of_elements(value, wrapper, inner, where, format) end
  if text == "any" then return nil end
  if not lua_types[text] then return complaint_of_schema(value, text, where, format) end
  if type(value) ~= lua_types[text] then return where .. " is no " .. text end
  if text == "integer" and value % 1 ~= 0 then return where .. " is no integer" end
  if formats[format or ""] and not value:find(formats[format]) then
    return where .. " is no " .. format .. ": " .. value
  end
end

M.complaint = complaint

-- A value of a type for a request; the same `name` gives the same.
function M.example(text, name, format)
  local wrapper, inner = text:match "^(%a+)<(.+)>$"
  if wrapper == "enum" then return inner:match "^[^|]+" end
  if wrapper == "array" then return { M.example(inner, name, format) } end
  if wrapper == "map" then return { key = M.example(inner, name, format) } end
  if format == "uuid" then return "12345678-1234-4234-8234-123456789012" end
  if text == "string" and name == "email" then return "joe@acme.com" end
  if format == "date-time" then return "2025-06-01T00:00:00Z" end
  local plain =
    { string = "some " .. name, boolean = true, integer = 7, number = 7.5, any = "anything" }
  if plain[text] then return plain[text] end
  local schema = M.schemas[text]
  if schema.kind == "enum" then return schema.values[1] end
  if schema.kind == "alias" then return M.example(schema.type, name, format) end
  if schema.kind == "union" then return M.example(schema.of[1], name) end
  local object = {}
  for _, field in ipairs(schema.fields or {}) do
    if field.required then object[field.name] = M.example(field.type, field.name, field.format) end
  end
  return object
end

return M
