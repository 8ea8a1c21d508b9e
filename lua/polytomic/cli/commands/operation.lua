-- Runs one operation of the API: what most command lines are.

local arguments = require "polytomic.cli.arguments"
local report = require "polytomic.cli.report"

local M = {}

-- ---- before anything is sent ----

-- A message and advice where the options do not fit the operation, or nil.
local function complaint(operation, options)
  if options.all and not operation.pages then
    return "--all is for lists, and " .. operation.name .. " gives a single result"
  end
  local within = options.all and operation.pages.items_field ~= "data"
  return require("polytomic.cli.output").complaint(options, not within and operation.name or nil)
end

-- What is about to be deleted, in the words of the command line.
local function subject(operation, values)
  local words = { operation.name }
  for _, field in ipairs(operation.arguments) do
    local value = values[field.name]
    if value ~= nil and type(value) ~= "table" then
      words[#words + 1] = field.name .. "=" .. tostring(value)
    end
  end
  return table.concat(words, " ")
end

-- ---- running ----

-- Where a list goes on after this reply: says so on standard error.
local function note_more(client, operation, values, response)
  local body = response.body
  local says_so = type(body) == "table" and (body.pagination or body.links)
  if not operation.pages.kind and not says_so then return end
  local pages = require "polytomic.pages"
  local walk = pages.open("pages", client, operation.name, values)
  walk.first = response
  local items, message = pages.next(walk)
  if items == nil and message then return report.remark(message) end
  if walk.token == nil then return end
  local remark = "the list goes on: --all gives all of it, %s=%s the next page"
  report.remark(remark:format(walk.argument, walk.token))
end

local function run_once(context, client, operation, values, call_options)
  local call = require("polytomic.run").operation
  local data, message, response = call(client, operation.name, values, call_options)
  if data == nil then return context:failed(operation, message, response) end
  local status = context:succeeded(operation, data, response)
  if status == report.OK and operation.pages then
    note_more(client, operation, values, response)
  end
  return status
end

local function use(context, client, operation, values)
  local options = context.options
  local call_options = { idempotency_key = options.idempotency_key }
  if options.dry_run then return context:dry_run(client, operation, values, call_options) end
  local refusal =
    context:refusal(client, operation, values, call_options, subject(operation, values))
  if refusal then return refusal end
  if options.all then
    return require("polytomic.cli.all").run(context, client, operation, values, call_options)
  end
  return run_once(context, client, operation, values, call_options)
end

local function run(context)
  local operation = context.command.operation
  local problem, advice = complaint(operation, context.options)
  if problem then return context:usage(problem, advice) end
  local values
  values, problem, advice = arguments.read(operation, context.words)
  if not values then return context:usage(problem, advice) end
  local client, status = context:client()
  if not client then return status end
  return context:protected(use, context, client, operation, values)
end

-- The command that runs an operation.
function M.command(operation)
  return {
    name = operation.name,
    summary = operation.summary,
    operation = operation,
    arguments = { { "name=value…", "the operation's arguments", optional = true, many = true } },
    groups = require("polytomic.cli.options").every_group,
    run = run,
    interrupted = function(context)
      return context.resume and "go on with --all " .. context.resume
    end,
  }
end

return M
