-- `polytomic sandbox`: starts the local emulator of the API.

local convert = require("polytomic.cli.options").convert
local report = require "polytomic.cli.report"

local OPTIONS = {
  { "--port", "N", "0 for any free one, the default", convert = convert.port },
  { "--host", "ADDRESS", "where to listen, 127.0.0.1 unless given" },
  { "--tls", false, "speak TLS, with a certificate made for the occasion" },
  { "--partner-key", "KEY", "the partner key to accept, a new one unless given" },
  { "--state", "FILE", "keep in this file what it holds, from one start to the next" },
  { "--background", false, "return at once; prints lines for eval \"$(…)\"" },
  { "--stop", false, "stop the one in the background ($POLYTOMIC_SANDBOX_PID)" },
  {
    "--allow-host", "NAME", "answer requests to this host name too; may be repeated",
    repeated = true,
  },
  { "--show-keys", false, "do not mask keys in /_sandbox/requests" },
}

local function put(text)
  return require("polytomic.cli.output").put(text)
end

local function fail(message, advice)
  return report.problem(report.FAILURE, message, advice)
end

-- ---- in the background ----

local function start(settings)
  local ready, message = require("polytomic.sandbox.background").start(settings)
  if not ready then return fail("the sandbox did not start: " .. message) end
  local lines = require("polytomic.sandbox.people").exports(ready)
  -- A user's own key would go before the sandbox's.
  if os.getenv "POLYTOMIC_API_KEY" then lines[#lines + 1] = "unset POLYTOMIC_API_KEY" end
  lines[#lines + 1] = "export POLYTOMIC_SANDBOX_PID=" .. ready.pid
  local status = put(table.concat(lines, "\n") .. "\n")
  if status ~= report.OK then -- nobody could stop it
    require("polytomic.sandbox.background").stop(ready.pid)
  end
  return status
end

local function stop()
  local pid = tonumber((os.getenv "POLYTOMIC_SANDBOX_PID" or ""):match "^%s*(%d+)%s*$")
  if not pid then
    return fail("no sandbox is known: POLYTOMIC_SANDBOX_PID is not set",
      'eval "$(polytomic sandbox --background)" starts one and sets it')
  end
  local ok, message = require("polytomic.sandbox.background").stop(pid)
  if not ok then return fail(message) end
  return report.OK
end

-- ---- the command ----

local function run(context)
  local options = context.options
  if options.stop then return stop() end
  local settings = {
    port = options.port or 0,
    host = options.host or "127.0.0.1",
    tls = options.tls or false,
    partner_key = options.partner_key,
    state = options.state,
    show_keys = options.show_keys or false,
    allow_host = options.allow_host,
  }
  if options.partner_key and not options.partner_key:find "^[%w_%-]+$" then
    return context:usage "--partner-key takes letters, digits, dashes and underscores"
  end
  if options.background then return start(settings) end
  require("polytomic.sandbox").run(settings)
  return report.OK
end

return {
  sandbox = {
    details = "On a terminal it says what to do and prints a line for each request; elsewhere one "
      .. "line of JSON says where it is. polytomic help sandbox has its rules and faults as well.",
    more = function() return require("polytomic.sandbox").help() end,
    options = OPTIONS,
    groups = { "general" },
    run = run,
  },
}
