-- What an organization has beside its users: collections of items by path, and documents by path.
-- No HTTP here.
--
-- An item is { id, n (its place in the order of adding), values (what is known of it), settable
-- (the names that a request may set and that have no example), … }; rules/special.lua and
-- rules/work.lua keep more in it.

local clock = require "polytomic.sandbox.clock"
local collection = require "polytomic.sandbox.data.collection"
local example = require "polytomic.sandbox.data.example"
local families = require "polytomic.sandbox.data.families"
local inference = require "polytomic.sandbox.inference"
local random = require "polytomic.sandbox.random"

local M = {}
M.__index = M

function M.new(organization)
  return setmetatable({ organization = organization, stores = {}, documents = {}, last = 0 }, M)
end

-- What collections hold from the start beside examples: template to function(add), where
-- add(values) adds an item.
M.initial = {}

-- The resources of an organization, which keeps them.
function M.of(organization)
  organization.resources = organization.resources or M.new(organization)
  return organization.resources
end

-- An id for the next item: random where a request makes the item, otherwise the same on every run.
local function new_id(self, store, family, by_request)
  if family.id_kind == "string" then return family.word .. "_" .. (store.count + 1) end
  if by_request then return random.uuid() end
  local name = self.organization.settings.name
  return example.uuid(name .. " " .. store.path .. " " .. (store.count + 1))
end

-- Adds an item with the given values (id optional) to a store. `settable`: see above. Returns the
-- item. `by_request` is false for what is there from the start.
function M:add(store, values, settable, by_request)
  local family = store.family
  local id = values.id or new_id(self, store, family, by_request)
  self.last = self.last + 1
  local now = clock.now()
  local item = {
    id = id,
    n = self.last,
    values = values,
    settable = settable or {},
    path = store.path .. "/" .. id,
  }
  values.id = id
  values.organization_id = self.organization.id
  values.created_at, values.updated_at = values.created_at or now, now
  store.items:add(id:lower(), item)
  store.count = store.count + 1
  return item
end

-- What a collection holds from the start.
local function fill(self, store)
  local initial = M.initial[store.family.template]
  if initial then initial(function(values) self:add(store, values, {}, false) end) end
  if not store.family.static then return end
  local ids = inference.static_ids.value[store.family.template] or {}
  for i = 1, inference.static_collections.value do
    self:add(store, { id = ids[i], name = ids[i] }, nil, false)
  end
  store.from_start = true
end

-- The store at a path, of the family (families.collection): { path, family, items, count (ever
-- added) }.
function M:store(family, path)
  path = families.storage_path(family.template, path)
  local store = self.stores[path]
  if not store then
    store = { path = path, family = family, items = collection.new(), count = 0 }
    self.stores[path] = store
    fill(self, store)
  end
  return store
end

-- Takes out what a static collection held from the start.
function M:clear_examples(store) -- luacheck: no self
  if store.from_start then store.items = collection.new() end
  store.from_start = nil
end

function M:find(store, id) -- luacheck: no self
  return store.items:get(id:lower())
end

local function begins(path, prefix) return path:sub(1, #prefix) == prefix end

-- Removes an item with all that is below it.
function M:remove(store, item)
  store.items:remove(item.id:lower())
  for _, map in ipairs { self.stores, self.documents } do
    for path in pairs(map) do
      if begins(path, item.path .. "/") then map[path] = nil end
    end
  end
end

-- Calls visit(item) for every item of the collection at `path`, in the order of adding.
function M:each(path, visit)
  local store = self.stores[path]
  if store then store.items:each(visit) end
end

return M
