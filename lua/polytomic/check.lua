-- client:check: whether the server answers and each key is accepted, for health checks and doctor.

local core = require "polytomic.core"
local run = require "polytomic.run"
local usage = require "polytomic.usage"

local M = {}

-- What each kind of key must be good for, where a server does not know who a key is.
local PROBES = {
  api_key = "get_current_org",
  partner_key = "list_orgs",
  deployment_key = "list_orgs",
}
local OPTIONS = { retries = 1 }

-- Asks who the key is. Data, message, response and the operation that was asked.
local function ask(client, kind)
  local name = "get_identity"
  local data, message, response = run.operation(client, name, {}, OPTIONS)
  if data == nil and response.status == 404 then
    name = PROBES[kind]
    data, message, response = run.operation(client, name, {}, OPTIONS)
  end
  return data, message, response, name
end

-- What is wrong with the kind of key that an identity is of, or nil.
local function mismatch(kind, identity)
  if kind == "api_key" and identity.is_partner then
    return "this is a partner key; set it as POLYTOMIC_PARTNER_KEY"
  end
  if kind ~= "api_key" and identity.is_user then
    return "this is a user key; set it as POLYTOMIC_API_KEY"
  end
end

-- What a reply says of the connection.
local function connection_of(message, response)
  local last = response.timeline and response.timeline[#response.timeline] or {}
  local answered = response.status ~= nil
  return {
    ok = answered,
    seconds = answered and last.total or nil,
    connect = answered and last.connect or nil,
    message = not answered and message or nil,
  }
end

-- Checks one key; returns what came of it and what it says of the connection.
local function check_key(client, found)
  local only = core.with_key(client, found.kind)
  local data, message, response, name = ask(only, found.kind)
  only:close()
  local key = { kind = found.kind, source = found.source, ok = data ~= nil, message = message }
  if data == nil then
    key.err = response
  elseif name == "get_identity" and type(data) == "table" then
    key.identity = data
    key.message = mismatch(found.kind, data)
    key.ok = key.message == nil
  end
  return key, connection_of(message, response)
end

-- client:check(): { ok =, version =, libcurl =, url =, connection = { ok =, seconds =, connect =,
-- message = }, keys = { { kind =, source =, ok =, message =, identity =, err = } } }. A key that is
-- not accepted has its error in `err`. Raises for bad usage only.
local function check(client)
  usage.check_client("check", client, "()")
  local url, found = core.keys(client)
  local result = {
    ok = #found > 0,
    version = core.version,
    libcurl = core.libcurl,
    url = url,
    connection = { ok = false, message = "not tried: there is no key to ask with" },
    keys = {},
  }
  for index, one in ipairs(found) do
    local key, connection = check_key(client, one)
    result.keys[index] = key
    if not result.connection.ok then result.connection = connection end
    result.ok = result.ok and key.ok
    if not connection.ok then break end -- the others would say the same, after as long a wait
  end
  return result
end

-- Gives every client `check`.
function M.install()
  core.methods.check = check
end

return M
