-- A storm: many create_user calls against a sandbox that spoils three requests in ten, and the
-- reckoning afterwards.
--
-- Used by spec/storm_spec.lua and bench/storm.lua.

local generator = require "spec.support.generator"
local polytomic = require "polytomic"
local sandbox = require "spec.support.sandbox"

local M = {}

M.SHARE = 0.3           -- of all requests are spoiled
M.ATTEMPT_TIMEOUT = 0.5 -- seconds
M.RETRIES = 10

-- What a retry may cure. `waits`: the client waits before its retry, since no Retry-After says that
-- it need not.
local KINDS = {
  { fault = "status", status = 503, retry_after = 0 },
  { fault = "status", status = 502, retry_after = 0 },
  { fault = "status", status = 504, retry_after = 0 },
  { fault = "status", status = 429, retry_after = 0 },
  { fault = "status", status = 502, retry_after = 0, commit = true },
  { fault = "status", status = 504, retry_after = 0, commit = true },
  { fault = "status", status = 408, retry_after = 0, commit = true },
  { fault = "close_idle" },
  { fault = "latency", seconds = 0.02 },
  { fault = "drip", interval = 0.0001 },
  { fault = "status", status = 503, commit = true, waits = true },
  { fault = "reset_before", waits = true },
  { fault = "reset_before", fin = true, waits = true },
  { fault = "reset_after_commit", waits = true },
  { fault = "reset_after_commit", fin = true, waits = true },
  { fault = "truncate", waits = true },
  { fault = "truncate", chunked = true, waits = true },
  { fault = "truncate", no_length = true, waits = true },
  { fault = "stall_headers", waits = true },
  { fault = "stall_body", waits = true },
}

local function copy(kind, after)
  local fault = { operation = "create_user", after = after }
  for name, value in pairs(kind) do fault[name] = value end
  fault.waits = nil
  return fault
end

-- Faults for the first `requests` create_user requests. Of those after which the client waits only
-- the part `waiting` (default: all) is taken. `share` of the requests are spoiled (default: SHARE).
function M.faults(requests, seed, waiting, share)
  local random = generator(seed)
  local list = {}
  for after = 0, requests - 1 do
    local kind = KINDS[math.floor(random() * #KINDS) + 1]
    local strikes, taken = random() < (share or M.SHARE), random() < (waiting or 1)
    if strikes and (taken or not kind.waits) then list[#list + 1] = copy(kind, after) end
  end
  return list
end

-- A sandbox with one organization and these faults; returns the organization's id.
function M.prepare(faults)
  sandbox:reset()
  local _, body = sandbox:request("POST", "/api/organizations", { name = "Storm" })
  sandbox:faults(faults)
  return body.data.id
end

local function email(index)
  return ("user-%05d@storm.example"):format(index)
end

M.email = email

-- What a call reported: "data", or the outcome of its error.
local function verdict(data, message, err)
  if data == nil then return err.outcome end
  assert(message == nil and err.attempts >= 1)
  return "data"
end

local function client_for(options)
  local all = { base_url = sandbox.url, partner_key = sandbox.partner_key, env = false, proxy = "",
    timeout = 60, attempt_timeout = M.ATTEMPT_TIMEOUT, retries = M.RETRIES }
  for name, value in pairs(options or {}) do all[name] = value end
  return polytomic.new(all)
end

-- Makes `count` calls one after another. As in `started`, a client makes `per_client` of them
-- (default 200): each has its own retry budget.
function M.blocking(organization, count, options, call_options)
  local told, client = {}, nil
  for index = 1, count do
    if (index - 1) % (options and options.per_client or 200) == 0 then
      if client then client:close() end
      client = client_for(options and options.client)
    end
    told[email(index)] =
      verdict(client:create_user({ org_id = organization, email = email(index) }, call_options))
  end
  client:close()
  return told
end

-- Starts calls from..to on a client, at most `width` of them at a time. `turn` moves it on and says
-- whether there is more to do.
local function lane(organization, from, to, width, told, options, call_options)
  local one = { client = client_for(options), open = {} }
  local next_index, open = from, 0
  function one.turn()
    while open < width and next_index <= to do
      local arguments = { org_id = organization, email = email(next_index) }
      one.open[next_index] = one.client:start("create_user", arguments, call_options)
      next_index, open = next_index + 1, open + 1
    end
    one.client:step(0)
    for index, call in pairs(one.open) do
      if call:done() then
        told[email(index)] = verdict(call:result())
        one.open[index] = nil
        open = open - 1
      end
    end
    if open == 0 and next_index > to then one.client:close() end
    return open > 0 or next_index <= to
  end
  return one
end

-- Makes `count` calls through client:start with `in_flight` under way at once, on clients that make
-- 200 each, all at once.
function M.started(organization, count, in_flight, options, call_options)
  local told, lanes = {}, {}
  local per_client = options and options.per_client or 200
  local width = math.max(1, math.floor(in_flight / math.ceil(count / per_client)))
  for from = 1, count, per_client do
    local to = math.min(from + per_client - 1, count)
    lanes[#lanes + 1] =
      lane(organization, from, to, width, told, options and options.client, call_options)
  end
  while #lanes > 0 do
    for index = #lanes, 1, -1 do
      if not lanes[index].turn() then table.remove(lanes, index) end
    end
    if lanes[1] then lanes[1].client:step(0.002) end
  end
  return told
end

-- Compares what calls told (verdict by e-mail) with what the sandbox holds and saw.
function M.reckon(organization, told, count)
  local _, body = sandbox:request("GET", "/api/organizations/" .. organization .. "/users")
  local present = {}
  for _, user in ipairs(body.data) do present[user.email] = (present[user.email] or 0) + 1 end
  local sum = { calls = count, attempts = #sandbox:requests("create_user"), data = 0, unknown = 0,
    refused = 0, duplicates = 0, lost = 0, wrong = 0, silent = 0 }
  sum.retries = sum.attempts - count
  for index = 1, count do
    local is, said = present[email(index)] or 0, told[email(index)]
    if is > 1 then sum.duplicates = sum.duplicates + 1 end
    if said == "data" then
      sum.data = sum.data + 1
      if is == 0 then sum.lost = sum.lost + 1 end
    elseif said == "unknown" then
      sum.unknown = sum.unknown + 1
    elseif said == "rejected" or said == "unsent" then
      sum.refused = sum.refused + 1
      if is > 0 then sum.wrong = sum.wrong + 1 end
    else
      sum.silent = sum.silent + 1
    end
    present[email(index)] = nil
  end
  sum.strangers = next(present)
  return sum
end

local COLUMNS = { "calls", "attempts", "retries", "data", "refused", "unknown", "duplicates",
  "lost", "wrong" }
local WIDTHS = { 8, 8, 8, 8, 8, 8, 10, 5, 16 }

-- Lines of a table: one for each `{ title, sum, seconds }`.
function M.report(rows)
  local lines = {
    ("%-34s"):format("")
      .. "   calls attempts  retries     data  refused  unknown"
      .. " duplicates  lost wrongly reported  seconds",
  }
  for _, row in ipairs(rows) do
    local values = {}
    for index, name in ipairs(COLUMNS) do
      values[index] = ("%" .. WIDTHS[index] .. "d"):format(row[2][name])
    end
    local counts = table.concat(values, " ")
    lines[#lines + 1] = ("%-34s%s %8.1f"):format(row[1], counts, row[3])
  end
  return table.concat(lines, "\n")
end

return M
