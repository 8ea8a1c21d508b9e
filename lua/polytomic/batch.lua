-- client:batch: one operation for many arguments, several calls at once, slower while the server
-- asks for it.

local core = require "polytomic.core"
local driver = require "polytomic.driver"
local progress = require "polytomic.progress"
local run = require "polytomic.run"
local usage = require "polytomic.usage"

local M = {}

local CONCURRENCY = 16
local STEP = 0.1 -- seconds one blocking step may wait: how late a Ctrl-C may act

local batch = {}
batch.__index = batch

-- ---- calls under way ----

function batch:landed(call)
  self.ready[#self.ready + 1] = call
  local wake, whom = self.wake, self.whom
  self.wake, self.whom = nil, nil
  if wake then wake(whom) end
end

-- Begins the call for the next arguments; false when there are none left.
function batch:begin_next()
  local index = self.index + 1
  local arguments = self.next(index)
  if arguments == nil then
    self.exhausted = true
    return false
  end
  self.index = index
  local call = core.start(self.client, self.operation, arguments, self.call_options)
  core.be_patient(call) -- an answer 429 slows the batch down; only the item's deadline ends it
  self.flying[call] = index
  self.count = self.count + 1
  driver.watch(self.client, call, function() self:landed(call) end) -- of variables of its own
  return true
end

function batch:fill()
  while self.count < math.floor(self.limit) and not self.exhausted and self:begin_next() do end
end

-- Calls that ended unreported: their client was closed.
function batch:sweep()
  local call = next(self.flying)
  if #self.ready > 0 or not call or not call:done() then return end
  for ended in pairs(self.flying) do
    if ended:done() then self.ready[#self.ready + 1] = ended end
  end
end

-- ---- what `wait` sees: a batch in place of a call ----

-- Whether there is something to go on with.
function batch:done()
  if #self.ready == 0 then driver.wake(self.client) end
  self:sweep()
  return #self.ready > 0
end

-- For driver.watch.
function batch:watch(wake, whom)
  if #self.ready > 0 then return wake(whom) end
  self.wake, self.whom = wake, whom
end

-- Ends the batch early: calls under way are cancelled, the others are not started.
function batch:cancel()
  self.cancelled = true
  self.exhausted = true
  for call in pairs(self.flying) do call:cancel() end
end

-- ---- results ----

-- Additive increase, multiplicative decrease: one more at once for each round of successes, half as
-- many for replies with status 429, whoever of the client's calls got them, once for each round.
function batch:adapt(succeeded)
  local slow_downs = core.slow_downs(self.client)
  self.round = self.round + 1
  if slow_downs > self.slow_downs then
    if self.round >= self.limit or not self.slowed then
      self.limit, self.round, self.slowed = math.max(1, self.limit / 2), 0, true
    end
  elseif succeeded then
    self.limit = math.min(self.concurrency, self.limit + 1 / self.limit)
  end
  self.slow_downs = slow_downs
end

function batch:keep(index, data, message, err)
  if data == nil then
    self.failures[#self.failures + 1] = { index = index, message = message, err = err }
    self.results[index] = false
  else
    self.results[index] = not self.on_result and data or true
  end
end

-- The result of a call. An error of `on_event` comes out of it once and hides the result: it is
-- kept until the calls under way have reported theirs, and no other is started.
function batch:result_of(call)
  local ok, data, message, err = pcall(call.result, call)
  if ok then return data, message, err end
  self.thrown = self.thrown or { data }
  self.exhausted = true
  return call:result()
end

function batch:take(call)
  local index = self.flying[call]
  self.flying[call] = nil
  self.count = self.count - 1
  local data, message, err = self:result_of(call)
  if data ~= nil then err = nil end
  self:adapt(data ~= nil)
  self:keep(index, data, message, err)
  if self.progress then self.progress:item_done(#self.failures) end
  if self.on_result then self.on_result(index, data, message, err) end
end

-- What was never started fails as cancelled; of an iterator nobody knows what was left.
function batch:give_up_rest()
  for index = self.index + 1, self.total or 0 do
    self:keep(index,
      core.make_error(self.operation, "cancelled", "unsent", "the batch was cancelled"))
  end
end

-- ---- the course of it ----

-- Whether the server asked to slow down and the batch has not come back to its full number since.
function batch:report_slowing()
  if not self.progress then return end
  local slowing = self.limit < self.concurrency or core.slow_downs(self.client) > self.slow_downs
  self.progress:slow_down(slowing)
end

function batch:await()
  while not self:done() do
    if self.wait then self.wait(self.client, self) else self.client:step(STEP) end
    self:report_slowing()
  end
end

function batch:run()
  self:fill()
  while self.count > 0 do
    self:await()
    local ready = self.ready
    self.ready = {}
    for _, call in ipairs(ready) do self:take(call) end
    self:fill()
  end
  if self.thrown then error(self.thrown[1], 0) end
  self:give_up_rest()
end

-- An error leaves no call running, but on Lua 5.1 under a `wait`, where nothing could be caught:
-- there the calls under way go on to their end.
function batch:guarded()
  local ok, message = true, nil
  if self.protected then ok, message = pcall(self.run, self) else self:run() end
  if self.progress then self.progress:stop() end
  if ok then return end
  self:cancel()
  driver.wake(self.client)
  error(message, 0)
end

-- ---- usage ----

local function check_operation(name)
  usage.check_type("batch", "the operation's name", name, "string")
  if not core.functions[name] then core.raise("batch: " .. usage.unknown("operation", name)) end
end

local function check_list(list)
  usage.check_type("batch", "the list of arguments", list, "table or a function")
  if type(list) == "function" then return end
  local count = 0
  for key in pairs(list) do
    if type(key) ~= "number" then
      core.raise("batch: the list of arguments must be a list, but has the key '"
        .. tostring(key) .. "'")
    end
    count = count + 1
  end
  for index = 1, count do
    if list[index] == nil then
      core.raise("batch: the list of arguments has a hole: there is nothing at " .. index)
    end
    usage.check_type("batch", "arguments " .. index, list[index], "table")
  end
end

local OPTIONS = { concurrency = "number", options = "table", on_result = "function",
  progress = "boolean or a function", control = "table" }

local function check_options(options)
  usage.check_type("batch", "options", options, "table")
  usage.check_options("batch", options, OPTIONS)
  if options.options and type(options.options.idempotency_key) == "string" then
    core.raise "batch: an idempotency_key would be the same for every call: each makes its own"
  end
end

-- client:batch(operation, list_of_arguments, options): results, failures. The list may be a
-- function that returns the arguments number i, nil at the end. Options: `concurrency` (calls at
-- once, default 16), `options` (of each call), `on_result(i, data, message, err)` as each item ends
-- (results[i] is then true in place of data, so that memory stays flat), `progress` (true, or a
-- function), and `control`, a table that gets a function `cancel`, and `results` and `failures` so
-- far: what is left of a batch that an error or Ctrl-C ends.
function M.batch(client, operation, list, options)
  options = options or {}
  usage.check_client("batch", client, "(…)")
  check_operation(operation)
  check_list(list)
  check_options(options)
  local wait = core.wait_of(client)
  local protected = not wait or run.yields_anywhere
  local total = type(list) == "table" and #list or nil
  local self = setmetatable({
    client = client, operation = operation, call_options = options.options,
    on_result = options.on_result, next = total and function(index) return list[index] end or list,
    total = total, wait = wait, protected = protected,
    progress = progress.new(operation, total, options.progress),
    index = 0, count = 0, flying = {}, ready = {},
    concurrency = options.concurrency or CONCURRENCY, limit = options.concurrency or CONCURRENCY,
    round = 0, slow_downs = core.slow_downs(client),
    results = {}, failures = {},
  }, batch)
  if options.control then
    options.control.cancel = function() self:cancel() end
    options.control.results, options.control.failures = self.results, self.failures
  end
  self:guarded()
  table.sort(self.failures, function(a, b) return a.index < b.index end)
  return self.results, self.failures
end

-- Gives every client the method.
function M.install()
  core.methods.batch = M.batch
  core.waiting.batch = M.batch
end

return M
