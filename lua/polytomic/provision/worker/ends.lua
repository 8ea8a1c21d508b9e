-- What becomes of a claimed customer: it is done or failed, goes back into the queue, or is lost to
-- another process.

local M = {}

-- The customer is not held any more.
function M.forget(self, job)
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
function M.give_back(self, task)
  self.pool:drop(task)
  if not task.parked then self.active = self.active - 1 end
  self.release[task.job.id] = { id = task.job.id, lease = task.job.lease }
end

-- A job has ended: with success, or with the problem it raised.
function M.ended(self, task, ok, problem)
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
function M.lose(self, job)
  self.lost = self.lost + 1
  self.source:lost(job.id)
  if self.finish[job.id] then add_ended(self, self.finish[job.id].state, -1) end
  self.steps[job.id], self.finish[job.id], self.release[job.id] = nil, nil, nil
  self.preparing[job.id] = nil
  M.forget(self, job)
  if job.task and not job.task.over then
    self.pool:abandon(job.task)
    if not job.task.parked then self.active = self.active - 1 end
  end
  for i = #self.queue, 1, -1 do
    if self.queue[i] == job then table.remove(self.queue, i) end
  end
end

return M
