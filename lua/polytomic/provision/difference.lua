-- What has to change so that the server holds a customer as its source describes it.

local core = require "polytomic.core"
local patch = require "polytomic.patch"

local M = {
  HIDDEN = "(secret)", -- stands for a client_secret
}

-- ---- organizations ----

local function none_if_empty(value)
  if value ~= "" then return value end
end

-- The settings of a new organization, as changes.
function M.new_organization(wanted)
  local fields = {}
  for _, list in ipairs { patch.readable, patch.write_only } do
    for _, name in ipairs(list) do
      local value = none_if_empty(wanted[name])
      if value then
        fields[name] = { to = name == "client_secret" and M.HIDDEN or value }
      end
    end
  end
  return fields
end

-- How a found organization differs, by field; nil where it does not. What the API never returns is
-- not compared.
function M.organization(wanted, found)
  local fields
  for _, name in ipairs(patch.readable) do
    local to, from = wanted[name], found[name]
    if to ~= nil and none_if_empty(to) ~= none_if_empty(from) then
      fields = fields or {}
      fields[name] = { from = none_if_empty(from), to = none_if_empty(to) }
    end
  end
  return fields
end

-- ---- roles ----

-- The roles of an organization by name and, in lower case, by folded name; names by id.
function M.role_index()
  local index = { by_name = {}, by_folded_name = {}, names = {}, list = {} }
  return index, function(role)
    if type(role.name) ~= "string" or type(role.id) ~= "string" then return end
    index.by_name[role.name] = role.id
    index.by_folded_name[role.name:lower()] = role.id
    index.names[role.id:lower()] = role.name
    index.list[#index.list + 1] = role.name
  end
end

-- The ids of the roles a user should have, sorted, without repetition; nil where the source says
-- nothing of roles; nil and a problem where a name is not among them.
function M.role_ids(user, roles)
  if not user.roles and not user.role_ids then return nil end
  local ids, seen = {}, {}
  local function add(id)
    id = id:lower()
    if not seen[id] then ids[#ids + 1] = id end
    seen[id] = true
  end
  for _, id in ipairs(user.role_ids or {}) do add(id) end
  for _, name in ipairs(user.roles or {}) do
    local id = roles.by_name[name] or roles.by_folded_name[name:lower()]
    if not id then
      local nearest = core.nearest(name, roles.list)
      return nil, ("the organization has no role \"%s\"%s"):format(name:gsub("%c", "?"),
        nearest and (", did you mean \"%s\"?"):format(nearest) or "")
    end
    add(id)
  end
  table.sort(ids)
  return ids
end

local function same_ids(wanted, found)
  local set, count = {}, 0
  for _, id in ipairs(found or {}) do
    if not set[id:lower()] then count = count + 1 end
    set[id:lower()] = true
  end
  for _, id in ipairs(wanted) do
    if not set[id] then return false end
  end
  return count == #wanted
end

-- Role ids as a text: names where they are known.
local function role_text(ids, roles)
  local words = {}
  for i, id in ipairs(ids or {}) do words[i] = roles and roles.names[id:lower()] or id end
  table.sort(words)
  return table.concat(words, "; ")
end

-- ---- users ----

-- The fields of a new user, as changes. `roles` is nil where the organization is new.
function M.new_user(user)
  local fields = { email = { to = user.email } }
  local words = {}
  for _, name in ipairs { "roles", "role_ids" } do
    for _, entry in ipairs(user[name] or {}) do words[#words + 1] = entry end
  end
  table.sort(words)
  if #words > 0 then fields.roles = { to = table.concat(words, "; ") } end
  return fields
end

-- How a found user differs from one who should have these role ids (nil: any); nil where they do
-- not.
function M.user(ids, found, roles)
  if not ids or same_ids(ids, found.role_ids) then return nil end
  return { roles = { from = role_text(found.role_ids, roles), to = role_text(ids, roles) } }
end

-- ---- all of a customer ----

-- Whether any user of a customer is given roles by name.
function M.names_roles(customer)
  for _, user in ipairs(customer.users) do
    if user.roles then return true end
  end
  return false
end

-- Every change of a customer, in the order they are made. `found` is what the server holds: nil, or
-- { org =, users = by e-mail, roles = }; `has_key(email, user_id)` says whether a key was minted.
function M.changes(customer, found, has_key)
  local list = {}
  local function add(action, user, fields, problem)
    list[#list + 1] = { customer = customer.name, action = action, email = user and user.email,
      fields = fields, problem = problem }
  end
  if not found then
    add("create_org", nil, M.new_organization(customer))
  else
    local fields = M.organization(customer, found.org)
    if fields then add("update_org", nil, fields) end
  end
  for _, user in ipairs(customer.users) do
    local there = found and found.users[user.email]
    if not there then
      local _, problem
      if found then _, problem = M.role_ids(user, found.roles) end
      add("create_user", user, M.new_user(user), problem)
    else
      local ids, problem = M.role_ids(user, found.roles)
      local fields = not problem and M.user(ids, there, found.roles)
      if fields or problem then add("update_user", user, fields or {}, problem) end
    end
    if user.api_key and not (there and has_key(user.email, there.id)) then
      add("create_key", user, {})
    end
  end
  return list
end

return M
