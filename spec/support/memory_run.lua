-- Run by spec/faults/memory_spec.lua in a process of its own, on the build whose allocations fail
-- on demand: plays one scenario again and again with the n-th allocation failing, n = 1, 2, …,
-- until nothing fails, and prints `n` and how the runs ended.
--
--   memory_run.lua HOW SCENARIO URL BUSY MOVED     URL answers 200, BUSY 503, MOVED 302; HOW: one
--   (the n-th of the core's), all (and all after it), lua (all of Lua's from the n-th on)

local core = require "polytomic.core"
local memory = require "polytomic.memory"
local polytomic = require "polytomic"
local testing = require "polytomic.testing"

local how, name, url, busy, moved = arg[1], arg[2], arg[3], arg[4], arg[5]
local ORGANIZATION = "248df4b7-aa70-47b8-a036-33ac447e668d"
local MOST = 5000

local function new(options)
  local all = {
    base_url = url,
    partner_key = "pk-canary-0123456789",
    env = false,
    proxy = "",
    timeout = 1,
    retries = 0,
  }
  for key, value in pairs(options or {}) do all[key] = value end
  return polytomic.new(all)
end

-- What a call may return, whatever ran out; the kind of its error.
local function checked(data, message, err)
  if data ~= nil then
    assert(message == nil and type(err) == "table" and err.attempts >= 1,
      "a success without a response")
    return "data"
  end
  assert(type(message) == "string" and type(err) == "table", "a failure without an error")
  assert(err.outcome == "unsent" or err.outcome == "rejected" or err.outcome == "unknown",
    "an error without an outcome")
  return err.kind
end

local scenarios = {}

-- Everything a plain call does and gives back.
function scenarios.plain()
  local events = 0
  local client = new { user_agent = "app/1.0", on_event = function() events = events + 1 end }
  local data, message, response = client:create_org(
    { name = "Acme \195\188", sso_domain = "acme.com" },
    { headers = { ["X-A"] = "b" } }
  )
  if checked(data, message, response) ~= "data" then return end
  assert(response.headers and response.timeline and response.request_id, "a part is missing")
  response:curl()
  for _ in pairs(response) do events = events + 1 end
  assert(tostring(client) .. tostring(response))
  client:stats()
  client:close()
end

-- Several calls at once, driven by sockets; one is cancelled, one is watched, one is left behind.
function scenarios.started()
  local client = new { max_connections = 2 }
  local calls = {}
  client:pollfd()
  for index = 1, 4 do calls[index] = client:start("create_org", { name = "Acme " .. index }) end
  calls[2]:cancel()
  core.watch(client, calls[3])
  while client:step(0.2) > 0 do client:timeout() end
  core.next_done(client)
  for index = 1, 3 do checked(calls[index]:result()) end
end

-- A client whose calls wait through Lua, and one for an organization that shares its connections.
function scenarios.waiting()
  local client = new { wait = function(one) one:step(1) end }
  checked(client:list_orgs {})
  local org = client:as_org(ORGANIZATION)
  checked(org:get_current_org {})
  checked(
    org:request {
      method = "POST",
      path = "/api/anything",
      query = { a = "b" },
      body = { c = { "d" } },
    }
  )
end

-- A call that is retried and fails, with the server's words in its error.
function scenarios.retried()
  local events = 0
  local client = new { base_url = busy, retries = 2, on_event = function() events = events + 1 end }
  local data, message, err = client:update_org { id = ORGANIZATION, name = "Acme" }
  checked(data, message, err)
  assert(err.headers and err.timeline, "a part is missing")
  err:curl()
  client:close()
end

-- A call whose result is where the reply redirects to.
function scenarios.redirected()
  local client = new { base_url = moved }
  local data, message, response = client:get_sync_execution_logs {
    sync_id = ORGANIZATION, id = ORGANIZATION, type = "records", filename = "one.csv",
  }
  if checked(data, message, response) == "data" then
    assert(data.url == moved .. "/log?signature=5f", "another URL")
  end
  client:close()
end

-- Calls that are refused before they are sent, and one of a client that is closed under it.
function scenarios.refused()
  local client = new()
  checked(client:create_org { name = "" })
  checked(client:create_user { org_id = "no uuid", email = "jane@acme.com" })
  local call = client:start("create_org", { name = "Acme" })
  client:step(0)
  client:close()
  checked(call:result())
  checked(client:create_org { name = "Acme" })
end

local run = scenarios[name]

-- A run with the n-th allocation failing: whether it returned, its error, and how many allocations
-- it asked for.
local function attempt(n)
  if how == "lua" then return testing.lua_memory_fail_from(n, run) end
  memory.fail_at(n, how == "all")
  local ok, why = pcall(run)
  return ok, why, memory.fail_at(0)
end

-- Collects until no more than `blocks` are left; libcurl's resolver frees what it used on a thread
-- of its own, soon after.
local function collect(blocks)
  local patience = core.now() + 2
  repeat
    for _ = 1, 3 do collectgarbage() end
  until memory.blocks() <= blocks or core.now() > patience
end

collect(0)
local blocks = memory.blocks()
for _ = 1, 3 do run() end
collect(blocks)
blocks = memory.blocks()
local ended = { returned = 0, raised = 0 }
local n = 0
repeat
  n = n + 1
  local ok, why, asked = attempt(n)
  if ok then
    ended.returned = ended.returned + 1
  else
    ended.raised = ended.raised + 1
    why = tostring(why)
    if not why:find("memory", 1, true) then error(("allocation %d: %s"):format(n, why), 0) end
  end
  collect(blocks)
  if memory.blocks() ~= blocks then
    error(
      ("allocation %d: %d blocks are left behind (%s)"):format(n, memory.blocks() - blocks,
        tostring(why)),
      0
    )
  end
until asked < n or n == MOST
run()
print(("%d runs, %d returned, %d raised"):format(n, ended.returned, ended.raised))
