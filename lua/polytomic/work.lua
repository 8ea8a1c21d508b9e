-- How far work is that goes on at the server, from the replies of the operation that looks at it
-- and the statuses of statuses.lua.

local core = require "polytomic.core"
local statuses = require "polytomic.statuses"

local M = {}

-- Where the status of an operation is whose work the data does not know (statuses.lua).
local UNKNOWN = { fields = { "data.status", "data.cache_status" }, success = {}, failure = {} }
local LOST = "unknown" -- the status of work whose outcome the server does not know itself

-- Calls visit(status, holder) for every status at a path ("data.status", "data[].status"); `holder`
-- is the object that has it.
local function visit_at(data, path, visit)
  local first, rest = path:match "^([^.]+)%.(.+)$"
  if not first then
    if type(data) == "table" and type(data[path]) == "string" then visit(data[path], data) end
    return
  end
  local list = first:match "^(.*)%[%]$"
  local inner = type(data) == "table" and data[list or first]
  if type(inner) ~= "table" then return end
  if not list then return visit_at(inner, rest, visit) end
  for _, item in ipairs(inner) do visit_at(item, rest, visit) end
end

-- The status in a reply, and the object that has it. Of several it is one of a failure, else one
-- that is not waited for, else the last. Nil where there is none.
function M.status_of(data, watch)
  local found, holder, weight
  local body = { data = data }
  for _, path in ipairs(watch.ends.fields) do
    visit_at(body, path, function(status, object)
      local heavy = watch.ends.failure[status] and 2 or watch.wanted[status] and 0 or 1
      if not found or heavy >= weight then found, holder, weight = status, object, heavy end
    end)
    if found then return found, holder end
  end
end

local function text_at(data, path)
  local value = { data = data }
  for name in path:gmatch "[^.]+" do
    value = type(value) == "table" and value[name] or nil
  end
  if type(value) == "table" then value = value[1] end
  return type(value) == "string" and value ~= "" and value or nil
end

-- What the server says of work that failed: where the data says that it is, or beside the status.
local function reason_of(data, watch, holder)
  local reason = watch.ends.reason
  if reason then return text_at(data, reason) end
  for _, name in ipairs { "error", "status_message", "errors" } do
    local said = text_at(holder, "data." .. name)
    if said then return said end
  end
end

-- Whether a time says that the work is over, whatever its status is called.
local function is_past(data, status, ends)
  if not ends.finished or ends.running[status] then return false end
  local parse = require("polytomic.date_time").parse
  local finished, than = text_at(data, ends.finished), text_at(data, ends.than)
  finished, than = finished and parse(finished), than and parse(than)
  return finished and than and finished > than or false
end

local function is_reached(data, status, watch)
  if watch.reached then return watch.reached(data, status) end
  return watch.wanted[status] or (watch.by_default and is_past(data, status, watch.ends))
end

-- True when the work is where it should be, false while it goes on; or nil, message, err.
function M.judge(data, response, watch)
  local status, holder = M.status_of(data, watch)
  if is_reached(data, status, watch) then return true end
  if status == nil then
    if watch.reached then return false end
    return core.make_error(response, "bad_response", "unknown",
      "the reply holds no status to wait for")
  end
  if not watch.ends.success[status] and not watch.ends.failure[status] then return false end
  local reason = reason_of(data, watch, holder)
  local problem = ("the work ended as '%s'%s"):format(status, reason and ": " .. reason or "")
  local outcome = status == LOST and "unknown" or "rejected"
  return core.make_error(response, "failed", outcome, problem,
    { message = reason, body = response.body })
end

-- What is watched of an operation's work: { ends = (as in statuses.lua), wanted = set of statuses,
-- reached = function or nil, by_default = whether success is waited for }. `goal` is a set of
-- statuses, a function of data and status, or nil for success. Nil where how the work ends is not
-- known and no goal is given.
function M.watch(name, goal)
  local ends = statuses[name]
  if not ends and not goal then return nil end
  local reached = type(goal) == "function" and goal or nil
  ends = ends or UNKNOWN
  return { ends = ends, reached = reached, by_default = goal == nil,
    wanted = not reached and goal or ends.success }
end

return M
