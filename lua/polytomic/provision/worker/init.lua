-- The loop that works off customers: claims them, runs their jobs side by side, and writes what
-- they come to in one transaction per turn; requests leave after it.

local core = require "polytomic.core"
local ends = require "polytomic.provision.worker.ends"
local jobs = require "polytomic.provision.jobs"
local lists = require "polytomic.provision.worker.lists"
local run = require "polytomic.run"
local tasks = require "polytomic.provision.tasks"
local transaction = require "polytomic.provision.worker.transaction"

local M = {}

-- Seconds
local BEAT = 0.1 -- between two looks at the clock
local POLL = 0.5 -- between two looks for work that others hold or bring
local SHORT = 0.02 -- while nothing may be sent, since leases may be over
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

function worker:asked(task, wish)
  if wish.organization then
    self.lookups[#self.lookups + 1] = { task = task, wish = wish }
  elseif wish.go_on then
    if self:is_ending() then return ends.give_back(self, task) end
    return self.pool:resume(task)
  elseif wish.row and self:is_ending() then
    return ends.give_back(self, task)
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

-- ---- the loop ----

local function start_jobs(self)
  while #self.parked > 0 and (self.active < self.limit or self:is_ending()) do
    local task = table.remove(self.parked, 1)
    if not task.over then unpark(self, task) end
  end
  while #self.queue > 0 and self.active < self.limit and not self.stopping and not self.failure do
    local job = table.remove(self.queue, 1)
    job.task = { job = job, ended = function(...) return ends.ended(self, ...) end }
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
  for _, request in ipairs(self.lookups) do ends.give_back(self, request.task) end
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
    if sends then ends.give_back(self, task) else self.committing[#self.committing + 1] = task end
  end
  for _, job in pairs(self.held) do -- those that only let time pass
    if job.pausing and job.task and not job.task.over then ends.give_back(self, job.task) end
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
    transaction.put_off(self, found)
    self.idle_at = core.now() + POLL
    return false
  end
  self.idle_at = core.now() + POLL
  return over
end

-- One turn of the loop; says whether it was the last.
local function turn(self)
  if transaction.may_be_over(self) then transaction.run(self) end
  local sure = not transaction.may_be_over(self)
  if sure then self.pool:turn() end
  pace(self)
  if not self.stopping and (self.stop() or self.thrown or self.failure) then
    begin_to_stop(self)
  end
  if self.failure and self.failure.final then return true end
  if not sure then return run.pause(self.client, SHORT) and false end
  local ok, found = lists.start(self)
  if not ok then transaction.put_off(self, found) end
  start_jobs(self)
  transaction.run(self)
  start_jobs(self) -- those just claimed
  transaction.run(self)
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
