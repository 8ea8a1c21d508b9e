-- Provisioning, measured beside a bare batch of the same calls: `make bench BENCH=provision`.
--
--   .ci/with-lua build 5.4 lua5.4 bench/provision.lua [CUSTOMERS]

package.path = "./?.lua;" .. package.path

local core = require "polytomic.core"
local polytomic = require "polytomic"
local postgresql = require "spec.support.postgresql"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"

local CUSTOMERS = tonumber(arg[1]) or 400
local AT_ONCE, LATENCY = 16, 0.02
local CALLS = 4 -- of a customer: an organization, two users, a key

local function say(...)
  print((...):format(select(2, ...)))
  io.stdout:flush()
end

local function fresh(latency)
  sandbox:reset()
  if latency then
    sandbox:faults { { operation = "*", fault = "latency", seconds = latency, times = 1000000 } }
  end
  return polytomic.new { base_url = sandbox.url, partner_key = sandbox.partner_key, env = false,
    max_connections = 256 }
end

local function customers(count)
  local i = 0
  return function()
    i = i + 1
    if i > count then return nil end
    return { name = "Customer " .. i, users = {
      { email = "first@example.com", api_key = true }, { email = "second@example.com" } } }
  end
end

local function timed(body)
  local began = core.now()
  body()
  return core.now() - began
end

-- The same calls in three batches, without anything around them; seconds.
local function bare(at_once)
  local client = fresh(LATENCY)
  local orgs, users, ids = {}, {}, {}
  return timed(function()
    for i = 1, CUSTOMERS do orgs[i] = { name = "Customer " .. i } end
    for i, org in ipairs((client:batch("create_org", orgs, { concurrency = at_once }))) do
      users[2 * i - 1] = { org_id = org.id, email = "first@example.com" }
      users[2 * i] = { org_id = org.id, email = "second@example.com" }
    end
    local made = client:batch("create_user", users, { concurrency = at_once })
    for i = 1, CUSTOMERS do ids[i] = { org_id = made[2 * i - 1].organization_id,
      id = made[2 * i - 1].id } end
    client:batch("create_user_api_key", ids, { concurrency = at_once })
  end)
end

local function show(title, seconds, ideal)
  say("%-44s %7.1f customers/s, %7.1f steps/s%s", title, CUSTOMERS / seconds,
    CUSTOMERS * CALLS / seconds, ideal and (", %.2f of the bare batch"):format(ideal / seconds)
      or "")
end

local function apply(url, latency, count, options)
  local client = fresh(latency)
  local all = { ledger = url, keys = process.temporary_file(), concurrency = AT_ONCE }
  for name, value in pairs(options or {}) do all[name] = value end
  return timed(function()
    local summary = assert(provision.apply(client, customers(count), all))
    assert(summary.done == count, summary.failed .. " failed")
  end)
end

local function sqlite()
  return "sqlite:" .. process.temporary_file() .. ".ledger"
end

-- Seconds that so many workers take for what was put into a ledger.
local function work(url, workers)
  local client = fresh(LATENCY)
  assert(provision.enqueue(client, customers(CUSTOMERS), { ledger = url }))
  local env = process.environment { POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
    POLYTOMIC_DEPLOYMENT_URL = sandbox.url, POLYTOMIC_LEDGER = false }
  local children = {}
  return timed(function()
    for i = 1, workers do
      children[i] = process.start({ process.interpreter(), "lua/bin/polytomic", "work", "--ledger",
        url,
        "--drain", "--keys", process.temporary_file(), "--concurrency", tostring(AT_ONCE) },
        { env = env, first_line = false })
    end
    for _, child in ipairs(children) do assert(child:wait(120) == 0, select(2, child:output())) end
  end)
end

-- ---- the measures ----

say("%d customers, each an organization, two users and a key; the sandbox answers in %d ms",
  CUSTOMERS, LATENCY * 1000)
local ideal = {}
for _, factor in ipairs { 1, 2, 4 } do
  ideal[factor] = bare(AT_ONCE * factor)
  show(("bare batches, %d at once"):format(AT_ONCE * factor), ideal[factor])
end
show("apply on SQLite, 16 at once", apply(sqlite(), LATENCY, CUSTOMERS), ideal[1])
if postgresql.is_there() then
  local server = postgresql.shared()
  show("apply on PostgreSQL, 16 at once", apply(server:database(), LATENCY, CUSTOMERS), ideal[1])
  for _, workers in ipairs { 1, 2, 4 } do
    show(("%d workers on PostgreSQL, 16 at once each"):format(workers),
      work(server:database(), workers), ideal[workers])
  end
end

local client = fresh()
local number = 0
local seconds = timed(function()
  assert(provision.apply(client, function()
    number = number + 1
    return number <= 2000 and { name = "Organization " .. number } or nil
  end, { ledger = sqlite(), concurrency = AT_ONCE }))
end)
say("2,000 organizations ensured, no latency         %7.2f s", seconds)

local orgs = {}
for i = 1, 2000 do orgs[i] = { name = "Organization " .. i } end
client = fresh()
local alone = timed(function() client:batch("create_org", orgs, { concurrency = AT_ONCE }) end)
say("the same as a bare batch of create_org          %7.2f s", alone)
say("overhead of the ledger for each step            %7.3f ms", (seconds - alone) / 2000 * 1000)

-- The vendor's way: one curl after the other, what was made taken out of the replies.
local script = process.temporary_file(([[
post() {
  curl -s -X POST -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \
    -d "$2" "$URL$1"
}
id() { sed 's/.*"id":"\([^"]*\)".*/\1/'; }
for i in $(seq %d); do
  org=$(post /api/organizations "{\"name\":\"Customer $i\"}" | id)
  user=$(post /api/organizations/$org/users '{"email":"first@example.com"}' | id)
  post /api/organizations/$org/users '{"email":"second@example.com"}' >/dev/null
  post /api/organizations/$org/users/$user/keys '' >/dev/null
done]]):format(20))
fresh(LATENCY)
local curl = timed(function()
  process.run({ "sh", script }, { env = { KEY = sandbox.partner_key, URL = sandbox.url },
    timeout = 60 })
end)
say("%-44s %7.1f customers/s, %7.1f steps/s", "a shell loop with curl", 20 / curl,
  20 * CALLS / curl)

-- Memory: 100,000 customers read, compared and written into the ledger, one of them brought about.
local _, memory = process.run({ process.interpreter(), "-e", [[
  collectgarbage("setpause", 120) -- as the command does
  local polytomic, provision = require "polytomic", require "polytomic.provision"
  local client, i, stopped = polytomic.new {}, 0, false
  assert(provision.apply(client, function()
    i = i + 1
    if i > 100000 then return nil end
    return { name = ("Customer %d Incorporated"):format(i),
      sso_domain = ("customer%d.example"):format(i),
      users = { { email = ("jane@customer%d.example"):format(i), roles = { "Admin" } } } }
  end, { ledger = arg[1], stop = function() return stopped end,
    on_step = function() stopped = true end }))
  local file = io.open "/proc/self/status"
  print(file:read("*a"):match "VmHWM:%s*(%d+)")
]], sqlite() }, { timeout = 200, env = process.environment {
  POLYTOMIC_PARTNER_KEY = sandbox.partner_key, POLYTOMIC_DEPLOYMENT_URL = sandbox.url } })
say("memory for 100,000 customers                    %7.1f MB", (tonumber(memory) or 0) / 1024)
process.stop_all()
