-- Provisioning on PostgreSQL: a server of the specs' own, several processes on one ledger.
-- Needs: postgresql
-- Takes: 18 s

local cjson = require("cjson").new()
local clients = require "spec.support.clients"
local core = require "polytomic.core"
local modes = require "spec.support.modes"
local postgresql = require "spec.support.postgresql"
local command = require "spec.support.command"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"
local stopped_worker = require "spec.support.stopped_worker"

local server = postgresql.shared()

local function customers(count)
  local list = {}
  for i = 1, count do
    list[i] = { name = "Acme " .. i, users = { { email = "a@acme.com" },
      { email = "b@acme.com" } } }
  end
  return list
end

local function start(words, extra)
  return process.start(command.words(words),
    { env = command.environment(extra), first_line = false })
end

-- The exit status and the output of a child that ends by itself.
local function finish(child)
  local status = child:wait(60)
  child:stop()
  return status, (child:output())
end

describe("provisioning on PostgreSQL", function()
  clients.around(before_each, after_each)

  it("keeps what was refused, and tries lost keys again when told to replace them", function()
    local client, url = clients.sandbox(), server:database()
    local keys, list = process.temporary_file(), customers(2)
    list[1].users[1].api_key = true
    sandbox:faults {
      { operation = "create_user_api_key", fault = "status", status = 500, store = true,
        commit = true, times = 1 },
      { operation = "create_org", fault = "status", status = 403, times = 1, after = 1 },
    }
    local function apply(options)
      options.ledger, options.keys, options.concurrency = url, keys, 1
      local summary = assert(provision.apply(client, list, options))
      return { summary.done, summary.failed }
    end
    assert.same({ 0, 2 }, apply {})
    assert.same({ 0, 2 }, apply {})
    assert.same({ 1, 1 }, apply { replace_lost_keys = true })
    local work = { ledger = url, drain = true, replace_lost_keys = true }
    assert.equal(0, assert(provision.work(client, work)).done)
    assert.equal(1, assert(provision.status { ledger = url, retry_failed = true }).queued)
    assert.same({ 2, 0 }, apply {})
  end)

  for _, mode in ipairs(modes) do
    it("brings customers about once, with " .. mode.name, function()
      local client, url = clients.sandbox(mode.options()), server:database()
      local keys = process.temporary_file()
      local list = customers(12)
      list[1].users[1].api_key = true
      local first, second = mode.results(function()
        return assert(provision.apply(client, list, { ledger = url, keys = keys })),
          assert(provision.apply(client, list, { ledger = url, keys = keys }))
      end)
      assert.same({ 12, 37, 12, 0 }, { first.done, first.created, second.done, second.created })
      assert.equal("a@acme.com", cjson.decode(process.contents(keys)).email)
      local status = assert(provision.status { ledger = url })
      assert.same({ 12, 12, 0 }, { status.done, status.total, status.running })
    end)
  end

  it("shares the work between processes: each customer is one's, and none is done twice", function()
    local url = server:database()
    assert(provision.enqueue(clients.sandbox(), customers(60), { ledger = url }))
    sandbox:faults {
      { operation = "create_user", fault = "latency", seconds = 0.02, times = 120 },
    }
    local workers, shares, total = {}, {}, 0
    for i = 1, 3 do
      workers[i] = start { "work", "--ledger", url, "--drain", "--concurrency", "4" }
    end
    for i, worker in ipairs(workers) do
      local status, out = finish(worker)
      assert.equal(0, status)
      shares[i] = tonumber(out:match "^(%d+) customers? done")
      total = total + shares[i]
      assert.is_true(shares[i] > 0, "one had nothing to do")
    end
    assert.equal(60, total)
    assert.same({ 60, 120 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
  end)

  it("lets two apply of one file share it", function()
    local url = server:database()
    local rows = {}
    for i = 1, 40 do rows[i] = ('{"name":"Acme %d","users":[{"email":"a@b.c"}]}'):format(i) end
    local path = process.temporary_file(table.concat(rows, "\n"))
    os.rename(path, path .. ".jsonl")
    local words = { "apply", path .. ".jsonl", "--yes", "--ledger", url, "--concurrency", "2" }
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 0.03, times = 40 } }
    local one, other = start(words), start(words)
    for _, child in ipairs { one, other } do
      local status, out = finish(child)
      assert.equal(0, status)
      assert.matches("^40 customers all there", out)
    end
    assert.same({ 40, 40 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
  end)

  it("goes on when the server is restarted in the middle", function()
    local client, url = clients.sandbox(), server:database()
    local restarted = false
    local summary = assert(provision.apply(client, customers(30), { ledger = url, concurrency = 2,
      on_step = function()
        if restarted then return end
        restarted = true
        server:restart()
      end }))
    assert.same({ 30, 90, true }, { summary.done, summary.created, restarted })
    assert.equal(30, sandbox:committed "create_org")
    assert.equal(60, sandbox:committed "create_user")
  end)

  it("takes over at once from a worker of this machine that was killed", function()
    local url = server:database()
    assert(provision.enqueue(clients.sandbox(), customers(6), { ledger = url }))
    sandbox:faults { { operation = "create_user", fault = "latency", seconds = 1, times = 6 } }
    local worker = start { "work", "--ledger", url, "--concurrency", "6" }
    for _ = 1, 400 do
      if #sandbox:requests "create_user" >= 6 then break end
      os.execute "sleep 0.02"
    end
    os.execute(("kill -9 %d"):format(worker.pid))
    local began = core.now()
    local result = assert(provision.work(clients.sandbox(), { ledger = url, drain = true }))
    assert.equal(6, result.done)
    assert.is_true(core.now() - began < 20, "it waited for the end of the lease")
    assert.same({ 6, 12 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
  end)

  it("writes nothing of a customer whose lease another has taken", function()
    local client, url, name = clients.sandbox(), server:database()
    local stolen
    sandbox:faults { { operation = "create_user", fault = "latency", seconds = 0.3, times = 1 } }
    local summary = assert(provision.apply(client, customers(1),
      { ledger = url, progress = function()
      if stolen or #sandbox:requests "create_user" == 0 then return end
      stolen = server:sql("UPDATE polytomic_customers SET lease = lease + 1, lease_owner = "
        .. "'elsewhere/1/2/3', lease_until = extract(epoch FROM clock_timestamp()) + 1", name)
    end }))
    assert.same({ 1, "" }, { summary.done, stolen })
    assert.equal("3\n", server:sql("SELECT lease FROM polytomic_customers", name))
    assert.same({ 1, 2 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
  end)

  local function new_ledger()
    local url, name = server:database()
    return url, function()
      return server:sql(stopped_worker.QUERIES[1], name)
        .. server:sql(stopped_worker.QUERIES[2], name)
    end
  end

  it("does nothing twice, and writes nothing of what was taken over from a stopped worker",
    function() stopped_worker.check_once(clients.sandbox(), new_ledger()) end)

  it("does not overwrite what was brought about while a worker was stopped", function()
    stopped_worker.check_newest(clients.sandbox(), new_ledger())
  end)

  it("leaves no session idle in a transaction, and none open at the end", function()
    local client, url, name = clients.sandbox(), server:database()
    local states
    assert(provision.apply(client, customers(3), { ledger = url, on_step = function()
      states = server:sql("SELECT count(*) FROM pg_stat_activity WHERE datname = '" .. name
        .. "' AND state LIKE 'idle in%'")
    end }))
    assert.equal("0\n", states)
    for _ = 1, 100 do
      states = server:sql("SELECT count(*) FROM pg_stat_activity WHERE datname = '" .. name .. "'")
      if states == "0\n" then break end
    end
    assert.equal("0\n", states)
  end)

  it("keeps a password of POLYTOMIC_LEDGER out of messages and the list of processes", function()
    local url = server:database():gsub("postgres@", "postgres:canary-password@")
    assert(provision.enqueue(clients.sandbox(), {}, { ledger = (url:gsub(":canary%-password",
      "")) }))
    local worker = start({ "work" }, { POLYTOMIC_LEDGER = url })
    for _ = 1, 400 do
      if #sandbox:requests "get_identity" > 0 then break end
      os.execute "sleep 0.02"
    end
    assert.not_matches("canary", process.contents(("/proc/%d/cmdline"):format(worker.pid)))
    os.execute(("kill -TERM %d"):format(worker.pid))
    assert.equal(0, worker:wait(20))
    local out, err = worker:output()
    assert.not_matches("canary", out .. err)
  end)

  it("names the server of POLYTOMIC_LEDGER that is not there, without its password", function()
    local path = process.temporary_file '{"name":"Acme"}\n'
    assert(os.rename(path, path .. ".jsonl"))
    local child = start({ "apply", path .. ".jsonl", "--yes" },
      { POLYTOMIC_LEDGER = "postgresql://me:canary@127.0.0.1:1/db" })
    assert.equal(3, child:wait(20))
    local out, err = child:output()
    assert.matches("host 127%.0%.0%.1:1, database db, user me", err)
    assert.not_matches("canary", out .. err)
  end)

  it("names host, database and user, and a way to learn more, where it cannot connect", function()
    local client, url = clients.sandbox(), server:database()
    local _, message, err = provision.apply(client, {}, {
      ledger = (url:gsub("/[%w_]+$", "/none")) })
    assert.equal("ledger", err.kind)
    assert.matches("%(host 127%.0%.0%.1:%d+, database none, user postgres%); psql 'postgresql://",
      message)
    assert.not_matches("\n", message)
  end)
end)
