-- What every event loop must do for polytomic: the same specs for cqueues, luv, copas and frames.
--
-- A host is { name =, wait =, run = function(threads) … end, ticker = function(seconds, tick,
-- running) … end }: `run` runs functions as coroutines of the loop until all have ended; `ticker`
-- is such a function's body that calls `tick()` every so often while `running()`. `outside` is what
-- the adapter says of a call that is made outside of them; nil where such a call blocks.

local assert = require "luassert"
local contains = require("spec.support.text").contains
local core = require "polytomic.core"
local measured = require "spec.support.measured"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"
local slow_server = require "spec.support.slow_server"

local M = {}

local CALLS = 64

-- A client that waits in `host` (nil: that blocks) for a server or the sandbox.
local function client_of(host, server, options)
  local all = {
    base_url = server.url,
    partner_key = server.partner_key or "partner-key-of-specs",
    env = false,
    max_connections = CALLS,
  }
  all.wait = host and host.wait
  for name, value in pairs(options or {}) do all[name] = value end
  return polytomic.new(all)
end

M.client_of = client_of

-- Runs `count` times `call(i)` beside a ticker; the seconds it took and the longest time between
-- two ticks.
local function beside_ticker(host, count, call)
  local left, last, longest = count, nil, 0
  local threads = { function()
    host.ticker(0.005, function()
      local now = core.now()
      if last then longest = math.max(longest, now - last) end
      last = now
    end, function() return left > 0 end)
  end }
  for i = 1, count do
    threads[i + 1] = function()
      call(i)
      left = left - 1
    end
  end
  local began = core.now()
  host.run(threads)
  return core.now() - began, longest
end

-- Defines the specs with busted's functions, since modules do not see them.
function M.specify(host, busted)
  local describe, it, before_each = busted.describe, busted.it, busted.before_each

  describe("polytomic.wait." .. host.name, function()
    before_each(function() sandbox:reset() end)

    it("lets 64 calls of 200 ms take as long as one, a ticker keeping beat #measured", function()
      local server = slow_server.start { delay = 0.2 }
      local client = client_of(host, server)
      measured.keeps(function()
        local took, longest = beside_ticker(host, CALLS, function()
          assert(client:create_org { name = "Acme" })
        end)
        return {
          { "calls at once", server:stats().peak, at_least = CALLS },
          -- 0.3 on a quiet machine
          { ("%s, seconds for %d calls of 200 ms"):format(host.name, CALLS), took, at_most = 0.6 },
          { "seconds between two ticks", longest, at_most = 0.1 },
        }
      end)
      client:close()
      server:stop()
    end)

    it("returns what blocking calls return, data and errors", function()
      local client = client_of(host, sandbox)
      local org, message, err
      host.run { function()
        org = client:create_org { name = "Acme" }
        message, err = select(2, client:create_org { name = "Acme" })
      end }
      assert.equal("Acme", org.name)
      assert.equal("conflict", err.kind)
      assert.equal(message, tostring(err))
      client:close()
    end)

    it("suspends through waits before a retry", function()
      local client = client_of(host, sandbox)
      sandbox:faults {
        { operation = "create_org", fault = "status", status = 503, retry_after = 1, times = 1 },
      }
      local response
      local took, longest = beside_ticker(host, 1, function()
        response = select(3, client:create_org { name = "Acme" })
      end)
      assert.equal(2, response.attempts)
      assert.is_true(took >= 0.9, took)
      assert.is_true(longest < 0.6, longest) -- between two ticks: 0.01 on a quiet machine
      sandbox:assert_all_faults_consumed()
      client:close()
    end)

    it("wakes a caller whose call another cancels, or whose client another closes", function()
      local server = slow_server.start { delay = 5 }
      local client = client_of(host, server)
      local other = client_of(host, server)
      local kinds = {}
      local began = core.now()
      host.run {
        function() kinds[1] = select(3, client:create_org { name = "Acme" }).kind end,
        function() kinds[2] = select(3, other:create_org { name = "Acme" }).kind end,
        function()
          local call = client:start("create_org", { name = "Initech" }, { timeout = 0.1 })
          while not call:done() do host.wait(client, call) end
          kinds[3] = select(3, call:result()).kind
          client:close()
          other:close()
        end,
      }
      assert.same({ "closed", "closed", "timeout" }, kinds)
      assert.is_true(core.now() - began < 3)
      server:stop()
    end)

    it("serves clients that share connections, and one that is used again after a rest", function()
      local client = client_of(host, sandbox)
      local served = 0
      for round = 1, 2 do
        host.run { function()
          local org = assert(client:create_org { name = "Acme " .. round })
          assert.equal(org.name, assert(client:as_org(org.id):get_current_org()).name)
          served = served + 1
        end, function()
          assert(client:create_org { name = "Initech " .. round })
          served = served + 1
        end }
      end
      assert.equal(4, served)
      client:close()
    end)

    it("runs batches, several at once", function()
      local server = slow_server.start { delay = 0.05 }
      local client = client_of(host, server)
      local counts = {}
      local took = beside_ticker(host, 2, function(i)
        local list = {}
        for k = 1, 40 do list[k] = { name = "Acme " .. k } end
        list[3] = { name = 3 }
        local results, failures = client:batch("create_org", list, { concurrency = 20 })
        counts[i] = { #results, #failures, failures[1].index }
      end)
      assert.same({ { 40, 1, 3 }, { 40, 1, 3 } }, counts)
      assert.is_true(took < 1, took)
      assert.is_true(server:stats().peak > 20, server:stats().peak) -- 40 on a quiet machine
      client:close()
      server:stop()
    end)

    it("brings customers about beside other calls", function()
      local client = client_of(host, sandbox)
      local list = {}
      for i = 1, 10 do list[i] = { name = "Acme " .. i, users = { { email = "a@acme.com" } } } end
      -- Where there is no database for this Lua they are only planned
      local ledger = pcall(require, "dbd.sqlite3")
        and "sqlite:" .. process.temporary_file(nil, "ledger")
      local counts, summary, name
      host.run { function()
        counts = select(2, assert(provision.plan(client, list)))
        if ledger then
          summary = assert(provision.apply(client, list, { ledger = ledger, concurrency = 4 }))
        end
      end, function() name = assert(client:create_org { name = "Initech" }).name end }
      assert.same({ 20, "Initech" }, { counts.changes, name })
      if ledger then assert.same({ 10, 20 }, { summary.done, summary.created }) end
      client:close()
    end)

    it("walks pages", function()
      local client = client_of(host, sandbox)
      local emails = {}
      host.run { function()
        local org = assert(client:create_org { name = "Acme" })
        for i = 1, 3 do
          assert(client:create_user { org_id = org.id, email = "u" .. i .. "@acme.com" })
        end
        for user in client:each("list_users", { org_id = org.id }) do
          emails[#emails + 1] = user.email
        end
      end }
      assert.equal(3, #emails)
      client:close()
    end)

    if not host.outside then return end

    it("a call outside a coroutine says what to do, and sends nothing", function()
      local client = client_of(host, sandbox)
      local line = debug.getinfo(1, "l").currentline + 2
      local ok, message = pcall(function()
        local org = client:create_org { name = "Acme" }
        return org
      end)
      assert.is_false(ok)
      local expected = ("loops.lua:%d: polytomic.wait.%s %s"):format(line, host.name, host.outside)
      contains(message, expected)
      client:step(0)
      assert.same({}, sandbox:requests())
      client:close()
    end)
  end)
end

-- Runs an example with this interpreter against the sandbox; its output.
function M.run_example(path)
  sandbox:reset()
  local status, out, err = process.run({ process.interpreter(), path }, {
    env = process.environment { POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url },
  })
  assert.equal(0, status, out .. err)
  return out
end

return M
