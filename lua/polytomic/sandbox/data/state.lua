-- What the sandbox remembers: organizations, their users, roles and keys (the rest is in
-- resources.lua). No HTTP here.

local collection = require "polytomic.sandbox.data.collection"
local random = require "polytomic.sandbox.random"
local resources = require "polytomic.sandbox.data.resources"

local M = {}
M.__index = M

-- The system roles have fixed ids, so that a request can be written before the sandbox runs.
M.roles = {
  { id = "0a0a0a0a-0000-4000-8000-000000000001", name = "Admin", system = true },
  { id = "0a0a0a0a-0000-4000-8000-000000000002", name = "Member", system = true },
}

-- `keys` holds partner_key and deployment_key.
function M.new(keys)
  local self = setmetatable({ keys = keys }, M)
  self:reset()
  return self
end

-- Back to the seed: one owner organization, no users; the partner and deployment keys stay valid.
function M:reset()
  self.organizations = collection.new()
  self.organization_by_name = {}
  self.user_by_key = {}
  self.organization_by_token = {} -- of sessions that connect a connection
  self.role_by_id, self.role_by_name = {}, {}
  for _, role in ipairs(M.roles) do
    self.role_by_id[role.id] = role
    self.role_by_name[role.name] = role
  end
  self.owner = self:add_organization { name = "Sandbox Owner" }
end

-- Adds an organization with the given settings (name included) and returns it. The name must be
-- free.
function M:add_organization(settings)
  local organization =
    { id = random.uuid(), settings = settings, users = collection.new(), user_by_email = {} }
  self.organizations:add(organization.id, organization)
  self.organization_by_name[settings.name] = organization
  return organization
end

-- Replaces every setting of an organization. The name must be free or its own.
function M:replace_settings(organization, settings)
  self.organization_by_name[organization.settings.name] = nil
  organization.settings = settings
  self.organization_by_name[settings.name] = organization
end

function M:remove_organization(organization)
  organization.users:each(function(user) self:revoke_key(user) end)
  self.organizations:remove(organization.id)
  self.organization_by_name[organization.settings.name] = nil
end

-- Whether a role of this id is there for the users of an organization: a system role, or one of its
-- own.
function M:knows_role(organization, id)
  if self.role_by_id[id] then return true end
  local found = false
  resources.of(organization):each("/api/permissions/roles", function(role)
    found = found or role.id == id
  end)
  return found
end

-- What the deprecated member `role` says of these role ids.
function M:role_name(role_ids)
  local admin = self.role_by_name.Admin.id
  for _, id in ipairs(role_ids) do
    if id == admin then return "admin" end
  end
  return "user"
end

-- Adds a user and returns it. The e-mail address must be free in the organization.
function M:add_user(organization, email, role_ids) -- luacheck: no self
  local user =
    { id = random.uuid(), organization = organization, email = email, role_ids = role_ids }
  organization.users:add(user.id, user)
  organization.user_by_email[email] = user
  return user
end

function M:remove_user(user)
  self:revoke_key(user)
  user.organization.users:remove(user.id)
  user.organization.user_by_email[user.email] = nil
end

-- Gives the user a new API key, revokes the one it had, and returns the new one.
function M:mint_key(user)
  self:revoke_key(user)
  user.key = "sandbox_user_" .. random.hex(16)
  self.user_by_key[user.key] = user
  return user.key
end

function M:revoke_key(user)
  if user.key then self.user_by_key[user.key] = nil end
  user.key = nil
end

return M
