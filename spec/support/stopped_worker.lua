-- A worker that is stopped (SIGSTOP) beyond its leases, on any ledger: what specs check.

local assert = require "luassert"
local ledgers = require "polytomic.provision.ledger"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"

local M = {}

local TTL = 2 -- seconds a lease lasts here: a busy machine needs them to renew it

local function wait_until(what, holds)
  for _ = 1, 500 do
    if holds() then return end
    os.execute "sleep 0.01"
  end
  error("it did not come about: " .. what, 2)
end

local function start_worker(url)
  local shorter = ("require('polytomic.provision.ledger').TTL = %d"):format(TTL)
  return process.start({ process.interpreter(), "-e", shorter, "lua/bin/polytomic", "work",
    "--ledger", url, "--concurrency", "2" }, { first_line = false, env = process.environment {
    POLYTOMIC_PARTNER_KEY = sandbox.partner_key, POLYTOMIC_LEDGER = false,
    POLYTOMIC_DEPLOYMENT_URL = sandbox.url } })
end

local function signal(worker, name)
  os.execute(("kill -%s %d"):format(name, worker.pid))
end

-- What was written to the server, in order.
local function writes()
  local list = {}
  for _, request in ipairs(sandbox:requests()) do
    if request.method ~= "GET" then list[#list + 1] = request.method .. " " .. request.path end
  end
  return list
end

-- What is asked of a ledger before a worker goes on and afterwards, but for the customer that shows
-- that it does.
M.QUERIES = {
  "SELECT name, state, lease, lease_owner, attempts, error, changed_at FROM polytomic_customers "
    .. "WHERE name <> 'Last' ORDER BY id",
  "SELECT customer_id, name, state, idempotency_key, attempts, remote_id, changed_at "
    .. "FROM polytomic_steps WHERE customer_id NOT IN (SELECT id FROM polytomic_customers "
    .. "WHERE name = 'Last') ORDER BY customer_id, name",
}

-- Stops a worker at a request of an operation, lets `meanwhile` pass and another take over, and
-- wakes it again: it goes on with what is new and sends nothing else, and what the ledger held
-- stays as it is. Returns what the other has come to. `contents()` gives the answers to QUERIES, a
-- text.
local function check(client, url, contents, operation, meanwhile)
  sandbox:faults { { operation = operation, fault = "latency", seconds = 0.3, times = 2 } }
  local worker = start_worker(url)
  wait_until("the request", function() return #sandbox:requests(operation) > 0 end)
  signal(worker, "STOP")
  meanwhile()
  local result = assert(provision.work(client, { ledger = url, drain = true }))
  local before, sent = contents(), writes()
  local orgs = sandbox:committed "create_org"
  signal(worker, "CONT")
  assert(provision.enqueue(client, { { name = "Last" } }, { ledger = url }))
  wait_until("new work", function() return sandbox:committed "create_org" > orgs end)
  signal(worker, "TERM")
  assert.equal(0, worker:wait(20))
  assert.matches("^1 customer done, 0 failed;", (worker:output()))
  worker:stop()
  sent[#sent + 1] = "POST /api/organizations"
  assert.same(sent, writes())
  assert.equal(before, contents())
  return result
end

local function with_short_leases(body)
  local ttl = ledgers.TTL
  ledgers.TTL = TTL
  local ok, message = xpcall(body, debug.traceback)
  ledgers.TTL = ttl
  if not ok then error(message, 0) end
end

-- Nothing is done twice.
function M.check_once(client, url, contents)
  local list = {}
  for i = 1, 6 do
    list[i] = { name = "Acme " .. i, users = { { email = "a@b.c" }, { email = "d@b.c" } } }
  end
  assert(provision.enqueue(client, list, { ledger = url }))
  with_short_leases(function()
    local result = check(client, url, contents, "create_user", function() end)
    assert.same({ 6, 0 }, { result.done, result.failed })
  end)
  assert.same({ 7, 12 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
end

-- Nothing is overwritten that another has brought about since.
function M.check_newest(client, url, contents)
  local function customer(domain) return { { name = "Acme", sso_domain = domain } } end
  local org = assert(client:create_org { name = "Acme" })
  assert(provision.enqueue(client, customer "old.example", { ledger = url }))
  with_short_leases(function()
    check(client, url, contents, "list_orgs", function()
      assert(provision.enqueue(client, customer "new.example", { ledger = url }))
    end)
  end)
  assert.equal("new.example", assert(client:get_org { id = org.id }).sso_domain)
end

return M
