-- Ctrl-C on the command line: knows which call was under way, ends it, and says what is known of
-- it.
--
-- The hosts `lua` and `luajit` answer SIGINT with a hook that raises "interrupted!" at the next
-- instruction of Lua. Calls wait in short steps, so that it comes soon.

local M = {}

local STEP = 0.1 -- seconds, the longest wait without an instruction of Lua

local current -- the call, or the batch, that is waited for

-- The option `wait` of the command's clients.
function M.wait(client, call)
  current = call
  client:step(STEP)
end

-- Whether an error is that of the host's hook.
function M.is_interrupt(problem)
  return type(problem) == "string" and problem:find "interrupted!$" ~= nil
end

-- Waits until something can be read from standard input: reading itself would not notice Ctrl-C.
function M.await_input()
  local readable = require("polytomic.core").readable
  while not readable(0, STEP) do end
end

-- Ends the call that was under way; returns its error where it is known, or nil.
function M.cancel()
  local call = current
  current = nil
  if not call then return nil end
  if type(call) == "table" then
    call:cancel()
    return nil
  end
  if call:done() then return nil end
  call:cancel()
  local _, _, err = call:result()
  return err
end

return M
