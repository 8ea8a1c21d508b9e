-- Arguments that every operation accepts, made from its description: the required ones alone, then
-- all of them.

local M = {}

M.UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"

local TEXT = 'Ünïcode "quoted" \\ 日本 & more = 100% / a+b?'
local SEGMENT = "a b&c=d+e%f:é"  -- what a path may hold: no slash, no question mark

local SCALARS = { string = TEXT, integer = 7, boolean = true, any = "any" }
local FORMATS = {
  uuid = M.UUID,
  ["date-time"] = "2025-09-18T10:00:00Z",
  email = "jäne+tag@例え.jp",
}

local FIELDS =
  { { source = { model_id = M.UUID, field = "email" }, target = "Email", new = false } }
local FILTERS = {
  {
    field = { model_id = M.UUID, field = "email" },
    field_id = "email",
    ["function"] = "Equality",
    value = "a",
  },
}

-- Objects whose members the library checks, by the name of their argument or of operation and
-- argument.
local OBJECTS = {
  additional_fields = { { name = "total", label = "Total", type = "number" } },
  additional_schedules = { { frequency = "daily", hour = "4" } },
  default_schedule = { frequency = "daily", hour = "4" },
  enricher = { connection_id = M.UUID },
  fields = { { field_id = "email", label = "E-mail", type = "string" } },
  ["create_sync.fields"] = FIELDS,
  ["set_schema_primary_keys.fields"] = { { field_id = "email", is_primary_key = true } },
  ["update_bulk_sync_schema.fields"] = { { id = "email", enabled = true } },
  ["update_bulk_sync_schema.filters"] = { { field_id = "email", ["function"] = "Equality",
    value = "a" } },
  ["update_sync.fields"] = FIELDS,
  filters = FILTERS,
  identity = { source = { model_id = M.UUID, field = "email" }, target = "Email",
    ["function"] = "Equality" },
  overrides = { { field_id = "email", ["function"] = "Equality", value = "a" } },
  override_fields = { { target = "Email", override_value = "a" } },
  policy_actions = { { action = "read", role_ids = { M.UUID } } },
  relations = { { from = "org_id", to = { model_id = M.UUID, field = "id" } } },
  request = { method = "GET", path = "/v1/items" },
  schedule = { frequency = "manual" },
  subject = { type = "user" },
  schemas = { { id = "public.users", enabled = true } },
  target = { connection_id = M.UUID, object = "Contact" },
}

-- Arguments that cannot be given with another one.
local EXCLUDED = { role_ids = "role" }

local function sample(operation, argument)
  if argument.type == "object" or argument.element == "object" then
    local object = OBJECTS[operation.name .. "." .. argument.name] or OBJECTS[argument.name]
    if object then return object end
  end
  if argument.format then return FORMATS[argument.format] end
  if argument.location == "path" then return SEGMENT end
  if argument.type == "array" then
    return { argument.element == "object" and { name = TEXT } or M.UUID }
  end
  if argument.type == "map" then
    return { key = argument.element == "array" and { TEXT } or TEXT }
  end
  if argument.type == "object" then return { name = TEXT } end
  return SCALARS[argument.type]
end

-- The arguments of an operation that `wanted` accepts.
local function fill(operation, wanted)
  local arguments = {}
  for _, argument in ipairs(operation.arguments) do
    if wanted(argument) then arguments[argument.name] = sample(operation, argument) end
  end
  return arguments
end

-- The sample arguments of an operation, an element of `polytomic.operations`: a list of one or two
-- tables. `left_out(argument)`, where given, says which optional arguments not to give.
function M.of(operation, left_out)
  local required = fill(operation, function(argument) return argument.required end)
  local all = fill(
    operation,
    function(argument) return argument.required or not (left_out and left_out(argument)) end
  )
  for name, other in pairs(EXCLUDED) do
    if all[name] then all[other] = nil end
  end
  return next(all) and { required, all } or { required }
end

return M
