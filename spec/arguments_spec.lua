-- Arguments: what the operations take, what they refuse before a byte is sent, and the exact bytes
-- they become.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"
local samples = require "spec.support.samples"
local sandbox = require "spec.support.sandbox"
local testing = require "polytomic.testing"

local cjson = require("cjson").new()
local null = polytomic.null
local uuid = "248df4b7-aa70-47b8-a036-33ac447e668d"
local other_uuid = "11111111-2222-4333-8444-555555555555"
local nan, huge = 0 / 0, math.huge
local with = samples.with
local has_integers = math.type ~= nil -- luacheck: ignore
local function nothing() end

-- Good arguments of the seventeen operations of organizations and users.
local seventeen = {
  get_current_org = {}, list_orgs = {}, create_org = { name = "Acme" }, get_org = { id = uuid },
  update_org = { id = uuid, name = "Acme" }, delete_org = { id = uuid },
  list_current_org_users = {}, create_current_org_user = { email = "jane@acme.com" },
  get_current_org_user = { id = uuid }, update_current_org_user = { id = uuid },
  delete_current_org_user = { id = uuid }, list_users = { org_id = uuid },
  create_user = { org_id = uuid, email = "jane@acme.com" }, get_user = { org_id = uuid, id = uuid },
  update_user = { org_id = uuid, id = uuid, email = "jane@acme.com" },
  delete_user = { org_id = uuid, id = uuid }, create_user_api_key = { org_id = uuid, id = uuid },
}

local described = {}
for _, operation in ipairs(polytomic.operations) do described[operation.name] = operation end

local function sorted(of)
  local names = {}
  for name in pairs(of) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Runs `check(field)` on every argument of the seventeen operations.
local function each_argument(check)
  for _, name in ipairs(sorted(seventeen)) do
    for _, field in ipairs(described[name].arguments) do check(name, field) end
  end
end

local client
local function refused(name, arguments, field, problem)
  local ok, data, message, err = pcall(client[name], client, arguments)
  assert.is_true(ok, tostring(data))
  assert.is_nil(data, name .. " took " .. tostring(field))
  assert.same({ "invalid", "unsent", 0, name, false },
    { err.kind, err.outcome, err.attempts, err.operation, err.retryable })
  assert.equal(field, err.field)
  assert.is_nil(err.status)
  assert.equal(name .. ": invalid: " .. err.message, message)
  assert.equal(message, tostring(err))
  assert.is_nil(message:find("[%c\128-\255]"), message)
  if problem then assert.is_truthy(message:find(problem, 1, true), message) end
  return message
end

before_each(function()
  sandbox:reset()
  client = clients.sandbox()
end)
after_each(function()
  assert.same({}, sandbox:requests())
  assert.equal(0, client:stats().connections_opened)
  clients.close()
end)

describe("Each of the seventeen operations", function()
  it("is in the catalogue", function()
    assert.equal(17, #sorted(seventeen))
    for name in pairs(seventeen) do assert.is_table(described[name], name) end
  end)

  it("refuses to do without a required argument, or with an empty one", function()
    local count = 0
    each_argument(function(name, field)
      if not field.required then return end
      count = count + 1
      refused(name, with(seventeen[name], field.name, nil), field.name,
        field.name .. " is required")
      refused(name, with(seventeen[name], field.name, ""), field.name,
        field.name .. " must not be empty")
    end)
    assert.equal(21, count)
  end)

  it("refuses a value of a wrong type", function()
    each_argument(function(name, field)
      local wrong = { 7, 1.5, true, {}, { "x" }, nothing, io.stdout, coroutine.create(nothing) }
      if field.type == "boolean" then wrong[3] = "true" end
      for _, value in ipairs(wrong) do
        local fits = field.type == "array" and type(value) == "table"
        if not fits then
          refused(name, with(seventeen[name], field.name, value), field.name, "must be")
        end
      end
    end)
  end)

  it("refuses an id that is no UUID, and all that could change the path", function()
    local bad = { ".", "..", "../users", "..%2f", "%2e%2e", "a/b", "a\\b", "x?y=1", "x#f", "a\rb",
      "a\nb", "a\0b", ("x"):rep(2 ^ 20), uuid .. "/", uuid .. "\n", uuid .. "\0", " " .. uuid,
      "{" .. uuid:sub(2, -2) .. "}", uuid:gsub("-", "") }
    local count = 0
    each_argument(function(name, field)
      if field.location ~= "path" then return end
      count = count + 1
      for _, value in ipairs(bad) do
        refused(name, with(seventeen[name], field.name, value), field.name)
      end
      refused(name, with(seventeen[name], field.name, null), field.name, "got null")
    end)
    assert.equal(16, count)
  end)

  it("refuses text that is not UTF-8", function()
    each_argument(function(name, field)
      if field.location ~= "body" or field.type ~= "string" then return end
      for _, value in ipairs { "\255", "a\195", "\192\128", "\237\160\128", "\244\144\128\128" } do
        refused(name, with(seventeen[name], field.name, value), field.name, "must be valid UTF-8")
      end
    end)
  end)

  it("refuses an argument it does not have, and suggests the nearest it has", function()
    for name, arguments in pairs(seventeen) do
      refused(name, with(arguments, "colour", "red"), "colour", "unknown field 'colour'")
      refused(name, with(arguments, "", 1), nil)
    end
    for _, case in ipairs { { "create_org", "nmae", "name" },
        { "create_org", "client-secret", "client_secret" }, { "create_org", "Issuer", "issuer" },
        { "create_user", "e_mail", "email" }, { "create_user", "roleids", "role_ids" },
      { "get_org", "ids", "id" }, { "create_user_api_key", "forced", "force" },
      { "list_users", "orgid", "org_id" } } do
      local name, wrong, right = case[1], case[2], case[3]
      refused(name, with(seventeen[name], wrong, "x"), wrong,
        ("unknown field '%s', did you mean '%s'?"):format(wrong, right))
      refused(name, { [wrong] = "x" }, wrong, "did you mean")
    end
  end)

  it("refuses values without a name", function()
    for name, arguments in pairs(seventeen) do
      refused(name, with(arguments, 1, "Acme"), nil, "must be named")
      refused(name, with(arguments, true, "Acme"), nil, "must be named")
    end
  end)

  it("shows of a refused name and value nothing that is not printable, and not much", function()
    local message = refused("create_org", { name = "Acme", ["a\nb\27[0m\255"] = 1 }, "a?b?[0m?")
    assert.is_nil(message:find("[%c\128-\255]"))
    assert.is_true(#refused("create_org", { name = "Acme", [("x"):rep(10000)] = 1 },
      ("x"):rep(64)) < 200)
    lacks(refused("get_org", { id = "canary-4711" }, "id"), "canary")
  end)

  it("is refused in the same way when it is started", function()
    local call = client:start("create_org", {})
    assert.is_true(call:done())
    local data, message, err = call:result()
    assert.is_nil(data)
    assert.same({ "create_org: invalid: name is required", "invalid", "name", "unsent" },
      { message, err.kind, err.field, err.outcome })
    assert.same({ "create_org: invalid: name is required" }, { (select(2, call:result())) })
    call:cancel()
    assert.equal("invalid", select(3, call:result()).kind)
  end)

  it("is refused in the same way by a client with wait, which is not asked to wait", function()
    local waiting = clients.sandbox { wait = function() error "there is nothing to wait for" end }
    local data, message, err = waiting:create_org {}
    assert.is_nil(data)
    assert.same({ "create_org: invalid: name is required", "invalid" }, { message, err.kind })
  end)
end)

describe("Roles", function()
  it("are given as one where the other is null", function()
    local taker, server = clients.answered { 200, { data = {} } }
    for _, roles in ipairs { { role = polytomic.null, role_ids = { uuid } }, { role = "admin",
      role_ids = polytomic.null }, { role = polytomic.null, role_ids = polytomic.null } } do
      assert(taker:create_user { org_id = uuid, email = "jane@acme.com", role = roles.role,
        role_ids = roles.role_ids })
    end
    assert.equal(3, #server:requests())
    contains(server:requests()[1].body, '"role":null')
  end)

  it("are given as role or as role_ids, never as both", function()
    for _, name in ipairs { "create_user", "update_user", "create_current_org_user",
        "update_current_org_user" } do
      local both = with(with(seventeen[name], "role", "admin"), "role_ids", { uuid })
      local message = refused(name, both, "role")
      contains(message, "role must not be given together with role_ids")
    end
  end)

  it("are not given as an empty list, a sparse one, or one of something else", function()
    for _, name in ipairs { "create_user", "update_user", "create_current_org_user" } do
      local function role_ids(value)
        return with(with(seventeen[name], "role", nil), "role_ids", value)
      end
      refused(name, role_ids {}, "role_ids", "must have at least one entry")
      refused(name, role_ids { uuid, nil, uuid }, "role_ids", "no gaps")
      refused(name, role_ids { [0] = uuid, uuid }, "role_ids", "no gaps")
      refused(name, role_ids { [1.5] = uuid }, "role_ids", "no gaps")
      refused(name, role_ids { uuid, extra = uuid }, "role_ids", "no gaps")
      refused(name, role_ids { first = uuid }, "role_ids", "no gaps")
      refused(name, role_ids { uuid, "admin" }, "role_ids[2]", "must be a UUID")
      refused(name, role_ids { uuid, 7 }, "role_ids[2]", "must be a UUID string, got number")
      refused(name, role_ids { { uuid } }, "role_ids[1]", "must be a UUID string, got table")
      refused(name, role_ids(uuid), "role_ids", "must be a list")
    end
  end)
end)

local function sync(target, more)
  local arguments = { name = "s", mode = "create", schedule = { frequency = "manual" }, fields = {
    { target = "email", source = { field = "email", model_id = uuid } } }, target = target }
  for name, value in pairs(more or {}) do arguments[name] = value end
  return arguments
end

describe("Values inside a body", function()
  local function model(configuration)
    return { name = "m", connection_id = uuid, configuration = configuration }
  end
  it("are refused where they are no JSON, and named by their whole place", function()
    refused("create_model", model { a = { b = nan } }, "configuration.a.b",
      "must be a finite number")
    refused("create_model", model { a = huge }, "configuration.a", "must be a finite number")
    refused("create_model", model { a = -huge }, "configuration.a", "must be a finite number")
    refused("create_model", model { a = nothing }, "configuration.a", "got function")
    refused("create_model", model { a = io.stdout }, "configuration.a", "got userdata")
    refused("create_model", model { a = { 1, 2, "\255" } }, "configuration.a[3]",
      "must be valid UTF-8")
    refused("create_model", model { ["\255"] = 1 }, "configuration.?",
      "must have a name of valid UTF-8")
    refused("create_model", model { a = { 1, nil, 3 } }, "configuration.a", "no gaps")
    refused("create_model", model { a = { 1, x = 2 } }, "configuration.a", "no gaps")
    refused("create_model", model { a = { [1.5] = 2 } }, "configuration.a", "string keys only")
    refused("create_model", model { [true] = 2 }, "configuration", "string keys only")
  end)

  it("are refused where a table holds itself, and taken where it is only there twice", function()
    local cycle = {}
    cycle.next = { back = cycle }
    refused("create_model", model(cycle), "configuration.next.back", "contains itself")
    local list = {}
    list[1] = list
    refused("create_model", model { a = list }, "configuration.a[1]", "contains itself")
  end)

  it("are refused where they are nested too deeply", function()
    local deep = {}
    for _ = 1, 100000 do deep = { deep } end
    local message = refused("create_model", model { a = deep },
      select(3, client:create_model(model { a = deep })).field)
    contains(message, "is nested too deeply")
    assert.is_true(#message < 400)
  end)

  it("are checked against the API's types all the way down", function()
    local target = { connection_id = uuid, object = "Contact" }
    refused("create_sync", sync { object = "Contact" }, "target.connection_id", "is required")
    refused("create_sync", sync { connection_id = "acme" }, "target.connection_id",
      "must be a UUID")
    refused("create_sync", sync("acme"), "target", "must be a table, got string")
    refused("create_sync", sync(target, { fields = { { source = {} } } }), "fields[1].target",
      "is required")
    refused("create_sync", sync(target, { fields = { { target = "email", new = "yes" } } }),
      "fields[1].new", "must be a boolean, got string")
    refused("create_sync", sync(target, { fields = {}, schedule = { job_id = 1.5 } }),
      "schedule.job_id", "must be an integer")
    refused("create_sync", sync(target, { schedule = { job_id = "1" } }), "schedule.job_id",
      "must be an integer, got string")
    refused("create_sync", sync(target, { policies = { uuid, "x" } }), "policies[2]",
      "must be a UUID")
    refused("create_sync", sync(target, { active = 1 }), "active", "must be a boolean, got number")
  end)

  it("are refused in a request outside the catalogue too", function()
    for field, value in pairs { ["body.a"] = { a = nan }, ["body.b"] = { b = nothing },
        ["body[1]"] = { "\255" } } do
      local _, _, err = client:request { method = "POST", path = "/api/x", body = value }
      assert.same({ "invalid", field, "unsent" }, { err.kind, err.field, err.outcome })
    end
    local _, _, err = client:request { method = "GET", path = "/api/x", query = { a = nothing } }
    assert.same({ "invalid", "query.a" }, { err.kind, err.field })
  end)
end)

describe("Values in a query", function()
  it("are refused where they are of a wrong type or null", function()
    refused("create_user_api_key", { org_id = uuid, id = uuid, force = "true" }, "force",
      "must be a boolean, got string")
    refused("create_user_api_key", { org_id = uuid, id = uuid, force = null }, "force", "null")
    refused("list_events", { limit = "10" }, "limit", "must be an integer, got string")
    refused("list_events", { limit = 1.5 }, "limit", "must be an integer")
    refused("list_events", { limit = huge }, "limit", "must be")
    refused("list_events", { type = "\255" }, "type", "must be valid UTF-8")
    refused("list_bulk_sync_execution_statuses", { sync_id = "x" }, "sync_id", "must be a list")
    refused("list_bulk_sync_execution_statuses", { sync_id = { uuid, 7 } }, "sync_id[2]",
      "must be a UUID string, got number")
    refused("list_bulk_sync_execution_statuses", { sync_id = { uuid, null } }, "sync_id[2]",
      "must be a UUID string, got null")
  end)
end)

describe("The bytes that are sent", function()
  local server, written

  -- These calls go to a server of their own; the sandbox above stays untouched.
  before_each(function() written, server = clients.answered({ 200, '{"data":{}}' }) end)

  local function sent(name, arguments)
    local data, message = written[name](written, arguments)
    if not (message and message:find("instead of a list", 1, true)) then
      assert.is_table(data, message)
    end
    local requests = server:requests()
    return requests[#requests].body, requests[#requests].target
  end

  local function body_of(configuration)
    local body =
      sent("create_model", { name = "m", connection_id = uuid, configuration = configuration })
    return (body:match('^{"configuration":(.*),"connection_id":"' .. uuid:gsub("%-", "%%-")
        .. '","name":"m"}$'))
  end

  it("hold the arguments in the catalogue's order, and none of the path", function()
    assert.equal('{"name":"Acme"}', (sent("create_org", { name = "Acme" })))
    assert.equal('{"client_id":"c","client_secret":"s","issuer":"i",'
        .. '"name":"n","sso_domain":"d","sso_org_id":"o"}', (sent("create_org", { sso_org_id = "o",
          sso_domain = "d", name = "n", issuer = "i", client_secret = "s", client_id = "c" })))
    local body, target = sent("create_user",
      { org_id = uuid:upper(), email = "a@b.c", role_ids = { uuid, other_uuid } })
    assert.equal('{"email":"a@b.c","role_ids":["' .. uuid .. '","' .. other_uuid .. '"]}', body)
    assert.equal("/api/organizations/" .. uuid:upper() .. "/users", target)
  end)

  it("hold members of nested objects that the catalogue does not know", function()
    local body = sent("create_sync", sync({ connection_id = uuid, colour = { deep = 1 } }))
    assert.same({ connection_id = uuid, colour = { deep = 1 } }, cjson.decode(body).target)
  end)

  it("hold null for every body field that is polytomic.null", function()
    assert.equal('{"client_id":null,"client_secret":null,"issuer":null,'
        .. '"name":null,"sso_domain":null,"sso_org_id":null}',
      (sent("create_org", { name = null, client_id = null, client_secret = null, issuer = null,
        sso_domain = null, sso_org_id = null })))
    assert.equal('{"email":"a@b.c","role_ids":null}',
      (sent("create_user", { org_id = uuid, email = "a@b.c", role_ids = null })))
    assert.equal('{"a":[null,1,null]}', (body_of { a = { null, 1, null } }))
    assert.equal('{"a":null}', (body_of { a = null }))
  end)

  it("are `{}` where an update has nothing to say, and no body where none is declared", function()
    assert.equal("{}", (sent("update_current_org_user", { id = uuid })))
    local body, target = sent("create_user_api_key", { org_id = uuid, id = uuid, force = true })
    assert.equal("", body)
    assert.equal("/api/organizations/" .. uuid .. "/users/" .. uuid .. "/keys?force=true", target)
    assert.equal("0", server:requests()[2].headers["content-length"])
    contains(select(2, sent("create_user_api_key", { org_id = uuid, id = uuid, force = false })),
      "?force=false")
  end)

  it("keep every character of a string", function()
    assert.equal([[{"name":"\"\\/\b\f\n\r\t\u0000\u0001\u001f]]
        .. "\127\195\188\226\130\172\240\159\152\128" .. [["}]], (sent("create_org",
          { name = "\"\\/\b\f\n\r\t\0\1\31\127\195\188\226\130\172\240\159\152\128" })))
    local every = {}
    for code = 0, 127 do every[#every + 1] = string.char(code) end
    assert.equal(table.concat(every),
      cjson.decode((sent("create_org", { name = table.concat(every) }))).name)
    local megabyte = ("Acme "):rep(200000)
    assert.equal(megabyte, cjson.decode((sent("create_org", { name = megabyte }))).name)
  end)

  it("keep every number", function()
    local numbers = { { 0, "0" }, { 1, "1" }, { -1, "-1" }, { 0.1, "0.1" },
      { 1.5e300, "1.5e+300" }, { 2 ^ 53, "9007199254740992" }, { 2 ^ 53 - 1, "9007199254740991" },
      { -2 ^ 53, "-9007199254740992" }, { 1e15, "1000000000000000" },
      { 123456789012, "123456789012" }, { 1 / 3, "0.3333333333333333" }, { 5e-324, "5e-324" } }
    for _, case in ipairs(numbers) do
      assert.equal('{"a":' .. case[2] .. "}", (body_of { a = case[1] }))
    end
  end)

  it("keep 64-bit integers and negative zero where Lua has them", function()
    assert.equal('{"a":-0}', (body_of { a = -1 / huge }))
    if not has_integers then return end
    local integer = require "math" -- with the integers of Lua 5.3
    assert.equal('{"a":9223372036854775807}', (body_of { a = integer.maxinteger }))
    assert.equal('{"a":-9223372036854775808}', (body_of { a = integer.mininteger }))
    assert.equal('{"a":9007199254740993}', (body_of { a = integer.tointeger(2 ^ 53) + 1 }))
  end)

  it("keep lists and objects apart, also where they are empty", function()
    assert.equal('{"a":{}}', (body_of { a = {} }))
    assert.equal("{}", (body_of {}))
    assert.equal('{"a":[[1],[{"b":2}]]}', (body_of { a = { { 1 }, { { b = 2 } } } }))
    local body = sent("create_sync", { name = "s", mode = "create", schedule = {}, fields = {},
      target = { connection_id = uuid }, filters = {}, policies = {} })
    assert.equal(
      '{"fields":[],"filters":[],"mode":"create","name":"s",'
        .. '"policies":[],"schedule":{},"target":{"connection_id":"'
        .. uuid
        .. '"}}',
      body
    )
  end)

  it("E8: hold `[]` for an empty table that is marked as a list, and for empty_array", function()
    local mark = polytomic.array_mt
    assert.equal('{"a":[]}', (body_of { a = setmetatable({}, mark) }))
    assert.equal('{"a":[]}', (body_of { a = polytomic.empty_array }))
    assert.equal("[]", (body_of(setmetatable({}, mark))))
    assert.equal('{"a":[[],{}]}', (body_of { a = { setmetatable({}, mark), {} } }))
    assert.equal('{"a":[1]}', (body_of { a = setmetatable({ 1 }, mark) }))
    assert.equal('{"a":{"b":1}}', (body_of { a = setmetatable({ b = 1 }, mark) }))
    assert.equal('{"a":{}}', (body_of { a = setmetatable({}, {}) }))
    assert.equal('{"a":[]}', (body_of { a = setmetatable({}, { __jsontype = "array" }) }))
    assert.is_false(pcall(function() polytomic.empty_array[1] = 1 end))
    assert.equal("[]", (sent("request",
      { method = "POST", path = "/api/x", body = polytomic.empty_array })))
  end)

  it("E8: hold `[]` for what OpenResty's lua-cjson takes for empty lists, if loaded", function()
    local library = require "cjson"
    local made = { empty_array = testing.light_userdata(), array_mt = {}, empty_array_mt = {} }
    local before = {}
    for name, value in pairs(made) do before[name], library[name] = library[name], value end
    finally(function()
      for name in pairs(made) do library[name] = before[name] end
    end)
    assert.equal('{"a":[[],[],[]]}', (body_of { a = { made.empty_array,
      setmetatable({}, made.array_mt), setmetatable({}, made.empty_array_mt) } }))
    assert.equal('{"a":[]}', (body_of { a = made.empty_array }))
    local _, _, err = client:create_org { name = made.empty_array }
    assert.same({ "invalid", "name" }, { err.kind, err.field })
  end)

  it("E8: hold `[]` where a list was read empty, and `{}` where an object was", function()
    local read = clients.answered { 200, '{"data":{"id":"x","configuration":{"l":[],"o":{}}}}' }
    local model = read:get_model { id = uuid }
    server = clients.server { { 200, '{"data":{}}' } }
    local body = body_of(model.configuration)
    assert.is_true(body == '{"l":[],"o":{}}' or body == '{"o":{},"l":[]}', body)
  end)

  it("hold a table twice where it is there twice", function()
    local shared = { 1 }
    assert.same({ a = { 1 }, b = { 1 } }, cjson.decode((body_of { a = shared, b = shared })))
  end)

  it("hold objects a hundred deep, counted with the configuration around them", function()
    local deep = 1
    for _ = 1, 99 do deep = { deep } end
    assert.equal('{"a":' .. ("["):rep(99) .. "1" .. ("]"):rep(99) .. "}", (body_of { a = deep }))
  end)

  it("come from the table itself, not from its metatable", function()
    local arguments = setmetatable(
      { name = "Acme" },
      {
        __index = { issuer = "https://never.example" },
        __pairs = function() error "never asked" end,
        __len = function() error "never asked" end,
      }
    )
    assert.equal('{"name":"Acme"}', (sent("create_org", arguments)))
  end)

  it("encode what is in a query", function()
    local _, target = sent("list_events", { type = "a&b=c d/\195\188+%", limit = 10 })
    local pairs_of = {}
    for pair in target:match("%?(.*)$"):gmatch("[^&]+") do pairs_of[#pairs_of + 1] = pair end
    table.sort(pairs_of)
    assert.same({ "limit=10", "type=a%26b%3Dc%20d%2F%C3%BC%2B%25" }, pairs_of)
    _, target = sent("list_bulk_sync_execution_statuses", { sync_id = { uuid, other_uuid } })
    assert.equal("sync_id=" .. uuid .. "&sync_id=" .. other_uuid, target:match("%?(.*)$"))
    _, target = sent("get_sync_source", { id = uuid, params = { team = { "x y", "z" } } })
    assert.equal("params%5Bteam%5D=x%20y&params%5Bteam%5D=z", target:match("%?(.*)$"))
  end)
end)
