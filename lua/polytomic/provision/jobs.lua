-- The job of one customer, run as a task: brings about its organization, users and keys, one step
-- after another, so that each comes about once however often this is interrupted.
--
-- A step's idempotency key is committed to the ledger before its request leaves. A request that may
-- have been carried out is looked for before it is sent again, with its own key while the API
-- remembers that; a recorded refusal gets a new key.

local core = require "polytomic.core"
local difference = require "polytomic.provision.difference"
local fields = require "polytomic.provision.fields"
local json_text = require "polytomic.json_text"
local patch = require "polytomic.patch"
local reads = require "polytomic.provision.reads"
local secrets = require "polytomic.provision.secrets"
local sorted_names = require "polytomic.sorted_names"
local tasks = require "polytomic.provision.tasks"

local M = {
  ROUNDS = 6,         -- how often a step is sent anew after what may pass
  CLAIMS = 10,        -- how often a customer is put back after that, by those who work on and on
  LOCK_PATIENCE = 900, -- seconds a request under the same key may be in progress
}

-- Seconds
local FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 0.25, 15, 300

local job = {}
job.__index = job

-- ---- failing ----

-- Ends the job: `state` is "failed" (refused), "unknown" (it may be there, or the server could not
-- be asked) or "later" (put back).
local function fail(state, kind, message, step)
  error({ state = state, kind = kind, message = message, step = step }, 0)
end

local function fail_with(state, message, err, step)
  fail(state, err.kind, message, step)
end

-- ---- steps ----

local function sorted_pairs(object)
  local names, i = sorted_names(object), 0
  return function()
    i = i + 1
    return names[i], object[names[i]]
  end
end

local function value_text(value)
  if type(value) ~= "table" then return json_text.string(tostring(value)) end
  local parts = {}
  for i, entry in ipairs(value) do parts[i] = json_text.string(entry) end
  return "[" .. table.concat(parts, ",") .. "]"
end

-- Not part of what distinguishes requests: the secret, and ids that are not known before
-- the steps they come from are done.
local APART = { client_secret = true, org_id = true, id = true }

local function request_hash(operation, arguments)
  local parts = { operation }
  for name, value in sorted_pairs(arguments) do
    if not APART[name] then parts[#parts + 1] = name .. "=" .. value_text(value) end
  end
  return core.fingerprint(table.concat(parts, "\n"))
end

-- A step as this job means to carry it out.
function job:step(name, operation, arguments)
  self.position = self.position + 1
  local hash = request_hash(operation, arguments)
  local step = self.prepared and self.prepared[name]
  if step and step.hash == hash and not step.taken then
    step.taken, step.arguments, step.position = true, arguments, self.position
    return step
  end
  local row = self.steps[name]
  step = {
    name = name, position = self.position, operation = operation, arguments = arguments,
    hash = hash,
  }
  local open = row and (row.state == "sent" or row.state == "unknown")
  if open and row.request_hash == step.hash and tonumber(row.good) == 1 then
    step.key, step.repeated = row.idempotency_key, true
  else
    step.key = core.uuid()
  end
  return step
end

local function new_key(step)
  step.key, step.recorded = core.uuid(), true
  step.repeated, step.unanswered = false, false
end

local function row_of(self, step, state)
  return {
    customer_id = self.id, name = step.name, position = step.position, state = state,
    idempotency_key = step.key, request_hash = step.hash, remote_id = step.remote_id,
    error_kind = step.error_kind, error = step.error,
  }
end

-- Has the step's key committed. Does not return where the lease is lost or the run is to stop.
function job:commit(step)
  if step.committed == step.key then
    if self.worker:is_ending() then coroutine.yield { go_on = true } end
    return
  end
  coroutine.yield { commit = true, row = row_of(self, step, "sent") }
  step.committed = step.key
end

-- Notes that a step is under way that needs no key.
function job:note(step)
  if self.worker:is_ending() then coroutine.yield { go_on = true } end
  self.worker:write_step(self, row_of(self, step, "sent"))
end

-- Notes that a step is done: it is written with what comes next.
function job:done(step, action, remote_id)
  step.remote_id = remote_id
  self.worker:write_step(self, row_of(self, step, "done"))
  self.worker:step_ended(self, step, action, "done")
end

-- Notes that there was nothing to do for a step; written only where the ledger does not know it.
function job:unchanged(name, remote_id)
  local row = self.steps[name]
  self.position = self.position + 1
  if row and row.state == "done" and row.remote_id == remote_id then return end
  self.worker:write_step(self, row_of(self, {
    name = name, position = self.position, hash = "-", remote_id = remote_id,
    key = row and row.idempotency_key or core.uuid(),
  }, "done"))
end

function job:failed(step, state, kind, message)
  step.error_kind, step.error = kind, message
  self.worker:write_step(self, row_of(self, step, state))
  fail(state, kind, message, step)
end

-- ---- sending ----

local function in_progress(err)
  local words = (tostring(err.key or "") .. " " .. tostring(err.message or "")):lower()
  return words:find "in.progress" ~= nil or words:find("being processed", 1, true) ~= nil
    or words:find("still running", 1, true) ~= nil
end

local function pause(self, step, seconds)
  step.pauses = (step.pauses or 0) + 1
  local longest = math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ^ step.pauses)
  self:sleep(math.min(seconds or longest * (0.5 + math.random() / 2), LONGEST_RETRY_AFTER))
end

function job:sleep(seconds)
  self.pausing = true
  tasks.pause(self.client, seconds)
  self.pausing = false
  coroutine.yield { go_on = true } -- unless the run is to stop
end

-- After the last round: whoever works on and on tries again later; not for ever where a request has
-- reached the server.
local function put_back(self, message, err)
  local again = err.outcome == "unsent" or self.attempts < M.CLAIMS
  if self.worker.persists and again then
    fail("later", err.kind, message)
  end
end

-- One more round of a step, or its end.
local function next_round(self, step, message, err, seconds)
  step.rounds = (step.rounds or 0) + 1
  if step.rounds > M.ROUNDS then
    put_back(self, message, err)
    self:failed(step, "unknown", err.kind, message)
  end
  pause(self, step, seconds)
end

-- After 409 for a key whose first request may still be running: waits. False where it cannot be
-- that, or lasted for too long.
local function wait_for_lock(self, step, message, err)
  local known = in_progress(err)
  if not known and not step.repeated and not step.unanswered then return false end
  step.locked_at = step.locked_at or core.now()
  local patience = known and M.LOCK_PATIENCE or M.LOCK_PATIENCE / 15
  if core.now() - step.locked_at > patience then
    if not known then return false end
    self:failed(step, "unknown", err.kind, message)
  end
  pause(self, step)
  return true
end

-- What follows a failed attempt, after what it may have made was looked for in vain: returns where
-- the step is to be sent again.
local function judge(self, step, message, err)
  if err.kind == "cancelled" or err.kind == "closed" then fail("later", err.kind, message, step) end
  if err.kind == "rate_limited" then return pause(self, step, err.retry_after) end
  if err.outcome == "unsent" then
    if tasks.FINAL[err.kind] then
      return self:failed(step, "failed", err.kind, message)
    end
    return next_round(self, step, message, err)
  end
  if err.outcome == "unknown" then
    step.in_doubt, step.unanswered = true, true
    if err.status == 500 then new_key(step) end -- it is stored with the key
    return next_round(self, step, message, err)
  end
  if not tasks.FINAL[err.kind] then return next_round(self, step, message, err) end
  if err.kind == "conflict" and wait_for_lock(self, step, message, err) then return end
  if (step.repeated or step.unanswered) and not step.recorded then -- perhaps an answer of before
    return new_key(step)
  end
  return self:failed(step, "failed", err.kind, message)
end

-- Sends a step that creates something until it is there: what was created, or what `look()` finds
-- after an attempt whose outcome leaves it open, and whether it was found.
function job:create(step, action, look)
  while true do
    self:commit(step)
    local _
    local data, message, err =
      tasks.call(self.client, step.operation, step.arguments, { idempotency_key = step.key })
    if data ~= nil and type(data.id) == "string" then
      self:done(step, action, data.id)
      return data
    end
    if data ~= nil then
      _, message, err = core.make_error(err, "bad_response", "unknown", "the reply holds no id")
    end
    local open = err.outcome == "unknown" or err.kind == "conflict" or err.kind == "unprocessable"
    self.in_doubt = step.in_doubt or err.outcome == "unknown"
    local found = open and look()
    self.in_doubt = false
    if found then
      -- It was not there before: where the attempt may have been carried out, it was
      local ours = err.outcome == "unknown" or step.repeated or step.in_doubt
      self:done(step, ours and action or nil, found.id)
      return found, true
    end
    judge(self, step, message, err)
  end
end

-- Sends a step that replaces something: data, or nil where it is not there any more.
function job:replace(step, action)
  while true do
    self:note(step)
    local data, message, err = tasks.call(self.client, step.operation, step.arguments)
    if data ~= nil then
      self:done(step, action, step.arguments.id)
      return data
    end
    if err.kind == "not_found" and not step.missed then
      step.missed = true
      return nil
    end
    if err.outcome == "rejected" and tasks.FINAL[err.kind] then
      self:failed(step, "failed", err.kind, message)
    end
    judge(self, step, message, err)
  end
end

-- ---- reading ----

-- Repeats a reading until it succeeds or cannot: its result.
function job:read(body)
  local step = { name = "read", rounds = 0 }
  while true do
    local data, message, err = body()
    if data ~= nil then return data end
    if err.kind == "cancelled" or err.kind == "closed" then fail("later", err.kind, message) end
    if err.kind == "rate_limited" then
      pause(self, step, err.retry_after)
    elseif tasks.FINAL[err.kind] or step.rounds >= M.ROUNDS then
      local refused = tasks.FINAL[err.kind]
      if not refused then put_back(self, message, err) end
      fail_with(refused and not self.in_doubt and "failed" or "unknown", message, err)
    else
      step.rounds = step.rounds + 1
      pause(self, step)
    end
  end
end

-- The organization as the server has it now, or nil.
function job:look_for_organization()
  local row = self.steps.org
  local wish = { organization = self.customer.name, id = row and row.remote_id }
  return self:read(function()
    local org, message, err = coroutine.yield(wish)
    if message then return nil, message, err end
    return { org = org }
  end).org
end

local function users_of(self, org)
  return self:read(function() return reads.users(self.client, org.id, self.customer) end)
end

local function roles_of(self, org)
  if not self.roles and difference.names_roles(self.customer) then
    self.roles = self:read(function() return reads.roles(self.client, org.id) end)
  end
  return self.roles
end

-- ---- the organization ----

-- What is sent for it, the secret included. A secret that cannot be had ends the job.
local function settings_of(self)
  local settings = {}
  for _, name in ipairs(fields.organization) do settings[name] = self.customer[name] end
  if settings.client_secret then
    local secret, message = secrets.resolve(settings.client_secret)
    if not secret then fail("failed", "invalid", message) end
    settings.client_secret = secret
  else
    settings.client_secret = self.literal
  end
  self.secret = settings.client_secret -- to be hidden, whatever a server says
  return settings
end

local function update_organization(self, org)
  local arguments, message, err = patch.replacement("update_org", org, settings_of(self))
  if not arguments then fail_with("failed", message, err) end
  return self:replace(self:step("org", "update_org", arguments), "update_org")
end

-- The organization and whether it is new.
local function ensure_organization(self)
  for _ = 1, 3 do
    local org = self.found and self.found.org
    if not org then
      local step = self:step("org", "create_org", settings_of(self))
      local there
      org, there = self:create(step, "create_org", function()
        return self:look_for_organization()
      end)
      if not there then return org, true end
      self.found = { org = org }
    end
    if not difference.organization(self.customer, org) then
      self:unchanged("org", org.id)
      return org, false
    end
    if update_organization(self, org) then return org, false end
    org = self:look_for_organization() -- deleted meanwhile, perhaps made anew
    self.found = org and { org = org }
  end
  fail("failed", "conflict", "the organization is changed by others at the same time")
end

-- ---- users ----

local function ensure_user(self, org, user)
  local roles = roles_of(self, org)
  local ids, problem = difference.role_ids(user, roles)
  if problem then fail("failed", "invalid", user.email .. ": " .. problem) end
  local name = "user:" .. user.email
  for _ = 1, 3 do
    local found = self.users[user.email]
    if not found then
      local arguments = { org_id = org.id, email = user.email, role_ids = ids }
      local there
      local step = self:step(name, "create_user", arguments)
      found, there = self:create(step, "create_user", function()
        self.users = users_of(self, org)
        return self.users[user.email]
      end)
      if not there then return found.id end
    end
    if not difference.user(ids, found, roles) then
      self:unchanged(name, found.id)
      return found.id
    end
    local step = self:step(name, "update_user",
      { org_id = org.id, id = found.id, email = found.email, role_ids = ids })
    if self:replace(step, "update_user") then return found.id end
    self.users = users_of(self, org)
  end
  fail("failed", "conflict", user.email .. " is changed by others at the same time")
end

-- ---- keys ----

local LOST = "%s has an API key whose value is not known here: it was minted and lost before it "
  .. "was written, or made elsewhere; --replace-lost-keys (replace_lost_keys) mints a new one "
  .. "in its place"

-- Whether a user's key has been minted and written.
local function has_key(self, name, user_id)
  local row = self.steps[name]
  return row and row.state == "done" and row.remote_id == user_id
end

-- The step that mints a key. One that replaces a lost key and was sent already goes on as it was.
local function mint_step(self, name, arguments)
  local step = self.prepared and self.prepared[name]
  if not step then
    step = self:step(name, "create_user_api_key", arguments)
    if not step.repeated then
      self.position = self.position - 1
      local replacing = self:step(name, "create_user_api_key", { force = true })
      step = replacing.repeated and replacing or step
    end
  end
  step.arguments =
    { org_id = arguments.org_id, id = arguments.id, force = step.arguments.force }
  return step
end

-- Writes a minted key, while the lease is surely held.
local function keep_key(self, org, user, user_id, value)
  if type(value) ~= "string" then
    fail("unknown", "bad_response", "create_user_api_key: the reply holds no key")
  end
  coroutine.yield { commit = true, key = {
    organization = self.customer.name, organization_id = org.id, email = user.email,
    user_id = user_id, value = value,
  } }
end

-- Where a key is to be minted there has to be a file to write it to.
local function check_keys_file(self, user)
  if not self.worker.keys then
    fail("failed", "invalid", user.email .. " wants an API key, and there is no file for keys")
  end
end

local function ensure_key(self, org, user, user_id)
  local name = "key:" .. user.email
  if has_key(self, name, user_id) then return end
  check_keys_file(self, user)
  local step = mint_step(self, name, { org_id = org.id, id = user_id })
  while true do
    self:commit(step)
    local data, message, err = tasks.call(self.client, step.operation, step.arguments,
      { idempotency_key = step.key })
    if data ~= nil then
      keep_key(self, org, user, user_id, data.value)
      self:done(step, "create_key", user_id)
      return
    end
    if err.kind == "conflict" and not step.arguments.force
      and not wait_for_lock(self, step, message, err) then
      if not self.worker.replace_lost_keys then
        self:failed(step, "failed", "conflict", LOST:format(user.email))
      end
      local arguments = { org_id = org.id, id = user_id, force = true }
      step.arguments, step.hash = arguments, request_hash(step.operation, arguments)
      new_key(step)
      step.recorded = false
    elseif err.kind ~= "conflict" or step.arguments.force then
      judge(self, step, message, err)
    end
  end
end

-- ---- all of it ----

-- Whether every step of the ledger is older than what is known of the server.
local function is_current(self)
  for _, row in pairs(self.steps) do
    if tonumber(row.listed) ~= 1 then return false end
  end
  return true
end

local function run(self)
  for _, user in ipairs(self.customer.users) do
    local row = self.steps["key:" .. user.email]
    if user.api_key and not (row and row.state == "done") then check_keys_file(self, user) end
  end
  if self.known == nil or not is_current(self) then
    local org = self:look_for_organization()
    self.found = org and { org = org }
  else
    self.found = self.known or nil
  end
  local customer = self.customer
  local known_users = self.found and self.found.users
  self.roles = self.found and self.found.roles
  local org, new = ensure_organization(self)
  if #customer.users == 0 then return end
  self.users = new and {} or known_users or users_of(self, org)
  for _, user in ipairs(customer.users) do
    local id = ensure_user(self, org, user)
    if user.api_key then ensure_key(self, org, user, id) end
  end
end

-- ---- ahead of the time ----

local AHEAD = 32 -- users that a customer may have whose keys are committed before it begins

-- The keys of the steps that a claimed customer is going to need, as far as that is known: rows to
-- commit before its task begins, which then need not wait for each. Nothing is sent by this.
function M.prepare(self)
  setmetatable(self, job)
  local found = self.known
  if found == nil or not is_current(self) then return {} end
  local rows = {}
  self.prepared = {}
  local function add(step)
    self.prepared[step.name] = step
    rows[#rows + 1] = row_of(self, step, "sent")
  end
  if not found then
    local settings = {}
    for _, name in ipairs(fields.organization) do settings[name] = self.customer[name] end
    add(self:step("org", "create_org", settings))
  end
  for _, user in ipairs(#rows + #self.customer.users <= AHEAD and self.customer.users or {}) do
    local there = found and found.users and found.users[user.email]
    local users_known = not found or found.users
    -- The ids of roles are known where the organization is, or where there are no names
    local roles_known = not user.roles or found and found.roles
    if not there and users_known and roles_known then
      local ids, problem = difference.role_ids(user, found and found.roles)
      if not problem then
        local arguments = { email = user.email, role_ids = ids }
        add(self:step("user:" .. user.email, "create_user", arguments))
      end
    end
    local name = "key:" .. user.email
    if user.api_key and users_known and self.worker.keys
      and not (there and has_key(self, name, there.id)) then
      add(mint_step(self, name, {}))
    end
  end
  self.position = 0
  return rows
end

-- Notes that what M.prepare gave has been committed.
function M.committed(self)
  for _, step in pairs(self.prepared or {}) do step.committed = step.key end
end

-- The body of a task for a claimed customer. Returns on success; raises { state =, kind =, message
-- = } otherwise. `known` is what difference.changes takes of the server, false where there is no
-- organization, nil where it has not been looked at.
function M.run(self)
  return run(setmetatable(self, job))
end

return M
