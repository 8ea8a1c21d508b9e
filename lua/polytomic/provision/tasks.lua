-- Several coroutines on one client, each of which waits for calls of its own: what reading and
-- applying are made of. Whoever runs them waits as the client waits, in any host.

local core = require "polytomic.core"
local driver = require "polytomic.driver"
local pages = require "polytomic.pages"
local run = require "polytomic.run"

local M = {}

local STEP = 0.2 -- seconds one blocking step may wait: how late a signal is noticed

-- ---- inside a task ----

-- The `wait` of calls made by a task: suspends it until the call is done.
local function wait(_, call)
  coroutine.yield(call)
end

-- Runs an operation: data, nil, response or nil, message, err.
function M.call(client, name, arguments, options)
  return run.operation(client, name, arguments, options, wait)
end

-- Gives every item of a list, over all its pages, to `take`, but for what is not an object; returns
-- true, or nil, message, err.
function M.each(client, name, arguments, options, take)
  local walk = pages.open(name, client, name, arguments, options)
  while true do
    local items, message, response = pages.next(walk, wait)
    if message then return nil, message, response end
    if not items then return true end
    for _, item in ipairs(items) do
      if type(item) == "table" then take(item) end
    end
  end
end

-- Lets so many seconds pass.
function M.pause(client, seconds)
  local call = core.pause(client, seconds)
  while not call:done() do coroutine.yield(call) end
  return call:result()
end

-- What the server will say again however often it is asked.
M.FINAL = { unauthorized = true, forbidden = true, not_found = true, conflict = true,
  unprocessable = true, api = true, redirect = true, invalid = true, unconfigured = true,
  tls = true, too_large = true, cancelled = true, closed = true, ledger = true }

local ROUNDS, PAUSE, LONGEST_PAUSE = 4, 0.5, 60 -- seconds

-- Repeats body() after what may pass: what it returns at last.
function M.patiently(client, body)
  local round = 0
  while true do
    local data, message, err = body()
    if data ~= nil or M.FINAL[err.kind] then return data, message, err end
    round = round + 1
    if round > ROUNDS then return nil, message, err end
    M.pause(client, math.min(err.retry_after or PAUSE * 2 ^ round, LONGEST_PAUSE))
  end
end

-- ---- running tasks ----

local pool = {}
pool.__index = pool

-- A pool on a client. `ended(task, ok, …)` is called at every end: with what the task's body
-- returned, or with the error it raised. `asked(task, value)` gets what a task yields that is not
-- at a call; the task goes on when it is resumed with pool:resume. `interrupted()` says whether to
-- stop waiting.
function M.new(client, hooks)
  return setmetatable({
    client = client, host_wait = core.wait_of(client), ended = hooks.ended, asked = hooks.asked,
    interrupted = hooks.interrupted or function() return false end, waiting = {}, ready = {},
    alive = 0,
  }, pool)
end

-- Takes in that a call has ended.
local function land(landing)
  local self = landing.pool
  self.ready[#self.ready + 1] = landing.call
  local wake, whom = self.wake, self.whom
  self.wake, self.whom = nil, nil
  if wake then wake(whom) end
end

local function watch(self, task, call)
  self.waiting[call] = task
  driver.watch(self.client, call, land, { pool = self, call = call })
end

local function take(self, task, ok, value, ...)
  if coroutine.status(task.thread) == "dead" then
    self.alive = self.alive - 1
    task.over = true
    return self.ended(task, ok, value, ...)
  end
  if type(value) == "userdata" then return watch(self, task, value) end
  return self.asked(task, value)
end

-- Lets a task go on until it waits again or ends.
function pool:resume(task, ...)
  return take(self, task, coroutine.resume(task.thread, ...))
end

-- Starts body(…) as a task that carries `task`, a table.
function pool:start(task, body, ...)
  task.thread = coroutine.create(body)
  self.alive = self.alive + 1
  return self:resume(task, ...)
end

-- Forgets a task that is not to go on. Its call goes on to its end, and nobody waits for it.
function pool:drop(task)
  if task.over then return end
  task.over = true
  self.alive = self.alive - 1
end

-- The same, and cancels its call.
function pool:abandon(task)
  self:drop(task)
  for call, waiting in pairs(self.waiting) do
    if waiting == task then return call:cancel() end
  end
end

-- Cancels what the tasks wait for, and forgets them.
function pool:cancel()
  for call, task in pairs(self.waiting) do
    call:cancel()
    self:drop(task)
  end
  self.waiting, self.ready = {}, {}
  driver.wake(self.client)
end

-- For a host's `wait`, which sees the pool in place of a call.
function pool:done()
  if #self.ready == 0 then driver.wake(self.client) end
  if #self.ready > 0 then return true end
  local call = next(self.waiting)
  if call and call:done() then -- its client was closed, and nobody was notified
    for ended in pairs(self.waiting) do
      if ended:done() then self.ready[#self.ready + 1] = ended end
    end
  end
  return #self.ready > 0
end

function pool:watch(wake, whom)
  if #self.ready > 0 then return wake(whom) end
  self.wake, self.whom = wake, whom
end

-- Waits until a call has ended, or there is an interruption.
function pool:await()
  while next(self.waiting) and not self:done() and not self.interrupted() do
    if self.host_wait then self.host_wait(self.client, self) else self.client:step(STEP) end
  end
end

-- Lets the tasks go on whose calls have ended.
function pool:turn()
  self:done()
  local ready = self.ready
  self.ready = {}
  for _, call in ipairs(ready) do
    local task = self.waiting[call]
    self.waiting[call] = nil
    if task and not task.over then self:resume(task) end
  end
end

return M
