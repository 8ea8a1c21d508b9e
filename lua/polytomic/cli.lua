-- The command `polytomic`: runs one operation, or one of the commands around them, and ends the
-- process with a status that says what happened.

local commands = require "polytomic.cli.commands"
local report = require "polytomic.cli.report"

local M = {}

local function usage(message, advice)
  return report.problem(report.USAGE, message, advice or "polytomic --help says how it is used")
end

-- ---- what is not there ----

local PACKAGES = {
  argparse = "the Debian package lua-argparse or the rock argparse",
  cjson = "the Debian package lua-cjson or the rock lua-cjson",
}

-- Reports a module that the command needs and that is not installed; nil where it is another error.
local function missing_module(problem)
  local name = type(problem) == "string" and problem:match "module '([%w_%.%-]+)' not found"
  if not name then return nil end
  local rock = name:match "^%w+"
  if PACKAGES[rock] then
    return report.problem(report.FAILURE,
      ("the command needs %s: install %s"):format(rock, PACKAGES[rock]))
  end
  return report.problem(report.FAILURE, "the module " .. name .. " is not found",
    name:find "^polytomic" and "the installation is incomplete: install it again" or nil)
end

-- ---- finding what to run ----

-- Reports a name that is neither an operation nor a command; returns the exit status.
function M.unknown(name)
  local suggest = require "polytomic.cli.suggest"
  local nearest, holding = suggest.nearest(name, require("polytomic").operations)
  local message = ("unknown operation or command '%s'%s"):format(name,
    require("polytomic.usage").meant(nearest))
  if holding and holding > 0 then
    return usage(message,
      "polytomic operations " .. name .. " lists " .. holding .. " with that word")
  end
  return usage(message, "polytomic operations lists them all")
end

-- The command or operation of a name, or nil.
function M.command(name)
  local command = commands.find(name)
  if command then return command end
  local operation = require("polytomic.core").describe(name)
  return operation and require("polytomic.cli.commands.operation").command(operation)
end

-- The same; or nil and the exit status of the problem, which has been reported.
function M.find(name)
  local command = M.command(name)
  if command then return command end
  return nil, M.unknown(name)
end

-- The help of a command or an operation.
function M.help_of(command)
  if command.help then return command.help() end
  if command.operation then
    return require("polytomic.cli.describe").operation(command)
  end
  return require("polytomic.cli.help").command(command)
end

-- ---- reading the command line ----

-- The name of a key that the words would give, or nil.
local function key_among(words)
  local key_in = require("polytomic.cli.arguments").key_in
  for _, word in ipairs(words) do
    local name = key_in(word)
    if name then return name end
  end
end

local function has(words, ...)
  for _, word in ipairs(words) do
    if word == "--" then return false end
    for i = 1, select("#", ...) do
      if word == select(i, ...) then return true end
    end
  end
  return false
end

-- Where an unknown option is the name of one of the operation's arguments: how it is given.
local function advice_for(command, message, words)
  local option = message:match "unknown option '(%-%-[%w_%-]+)'"
  local name = option and option:sub(3):gsub("%-", "_")
  for _, field in ipairs(name and command.operation and command.operation.arguments or {}) do
    if field.name == name then
      local value = "…"
      for _, word in ipairs(words) do
        if word:sub(1, #option + 1) == option .. "=" then value = word:sub(#option + 2) end
      end
      return "write " .. name .. "=" .. value .. ": arguments have no dashes"
    end
  end
  return report.see_help(command.name)
end

-- A message for words that are too many or too few, or nil.
local function complaint(command, words)
  local least, most = 0, 0
  for _, argument in ipairs(command.arguments or {}) do
    if not argument.optional then least = least + 1 end
    most = argument.many and math.huge or most + 1
  end
  if #words > most then return "'" .. words[most + 1] .. "' is one argument too many" end
  if #words < least then
    return command.name .. " needs " .. command.arguments[#words + 1][1]
  end
end

local function read(name, words)
  local command, status = M.find(name)
  if not command then return nil, status end
  local argparse = require "argparse"
  local given, message = require("polytomic.cli.parser").read(argparse, name, command, words)
  if not given then return nil, usage(message, advice_for(command, message, words)) end
  message = complaint(command, given.words)
  if message then return nil, usage(message, advice_for(command, message, words)) end
  return require("polytomic.cli.context").new(command, given.words, given)
end

local function put(text)
  return require("polytomic.cli.output").put(text)
end

local function version()
  return "polytomic " .. require "polytomic.version" .. "\n"
end

local function dispatch(words, running)
  local at = require("polytomic.cli.parser").position_of_command(words)
  local name = at and words[at]
  if not name then
    if has(words, "--version") then return put(version()) end
    if has(words, "--help", "-h") then return put(require("polytomic.cli.help").general()) end
    return usage(require("polytomic.cli.parser").unknown_option(words) or "no operation is named")
  end
  local key = key_among(words)
  if key and name ~= "sandbox" then
    return usage("a key is never given as an argument: others can see it",
      "set POLYTOMIC_" .. key:upper() .. ", or give a file with --key-file")
  end
  if has(words, "--version") then return put(version()) end
  if has(words, "--help", "-h") then
    local command, status = M.find(name)
    return command and put(M.help_of(command)) or status
  end
  -- The value of an unknown option would be taken for the name.
  local unknown = require("polytomic.cli.parser").unknown_option(words, at)
  if unknown then
    return usage(unknown, "polytomic --help says how it is used; options of a single command come "
      .. "after its name")
  end
  local rest = {}
  for i, word in ipairs(words) do
    if i ~= at then rest[#rest + 1] = word end
  end
  local context, status = read(name, rest)
  if not context then return status end
  running.context = context
  return context.command.run(context)
end

-- ---- ending ----

local function interrupted(context)
  local err = require("polytomic.cli.interrupt").cancel()
  local command = context and context.command
  return report.interrupted(err, command and command.interrupted and command.interrupted(context))
end

-- Runs the command with the words of a command line and returns its exit status. Whatever happens
-- is one line on standard error, never a traceback.
function M.run(words)
  local running = {}
  local ok, status = pcall(dispatch, words, running)
  if ok then return status end
  if require("polytomic.cli.interrupt").is_interrupt(status) then
    return interrupted(running.context)
  end
  if report.is_lack_of_memory(status) then
    return report.problem(report.FAILURE, "not enough memory")
  end
  return missing_module(status)
    or report.problem(report.FAILURE, "this is a defect of the command: " .. tostring(status))
end

-- Runs the command and ends the process.
function M.main(words)
  os.exit(M.run(words), true)
end

return M
