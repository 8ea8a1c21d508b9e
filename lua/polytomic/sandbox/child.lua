-- Starts the sandbox in a child process with the same Lua interpreter, and stops it again.

local json = require "polytomic.json_text"
local quote = require("polytomic.quoting").shell

local M = {}

local Process = {}
Process.__index = Process

-- Arranges for the process to be stopped when the object is collected: closing the pipe of a child
-- that still runs would wait for it for ever. Tables have no __gc on Lua 5.1 and LuaJIT; a proxy
-- made after the pipe goes before it.
local function stop_when_collected(process)
  local newproxy = rawget(_G, "newproxy")
  if not newproxy then return end
  process.guard = newproxy(true)
  getmetatable(process.guard).__gc = function() process:stop() end
end

-- The command that runs this very interpreter, as far as it can be known.
function M.interpreter()
  local arguments = rawget(_G, "arg")
  local lowest = 0
  while arguments and arguments[lowest - 1] do lowest = lowest - 1 end
  if lowest < 0 then return arguments[lowest] end
  if rawget(_G, "jit") then return "luajit" end
  return (_VERSION:lower():gsub(" ", ""))
end

local literal

local function list_literal(list)
  local texts = {}
  for i, value in ipairs(list) do texts[i] = literal(value) end
  return "{ " .. table.concat(texts, ", ") .. " }"
end

function literal(value)
  if type(value) == "table" then return list_literal(value) end
  if type(value) ~= "string" then return json.encode(value) end
  return (string.format("%q", value):gsub("\\\n", "\\n"))
end

-- The program of the child: this process's search paths, then the sandbox. Keys may be in the
-- options, so the program goes through standard input, not the command line.
local function program(options)
  local fields = {}
  for name, value in pairs(options) do fields[#fields + 1] = name .. " = " .. literal(value) end
  fields[#fields + 1] = 'parent = tonumber(os.getenv("POLYTOMIC_SANDBOX_PARENT"))'
  return "package.path = " .. literal(package.path)
    .. "\npackage.cpath = " .. literal(package.cpath)
    .. '\nrequire("polytomic.sandbox").run { ' .. table.concat(fields, ", ") .. " }\n"
end

-- The path of a file with this text, for its owner alone as temporary files are. The caller removes
-- it.
function M.temporary_file(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
  return path
end

-- Such a file with that program.
function M.write_program(options)
  return M.temporary_file(program(options))
end

-- What the child said instead of its line of JSON.
local function failure(line, rest)
  local message = (line or "") .. (rest ~= "" and "\n" .. rest or "")
  message = message:gsub("^polytomic sandbox: ", ""):gsub("%s+$", "")
  return message ~= "" and message or "the sandbox did not start"
end

-- Starts a child with the options of sandbox.run. Returns an object with url, partner_key,
-- deployment_key, ca_file, pid and stop(); or nil and a message.
function M.start(options)
  local path = M.write_program(options)
  local output = assert(io.popen("echo $$; POLYTOMIC_SANDBOX_PARENT=$PPID exec "
    .. quote(M.interpreter()) .. " - <" .. quote(path) .. " 2>&1", "r"))
  local pid = tonumber(output:read("*l"))
  local line = output:read("*l")
  os.remove(path)
  local ready = line and json.decode(line)
  if type(ready) ~= "table" then
    local rest = output:read("*a")
    output:close()
    return nil, failure(line, rest)
  end
  ready.pid, ready.output = pid, output
  stop_when_collected(setmetatable(ready, Process))
  return ready
end

-- Stops the child and waits until it is gone. Returns true; or nil and what it complained of while
-- it ran. A second call does nothing.
function Process:stop()
  if not self.output then return true end
  os.execute("kill -TERM " .. self.pid .. " 2>/dev/null")
  local complaint = self.output:read("*a")
  self.output:close()
  self.output = nil
  if complaint ~= "" then return nil, complaint end
  return true
end

function Process:__gc()
  self:stop()
end

return M
