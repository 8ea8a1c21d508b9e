-- `polytomic wait_for OPERATION name=value…`: asks until work at the server has ended.

local arguments = require "polytomic.cli.arguments"
local convert = require("polytomic.cli.options").convert
local interrupt = require "polytomic.cli.interrupt"
local terminal = require "polytomic.terminal"

-- A `wait` that shows how long it has been waited for.
local function showing(name)
  if not terminal.is_capable(2) then return interrupt.wait, function() end end
  local now = require("polytomic.core").now
  local show, clear = terminal.status_line(2, io.stderr)
  local began, shown = now(), 0
  return function(client, call)
    local elapsed = math.floor(now() - began)
    if elapsed > shown then
      show(("waiting for %s: %d s"):format(name, elapsed))
      shown = elapsed
    end
    interrupt.wait(client, call)
  end, clear
end

local function use(context, operation, values)
  context:library()
  local options = context.options
  local timeout = options.timeout
  options.timeout = nil -- it is for all of the wait, not for each look
  local wait, clear = showing(operation.name)
  local client, status = context:client { wait = wait }
  if not client then return status end
  local data, message, response = client:wait_for(operation.name, values, {
    until_status = options["until"],
    timeout = timeout,
    interval = options.interval,
  })
  clear()
  if data == nil then return context:failed(operation, message, response) end
  return context:succeeded(operation, data, response)
end

return {
  wait_for = {
    details = "Asks again and again, less and less often, and prints the last reply. It fails (4) "
      .. "where the work has failed, and (6) where the time is over. Each look is a call of its "
      .. "own, of at most 90 seconds.",
    arguments = {
      { "OPERATION", "an operation that reads the state of work, such as get_query" },
      { "name=value…", "its arguments", optional = true, many = true },
    },
    options = {
      {
        "--until", "STATUS", "the status to wait for, or several with commas",
        convert = convert.names,
      },
      {
        "--timeout", "SECONDS", "how long to wait in all, 600 unless given",
        convert = convert.seconds,
      },
      { "--interval", "SECONDS", "the first pause between two looks", convert = convert.seconds },
    },
    groups = { "output", "connection", "general" },
    run = function(context)
      local name = table.remove(context.words, 1)
      local operation = require("polytomic.core").describe(name)
      if not operation then return require("polytomic.cli").unknown(name) end
      local problem, advice = require("polytomic.cli.output").complaint(context.options, name)
      if problem then return context:usage(problem, advice) end
      local values
      values, problem, advice = arguments.read(operation, context.words)
      if not values then return context:usage(problem, advice) end
      return context:protected(use, context, operation, values)
    end,
  },
}
