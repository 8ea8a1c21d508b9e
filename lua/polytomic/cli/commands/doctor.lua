-- `polytomic doctor`: says of versions, keys, connection and TLS whether they are as they should
-- be.

local report = require "polytomic.cli.report"


local KEYS = {
  {
    option = "api_key",
    variable = "POLYTOMIC_API_KEY",
    title = "user key",
    probe = "get_current_org",
  },
  {
    option = "partner_key",
    variable = "POLYTOMIC_PARTNER_KEY",
    title = "partner key",
    probe = "list_orgs",
  },
  {
    option = "deployment_key",
    variable = "POLYTOMIC_DEPLOYMENT_KEY",
    title = "deployment key",
    probe = "list_orgs",
  },
}

local function line(good, subject, text)
  io.stdout:write(good and "ok    " or "FAIL  ", subject, ": ", text, "\n")
end

local function tell_versions(polytomic)
  local jit = rawget(_G, "jit")
  local libcurl, cjson = require("polytomic.core").libcurl, require("cjson")._VERSION or "?"
  local lua = jit and jit.version or _VERSION
  line(true, "versions", ("%s, %s, libcurl %s, lua-cjson %s"):format(
    polytomic._VERSION,
    lua,
    libcurl,
    cjson
  ))
end

-- Whether the options or the environment have this key; an empty option hides what the environment
-- has.
local function has(options, key)
  local value = options[key.option] or os.getenv(key.variable)
  return value ~= nil and value:find "%S" ~= nil
end

-- A client that has this key and no other.
local function client_with(polytomic, options, key)
  local own = {}
  for name, value in pairs(options) do own[name] = value end
  for _, other in ipairs(KEYS) do
    if other ~= key then own[other.option] = "" end
  end
  if key.option == "api_key" then own.organization = nil end
  return polytomic.new(own)
end

-- Asks who the key is; a server that does not know the question is asked for something the key must
-- be good for.
local function ask(client, key, organization)
  local name = "get_identity"
  local data, message, response = client:get_identity({}, { retries = 1 })
  if not data and response.status == 404 then
    name = organization and "get_current_org" or key.probe
    data, message, response = client[name](client, {}, { retries = 1 })
  end
  return data, message, response, name
end

-- What is wrong with the kind of key that an identity tells of, or nil.
local function mismatch(key, identity)
  if key.option == "api_key" and identity.is_partner then
    return "this is a partner key; set it as POLYTOMIC_PARTNER_KEY"
  end
  if key.option ~= "api_key" and identity.is_user then
    return "this is a user key; set it as POLYTOMIC_API_KEY"
  end
end

local function owner(identity)
  local words = identity.email or identity.organization_name or identity.name
  return words and ", belongs to " .. words or ""
end

local function tell_connection(client, response, ca_file)
  local last = response.timeline[#response.timeline] or {}
  local spent = last.total
      and (" in %.1f ms (connected after %.1f)"):format(
        last.total * 1000,
        (last.connect or 0) * 1000
      )
    or ""
  local tls = ca_file and ", verified with " .. ca_file or ""
  line(true, "connection", tostring(client):match("%((.-),") .. " answers" .. spent .. tls)
end

-- Checks one key; returns an exit status and whether the server answered.
local function check_key(polytomic, options, key, told)
  local made, client = pcall(client_with, polytomic, options, key)
  if not made then
    line(false, "settings", report.words_of(client))
    return report.USAGE, false
  end
  local data, message, response, name =
    ask(client, key, options.organization and key.option ~= "api_key")
  local answered = response.status ~= nil
  if answered and not told then tell_connection(client, response, options.ca_file) end
  client:close()
  if not data then
    line(false, answered and key.title or "connection", message)
    return report.status({ name = name, method = "GET" }, response), answered
  end
  local wrong = name == "get_identity" and mismatch(key, data)
  line(not wrong, key.title, wrong or "accepted" .. (name == "get_identity" and owner(data) or ""))
  return wrong and report.REFUSED or report.OK, answered
end

-- Runs the checks with the options of polytomic.new; returns the exit status: 0, or that of the
-- first failure.
local function check_all(polytomic, options)
  tell_versions(polytomic)
  local status, told, keys = report.OK, false, 0
  for _, key in ipairs(KEYS) do
    if has(options, key) then
      keys = keys + 1
      local result, answered = check_key(polytomic, options, key, told)
      told = told or answered
      if status == report.OK then status = result end
      if not answered then return status end
    end
  end
  if keys == 0 then
    line(false, "keys", "none; set POLYTOMIC_API_KEY or POLYTOMIC_PARTNER_KEY, or give --key-file")
    return report.INVALID
  end
  return status
end

return {
  doctor = {
    groups = { "connection", "general" },
    run = function(context)
      local options, status = context:client_options()
      if not options then return status end
      return check_all(context:library(), options)
    end,
  },
}
