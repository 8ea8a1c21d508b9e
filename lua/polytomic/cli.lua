-- The command `polytomic`: runs one operation, or one of the commands around them, and ends the
-- process with a status that tells what happened.

local arguments = require "polytomic.cli.arguments"
local describe = require "polytomic.cli.describe"
local files = require "polytomic.cli.files"
local parsers = require "polytomic.cli.parser"
local report = require "polytomic.cli.report"

local M = {}

local function usage(message, advice)
  return report.problem(report.USAGE, message, advice or "polytomic --help says how it is used")
end

local function operation_named(polytomic, name)
  for _, operation in ipairs(polytomic.operations) do
    if operation.name == name then return operation end
  end
end

local function unknown_operation(name)
  local nearest = require("polytomic.core").nearest(name)
  return usage("unknown operation '" .. name .. "'" .. (nearest and ", did you mean '" .. nearest .. "'?" or ""),
    "polytomic operations lists them all")
end

local STDOUT = 1 -- its descriptor

-- Writes to standard output, or says that it could not: a result may be a key that is shown only
-- once.
local function put(text)
  local ok, message = io.stdout:write(text)
  if ok then ok, message = io.stdout:flush() end
  if not ok then
    return report.problem(report.FAILURE, "cannot write the result: " .. tostring(message))
  end
  return report.OK
end

-- The options of polytomic.new that the command line gives; or nil, a message and a hint.
local function client_options(given)
  local options = {}
  if given.key_file then
    local keys, message, advice = files.read_keys(given.key_file)
    if not keys then return nil, message, advice end
    options = keys
  end
  options.base_url = given.base_url or options.base_url
  options.organization, options.ca_file = given.organization, given.ca_file
  options.timeout, options.retries, options.version =
    given.timeout, given.retries, given.api_version
  return options
end

local function print_result(operation, data, raw)
  local encode = require("polytomic.cli.json").encode
  local array = operation.pages ~= nil and operation.pages.items_field == "data"
  local pretty = not raw and require("polytomic.core").is_terminal(STDOUT)
  return put(encode(data, { pretty = pretty, array = array }) .. "\n")
end

-- Raises on a setting that no client takes.
local function run_operation(polytomic, name, options, values, idempotency_key)
  local client = polytomic.new(options)
  return client[name](client, values, { idempotency_key = idempotency_key })
end

local function call(polytomic, name, words, given)
  local operation = operation_named(polytomic, name)
  if not operation then return unknown_operation(name) end
  local values, problem = arguments.read(operation, words)
  if not values then return usage(problem, "polytomic help " .. name .. " lists its arguments") end
  local options, message, advice = client_options(given)
  if not options then return usage(message, advice) end
  local ok, data, text, response =
    pcall(run_operation, polytomic, name, options, values, given.idempotency_key)
  if not ok then return usage(report.without_position(data)) end
  if data == nil then return report.failed_call(operation, text, response, given.curl) end
  return print_result(operation, data, given.raw)
end

local commands = {}

local function surplus(word)
  return usage("'" .. word .. "' is one argument too many")
end

function commands.operations(polytomic, words)
  if words[1] then return surplus(words[1]) end
  return put(describe.operations(polytomic.operations))
end

function commands.help(polytomic, words, _, parser)
  local name = words[1]
  if words[2] then return surplus(words[2]) end
  if not name then return put(parser:get_help() .. "\n") end
  if name == "sandbox" then return put(require("polytomic.sandbox").help()) end
  if commands[name] then return put(parser:get_help() .. "\n") end
  local operation = operation_named(polytomic, name)
  if not operation then return unknown_operation(name) end
  return put(describe.operation(operation))
end

function commands.doctor(polytomic, words, given)
  if words[1] then return surplus(words[1]) end
  local options, message, advice = client_options(given)
  if not options then return usage(message, advice) end
  return require("polytomic.cli.doctor").run(polytomic, options)
end

local function run_sandbox(argparse, words)
  local rest = {}
  for i = 2, #words do rest[i - 1] = words[i] end
  local ok, options = parsers.sandbox(argparse):pparse(rest)
  if not ok then return usage(options, "polytomic sandbox --help says how it is used") end
  require("polytomic.sandbox").run {
    port = options.port,
    host = options.host,
    tls = options.tls or false,
  }
  return report.OK
end

-- The name of a key that the words would give, or nil.
local function key_among(words)
  for _, word in ipairs(words) do
    local name = arguments.key_in(word)
    if name then return name end
  end
end

-- Runs the command with the words of a command line and returns its exit status.
function M.run(words)
  local found, argparse = pcall(require, "argparse")
  if not found then
    return usage(
      "the command needs argparse",
      "install the Debian package lua-argparse or the rock argparse"
    )
  end
  local key = key_among(words)
  if key then
    return usage("a key is never given as an argument: others can see it",
      "set POLYTOMIC_" .. key:upper() .. ", or give a file with --key-file")
  end
  if words[1] == "sandbox" then return run_sandbox(argparse, words) end
  local polytomic = require "polytomic"
  local parser = parsers.calls(argparse, polytomic._VERSION)
  local ok, given = parser:pparse(words)
  if not ok then return usage(given) end
  if not given.operation then return usage("no operation is named") end
  local command = commands[given.operation]
  if command then return command(polytomic, given.arguments, given, parser) end
  return call(polytomic, given.operation, given.arguments, given)
end

-- Runs the command and ends the process.
function M.main(words)
  os.exit(M.run(words), true)
end

return M
