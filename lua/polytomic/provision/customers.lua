-- The customers of a source: rows merged, everything checked, all problems found at once; kept as
-- text outside memory, so that a hundred thousand of them are not so many tables.

local core = require "polytomic.core"
local fields = require "polytomic.provision.fields"
local json_text = require "polytomic.json_text"
local secrets = require "polytomic.provision.secrets"
local spool = require "polytomic.provision.spool"

local M = {
  MAX_PROBLEMS = 1000, -- kept; more are counted
}

local SOME_ID = "00000000-0000-4000-8000-000000000000" -- where a check wants one

-- ---- the text of a customer ----

local function strings(list)
  local parts = {}
  for i, text in ipairs(list) do parts[i] = json_text.string(text) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function member(parts, name, text)
  parts[#parts + 1] = '"' .. name .. '":' .. text
end

local function user_text(user)
  local parts = {}
  member(parts, "email", json_text.string(user.email))
  if user.roles then member(parts, "roles", strings(user.roles)) end
  if user.role_ids then member(parts, "role_ids", strings(user.role_ids)) end
  if user.api_key then member(parts, "api_key", "true") end
  if user.line then member(parts, "line", ("%d"):format(user.line)) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The customer as JSON with its members always in the same order. `line` and `lines`, where they
-- are there, go along.
function M.encode(customer)
  local parts, users = {}, {}
  for _, name in ipairs(fields.organization) do
    if customer[name] then member(parts, name, json_text.string(customer[name])) end
  end
  for i, user in ipairs(customer.users) do users[i] = user_text(user) end
  member(parts, "users", "[" .. table.concat(users, ",") .. "]")
  if customer.line then member(parts, "line", ("%d"):format(customer.line)) end
  for name, line in pairs(customer.lines or {}) do
    member(parts, "line_of_" .. name, ("%d"):format(line))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The customer of such a text.
function M.decode(text)
  local customer = json_text.decode(text)
  for name, value in pairs(customer) do
    local field = name:match "^line_of_(.*)$"
    if field then
      customer.lines = customer.lines or {}
      customer.lines[field] = value
    end
  end
  for field in pairs(customer.lines or {}) do customer["line_of_" .. field] = nil end
  return customer
end

-- ---- the store ----

local store = {}
store.__index = store

local RECENT = 64 -- customers kept as tables while rows are merged

local function new_store()
  return setmetatable({
    count = 0, texts = spool.new(), index = {}, literals = {}, recent = {}, recent_count = 0,
    problems = {}, problem_count = 0,
  }, store)
end

function store:problem(unit, number, text)
  self.problem_count = self.problem_count + 1
  if #self.problems < M.MAX_PROBLEMS then
    self.problems[#self.problems + 1] = { [unit] = number, message = text }
  end
end

function store:flush()
  for i, customer in pairs(self.recent) do self.texts:put(i, M.encode(customer)) end
  self.recent, self.recent_count = {}, 0
end

-- The customer number `i` as a table; changes to it are kept while rows are merged.
function store:merging(i)
  local customer = self.recent[i]
  if customer then return customer end
  if self.recent_count >= RECENT then self:flush() end
  customer = M.decode(self.texts:get(i))
  customer.by_email = {}
  for _, user in ipairs(customer.users) do customer.by_email[user.email] = user end
  self.recent[i], self.recent_count = customer, self.recent_count + 1
  return customer
end

function store:add(customer)
  self.count = self.count + 1
  self.index[customer.name] = self.count
  if self.recent_count >= RECENT then self:flush() end
  self.recent[self.count], self.recent_count = customer, self.recent_count + 1
  return self.count
end

-- The customer number `i`, without its secret, as a table.
function store:get(i)
  return M.decode(self:text(i))
end

-- The same as text, without what only merging needed: what the ledger keeps.
function store:text(i)
  return (self.texts:get(i):gsub(',"line[%w_]*":%d+', ""))
end

-- Its name: first in the text, mostly without escapes.
function store:name(i)
  local text = self.texts:get(i)
  return text:match '^{"name":"([^"\\]*)"' or M.decode(text).name
end

-- Gives back what the texts take.
function store:close()
  self.texts:close()
end

-- The secret that is in the source itself, or nil.
function store:literal(i)
  return self.literals[i]
end

function store:index_of(name)
  return self.index[name]
end

-- ---- checking ----

local function kind_of(value)
  return value == json_text.null and "null" or type(value)
end

local function text_problem(name, value)
  if type(value) ~= "string" then return name .. " must be a string, got " .. kind_of(value) end
  if value:find("%z") then return name .. " must not contain NUL" end
  if not core.valid_utf8(value) then return name .. " must be valid UTF-8" end
end

-- What the operation itself would refuse.
local function refused(client, operation, arguments)
  local _, message, err = core.check(client, operation, arguments, nil)
  if not message then return nil end
  return message:match "^[%w_]+: %w+: (.*)$" or err.message or message
end

local function not_list(name, value)
  if type(value) ~= "table" then return name .. " must be a list, got " .. kind_of(value) end
  if next(value) ~= nil and value[1] == nil then return name .. " must be a list, got an object" end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  for i = 1, count do
    if value[i] == nil then return ("%s has nothing at place %d"):format(name, i) end
  end
end

local function list_problem(name, list)
  local wrong = not_list(name, list)
  if wrong then return wrong end
  if #list == 0 then return name .. " must have at least one entry" end
  for _, entry in ipairs(list) do
    local problem = text_problem("an entry of " .. name, entry)
    if problem then return problem end
    if entry == "" then return name .. " must not hold an empty entry" end
  end
end

-- The user as it is kept; or nil and a problem.
local function checked_user(client, given)
  if type(given) ~= "table" then return nil, "a user must be an object, got " .. kind_of(given) end
  for name in pairs(given) do
    local known = false
    for _, field in ipairs(fields.user) do known = known or field == name end
    if not known then return nil, fields.unknown("field of a user", name, fields.user) end
  end
  if given.email == nil then return nil, "email is required" end
  local problem = text_problem("email", given.email)
  for _, name in ipairs { "roles", "role_ids" } do
    if given[name] ~= nil then problem = problem or list_problem(name, given[name]) end
  end
  if given.api_key ~= nil and type(given.api_key) ~= "boolean" then
    problem = problem or "api_key must be a boolean, got " .. type(given.api_key)
  end
  problem = problem or refused(client, "create_user",
    { org_id = SOME_ID, email = given.email, role_ids = given.role_ids })
  if problem then return nil, problem end
  return {
    email = given.email:lower(), roles = given.roles, role_ids = given.role_ids,
    api_key = given.api_key or nil,
  }
end

-- The settings of an organization as they are kept, and the secret where it is a literal; or nil
-- and a problem.
local function checked_settings(client, given, literals)
  local settings, probe, literal = {}, {}, nil
  for _, name in ipairs(fields.organization) do
    local value = given[name]
    if value ~= nil then
      local problem = text_problem(name, value)
      if problem then return nil, problem end
      settings[name], probe[name] = value, value
    end
  end
  if settings.name == nil then return nil, "name is required" end
  if not settings.name:find "%S" then return nil, "name must not be empty" end
  local problem = refused(client, "create_org", probe)
  if problem then return nil, problem end
  local secret = settings.client_secret
  if secret and secrets.is_mistaken(secret) then
    return nil, "client_secret must be env:NAME, with a variable's name, or file:PATH"
  end
  if secret and not secrets.is_reference(secret) then
    if not literals then
      return nil, "client_secret must be a reference, env:NAME or file:PATH: it is kept nowhere"
    end
    settings.client_secret, literal = nil, secret
  end
  return settings, literal
end

-- ---- rows of CSV ----

local function same_value(a, b)
  if type(a) ~= "table" then return a == b end
  if type(b) ~= "table" or #a ~= #b then return false end
  for i, entry in ipairs(a) do
    if entry ~= b[i] then return false end
  end
  return true
end

local function quoted(text)
  return '"' .. tostring(text):gsub("%c", "?") .. '"'
end

-- Takes the settings of a row into a customer that is there; says whether they said something new,
-- or nil and a problem.
local function merge_settings(self, i, customer, settings, literal, line)
  local news = false
  for _, name in ipairs(fields.organization) do
    local value, before = settings[name], customer[name]
    if value and before and value ~= before then
      local where = customer.lines and customer.lines[name] or customer.line
      return nil, name == "client_secret" and "client_secret contradicts that of line " .. where
        or ("%s %s contradicts %s of line %d"):format(name, quoted(value), quoted(before), where)
    elseif name == "client_secret" and value and self.literals[i] then
      return nil, "client_secret contradicts that of an earlier line"
    elseif value and not before then
      customer[name], news = value, true
      customer.lines = customer.lines or {}
      customer.lines[name] = line
    end
  end
  if literal then
    if self.literals[i] and self.literals[i] ~= literal or customer.client_secret then
      return nil, "client_secret contradicts that of an earlier line"
    end
    news = news or not self.literals[i]
    self.literals[i] = literal
  end
  return news
end

local function merge_user(self, customer, user, line)
  local before = customer.by_email[user.email]
  if not before then
    user.line = line
    self.wants_keys = self.wants_keys or user.api_key or false
    customer.users[#customer.users + 1] = user
    customer.by_email[user.email] = user
    return true
  end
  for _, name in ipairs(fields.user) do
    if user[name] ~= nil and before[name] ~= nil and not same_value(user[name], before[name]) then
      return nil, ("the %s of %s contradict line %d"):format(name, user.email, before.line)
    end
  end
  return nil, ("%s is already there, on line %d"):format(user.email, before.line)
end

local ONLY_USERS = { "roles", "role_ids", "api_key" }

local function add_row(self, client, row, line, literals)
  local settings, literal = checked_settings(client, row, literals)
  if not settings then return literal end
  local user, problem
  if row.email then
    local given = {}
    for _, name in ipairs(fields.user) do given[name] = row[name] end
    user, problem = checked_user(client, given)
    if not user then return problem end
  else
    for _, name in ipairs(ONLY_USERS) do
      if row[name] then return name .. " is there, but no email" end
    end
  end
  local i = self.index[settings.name]
  if not i then
    settings.users, settings.by_email, settings.line = {}, {}, line
    i = self:add(settings)
    self.literals[i] = literal
    if user then merge_user(self, settings, user, line) end
    return nil
  end
  local customer = self:merging(i)
  local news
  news, problem = merge_settings(self, i, customer, settings, literal, line)
  if problem then return problem end
  if user then
    local _, wrong = merge_user(self, customer, user, line)
    return wrong
  end
  if not news then
    return ("this says nothing that line %d does not"):format(customer.line)
  end
end

-- ---- whole customers ----

local KNOWN = { "users" }
for _, name in ipairs(fields.organization) do KNOWN[#KNOWN + 1] = name end
local is_known = {}
for _, name in ipairs(KNOWN) do is_known[name] = true end

local function users_of(client, given, report)
  local users, seen = {}, {}
  if given == nil then return users end
  local wrong = not_list("users", given)
  if wrong then
    report(wrong)
    return users
  end
  for position, one in ipairs(given) do
    local user, problem = checked_user(client, one)
    if not user then
      report(("user %d: %s"):format(position, problem))
    elseif seen[user.email] then
      report(("user %d: %s appears twice"):format(position, user.email))
    else
      seen[user.email] = true
      users[#users + 1] = user
    end
  end
  return users
end

local function add_customer(self, client, given, number, source, literals)
  local function report(text) self:problem(source.unit, number, text) end
  if type(given) ~= "table" or given[1] ~= nil then
    local kind = type(given) == "table" and "a list" or kind_of(given)
    return report("a customer must be an object, got " .. kind)
  end
  for name in pairs(given) do
    if not is_known[name] then report(fields.unknown("field", name, KNOWN)) end
  end
  local settings, literal = checked_settings(client, given, literals)
  local users = users_of(client, given.users, report)
  if not settings then return report(literal) end
  local before = self.index[settings.name]
  if before then
    return report(("%s is already there, as %s %d"):format(quoted(settings.name), source.unit,
      self:merging(before).line))
  end
  settings.users, settings.line, settings.by_email = users, number, {}
  for _, user in ipairs(users) do self.wants_keys = self.wants_keys or user.api_key or false end
  self.literals[self:add(settings)] = literal
end

-- ---- all of it ----

local function message_of(name, self)
  local parts = {}
  for i = 1, math.min(#self.problems, 10) do
    local problem = self.problems[i]
    local unit = problem.line and "line" or "customer"
    parts[i] = ("%s %d: %s"):format(unit, problem[unit], problem.message)
  end
  local more = self.problem_count - #parts
  if more > 0 then parts[#parts + 1] = ("and %d more problems"):format(more) end
  return name .. ": " .. table.concat(parts, "; ")
end

-- Reads a source to its end. Returns the store; or nil, a message on one line and the list of
-- problems, each with `line` or `customer` and `message`. `literals` allows secrets in the source
-- itself. `client` only checks.
function M.read(client, source, literals)
  local self = new_store()
  while true do
    local record, number, problem = source.next()
    if record == nil and number == nil then break end
    if record == nil then
      self:problem(source.unit, number, problem)
    elseif source.rows then
      problem = add_row(self, client, record, number, literals)
      if problem then self:problem("line", number, problem) end
    else
      add_customer(self, client, record, number, source, literals)
    end
  end
  local failure = source.close and source.close()
  if failure or self.problem_count > 0 then self:close() end
  if failure then return nil, failure, {} end
  if self.problem_count > 0 then
    return nil, message_of(source.name, self), self.problems, self.problem_count
  end
  self:flush()
  return self
end

return M
