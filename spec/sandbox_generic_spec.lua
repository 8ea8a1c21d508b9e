-- The sandbox beyond organizations and users: every operation answers, collections keep state,
-- lists page, work goes on.

local cjson = require("cjson").new()
local api = require "polytomic.sandbox.rules.api"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"
local date_time = require "polytomic.date_time"
local facts = require "spec.support.facts"
local families = require "polytomic.sandbox.data.families"
local resources = require "polytomic.sandbox.data.resources"
local schema = require "polytomic.sandbox.data.schema"
local seed = require "polytomic.sandbox.rules.seed"
local state = require "polytomic.sandbox.data.state"

local base64 = require("mime").b64
local unknown = "11111111-2222-4333-8444-555555555555"

local emulator

local function escape(text)
  return (
    tostring(text):gsub(
      "[^%w%-._~]",
      function(char) return string.format("%%%02X", char:byte()) end
    )
  )
end

-- One request without sockets: status, decoded body, response. `body` is a table or text.
local function send(method, target, body, authorization)
  local path, query = target:match "^([^?]*)%??(.*)$"
  local text = type(body) == "table" and (next(body) and cjson.encode(body) or "{}") or body or ""
  local request = { method = method, target = target, path = path, query = query, body = text,
    headers = { authorization = authorization or "Bearer partner-key" } }
  local route, parameters = emulator:route(request)
  local response = emulator:answer(request, route, parameters)
  return response.status, response.body ~= "" and cjson.decode(response.body) or nil, response
end

local function ok(...)
  local status, body, response = send(...)
  assert.is_true(status >= 200 and status < 300, status .. " " .. tostring(response.body))
  return body, response
end

local function plant(operation, count, arguments)
  return assert(seed.plant(emulator.state,
    { operation = operation, count = count, arguments = arguments }))
end

-- The request of an operation with these arguments: method, target, body.
local function request_of(operation, arguments)
  local path = operation.path:gsub("{([^}]+)}", function(name) return escape(arguments[name]) end)
  local query = {}
  local function add(name)
    if arguments[name] ~= nil then query[#query + 1] = name .. "=" .. escape(arguments[name]) end
  end
  for _, field in ipairs(operation.query_params or {}) do add(field.name) end
  if operation.pagination and operation.pagination.kind == "page_token_prose_only" then
    add "page_token"
    add "limit"
  end
  table.sort(query)
  local body = operation.body and {}
  for _, field in ipairs(operation.body or {}) do body[field.name] = arguments[field.name] end
  return operation.method, path .. (query[1] and "?" .. table.concat(query, "&") or ""), body
end

-- Required arguments that are not in the path.
local function add_examples(operation, arguments)
  for _, list in ipairs { "query_params", "body" } do
    for _, field in ipairs(operation[list] or {}) do
      if field.required and arguments[field.name] == nil then
        arguments[field.name] = facts.example(field.type, field.name, field.format)
      end
    end
  end
  return arguments
end

local operation_by_name = {}
for _, operation in ipairs(facts.operations) do operation_by_name[operation.name] = operation end

local function call(name, arguments)
  local operation = operation_by_name[name]
  return ok(request_of(operation, add_examples(operation, arguments or {})))
end

local function status_of(name, arguments)
  local operation = operation_by_name[name]
  return (send(request_of(operation, add_examples(operation, arguments))))
end

local function at(body, path)
  for name in path:gmatch "[^.]+" do
    if type(body) ~= "table" or body[name] == cjson.null then return nil end
    body = body[name]
  end
  return body
end

before_each(function()
  emulator =
    api.new(state.new { partner_key = "partner-key", deployment_key = "deployment-key" }, os.time)
end)

describe("every operation of the API", function()
  -- Arguments that only a request can make.
  local prepared = {}

  function prepared.create_org() return { name = "Acme" } end

  local function with_user(arguments)
    local org = ok("POST", "/api/organizations", { name = "Acme" }).data
    local user =
      ok("POST", "/api/organizations/" .. org.id .. "/users", { email = "jane@acme.com" }).data
    arguments.org_id, arguments.id, arguments.email = org.id, user.id, "joe@acme.com"
    return arguments
  end

  for _, name in ipairs { "list_users", "create_user", "get_user", "update_user", "delete_user",
      "create_user_api_key" } do
    prepared[name] = function() return with_user {} end
  end
  for _, name in ipairs { "get_org", "update_org", "delete_org" } do
    prepared[name] = function() return { id = with_user({}).org_id, name = "New" } end
  end
  for _, name in ipairs { "get_current_org_user", "update_current_org_user",
      "delete_current_org_user" } do
    prepared[name] = function()
      return { id = ok("POST", "/api/organization/users", { email = "jane@acme.com" }).data.id }
    end
  end

  function prepared.create_current_org_user() return { email = "jane@acme.com" } end

  function prepared.get_connect_session()
    return { token = call("connect_connection").data.token }
  end

  function prepared.create_shared_connection()
    local arguments = plant("create_shared_connection").arguments
    arguments.child_organization_id = ok("POST", "/api/organizations", { name = "Child" }).data.id
    return arguments
  end

  function prepared.execute_harbor_action()
    local arguments = plant("execute_harbor_action").arguments
    arguments.execution_id =
      call("prepare_harbor_action", { harbor_id = arguments.harbor_id }).data.execution_id
    return arguments
  end

  local function arguments_of(operation)
    if prepared[operation.name] then return prepared[operation.name]() end
    if not families.by_name[operation.name] then return {} end
    return plant(operation.name, 2).arguments
  end

  for _, operation in ipairs(facts.operations) do
    it("answers " .. operation.name .. " as documented", function()
      local arguments = add_examples(operation, arguments_of(operation))
      local status, body, response = send(request_of(operation, arguments))
      assert.equal(operation.redirect_status or operation.success_status, status, response.body)
      if not operation.response_type then return assert.equal("", response.body) end
      assert.is_nil(facts.complaint(body, operation.response_type, operation.name))
      if operation.envelope then assert.is_not_nil(body.data) end
    end)
  end

  it("is one of the library's", function()
    assert.equal(#polytomic.operations, #facts.operations)
  end)
end)

-- Operations by family: template of the collection to { list, create, get, replace, delete }.
local function collections()
  local found = {}
  for _, operation in ipairs(families.operations) do
    local role = families.role(operation)
    local template = operation.template:gsub("/{}$", role == "list" and "%0" or "")
    found[template] = found[template] or { template = template }
    found[template][role] = operation_by_name[operation.name]
  end
  return found
end

local function last_parameter(operation) return operation.path:match "{([^}]+)}$" end

local function ids(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.id or item.operation_id end
  return found
end

local function holds(list, id)
  for _, item in ipairs(list) do
    if item.id == id then return true end
  end
  return false
end

-- Every page of a list, one after another, as a client reads them: the items, and how many pages
-- there were.
local function read_all(operation, arguments)
  local pages, items, count = families.by_name[operation.name].pages, {}, 0
  local body
  repeat
    body = ok(request_of(operation, arguments))
    count = count + 1
    assert.is_true(count < 100, "the list does not end")
    local page = at(body, pages.items)
    for _, item in ipairs(page) do items[#items + 1] = item end
    local token
    if pages.kind == "time_window" then
      token = page[1] and page[#page].created_at
    elseif pages.next then
      token = at(body, pages.next)
    end
    arguments[pages.token or "none"] = token
  until not token
  return items, count
end

-- These are posted to, but what comes of it is not what was posted.
local of_its_own = { create_shared_connection = true }

describe("a collection of the sandbox", function()
  local tried = 0

  for template, family in pairs(collections()) do
    if family.create and not of_its_own[family.create.name] then
      tried = tried + 1
      it("at " .. template .. " keeps what is created until it is deleted", function()
        local arguments = plant(family.create.name, 0).arguments
        local item = call(family.create.name, arguments).data
        local id = item.id or item.session_id or item.harbor.id
        assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", id)
        local function with_id(operation)
          local named = {}
          for name, value in pairs(arguments) do named[name] = value end
          local parents = {}
          for name in family.create.path:gmatch "{([^}]+)}" do
            parents[#parents + 1] = arguments[name]
          end
          for name in operation.path:gmatch "{([^}]+)}" do
            named[name] = table.remove(parents, 1)
          end
          if operation.path:find "}$" then named[last_parameter(operation)] = id end
          return named
        end
        if family.list then
          assert.is_true(
            holds((read_all(family.list, add_examples(family.list, with_id(family.list)))), id)
          )
        end
        if family.get then assert.equal(id, call(family.get.name, with_id(family.get)).data.id) end
        if family.replace then call(family.replace.name, with_id(family.replace)) end
        if not family.delete then return end
        call(family.delete.name, with_id(family.delete))
        assert.equal(404, status_of(family.delete.name, with_id(family.delete)))
        if family.get then assert.equal(404, status_of(family.get.name, with_id(family.get))) end
        if family.list then
          assert.is_false(
            holds((read_all(family.list, add_examples(family.list, with_id(family.list)))), id)
          )
        end
      end)
    end
  end

  it("is one of seventeen", function() assert.equal(17, tried) end)

  -- Sends an operation's request with one member of its body changed (nil: left out): status and
  -- the field it names.
  local function refusal(operation, name, value)
    local arguments = add_examples(operation, plant(operation.name).arguments)
    arguments[name] = value
    local status, body = send(request_of(operation, arguments))
    return status, status == 422 and body.metadata.field:match "^[^.]+" or nil
  end

  it("refuses a body without what is required, or with another type, naming the member", function()
    local refused = 0
    for _, operation in ipairs(facts.operations) do
      for _, field in ipairs(families.by_name[operation.name] and operation.body or {}) do
        local wrong = facts.complaint(1, field.type, "") and 1 or { "wrong" }
        if facts.complaint(wrong, field.type, "") then
          refused = refused + 1
          assert.same({ operation.name, 422, field.name },
            { operation.name, refusal(operation, field.name, wrong) })
        end
        if field.required then
          assert.same({ operation.name, 422, field.name },
            { operation.name, refusal(operation, field.name, nil) })
        end
      end
    end
    assert.is_true(refused > 200)
  end)

  it("refuses a query without what is required, or with what is malformed", function()
    local path = "/api/harbors/"
      .. call("create_harbor").data.harbor.id
      .. "/actions/describe?connection_id=a&schema_id=b"
    local status, body = send("GET", path)
    assert.same({ 422, "operation_id" }, { status, body.metadata.field })
    assert.equal(200, (send("GET", path .. "&operation_id=c")))
    for _, query in ipairs { "limit=x", "limit=1.5", "active=2", "target_connection_id=1" } do
      status, body = send("GET", "/api/syncs?" .. query)
      assert.same({ 422, query:match "^[^=]+" }, { status, body.metadata.field })
    end
  end)

  it("replaces with PUT, clearing what is left out, and keeps id and time of creation", function()
    local made = call("create_sync", { name = "First", filter_logic = "A AND B" }).data
    local changed = call("update_sync", { id = made.id, name = "Second" }).data
    assert.same({ made.id, made.created_at, "Second" },
      { changed.id, changed.created_at, changed.name })
    assert.is_nil(changed.filter_logic)
    assert.is_true(changed.updated_at > made.updated_at)
    assert.same(changed, call("get_sync", { id = made.id }).data)
  end)

  it("merges with PATCH, by the id of each schema of a bulk sync", function()
    local sync = call(
      "create_bulk_sync",
      {
        name = "Bulk",
        schemas = { "public.users", { id = "public.orders", fields = { "id" }, filters = {} } },
      }
    ).data
    local path = "/api/bulk/syncs/" .. sync.id .. "/schemas"
    assert.same({ "public.users", "public.orders" }, ids(ok("GET", path).data))
    ok("PUT", path .. "/public.users", { enabled = true, partition_key = "day" })
    local patched = ok(
      "PATCH",
      path,
      { schemas = { { id = "public.users", enabled = false }, { id = "new", enabled = true } } }
    ).data
    assert.same({ false, "day" }, { patched[1].enabled, patched[1].partition_key })
    assert.equal("day", ok("GET", path .. "/public.users").data.partition_key)
    assert.equal(3, #ok("GET", path).data)
    assert.equal(422, (send("PATCH", path, { schemas = { { enabled = true } } })))
  end)

  it("never gives write-only members back", function()
    local connection = call("create_connection", { configuration = { password = "canary" } }).data
    local webhook = call("create_webhook", { secret = "canary" }).data
    local sync = call("create_sync", { encryption_passphrase = "canary" }).data
    for _, path in ipairs { "/api/connections/" .. connection.id, "/api/webhooks/" .. webhook.id,
        "/api/syncs/" .. sync.id,
      "/api/connections", "/api/webhooks", "/api/syncs" } do
      local _, response = ok("GET", path)
      lacks(response.body, "canary")
    end
  end)

  it("keeps empty lists lists", function()
    local sent = '{"name":"x","mode":"create","schedule":{},"target":{"connection_id":"'
      .. unknown
      .. '"},"fields":[],"policies":null}'
    local _, answered = ok("POST", "/api/syncs", sent)
    contains(answered.body, '"fields":[]')
  end)

  it("filters by what its items have", function()
    call("create_sync", { name = "On", active = true })
    call("create_sync", { name = "Off" })
    local function names(query)
      local found = {}
      for i, item in ipairs(ok("GET", "/api/syncs?" .. query).data) do found[i] = item.name end
      return found
    end
    assert.same({ "On" }, names "active=true")
    assert.same({ "Off" }, names "active=false")
    assert.same({ "On", "Off" }, names "mode=create")
    assert.same({}, names "mode=update")
    assert.equal(422, (send("GET", "/api/syncs?active=perhaps")))
  end)

  it("belongs to one organization", function()
    local org = ok("POST", "/api/organizations", { name = "Acme" }).data
    local basic = "Basic " .. base64(org.id .. ":partner-key")
    local model = ok("POST", "/api/models",
      { name = "M", configuration = { a = 1 }, connection_id = unknown }, basic).data
    assert.equal(org.id, model.organization_id)
    assert.equal(404, (send("GET", "/api/models/" .. model.id)))
    assert.equal(200, (send("GET", "/api/models/" .. model.id, nil, basic)))
    assert.same({}, ok("GET", "/api/models").data)
  end)

  it("is there below an item that is there, and gone with it", function()
    local sync = call("create_bulk_sync").data
    local schedule = call("create_bulk_sync_schedule",
      { sync_id = sync.id, schedule = { frequency = "daily", hour = "7" } }).data
    assert.same({ "daily", "7", sync.id }, { schedule.frequency, schedule.hour, schedule.syncId })
    assert.equal(404, status_of("list_bulk_sync_schedules", { sync_id = unknown }))
    assert.equal(404, status_of("create_bulk_sync_schedule", { sync_id = unknown }))
    call("delete_bulk_sync", { id = sync.id })
    assert.equal(404,
      status_of("get_bulk_sync_schedule", { sync_id = sync.id, schedule_id = schedule.id }))
    for path in pairs(resources.of(emulator.state.owner).stores) do
      lacks(path, sync.id)
    end
  end)

  it("holds the same three examples on every start where nothing adds to it", function()
    local before = ok("GET", "/api/events").data
    assert.same({ "postgresql", "salesforce", "csv" }, ids(ok("GET", "/api/connection_types").data))
    emulator:reset()
    assert.same(ids(before), ids(ok("GET", "/api/events").data))
    assert.equal(3, #before)
  end)
end)

describe("a list of the sandbox", function()
  local tried = 0

  for _, operation in ipairs(families.operations) do
    if operation.pages and operation.pages.kind and operation.name ~= "get_query" then
      tried = tried + 1
      it("pages " .. operation.name .. " to the end, each item once", function()
        local documented = operation_by_name[operation.name]
        local planted = plant(operation.name, 25)
        assert.equal(25, #planted.ids)
        local items, count = read_all(documented, add_examples(documented, planted.arguments))
        assert.same(planted.ids, ids(items))
        assert.equal(operation.pages.kind == "time_window" and 4 or 3, count)
        if not operation.pages.limit then return end
        planted.arguments[operation.pages.limit] = 7
        items, count = read_all(documented, planted.arguments)
        assert.same({ 25, operation.pages.kind == "time_window" and 5 or 4 }, { #items, count })
        planted.arguments[operation.pages.limit] = 0
        assert.equal(422, (send(request_of(documented, planted.arguments))))
      end)
    end
  end

  it("is tried for every operation that is paginated, but the rows of a query", function()
    local paginated = 0
    for _, operation in ipairs(facts.operations) do
      if operation.pagination then paginated = paginated + 1 end
    end
    assert.equal(paginated - 1, tried)
  end)

  it("has no more on a page than the API allows, whatever is asked for", function()
    plant("list_syncs", 60)
    local body = ok("GET", "/api/syncs?limit=1000")
    assert.equal(50, #body.data)
    assert.is_string(body.pagination.next_page_token)
  end)

  it("goes on after the last item of a page though others are deleted", function()
    local planted = plant("list_models", 4).ids
    local first = ok("GET", "/api/models?limit=2")
    ok("DELETE", "/api/models/" .. planted[2])
    ok("DELETE", "/api/models/" .. planted[3])
    assert.same({ planted[4] },
      ids(ok("GET", "/api/models?page_token=" .. first.pagination.next_page_token).data))
  end)

  it("refuses a token that it did not give", function()
    local status, body = send("GET", "/api/syncs?page_token=2")
    assert.same({ 422, "page_token" }, { status, body.metadata.field })
  end)

  it("bounds events by both times, whatever their zone", function()
    plant("list_events", 5)
    local events = ok("GET", "/api/events").data
    local between = "starting_after="
      .. events[1].created_at
      .. "&ending_before="
      .. events[5].created_at
    assert.equal(3, #ok("GET", "/api/events?" .. between).data)
    local shifted =
      date_time.text(date_time.parse(events[1].created_at) + 2 * 3600 * 1000000):gsub("Z", "+02:00")
    assert.equal(4, #ok("GET", "/api/events?starting_after=" .. escape(shifted)).data)
    assert.equal(422, (send("GET", "/api/events?starting_after=yesterday")))
  end)
end)

describe("work of the sandbox", function()
  -- The statuses of three looks at what `name` gets.
  local function looks(name, arguments)
    local seen = {}
    for i = 1, 3 do seen[i] = call(name, arguments).data.status end
    return seen
  end

  it("of an execution goes on with each look at it", function()
    for _, kind in ipairs { "sync", "bulk_sync" } do
      local sync = call("create_" .. kind).data
      local started = call("start_" .. kind, { id = sync.id }).data
      assert.equal("created", started.status)
      local named = kind == "sync" and { sync_id = sync.id, id = started.id }
        or { id = sync.id, exec_id = started.id }
      local first = call("get_" .. kind .. "_execution", named).data
      assert.same({ "running", nil }, { first.status, first.completed_at })
      assert.same({ "completed", "completed", "completed" },
        looks("get_" .. kind .. "_execution", named))
      local last = call("get_" .. kind .. "_execution", named).data
      assert.is_true(last.completed_at > first.started_at)
    end
  end)

  it("of an execution goes on with each look at its sync's status", function()
    local sync = call("create_bulk_sync").data
    local path = "/api/bulk/syncs/" .. sync.id .. "/status"
    assert.is_nil(ok("GET", path).data.current_execution)
    local started = call("start_bulk_sync", { id = sync.id }).data
    assert.equal("running", ok("GET", path).data.current_execution.status)
    local over = ok("GET", path).data
    assert.is_nil(over.current_execution)
    assert.same({ started.id, "completed" }, { over.last_execution.id, over.last_execution.status })
    local statuses = ok("GET", "/api/bulk/syncs/status?sync_id=" .. sync.id).data
    assert.same({ sync.id, "completed" }, { statuses[1].sync_id, statuses[1].status })
    assert.same({}, ok("GET", "/api/bulk/syncs/status?sync_id=" .. unknown).data)
  end)

  it("of an execution ends canceled when that is asked for in time", function()
    local sync = call("create_sync").data
    local started = call("start_sync", { id = sync.id }).data
    local named = { sync_id = sync.id, id = started.id }
    call("cancel_sync", { id = sync.id })
    assert.equal("canceling", ok("GET", "/api/syncs/" .. sync.id .. "/executions").data[1].status)
    assert.same({ "canceled", "canceled", "canceled" }, looks("get_sync_execution", named))
    call("cancel_sync_execution", named)
    assert.equal("canceled", call("get_sync_execution", named).data.status)
  end)

  it("of an execution that is over cannot be canceled", function()
    local sync = call("create_bulk_sync").data
    local named = { id = sync.id, exec_id = call("start_bulk_sync", { id = sync.id }).data.id }
    looks("get_bulk_sync_execution", named)
    call("cancel_bulk_sync_execution", named)
    assert.same({ "completed", "completed", "completed" }, looks("get_bulk_sync_execution", named))
  end)

  it("of an execution fails where the sync's name says so", function()
    local sync = call("create_sync", { name = "This one fails" }).data
    local started = call("start_sync", { id = sync.id }).data
    assert.same({ "running", "failed", "failed" },
      looks("get_sync_execution", { sync_id = sync.id, id = started.id }))
    local failed = ok("GET", "/api/syncs/" .. sync.id .. "/executions?only_completed=true").data
    assert.same({ 1, { "the sandbox was asked to fail" } }, { #failed, failed[1].errors })
    local bulk = call("create_bulk_sync", { name = "fails" }).data
    local named = { id = bulk.id, exec_id = call("start_bulk_sync", { id = bulk.id }).data.id }
    assert.same({ "running", "failed", "failed" }, looks("get_bulk_sync_execution", named))
    assert.equal("the sandbox was asked to fail",
      call("get_bulk_sync_execution", named).data.status_message)
  end)

  it("in the background is a job, whose result is what the operation makes", function()
    local types = { create_model = "createmodel", update_model = "updatemodel",
      preview_model = "previewmodel", sample_model = "samplemodel",
      export_bulk_sync_execution_logs = "exportlogs" }
    for name, kind in pairs(types) do
      local arguments = plant(name).arguments
      arguments.async = true
      local body = call(name, arguments)
      assert.same({}, body.data)
      assert.same({ kind, "created" }, { body.job.type, body.job.status })
      local named = { type = kind, id = body.job.job_id }
      assert.same({ "running", "done", "done" }, looks("get_job", named))
      local job = call("get_job", named).data
      local data = operation_by_name[name].response_type
      assert.is_nil(facts.complaint({ data = job.result }, data, name))
      assert.is_nil(job.error)
      assert.equal(404, status_of("get_job", { type = "other", id = named.id }))
    end
  end)

  it("in the background fails where the model's name says so", function()
    local body = call("create_model", { name = "It fails", async = true })
    local named = { type = "createmodel", id = body.job.job_id }
    assert.same({ "running", "failed", "failed" }, looks("get_job", named))
    local job = call("get_job", named).data
    assert.is_string(job.error)
    assert.is_nil(job.result)
  end)

  it("of a query ends with rows on pages that are linked both ways", function()
    local connection = call("create_connection").data
    local query =
      call("run_query", { connection_id = connection.id, query = "SELECT * FROM t" }).data
    assert.equal("created", query.status)
    local running = call("get_query", { id = query.id })
    assert.same({ "running", nil, nil },
      { running.data.status, running.data.results, at(running, "links.next") })
    local body = call("get_query", { id = query.id })
    assert.same({ "done", 25, 10 }, { body.data.status, body.data.count, #body.data.results })
    local rows, links = #body.data.results, { body.links.next }
    while at(body, "links.next") do
      body = ok("GET", body.links.next)
      rows = rows + #body.data.results
      links[#links + 1] = body.links.previous
    end
    local path = "/api/queries/" .. query.id .. "?page="
    assert.same({ path .. 2, path .. 1, path .. 2 }, links)
    assert.same({ 25, { id = 25, name = "row 25" } }, { rows, body.data.results[5] })
    assert.equal(422, (send("GET", path .. "x")))
  end)

  it("of a query finds as many rows as its LIMIT, none too, and fails when not a query", function()
    local connection = call("create_connection").data
    local function outcome(sql)
      local id = call("run_query", { connection_id = connection.id, query = sql }).data.id
      call("get_query", { id = id })
      return call("get_query", { id = id })
    end
    assert.equal(3, #outcome("select a from b limit 3").data.results)
    assert.same(
      { {}, 0 },
      {
        outcome("WITH x AS (SELECT 1) SELECT * FROM x LIMIT 0").data.results,
        outcome("select 1 limit 0").data.count,
      }
    )
    local failed = outcome("selection").data
    assert.same({ "failed", "syntax error" }, { failed.status, failed.error })
    assert.equal(404, status_of("run_query", { connection_id = unknown, query = "select 1" }))
  end)

  it("of a query is shown to nobody else", function()
    local connection = call("create_connection").data
    local query = call("run_query", { connection_id = connection.id, query = "select 1" }).data
    assert.equal(404, (send("GET", "/api/queries/" .. query.id, nil, "Bearer deployment-key")))
  end)

  it("of refreshing schemas answers 202 with a place to look: running, then over", function()
    local connection = call("create_connection").data
    local status, body, response =
      send("POST", "/api/connections/" .. connection.id .. "/schemas/refresh")
    assert.same({ 202, nil }, { status, body })
    local location
    for _, header in ipairs(response.headers) do
      if header[1] == "Location" then location = header[2] end
    end
    assert.equal("/api/connections/" .. connection.id .. "/schemas/status", location)
    local first = ok("GET", location).data
    assert.same({ "refreshing", cjson.null }, { first.cache_status, first.last_refresh_finished })
    local second = ok("GET", location).data
    assert.equal("fresh", second.cache_status)
    assert.is_true(second.last_refresh_finished > second.last_refresh_started)
  end)

  it("of a Harbor is provisioned at the second look, and begins anew where it failed", function()
    local function watched(name)
      local harbor = call("create_harbor", { name = name, backing_mode = "managed" }).data.harbor
      assert.equal("provisioning", harbor.status)
      return looks("get_harbor", { harbor_id = harbor.id })
    end
    assert.same({ "provisioning", "ready", "ready" }, watched "Acme")
    assert.same({ "provisioning", "provisioning_failed", "ready" }, watched "Acme fails")
    local own = call("create_harbor", { name = "Acme", backing_mode = "customer_managed" }).data
    assert.same({ "ready", nil }, { own.harbor.status, own.api_key })
  end)

  it("of a Harbor action that fails says why", function()
    local harbor_id = call("create_harbor").data.harbor.id
    local prepared =
      call("prepare_harbor_action", { harbor_id = harbor_id, operation_id = "it fails" }).data
    local named = { harbor_id = harbor_id, execution_id = prepared.execution_id }
    call("execute_harbor_action", named)
    assert.same({ "executing", "failed", "failed" }, looks("get_harbor_action_execution", named))
    assert.is_string(call("get_harbor_action_execution", named).data.failure_category)
  end)

  it("of the proxy goes on in a job where its body asks for that", function()
    local connection = call("create_connection").data
    local request = { method = "GET", path = "/" }
    local waited = call("call_connection_proxy", { id = connection.id, request = request }).data
    assert.is_nil(waited.jobId)
    local named = { id = connection.id, request = request, async = true }
    local started = call("call_connection_proxy", named).data
    local job = { type = "connectionproxy", id = started.jobId }
    assert.equal("/api/jobs/connectionproxy/" .. started.jobId, started.jobUrl)
    assert.same({ "running", "done", "done" }, looks("get_job", job))
  end)

  it("of a Harbor action is prepared, executed once, and over at the second look", function()
    local harbor = call("create_harbor").data.harbor
    local prepared = call("prepare_harbor_action", { harbor_id = harbor.id }).data
    local named = { harbor_id = harbor.id, execution_id = prepared.execution_id }
    assert.equal("prepared", call("get_harbor_action_execution", named).data.status)
    local started = call("execute_harbor_action", named).data
    assert.same({ "executing", nil }, { started.status, started.finished_at })
    assert.same({ "executing", "succeeded", "succeeded" },
      looks("get_harbor_action_execution", named))
    assert.equal("succeeded", call("execute_harbor_action", named).data.status)
    assert.equal(404,
      status_of("execute_harbor_action", { harbor_id = harbor.id, execution_id = unknown }))
  end)
end)

describe("the sandbox's single operations", function()
  it("say truthfully who is asking", function()
    local org = ok("POST", "/api/organizations", { name = "Acme" }).data
    local user = ok("POST", "/api/organizations/" .. org.id .. "/users",
      { email = "jane@acme.com", role = "admin" }).data
    local key =
      ok("POST", "/api/organizations/" .. org.id .. "/users/" .. user.id .. "/keys").data.value
    local function me(authorization) return ok("GET", "/api/me", nil, authorization).data end
    assert.same({ id = user.id, email = "jane@acme.com", role = "admin", organization_id = org.id,
      organization_name = "Acme", is_user = true, is_organization = false, is_partner = false,
      is_system = false }, me("Bearer " .. key))
    assert.same({ id = org.id, organization_id = org.id, organization_name = "Acme",
      is_user = false, is_organization = true, is_partner = false, is_system = false },
      me("Basic " .. base64(org.id .. ":partner-key")))
    local partner, deployment = me(), me "Bearer deployment-key"
    assert.same({ true, false, false, "Sandbox Owner" },
      { partner.is_partner, partner.is_user, partner.is_system, partner.organization_name })
    assert.same({ true, true }, { deployment.is_partner, deployment.is_system })
    assert.equal(401, (send("GET", "/api/me", nil, "Bearer nobody")))
  end)

  it("list the system roles first, keep them, and give users the roles that were made", function()
    local system = ok("GET", "/api/permissions/roles").data
    assert.same({ "Admin", "Member" }, { system[1].name, system[2].name })
    assert.equal("0a0a0a0a-0000-4000-8000-000000000001", system[1].id)
    assert.is_true(system[1].system)
    assert.equal(403, (send("PUT", "/api/permissions/roles/" .. system[1].id, { name = "King" })))
    assert.equal(403, (send("DELETE", "/api/permissions/roles/" .. system[2].id)))
    local own = ok("POST", "/api/permissions/roles", { name = "Analyst" }).data
    assert.is_false(own.system)
    local user =
      ok("POST", "/api/organization/users", { email = "a@acme.com", role_ids = { own.id } }).data
    assert.same({ { own.id }, "user" }, { user.role_ids, user.role })
    assert.equal(422,
      (send("POST", "/api/organization/users", { email = "b@acme.com", role_ids = { unknown } })))
  end)

  it("turn syncs and webhooks on and off", function()
    local sync, webhook = call("create_sync").data, call("create_webhook").data
    assert.is_true(call("activate_sync", { id = sync.id, active = true }).data.active)
    assert.is_true(call("get_sync", { id = sync.id }).data.active)
    assert.is_false(webhook.disabled)
    assert.is_true(call("disable_webhook", { id = webhook.id }).data.disabled)
    assert.is_true(call("get_webhook", { id = webhook.id }).data.disabled)
    assert.is_false(call("enable_webhook", { id = webhook.id }).data.disabled)
  end)

  it("keep documents that were put, and know no draft that was deleted", function()
    ok("PUT", "/api/organization/record-logging", { enabled = true, deliveryPrefix = "p" })
    ok("PUT", "/api/organization/record-logging", { enabled = false })
    local logging = ok("GET", "/api/organization/record-logging").data
    assert.same({ false, nil }, { logging.enabled, logging.deliveryPrefix })
    ok("PUT", "/api/notifications/global-error-subscribers", { emails = { "a@acme.com" } })
    assert.same({ emails = { "a@acme.com" } },
      ok("GET", "/api/notifications/global-error-subscribers"))
    local named = plant("get_harbor_context_draft").arguments
    call(
      "save_harbor_context_draft",
      { harbor_id = named.harbor_id, context_id = named.context_id, title = "Draft", content = "c" }
    )
    assert.equal("Draft", call("get_harbor_context_draft", named).data.title)
    call("delete_harbor_context_draft", named)
    assert.equal(404, status_of("get_harbor_context_draft", named))
    assert.equal(404, status_of("delete_harbor_context_draft", named))
  end)

  it("show the key of a Harbor once, where one is asked for", function()
    local made = call("create_harbor", { generate_api_key = true }).data
    assert.matches("^sandbox_harbor_%x+$", made.api_key.value)
    local listed = call("list_harbor_keys", { harbor_id = made.harbor.id }).data
    assert.same({ made.api_key.id }, ids(listed))
    assert.is_nil(listed[1].value)
  end)

  it("answer a log file with where it is, as a redirect without a body", function()
    local arguments = plant("get_sync_execution_logs").arguments
    local operation = operation_by_name.get_sync_execution_logs
    local status, body, response = send(request_of(operation, arguments))
    assert.same({ 302, nil }, { status, body })
    local location
    for _, header in ipairs(response.headers) do
      if header[1] == "Location" then location = header[2] end
    end
    assert.matches("^https://logs%.example%.com/.*%?signature=%x+$", location)
  end)

  it("add a Harbor user who is assigned", function()
    local harbor = call("create_harbor").data.harbor
    local path = "/api/harbors/" .. harbor.id .. "/users"
    ok("PUT", path .. "/" .. unknown)
    assert.same({ unknown }, ids(ok("GET", path).data))
    ok("DELETE", path .. "/" .. unknown)
    assert.same({}, ok("GET", path).data)
  end)

  it("delete a connection that is used only by force", function()
    local connection = call("create_connection").data
    local path = "/api/connections/" .. connection.id
    local model = call("create_model", { connection_id = connection.id }).data
    assert.equal(422, (send("DELETE", path)))
    ok("DELETE", "/api/models/" .. model.id)
    call("create_bulk_sync", { destination_connection_id = connection.id })
    assert.equal(422, (send("DELETE", path .. "?force=false")))
    ok("DELETE", path .. "?force=true")
    assert.equal(404, (send("GET", path)))
  end)

  it("share a connection of one organization with another", function()
    local child = ok("POST", "/api/organizations", { name = "Child" }).data
    local connection = call("create_connection", { name = "Warehouse" }).data
    local path = "/api/organizations/"
      .. connection.organization_id
      .. "/connections/"
      .. connection.id
      .. "/shared"
    assert.equal(404, (send("POST", path, { child_organization_id = unknown })))
    local shared = ok("POST", path, { child_organization_id = child.id }).data
    assert.same({ shared.id }, ids(ok("GET", path).data))
    assert.same({ shared.id },
      ids(ok("GET", "/api/connections/" .. connection.id .. "/shared").data))
    local seen = ok("GET", "/api/connections/" .. shared.id, nil,
      "Basic " .. base64(child.id .. ":partner-key")).data
    assert.same({ "Warehouse", connection.id, child.id },
      { seen.name, seen.parent_connection_id, seen.organization_id })
    assert.equal(404,
      (send("GET", (path:gsub(connection.organization_id:gsub("%-", "%%-"), unknown)))))
  end)

  it("take a connect session's token instead of a key, and only one that was given", function()
    local token = call("connect_connection").data.token
    local path = "/api/connections/connect/session?token="
    assert.equal("Sandbox Owner", ok("GET", path .. token, nil, "none").data.organization_name)
    assert.equal(401, (send("GET", path .. "other")))
    emulator:reset()
    assert.equal(401, (send("GET", path .. token)))
  end)

  it("answer with examples that stay the same and hold what the request says", function()
    local connection = call("create_connection").data
    local path = "/api/connections/" .. connection.id .. "/schemas/public.users"
    local first = ok("GET", path)
    assert.equal("public.users", first.data.id)
    assert.same(first, ok("GET", path))
    local entity = ok("GET", "/api/entities/" .. unknown).data
    assert.same({ unknown, connection.organization_id }, { entity.id, connection.organization_id })
  end)

  it("know which operations need a partner", function()
    local org = ok("POST", "/api/organizations", { name = "Acme" }).data
    local basic = "Basic " .. base64(org.id .. ":partner-key")
    for _, operation in ipairs(families.operations) do
      if operation.auth == "partner" then
        local target = operation.path:gsub("{[^}]+}", unknown)
        assert.equal(403, (send(operation.method, target, nil, basic)))
      end
    end
  end)
end)

describe("seeding the sandbox", function()
  it("fills the collection of an operation and what is above it, and says where", function()
    local planted = plant("list_harbor_context_versions", 4)
    assert.same({ 4, 36, 36 },
      { #planted.ids, #planted.arguments.harbor_id, #planted.arguments.context_id })
    assert.equal(4, #call("list_harbor_context_versions", planted.arguments).data)
    local again = plant("list_harbor_context_versions", 2, planted.arguments)
    assert.same(planted.arguments, again.arguments)
    assert.equal(6, #call("list_harbor_context_versions", planted.arguments).data)
  end)

  it("fills the organization that is named", function()
    local org = ok("POST", "/api/organizations", { name = "Acme" }).data
    assert(seed.plant(emulator.state,
      { operation = "list_webhooks", count = 2, organization = org.id }))
    assert.same({}, ok("GET", "/api/webhooks").data)
    assert.equal(2,
      #ok("GET", "/api/webhooks", nil, "Basic " .. base64(org.id .. ":partner-key")).data)
  end)

  it("makes bulk syncs where their statuses are asked for", function()
    plant("list_bulk_sync_execution_statuses", 3)
    assert.equal(3, #ok("GET", "/api/bulk/syncs/status").data)
  end)

  it("makes a query and an execution that go on like any", function()
    local named = plant("get_query").arguments
    call("get_query", named)
    assert.equal("done", call("get_query", named).data.status)
    named = plant("get_sync_execution").arguments
    assert.equal("running", call("get_sync_execution", named).data.status)
  end)

  it("says what it cannot do", function()
    local function refusal(wish) return select(2, seed.plant(emulator.state, wish)) end
    assert.matches("nothing to seed for operation list_orgs", refusal { operation = "list_orgs" })
    assert.matches("count must be", refusal { operation = "list_syncs", count = -1 })
    assert.matches("organization: not found",
      refusal { operation = "list_syncs", organization = unknown })
    assert.matches("id: no such sync",
      refusal { operation = "get_sync_status", arguments = { id = unknown } })
    assert.matches("must be an object", refusal(1))
  end)
end)

describe("the sandbox over HTTP", function()
  local sandbox = require "spec.support.sandbox"

  before_each(function() sandbox:reset() end)

  it("is seeded at /_sandbox/seed, and pages what was seeded", function()
    local planted = sandbox:seed { operation = "list_syncs", count = 12 }
    local _, first = sandbox:request("GET", "/api/syncs")
    local _, second =
      sandbox:request("GET", "/api/syncs?page_token=" .. first.pagination.next_page_token)
    assert.same({ 12, 10, 2 }, { #planted.ids, #first.data, #second.data })
    sandbox:reset()
    assert.same({}, (select(2, sandbox:request("GET", "/api/syncs")).data))
  end)

  it("answers 422 to a wish that cannot be granted, and 400 to what is no JSON", function()
    assert.equal(422, (sandbox:request("POST", "/_sandbox/seed", { operation = "nothing" })))
    assert.equal(
      400,
      (require "spec.support.http".request("POST", sandbox.url .. "/_sandbox/seed", { body = "{" }))
    )
  end)

  it("lets faults strike any operation by name, and logs it", function()
    sandbox:faults { { operation = "list_syncs", fault = "status", status = 503 } }
    assert.equal(503, (sandbox:request("GET", "/api/syncs")))
    assert.equal(200, (sandbox:request("GET", "/api/syncs")))
    sandbox:assert_all_faults_consumed()
    assert.equal(2, #sandbox:requests "list_syncs")
  end)

  it("replays what was created under an idempotency key", function()
    local key = { ["Idempotency-Key"] = "key-0001" }
    local _, first = sandbox:request("POST", "/api/permissions/policies", { name = "One" }, key)
    local _, second = sandbox:request("POST", "/api/permissions/policies", { name = "One" }, key)
    assert.same(first, second)
    assert.equal(1, sandbox:committed "create_policy")
  end)
end)

describe("the catalogue of the sandbox", function()
  it("says what the facts say of every operation's members", function()
    for _, operation in ipairs(require "polytomic.sandbox.data.catalogue".operations) do
      local documented = operation_by_name[operation.name]
      for text, list in pairs {
        query = "query_params", body = "body", path_members = "path_params",
      } do
        local members = schema.members(operation[text])
        for _, field in ipairs(documented[list] or {}) do
          local member = members.by_name[field.name]
          assert.is_not_nil(member, operation.name .. "." .. field.name)
          assert.equal(field.required or list == "path_params" or false, member.required)
        end
      end
    end
  end)
end)
