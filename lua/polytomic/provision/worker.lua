-- The loop that works off customers: claims them, runs their jobs side by side, and writes what
-- they come to in one transaction per turn; requests leave after it.

local core = require "polytomic.core"
local customers = require "polytomic.provision.customers"
local jobs = require "polytomic.provision.jobs"
local json_text = require "polytomic.json_text"
local ledgers = require "polytomic.provision.ledger"
local reads = require "polytomic.provision.reads"
local run = require "polytomic.run"
local tasks = require "polytomic.provision.tasks"

local M = {}
local unpack = table.unpack or unpack -- luacheck: ignore

-- Seconds
local BEAT = 0.1          -- between two looks at the clock
local POLL = 0.5          -- between two looks for work that others hold or bring
local LOCKED = 60         -- a ledger may be locked by another program
-- Parts of the time that a lease lasts: after one they are renewed, after the other nothing is sent
-- any more until that has succeeded, since another may hold the customers
local RENEW, EXPIRES = 1 / 3, 5 / 6
-- Between two transactions that nothing waits for: so many times as long as one takes, since calls
-- stand still meanwhile
local DEFER, SHORTEST_DEFER, LONGEST_DEFER = 20, 0.02, 0.25
local RETRY_BUSY, RETRY_LOST = 0.02, 0.5
local SLOW_DOWN, SPEED_UP = 1, 0.5 -- between two changes of how much is done at once

local worker = {}
worker.__index = worker

-- A worker. `options`: client, ledger, source (see below), concurrency, keys (a path),
-- literal(name), known(id), replace_lost_keys, on_step(event), on_progress(worker), stop(),
-- keeps_list (of all organizations), persists (through an outage of the API).
--
-- A source says what to claim: `next(count)` gives ids to try for, true for any, or nil for nothing
-- now; `claimed(ids, rows)` gets what came of it, `lost(id)` what is held no more and not done;
-- `pause()` gives seconds to wait after a claim in vain; `idle()` is asked now and then when there
-- is nothing to do, and says whether everything is over, or nil and a problem.
function M.new(options)
  local self = setmetatable({
    client = options.client, ledger = options.ledger, source = options.source, keys = options.keys,
    concurrency = options.concurrency, limit = options.concurrency, literal = options.literal,
    known = options.known, replace_lost_keys = options.replace_lost_keys, on_step = options.on_step,
    on_progress = options.on_progress, stop = options.stop or function() return false end,
    keeps_list = options.keeps_list, persists = options.persists,
    listed_at = options.listed_at or "0",
    held = {}, held_count = 0, queue = {}, active = 0, steps = {}, finish = {}, release = {},
    committing = {}, minted = {}, parked = {}, preparing = {}, lookups = {}, created = 0,
    updated = 0, step_count = 0,
    done = 0, failed = 0, written_at = 0, defer = 0,
    lost = 0, renewed_at = core.now(), slow_downs = core.slow_downs(options.client), paced_at = 0,
  }, worker)
  self.pool = tasks.new(self.client, {
    ended = function(task, ok, ...) return task.ended(task, ok, ...) end,
    asked = function(task, wish) return self:asked(task, wish) end,
    interrupted = function() return not self.stopping and self.stop() and true or false end,
  })
  return self
end

-- ---- what jobs ask for ----

-- Whether nothing new is to be sent any more.
function worker:is_ending()
  return self.stopping or self.failure ~= nil
end

-- Keeps a row of a step for the next transaction.
function worker:write_step(job, row)
  local rows = self.steps[job.id]
  if not rows then
    rows = {}
    self.steps[job.id] = rows
  end
  rows[row.name] = row
end

-- Counts a step that has ended, and keeps it for on_step.
function worker:step_ended(job, step, action, state)
  self.step_count = self.step_count + 1
  if action then
    local field = action:find "^update" and "updated" or "created"
    self[field] = self[field] + 1
  end
  if self.on_step then
    self.ended_steps = self.ended_steps or {}
    self.ended_steps[#self.ended_steps + 1] = {
      customer = job.customer.name, step = step.name:match "^%a+", email = step.name:match ":(.*)$",
      action = action, state = state, id = step.remote_id, error = step.error,
      error_kind = step.error_kind,
    }
  end
end

-- The line of the keys file for a minted key.
local function key_line(record)
  local parts = {}
  for i, name in ipairs { "organization", "organization_id", "email", "user_id", "value" } do
    parts[i] = ('"%s":%s'):format(name, json_text.string(record[name]))
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Writes the minted keys of tasks whose leases are held, durably; says whether they are there.
local function keep_keys(self, tasks_of_keys)
  local lines = {}
  for _, task in ipairs(tasks_of_keys) do
    if task.key and not task.over then lines[#lines + 1] = key_line(task.key) end
  end
  if #lines == 0 then return true end
  local ok, message = core.append_durably(self.keys, unpack(lines))
  if ok then return true end
  self.failure = self.failure
    or { message = ("cannot write the keys file %s: %s"):format(self.keys, message) }
  return false
end

function worker:asked(task, wish)
  if wish.organization then
    self.lookups[#self.lookups + 1] = { task = task, wish = wish }
  elseif wish.go_on then
    if self:is_ending() then return self:give_back(task) end
    return self.pool:resume(task)
  elseif wish.row and self:is_ending() then
    return self:give_back(task)
  else
    if wish.row then self:write_step(task.job, wish.row) end
    if wish.key then -- nothing of it is under way: another may begin meanwhile
      task.key, task.parked = wish.key, true
      self.active = self.active - 1
      self.minted[#self.minted + 1] = task
    else
      self.committing[#self.committing + 1] = task
    end
  end
end

-- Lets a parked task go on.
local function unpark(self, task)
  task.parked = false
  self.active = self.active + 1
  self.pool:resume(task)
end

-- ---- the ends of jobs ----

local function forget(self, job)
  if not self.held[job.id] then return end
  self.held[job.id] = nil
  self.held_count = self.held_count - 1
end

-- A message that does not hold the customer's secret.
local function hidden(job, message)
  local secret = job.secret
  if not secret or #secret < 4 then return message end
  local at = 1
  while true do
    local first, last = message:find(secret, at, true)
    if not first then return message end
    message = message:sub(1, first - 1) .. "****" .. message:sub(last + 1)
    at = first + 4
  end
end

-- Counts a customer that is done or failed; or, with -1, one that this process does not end after
-- all.
local function add_ended(self, state, by)
  local field = state == "done" and "done" or "failed"
  self[field] = self[field] + by
end

local function finish(self, job, state, kind, message)
  self.finish[job.id] = { id = job.id, lease = job.lease, fingerprint = job.fingerprint,
    state = state, error_kind = kind, error = message }
  add_ended(self, state, 1)
end

-- Ends a task whose customer goes back into the queue.
function worker:give_back(task)
  self.pool:drop(task)
  if not task.parked then self.active = self.active - 1 end
  self.release[task.job.id] = { id = task.job.id, lease = task.job.lease }
end

function worker:ended(task, ok, problem)
  local job = task.job
  self.active = self.active - 1
  if ok then return finish(self, job, "done") end
  if type(problem) ~= "table" then
    self.thrown = self.thrown or { problem }
    problem = { state = "later" }
  end
  if problem.state == "later" then
    self.release[job.id] = { id = job.id, lease = job.lease }
    return
  end
  local message = hidden(job, problem.message)
  if problem.step then
    problem.step.error = problem.step.error and message
    local rows = self.steps[job.id]
    local row = rows and rows[problem.step.name]
    if row and row.error then row.error = message end
    self:step_ended(job, problem.step, nil, problem.state)
  end
  finish(self, job, problem.state, problem.kind, message)
end

-- The lease of a job was lost to another: nothing of it may be written any more.
local function lose(self, job)
  self.lost = self.lost + 1
  self.source:lost(job.id)
  if self.finish[job.id] then add_ended(self, self.finish[job.id].state, -1) end
  self.steps[job.id], self.finish[job.id], self.release[job.id] = nil, nil, nil
  self.preparing[job.id] = nil
  forget(self, job)
  if job.task and not job.task.over then
    self.pool:abandon(job.task)
    if not job.task.parked then self.active = self.active - 1 end
  end
  for i = #self.queue, 1, -1 do
    if self.queue[i] == job then table.remove(self.queue, i) end
  end
end

-- ---- lists of organizations that jobs look into ----

local function list_body(self, requests)
  local wanted, by_name, by_id = {}, {}, {}
  for _, request in ipairs(requests) do
    wanted[request.wish.organization] = true
    if request.wish.id then wanted[request.wish.id] = true end
  end
  local ok, message, err = reads.organizations(self.client, function(org)
    if (self.keeps_list or wanted[org.name]) and not by_name[org.name] then
      by_name[org.name] = reads.compact(org)
    end
    if wanted[org.id] then by_id[org.id] = reads.compact(org) end
  end)
  if not ok then return nil, message, err end
  return { by_name = by_name, by_id = by_id }
end

-- Starts a list for those who wait for one: it has to begin after they asked.
local function start_list(self)
  if self.listing or #self.lookups == 0 then return true end
  local listed_at, found = self.ledger:now()
  if not listed_at then return nil, found end
  local requests = self.lookups
  self.lookups, self.listing = {}, true
  self.pool:start({ ended = function(_, ok, list, message, err)
    self.listing = false
    if not ok then self.thrown = self.thrown or { list } end
    if ok and list and self.keeps_list then
      self.list, self.listed_at = list.by_name, listed_at
    end
    for _, request in ipairs(requests) do
      local wish, task = request.wish, request.task
      local live = not task.over -- its lease may be lost meanwhile
      if live and not ok then
        self:give_back(task)
      elseif live and list then
        self.pool:resume(task, list.by_name[wish.organization] or list.by_id[wish.id or ""])
      elseif live then
        self.pool:resume(task, nil, message, err)
      end
    end
  end }, list_body, self, requests)
  return true
end

-- ---- transactions ----

-- Whether the leases were renewed before such a part of their time.
local function is_older(self, part)
  return core.now() - self.renewed_at >= ledgers.TTL * part
end

-- Whether leases may be over: this process was stopped, or the ledger is out of reach.
local function may_be_over(self)
  return self.held_count > 0 and is_older(self, EXPIRES)
end

-- What is to be written now.
local function collect(self)
  local work = { fence = {}, steps = {}, finish = {}, release = {} }
  local concerned = {}
  for id, rows in pairs(self.steps) do
    concerned[id] = true
    for _, row in pairs(rows) do work.steps[#work.steps + 1] = row end
  end
  for id, row in pairs(self.finish) do
    concerned[id] = true
    work.finish[#work.finish + 1] = row
  end
  for id, row in pairs(self.release) do
    concerned[id] = true
    work.release[#work.release + 1] = row
  end
  for _, list in ipairs { self.committing, self.minted } do
    for _, task in ipairs(list) do concerned[task.job.id] = true end
  end
  local all = is_older(self, RENEW)
  for id, job in pairs(self.held) do
    if all or concerned[id] then work.fence[#work.fence + 1] = { id = id, lease = job.lease } end
  end
  return work, all
end

-- How many customers to claim now, and what of: some ahead, so that their keys are committed when
-- their turn comes.
local function wish_for(self)
  if self:is_ending() or #self.queue > self.limit then return nil end
  if self.claim_at and core.now() < self.claim_at then return nil end
  local count = math.ceil(self.limit * 2)
  return count, self.source:next(count)
end

-- Whether there is no time to lose: something waits for a transaction.
local function is_urgent(self)
  return #self.committing > 0 or self.active == 0 or self:is_ending() or may_be_over(self)
    or #self.queue == 0 and self.active < self.limit
end

-- After a transaction that failed: tries again soon, or gives up.
local function put_off(self, found)
  local now = core.now()
  self.troubled_at = self.troubled_at or now
  if found.kind == "failed" or found.kind == "gone"
    or found.kind == "busy" and now - self.troubled_at > LOCKED then
    local why = found.kind == "busy" and { message = "it is locked by another program ("
      .. found.message .. ")" } or found
    self.failure = { message = self.ledger:say(why), final = true }
  end
  self.retry_at = now + (found.kind == "busy" and RETRY_BUSY or RETRY_LOST)
end

local function known_of(self, job)
  if self.known then return self.known(job.id) end
  if job.listed and self.list then
    local org = self.list[job.customer.name]
    return org and { org = org } or false
  end
end

local function hold(self, rows)
  for _, row in ipairs(rows) do
    local job = {
      id = row.id, lease = row.lease, attempts = tonumber(row.attempts),
      fingerprint = row.fingerprint, steps = row.steps,
      customer = customers.decode(row.source), position = 0, worker = self, client = self.client,
      literal = self.literal and self.literal(row.name), listed = tonumber(row.listed) == 1,
    }
    self.held[row.id] = job
    self.held_count = self.held_count + 1
    self.queue[#self.queue + 1] = job
    job.known = known_of(self, job)
    for _, step in ipairs(jobs.prepare(job)) do
      self:write_step(job, step)
      self.preparing[job.id] = job
    end
  end
end

-- Writes what there is to write and claims what is wanted.
local function transact(self)
  local now = core.now()
  if self.retry_at and now < self.retry_at then return end
  if now - self.written_at < self.defer and not is_urgent(self) then return end
  local work, all = collect(self)
  local count, ids = wish_for(self)
  if count and ids then
    work.claim = function()
      return self.ledger:claim(count, ids ~= true and ids or nil, self.listed_at)
    end
  end
  if #work.fence == 0 and not work.claim then return end
  local result, found = self.ledger:write(work)
  if not result then return put_off(self, found) end
  self.retry_at, self.troubled_at = nil, nil
  if all then self.renewed_at = now end
  local committing = self.committing
  local prepared, minted = self.preparing, self.minted
  self.committing, self.steps, self.preparing, self.minted = {}, {}, {}, {}
  for _, job in pairs(prepared) do jobs.committed(job) end
  for _, lease in ipairs(work.fence) do
    if not result.held[lease.id] then lose(self, self.held[lease.id]) end
  end
  for id in pairs(self.finish) do forget(self, self.held[id]) end
  for id in pairs(self.release) do
    if self.held[id] then
      forget(self, self.held[id])
      self.source:lost(id)
    end
  end
  self.finish, self.release = {}, {}
  if work.claim then
    hold(self, result.claimed)
    self.source:claimed(ids, result.claimed)
    if #result.claimed == 0 then self.claim_at = core.now() + self.source:pause() end
  end
  local kept = keep_keys(self, minted)
  for _, task in ipairs(minted) do
    if not task.over and kept then
      self.parked[#self.parked + 1] = task
    elseif not task.over then -- the same key gives the same value again
      self:give_back(task)
    end
  end
  self.written_at = core.now()
  self.defer = math.max(SHORTEST_DEFER, math.min(LONGEST_DEFER, (self.written_at - now) * DEFER))
  for _, task in ipairs(committing) do
    if not task.over then self.pool:resume(task) end
  end
end

-- ---- the loop ----

local function start_jobs(self)
  while #self.parked > 0 and (self.active < self.limit or self:is_ending()) do
    local task = table.remove(self.parked, 1)
    if not task.over then unpark(self, task) end
  end
  while #self.queue > 0 and self.active < self.limit and not self.stopping and not self.failure do
    local job = table.remove(self.queue, 1)
    job.task = { job = job, ended = function(...) return self:ended(...) end }
    self.active = self.active + 1
    self.pool:start(job.task, jobs.run, job)
  end
end

-- Does less at once while the server says that it is too much.
local function pace(self)
  local now, slow_downs = core.now(), core.slow_downs(self.client)
  if slow_downs > self.slow_downs then
    if now - self.paced_at >= SLOW_DOWN then
      self.limit, self.paced_at = math.max(1, self.limit / 2), now
    end
  elseif self.limit < self.concurrency and now - self.paced_at >= SPEED_UP then
    self.limit, self.paced_at = math.min(self.concurrency, self.limit + 1), now
  end
  self.slow_downs = slow_downs
end

-- No new request; what was claimed and not begun goes back.
local function begin_to_stop(self)
  self.stopping = true
  for _, job in ipairs(self.queue) do
    self.steps[job.id], self.preparing[job.id] = nil, nil
    self.release[job.id] = { id = job.id, lease = job.lease }
  end
  self.queue = {}
  for _, request in ipairs(self.lookups) do self:give_back(request.task) end
  self.lookups = {}
  local committing = self.committing
  self.committing = {}
  for _, task in ipairs(committing) do
    local rows = self.steps[task.job.id]
    local sends = false
    for name, row in pairs(rows or {}) do
      if row.state == "sent" then
        rows[name], sends = nil, true
      end
    end
    if sends then self:give_back(task) else self.committing[#self.committing + 1] = task end
  end
  for _, job in pairs(self.held) do -- those that only let time pass
    if job.pausing and job.task and not job.task.over then self:give_back(job.task) end
  end
end

local function report_steps(self)
  local events = self.ended_steps
  self.ended_steps = nil
  for _, event in ipairs(events or {}) do
    local ok, problem = pcall(self.on_step, event)
    if not ok then self.thrown = self.thrown or { problem } end
  end
  if self.on_progress then
    local ok, problem = pcall(self.on_progress, self)
    if not ok then self.thrown = self.thrown or { problem } end
  end
end

local function beat(self)
  while not self.over do tasks.pause(self.client, BEAT) end
end

-- Whether the work is over; asks the source when there is nothing to do.
local function is_over(self)
  if self.active > 0 or self.held_count > 0 or self.listing then return false end
  if self.stopping or self.failure then return true end
  if self.idle_at and core.now() < self.idle_at then return false end
  local over, found = self.source:idle()
  if found then
    put_off(self, found)
    self.idle_at = core.now() + RETRY_LOST
    return false
  end
  self.idle_at = core.now() + POLL
  return over
end

-- One turn of the loop; says whether it was the last.
local function turn(self)
  if may_be_over(self) then transact(self) end
  local sure = not may_be_over(self)
  if sure then self.pool:turn() end
  pace(self)
  if not self.stopping and (self.stop() or self.thrown or self.failure) then
    begin_to_stop(self)
  end
  if self.failure and self.failure.final then return true end
  if not sure then return run.pause(self.client, RETRY_BUSY) and false end
  local ok, found = start_list(self)
  if not ok then put_off(self, found) end
  start_jobs(self)
  transact(self)
  start_jobs(self) -- those just claimed
  transact(self)
  report_steps(self)
  return is_over(self)
end

local function loop(self)
  self.pool:start({ ended = function(_, ok, problem)
    if not ok then self.thrown = self.thrown or { problem } end
  end }, beat, self)
  repeat
    local over = turn(self)
    if self.failure and self.failure.final then break end
    if not over and #self.pool.ready == 0 then self.pool:await() end
  until over
  self.over = true
  self.pool:cancel()
  report_steps(self)
end

-- Works until the source is over, or stop() says so; then what is under way is finished, and the
-- rest given back. Returns true, or nil, message, err where the ledger or the keys file failed.
function worker:run()
  loop(self)
  if self.thrown then error(self.thrown[1], 0) end
  if self.failure then
    return core.make_error("provision", "ledger", "unknown", self.failure.message)
  end
  return true
end

return M
