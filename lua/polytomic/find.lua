-- Finding an organization by its name and a user by e-mail address: the API has no such search, so
-- lists are read.

local core = require "polytomic.core"
local pages = require "polytomic.pages"
local usage = require "polytomic.usage"

local M = {}

-- The first item of a list that fits, nil, response; nil alone when there is none; nil, message,
-- err.
local function scan(client, operation, arguments, options, fits)
  local walk = pages.open(operation, client, operation, arguments, options)
  while true do
    local items, message, response = pages.next(walk)
    if items == nil then return nil, message, response end
    for _, item in ipairs(items) do
      if type(item) == "table" and fits(item) then return item, nil, response end
    end
  end
end

function M.org(client, name, options)
  return scan(client, "list_orgs", {}, options, function(org) return org.name == name end)
end

-- E-mail addresses are compared without case: the API stores them in lower case.
function M.user(client, org_id, email, options)
  local wanted = email:lower()
  return scan(client, "list_users", { org_id = org_id }, options, function(user)
    return type(user.email) == "string" and user.email:lower() == wanted
  end)
end

-- The arguments as they are now, whatever becomes of their table. Raises where a method was not
-- called with a colon and a table.
function M.read_arguments(method, client, arguments)
  usage.check_client(method, client, "{…}")
  usage.check_type(method, "arguments", arguments, "table")
  local copy = {}
  for name, value in next, arguments do copy[name] = value end
  return copy
end

local function invalid(method, field, problem)
  return core.make_error(method, "invalid", "unsent", problem, { field = field })
end

-- Nothing, or nil, message, err where an argument has another name than those known, or the last of
-- these is missing or empty.
local function check(method, arguments, known)
  local text, is_known = known[#known], {}
  for _, name in ipairs(known) do is_known[name] = true end
  for name in pairs(arguments) do
    if not is_known[name] then
      return invalid(method, tostring(name), usage.unknown("field", name, known))
    end
  end
  local value = arguments[text]
  if value == nil then return invalid(method, text, text .. " is required") end
  if type(value) ~= "string" then
    return invalid(method, text, ("%s must be a string, got %s"):format(text, type(value)))
  end
  if value == "" then return invalid(method, text, text .. " must not be empty") end
end

-- client:find_org{ name= }: the organization, nil, response; nil alone when there is none; nil,
-- message, err.
local function find_org(client, arguments, options)
  arguments = M.read_arguments("find_org", client, arguments)
  core.check(client, "list_orgs", {}, options)
  local _, message, err = check("find_org", arguments, { "name" })
  if message then return nil, message, err end
  return M.org(client, arguments.name, options)
end

-- Nothing, or nil, message, err where no user could have the address.
local function check_email(client, arguments)
  local _, message, err = core.check(client, "create_user", arguments)
  if message then
    return invalid("find_user", err.field, (message:gsub("^create_user: invalid: ", "")))
  end
end

-- client:find_user{ org_id=, email= }: likewise.
local function find_user(client, arguments, options)
  arguments = M.read_arguments("find_user", client, arguments)
  local _, message, err = check("find_user", arguments, { "org_id", "email" })
  if message then return nil, message, err end
  _, message, err = core.check(client, "list_users", { org_id = arguments.org_id }, options)
  if not message then _, message, err = check_email(client, arguments) end
  if message then return nil, message, err end
  return M.user(client, arguments.org_id, arguments.email, options)
end

-- Gives every client `find_org` and `find_user`.
function M.install()
  core.methods.find_org = find_org
  core.methods.find_user = find_user
end

return M
