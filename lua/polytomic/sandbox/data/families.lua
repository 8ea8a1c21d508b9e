-- Says what each operation of the catalogue does, from its method and path alone: which are a
-- collection's, which an item's, which a document's.
--
-- A template is a path with `{}` for every parameter. A collection is a template that is listed, or
-- that things are posted to and have paths of their own below. A document is a path that ends in a
-- literal and can be PUT.

local catalogue = require "polytomic.sandbox.data.catalogue"
local schema = require "polytomic.sandbox.data.schema"

local M = {}

-- Filled by operations that are not a plain create (rules/special.lua), or there from the start.
local filled_otherwise = { ["/api/queries"] = true, ["/api/jobs/{}"] = true,
  ["/api/connections/{}/shared"] = true, ["/api/harbors/{}/action-executions"] = true }
-- Fields are posted in a batch and never read back by id.
local not_collections = { ["/api/connections/{}/schemas/{}/fields"] = true }
-- A draft is its context or saved query, so that its id serves in the paths of both.
local same_items = {
  ["/api/harbors/{}/contexts/drafts"] = "/drafts",
  ["/api/harbors/{}/saved-queries/drafts"] = "/drafts",
}
-- The organization and user operations keep rules of their own (rules/organizations.lua).
local elsewhere = { "^/api/organization$", "^/api/organization/users", "^/api/organizations$",
  "^/api/organizations/{id}$", "^/api/organizations/{org_id}/users" }

function M.template(path) return (path:gsub("{[^}]*}", "{}")) end

-- What a partner reaches through an organization is what the organization's own keys reach without.
local function within_organization(template)
  return (template:gsub("^/api/organizations/{}/", "/api/"))
end

local function parent_of(template) return template:match "^(.*)/{}$" end

local function is_elsewhere(path)
  for _, pattern in ipairs(elsewhere) do
    if path:find(pattern) then return true end
  end
  return false
end

M.operations, M.by_name = {}, {}
for _, operation in ipairs(catalogue.operations) do
  operation.template = within_organization(M.template(operation.path))
  if not is_elsewhere(operation.path) then
    M.operations[#M.operations + 1] = operation
    M.by_name[operation.name] = operation
  end
end

local at = {} -- "METHOD TEMPLATE" to operation
for _, operation in ipairs(M.operations) do
  at[operation.method .. " " .. operation.template] = operation
end

-- The operation of a method and template, or nil.
function M.at(method, template) return at[method .. " " .. template] end

local function has_item_path(template)
  for _, method in ipairs { "GET", "PUT", "PATCH", "DELETE" } do
    if at[method .. " " .. template .. "/{}"] then return true end
  end
  return false
end

local function is_collection(template)
  if not_collections[template] then return false end
  local listed = at["GET " .. template]
  if listed and listed.pages then return true end
  return filled_otherwise[template] or (at["POST " .. template] ~= nil and has_item_path(template))
end

-- The kind of an operation's answer (the whole body), and of its data. Nil where there is no body.
function M.answer_kinds(operation)
  if not operation.answer then return nil end
  local whole = schema.kind(operation.answer)
  if not operation.envelope then return whole, whole end
  return whole, schema.at(whole, "data")
end

-- The kind of an item of a list operation.
function M.element_kind(operation)
  local list = schema.at(schema.kind(operation.answer), operation.pages.items)
  return list.kind == "array" and list.element or schema.kind "open"
end

-- The kind of the items of a collection as lists show them, else as the answers do that show one.
local function item_kind(template)
  local listed = at["GET " .. template]
  if listed and listed.pages then return M.element_kind(listed) end
  for _, key in ipairs { "GET " .. template .. "/{}", "POST " .. template } do
    local operation = at[key]
    if operation and operation.answer then return select(2, M.answer_kinds(operation)) end
  end
  return schema.kind "open"
end

-- What an item is called: "schema" for "/api/bulk/syncs/{}/schemas".
local function singular(template)
  local word = template:gsub("/{}", ""):match "[^/]+$":gsub("%-", "_")
  return (word:gsub("ies$", "y"):gsub("s$", ""))
end

local collections = {} -- template to collection

-- The collection at a template: { template, create (operation), id_kind ("uuid" or "string"), word,
-- static }; nil if there is none. `static`: nothing the API offers adds to it.
function M.collection(template)
  if collections[template] ~= nil then return collections[template] or nil end
  local found = false
  if is_collection(template) then
    local create = at["POST " .. template]
    local id_kind = schema.at(item_kind(template), "id")
    found = { template = template, create = create, word = singular(template),
      id_kind = id_kind and id_kind.kind == "string" and "string" or "uuid",
      static = not create and not filled_otherwise[template] }
    if same_items[template] then found.static = false end
  end
  collections[template] = found
  return found or nil
end

-- The path whose items a collection's path shows.
function M.storage_path(template, path)
  local suffix = same_items[template]
  return suffix and path:sub(1, -#suffix - 1) or path
end

local item_roles = { GET = "get", PUT = "replace", DELETE = "delete" }
local document_roles =
  { GET = "read_document", PUT = "replace_document", DELETE = "delete_document" }

-- What an operation does: "list", "create", a value of item_roles or document_roles, or "act" where
-- it fits nothing.
function M.role(operation)
  local template, method = operation.template, operation.method
  if method == "GET" and operation.pages then return "list" end
  local parent = parent_of(template)
  if parent then return M.collection(parent) and item_roles[method] or "act" end
  if method == "POST" then
    return M.collection(template) and "create" or "act"
  end
  return at["PUT " .. template] and document_roles[method] or "act"
end

-- Whether a PUT adds what is not there: it only says that two things belong together, and has no
-- body.
function M.assigns(operation) return operation.method == "PUT" and not operation.body end

return M
