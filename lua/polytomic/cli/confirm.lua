-- Asks at a terminal before something is deleted, or much is changed.

local interrupt = require "polytomic.cli.interrupt"
local terminal = require "polytomic.terminal"

local M = {}

-- Whether somebody at the terminal answers a question with yes.
function M.agree(question)
  io.stderr:write(question)
  io.stderr:flush()
  interrupt.await_input()
  local answer = (io.stdin:read "*l" or ""):lower()
  return answer == "y" or answer == "yes"
end

-- Whether somebody agrees, or nobody can be asked: without a terminal a script knows what it does.
function M.ask(subject)
  if not (terminal.is_terminal(0) and terminal.is_terminal(2)) then return true end
  return M.agree(terminal.line(subject) .. "\nThis deletes it. Go on? [y/N] ")
end

return M
