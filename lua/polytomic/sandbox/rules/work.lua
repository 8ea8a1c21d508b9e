-- Work that takes its time: executions, jobs, queries. It goes one step further each time somebody
-- looks at it.

local clock = require "polytomic.sandbox.clock"
local inference = require "polytomic.sandbox.inference"

local M = {}

-- What happens when work ends, by name: functions that items keep while it goes on.
M.finishers = {}

local final = {
  completed = true,
  done = true,
  failed = true,
  canceled = true,
  ready = true,
  succeeded = true,
}

-- Whether the work of an item has ended.
function M.ended(item) return final[item.values.status] or false end

-- Whether what goes by this name is to fail.
function M.fails(name)
  return type(name) == "string" and name:lower():find(inference.failing_work.value, 1, true) ~= nil
end

-- Starts the work of an item: it has the first of the statuses, at each look the next one, and ends
-- with the last. `finish(item)`, if given, is called when it ends.
function M.go(item, statuses, finish)
  item.values.status = table.remove(statuses, 1)
  item.steps, item.finish = statuses, finish
end

-- Starts work that is created, then running, then `last` ("completed", "done", "failed").
function M.start(item, last, finish)
  item.settable.started_at, item.settable.completed_at = true, true
  M.go(item, { "created", "running", last }, finish)
end

local function enter(item, status)
  local values, now = item.values, clock.now()
  values.status, values.updated_at = status, now
  if status == "running" then values.started_at = now end
  if not final[status] then return end
  values.completed_at = now
  if item.finish then item.finish(item) end
end

-- Somebody looks: the work goes one step further.
function M.look(item)
  local step = item.steps and table.remove(item.steps, 1)
  if step then enter(item, step) end
  return item
end

-- Asks for the end of work that has not ended: it is canceling, and canceled at the next look.
function M.cancel(item)
  if M.ended(item) or not item.steps then return end
  item.values.status = "canceling"
  item.steps = { "canceled" }
end

return M
