-- Fills collections on demand, so that a test has something to list: /_sandbox/seed.

local example = require "polytomic.sandbox.data.example"
local families = require "polytomic.sandbox.data.families"
local generic = require "polytomic.sandbox.rules.generic"
local json = require "polytomic.json_text"
local resources = require "polytomic.sandbox.data.resources"
local schema = require "polytomic.sandbox.data.schema"

local M = {}

local limit = 10000

-- What is listed is kept elsewhere.
local stands_for = { list_bulk_sync_execution_statuses = "list_bulk_syncs" }

local seeder = { kind = "sandbox", id = "sandbox" }

-- Some value for a parameter that names no item of a collection.
local function value_for(operation, name)
  local member = schema.members(operation.path_members).by_name[name]
  return (example.of(member.kind, name, operation.path):gsub(" ", "_"))
end

local function add(visit, family, path, count)
  local ids = json.array()
  for i = 1, count do ids[i] = generic.add_example(visit, family, path).id end
  return ids
end

-- The first item of a store; nil if it is empty.
local function first_of(store)
  local first
  store.items:each(function(item) first = first or item end)
  return first
end

-- The store at the end of the way gets what is wanted, those before it one item if they are empty.
local function stock(visit, family, path, count)
  local store = visit.resources:store(family, path)
  if count then visit.resources:clear_examples(store) end
  local ids = count and add(visit, family, path, count)
  if not count and not first_of(store) then add(visit, family, path, 1) end
  return store, ids
end

-- The places along a template where items are: index of the part to collection.
local function stops_of(parts)
  local stops, seen, last = {}, "", 0
  for i, part in ipairs(parts) do
    local family = part == "{}" and families.collection(seen)
    if family then stops[i], last = family, i end
    seen = seen .. "/" .. part
  end
  local family = families.collection(seen)
  if family then stops[#parts + 1], last = family, #parts + 1 end
  return stops, last
end

-- What one step along the path adds to it.
local function step(visit, part, family, name, is_last)
  if part ~= "{}" then return "/" .. part end
  local value = visit.arguments[name]
  if not family then
    value = value or value_for(visit.operation, name)
    visit.arguments[name], visit.parameters[name] = value, value
    return "/" .. value
  end
  local ids, store, item
  store, ids = stock(visit, family, visit.path, is_last and visit.count or nil)
  value = value or (ids and ids[1])
  item = value and visit.resources:find(store, value) or (not value and first_of(store))
  if not item then return nil, name .. ": no such " .. family.word end
  if ids then visit.ids = ids end
  visit.arguments[name], visit.parameters[name], visit.place = item.id, item.id, { item = item }
  return item.path:sub(#visit.path + 1)
end

-- Walks the operation's path, filling as it goes.
local function walk(visit)
  local parts, names = {}, {}
  for part in visit.operation.template:gmatch "[^/]+" do parts[#parts + 1] = part end
  for name in visit.operation.path:gsub("{org_id}", ""):gmatch "{([^}]+)}" do
    names[#names + 1] = name
  end
  local stops, last = stops_of(parts)
  for i, part in ipairs(parts) do
    local name = part == "{}" and table.remove(names, 1)
    local addition, message = step(visit, part, stops[i], name, i == last)
    if not addition then return nil, message end
    visit.path = visit.path .. addition
  end
  if stops[#parts + 1] then
    visit.ids = select(2, stock(visit, stops[#parts + 1], visit.path, visit.count))
  end
  return true
end

local function check(state, wish)
  if type(wish) ~= "table" then return nil, "the body must be an object" end
  local operation = families.by_name[stands_for[wish.operation] or wish.operation]
  if not operation then return nil, "nothing to seed for operation " .. tostring(wish.operation) end
  local count = wish.count == nil and 1 or wish.count
  if type(count) ~= "number" or count % 1 ~= 0 or count < 0 or count > limit then
    return nil, "count must be a whole number from 0 to " .. limit
  end
  local organization = state.owner
  if wish.organization then
    organization = state.organizations:get(tostring(wish.organization):lower())
  end
  if not organization then return nil, "organization: not found" end
  if wish.arguments ~= nil and type(wish.arguments) ~= "table" then
    return nil, "arguments must be an object"
  end
  return operation, organization, count
end

-- Adds `count` (1) items to the collection that an operation lists, gets, creates in or otherwise
-- needs, in an `organization` (id; the owner), with the items above it that are missing.
-- `arguments` may name some of these. Returns { arguments (of the operation's path, naming the
-- first item added), ids (of all) }; or nil and a message.
function M.plant(state, wish)
  local operation, organization, count = check(state, wish)
  if not operation then return nil, organization end
  local visit = {
    operation = operation, organization = organization, resources = resources.of(organization),
    state = state, principal = seeder, parameters = {}, arguments = wish.arguments or {},
    path = "", place = {}, count = count, by_request = false, ids = json.array(),
  }
  if operation.path:find("{org_id}", 1, true) then visit.arguments.org_id = organization.id end
  local ok, message = walk(visit)
  if not ok then return nil, message end
  return { arguments = visit.arguments, ids = visit.ids }
end

return M
