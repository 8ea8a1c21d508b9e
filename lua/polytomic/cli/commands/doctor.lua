-- `polytomic doctor`: prints what client:check finds, a line for each part.

local report = require "polytomic.cli.report"
local terminal = require "polytomic.terminal"

local TITLES = {
  api_key = "user key",
  partner_key = "partner key",
  deployment_key = "deployment key",
}

local written -- the exit status of writing the lines

-- Prints a line, unless one before could not be written, which has been reported.
local function line(good, subject, text)
  if written ~= report.OK then return end
  text = terminal.line(report.translate(text))
  local paint = terminal.painter(1)
  local mark = good and paint("ok", "green") .. "    " or paint("FAIL", "red") .. "  "
  written = require("polytomic.cli.output").put(mark .. subject .. ": " .. text .. "\n")
end

local function print_versions(version, libcurl)
  local jit = rawget(_G, "jit")
  local lua = jit and jit.version or _VERSION
  local cjson = require("cjson")._VERSION or "?"
  line(true, "versions", ("%s, %s, libcurl %s, lua-cjson %s"):format(version, lua, libcurl, cjson))
end

-- Whose key it is, as far as the server says so with a text.
local function owner(identity)
  for _, name in ipairs { "email", "organization_name", "name" } do
    local text = identity and identity[name]
    if type(text) == "string" and text ~= "" then return ", belongs to " .. text end
  end
  return ""
end

local function print_connection(found, ca_file)
  local connection = found.connection
  if not connection.ok then return line(false, "connection", connection.message) end
  local text = found.url .. " answers"
  if connection.seconds then
    local all, connect = connection.seconds * 1000, (connection.connect or 0) * 1000
    text = text .. (" in %.1f ms (connected after %.1f)"):format(all, connect)
  end
  line(true, "connection", text .. (ca_file and ", verified with " .. ca_file or ""))
end

-- Prints what came of a key; returns its exit status.
local function print_key(key)
  local from = key.source ~= "option" and " (from " .. key.source .. ")" or ""
  line(key.ok, TITLES[key.kind],
    key.ok and "accepted" .. owner(key.identity) .. from or key.message)
  if key.ok then return report.OK end
  return key.err and report.status({ method = "GET" }, key.err) or report.REFUSED
end

-- Prints what was found; returns the exit status: 0, or that of the first failure.
local function print_found(found, ca_file)
  if #found.keys == 0 then
    line(false, "keys", "none; set POLYTOMIC_API_KEY or POLYTOMIC_PARTNER_KEY, or give --key-file; "
      .. "`polytomic sandbox` serves one to try with")
    return report.INVALID
  end
  print_connection(found, ca_file)
  if not found.connection.ok then
    local last = found.keys[#found.keys]
    return last.err and report.status({ method = "GET" }, last.err) or report.NETWORK
  end
  local status = report.OK
  for _, key in ipairs(found.keys) do
    local own = print_key(key)
    if status == report.OK then status = own end
  end
  return status
end

local function check_all(polytomic, options)
  print_versions(polytomic._VERSION, require("polytomic.core").libcurl)
  local made, client = pcall(polytomic.new, options)
  if not made then
    line(false, "settings", report.words_of(client))
    return report.USAGE
  end
  local found = client:check()
  client:close()
  return print_found(found, options.ca_file)
end

return {
  doctor = {
    groups = { "connection", "general" },
    run = function(context)
      local options, status = context:client_options()
      if not options then return status end
      written = report.OK
      status = check_all(context:library(), options)
      return written ~= report.OK and written or status
    end,
  },
}
