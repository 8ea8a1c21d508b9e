-- Changing some settings of an organization or a user: update_org and update_user replace them all,
-- so the others are read and sent along.

local core = require "polytomic.core"
local find = require "polytomic.find"
local run = require "polytomic.run"

local M = {
  readable = { "name", "issuer", "sso_domain", "sso_org_id" },
  write_only = { "client_id", "client_secret" }, -- the API never returns them
}

-- Options for the calls that only read or replace: an idempotency key given by the caller is for
-- one request.
function M.without_key(options)
  local copy = run.copied(options)
  copy.idempotency_key = nil
  return copy
end

-- The arguments of the API's own operation.
function M.without_drop(arguments)
  local copy = run.copied(arguments)
  copy.drop_oidc = nil
  return copy
end

-- Nothing, or nil, message, err where drop_oidc is not a boolean.
function M.check_drop(method, arguments)
  local drop = arguments.drop_oidc
  if drop == nil or type(drop) == "boolean" then return nil end
  return core.make_error(method, "invalid", "unsent",
    "drop_oidc must be a boolean, got " .. type(drop), { field = "drop_oidc" })
end

-- What cannot be read back and is not given, so that replacing loses it.
local function lost_by(arguments)
  local lost = {}
  for _, name in ipairs(M.write_only) do
    if arguments[name] == nil then lost[#lost + 1] = name end
  end
  return table.concat(lost, " and ")
end

-- Nothing, or nil, message, err where replacing would end the organization's sign-in unasked.
local function guard(method, org, arguments)
  local signs_in = org.issuer and org.issuer ~= ""
  if not signs_in or arguments.client_secret ~= nil or arguments.drop_oidc then return nil end
  local hint = "give client_secret (and client_id) to keep the sign-in, or drop_oidc = true to "
    .. "give up issuer, client_id and client_secret"
  local problem = "the organization signs in through the issuer " .. tostring(org.issuer)
    .. ", its settings are replaced in full, and " .. lost_by(arguments)
    .. " would be lost, since the API never returns them: " .. hint
  return core.make_error(method, "invalid", "unsent", problem,
    { field = "client_secret", hint = hint })
end

-- The arguments of update_org that put those given in place of an organization's settings as they
-- were read; the others stay. Or nil, message, err.
function M.replacement(method, org, arguments)
  local _, message, err = guard(method, org, arguments)
  if message then return nil, message, err end
  local body = M.without_drop(arguments)
  body.id = org.id
  for _, name in ipairs(M.readable) do
    if body[name] == nil and not (name == "issuer" and arguments.drop_oidc) then
      body[name] = org[name]
    end
  end
  return body
end

-- Replaces the settings of an organization as it was read by those given; the others stay. Data,
-- nil, response or nil, message, err.
function M.replace(method, client, org, arguments, options)
  local body, message, err = M.replacement(method, org, arguments)
  if not body then return nil, message, err end
  return run.operation(client, "update_org", body, options)
end

-- What an operation that reads one thing gave back: nothing to complain of where it is a table,
-- else nil, message, err.
local function check_read(data, message, response)
  if data == nil then return nil, message, response end
  if type(data) == "table" then return nil end
  return core.make_error(response, "bad_response", "rejected", "the reply holds no object")
end

-- client:patch_org{ id=, …, drop_oidc= }: data, nil, response or nil, message, err.
local function patch_org(client, arguments, options)
  arguments = find.read_arguments("patch_org", client, arguments)
  local probe = M.without_drop(arguments)
  probe.name = probe.name or "-" -- only to replace it needs one
  local _, message, err = core.check(client, "update_org", probe, options)
  if not message then _, message, err = M.check_drop("patch_org", arguments) end
  if message then return nil, message, err end
  local org, why, response =
    run.operation(client, "get_org", { id = arguments.id }, M.without_key(options))
  _, message, err = check_read(org, why, response)
  if message then return nil, message, err end
  return M.replace("patch_org", client, org, arguments, options)
end

-- Replaces what is given of a user as it was read; e-mail and roles stay where they are not given.
-- Data, nil, response or nil, message, err.
function M.replace_user(client, user, arguments, options)
  local wanted = {
    org_id = arguments.org_id,
    id = user.id,
    email = user.email,
    role = arguments.role,
    role_ids = arguments.role_ids,
  }
  if wanted.role == nil and wanted.role_ids == nil then
    local has_ids = type(user.role_ids) == "table" and user.role_ids[1] ~= nil
    wanted.role_ids = has_ids and user.role_ids or nil
    wanted.role = not has_ids and user.role or nil
  end
  return run.operation(client, "update_user", wanted, options)
end

-- client:patch_user{ org_id=, id=, email=, role_ids= }: data, nil, response or nil, message, err.
local function patch_user(client, arguments, options)
  arguments = find.read_arguments("patch_user", client, arguments)
  local probe = run.copied(arguments)
  if probe.email == nil then probe.email = "a@b" end -- only to replace it needs one
  local _, message, err = core.check(client, "update_user", probe, options)
  if message then return nil, message, err end
  local which = { org_id = arguments.org_id, id = arguments.id }
  local user, why, response = run.operation(client, "get_user", which, M.without_key(options))
  _, message, err = check_read(user, why, response)
  if message then return nil, message, err end
  local found = run.copied(user)
  found.id = arguments.id
  if arguments.email ~= nil then found.email = arguments.email end
  return M.replace_user(client, found, arguments, options)
end

-- Gives every client `patch_org` and `patch_user`.
function M.install()
  core.methods.patch_org = patch_org
  core.methods.patch_user = patch_user
end

return M
