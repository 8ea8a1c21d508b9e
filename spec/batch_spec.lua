-- client:batch: many calls of one operation, in order, several at once, slower where the server
-- asks for it.
-- Takes: 8 s

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local core = require "polytomic.core"
local measured = require "spec.support.measured"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local slow_server = require "spec.support.slow_server"

local UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"

local function named(count, prefix)
  local list = {}
  for i = 1, count do list[i] = { name = (prefix or "Acme ") .. i } end
  return list
end

local function client_of(server, options)
  local all = { base_url = server.url, partner_key = "partner-key-of-specs", env = false,
    max_connections = 64 }
  for name, value in pairs(options or {}) do all[name] = value end
  return polytomic.new(all)
end

clients.around(before_each, after_each)

describe("A batch", function()
  it("returns the data of every item in order, and no failures", function()
    local client = clients.sandbox()
    local results, failures = client:batch("create_org", named(40))
    assert.equal(40, #results)
    for i = 1, 40 do assert.equal("Acme " .. i, results[i].name) end
    assert.same({}, failures)
    assert.equal(40, sandbox:committed("create_org"))
  end)

  it("returns two empty tables for an empty list", function()
    local results, failures = clients.sandbox():batch("create_org", {})
    assert.same({ {}, {} }, { results, failures })
  end)

  it("gives false and a failure for each item that fails, in order, and carries on", function()
    local client = clients.sandbox()
    local list = { { name = "One" }, { name = 2 }, { name = "Three" }, { name = "One" },
      { name = "Five", colour = "red" }, { name = "Six" } }
    local results, failures = client:batch("create_org", list, { concurrency = 1 })
    local outcome = {}
    for i = 1, 6 do outcome[i] = results[i] and results[i].name end
    assert.same({ "One", false, "Three", false, false, "Six" }, outcome)
    local told = {}
    for i, failure in ipairs(failures) do
      told[i] = { failure.index, failure.err.kind, failure.err.field }
    end
    assert.same({ { 2, "invalid", "name" }, { 4, "conflict" }, { 5, "invalid", "colour" } }, told)
    for _, failure in ipairs(failures) do assert.equal(failure.message, tostring(failure.err)) end
  end)

  it("ends its calls under way too when the client is closed", function()
    local server = slow_server.start { delay = 0.05 }
    local client = client_of(server)
    local _, failures =
      client:batch("create_org", named(8), { concurrency = 4, on_result = function(i)
        if i <= 4 then client:close() end
      end })
    -- The first four may all be there at once
    assert.is_true(#failures >= 4 and #failures <= 7, #failures)
    for _, failure in ipairs(failures) do assert.equal("closed", failure.err.kind) end
    server:stop()
  end)

  it("makes as many calls at once as asked, sixteen by default", function()
    local server = slow_server.start { delay = 0.05 }
    local client = client_of(server)
    for _, concurrency in ipairs { 1, 5, false } do
      local before = server:stats().requests
      client:batch("create_org", named(concurrency == 1 and 4 or 48),
        { concurrency = concurrency or nil })
      local stats = server:stats()
      assert.equal(concurrency or 16, stats.peak)
      assert.equal(concurrency == 1 and 4 or 48, stats.requests - before)
    end
    server:stop()
  end)

  it("takes the time of its items divided by its concurrency #measured", function()
    local server = slow_server.start { delay = 0.1 }
    local client = client_of(server)
    client:batch("create_org", named(32), { concurrency = 32 })
    measured.keeps(function()
      local began = core.now()
      client:batch("create_org", named(96), { concurrency = 32 })
      return { { "seconds for 96 calls of 100 ms, 32 at once", core.now() - began, at_most = 0.6 } }
    end)
    server:stop()
  end)

  it("hands its options to every call", function()
    local client, server = clients.answered { { 200, { data = { id = UUID } } } }
    local _, failures = client:batch("create_org", named(3),
      { concurrency = 1, options = { idempotency_key = false, headers = { ["X-Import"] = "7" } } })
    assert.same({}, failures)
    for _, request in ipairs(server:requests()) do
      assert.equal("7", request.headers["x-import"])
      assert.is_nil(request.headers["idempotency-key"])
    end
  end)

  it("gives every call a key of its own", function()
    local client = clients.sandbox()
    client:batch("create_org", named(10))
    local keys, count = {}, 0
    for _, request in ipairs(sandbox:requests "create_org") do
      local key = request.headers["idempotency-key"]
      if not keys[key] then count = count + 1 end
      keys[key] = true
    end
    assert.equal(10, count)
  end)

  it("takes its arguments from a function as it needs them", function()
    local client = clients.sandbox()
    local asked = 0
    local results, failures = client:batch("create_org", function(i)
      asked = i
      if i <= 20 then return { name = "Acme " .. i } end
    end, { concurrency = 4 })
    assert.equal(21, asked)
    assert.same({}, failures)
    for i = 1, 20 do assert.equal("Acme " .. i, results[i].name) end
  end)

  it("works for operations that return nothing, and for lists", function()
    local client = clients.sandbox()
    local orgs = client:batch("create_org", named(3))
    local lists = client:batch("list_users", { { org_id = orgs[1].id }, { org_id = orgs[2].id } })
    assert.same({ {}, {} }, lists)
    local removed, failures =
      client:batch("delete_org", { { id = orgs[1].id }, { id = orgs[3].id } })
    assert.same({ { true, true }, {} }, { removed, failures })
  end)
end)

describe("on_result", function()
  it("is called for every item once, as it ends, and its data is kept nowhere else", function()
    local client = clients.sandbox()
    local list = named(20)
    list[7] = { name = 7 }
    local told, count = {}, 0
    local results, failures = client:batch("create_org", list, { on_result = function(...)
      local index, data, message, err = ...
      assert.equal(4, select("#", ...))
      assert.is_nil(told[index])
      told[index] = { data and data.name, message, err }
      count = count + 1
    end })
    assert.equal(20, count)
    for i = 1, 20 do
      if i == 7 then
        assert.same({ nil, failures[1].message, failures[1].err }, told[7])
        assert.is_false(results[7])
      else
        assert.same({ "Acme " .. i }, told[i])
        assert.is_true(results[i])
      end
    end
  end)

  it("may make calls and batches of its own", function()
    local client = clients.sandbox()
    local users = 0
    local _, failures =
      client:batch("create_org", named(6), { concurrency = 3, on_result = function(i, org)
        assert(client:create_user { org_id = org.id, email = "first" .. i .. "@acme.com" })
        local made = client:batch("create_user", { { org_id = org.id,
          email = "a" .. i .. "@acme.com" }, { org_id = org.id, email = "b" .. i .. "@acme.com" } })
        users = users + 1 + #made
      end })
    assert.same({}, failures)
    assert.equal(18, users)
    assert.equal(18, sandbox:committed("create_user"))
  end)

  it("reports the calls under way when on_event raises, and starts no others", function()
    local raised, told = 0, {}
    local client = clients.sandbox { on_event = function()
      raised = raised + 1
      error { reason = "a broken monitor", number = raised }
    end }
    local ok, problem = pcall(function()
      client:batch("create_org", named(8), { concurrency = 4, on_result = function(i, data, message)
        told[i] = data and data.name or message
      end })
    end)
    assert.is_false(ok)
    assert.same({ reason = "a broken monitor", number = 1 }, problem)
    assert.equal(4, #sandbox:requests())
    assert.same({ "Acme 1", "Acme 2", "Acme 3", "Acme 4" }, told)
    assert.equal(0, client:stats().active)
  end)

  it("that raises ends the batch and cancels the calls under way; the client goes on", function()
    local server = slow_server.start { delay = 0.05 }
    local client = client_of(server)
    local count = 0
    local ok, message =
      pcall(client.batch, client, "create_org", named(50), { concurrency = 4, on_result = function()
        count = count + 1
        if count == 2 then error("the disk is full", 0) end
      end })
    assert.is_false(ok)
    assert.equal("the disk is full", message)
    assert.equal(0, client:step(0))
    assert.is_true(server:stats().requests <= 8)
    assert.equal(3, #client:batch("create_org", named(3)))
    server:stop()
  end)

  it("may close the client: what is left fails as closed", function()
    local client = clients.sandbox()
    local results, failures =
      client:batch("create_org", named(8), { concurrency = 1, on_result = function(i)
        if i == 2 then client:close() end
      end })
    assert.same({ true, true, false, false, false, false, false, false }, results)
    for _, failure in ipairs(failures) do assert.equal("closed", failure.err.kind) end
  end)

  it("keeps memory flat", function()
    local server = slow_server.start { delay = 0 }
    local client = client_of(server)
    local count, middle = 0, nil
    local function in_use()
      for _ = 1, 6 do collectgarbage() end -- what finalizers hold goes in later rounds
      return collectgarbage "count"
    end
    client:batch("create_org", function(i)
      return i <= 3000 and { name = ("x"):rep(500) } or nil
    end, { concurrency = 8, on_result = function()
      count = count + 1
      if count == 500 then middle = in_use() end
    end })
    local last = in_use()
    assert.equal(3000, count)
    -- 2500 trues take 40 to 64 KB, and 40 more where they came out of order; names alone 1250
    assert.is_true(last < middle + 150,
      ("%.0f KB at 500 items, %.0f KB at 3000"):format(middle, last))
    server:stop()
  end)
end)

describe("A batch that is asked to slow down", function()
  it("finds how many calls the server takes at once, and finishes all", function()
    local server = slow_server.start { delay = 0.02, limit = 4 }
    local client = client_of(server)
    local _, failures = client:batch("create_org", named(200), { concurrency = 32 })
    assert.same({}, failures)
    local stats = server:stats()
    assert.is_true(stats.refused > 0 and stats.refused < 100, stats.refused)
    server:stop()
  end)

  it("repeats what was answered 429 before anything else, whatever `retries` says", function()
    sandbox:faults {
      { operation = "create_org", fault = "status", status = 429, retry_after = 0, times = 12 },
    }
    local client = clients.sandbox { retries = 0 }
    local _, failures = client:batch("create_org", named(4), { concurrency = 1 })
    assert.same({}, failures)
    local keys = {}
    for _, request in ipairs(sandbox:requests "create_org") do
      keys[#keys + 1] = request.headers["idempotency-key"]
    end
    assert.equal(16, #keys)
    for index = 2, 13 do assert.equal(keys[1], keys[index]) end
    assert.not_equal(keys[13], keys[14])
    assert.equal(500, client:stats().retry_tokens)
  end)

  it("gives an item that is answered 429 all of its own time, and no more", function()
    local client, server = clients.answered({ { 429, "{}", { ["Retry-After"] = "0" } } }, {
      timeout = 0.5,
    })
    local _, failures = client:batch("get_org", { { id = UUID }, { id = UUID } })
    assert.equal(2, #failures)
    for _, failure in ipairs(failures) do
      -- The deadline ends a wait or, now and then, the attempt after it.
      local attempts = failure.err.attempts
      local late = failure.err.kind == "timeout" and 1 or 0
      assert.equal(late == 1 and "timeout" or "rate_limited", failure.err.kind)
      assert.equal(late == 1 and "unknown" or "rejected", failure.err.outcome)
      assert.is_true(attempts > 5)
      assert.equal(attempts, #failure.err.timeline)
      for index = 1, attempts - late do
        assert.equal(429, failure.err.timeline[index].status)
      end
    end
    assert.is_true(#server:requests() > 10 and #server:requests() <= 2 * 18)
  end)

  it("counts other failures against `retries` as ever", function()
    local limited, broken = { 429, "{}", { ["Retry-After"] = "0" } },
      { 503, "{}", { ["Retry-After"] = "0" } }
    local client, server =
      clients.answered({ limited, broken, limited, broken, limited, broken }, { retries = 1 })
    local _, failures = client:batch("get_org", { { id = UUID } })
    assert.same({ 503, 4 }, { failures[1].err.status, failures[1].err.attempts })
    assert.equal(4, #server:requests())
  end)

  it("says so in its progress, until it is back at its full number", function()
    sandbox:faults { { operation = "create_org", fault = "status", status = 429, times = 1 } }
    local states = {}
    clients.sandbox():batch("create_org", named(30), {
      concurrency = 2,
      progress = function(state) states[#states + 1] = state end,
    })
    local slowed = 0
    for _, state in ipairs(states) do
      if state.slowed then slowed = slowed + 1 end
    end
    assert.is_true(slowed > 0)
    assert.is_false(states[#states].slowed)
  end)

  it("spends the client's one retry budget, not one for each item", function()
    local client, server = clients.answered({ 503 }, { retries = 4, timeout = 30 })
    local _, failures = client:batch("get_org", (function()
      local list = {}
      for i = 1, 150 do list[i] = { id = UUID } end
      return list
    end)(), { concurrency = 50 })
    assert.equal(150, #failures)
    assert.is_true(client:stats().retry_tokens < 10)
    assert.equal(150 + 100, #server:requests()) -- 500 tokens, 5 for each retry
  end)
end)

describe("control", function()
  it("gets a cancel that ends the batch: calls under way and the rest fail as cancelled", function()
    local server = slow_server.start { delay = 0.1 }
    local client = client_of(server)
    local control = {}
    local results, failures = client:batch("create_org", named(100),
      { concurrency = 10, control = control, on_result = function(i)
        if i == 3 then control.cancel() end
      end })
    assert.is_true(results[3])
    assert.is_true(#failures >= 90 and #failures < 100)
    local outcomes = {}
    for i, failure in ipairs(failures) do
      assert.equal("cancelled", failure.err.kind)
      outcomes[failure.err.outcome] = (outcomes[failure.err.outcome] or 0) + 1
      assert.is_true(i == 1 or failures[i - 1].index < failure.index)
    end
    assert.is_true(outcomes.unsent >= 80)
    assert.is_true(server:stats().requests <= 20)
    assert.equal(0, client:step(0))
    server:stop()
  end)
end)

describe("control", function()
  it("keeps what was done so far where an error ends the batch", function()
    local control, seen = {}, {}
    local ok, message = pcall(function()
      clients.sandbox():batch("create_org", named(20), {
        concurrency = 2,
        control = control,
        on_result = function(index)
          seen[#seen + 1] = index
          if #seen == 5 then error("enough", 0) end
        end,
      })
    end)
    assert.same({ false, "enough" }, { ok, message })
    for number = 1, 4 do assert.is_true(control.results[seen[number]]) end
    assert.same({}, control.failures)
  end)
end)

describe("progress", function()
  it("reports count, rate, failures and the time that is left to a function", function()
    local server = slow_server.start { delay = 0.03 }
    local client = client_of(server)
    local list = named(60)
    list[1] = { name = 1 }
    local states = {}
    client:batch("create_org", list, { concurrency = 4, progress = function(state)
      states[#states + 1] = state
    end })
    assert.is_true(#states >= 3, #states)
    for i, state in ipairs(states) do
      assert.same({ "create_org", 60, 1 }, { state.operation, state.total, state.failures })
      assert.is_true(state.done >= (i > 1 and states[i - 1].done or 0))
      assert.is_true(state.rate > 0 and state.eta >= 0)
    end
    assert.same({ 60, 0 }, { states[#states].done, states[#states].eta })
    server:stop()
  end)

  local script = [[
    local client = require "polytomic".new { base_url = arg[1], partner_key = arg[2], env = false }
    local list = {}
    for i = 1, 30 do list[i] = { name = i == 5 and 5 or "Acme " .. i } end
    client:batch("create_org", list, { concurrency = 4, progress = true })
  ]]

  it("is one line on a terminal", function()
    local file = process.temporary_file(script)
    local line = ("%s %s %s %s"):format(process.interpreter(), process.quote(file), sandbox.url,
      sandbox.partner_key)
    local status, out =
      process.run({ "script", "-qec", line, "/dev/null" }, { env = process.environment() })
    assert.equal(0, status, out)
    assert.truthy(out:find("\rcreate_org: 30/30, %d+%.%d/s, 1 failed, 0%.0 s left\27%[K"
      .. "\r\27%[Kcreate_org: 29 done, 1 failed, in %d+%.%d s\r?\n$"), out)
  end)

  it("is silent where standard error is no terminal", function()
    local file = process.temporary_file(script)
    local status, out, err = process.run({ process.interpreter(), file, sandbox.url,
      sandbox.partner_key }, { env = process.environment() })
    assert.same({ 0, "", "" }, { status, out, err })
  end)
end)

describe("examples/bulk.lua", function()
  it("runs", function()
    local status, out, err = process.run({ process.interpreter(), "examples/bulk.lua" }, {
      env = process.environment { POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
        POLYTOMIC_DEPLOYMENT_URL = sandbox.url },
    })
    assert.equal(0, status, out .. err)
    contains(out, "100 users, 0 failures, the last is user100@acme.com")
  end)
end)

describe("Usage of a batch that makes no sense raises at the caller's line", function()
  local client
  before_each(function() client = clients.sandbox() end)

  local function raises(text, call)
    local message = clients.raised(call)
    contains(message, text)
  end

  it("for a wrong operation, list or item", function()
    raises("use a colon", function() client.batch("create_org", {}) end)
    raises("did you mean 'create_org'", function() client:batch("create_orgs", {}) end)
    raises("the operation's name must be a string", function() client:batch(nil, {}) end)
    raises("the list of arguments must be a table or a function, got nil", function()
      client:batch("create_org")
    end)
    raises("arguments 2 must be a table, got string", function()
      client:batch("create_org", { { name = "Acme" }, "Initech" })
    end)
    raises("must be a list, but has the key 'name'", function()
      client:batch("create_org", { name = "Acme" })
    end)
    raises("has a hole: there is nothing at 2", function()
      client:batch("create_org", { { name = "Acme" }, nil, { name = "Initech" } })
    end)
    assert.same({}, sandbox:requests())
  end)

  it("for wrong options", function()
    raises("options must be a table", function() client:batch("create_org", {}, 5) end)
    raises("unknown option 'concurency'", function()
      client:batch("create_org", {}, { concurency = 5 })
    end)
    for _, bad in ipairs { 0, -1, 1.5 } do
      raises("concurrency must be a whole number", function()
        client:batch("create_org", {}, { concurrency = bad })
      end)
    end
    raises("concurrency must be a number", function()
      client:batch("create_org", {}, { concurrency = "5" })
    end)
    raises("on_result must be a function", function()
      client:batch("create_org", {}, { on_result = true })
    end)
    raises(
      "the same for every call",
      function()
        client:batch("create_org", {}, { options = { idempotency_key = "import-4711" } })
      end
    )
    raises("unknown option 'retry'", function()
      client:batch("create_org", { { name = "Acme" } }, { options = { retry = 1 } })
    end)
    assert.same({}, sandbox:requests())
  end)
end)

describe("A batch of a client with wait", function()
  it("asks any wait that looks at nothing but call:done()", function()
    local client = clients.sandbox { wait = function(one, call)
      while not call:done() do
        one:step(0)
        coroutine.yield()
      end
    end }
    local turns, results, failures = 0, nil, nil
    local thread = coroutine.create(function()
      results, failures = client:batch("create_org", named(20), { concurrency = 5 })
    end)
    while coroutine.status(thread) ~= "dead" do
      assert(coroutine.resume(thread))
      turns = turns + 1
    end
    assert.is_true(turns > 1)
    assert.same({}, failures)
    for i = 1, 20 do assert.equal("Acme " .. i, results[i].name) end
  end)

  it("asks it again where it came back too early", function()
    local client = clients.sandbox { wait = function(one) one:step(0.01) end }
    local results = client:batch("create_org", named(10), { concurrency = 5 })
    assert.equal("Acme 10", results[10].name)
  end)

  it("raises usage at the caller's line as well", function()
    local client = clients.sandbox { wait = function(one) one:step(0.01) end }
    local message = clients.raised(
      function() client:batch("create_org", { { name = "Acme" } }, { options = { retry = 1 } }) end
    )
    contains(message, "unknown option 'retry'")
  end)
end)

