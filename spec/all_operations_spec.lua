-- Every one of the operations against a server that records what arrives, compared with the
-- facts of the catalogue (operations.json, schemas.json), which are read here anew: nothing of the
-- generator or of the generated table is used.
-- Takes: 9 s

local cjson = require("cjson").new()
local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local polytomic = require "polytomic"
local process = require "spec.support.process"
local quoting = require "polytomic.quoting"
local raw_server = require "spec.support.raw_server"
local samples = require "spec.support.samples"

-- busted looks a global up through the functions of each block around it: here that is a quarter of
-- the time.
local assert, ipairs, tostring, type = assert, ipairs, tostring, type

local UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"
local DATE = "2025-09-18T10:00:00Z"
local EMAIL = "jäne+tag@例え.jp"
local TEXT, SEGMENT = 'Ünïcode "a" \\ b & c = 100% / d+e?', "a b&c=d+e:é"
local KEYS = {
  user = "Bearer key-of-a-user",
  partner = "Bearer key-of-a-partner",
  unspecified = "Bearer key-of-a-user",
}
local with = samples.with
local DEEP = 3 -- how far optional members of nested objects are filled in

local function read(name)
  return cjson.decode(process.contents("csrc/catalogue/" .. name .. ".json"))
end

local operations, schemas, overlay = read "operations", read "schemas", read "overlay"

for _, operation in ipairs(operations) do
  for _, field in ipairs(operation.body or {}) do
    field.format = field.format or overlay.formats[operation.name .. "." .. field.name]
  end
end

local described = {}
for _, operation in ipairs(polytomic.operations) do described[operation.name] = operation end

-- ---- types ----

-- What a type's text stands for: kind, element or members, enumerated values.
local function resolve(text, format)
  local wrapper, inner = text:match "^(%a+)<(.+)>$"
  if wrapper == "enum" then return { kind = "string", value = inner:match "^[^|]+" } end
  if wrapper then return { kind = wrapper, element = inner, format = format } end
  local schema = schemas[text]
  if not schema then return { kind = text, format = format } end
  if schema.kind == "alias" then return resolve(schema.type, format) end
  if schema.kind == "enum" then return { kind = "string", value = schema.values[1] } end
  if schema.kind == "union" then return { kind = "union", of = schema.of } end
  if schema.kind == "unresolved" or not schema.fields then return { kind = "any" } end
  return { kind = "object", members = schema.fields }
end

local function string_of(kind, location)
  if kind.value then return kind.value end
  if kind.format == "uuid" then return UUID end
  if kind.format == "date-time" then return DATE end
  if kind.format == "email" then return EMAIL end
  return location == "path" and SEGMENT or TEXT
end

local sample

local function object_of(kind, depth)
  local object = {}
  for _, member in ipairs(kind.members) do
    if member.required or depth < DEEP then
      object[member.name] = sample(member, "body", depth + 1)
    end
  end
  if next(object) == nil or depth == 1 then object.member_of_tomorrow = "passes" end
  return object
end

-- A good value for a field.
function sample(field, location, depth)
  local kind = resolve(field.type, field.format)
  if kind.kind == "string" then return string_of(kind, location) end
  if kind.kind == "integer" then return 7 end
  if kind.kind == "number" then return 1.5 end
  if kind.kind == "boolean" then return true end
  if kind.kind == "array" then
    local list = {}
    for i, element in ipairs(resolve(kind.element).of or { kind.element, kind.element }) do
      list[i] = sample({ type = element, format = kind.format }, location, depth)
    end
    return list
  end
  if kind.kind == "map" then
    return { ["a key&"] = sample({ type = kind.element, format = kind.format }, location, depth) }
  end
  if kind.kind == "union" then return sample({ type = kind.of[1] }, location, depth) end
  if kind.kind == "object" then return object_of(kind, depth) end
  return location == "query" and TEXT or { anything = { TEXT } }
end

-- ---- operations ----

local EMPTY = {}

-- Every field of an operation with its place: path, query, body.
local function fields_of(operation)
  local list = {}
  local function add(fields, location)
    for _, field in ipairs(fields or EMPTY) do
      list[#list + 1] = {
        name = field.name,
        type = field.type,
        format = field.format,
        location = location,
        required = field.required or location == "path",
      }
    end
  end
  add(operation.path_params, "path")
  add(operation.query_params, "query")
  add(operation.body, "body")
  add(overlay.body_fields[operation.name], "body")
  return list
end

local function excluded(operation, name)
  return overlay.excludes[operation.name .. "." .. name] ~= nil
end

-- Good arguments: the required ones, or all that go together.
local function arguments_of(operation, all)
  local arguments = {}
  for _, field in ipairs(fields_of(operation)) do
    if field.required or (all and not excluded(operation, field.name)) then
      arguments[field.name] = sample(field, field.location, 1)
    end
  end
  return arguments
end

-- ---- what has to arrive ----

local function encoded(text)
  return (text:gsub("[^%w%-._~]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function written(value)
  return type(value) == "number" and ("%g"):format(value) or tostring(value)
end

local function expected_path(operation, arguments)
  return (operation.path:gsub("{([^}]+)}", function(name) return encoded(arguments[name]) end))
end

-- One "name=value" per pair: arrays repeat the name, maps are name[key]=value.
local function expected_query(operation, arguments)
  local pairs_sent = {}
  local function add(name, value)
    if type(value) ~= "table" then
      pairs_sent[#pairs_sent + 1] = name .. "=" .. written(value)
    elseif value[1] ~= nil then
      for _, element in ipairs(value) do add(name, element) end
    else
      for key, member in pairs(value) do add(name .. "[" .. key .. "]", member) end
    end
  end
  for _, field in ipairs(fields_of(operation)) do
    if field.location == "query" and arguments[field.name] ~= nil then
      add(field.name, arguments[field.name])
    end
  end
  table.sort(pairs_sent)
  return pairs_sent
end

local function sent_query(target)
  local pairs_sent = {}
  for name, value in (target:match "%?(.*)$" or ""):gmatch "([^&=]*)=([^&]*)" do
    pairs_sent[#pairs_sent + 1] = quoting.query_decoded(name) .. "=" .. quoting.query_decoded(value)
  end
  table.sort(pairs_sent)
  return pairs_sent
end

-- The members of the body, or nil for none.
local function expected_body(operation, arguments)
  local body = operation.body and {}
  for _, field in ipairs(fields_of(operation)) do
    if field.location == "body" and arguments[field.name] ~= nil then
      body = body or {}
      body[field.name] = arguments[field.name]
    end
  end
  return body
end

local function check_headers(operation, headers, has_body)
  assert.equal(KEYS[operation.auth], headers.authorization)
  assert.equal("2025-09-18", headers["x-polytomic-version"])
  assert.equal("application/json", headers.accept)
  assert.equal(has_body and "application/json" or nil, headers["content-type"])
  local key = headers["idempotency-key"]
  if operation.method == "POST" or operation.method == "PATCH" then
    assert.truthy(key and key:find "^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", key)
  else
    assert.is_nil(key)
  end
end

local function check_request(operation, arguments, request)
  assert.equal(operation.method, request.method)
  assert.equal(expected_path(operation, arguments), (request.target:gsub("%?.*", "")))
  assert.same(expected_query(operation, arguments), sent_query(request.target))
  local body = expected_body(operation, arguments)
  if body then
    assert.same(body, cjson.decode(request.body))
  else
    assert.equal("", request.body)
  end
  check_headers(operation, request.headers, body ~= nil)
end

-- ---- what has to come back ----

local REPLIES = {
  array = '[{"id":"one","of_tomorrow":1}]',
  map = '{"one":{"id":"one"}}',
  string = '"one"',
  boolean = "true",
  integer = "7",
}
local OBJECT = '{"id":"one","of_tomorrow":1}'

-- The kind of data an operation answers with: where its schema is not known, its name or its pages
-- tell a list.
local function data_kind(operation)
  local schema = schemas[operation.response_type]
  if schema and schema.fields then
    for _, field in ipairs(schema.fields) do
      if field.name == "data" then return resolve(field.type).kind end
    end
  end
  local paged = operation.pagination and operation.pagination.kind == "page_token"
  return (operation.name:find "^list_" or paged) and "array" or "object"
end

local SIGNED = "https://logs.example.com/x?signature=5f"

-- A reply as the operation promises it, and the data it holds.
local function reply_of(operation)
  if operation.redirect_is_result then
    return { operation.redirect_status, "", { Location = SIGNED } }, { url = SIGNED }
  end
  if not operation.response_type then return { operation.success_status, "" }, true end
  if not operation.envelope then
    return { operation.success_status, OBJECT }, cjson.decode(OBJECT)
  end
  local data = REPLIES[data_kind(operation)] or OBJECT
  return { operation.success_status, '{"data":' .. data .. "}" },
    cjson.decode("[" .. data .. "]")[1]
end

-- ---- what has to be refused ----

local cycle = {}
cycle.again = cycle
local INVALID_TEXT = "a\255b"
local WRONG = {
  string = { 5.5, true, {}, print, INVALID_TEXT }, integer = { "7", 1.5, true, {}, 0 / 0 },
  number = { "1.5", {}, 0 / 0, 1 / 0 }, boolean = { "true", 1, {} },
  array = { "x", 5, { [2] = "x", [5] = "y" }, print }, map = { "x", 5, { "x" }, print, cycle },
  object = { "x", 5, print, cycle }, any = { print, cycle, 0 / 0, INVALID_TEXT },
  union = { print, cycle, INVALID_TEXT },
}
-- What a path and a query can hold is text, and nothing nested.
local WRONG_ANY_IN_QUERY = { print, cycle }

local function wrong_values(field)
  local kind = resolve(field.type, field.format)
  if kind.kind == "any" and field.location == "query" then return WRONG_ANY_IN_QUERY end
  return WRONG[kind.kind]
end

-- The name of the first member of an object, of an object in an array, or of the whole field, with
-- a wrong value for it.
local function wrong_member(field)
  local kind, where = resolve(field.type, field.format), field.name
  local function wrap(value) return value end
  if kind.kind == "array" then
    kind, where = resolve(kind.element), where .. "[1]"
    wrap = function(value) return { value } end
  end
  if kind.kind ~= "object" then return nil end
  for _, member in ipairs(kind.members) do
    local known = resolve(member.type)
    if known.kind == "string" or known.kind == "boolean" then
      local object = object_of(kind, 2)
      object[member.name] = {}
      return where .. "." .. member.name, wrap(object)
    end
  end
end

describe("every operation", function()
  local client, server

  setup(function()
    server = raw_server.start {}
    client = polytomic.new {
      base_url = server.url,
      api_key = "key-of-a-user",
      partner_key = "key-of-a-partner",
      env = false,
      retries = 0,
    }
  end)
  teardown(function()
    client:close()
    server:stop()
  end)

  local function answer(reply)
    server:reset(raw_server.sequence { reply })
  end

  local function refused(operation, arguments, field)
    local ok, data, message, err = pcall(client[operation.name], client, arguments)
    assert.is_true(ok, tostring(data))
    assert.is_nil(data, operation.name .. " took a bad " .. field)
    assert.same({ "invalid", "unsent", field }, { err.kind, err.outcome, err.field }, message)
    assert.equal(message, tostring(err))
  end

  it("is a method, a module function and an entry of polytomic.operations, and no other", function()
    assert.equal(#operations, #polytomic.operations)
    for _, operation in ipairs(operations) do
      assert.is_function(client[operation.name])
      assert.is_function(polytomic[operation.name])
      assert.truthy(described[operation.name], operation.name)
    end
  end)

  for _, operation in ipairs(operations) do
    describe(operation.name, function()
      it("is described as the catalogue has it", function()
        local entry = described[operation.name]
        for _, name in ipairs { "id", "method", "path", "auth", "summary", "response_type" } do
          assert.equal(operation[name], entry[name], name)
        end
        assert.equal(operation.envelope, entry.envelope)
        assert.equal(operation.method ~= "POST" and operation.method ~= "PATCH", entry.idempotent)
        assert.equal(operation.pagination ~= nil, entry.paginated)
        local kind = operation.pagination and operation.pagination.kind:gsub("_prose_only$", "")
        assert.equal(kind, entry.pages and entry.pages.kind)
      end)

      it("sends its required arguments where they belong, and all of them", function()
        local reply = reply_of(operation)
        for _, all in ipairs { false, true } do
          local arguments = arguments_of(operation, all)
          answer(reply)
          local data, message = client[operation.name](client, arguments)
          assert.truthy(data, message)
          local requests = server:requests()
          assert.equal(1, #requests)
          check_request(operation, arguments, requests[1])
        end
      end)

      it("returns what the server answers", function()
        local reply, expected = reply_of(operation)
        answer(reply)
        local data, message, response = client[operation.name](client, arguments_of(operation))
        assert.same(expected, data)
        assert.is_nil(message)
        assert.same({ operation.name, reply[1], 1 },
          { response.operation, response.status, response.attempts })
        if operation.envelope and data_kind(operation) == "array" then
          answer { 200, '{"data":null}' }
          assert.same({}, (client[operation.name](client, arguments_of(operation))))
        end
        answer { 418, '{"message":"short and stout","key":"teapot"}' }
        local _, _, err = client[operation.name](client, arguments_of(operation))
        assert.same({ "api", 418, "teapot", "short and stout" },
          { err.kind, err.status, err.key, err.message })
      end)

      it("refuses bad arguments and sends nothing", function()
        answer { 200 }
        local good = arguments_of(operation)
        refused(operation, with(good, "argument_of_tomorrow", "x"), "argument_of_tomorrow")
        for _, field in ipairs(fields_of(operation)) do
          if field.required then refused(operation, with(good, field.name, nil), field.name) end
          local kind = resolve(field.type, field.format)
          if field.required and kind.kind == "string" then
            refused(operation, with(good, field.name, ""), field.name)
          end
          if kind.format == "uuid" and kind.kind == "string" then
            refused(operation, with(good, field.name, "x"), field.name)
          end
          if kind.format == "uuid" and kind.kind == "array" then
            refused(operation, with(good, field.name, { UUID, "x" }), field.name .. "[2]")
          end
          if
            kind.kind == "array"
            and resolve(kind.element).kind == "string"
            and kind.format ~= "uuid"
          then
            refused(operation, with(good, field.name, { "x", print }), field.name .. "[2]")
          end
          if field.location == "path" then
            for _, bad in ipairs { "..", "a/b", "%2e%2e", "a\0b", "a?b", "a\r\nb" } do
              refused(operation, with(good, field.name, bad), field.name)
            end
          end
        end
        assert.equal(0, #server:requests())
      end)

      it("refuses values of another type and sends nothing", function()
        answer { 200 }
        local good = arguments_of(operation)
        for _, field in ipairs(fields_of(operation)) do
          for _, wrong in ipairs(wrong_values(field)) do
            local ok, data, message, err =
              pcall(client[operation.name], client, with(good, field.name, wrong))
            assert.is_true(ok, tostring(data))
            assert.is_nil(data,
              ("%s took %s for %s"):format(operation.name, tostring(wrong), field.name))
            assert.same({ "invalid", "unsent" }, { err.kind, err.outcome }, message)
            assert.equal(field.name, err.field:sub(1, #field.name))
          end
          local name, wrong = wrong_member(field)
          if name then refused(operation, with(good, field.name, wrong), name) end
        end
        assert.equal(0, #server:requests())
      end)

      it("sends null for what is in its body, and nowhere else", function()
        local reply = reply_of(operation)
        local good = arguments_of(operation)
        for _, field in ipairs(fields_of(operation)) do
          local arguments = with(good, field.name, polytomic.null)
          if field.location ~= "body" then
            refused(operation, arguments, field.name)
          elseif not excluded(operation, field.name) then
            answer(reply)
            assert.truthy(client[operation.name](client, arguments))
            assert.equal(cjson.null, cjson.decode(server:requests()[1].body)[field.name])
          end
        end
      end)
    end)
  end
end)

describe("compression", function()
  after_each(clients.close)

  it("is asked for where rows, schemas or fields come, not for single objects", function()
    local wanted = { get_query = true, get_schema_records = true, list_sync_source_fields = true,
      sample_model = true, get_org = false, create_org = false, get_current_org_user = false }
    for _, operation in ipairs(operations) do
      if wanted[operation.name] ~= nil then
        local client, server = clients.answered { 200 }
        client[operation.name](client, arguments_of(operation))
        local encoding = server:requests()[1].headers["accept-encoding"]
        assert.equal(wanted[operation.name], encoding ~= nil, operation.name)
      end
    end
  end)
end)

describe("bad usage of any operation", function()
  after_each(clients.close)

  it("raises where it is called", function()
    local client = clients.answered { 200 }
    for _, operation in ipairs(operations) do
      local name = operation.name
      contains(clients.raised(function() client[name] { x = 1 } end), name)
      contains(clients.raised(function() client[name](client, "x") end),
        name .. ": arguments must be a table")
      contains(clients.raised(function()
        client[name](client, arguments_of(operation), { tiemout = 1 })
      end), "unknown option 'tiemout'")
    end
  end)
end)
