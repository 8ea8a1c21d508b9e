-- The operations of organizations and their users: what each one checks, does and answers.
--
-- A route has `name` (the method of the library), `method`, `path`, `auth` ("partner" or "user"),
-- `takes_body`, and `handle(context)`. The context has `state`, `organization` (of a user
-- operation), `parameters` (of the path), `query` and `body`. A handler returns the `data` of the
-- envelope, M.empty for an empty body, or nil and an error response.

local errors = require "polytomic.sandbox.rules.error"
local inference = require "polytomic.sandbox.inference"
local invalid = require("polytomic.sandbox.rules.answer").invalid
local json = require "polytomic.json_text"

local M = {}

M.empty = {}

-- A string member of the body: its value, or nil if it is absent; false and an error if it has
-- another type.
local function optional_string(body, field)
  local value = body[field]
  if value == nil or value == json.null then return nil end
  if type(value) ~= "string" then
    local _, response = invalid(field, "must be a string")
    return false, response
  end
  return value
end

-- A string member that must be there and must not be empty.
local function required_string(body, field)
  local value, response = optional_string(body, field)
  if response then return nil, response end
  if value == nil then return invalid(field, "is required") end
  if not value:find("%S") then return invalid(field, "must not be empty") end
  return value
end

-- Organizations
-- -------------------------------------------------------------------------------------------------

local setting_names = { "client_id", "client_secret", "issuer", "sso_domain", "sso_org_id" }

-- The answer of an organization; client_id and client_secret never come back.
local function show_organization(organization)
  local settings = organization.settings
  return { id = organization.id, name = settings.name, issuer = settings.issuer,
    sso_domain = settings.sso_domain, sso_org_id = settings.sso_org_id }
end

local function read_settings(body)
  local name, response = required_string(body, "name")
  if not name then return nil, response end
  local settings = { name = name }
  for _, field in ipairs(setting_names) do
    local value
    value, response = optional_string(body, field)
    if response then return nil, response end
    settings[field] = value
  end
  return settings
end

-- An error response if another organization has the name.
local function name_conflict(state, name, own)
  local holder = state.organization_by_name[name]
  if not holder or holder == own then return nil end
  return errors.response(inference.duplicate_name, "an organization with this name already exists",
    { field = "name" })
end

local function find_organization(state, id)
  local organization = state.organizations:get(id:lower())
  if organization then return organization end
  return nil, errors.response(inference.unknown_id, "organization not found")
end

local function list_organizations(context)
  local list = json.array()
  context.state.organizations:each(function(organization)
    list[#list + 1] = show_organization(organization)
  end)
  return list
end

local function create_organization(context)
  local settings, response = read_settings(context.body)
  response = response or name_conflict(context.state, settings.name)
  if response then return nil, response end
  return show_organization(context.state:add_organization(settings))
end

local function get_organization(context)
  local organization, response = find_organization(context.state, context.parameters.id)
  if not organization then return nil, response end
  return show_organization(organization)
end

local function update_organization(context)
  local organization, response = find_organization(context.state, context.parameters.id)
  if not organization then return nil, response end
  local settings
  settings, response = read_settings(context.body)
  response = response or name_conflict(context.state, settings.name, organization)
  if response then return nil, response end
  context.state:replace_settings(organization, settings)
  return show_organization(organization)
end

local function delete_organization(context)
  local organization, response = find_organization(context.state, context.parameters.id)
  if not organization then return nil, response end
  if organization == context.state.owner then
    return nil,
      errors.response(inference.owner_organization, "the owner organization cannot be deleted")
  end
  context.state:remove_organization(organization)
  return M.empty
end

local function current_organization(context)
  return show_organization(context.organization)
end

-- Users
-- -------------------------------------------------------------------------------------------------

local function show_user(state, user)
  return { id = user.id, email = user.email, organization_id = user.organization.id,
    role = state:role_name(user.role_ids), role_ids = json.array(user.role_ids) }
end

-- The role ids that the deprecated member `role` stands for.
local function roles_by_name(state, name)
  local system = inference.role_names.value[name:lower()]
  if not system then return invalid("role", "unknown role") end
  return { state.role_by_name[system].id }
end

local function roles_by_id(state, organization, list)
  if type(list) ~= "table" then return invalid("role_ids", "must be an array of role ids") end
  if next(list) == nil then return invalid("role_ids", "must contain at least one entry") end
  if #list == 0 then return invalid("role_ids", "must be an array of role ids") end
  local role_ids = {}
  for i, id in ipairs(list) do
    if type(id) ~= "string" then return invalid("role_ids", "must be an array of role ids") end
    id = id:lower()
    if not state:knows_role(organization, id) then
      return nil,
        errors.response(inference.unknown_role, "role_ids: unknown role id", { field = "role_ids" })
    end
    role_ids[i] = id
  end
  return role_ids
end

-- The roles a body asks for: role ids; nil if it names none; nil and an error response.
local function read_roles(state, organization, body)
  local role, response = optional_string(body, "role")
  if response then return nil, response end
  local role_ids = body.role_ids
  if role_ids == json.null then role_ids = nil end
  if role and role_ids then return invalid("role", "cannot be combined with role_ids") end
  if role then return roles_by_name(state, role) end
  if role_ids ~= nil then return roles_by_id(state, organization, role_ids) end
  return nil
end

-- UTF-8 of what nobody sees in an address: controls, no-break and zero-width spaces, marks of
-- direction and of byte order.
local INVISIBLE = {
  "%c",
  "\194[\128-\160]",
  "\226\128[\128-\143\168-\175]",
  "\226\129[\160-\175]",
  "\239\187\191",
}

local function read_email(body)
  local email, response = required_string(body, "email")
  if not email then return nil, response end
  if not email:find("^[^%s@]+@[^%s@]+$") then
    return invalid("email", "is not an e-mail address")
  end
  for _, pattern in ipairs(INVISIBLE) do
    if email:find(pattern) then return invalid("email", "holds invisible characters") end
  end
  return email:lower()
end

-- The organization of a user operation: of the path for partners, of the credential for the others.
local function organization_of(context)
  if context.parameters.org_id then
    return find_organization(context.state, context.parameters.org_id)
  end
  return context.organization
end

local function find_user(context)
  local organization, response = organization_of(context)
  if not organization then return nil, response end
  local user = organization.users:get(context.parameters.id:lower())
  if user then return user end
  return nil, errors.response(inference.unknown_id, "user not found")
end

local function list_users(context)
  local organization, response = organization_of(context)
  if not organization then return nil, response end
  local list = json.array()
  organization.users:each(function(user) list[#list + 1] = show_user(context.state, user) end)
  return list
end

local function create_user(context)
  local organization, response = organization_of(context)
  if not organization then return nil, response end
  local email, role_ids
  email, response = read_email(context.body)
  if not email then return nil, response end
  role_ids, response = read_roles(context.state, organization, context.body)
  if response then return nil, response end
  if organization.user_by_email[email] then
    return nil, errors.response(inference.duplicate_email,
      "email: a user with this e-mail address already exists", { field = "email" })
  end
  role_ids = role_ids or roles_by_name(context.state, inference.default_role.value)
  return show_user(context.state, context.state:add_user(organization, email, role_ids))
end

local function get_user(context)
  local user, response = find_user(context)
  if not user then return nil, response end
  return show_user(context.state, user)
end

-- The e-mail address is required of partners, and changes nothing.
local function update_user(context)
  local user, response = find_user(context)
  if not user then return nil, response end
  if context.parameters.org_id then
    local email
    email, response = read_email(context.body)
    if not email then return nil, response end
  end
  local role_ids
  role_ids, response = read_roles(context.state, user.organization, context.body)
  if response then return nil, response end
  user.role_ids = role_ids or user.role_ids
  return show_user(context.state, user)
end

local function delete_user(context)
  local user, response = find_user(context)
  if not user then return nil, response end
  local shown = show_user(context.state, user)
  context.state:remove_user(user)
  return shown
end

local flags = { ["true"] = true, ["1"] = true, ["false"] = false, ["0"] = false }

local function create_user_api_key(context)
  local user, response = find_user(context)
  if not user then return nil, response end
  local force = flags[context.query.force or "false"]
  if force == nil then return invalid("force", "must be true or false") end
  if user.key and not force then
    return nil,
      errors.response(inference.second_key,
        "the user already has an API key; force=true replaces it")
  end
  return { value = context.state:mint_key(user) }
end

-- The table of routes
-- ------------------------------------------------------------------------------------------------

M.routes = {}

local function route(name, method, path, auth, handle)
  M.routes[#M.routes + 1] = { name = name,
    method = method, path = path, auth = auth, handle = handle,
    takes_body = (method == "POST" or method == "PUT") and handle ~= create_user_api_key }
end

route("get_current_org", "GET", "/api/organization", "user", current_organization)
route("list_orgs", "GET", "/api/organizations", "partner", list_organizations)
route("create_org", "POST", "/api/organizations", "partner", create_organization)
route("get_org", "GET", "/api/organizations/{id}", "partner", get_organization)
route("update_org", "PUT", "/api/organizations/{id}", "partner", update_organization)
route("delete_org", "DELETE", "/api/organizations/{id}", "partner", delete_organization)
route("list_current_org_users", "GET", "/api/organization/users", "user", list_users)
route("create_current_org_user", "POST", "/api/organization/users", "user", create_user)
route("get_current_org_user", "GET", "/api/organization/users/{id}", "user", get_user)
route("update_current_org_user", "PUT", "/api/organization/users/{id}", "user", update_user)
route("delete_current_org_user", "DELETE", "/api/organization/users/{id}", "user", delete_user)
route("list_users", "GET", "/api/organizations/{org_id}/users", "partner", list_users)
route("create_user", "POST", "/api/organizations/{org_id}/users", "partner", create_user)
route("get_user", "GET", "/api/organizations/{org_id}/users/{id}", "partner", get_user)
route("update_user", "PUT", "/api/organizations/{org_id}/users/{id}", "partner", update_user)
route("delete_user", "DELETE", "/api/organizations/{org_id}/users/{id}", "partner", delete_user)
route("create_user_api_key", "POST", "/api/organizations/{org_id}/users/{id}/keys", "partner",
  create_user_api_key)

return M
