-- Runs one operation of the API: what most command lines are.

local arguments = require "polytomic.cli.arguments"
local report = require "polytomic.cli.report"

local M = {}

local function run(context)
  local operation = context.command.operation
  local values, problem, advice = arguments.read(operation, context.words)
  if not values then return context:usage(problem, advice) end
  local client, status = context:client()
  if not client then return status end
  local name = operation.name
  local ok, data, message, response =
    pcall(client[name], client, values, { idempotency_key = context.options.idempotency_key })
  if not ok then
    if require("polytomic.cli.interrupt").is_interrupt(data) then error(data, 0) end
    return report.raised(data, name)
  end
  if data == nil then return context:failed(operation, message, response) end
  return context:succeeded(operation, data, response)
end

-- The command that runs an operation.
function M.command(operation)
  local groups = { "output", "sending", "connection", "general" }
  if operation.pages then table.insert(groups, 2, "pages") end
  return {
    name = operation.name,
    summary = operation.summary,
    operation = operation,
    arguments = { { "name=value…", "the operation's arguments", optional = true, many = true } },
    groups = groups,
    run = run,
  }
end

return M
