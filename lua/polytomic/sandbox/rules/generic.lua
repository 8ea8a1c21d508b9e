-- Answers the operations that are not of organizations or users: stateful collections, items
-- and documents by the rules of families.lua, the exceptions of special.lua and queries.lua, and
-- typed examples for the rest.
--
-- A context has `operation`, `state`, `organization`, `resources`, `principal`, `parameters` (of
-- the path), `path`, `arguments` (of the query), `body`, and `place` (what the path names). A
-- handler returns the body of the answer, or nil for none; or nil and a refusal. A third value, if
-- any, is a list of headers.

local answer = require "polytomic.sandbox.rules.answer"
local arguments = require "polytomic.sandbox.rules.arguments"
local check = require "polytomic.sandbox.data.check"
local clock = require "polytomic.sandbox.clock"
local example = require "polytomic.sandbox.data.example"
local families = require "polytomic.sandbox.data.families"
local json = require "polytomic.json_text"
local pager = require "polytomic.sandbox.rules.pager"
local place = require "polytomic.sandbox.rules.place"
local queries = require "polytomic.sandbox.rules.queries"
local resources = require "polytomic.sandbox.data.resources"
local schema = require "polytomic.sandbox.data.schema"
local special = require "polytomic.sandbox.rules.special"
local work = require "polytomic.sandbox.rules.work"

local M = {}

-- The members that a body sets: those of its only object, where it is but a wrapper.
local function settings_of(operation, body)
  local members = schema.members(operation.body)
  local only = #members == 1 and members[1]
  if only and only.kind.kind == "object" then
    return schema.members(only.kind.text), body[only.name] or {}
  end
  return members, body
end

-- Takes what a body sets into `values`, and its names into `settable`. Write-only members are
-- forgotten.
local function take(operation, body, values, settable)
  local members, settings = settings_of(operation, body or {})
  for _, member in ipairs(members) do
    local value = settings[member.name]
    settable[member.name] = true
    if value ~= nil and value ~= json.null and not member.secret then
      values[member.name] = value
    end
  end
  return values, settable
end

local function actor_of(principal)
  local user = principal.user
  if user then return { id = user.id, name = user.email, type = "user" } end
  return {
    id = example.uuid(principal.kind),
    name = principal.kind .. " key",
    type = principal.kind,
  }
end

-- Adds an item to the collection at `path`, as a request would: `body` is checked already.
local function create(context, family, path)
  local values, settable = {}, {}
  if family.create then take(family.create, context.body, values, settable) end
  for name, value in pairs(context.parameters) do
    if name ~= "id" and values[name] == nil then values[name] = value end
  end
  values.created_by = actor_of(context.principal)
  values.updated_by = values.created_by
  local store = context.resources:store(family, path)
  local item = context.resources:add(store, values, settable, context.by_request)
  local created = special.created[family.template] or queries.created[family.template]
  if created then created(context, item) end
  return item
end

local roles = {}

function roles.create(context)
  local family = families.collection(context.operation.template)
  local item = create(context, family, context.place.path)
  local shown = special.shown[context.operation.name]
  if shown then return answer.wrap(context.operation, shown(context, item)) end
  return answer.item(context.operation, item)
end

function roles.get(context) return answer.item(context.operation, context.place.item) end

-- What the operation can set and does not is cleared.
function roles.replace(context)
  local item = context.place.item
  local values, settable = take(context.operation, context.body, {}, {})
  for name in pairs(settable) do
    item.values[name] = values[name]
    item.settable[name] = true
  end
  item.values.updated_at, item.values.updated_by = clock.now(), actor_of(context.principal)
  return answer.item(context.operation, item)
end

function roles.delete(context)
  context.resources:remove(context.place.store, context.place.item)
  return answer.item(context.operation, context.place.item)
end

-- Documents
-- -------------------------------------------------------------------------------------------------

-- A document that nobody has put: below an item it is about it; where nothing is known of its
-- members, it has those that can be put.
local function first_document(context)
  local values, settable = {}, {}
  if context.place.item then
    for name, value in pairs(context.place.item.values) do values[name] = value end
  end
  local _, kind = families.answer_kinds(context.operation)
  local put = families.at("PUT", context.operation.template)
  if not kind or kind.kind ~= "open" or not put then
    return { values = values, settable = settable }
  end
  for _, member in ipairs(schema.members(put.body)) do
    local known = values[member.name] ~= nil or member.secret
    if not known then
      values[member.name] = example.of(member.kind, member.name, context.place.path)
    end
  end
  return { values = values, settable = settable }
end

local function show_document(context, document)
  return answer.values(context.operation, document.values, document.settable, context.place.path)
end

function roles.read_document(context)
  local document = context.resources.documents[context.place.path]
  if document == false then return answer.unknown "document" end
  return show_document(context, document or first_document(context))
end

function roles.replace_document(context)
  local document = first_document(context)
  local values, settable = take(context.operation, context.body, {}, document.settable)
  for name in pairs(settable) do document.values[name] = values[name] end
  document.values.updated_at = clock.now()
  context.resources.documents[context.place.path] = document
  return show_document(context, document)
end

function roles.delete_document(context)
  local documents, path = context.resources.documents, context.place.path
  local document = documents[path]
  if document == false then return answer.unknown "document" end
  documents[path] = false
  return show_document(context, document or first_document(context))
end

-- Lists
-- -------------------------------------------------------------------------------------------------

local function equals(value, wanted)
  if type(wanted) ~= "table" then return value == wanted end
  for _, one in ipairs(wanted) do
    if value == one then return true end
  end
  return false
end

-- Whether a list asked for with these arguments shows the item. Arguments that name none of its
-- members do not count.
local function wanted(operation, given, item)
  if (given.only_terminal or given.only_completed) and not work.ended(item) then return false end
  for _, member in ipairs(schema.members(operation.query)) do
    local name = member.name
    local value = item.values[name]
    if value == nil and item.settable[name] and member.kind.kind == "boolean" then value = false end
    if given[name] ~= nil and value ~= nil and not equals(value, given[name]) then return false end
  end
  return true
end

local function listed(context)
  local operation, items = context.operation, {}
  local source = special.sources[operation.name]
  local function add(item)
    if wanted(operation, context.arguments, item) then items[#items + 1] = item end
  end
  if source then
    source(context, add)
  else
    local family = families.collection(operation.template)
    context.resources:store(family, context.place.path).items:each(add)
  end
  return items
end

function roles.list(context)
  local operation = context.operation
  local picked, last, why = pager.pick(operation.pages, context.arguments, listed(context))
  if not picked then return answer.invalid(last, why) end
  local kind, shown = families.element_kind(operation), {}
  for i, item in ipairs(picked) do shown[i] = answer.show(item, kind) end
  local whole, data_kind = families.answer_kinds(operation)
  local body = {
    data = operation.pages.items ~= "data" and answer.shape(data_kind, {}, {}, context.path) or nil,
  }
  if whole.kind == "object" then
    body = example.build(whole, body, { pagination = true, data = true }, context.path)
  end
  return pager.write(operation.pages, body, shown, last)
end

-- The rest
-- -------------------------------------------------------------------------------------------------

-- An example that carries what the request and its item say. Its id is the path's last segment if
-- that is a parameter.
function roles.act(context)
  local values, at = {}, context.place
  local last = context.operation.path:match "{([^}]+)}$"
  local known = at.item and not last and at.item.values or {} -- else it is about what is below
  for name, value in pairs(known) do values[name] = value end
  for name, value in pairs(context.parameters) do values[name] = value end
  values.id = last and context.parameters[last] or (at.item and at.item.id)
  take(context.operation, context.body, values, {})
  return answer.values(context.operation, values, {}, at.path)
end

-- Running an operation
-- -----------------------------------------------------------------------------------------------

-- What is missing at the end of the path of an assignment is added.
local function missing(context)
  return function(store, id, is_last)
    if not is_last or not families.assigns(context.operation) then return nil end
    return context.resources:add(store, { id = id }, {}, true)
  end
end

local function locate(context)
  local path = context.path
  if context.parameters.org_id then
    context.organization = context.state.organizations:get(context.parameters.org_id:lower())
    if not context.organization then return nil, "organization" end
    path = path:gsub("^/api/organizations/[^/]+/", "/api/")
  end
  context.resources = resources.of(context.organization)
  return place.walk(context.resources, context.operation.template, path, missing(context))
end

-- Reads the arguments and the body and finds the place. True, or nil and a refusal.
local function prepare(context)
  local operation = context.operation
  local field, message
  context.arguments, field, message = arguments.read(operation, context.query_lists)
  if not context.arguments then return answer.invalid(field, message) end
  context.place, message = locate(context)
  if not context.place then return answer.unknown(message) end
  field, message = check.object(context.body or {}, schema.members(operation.body), "")
  if field then return answer.invalid(field, message) end
  return true
end

local function respond(operation, body, headers)
  local list = {}
  for _, header in ipairs(headers or {}) do list[#list + 1] = header end
  if body == nil then
    return { status = operation.redirect or operation.status, headers = list, body = "" }
  end
  list[#list + 1] = { "Content-Type", "application/json" }
  return { status = operation.status, headers = list, body = json.encode(body) }
end

local function handle(context)
  local operation = context.operation
  local ready, refusal = prepare(context)
  if not ready then return nil, refusal end
  local before = special.before[operation.name]
  if before then
    refusal = select(2, before(context))
    if refusal then return nil, refusal end
  end
  local run = special.handlers[operation.name]
    or queries.handlers[operation.name]
    or roles[families.role(operation)]
  local body, headers
  body, refusal, headers = run(context)
  if refusal then return nil, refusal end
  return respond(operation, queries.in_background(context, body), headers)
end

local function needs_body(operation)
  for _, member in ipairs(schema.members(operation.body)) do
    if member.required then return true end
  end
  return false
end

-- The routes of these operations, as api.lua takes them; their handlers answer with a whole
-- response.
M.routes = {}
for _, operation in ipairs(families.operations) do
  M.routes[#M.routes + 1] = { name = operation.name, method = operation.method,
    path = operation.path,
    auth = operation.auth, takes_body = operation.body ~= nil,
    body_optional = not needs_body(operation), whole = true,
    handle = function(context)
      context.operation, context.by_request = operation, true
      return handle(context)
    end }
end

-- Adds an item with an example of what a request must say: { organization, resources, principal,
-- parameters } is the context. Returns the item.
function M.add_example(context, family, path)
  context.body = {}
  for _, member in ipairs(schema.members(family.create and family.create.body)) do
    if member.required then
      context.body[member.name] = example.of(member.kind, member.name, path)
    end
  end
  local item = create(context, family, path)
  if item.values.name then item.values.name = "Example " .. family.word .. " " .. item.n end
  return item
end

return M
