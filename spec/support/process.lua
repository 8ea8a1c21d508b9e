-- Child processes for specs, started and supervised through the shell: none outlives the specs that
-- started it.
--
-- Every child has a supervisor, a small shell script that holds one end of a pipe to this process.
-- It ends the child when it is told to or when the pipe breaks, so children go away even where this
-- process is killed. Each child runs under coreutils `timeout` in a process group of its own:
-- SIGTERM first, SIGKILL two seconds later, an end after `lifetime` in any case; what it leaves of
-- its group is killed with it. Supervisors are in sessions of their own, out of the reach of such a
-- kill. Environments go through files readable by the owner alone, never through a command line.

local M = {}

local GRACE = 2        -- seconds between SIGTERM and SIGKILL
local LIFETIME = 900   -- seconds a child may live
local PATIENCE = 10    -- seconds a child may take to print its first line

-- busted loads modules anew for every spec file, so what belongs to the whole process lives in the
-- registry: running children by number, `count` of file names given out, `directory` and its
-- `janitor` (the pipe whose end makes a shell remove it), and the values of `shared`.
local REGISTRY_KEY = "polytomic.spec.process"
local registry = debug.getregistry()
local state = registry[REGISTRY_KEY] or { started = {}, count = 0, shared = {} }
registry[REGISTRY_KEY] = state

-- Quotes one word for the shell.
function M.quote(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

local quote = M.quote

-- The bytes of a file, or nil where there is none.
function M.contents(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("*a")
  file:close()
  return text
end

local contents = M.contents

-- Writes a file anew.
function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- A temporary directory of this process, for its owner alone; it goes away when this process ends,
-- however it ends.
function M.directory()
  if not state.directory then
    local pipe = assert(io.popen("mktemp -d", "r"))
    state.directory = assert(pipe:read("*l"), "mktemp made no directory")
    pipe:close()
    local script = "read line; while ! rm -rf "
      .. quote(state.directory)
      .. "; do :; done 2>/dev/null"
    state.janitor = assert(io.popen("exec setsid sh -c " .. quote(script), "w"))
  end
  return state.directory
end

local function next_files(...)
  state.count = state.count + 1
  local base = M.directory() .. "/" .. state.count
  local files = {}
  for _, name in ipairs { ... } do files[name] = base .. "." .. name end
  return files, state.count
end

-- The path of a new temporary file, holding `text` where it is given; its name ends as asked.
function M.temporary_file(text, extension)
  extension = extension or "tmp"
  local path = next_files(extension)[extension]
  if text then M.write(path, text) end
  return path
end

-- The interpreter that runs this process, as it was called.
function M.interpreter()
  local index = 0
  while arg and arg[index - 1] do index = index - 1 end
  assert(index < 0, "the interpreter is unknown: there is no arg[-1]")
  return arg[index]
end

-- The environment that makes a child Lua find the modules this one finds, with `extra` on top
-- (`false` unsets a name).
function M.environment(extra)
  local environment = { LUA_PATH = package.path, LUA_CPATH = package.cpath, LUA_INIT = false }
  for _, version in ipairs { "5_2", "5_3", "5_4", "5_5" } do
    environment["LUA_PATH_" .. version] = false
    environment["LUA_CPATH_" .. version] = false
    environment["LUA_INIT_" .. version] = false
  end
  for name, value in pairs(extra or {}) do environment[name] = value end
  return environment
end

-- The shell lines that set an environment and become the command (an array of words, or one string
-- of shell).
local function command_script(command, options)
  local lines = {}
  if options.directory then lines[1] = "cd " .. quote(options.directory) .. " || exit 125" end
  for name, value in pairs(options.env or {}) do
    assert(type(name) == "string" and name:find("^[%a_][%w_]*$"), "a bad name in the environment")
    lines[#lines + 1] = value and "export " .. name .. "=" .. quote(value) or "unset " .. name
  end
  if type(command) == "table" then
    local words = {}
    for index, word in ipairs(command) do words[index] = quote(word) end
    command = table.concat(words, " ")
  end
  lines[#lines + 1] = "exec " .. command .. "\n"
  return table.concat(lines, "\n")
end

-- Runs a command to its end; returns its exit status (128 + n for signal n, 124 past `timeout`
-- seconds), its output and its errors. Options: `stdin` (bytes), `env` (see `environment`),
-- `timeout` (default 30), `directory`.
function M.run(command, options)
  options = options or {}
  local files = next_files("cmd", "in", "out", "err")
  M.write(files["in"], options.stdin or "")
  M.write(files.cmd, command_script(command, options))
  local line = ("timeout -k %d %s sh %s <%s >%s 2>%s; echo $?"):format(
    GRACE, tostring(options.timeout or 30), quote(files.cmd), quote(files["in"]), quote(files.out),
    quote(files.err))
  local pipe = assert(io.popen(line, "r"))
  local status = tonumber(pipe:read("*l"))
  pipe:close()
  local out, err = contents(files.out), contents(files.err)
  for _, path in pairs(files) do os.remove(path) end
  return status, out, err
end

-- What a supervisor runs. LINES carries the standard output of the child: its process id, then what
-- the command prints. While the job runs a reader waits for the word to stop; afterwards the
-- supervisor does, so that no pipe breaks under its parent.
local SUPERVISOR = [[
exec 3<&0 </dev/null >/dev/null 2>&1 8<>EXIT
(
  trap '' PIPE
  exec 9>READY
  IFS= read -r pid
  printf '%s\n' "$pid" >&9
  RELAY
) <LINES 3<&- 8>&- &
timeout -k GRACE LIFETIME sh CMD >LINES 3<&- 8>&- &
job=$!
( read word; kill -TERM $job ) <&3 8>&- &
reader=$!
wait $job
code=$?
kill -KILL -$job
echo $code >STATUS
echo $code >&8
kill -KILL $reader
wait $reader || read word <&3
wait
]]

local RELAY_ALL = "exec cat >OUT"

local RELAY_FIRST_LINE = [[
if line=$(timeout PATIENCE sh -c \
  'IFS= read -r text || [ -n "$text" ] && printf "%s\n" "$text"'); then
    printf '%s\n' "$line" >OUT
    printf '%s\n' "$line" >&9
  fi
  exec 9>&-
  exec cat >>OUT]]

local function supervisor_script(files, options)
  local values = {
    GRACE = GRACE,
    LIFETIME = options.lifetime or LIFETIME,
    PATIENCE = options.patience or PATIENCE,
  }
  for name, path in pairs(files) do values[name:upper()] = quote(path) end
  local script = SUPERVISOR:gsub("RELAY", function()
    return options.first_line and RELAY_FIRST_LINE or RELAY_ALL
  end)
  return (script:gsub("%u%u%u+", values))
end

local child = {}
child.__index = child

-- Whether the child still runs.
function child:alive()
  return self.code == nil and not contents(self.files.status)
end

-- Waits at most `seconds` (default 10) for the child to end by itself; returns its exit status, or
-- nil when it still runs.
function child:wait(seconds)
  if self.code == nil then
    local pipe = assert(
      io.popen(("timeout %s head -n 1 %s"):format(tostring(seconds or 10), quote(self.files.exit)),
        "r")
    )
    self.code = tonumber(pipe:read("*l"))
    pipe:close()
  end
  return self.code
end

-- Sends the child a signal by name ("HUP", "KILL", …).
function child:signal(name)
  if self:alive() then os.execute(("kill -%s %d"):format(name, self.pid)) end
end

-- Ends the child, politely first, and returns its exit status; may be called again.
function child:stop()
  if self.pipe then
    self.pipe:write("stop\n")
    self.pipe:close()
    self.pipe = nil
    state.started[self.number] = nil
    self.code = self.code or tonumber(contents(self.files.status) or "")
  end
  return self.code
end

-- What the child has written so far: standard output and standard error.
function child:output()
  return contents(self.files.out) or "", contents(self.files.err) or ""
end

-- Reads the process id and, where it is asked for, the first line; blocks until they are there or
-- the child is gone.
local function greet(self, options)
  local ready = assert(io.open(self.files.ready, "r"))
  self.pid = tonumber(ready:read("*l") or "")
  if options.first_line then self.first_line = ready:read("*l") end
  ready:close()
  if self.pid and (self.first_line or not options.first_line) then return end
  self:stop()
  local _, err = self:output()
  error("the process printed no first line (status " .. tostring(self.code) .. "): " .. err, 3)
end

-- Starts a command (an array of words, or one string of shell) and returns the child once it has
-- printed its first line, kept in `first_line`; its process id is in `pid`. Raises where no line
-- comes.
-- Options: `first_line = false` not to wait for a line, `patience` seconds to wait for it, `env`,
-- `directory`, `lifetime` seconds.
function M.start(command, options)
  options = options or {}
  local settings = {
    first_line = options.first_line ~= false,
    patience = options.patience,
    lifetime = options.lifetime,
  }
  local files, number = next_files("cmd", "sh", "lines", "status", "exit", "ready", "out", "err")
  M.write(files.cmd,
    "exec 2>" .. quote(files.err) .. "; echo $$\n" .. command_script(command, options))
  M.write(files.sh, supervisor_script(files, settings))
  os.execute(("mkfifo %s %s %s"):format(quote(files.exit), quote(files.ready), quote(files.lines)))
  local self = setmetatable({ files = files, number = number }, child)
  self.pipe = assert(io.popen("exec setsid sh " .. quote(files.sh), "w"))
  state.started[number] = self
  greet(self, settings)
  return self
end

-- Starts a Lua script of this tree with the running interpreter and its module paths.
function M.start_lua(words, options)
  options = options or {}
  local command = { M.interpreter() }
  for _, word in ipairs(words) do command[#command + 1] = word end
  local copy = {}
  for name, value in pairs(options) do copy[name] = value end
  copy.env = M.environment(options.env)
  return M.start(command, copy)
end

-- Stops every child that still runs.
function M.stop_all()
  local running = {}
  for _, one in pairs(state.started) do running[#running + 1] = one end
  for _, one in ipairs(running) do one:stop() end
end

-- One value per process under `key`, made by `make` on first use; `valid(value)`, where given,
-- decides whether it is made again.
function M.shared(key, make, valid)
  local value = state.shared[key]
  if value == nil or valid and not valid(value) then
    value = make()
    state.shared[key] = value
  end
  return value
end

return M
