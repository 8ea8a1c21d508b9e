-- Arguments that every operation accepts, made from the facts of the catalogue: the required ones
-- alone, then all that go together, nested objects with every member.

local facts = require "spec.support.facts"

local M = {}

M.UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"

local TEXT = 'Ünïcode "quoted" \\ 日本 & more = 100% / a+b?'
local SEGMENT = "a b&c=d+e%f:é"  -- what a path may hold: no slash, no question mark
local EMAIL = "jäne+tag@例え.jp"
local MAX_DEPTH = 4 -- of objects in objects, whose optional members are filled in

local SCALARS = { integer = 7, number = 1.5, boolean = true, any = "any" }
local FORMATS = { uuid = M.UUID, ["date-time"] = "2025-09-18T10:00:00Z" }

local by_name = {}
for _, operation in ipairs(facts.operations) do by_name[operation.name] = operation end

local sample

local function object_of(schema, depth)
  local object = {}
  for _, field in ipairs(schema.fields or {}) do
    if field.required or depth < MAX_DEPTH then
      object[field.name] = sample(field.type, field, depth + 1)
    end
  end
  if next(object) == nil then object.name = TEXT end -- else it would be written as an empty list
  return object
end

-- A value of a type; `field` has its name and format.
function sample(text, field, depth)
  local wrapper, inner = text:match "^(%a+)<(.+)>$"
  if wrapper == "enum" then return inner:match "^[^|]+" end
  if wrapper == "array" then return { sample(inner, field, depth) } end
  if wrapper == "map" then return { key = sample(inner, field, depth) } end
  if field.name == "email" then return EMAIL end
  if text == "string" then
    return FORMATS[field.format or ""] or (field.location == "path" and SEGMENT) or TEXT
  end
  if SCALARS[text] then return SCALARS[text] end
  local schema = facts.schemas[text]
  if schema.kind == "enum" then return schema.values[1] end
  if schema.kind == "alias" then return sample(schema.type, field, depth) end
  if schema.kind == "union" then return sample(schema.of[1], field, depth) end
  return object_of(schema, depth)
end

-- Every argument of an operation: { name =, type =, format =, location =, required =, excludes = }.
function M.arguments(operation)
  local raw, list = by_name[operation.name], {}
  for _, place in ipairs { { "path_params", "path" }, { "query_params", "query" },
      { "body", "body" } } do
    for _, field in ipairs(raw[place[1]] or {}) do
      list[#list + 1] = {
        name = field.name, type = field.type, format = field.format, location = place[2],
        required = field.required or place[2] == "path",
        excludes = facts.overlay.excludes[operation.name .. "." .. field.name],
      }
    end
  end
  return list
end

-- The arguments of an operation that `wanted` accepts.
local function fill(operation, wanted)
  local arguments = {}
  for _, argument in ipairs(M.arguments(operation)) do
    if wanted(argument) then arguments[argument.name] = sample(argument.type, argument, 0) end
  end
  return arguments
end

-- The sample arguments of an operation, an element of `polytomic.operations`: the required ones,
-- all that go together, and, where some do not, the others of them. `left_out(argument)`, where
-- given, says which optional arguments not to give.
function M.of(operation, left_out)
  local replaced, excluding = {}, {}
  for _, argument in ipairs(M.arguments(operation)) do
    if argument.excludes then
      replaced[argument.excludes], excluding[argument.name] = true, true
    end
  end
  local function optional(argument) return not (left_out and left_out(argument)) end
  local list = { fill(operation, function(argument) return argument.required end) }
  local all = fill(operation, function(argument)
    return argument.required or not excluding[argument.name] and optional(argument)
  end)
  if next(all) then list[2] = all end
  if next(excluding) then
    list[3] = fill(operation, function(argument)
      return argument.required or not replaced[argument.name] and optional(argument)
    end)
  end
  return list
end

-- A copy of `arguments` with one more, or with one taken away (`value` is nil).
function M.with(arguments, name, value)
  local copy = {}
  for key, member in pairs(arguments) do copy[key] = member end
  copy[name] = value
  return copy
end

return M
