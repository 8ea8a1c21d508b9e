-- The options of the command `polytomic`, read by argparse.

local M = {}

local DESCRIPTION = [[
Calls the Polytomic API.

  polytomic create_org name=Acme             runs an operation and prints its result as JSON
  polytomic operations                       lists the operations
  polytomic help create_org                  describes one
  polytomic doctor                           checks keys, connection and versions
  polytomic sandbox                          starts a local emulator of the API

An argument is name=value, name:=JSON, name=@FILE (the text of a file) or name=- (standard input). Lists are separated
by commas or given repeatedly.]]

local EPILOG = [[
Keys come from POLYTOMIC_API_KEY, POLYTOMIC_PARTNER_KEY and POLYTOMIC_DEPLOYMENT_KEY or from --key-file, never from an
argument.

Exit status: 0 done, 2 usage, 3 invalid or unconfigured, 4 refused by the server, 5 it is not known whether a change was
carried out, 6 network.]]

local function seconds(text)
  local number = tonumber(text)
  return number, number == nil and "not a number of seconds: " .. text or nil
end

local function count(text)
  local number = text:find("^%d+$") and tonumber(text)
  if number then return number end
  return nil, "not a count: " .. text
end

local function port(text)
  local number = count(text)
  if number and number <= 65535 then return number end
  return nil, "not a port: " .. text
end

-- The parser of `polytomic OPERATION name=value…` and of the commands that take the same options.
function M.calls(argparse, version)
  local parser = argparse("polytomic", DESCRIPTION, EPILOG)
  parser:argument("operation", "an operation of the API, or a command"):args("?")
  parser:argument("arguments", "name=value…"):args("*")
  parser
    :option("--key-file", "a file with lines POLYTOMIC_…=… or a partner key alone")
    :argname("FILE")
  parser:option("--base-url", "the API's address"):argname("URL")
  parser:option("--organization", "act within this organization"):argname("UUID")
  parser
    :option("--timeout", "for the whole call, retries included")
    :argname("SECONDS")
    :convert(seconds)
  parser:option("--retries", "attempts after the first"):argname("N"):convert(count)
  parser:option("--idempotency-key", "repeats an earlier call safely"):argname("KEY")
  parser:option("--api-version", "the version of the API"):argname("DATE")
  parser:option("--ca-file", "certificate authorities to trust, PEM"):argname("FILE")
  parser:flag("--raw", "print JSON on one line, on a terminal too")
  parser:flag("--curl", "after a failure, print a curl command that repeats the request")
  parser:flag("--version", "print the version"):action(function()
    print(version)
    os.exit(0)
  end)
  return parser
end

-- The parser of `polytomic sandbox`.
function M.sandbox(argparse)
  local parser = argparse("polytomic sandbox", "Starts a local emulator of the API, and prints where it is.",
    "polytomic help sandbox: its rules, its faults, and what it assumes.")
  parser:option("--port", "0 for any free one"):argname("N"):convert(port):default("0")
  parser:option("--host", "the address to listen at"):default("127.0.0.1")
  parser:flag("--tls", "speak TLS, with a certificate made for the occasion")
  return parser
end

return M
