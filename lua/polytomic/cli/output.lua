-- Prints results.

local report = require "polytomic.cli.report"
local terminal = require "polytomic.terminal"

local M = {}

local STDOUT = 1 -- its descriptor

-- Writes to standard output, or says that it could not: a result may be a key that is shown only
-- once. Returns the exit status.
function M.put(text)
  local ok, message = io.stdout:write(text)
  if ok then ok, message = io.stdout:flush() end
  if ok then return report.OK end
  return report.problem(report.FAILURE, "cannot write the result: " .. tostring(message))
end

-- Prints data as the options say.
function M.print(data, options, is_list)
  local encode = require("polytomic.cli.json").encode
  local pretty = not options.raw and terminal.is_terminal(STDOUT)
  return M.put(encode(data, { pretty = pretty, array = is_list }) .. "\n")
end

return M
