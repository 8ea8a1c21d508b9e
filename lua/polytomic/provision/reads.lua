-- Reads what the server holds of the customers: the organizations once, then the users and the
-- roles of each that exists and needs them, several at once.

local core = require "polytomic.core"
local difference = require "polytomic.provision.difference"
local tasks = require "polytomic.provision.tasks"

local M = {
  WINDOW = 256, -- customers looked at together
}

-- ---- inside a task ----

-- Reads all organizations and gives each that has a name and an id to `take`: true, or nil,
-- message, err.
function M.organizations(client, take)
  return tasks.each(client, "list_orgs", {}, nil, function(org)
    if type(org.name) == "string" and type(org.id) == "string" then take(org) end
  end)
end

-- The texts of a list; what else it holds is left out.
local function texts_of(list)
  local texts = {}
  for _, entry in ipairs(type(list) == "table" and list or {}) do
    if type(entry) == "string" then texts[#texts + 1] = entry end
  end
  return texts
end

-- The users of an organization that a customer wants, by e-mail address; or nil, message, err.
function M.users(client, org_id, customer)
  local wanted, users = {}, {}
  for _, user in ipairs(customer.users) do wanted[user.email] = true end
  local ok, message, err = tasks.each(client, "list_users", { org_id = org_id }, nil, function(user)
    local email = type(user.email) == "string" and user.email:lower()
    if wanted[email] and not users[email] and type(user.id) == "string" then
      users[email] = { id = user.id, email = user.email, role_ids = texts_of(user.role_ids) }
    end
  end)
  if not ok then return nil, message, err end
  return users
end

-- The roles of an organization; or nil, message, err.
function M.roles(client, org_id)
  local index, take = difference.role_index()
  local ok, message, err = tasks.each(client, "list_roles", {}, { organization = org_id }, take)
  if not ok then return nil, message, err end
  return index
end

-- What a customer needs to be compared with of its organization, as difference.changes takes it; or
-- nil, message, err.
function M.customer(client, org, customer)
  local found = { org = org, users = {} }
  local message, err
  if #customer.users > 0 then
    found.users, message, err = M.users(client, org.id, customer)
    if not found.users then return nil, message, err end
  end
  if difference.names_roles(customer) then
    found.roles, message, err = M.roles(client, org.id)
    if not found.roles then return nil, message, err end
  end
  return found
end

-- ---- a whole store ----

-- What is kept of an organization.
function M.compact(org)
  return { id = org.id, name = org.name, issuer = org.issuer, sso_domain = org.sso_domain,
    sso_org_id = org.sso_org_id }
end

-- The organizations of the store's customers that exist, by the customer's number. An organization
-- counts as a customer's where it has its name, or the id that `known_ids` maps to its number.
local function match(client, store, known_ids)
  local by_name, by_id = {}, {}
  local ok, message, err = M.organizations(client, function(org)
    local i = store:index_of(org.name)
    if i and not by_name[i] then
      by_name[i] = M.compact(org)
    elseif not i and known_ids[org.id] then
      by_id[known_ids[org.id]] = M.compact(org)
    end
  end)
  if not ok then return nil, message, err end
  for i, org in pairs(by_id) do
    if not by_name[i] then by_name[i] = org end
  end
  return by_name
end

local walker = {}
walker.__index = walker

-- Gives out, in order, what is known up to here.
function walker:give()
  while true do
    local result = self.results[self.given + 1]
    if not result or not result.known then return end
    self.given = self.given + 1
    self.results[self.given] = nil
    self.orgs[self.given] = nil
    self.take(self.given, result.customer, result.found, result.record)
  end
end

-- The body of a task: looks at one customer whose organization exists.
function walker:look(result, org)
  local found, message, err = tasks.patiently(self.client, function()
    return M.customer(self.client, org, result.customer)
  end)
  if not found then error({ message = message, err = err }, 0) end
  result.found, result.known = found, true
end

-- The customer number `i` with the ledger's record of it.
function walker:begin(i)
  if self.remembered and self.records_to < i then
    local records, message, err =
      self.remembered(i, math.min(i + M.WINDOW - 1, self.store.count))
    if not records then
      self.failure = { message = message, err = err }
      return
    end
    self.records, self.records_to = records, i + M.WINDOW - 1
  end
  local customer = self.store:get(i)
  if self.store:literal(i) then customer.client_secret = difference.HIDDEN end
  local result = { customer = customer, record = self.records[customer.name] }
  self.results[i] = result
  if self.orgs[i] then
    self.pool:start({}, self.look, self, result, self.orgs[i])
  else
    result.known = true
  end
end

-- Starts as many customers as may be looked at.
function walker:fill()
  while not self.failure and self.pool.alive < self.concurrency and self.next <= self.store.count
    and self.next - self.given <= M.WINDOW do
    self.next = self.next + 1
    self:begin(self.next - 1)
    self:give()
  end
end

-- Reads what the server holds of every customer of the store and calls `take(i, customer, found,
-- record)` in their order. Options: `concurrency`; `known_ids`, organization ids by which customers
-- are known; `remembered(first, last)`, which gives records by name or
-- nil, message, err; `interrupted()`. Returns true,
-- or nil, message, err.
function M.run(client, store, options, take)
  local self = setmetatable({
    client = client, store = store, take = take, concurrency = options.concurrency, next = 1,
    given = 0, results = {}, records = {}, records_to = 0, remembered = options.remembered,
  }, walker)
  self.pool = tasks.new(client, {
    interrupted = options.interrupted,
    ended = function(_, ok, problem)
      if not ok then self.failure = self.failure or problem end
    end,
  })
  self.pool:start({}, function()
    local orgs, message, err = tasks.patiently(client, function()
      return match(client, store, options.known_ids or {})
    end)
    if not orgs then error({ message = message, err = err }, 0) end
    self.orgs = orgs
  end)
  while self.pool.alive > 0 do
    self.pool:await()
    if self.pool.interrupted() then
      self.pool:cancel()
      return core.make_error("provision", "cancelled", "unsent", "interrupted while it was reading")
    end
    self.pool:turn()
    if self.orgs then
      self:give()
      self:fill()
    end
  end
  local failure = self.failure
  if not failure then return true end
  if type(failure) ~= "table" or not failure.err then error(failure, 0) end
  return nil, failure.message, failure.err
end

return M
