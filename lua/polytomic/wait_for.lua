-- Waiting for work that goes on after its call was answered: jobs, queries, executions, refreshes
-- of schemas.

local core = require "polytomic.core"
local pages = require "polytomic.pages"
local run = require "polytomic.run"
local usage = require "polytomic.usage"

local M = {}

-- Loaded when somebody waits: most programs never do.
local function work() return require "polytomic.work" end

-- Seconds, where the caller gives none.
local TIMEOUT, INTERVAL = 600, 1
-- Each pause is longer than the one before, up to so many seconds.
local GROWTH, LONGEST_INTERVAL = 1.5, 30
-- Seconds kept for the last look, or this share of a short time.
local LAST_LOOK, LAST_SHARE = 1, 0.1

-- ---- settings ----

local function check_seconds(method, name, value)
  if value and not (value > 0 and value < math.huge) then
    core.raise(("%s: %s must be finite and positive"):format(method, name))
  end
end

-- What is waited for: a set of statuses, or a function of data and status; nil for success.
local function goal_of(until_status)
  if until_status == nil or type(until_status) == "function" then return until_status end
  local list = type(until_status) == "string" and { until_status } or until_status
  if type(list) ~= "table" or #list == 0 then
    core.raise "wait_for: until_status must be a status, a list of them, or a function"
  end
  local wanted = {}
  for _, status in ipairs(list) do wanted[status] = true end
  return wanted
end

local function check_settings(method, settings, known)
  if settings == nil then return {} end
  usage.check_type(method, "settings", settings, "table")
  usage.check_options(method, settings, known)
  check_seconds(method, "timeout", settings.timeout)
  check_seconds(method, "interval", settings.interval)
  return settings
end

-- ---- waiting ----

local function out_of_time(name, data, response, seconds, watch)
  local status = work().status_of(data, watch)
  local still = status and ("the status is still '%s'"):format(status)
    or "until_status still says that the work goes on"
  local problem = ("%s after %s s"):format(still, (("%g"):format(seconds):gsub(",", ".")))
  return core.make_error(name, "timeout", "unknown", problem, { body = response.body })
end

-- Options of one look, which may not take longer than the time that is left; and whether it may
-- take all of that.
local function look_options(client, options, deadline)
  local copy, left = run.copied(options), math.max(deadline - core.now(), 0.001)
  local timeout = copy.timeout or core.timeout_of(client)
  copy.timeout = math.min(timeout, left)
  return copy, left <= timeout
end

-- Calls a reading operation until what is watched is reached. Data, nil, response or nil, message,
-- err.
local function await(client, name, arguments, settings, watch)
  local timeout, interval = settings.timeout or TIMEOUT, settings.interval or INTERVAL
  local longest = math.max(interval, LONGEST_INTERVAL)
  local deadline, last_look = core.now() + timeout, math.min(LAST_LOOK, timeout * LAST_SHARE)
  local seen, reply -- by the look before
  while true do
    local options, takes_all = look_options(client, settings.options, deadline)
    local data, message, response = run.operation(client, name, arguments, options)
    if data == nil then
      local late = seen ~= nil and response.kind == "timeout" and takes_all
      if late then return out_of_time(name, seen, reply, timeout, watch) end
      return nil, message, response
    end
    local done, why, err = work().judge(data, response, watch)
    if done then return data, nil, response end
    if done == nil then return nil, why, err end
    local left = deadline - core.now() - last_look
    if left <= 0 then return out_of_time(name, data, response, timeout, watch) end
    seen, reply = data, response
    done, why, err = run.pause(client, math.min(interval, left))
    if not done then return nil, why, err end
    interval = math.min(interval * GROWTH, longest)
  end
end

-- client:wait_for(operation, arguments, { until_status =, timeout =, interval =, options = })
-- until_status: a status, a list of them, or a function of data and status that says whether the
-- work is over. Without it, work is over at a successful status of the operation, by the data
-- (statuses.lua); where that has none, until_status must be given. Work that ended otherwise is an
-- error of kind "failed"; a status that the data does not know goes on.
local function wait_for(client, name, arguments, settings)
  usage.check_client("wait_for", client, "(…)")
  usage.check_name("wait_for", name)
  settings = check_settings("wait_for", settings,
    { until_status = true, timeout = "number", interval = "number", options = "table" })
  local watch = work().watch(name, goal_of(settings.until_status))
  local operation = core.describe(name)
  if operation and operation.method == "GET" and not watch then
    core.raise("wait_for: how the work of " .. name .. " ends is not known: give until_status")
  end
  local _, message, err = core.check(client, name, arguments, settings.options)
  if message then return nil, message, err end
  if not operation or operation.method ~= "GET" then
    core.raise("wait_for: " .. name .. " must be an operation that only reads")
  end
  return await(client, name, arguments, settings, watch)
end

-- ---- rows of a query ----

local function raise(data, message)
  if data == nil then error(message, 0) end
end

-- for row, page in client:query_rows({ connection_id =, query = }, { timeout =, interval =, options
-- = }) do: runs a query to its end, then gives every row of its result; `page` is its response.
-- Raises the message on failure.
local function query_rows(client, arguments, settings)
  usage.check_client("query_rows", client, "{…}")
  settings = check_settings("query_rows", settings,
    { timeout = "number", interval = "number", options = "table" })
  core.check(client, "run_query", arguments, settings.options) -- raises for bad usage
  local query, message, response = run.operation(client, "run_query", arguments, settings.options)
  raise(query, message)
  local id = type(query) == "table" and query.id or nil
  if type(id) ~= "string" then
    raise(core.make_error(response, "bad_response", "unknown",
      "the reply holds no id to ask for results with"))
  end
  local watch = work().watch "get_query"
  query, message, response = await(client, "get_query", { id = id }, settings, watch)
  raise(query, message)
  local walk = pages.open("query_rows", client, "get_query", { id = id }, settings.options)
  walk.first = response
  return pages.items(walk)
end

-- Gives every client `wait_for` and `query_rows`.
function M.install()
  core.methods.wait_for = wait_for
  core.methods.query_rows = query_rows
end

return M
