-- Calls that block nobody: started, stepped, polled, cancelled; and the `wait` hook.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local core = require "polytomic.core"
local luasocket = require "socket"
local measured = require "spec.support.measured"
local polytomic = require "polytomic"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local reply = raw_server.reply
local OK = reply(200, { data = { id = "248df4b7-aa70-47b8-a036-33ac447e668d", name = "Acme" } })

local server

-- A client of a scripted server.
local function client_of(script, options)
  if server then server:stop() end
  server = raw_server.start { script = script }
  local all = { base_url = server.url, partner_key = "partner-key-of-specs", env = false }
  for name, value in pairs(options or {}) do all[name] = value end
  return polytomic.new(all)
end

-- Steps until `done()`, at most five seconds.
local function drive(client, done)
  local deadline = core.now() + 5
  while not done() do
    assert(core.now() < deadline, "it never came to an end")
    client:step(0.05)
  end
end

local function finish(client, call)
  drive(client, function() return call:done() end)
  return call:result()
end

-- Whether the client's descriptor becomes readable within `seconds`.
local function readable(client, seconds)
  local descriptor = client:pollfd()
  local ready = luasocket.select(
    { { getfd = function() return descriptor end, dirty = function() return false end } },
    nil,
    seconds
  )
  return #ready > 0
end

before_each(function() sandbox:reset() end)
after_each(function()
  clients.close()
  if server then server:stop() end
  server = nil
  sandbox:assert_all_faults_consumed()
end)

describe("A started call", function()
  it("sends nothing before a step", function()
    local client = client_of { per = "request", OK }
    local call = client:start("create_org", { name = "Acme" })
    assert.is_false(call:done())
    assert.equal(0, server:connections())
    assert.equal("Acme", (finish(client, call)).name)
    assert.equal(1, server:connections())
  end)

  it("is done when its reply is there, and gives its result as often as it is asked", function()
    local client = clients.sandbox()
    local call = client:start("create_org", { name = "Acme" })
    assert.equal(0, select("#", call:result()))
    local org, message, response = finish(client, call)
    assert.equal("Acme", org.name)
    assert.is_nil(message)
    assert.equal(200, response.status)
    local again, _, response_again = call:result()
    assert.equal(org, again)
    assert.equal(response, response_again)
  end)

  it("reports failure as nil, message, err", function()
    local client = clients.sandbox()
    local org, message, err =
      finish(client, client:start("get_org", { id = "248df4b7-aa70-47b8-a036-33ac447e668d" }))
    assert.is_nil(org)
    assert.equal("not_found", err.kind)
    assert.equal(message, tostring(err))
  end)

  it("is done at once where its arguments are refused", function()
    local client = clients.sandbox()
    local call = client:start("create_org", { name = 5 })
    assert.is_true(call:done())
    local _, _, err = call:result()
    assert.same({ "invalid", "name", "unsent" }, { err.kind, err.field, err.outcome })
    assert.same({}, sandbox:requests())
  end)

  it("raises for bad usage where it is started", function()
    local client = clients.sandbox()
    contains(clients.raised(function() client:start("create_orgs", {}) end),
      "did you mean 'create_org'")
    contains(clients.raised(function() client:start("create_org") end),
      "arguments must be a table")
    contains(clients.raised(function() client:start() end), "operation's name")
    contains(clients.raised(function()
      client:start("create_org", { name = "x" }, { retry = 1 })
    end), "retry")
  end)

  it("shows its operation and its state", function()
    local client = clients.sandbox()
    local call = client:start("create_org", { name = "Acme" })
    assert.equal("polytomic.call (create_org, queued)", tostring(call))
    finish(client, call)
    assert.equal("polytomic.call (create_org, done)", tostring(call))
  end)

  it("outlives the variable it was kept in, and its client's", function()
    local call = clients.sandbox():start("create_org", { name = "Acme" })
    local client = clients.sandbox()
    collectgarbage()
    collectgarbage()
    assert.equal("Initech", (finish(client, client:start("create_org", { name = "Initech" }))).name)
    assert.is_false(call:done())
  end)
end)

describe("step", function()
  it("says how many calls are active", function()
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 0.1, times = 5 } }
    local client = clients.sandbox()
    assert.equal(0, client:step(0))
    local calls = {}
    for i = 1, 5 do calls[i] = client:start("create_org", { name = "Acme " .. i }) end
    assert.equal(5, client:step(0))
    drive(client, function() return client:step(0.01) == 0 end)
    for i = 1, 5 do assert.equal("Acme " .. i, (calls[i]:result()).name) end
  end)

  it("waits no longer than asked, and not at all where nothing is active #measured", function()
    local client = client_of { { "read", "stall" } }
    local began = core.now()
    client:step(5)
    assert.is_true(core.now() - began < 1)
    client:start("create_org", { name = "Acme" })
    drive(client, function() return server:await("requests", 1, 0) end)
    began = core.now()
    assert.equal(1, client:step(0.2))
    local took = core.now() - began
    assert.is_true(took >= 0.1 and took < 1, took)
    measured.keeps(function()
      began = core.now()
      for _ = 1, 100 do client:step(0) end
      return { { "seconds for 100 steps that do not wait", core.now() - began, at_most = 0.1 } }
    end)
  end)

  it("comes back as soon as something happened", function()
    local client = client_of { { "read", { wait = "now" }, { send = OK } } }
    local call = client:start("create_org", { name = "Acme" })
    drive(client, function() return server:await("requests", 1, 0) end)
    server:release "now"
    local began = core.now()
    repeat client:step(5) until call:done()
    assert.is_true(core.now() - began < 2)
  end)

  it("drives the calls of every client that shares the connections", function()
    local client = clients.sandbox()
    local org = assert(client:create_org { name = "Acme" })
    sandbox:faults { { operation = "get_current_org", fault = "latency", seconds = 0.1,
      times = 1 } }
    local shared = client:as_org(org.id)
    local call = shared:start("get_current_org")
    assert.equal(1, client:step(0))
    assert.equal("Acme", (finish(client, call)).name)
  end)

  it("refuses what is no time", function()
    local client = clients.sandbox()
    for _, bad in ipairs { -1, 1 / 0, 0 / 0, "1" } do
      assert.truthy(clients.raised(function() client:step(bad) end):find("^step: seconds must be"))
    end
  end)

  it("queues calls past max_connections, and begins them as others end", function()
    local client = client_of({ per = "request", { { wait = "now" }, { send = OK } } },
      { max_connections = 2 })
    local calls = {}
    for i = 1, 5 do calls[i] = client:start("create_org", { name = "Acme" }) end
    drive(client, function() return server:await("requests", 2, 0) end)
    local stats = client:stats()
    assert.same({ 2, 3 }, { stats.active, stats.queued })
    assert.equal(5, client:step(0))
    server:release "now"
    for _, call in ipairs(calls) do assert.equal("Acme", (finish(client, call)).name) end
    assert.equal(2, server:connections())
  end)

  it("ends a call in the queue at its deadline", function()
    local client = client_of({ { "read", "stall" } }, { max_connections = 1 })
    local first = client:start("create_org", { name = "Acme" })
    local second = client:start("create_org", { name = "Initech" }, { timeout = 0.1 })
    local _, message, err = finish(client, second)
    assert.same({ "timeout", "unsent" }, { err.kind, err.outcome })
    contains(message, "no connection was free")
    assert.is_false(first:done())
    first:cancel()
  end)

  it("leaves the rest to a blocking call once it opened all the TLS connections it may", function()
    local tls = sandbox.tls():reset()
    local client = polytomic.new {
      base_url = tls.url,
      ca_file = tls.ca_file,
      partner_key = tls.partner_key,
      env = false,
    }
    local calls = {}
    for i = 1, 4 do calls[i] = client:start("create_org", { name = "Acme " .. i }) end
    client:step(0)
    assert.equal("Initech", assert(client:create_org { name = "Initech" }).name)
    for i = 1, 4 do assert.equal("Acme " .. i, (finish(client, calls[i])).name) end
    client:close()
  end)

  it("begins no more connections at once than a frame has time for #measured", function()
    measured.keeps(function()
      local client = client_of({ per = "request", OK }, { max_connections = 200 })
      local calls = {}
      for i = 1, 200 do calls[i] = client:start("create_org", { name = "Acme" }) end
      local longest, active = 0, 200
      while active > 0 do
        local began = os.clock()
        active = client:step(0)
        longest = math.max(longest, os.clock() - began)
      end
      for _, call in ipairs(calls) do assert.equal("Acme", (call:result()).name) end
      return {
        { "200 calls at once: processor seconds of the worst step", longest, at_most = 0.02 },
      }
    end)
  end)
end)

describe("pollfd, events and timeout", function()
  it("are one lasting descriptor, \"r\", and nothing to wait for while idle", function()
    local client = clients.sandbox()
    local descriptor = client:pollfd()
    assert.is_number(descriptor)
    assert.equal("r", client:events())
    assert.is_nil(client:timeout())
    assert.is_false(readable(client, 0))
    assert(client:create_org { name = "Acme" })
    assert.equal(descriptor, client:pollfd())
    assert.is_nil(client:timeout())
  end)

  it("carry a call to its end by themselves", function()
    local client = clients.sandbox()
    local call = client:start("create_org", { name = "Acme" })
    while not call:done() do
      assert.is_true(readable(client, 5))
      client:step(0)
    end
    assert.equal("Acme", (call:result()).name)
    assert.is_false(readable(client, 0.05))
  end)

  it("report the end of a wait before a retry", function()
    sandbox:faults {
      { operation = "create_org", fault = "status", status = 503, retry_after = 1, times = 1 },
    }
    local client = clients.sandbox()
    local call = client:start("create_org", { name = "Acme" })
    local began = core.now()
    local longest = 0
    while not call:done() do
      longest = math.max(longest, client:timeout())
      assert.is_true(readable(client, 5))
      client:step(0)
    end
    assert.is_true(core.now() - began >= 0.9)
    assert.is_true(longest > 0.5 and longest <= 30, longest)
    assert.equal(2, (select(3, call:result())).attempts)
  end)

  it("report a call that was cancelled, where somebody watches it", function()
    local client = client_of { { "read", "stall" } }
    local call = client:start("create_org", { name = "Acme" })
    drive(client, function() return server:await("requests", 1, 0) end)
    core.watch(client, call)
    assert.is_false(readable(client, 0))
    call:cancel()
    assert.is_true(readable(client, 1))
    assert.equal(0, client:timeout())
    assert.equal(call, core.next_done(client))
    client:step(0)
    assert.is_false(readable(client, 0))
  end)

  it("fall silent when the last call ends, however it ends", function()
    local client = client_of { { "read", "stall" } }
    client:pollfd()
    for _ = 1, 3 do
      local call = client:start("create_org", { name = "Acme" }, { attempt_timeout = 0.1 })
      client:step(0.01)
      call:cancel()
      client:step(0)
      assert.is_nil(client:timeout())
      assert.is_false(readable(client, 0.15))
    end
  end)

  it("are nothing after close", function()
    local client = clients.sandbox()
    client:pollfd()
    client:close()
    assert.is_nil(client:pollfd())
    assert.is_nil(client:timeout())
    assert.equal(0, client:step(1))
  end)
end)

describe("cancel", function()
  local function cancelled(call, outcome)
    assert.is_true(call:done())
    local data, message, err = call:result()
    assert.is_nil(data)
    assert.same({ "cancelled", outcome }, { err.kind, err.outcome })
    contains(message, "cancelled")
  end

  it("ends a call in the queue, of which nothing was sent", function()
    local client = clients.sandbox()
    local call = client:start("create_org", { name = "Acme" })
    call:cancel()
    cancelled(call, "unsent")
    assert.equal(0, client:step(0))
    assert.same({}, sandbox:requests())
  end)

  it("ends a call in transfer, which may have been carried out, and its connection", function()
    local client = client_of { { "read", "stall" }, { "read", { send = OK } } }
    local call = client:start("create_org", { name = "Acme" })
    drive(client, function() return server:await("requests", 1, 0) end)
    call:cancel()
    cancelled(call, "unknown")
    assert.equal("Acme", (client:create_org { name = "Acme" }).name)
    assert.is_true(server:await("closed", 1))
    assert.equal(2, server:connections())
  end)

  it("ends a wait before a retry, after the server refused", function()
    local client = client_of { per = "request", reply(503, "", { ["Retry-After"] = 20 }) }
    local call = client:start("get_org", { id = "248df4b7-aa70-47b8-a036-33ac447e668d" })
    drive(client, function() return tostring(call):find("waiting to retry", 1, true) end)
    assert.equal(1, client:stats().attempts)
    call:cancel()
    cancelled(call, "rejected")
  end)

  it("makes room for the next call in the queue", function()
    local client = client_of({ { "read", "stall" }, { "read", { send = OK } } },
      { max_connections = 1 })
    local first = client:start("create_org", { name = "Acme" })
    local second = client:start("create_org", { name = "Initech" })
    drive(client, function() return server:await("requests", 1, 0) end)
    first:cancel()
    assert.equal("Acme", (finish(client, second)).name)
  end)

  it("does nothing to a call that is done, and may be repeated", function()
    local client = clients.sandbox()
    local call = client:start("create_org", { name = "Acme" })
    finish(client, call)
    call:cancel()
    assert.equal("Acme", (call:result()).name)
    local other = client:start("create_org", { name = "Initech" })
    other:cancel()
    other:cancel()
    cancelled(other, "unsent")
  end)
end)

describe("close", function()
  it("ends every call of the client and says why", function()
    local client = client_of({ { "read", "stall" } }, { max_connections = 1 })
    local calls = {
      client:start("create_org", { name = "Acme" }),
      client:start("create_org", { name = "Initech" }),
    }
    drive(client, function() return server:await("requests", 1, 0) end)
    client:close()
    for index, outcome in ipairs { "unknown", "unsent" } do
      assert.is_true(calls[index]:done())
      local _, _, err = calls[index]:result()
      assert.same({ "closed", outcome }, { err.kind, err.outcome })
    end
  end)
end)

describe("wait", function()
  it("is called with the client and the call until the call is done", function()
    local seen = {}
    local client
    client = clients.sandbox { wait = function(...)
      seen[#seen + 1] = { n = select("#", ...), ... }
      client:step(0.005)
    end }
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 0.1, times = 1 } }
    assert.equal("Acme", (client:create_org { name = "Acme" }).name)
    assert.is_true(#seen > 1)
    for _, arguments in ipairs(seen) do
      assert.equal(2, arguments.n)
      assert.equal(client, arguments[1])
      assert.equal("polytomic.call", tostring(arguments[2]):match "^[%w.]+")
    end
  end)

  it("lets plain methods suspend a coroutine on every Lua, retries and all", function()
    sandbox:faults { { operation = "create_org", fault = "status", status = 503, times = 2 } }
    local client = clients.sandbox { wait = function() coroutine.yield "waiting" end }
    local thread = coroutine.create(function() return client:create_org { name = "Acme" } end)
    local yields, org, response = 0, nil, nil
    while coroutine.status(thread) ~= "dead" do
      local ok, first, _, third = coroutine.resume(thread)
      assert(ok, first)
      org, response = first, third
      if org == "waiting" then
        yields = yields + 1
        client:step(0.05)
      end
    end
    assert.equal("Acme", org.name)
    assert.equal(3, response.attempts)
    assert.is_true(yields > 3)
  end)

  it("is not called where arguments are refused", function()
    local client = clients.sandbox { wait = function() error "called" end }
    local _, _, err = client:create_org { name = 5 }
    assert.equal("invalid", err.kind)
  end)

  it("goes with the clients made by as_org", function()
    local client
    local waits = 0
    client = clients.sandbox { wait = function(one)
      waits = waits + 1
      one:step(0.05)
    end }
    local org = assert(client:create_org { name = "Acme" })
    local before = waits
    assert.equal("Acme", client:as_org(org.id):get_current_org().name)
    assert.is_true(waits > before)
  end)

  it("may raise: the error reaches the caller", function()
    local client = clients.sandbox { wait = function(_, call)
      call:cancel()
      error("no loop", 0)
    end }
    local ok, message = pcall(client.create_org, client, { name = "Acme" })
    assert.is_false(ok)
    assert.equal("no loop", message)
    assert.same({}, sandbox:requests())
  end)

  it("takes part where a module function's default client has it", function()
    local waits = 0
    local client = polytomic.configure { base_url = sandbox.url, partner_key = sandbox.partner_key,
      env = false, wait = function(one)
        waits = waits + 1
        one:step(0.05)
      end }
    assert.equal("Acme", (polytomic.create_org { name = "Acme" }).name)
    polytomic.configure { base_url = sandbox.url, partner_key = sandbox.partner_key, env = false }
    assert.equal("Initech", (polytomic.create_org { name = "Initech" }).name)
    client:close()
    assert.is_true(waits > 0)
  end)
end)
