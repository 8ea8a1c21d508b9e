-- The convenience functions as commands: find_org, find_user, ensure_org, ensure_user, patch_org,
-- patch_user.

local arguments = require "polytomic.cli.arguments"
local report = require "polytomic.cli.report"

local DROP_OIDC = {
  name = "drop_oidc",
  type = "boolean",
  location = "body",
  description = "true gives up the sign-in: issuer, client_id and client_secret",
}

-- The arguments of an operation, of these names alone where they are given, and of `more`.
local function fields_of(operation, names, more)
  local list = {}
  for _, field in ipairs(require("polytomic.core").describe(operation).arguments) do
    local wanted = names == nil
    for _, name in ipairs(names or {}) do wanted = wanted or field.name == name end
    if wanted then list[#list + 1] = field end
  end
  list[#list + 1] = more
  return list
end

-- What the function takes, as an operation would say it.
local FIELDS = {
  find_org = function() return fields_of("create_org", { "name" }) end,
  find_user = function() return fields_of("create_user", { "org_id", "email" }) end,
  ensure_org = function() return fields_of("create_org", nil, DROP_OIDC) end,
  ensure_user = function() return fields_of "create_user" end,
  patch_org = function() return fields_of("update_org", nil, DROP_OIDC) end,
  patch_user = function() return fields_of "update_user" end,
}

local function use(context, client, name, values)
  context:library()
  local operation = { name = name, method = name:find "^find_" and "GET" or "PUT" }
  local options = { idempotency_key = context.options.idempotency_key }
  local data, second, response = client[name](client, values, options)
  if data == nil and second ~= nil then return context:failed(operation, second, response) end
  if data == nil then data = require("polytomic.json_text").null end
  local status = context:succeeded({}, data, response)
  if status == report.OK and type(second) == "string" then
    report.remark(name .. ": " .. second)
  end
  return status
end

local function run(context)
  local name = context.command.name
  local kind = name:find "_org$" and "get_org" or "get_user"
  local problem, advice = require("polytomic.cli.output").complaint(context.options, kind)
  if problem then return context:usage(problem, advice) end
  local values
  local operation = { name = name, arguments = FIELDS[name]() }
  values, problem, advice = arguments.read(operation, context.words)
  if not values then return context:usage(problem, advice) end
  local client, status = context:client()
  if not client then return status end
  return context:protected(use, context, client, name, values)
end

local DESCRIBED_BY = {
  find_org = "create_org",
  find_user = "create_user",
  ensure_org = "create_org",
  ensure_user = "create_user",
  patch_org = "update_org",
  patch_user = "update_user",
}

local DETAILS = {
  find_org = "Reads the list of organizations. Prints null where there is none of the name.",
  find_user = "Reads the users of the organization; case does not matter in addresses. Prints null "
    .. "where there is none.",
  ensure_org = "Looks first, creates once, updates what differs, and looks again where a reply "
    .. "was lost: run it as often as you like. What is not mentioned stays. It says on standard "
    .. "error whether it was created, updated or unchanged.",
  ensure_user = "Looks first, creates once, updates what differs, and looks again where a reply "
    .. "was lost: run it as often as you like. It says on standard error whether it was created, "
    .. "updated or unchanged.",
  patch_org = "Reads the organization, changes what is given and keeps the rest. Where it signs in "
    .. "through an issuer, give client_id and client_secret again, or drop_oidc=true: the API "
    .. "never returns them.",
  patch_user = "Reads the user, changes what is given and keeps the rest.",
}

local commands = {}
for name, fields in pairs(FIELDS) do
  commands[name] = {
    fields = fields,
    described_by = DESCRIBED_BY[name],
    details = DETAILS[name],
    arguments = { { "name=value…", "see below", optional = true, many = true } },
    options = name:find "^ensure_"
      and { { "--idempotency-key", "KEY", "repeats an earlier creation safely" } } or nil,
    run = run,
    interrupted = not name:find "^find_" and function()
      return "run the same command again: it looks first"
    end or nil,
  }
end
return commands
