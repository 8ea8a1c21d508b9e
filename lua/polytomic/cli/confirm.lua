-- Asks at a terminal before something is deleted.

local interrupt = require "polytomic.cli.interrupt"
local terminal = require "polytomic.terminal"

local M = {}

-- Whether somebody agrees, or nobody can be asked: without a terminal a script knows what it does.
function M.ask(subject)
  if not (terminal.is_terminal(0) and terminal.is_terminal(2)) then return true end
  io.stderr:write(terminal.line(subject), "\nThis deletes it. Go on? [y/N] ")
  io.stderr:flush()
  interrupt.await_input()
  local answer = (io.stdin:read "*l" or ""):lower()
  return answer == "y" or answer == "yes"
end

return M
