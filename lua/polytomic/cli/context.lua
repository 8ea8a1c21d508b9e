-- What a command gets when it is run: its words and options, clients, and ways to print a result or
-- a failure.

local interrupt = require "polytomic.cli.interrupt"
local report = require "polytomic.cli.report"

local context = {}
context.__index = context

local M = {}

-- Of a command, with its words and its options (`--base-url` is `options.base_url`).
function M.new(command, words, options)
  return setmetatable({ command = command, words = words, options = options }, context)
end

-- The library, loaded when it is first asked for.
function context:library() -- luacheck: no self
  return require "polytomic"
end

-- Reports bad usage; returns the exit status.
function context:usage(message, advice)
  return report.problem(report.USAGE, message, advice or report.see_help(self.command.name))
end

-- The options of polytomic.new that the command line gives; or nil and the exit status of the
-- problem, which has been reported.
function context:client_options()
  local given = self.options
  local options = {}
  if given.key_file then
    local keys, message, advice = require("polytomic.cli.files").read_keys(given.key_file)
    if not keys then return nil, self:usage(message, advice) end
    options = keys
  end
  options.base_url = given.base_url or options.base_url
  options.organization, options.ca_file = given.organization, given.ca_file
  options.timeout, options.retries = given.timeout, given.retries
  options.version, options.allow_http = given.api_version, given.allow_http
  options.wait = interrupt.wait
  return options
end

-- A client, with more options where they are given; or nil and the exit status of the problem,
-- which has been reported. It has more than the operations once the library is loaded.
function context:client(extra)
  local options, status = self:client_options()
  if not options then return nil, status end
  for name, value in pairs(extra or {}) do options[name] = value end
  local made, client = pcall(require("polytomic.core").new, options)
  if made then return client end
  return nil, report.raised(client, self.command.name)
end

-- Runs a function that returns an exit status; what it raises for bad usage is reported.
function context:protected(run, ...)
  local ok, status = pcall(run, ...)
  if ok then return status end
  if interrupt.is_interrupt(status) or report.is_defect(status) then error(status, 0) end
  return report.raised(status, self.command.name)
end

-- Reports what has become of a failed call; returns the exit status.
function context:failed(operation, message, err)
  local options = self.options
  if options.verbose then require("polytomic.cli.timeline").show(err) end
  return report.failed_call(operation, message, err, options.curl)
end

-- A call that is started and ended before anything is sent: its error, which knows the request; or
-- nil and the exit status of what is wrong with it, which has been reported.
function context:checked(client, operation, arguments, call_options)
  local call = require("polytomic.core").start(client, operation.name, arguments, call_options)
  call:cancel()
  local _, message, err = call:result()
  if err.kind == "cancelled" then return err end
  return nil, self:failed(operation, message, err)
end

-- Prints the request as a curl command.
function context:dry_run(client, operation, arguments, call_options)
  local err, status = self:checked(client, operation, arguments, call_options)
  return status or require("polytomic.cli.output").put(err:curl() .. "\n")
end

-- Asks somebody at a terminal whether a deletion that can be sent may go on; nil where it may, or
-- the exit status of why not, which has been reported.
function context:refusal(client, operation, arguments, call_options, subject)
  if operation.method ~= "DELETE" or self.options.yes then return nil end
  local _, status = self:checked(client, operation, arguments, call_options)
  if status then return status end
  if require("polytomic.cli.confirm").ask(subject) then return nil end
  return report.problem(report.USAGE, operation.name .. ": not confirmed, nothing was sent")
end

-- Prints the data of a call that succeeded; returns the exit status. `operation` says whether an
-- empty table is a list.
function context:succeeded(operation, data, response)
  local options = self.options
  if options.verbose and response then require("polytomic.cli.timeline").show(response) end
  local is_list = operation.pages ~= nil and operation.pages.items_field == "data"
  return require("polytomic.cli.output").print(data, options, is_list, operation.name)
end

return M
