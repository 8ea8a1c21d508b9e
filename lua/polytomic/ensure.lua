-- Making an organization or a user be there and be as described, however often it is run and
-- whoever else runs it.

local core = require "polytomic.core"
local find = require "polytomic.find"
local patch = require "polytomic.patch"
local run = require "polytomic.run"

local M = {}

-- ---- organizations ----

local org = { create = "create_org" }

function org.find(client, arguments, options)
  return find.org(client, arguments.name, options)
end

-- Whether a setting is as wanted; null and an empty text are the same as none.
local function same(wanted, found)
  if wanted == core.null or wanted == "" then wanted = nil end
  if found == "" then found = nil end
  return wanted == found
end

-- What was given and cannot be read back has to be written: only so it is surely there.
function org.fits(found, arguments)
  for _, name in ipairs(patch.write_only) do
    if arguments[name] ~= nil then return false end
  end
  for _, name in ipairs(patch.readable) do
    if arguments[name] ~= nil and not same(arguments[name], found[name]) then return false end
  end
  return true
end

function org.update(client, found, arguments, options)
  return patch.replace("ensure_org", client, found, arguments, options)
end

-- ---- users ----

local user = { create = "create_user" }

function user.find(client, arguments, options)
  return find.user(client, arguments.org_id, arguments.email, options)
end

local function set_of(list)
  local set, size = {}, 0
  if type(list) ~= "table" then return set, size end
  for _, id in ipairs(list) do
    local key = tostring(id):lower()
    if not set[key] then
      set[key] = true
      size = size + 1
    end
  end
  return set, size
end

-- Whether two lists hold the same ids, in whatever order and case.
local function same_ids(wanted, found)
  local wanted_set, wanted_size = set_of(wanted)
  local found_set, found_size = set_of(found)
  if wanted_size ~= found_size then return false end
  for id in pairs(wanted_set) do
    if not found_set[id] then return false end
  end
  return true
end

-- The API stores the names of roles in lower case.
local function same_role(wanted, found)
  if type(wanted) ~= "string" then return true end -- null asks for no role
  return type(found) == "string" and wanted:lower() == found:lower()
end

function user.fits(found, arguments)
  if arguments.role ~= nil and not same_role(arguments.role, found.role) then return false end
  return arguments.role_ids == nil or same_ids(arguments.role_ids, found.role_ids)
end

function user.update(client, found, arguments, options)
  return patch.replace_user(client, found, arguments, options)
end

-- ---- both ----

-- Brings what was found to what is wanted; `response` is that of the list.
local function settle(kind, client, found, arguments, options, response)
  if kind.fits(found, arguments) then return found, "unchanged", response end
  local data, message, detail = kind.update(client, found, arguments, options)
  if data == nil then return nil, message, detail end
  return data, "updated", detail
end

-- Whether it may be there although creating it failed: carried out with its reply lost, or somebody
-- else was faster. For a second user of one address the API lists no 409, so a 422 is looked into
-- as well.
local function may_exist(err)
  return err.outcome == "unknown" or err.kind == "conflict" or err.kind == "unprocessable"
end

-- Creates, and looks again where that failed in a way that leaves open whether it is there.
local function create(kind, client, arguments, options, others)
  local wanted = patch.without_drop(arguments)
  local data, why, err = run.operation(client, kind.create, wanted, options)
  if data ~= nil then return data, "created", err end
  if not may_exist(err) then return nil, why, err end
  local there, _, list = kind.find(client, arguments, others)
  if not there then return nil, why, err end
  local settled, word, detail = settle(kind, client, there, arguments, others, list)
  -- it was not there before
  if word == "unchanged" and err.outcome == "unknown" then word = "created" end
  return settled, word, detail
end

-- Looks, and creates at most once: also where what was found was deleted before it could be
-- changed.
local function ensure(kind, client, arguments, options)
  local others = patch.without_key(options)
  local found, message, response = kind.find(client, arguments, others)
  if message then return nil, message, response end
  if found then
    local settled, word, detail = settle(kind, client, found, arguments, others, response)
    local deleted = settled == nil and detail.kind == "not_found"
    if not deleted then return settled, word, detail end
  end
  return create(kind, client, arguments, options, others)
end

-- client:ensure_org{ name=, …, drop_oidc= }: org, "created" | "updated" | "unchanged", response or
-- nil, message, err.
local function ensure_org(client, arguments, options)
  arguments = find.read_arguments("ensure_org", client, arguments)
  local _, message, err = core.check(client, "create_org", patch.without_drop(arguments), options)
  if not message then _, message, err = patch.check_drop("ensure_org", arguments) end
  if message then return nil, message, err end
  return ensure(org, client, arguments, options)
end

-- client:ensure_user{ org_id=, email=, role_ids= }: user, "created" | "updated" | "unchanged",
-- response or nil, message, err.
local function ensure_user(client, arguments, options)
  arguments = find.read_arguments("ensure_user", client, arguments)
  local _, message, err = core.check(client, "create_user", arguments, options)
  if message then return nil, message, err end
  return ensure(user, client, arguments, options)
end

-- Gives every client `ensure_org` and `ensure_user`.
function M.install()
  core.methods.ensure_org = ensure_org
  core.methods.ensure_user = ensure_user
end

return M
