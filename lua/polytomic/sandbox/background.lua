-- The sandbox in the background of a shell: started so that it outlives the command, and stopped by
-- its process id.

local child = require "polytomic.sandbox.child"
local json = require "polytomic.json_text"
local process = require "polytomic.process"
local quote = require("polytomic.quoting").shell

local M = {}

local PATIENCE = 10 -- seconds

local function contents(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text or ""
end

-- The first line that comes, from a process that stays: its output is a file, which is looked at
-- until it has one.
local SCRIPT = [[
output=$1 errors=$2 program=$3; shift 3
unset POLYTOMIC_SANDBOX_PARENT
export POLYTOMIC_SANDBOX_BACKGROUND=1
trap '' HUP
setsid=$(command -v setsid)
$setsid "$@" - <"$program" >"$output" 2>"$errors" &
echo $!
]]

-- Starts a sandbox with the options of sandbox.run. Returns { url, partner_key, …, pid }; or nil
-- and a message.
function M.start(options)
  local program = child.write_program(options)
  local output, errors = os.tmpname(), os.tmpname()
  local words = { quote(output), quote(errors), quote(program), quote(child.interpreter()) }
  local pipe = io.popen("sh -c " .. quote(SCRIPT) .. " sh " .. table.concat(words, " "), "r")
  local pid = tonumber(pipe:read "*l")
  pipe:close()
  local core = require "polytomic.core"
  local deadline = core.now() + PATIENCE
  local line
  repeat
    core.readable(-1, 0.01)
    line = contents(output):match "^([^\n]*)\n"
    local alive = M.is_running(pid)
  until line or not alive or core.now() > deadline
  line = line or contents(output):match "^([^\n]*)\n"
  local complaint = contents(errors):gsub("^polytomic sandbox: ", ""):match "^[^\n]*"
  for _, path in ipairs { program, output, errors } do os.remove(path) end
  local ready = line and json.decode(line)
  if type(ready) ~= "table" then
    return nil, complaint ~= "" and complaint or "the sandbox did not start"
  end
  ready.pid = pid
  return ready
end

-- Whether a process is there and has not ended: in a container there may be nobody who asks for the
-- status of one that has.
function M.is_running(pid)
  local ok = os.execute(("kill -0 %d 2>/dev/null"):format(pid))
  return (ok == true or ok == 0) and (not process.find() or process.find(pid) ~= nil)
end

-- Whether the process is a sandbox, as far as the system tells: a process id may have been given to
-- another program meanwhile.
local function is_sandbox(pid)
  local command = contents("/proc/" .. pid .. "/environ")
  return command == "" or command:find("POLYTOMIC_SANDBOX_BACKGROUND=1", 1, true) ~= nil
end

-- What a process has written to standard error: a function that reads it, also once the process is
-- gone and though the file has no name any more. Where the system has no /proc it reads nothing.
local function reader_of_errors(pid)
  local file = io.open("/proc/" .. pid .. "/fd/2", "rb")
  return function()
    local text = file and file:read "*a" or ""
    if file then file:close() end
    return text
  end
end

-- Stops the sandbox of a process id and waits until it is gone. True; or nil and a message, also
-- where it ended without writing what it held.
function M.stop(pid)
  if not M.is_running(pid) or not is_sandbox(pid) then
    return nil, ("no sandbox runs as process %d"):format(pid)
  end
  local errors = reader_of_errors(pid)
  os.execute(("kill -TERM %d 2>/dev/null"):format(pid))
  local core = require "polytomic.core"
  local deadline = core.now() + PATIENCE
  while M.is_running(pid) do
    if core.now() > deadline then return nil, ("process %d does not end"):format(pid) end
    core.readable(-1, 0.01)
  end
  local last = errors():match "([^\n]*)\n$"
  local complaint = last and last:match "^polytomic sandbox: (cannot write .*)$"
  if complaint then return nil, "the sandbox stopped, and what it held is lost: " .. complaint end
  return true
end

return M
