-- Reads the facts of the API (operations.json, schemas.json, overlay.json, statuses.json,
-- secret_replies.json) and resolves them into one model.
local cjson = require "cjson"

local M = {}

local PAGINATION = {
  page_token = "token",
  page_token_prose_only = "token",
  links = "links",
  cursor = "cursor",
  time_window = "time_window",
}
local SCALARS = { any = true, string = true, integer = true, number = true, boolean = true }

local function read_json(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return cjson.decode(text)
end

local function set(list)
  local result = {}
  for _, item in ipairs(list) do result[item] = true end
  return result
end

function M.sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function by_name(a, b) return a.name < b.name end

-- A type as a tree: { kind=, format=, name=, element=, schema=, values= }. `kind` is a scalar,
-- "array", "map", "object" or "union"; for the last two `schema` is the schema's entry, so that
-- recursive schemas stay finite.
local function parse_type(model, text, format)
  local wrapper, inner = text:match "^(%a+)<(.+)>$"
  if wrapper == "array" or wrapper == "map" then
    return { kind = wrapper, element = parse_type(model, inner, format) }
  end
  if wrapper == "enum" then
    local values = {}
    for value in inner:gmatch "[^|]+" do values[#values + 1] = value end
    return { kind = "string", values = values }
  end
  if SCALARS[text] then return { kind = text, format = format } end
  local schema = assert(model.schemas_by_name[text], "unknown type " .. text)
  if schema.kind == "alias" then return parse_type(model, schema.type, format) end
  if schema.kind == "enum" then return { kind = "string", name = text, values = schema.values } end
  if schema.kind == "unresolved" then return { kind = "any", name = text, schema = schema } end
  if schema.kind == "union" then return { kind = "union", name = text, schema = schema } end
  return { kind = "object", name = text, schema = schema }
end

-- Marks an overlay entry ("operation.field" or "Schema.field") as used; what is never used is
-- stale.
local function overlay_entry(model, list, owner, field)
  local key = owner .. "." .. field
  local value = model.overlay[list][key]
  if value ~= nil then model.overlay_used[list .. " " .. key] = true end
  return value
end

-- What an argument means where its own page does not say: as its name or other pages have it.
local function description_of(model, owner, raw)
  if raw.description or not model.describing then return raw.description end
  return overlay_entry(model, "descriptions", owner, raw.name)
    or overlay_entry(model, "descriptions", "*", raw.name)
end

local function resolve_field(model, owner, raw, location)
  return {
    name = raw.name,
    description = description_of(model, owner, raw),
    type = parse_type(model, raw.type,
      raw.format or overlay_entry(model, "formats", owner, raw.name)),
    location = location,
    required = raw.required or location == "path",
    nullable = raw.nullable or false,
    deprecated = raw.deprecated or false,
    secret = overlay_entry(model, "secret", owner, raw.name) or false,
    not_empty = overlay_entry(model, "not_empty", owner, raw.name) or false,
    excludes = overlay_entry(model, "excludes", owner, raw.name),
  }
end

local function find_field(fields, name)
  for _, field in ipairs(fields) do
    if field.name == name then return field end
  end
end

-- Pagination that the API describes in prose only: no page declares its parameters, so they become
-- optional query fields here.
local function add_prose_fields(model, op, raw)
  local extras = {
    {
      name = raw.token_param,
      type = "string",
      description = "The page to give, from the reply before; the first one when left out",
    },
    { name = raw.limit_param, type = "integer", description = "How many items a page may have" },
  }
  for _, extra in ipairs(extras) do
    if not find_field(op.fields, extra.name) then
      op.fields[#op.fields + 1] = resolve_field(model, op.name, extra, "query")
    end
  end
  local prose = raw.token_param .. " and " .. raw.limit_param .. " are described in prose only"
  op.note = op.note and op.note .. "; " .. prose or prose
end

local function resolve_pagination(op, raw)
  if not raw then return { kind = "none" } end
  local token = raw.token_param
  local window_end
  if type(token) == "table" then token, window_end = token[1], token[2] end
  for _, name in ipairs { token, raw.limit_param, window_end } do
    assert(find_field(op.fields, name), op.name .. ": pagination names an unknown field " .. name)
  end
  return {
    kind = assert(PAGINATION[raw.kind]), token_field = token, window_end_field = window_end,
    limit_field = raw.limit_param, limit_max = raw.limit_max or 0,
    response_field = raw.response_field, previous_field = raw.previous_field, note = raw.note,
  }
end

-- Whether a value of the type holds a list of more than scalars. `within`: names of the types it is
-- part of.
local function holds_list(model, kind, within)
  local element = kind.element
  if element then
    local scalar = SCALARS[element.kind] and element.kind ~= "any"
    if kind.kind == "array" and not scalar then return true end
    return holds_list(model, element, within)
  end
  if not kind.schema or within[kind.name] then return false end
  within[kind.name] = true
  for _, text in ipairs(kind.schema.of or {}) do
    if holds_list(model, parse_type(model, text), within) then return true end
  end
  for _, raw in ipairs(kind.schema.raw_fields or {}) do
    if holds_list(model, parse_type(model, raw.type), within) then return true end
  end
  return false
end

-- Whether a reply can be long enough for compression to be worth its work: a list, one inside, or
-- what the overlay says.
local function may_be_long(model, op)
  if op.is_list or op.pagination.kind ~= "none" or model.overlay.long_replies[op.name] then
    return true
  end
  return op.returns ~= nil and holds_list(model, op.returns, {})
end

-- Whether `data` is an array. Where the answer's schema is not known, a name that begins with list_
-- or a page token says so.
local function gives_list(model, op)
  local schema = op.response_type and assert(model.schemas_by_name[op.response_type])
  if not schema then return false end
  if schema.kind == "unresolved" then
    return op.name:find "^list_" ~= nil or op.pagination.kind == "token"
  end
  local data = op.envelope and find_field(schema.raw_fields, "data")
  return data ~= nil and data ~= false and parse_type(model, data.type).kind == "array"
end

-- What a call returns: the type of `data` where there is an envelope, of the whole body where there
-- is none, nil for no body.
local function returned_type(model, op)
  if op.redirect_status then
    return { kind = "object", name = "Redirect", schema = model.redirect }
  end
  if not op.response_type then return nil end
  local schema = model.schemas_by_name[op.response_type]
  if schema.kind == "unresolved" then return { kind = "any" } end
  if not op.envelope then return parse_type(model, op.response_type) end
  local data =
    assert(find_field(schema.raw_fields, "data"), op.name .. ": the envelope has no data")
  return parse_type(model, data.type, data.format)
end

local function resolve_operation(model, raw)
  local op = {
    name = raw.name, id = raw.id, family = raw.family,
    method = raw.method, path = raw.path, auth = raw.auth, summary = raw.summary, note = raw.note,
    since = raw.since, extra_headers = raw.extra_headers or {}, envelope = raw.envelope,
    has_body = raw.body ~= nil, has_job = raw.has_job or false, response_type = raw.response_type,
    success_status = raw.success_status, error_statuses = raw.error_statuses,
    patched_by = model.overlay.patched_by[raw.name],
    redirect_status = raw.redirect_is_result and assert(raw.redirect_status) or nil,
    fields = {},
  }
  local function add(list, location)
    for _, field in ipairs(list or {}) do
      op.fields[#op.fields + 1] = resolve_field(model, op.name, field, location)
    end
  end
  add(raw.path_params, "path")
  add(raw.query_params, "query")
  if raw.pagination and raw.pagination.kind == "page_token_prose_only" then
    add_prose_fields(model, op, raw.pagination)
  end
  add(raw.body, "body")
  add(model.overlay.body_fields[op.name], "body")
  op.pagination = resolve_pagination(op, raw.pagination)
  op.is_list = gives_list(model, op)
  op.pagination.items_field = model.overlay.items[op.name] or (op.is_list and "data") or nil
  assert(op.pagination.kind == "none" or op.pagination.items_field,
    op.name .. ": where the items are is not known")
  op.returns = returned_type(model, op)
  local kind = op.envelope and op.returns and op.returns.kind
  op.secret_reply = model.overlay.secret_replies[op.name] or false
  op.secrets = op.secret_reply
    and assert(model.secrets[op.name], op.name .. ": why its reply is secret is not known")
  op.long_reply = may_be_long(model, op)
  op.waiting = model.waiting[op.name]
  op.data_open = kind and kind ~= "object" and kind ~= "array" and kind ~= "map"
  return op
end

local function check_path(op)
  local index = 0
  for name in op.path:gmatch "{([^}]+)}" do
    index = index + 1
    local field = op.fields[index]
    assert(field and field.location == "path" and field.name == name,
      op.name .. ": path and fields differ at " .. name)
  end
  local after = op.fields[index + 1]
  assert(not after or after.location ~= "path",
    op.name .. ": a path field that the path does not hold")
end

local function check_unique(op)
  local seen = {}
  for _, field in ipairs(op.fields) do
    assert(not seen[field.name], op.name .. ": two fields named " .. field.name)
    seen[field.name] = true
  end
  for _, field in ipairs(op.fields) do
    assert(not field.excludes or seen[field.excludes], op.name .. ": excludes an unknown field")
  end
end

local function check_overlay(model)
  for _, list in ipairs { "secret", "formats", "not_empty", "excludes", "descriptions" } do
    for key in pairs(model.overlay[list]) do
      assert(model.overlay_used[list .. " " .. key],
        "overlay.json: " .. list .. " names an unknown field " .. key)
    end
  end
  for _, list in ipairs { "items", "patched_by", "body_fields", "secret_replies", "long_replies",
      "goes_on", "finished_when" } do
    for name in pairs(model.overlay[list]) do
      assert(model.operations_by_name[name],
        "overlay.json: " .. list .. " names an unknown operation " .. name)
    end
  end
end

local function resolve_schema(model, schema)
  if schema.raw_fields then
    schema.members = {}
    for i, raw in ipairs(schema.raw_fields) do
      schema.members[i] = resolve_field(model, schema.name, raw, "body")
    end
  end
  if schema.kind == "union" then
    schema.variants = {}
    for i, text in ipairs(schema.of) do schema.variants[i] = parse_type(model, text) end
  end
  if schema.kind == "alias" then schema.target = parse_type(model, schema.type) end
end

-- The members of a reply that hold secrets, and why, by operation.
local function load_secrets(raw)
  local secrets = {}
  for _, entry in ipairs(raw.replies) do
    secrets[entry.operation] = { fields = entry.fields, why = entry.why }
  end
  return secrets
end

-- How the work ends that an operation looks at: { fields =, success =, failure =, reason =, note =,
-- finished =, than = }. `fields` are dotted paths in the body, the first that is there counts. A
-- failure after which the server goes on by itself (the overlay says so) is none.
local function load_waiting(model, raw)
  local waiting = {}
  for _, entry in ipairs(raw.polling) do
    local fields, failure = {}, {}
    for path in (entry.field .. ", else "):gmatch "(%S+), else " do fields[#fields + 1] = path end
    local goes_on = set(model.overlay.goes_on[entry.operation] or {})
    for _, status in ipairs(entry.failure) do
      if not goes_on[status] then failure[#failure + 1] = status end
    end
    local finished = model.overlay.finished_when[entry.operation] or {}
    assert(not waiting[entry.operation], "statuses.json: " .. entry.operation .. " appears twice")
    waiting[entry.operation] = {
      fields = fields, success = entry.success, failure = failure, reason = entry.reason,
      note = entry.note, finished = finished[1], than = finished[2],
      running = finished[1] and entry.running,
    }
  end
  return waiting
end

local function load_schemas(model, raw)
  model.schemas, model.schemas_by_name = {}, {}
  local open = set(model.overlay.open_schemas)
  for _, name in ipairs(M.sorted_keys(raw)) do
    local entry = raw[name]
    local schema = {
      name = name, kind = entry.kind == "request" and "object" or entry.kind, note = entry.note,
      values = entry.values, of = entry.of, type = entry.type, raw_fields = entry.fields,
      open = open[name] or false,
    }
    model.schemas[#model.schemas + 1] = schema
    model.schemas_by_name[name] = schema
  end
  for name in pairs(open) do
    assert(model.schemas_by_name[name],
      "overlay.json: open_schemas names an unknown schema " .. name)
  end
  for _, schema in ipairs(model.schemas) do resolve_schema(model, schema) end
end

-- What is returned where the API answers with a redirect.
local REDIRECT = {
  name = "Redirect", kind = "object",
  raw_fields = {
    {
      name = "url",
      type = "string",
      required = true,
      description = "Where the redirect leads; it was not followed",
    },
  },
}

-- The model of the facts in `directory`: { operations =, schemas =, operations_by_name =,
-- schemas_by_name =, waiting = }, the first two sorted by name.
-- `only`, when given, is a list of operation names to keep. Raises when the facts contradict each
-- other.
function M.load(directory, only)
  local overlay = read_json(directory .. "/overlay.json")
  overlay.secret, overlay.not_empty = set(overlay.secret), set(overlay.not_empty)
  overlay.secret_replies = set(overlay.secret_replies)
  overlay.long_replies = set(overlay.long_replies)
  local model = { overlay = overlay, overlay_used = {}, operations = {}, operations_by_name = {} }
  load_schemas(model, read_json(directory .. "/schemas.json"))
  model.redirect = REDIRECT
  resolve_schema(model, REDIRECT)
  model.secrets = load_secrets(read_json(directory .. "/secret_replies.json"))
  model.waiting = load_waiting(model, read_json(directory .. "/statuses.json"))
  model.describing = true -- arguments; the members of types are left as they are
  for _, raw in ipairs(read_json(directory .. "/operations.json")) do
    local op = resolve_operation(model, raw)
    check_path(op)
    check_unique(op)
    assert(not model.operations_by_name[op.name], "two operations named " .. op.name)
    model.operations[#model.operations + 1] = op
    model.operations_by_name[op.name] = op
  end
  check_overlay(model)
  for name in pairs(model.waiting) do
    assert(model.operations_by_name[name], "statuses.json names an unknown operation " .. name)
  end
  for name in pairs(model.secrets) do
    assert(model.operations_by_name[name],
      "secret_replies.json names an unknown operation " .. name)
  end
  if only then
    model.operations = {}
    for _, name in ipairs(only) do
      model.operations[#model.operations + 1] =
        assert(model.operations_by_name[name], "unknown operation " .. name)
    end
  end
  table.sort(model.operations, by_name)
  return model
end

return M
