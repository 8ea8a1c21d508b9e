-- Provisioning under kill -9: starts the command again and again, kills it at random moments while
-- the sandbox spoils a fifth of all requests, and reckons up what came about.
--
-- Used by spec/provision_torture_spec.lua and bench/torture.lua.

local cjson = require("cjson").new()
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local M = {}

local quote = process.quote

-- What a retry, a look or the same key may cure; whether what was asked for is done all the same.
local ANY = {
  { fault = "status", status = 503, retry_after = 0 },
  { fault = "status", status = 429, retry_after = 0 },
  { fault = "status", status = 502, commit = true, retry_after = 0 },
  { fault = "reset_before" },
  { fault = "reset_after_commit" },
  { fault = "truncate" },
  { fault = "close_idle" },
  { fault = "latency", seconds = 0.03 },
}
-- A recorded 500, after which the step was done or not
local RECORDED = {
  { operation = "create_org", fault = "status", status = 500, store = true, commit = true },
  { operation = "create_user", fault = "status", status = 500, store = true, commit = true },
  { operation = "create_org", fault = "status", status = 500, store = true },
  { operation = "create_user_api_key", fault = "status", status = 500, store = true },
}

local function fault_of(kind, after)
  local fault = { operation = "*", after = after }
  for name, value in pairs(kind) do fault[name] = value end
  return fault
end

-- Faults for about the next `requests` requests, unless there are some left.
local function arm(requests, share)
  if #sandbox:unconsumed() > 10 then return end
  local list = {}
  for after = 0, requests - 1 do
    if math.random() < share then list[#list + 1] = fault_of(ANY[math.random(#ANY)], after) end
  end
  for _, kind in ipairs(RECORDED) do
    list[#list + 1] = fault_of(kind, math.random(0, 5))
  end
  sandbox:faults(list)
end

local function customers_file(count)
  local rows = { "name,email,roles,api_key" }
  for i = 1, count do
    rows[#rows + 1] = ("Customer %d,first@c%d.example,Admin,yes"):format(i, i)
    rows[#rows + 1] = ("Customer %d,second@c%d.example,Member,"):format(i, i)
  end
  return process.temporary_file(table.concat(rows, "\n") .. "\n", "csv")
end

-- Starts the command with these words in the background; returns its process id.
local function spawn(run, words)
  local lines = {}
  for name, value in pairs(run.env) do
    lines[#lines + 1] = value and "export " .. name .. "=" .. quote(value) or "unset " .. name
  end
  local parts = { quote(process.interpreter()), "lua/bin/polytomic" }
  for _, word in ipairs(words) do parts[#parts + 1] = quote(word) end
  lines[#lines + 1] = "exec " .. table.concat(parts, " ") .. " >>" .. run.log
    .. " 2>&1 </dev/null\n"
  local script = process.temporary_file(table.concat(lines, "\n"))
  local pipe = assert(io.popen(("setsid sh %s >/dev/null 2>&1 & echo $!"):format(script), "r"))
  local pid = tonumber(pipe:read "*l")
  pipe:close()
  return pid
end

local function is_alive(pid)
  local ok = os.execute(("kill -0 %d 2>/dev/null"):format(pid))
  return ok == true or ok == 0
end

local function kill(pid)
  os.execute(("kill -9 %d 2>/dev/null"):format(pid))
end

local function pause(seconds)
  os.execute(("sleep %.3f"):format(seconds))
end

-- ---- the reckoning ----

local function lines_of(path)
  local list = {}
  for line in (process.contents(path) or ""):gmatch "[^\n]+" do list[#list + 1] = cjson.decode(
    line) end
  return list
end

-- Data of the sandbox; faults that were left over strike here, and are repeated past.
local function get(path, key)
  local headers = key and { Authorization = "Bearer " .. key }
  for _ = 1, 1000 do
    local ok, status, body = pcall(sandbox.request, sandbox, "GET", path, nil, headers)
    if ok and status == 200 and body and body.data then return body.data end
    assert(not ok or status ~= 401, "a key that is none")
  end
  error(path .. " cannot be read", 0)
end

-- What is wrong, as a list of texts: organizations, users and keys that are missing or there twice,
-- keys that the file does not hold.
function M.reckon(count, keys_file)
  local wrong = {}
  local function complain(...) wrong[#wrong + 1] = (...):format(select(2, ...)) end
  local orgs, keys = {}, {}
  for _, org in ipairs(get "/api/organizations") do
    if orgs[org.name] then complain("%s is there twice", org.name) end
    orgs[org.name] = org.id
  end
  for number, line in ipairs(lines_of(keys_file)) do
    local before = keys[line.email]
    if before and before ~= line.value then complain("line %d: another key of %s", number,
      line.email) end
    keys[line.email] = line.value
  end
  for i = 1, count do
    local id = orgs["Customer " .. i]
    if not id then
      complain("Customer %d is missing", i)
    else
      local seen, users = {}, get("/api/organizations/" .. id .. "/users")
      for _, user in ipairs(users) do seen[user.email] = (seen[user.email] or 0) + 1 end
      for _, name in ipairs { "first", "second" } do
        local email = ("%s@c%d.example"):format(name, i)
        if seen[email] ~= 1 then complain("%s is there %d times", email, seen[email] or 0) end
      end
      if #users ~= 2 then complain("Customer %d has %d users", i, #users) end
      local email = ("first@c%d.example"):format(i)
      if not keys[email] then
        complain("the file holds no key of %s", email)
      elseif get("/api/me", keys[email]).email ~= email then
        complain("the key of %s is another's", email)
      end
    end
  end
  local minted = {}
  for _, request in ipairs(sandbox:requests "create_user_api_key") do
    if request.committed then
      if minted[request.path] then complain("%s was minted twice", request.path) end
      minted[request.path] = true
    end
  end
  return wrong
end

-- ---- runs ----

-- Runs it. Options: customers, kills, share (of spoiled requests), ledger (a URL), workers (nil:
-- one `apply`; else so many `work`, of which one is always being killed), between (nil, or a
-- function called with the number of each kill), longest (seconds between two kills), concurrency.
-- Returns { kills =, wrong =, status =, output =, log = }.
function M.run(options)
  sandbox:reset()
  local run = {
    log = process.temporary_file "",
    env = process.environment { POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url, POLYTOMIC_LEDGER = false },
  }
  local path, keys = customers_file(options.customers), process.temporary_file()
  local share = { "--ledger", options.ledger, "--keys", keys, "--concurrency",
    tostring(options.concurrency or 8) }
  local words = options.workers and { "work" } or { "apply", path, "--yes" }
  for _, word in ipairs(share) do words[#words + 1] = word end
  if options.workers then
    local status, _, err = process.run({ process.interpreter(), "lua/bin/polytomic", "enqueue",
      path,
      "--ledger", options.ledger }, { env = run.env })
    assert(status == 0, err)
  end
  local steady, kills = {}, 0
  for _ = 2, options.workers or 1 do steady[#steady + 1] = spawn(run, words) end
  local victim = spawn(run, words)
  while kills < options.kills do
    arm(200, options.share)
    pause(0.1 + math.random() * (options.longest or 0.6))
    for i, pid in ipairs(steady) do
      if not is_alive(pid) then steady[i] = spawn(run, words) end
    end
    if is_alive(victim) then
      kill(victim)
      kills = kills + 1
      if options.between then options.between(kills) end
    end
    victim = spawn(run, words)
  end
  kill(victim)
  for _, pid in ipairs(steady) do os.execute(("kill -TERM %d 2>/dev/null"):format(pid)) end
  for _, pid in ipairs(steady) do
    for _ = 1, 600 do
      if not is_alive(pid) then break end
      pause(0.05)
    end
  end
  local last = { process.interpreter(), "lua/bin/polytomic" }
  for _, word in ipairs(words) do last[#last + 1] = word end
  if options.workers then last[#last + 1] = "--drain" end
  local status, out, err = process.run(last, { env = run.env, timeout = 200 })
  local _, ledger = process.run({ process.interpreter(), "lua/bin/polytomic", "status", "--ledger",
    options.ledger }, { env = run.env })
  return { kills = kills, status = status, output = out .. err .. ledger,
    log = process.contents(run.log),
    wrong = M.reckon(options.customers, keys) }
end

return M
