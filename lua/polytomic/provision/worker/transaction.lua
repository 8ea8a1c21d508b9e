-- One transaction of a worker for all of its customers: what their jobs have come to is written,
-- the keys of their next steps are committed, leases are renewed, and further customers claimed. Of
-- those whose lease is lost nothing is written. Requests leave after it.

local core = require "polytomic.core"
local customers = require "polytomic.provision.customers"
local ends = require "polytomic.provision.worker.ends"
local jobs = require "polytomic.provision.jobs"
local keys_file = require "polytomic.provision.worker.keys_file"
local ledgers = require "polytomic.provision.ledger"

local M = {}

-- Parts of the time that a lease lasts: after one they are renewed, after the other nothing is sent
-- any more until that has succeeded, since another may hold the customers
local RENEW, EXPIRES = 1 / 3, 5 / 6
-- Seconds between two transactions that nothing waits for: so many times as long as one takes,
-- since calls stand still meanwhile
local DEFER, SHORTEST_DEFER, LONGEST_DEFER = 20, 0.02, 0.25
-- Seconds until the next attempt, and how long another program may lock the ledger
local RETRY_BUSY, RETRY_LOST, LOCKED = 0.02, 0.5, 60

-- Whether the leases were renewed before such a part of their time.
local function is_older(self, part)
  return core.now() - self.renewed_at >= ledgers.TTL * part
end

-- Whether leases may be over: this process was stopped, or the ledger is out of reach.
function M.may_be_over(self)
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
  return #self.committing > 0 or self.active == 0 or self:is_ending() or M.may_be_over(self)
    or #self.queue == 0 and self.active < self.limit
end

-- After a transaction that failed: tries again soon, or gives up.
function M.put_off(self, found)
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
function M.run(self)
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
  if not result then return M.put_off(self, found) end
  self.retry_at, self.troubled_at = nil, nil
  if all then self.renewed_at = now end
  local committing = self.committing
  local prepared, minted = self.preparing, self.minted
  self.committing, self.steps, self.preparing, self.minted = {}, {}, {}, {}
  for _, job in pairs(prepared) do jobs.committed(job) end
  for _, lease in ipairs(work.fence) do
    if not result.held[lease.id] then ends.lose(self, self.held[lease.id]) end
  end
  for id in pairs(self.finish) do ends.forget(self, self.held[id]) end
  for id in pairs(self.release) do
    if self.held[id] then
      ends.forget(self, self.held[id])
      self.source:lost(id)
    end
  end
  self.finish, self.release = {}, {}
  if work.claim then
    hold(self, result.claimed)
    self.source:claimed(ids, result.claimed)
    if #result.claimed == 0 then self.claim_at = core.now() + self.source:pause() end
  end
  local kept = keys_file.keep(self, minted)
  for _, task in ipairs(minted) do
    if not task.over and kept then
      self.parked[#self.parked + 1] = task
    elseif not task.over then -- the same key gives the same value again
      ends.give_back(self, task)
    end
  end
  self.written_at = core.now()
  self.defer = math.max(SHORTEST_DEFER, math.min(LONGEST_DEFER, (self.written_at - now) * DEFER))
  for _, task in ipairs(committing) do
    if not task.over then self.pool:resume(task) end
  end
end

return M
