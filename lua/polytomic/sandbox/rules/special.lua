-- The operations whose rules cannot be read off their paths: syncs and their executions,
-- connections, roles, events, Harbor actions, and who is asking.

local answer = require "polytomic.sandbox.rules.answer"
local clock = require "polytomic.sandbox.clock"
local example = require "polytomic.sandbox.data.example"
local families = require "polytomic.sandbox.data.families"
local inference = require "polytomic.sandbox.inference"
local json = require "polytomic.json_text"
local random = require "polytomic.sandbox.random"
local resources = require "polytomic.sandbox.data.resources"
local schema = require "polytomic.sandbox.data.schema"
local state = require "polytomic.sandbox.data.state"
local work = require "polytomic.sandbox.rules.work"

local M = {}

-- By operation: checks that come first (nil and a refusal, or nothing), whole handlers, what a
-- create answers with (shown(context, item) gives data), and where a list's items come from
-- (source(context, add)). By template: what to do with a new item.
M.before, M.handlers, M.shown, M.sources, M.created = {}, {}, {}, {}, {}

-- Who is asking
-- -------------------------------------------------------------------------------------------------

function M.handlers.get_identity(context)
  local principal = context.principal
  local user = principal.user
  local role = user and context.state:role_name(user.role_ids)
  return { data = {
    id = user and user.id or (principal.kind == "organization" and principal.organization.id)
      or example.uuid(principal.id),
    email = user and user.email, role = role,
    organization_id = principal.organization.id,
    organization_name = principal.organization.settings.name,
    is_user = user ~= nil, is_organization = principal.kind == "organization",
    is_partner = principal.kind == "partner", is_system = principal.id == "deployment",
  } }
end

function M.handlers.connect_connection(context)
  local token = "sandbox_connect_" .. random.hex(16)
  context.state.organization_by_token[token] = context.organization
  return {
    data = { token = token, redirect_url = "https://app.polytomic.com/connect?token=" .. token },
  }
end

function M.handlers.get_connect_session(context)
  local token = context.arguments.token
  local values =
    { id = example.uuid(token), organization_name = context.organization.settings.name }
  return answer.values(context.operation, values, {}, example.uuid(token))
end

-- Roles
-- -------------------------------------------------------------------------------------------------

resources.initial["/api/permissions/roles"] = function(add)
  for _, role in ipairs(state.roles) do add { id = role.id, name = role.name, system = true } end
end

M.created["/api/permissions/roles"] = function(_, item) item.values.system = false end
M.created["/api/permissions/policies"] = M.created["/api/permissions/roles"]

local function refuse_system_role(context)
  if not context.place.item.values.system then return nil end
  return answer.refuse(inference.system_role, "system roles cannot be changed")
end

M.before.update_role, M.before.delete_role = refuse_system_role, refuse_system_role

-- Syncs and their executions
-- -----------------------------------------------------------------------------------------

function work.finishers.execution(item)
  local values = item.values
  if values.status ~= "failed" then return end
  values.errors, values.status_message =
    json.array { "the sandbox was asked to fail" }, "the sandbox was asked to fail"
  values.error_count = 1
end

local function start_execution(context, item)
  local values = item.values
  values.errors, values.error_count, values.warning_count = json.array(), 0, 0
  values.counts =
    { insert = 1, total = 1, update = 0, delete = 0, upserts = 0, error = 0, warnings = 0 }
  item.settable.status_message = true
  work.start(item, work.fails(context.place.item.values.name) and "failed" or "completed",
    work.finishers.execution)
end

M.created["/api/syncs/{}/executions"] = start_execution
M.created["/api/bulk/syncs/{}/executions"] = start_execution

local function look(context) work.look(context.place.item) end

M.before.get_sync_execution, M.before.get_bulk_sync_execution = look, look
M.before.get_harbor_action_execution, M.before.get_harbor = look, look

-- The unfinished and the finished execution of a sync, each the latest, or nil.
local function executions_of(context, sync)
  local current, last
  context.resources:each(sync.path .. "/executions", function(item)
    if work.ended(item) then last = item else current = item end
  end)
  return current, last
end

local function sync_status(context)
  local sync = context.place.item
  local current = executions_of(context, sync)
  if current then work.look(current) end
  local last
  current, last = executions_of(context, sync)
  local _, kind = families.answer_kinds(context.operation)
  local values = {
    current_execution = current and answer.show(current, schema.at(kind, "current_execution")),
    last_execution = last and answer.show(last, schema.at(kind, "last_execution")),
    next_execution_time = json.null,
  }
  return answer.values(context.operation, values,
    { current_execution = true, last_execution = true }, sync.id)
end

M.handlers.get_sync_status, M.handlers.get_bulk_sync_status = sync_status, sync_status

local function cancel_current(context)
  local current = executions_of(context, context.place.item)
  if current then work.cancel(current) end
end

M.before.cancel_sync, M.before.cancel_bulk_sync = cancel_current, cancel_current

local function cancel_execution(context) work.cancel(context.place.item) end

M.before.cancel_sync_execution, M.before.cancel_bulk_sync_execution =
  cancel_execution, cancel_execution

local function activate(context) context.place.item.values.active = context.body.active end

M.before.activate_sync, M.before.activate_bulk_sync = activate, activate

function M.before.enable_webhook(context) context.place.item.values.disabled = false end

function M.before.disable_webhook(context) context.place.item.values.disabled = true end

M.created["/api/webhooks"] = function(_, item) item.values.disabled = false end

-- The schemas of a new bulk sync: those it asks for, if it does.
M.created["/api/bulk/syncs"] = function(context, item)
  local asked = context.body.schemas
  if type(asked) ~= "table" then return end
  local store = context.resources:store(families.collection "/api/bulk/syncs/{}/schemas",
    item.path .. "/schemas")
  context.resources:clear_examples(store)
  for _, one in ipairs(asked) do
    local id = type(one) == "table" and one.id or one
    if type(id) == "string" and not context.resources:find(store, id) then
      context.resources:add(store, { id = id, enabled = true }, {}, true)
    end
  end
end

-- Each given schema is merged into the one of its id, or added.
function M.handlers.patch_bulk_sync_schemas(context)
  local family = families.collection(context.operation.template)
  local store = context.resources:store(family, context.place.path)
  local _, list_kind = families.answer_kinds(context.operation)
  local shown = json.array()
  for i, given in ipairs(context.body.schemas or {}) do
    if not given.id then return answer.invalid("schemas.id", "is required") end
    local item = context.resources:find(store, given.id)
      or context.resources:add(store, { id = given.id }, {}, true)
    for name, value in pairs(given) do item.values[name] = value end
    shown[i] = answer.show(item, list_kind.element)
  end
  return { data = shown }
end

-- The status of every bulk sync that is asked for: one by one as items, so that they are shown like
-- other lists.
function M.sources.list_bulk_sync_execution_statuses(context, add)
  local given = context.arguments
  local wanted
  for _, id in ipairs(given.sync_id or {}) do
    wanted = wanted or {}
    wanted[id:lower()] = true
  end
  context.resources:each("/api/bulk/syncs", function(sync)
    if wanted and not wanted[sync.id:lower()] then return end
    local current, last = executions_of(context, sync)
    local execution = current and work.look(current) or last
    add { id = sync.id, n = sync.n, settable = { schemas = not execution },
      values = { active = sync.values.active, sync_id = sync.id,
        status = execution and execution.values.status, nextExecutionTime = json.null } }
  end)
end

-- Events
-- -------------------------------------------------------------------------------------------------

function M.handlers.list_event_types()
  return { data = json.array(inference.event_types.value) }
end

-- Connections
-- -------------------------------------------------------------------------------------------------

-- Whether a model or a sync uses a connection.
local function in_use(context, id)
  local found = false
  local function count_use(other)
    if type(other) == "string" and other:lower() == id then found = true end
  end
  context.resources:each("/api/models", function(item) count_use(item.values.connection_id) end)
  context.resources:each("/api/syncs", function(item)
    count_use((item.values.target or {}).connection_id)
  end)
  context.resources:each("/api/bulk/syncs", function(item)
    count_use(item.values.source_connection_id)
    count_use(item.values.destination_connection_id)
  end)
  return found
end

function M.before.delete_connection(context)
  if context.arguments.force or not in_use(context, context.place.item.id) then return nil end
  return answer.refuse(inference.connection_in_use,
    "the connection is in use; force=true deletes it all the same")
end

local function add_shared(context, into, family, path, id)
  local connection = context.place.item
  local values = { id = id, parent_connection_id = connection.id }
  for _, name in ipairs { "name", "type", "created_by", "updated_by" } do
    values[name] = connection.values[name]
  end
  values.name = context.body.name or values.name
  return into:add(into:store(families.collection(family), path), values, {}, true)
end

-- The copy goes to the child organization, and into the list of what the connection is shared as.
function M.handlers.create_shared_connection(context)
  local child = context.state.organizations:get(context.body.child_organization_id:lower())
  if not child then return answer.unknown "child organization" end
  local copy = add_shared(context, resources.of(child), "/api/connections", "/api/connections")
  local listed =
    add_shared(context, context.resources, context.operation.template, context.place.path, copy.id)
  listed.values.organization_id = child.id
  return { data = { id = copy.id } }
end

-- A refresh is seen running once, then it is over.
function M.handlers.refresh_schemas(context)
  local at = context.place.item
  at.refresh = { started = clock.now(), looks = 0 }
  return nil, nil, { { "Location", at.path .. "/schemas/status" } }
end

function M.handlers.get_schemas_status(context)
  local at = context.place.item
  local refresh = at.refresh or { started = at.values.created_at, finished = at.values.created_at }
  if at.refresh and not refresh.finished then
    refresh.looks = refresh.looks + 1
    if refresh.looks > 1 then refresh.finished = clock.now() end
  end
  return { data = { cache_status = refresh.finished and "fresh" or "refreshing",
    last_refresh_started = refresh.started,
    last_refresh_finished = refresh.finished or json.null } }
end

-- A log file is answered with where it is.
function M.handlers.get_sync_execution_logs(context)
  local url = ("https://logs.example.com%s?signature=%s"):format(context.path, random.hex(16))
  return nil, nil, { { "Location", url } }
end

-- Harbors
-- -------------------------------------------------------------------------------------------------

-- A managed Harbor is provisioned first; one whose name says so fails once, and the server tries
-- again.
M.created["/api/harbors"] = function(context, item)
  if context.body.backing_mode == "customer_managed" then
    item.values.status = "ready"
  elseif work.fails(item.values.name) then
    work.go(item, { "provisioning", "provisioning", "provisioning_failed", "ready" })
  else
    work.go(item, { "provisioning", "provisioning", "ready" })
  end
end

M.created["/api/harbors/{}/keys"] = function(_, item)
  item.values.value = "sandbox_harbor_" .. random.hex(16)
end

local function add_key(context, harbor)
  local family = families.collection "/api/harbors/{}/keys"
  local key = context.resources:add(context.resources:store(family, harbor.path .. "/keys"), {}, {},
    true)
  M.created[family.template](context, key)
  return key
end

function M.shown.create_harbor(context, item)
  local _, kind = families.answer_kinds(context.operation)
  local key = context.body.generate_api_key and add_key(context, item)
  return { harbor = answer.show(item, schema.at(kind, "harbor")),
    api_key = key and answer.show(key, schema.at(kind, "api_key")) or nil }
end

M.created["/api/harbor/sessions"] = function(_, item)
  item.values.status, item.values.token = "active", "sandbox_session_" .. random.hex(16)
end

function M.before.close_harbor_session(context) context.place.item.values.status = "closed" end

-- Harbor actions
-- -------------------------------------------------------------------------------------------------

function M.handlers.prepare_harbor_action(context)
  local harbor = context.place.item
  local family = families.collection "/api/harbors/{}/action-executions"
  local store = context.resources:store(family, harbor.path .. "/action-executions")
  local values = { status = "prepared", expires_at = clock.later(900) }
  for _, name in ipairs { "connection_id", "operation_id", "schema_id" } do
    values[name] = context.body[name]
  end
  local item = context.resources:add(store, values, {}, true)
  return answer.item(context.operation, item)
end

function work.finishers.action(item)
  local values = item.values
  values.finished_at = clock.now()
  if values.status == "failed" then values.failure_category = "sandbox" end
end

local function execute(_, item)
  item.settable.finished_at = true
  item.values.started_at = clock.now()
  local last = work.fails(item.values.operation_id) and "failed" or "succeeded"
  work.go(item, { "executing", "executing", last }, work.finishers.action)
end

M.created["/api/harbors/{}/action-executions"] = execute

-- Executing again what is under way or over changes nothing.
function M.handlers.execute_harbor_action(context)
  local harbor = context.place.item
  local family = families.collection "/api/harbors/{}/action-executions"
  local store = context.resources:store(family, harbor.path .. "/action-executions")
  local item = context.resources:find(store, context.body.execution_id)
  if not item then return answer.unknown "action execution" end
  if item.values.status == "prepared" then execute(context, item) end
  return answer.item(context.operation, item)
end

return M
