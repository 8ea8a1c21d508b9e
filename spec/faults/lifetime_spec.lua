-- L: clients, calls, coroutines and processes that end, or go on, when nobody expects it. What
-- could bring the process down runs in a child.
-- Takes: 8 s

local polytomic = require "polytomic"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"
local wire = require "spec.support.wire"

local LONG = os.getenv "PT_LONG" ~= nil
-- Kilobytes the process may grow by; AddressSanitizer keeps what is freed.
local GROWTH = (os.getenv "LD_PRELOAD" or ""):find("asan", 1, true) and 1e6 or 1024
local PARTNER_KEY = "wire-partner-key"

-- What every child script begins with: `polytomic`, `new(options)`, `check(condition, words)`.
local PRELUDE = [[
local url, key = arg[1], arg[2]
local polytomic = require "polytomic"
local function new(options)
  local all = { base_url = url, partner_key = key, env = false, proxy = "", timeout = 20 }
  for name, value in pairs(options or {}) do all[name] = value end
  return polytomic.new(all)
end
-- os.exit(true, true), which closes the state; plain Lua 5.1 knows neither argument.
local function leave() os.exit(_VERSION == "Lua 5.1" and not jit and 0 or true, true) end
]]

-- Runs a script in a Lua of its own; returns its exit status, output and errors. `limits` is shell
-- that goes before the command.
local function script(text, url, key, limits)
  local path = process.temporary_file(PRELUDE .. text)
  local words = {}
  for index, word in ipairs { process.interpreter(), path, url, key or PARTNER_KEY } do
    words[index] = process.quote(word)
  end
  local command = { "sh", "-c", (limits or "") .. "exec " .. table.concat(words, " ") }
  return process.run(command, { env = process.environment(), timeout = LONG and 600 or 60 })
end

local function assert_script(expected, text, url, key, limits)
  local status, out, err = script(text, url, key, limits)
  assert.same({ 0, expected, "" }, { status, out, err })
end

local function collect()
  for _ = 1, 3 do collectgarbage() end
end

-- Steps until nothing is open, at most `seconds`.
local function finish(client, seconds)
  local patience = os.time() + (seconds or 10)
  while client:step(0.1) > 0 do assert(os.time() < patience, "calls are still open") end
end

local function sandbox_client(options)
  local all = {
    base_url = sandbox.url,
    partner_key = sandbox.partner_key,
    env = false,
    proxy = "",
    timeout = 30,
  }
  for name, value in pairs(options or {}) do all[name] = value end
  return polytomic.new(all)
end

describe("L: coroutines", function()
  before_each(function() sandbox:reset() end)

  it("a thousand on 8 connections each get their own reply", function()
    local client = sandbox_client { max_connections = 8, wait = function() coroutine.yield() end }
    local names, threads = {}, {}
    for index = 1, 1000 do
      threads[index] = coroutine.create(function()
        local org, message = client:create_org { name = "Acme " .. index }
        names[index] = org and org.name or message
      end)
      assert(coroutine.resume(threads[index]))
    end
    assert.equal(1000, client:stats().queued)
    repeat
      local active = client:step(1)
      for index, thread in pairs(threads) do
        assert(coroutine.resume(thread))
        if coroutine.status(thread) == "dead" then threads[index] = nil end
      end
    until active == 0 and next(threads) == nil
    for index = 1, 1000 do assert.equal("Acme " .. index, names[index]) end
    local connections = {}
    for _, request in ipairs(sandbox:requests("create_org")) do
      connections[request.connection] = true
    end
    local count = 0
    for _ in pairs(connections) do count = count + 1 end
    assert.is_true(count <= 8, count .. " connections")
    assert.equal(1000, sandbox:committed("create_org"))
    client:close()
  end)

  it("one that is dropped while it waits leaves a call that is carried out once", function()
    local client = sandbox_client { wait = function() coroutine.yield() end }
    local thread = coroutine.create(function() client:create_org { name = "Acme" } end)
    assert(coroutine.resume(thread))
    thread = nil -- luacheck: no unused
    collect()
    finish(client)
    assert.equal(1, sandbox:committed("create_org"))
    assert.same({ 0, 0 }, { client:stats().active, client:stats().queued })
    client:close()
  end)

  it("many that are dropped with their client leave nothing", function()
    local waiting = 0
    for _ = 1, 50 do
      local client = sandbox_client { wait = function()
        waiting = waiting + 1
        coroutine.yield()
      end }
      coroutine.wrap(function() client:create_org { name = "Acme" } end)()
      client:step(0)
    end
    collect()
    assert.equal(50, waiting)
  end)
end)

describe("L: an error thrown", function()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:reset { per = "request", 200 } end)

  it("in on_event surfaces from the call, after it has ended, and the client goes on", function()
    for _, kind in ipairs { "attempt", "retry", "done" } do
      server:reset(raw_server.sequence { { 503, "", { ["Retry-After"] = 0 } }, 200 })
      local seen, angry = {}, true
      local client = wire.client(server.url, { on_event = function(event)
        seen[#seen + 1] = event.type
        if angry and event.type == kind then error({ thrown = #seen }, 0) end
      end })
      local ok, why = pcall(client.create_org, client, { name = "Acme" })
      assert.is_false(ok)
      assert.equal(kind, seen[why.thrown])
      assert.same({ "attempt", "retry", "attempt", "done" }, seen)
      assert.equal(2, #server:requests())
      assert.same({ 0, 0 }, { client:stats().active, client:stats().queued })
      angry = false
      assert.same({}, (client:create_org { name = "Acme" }))
      assert.equal(3, #server:requests())
      client:close()
    end
  end)

  it("in on_event of a started call surfaces from result once; then the result is there", function()
    local client = wire.client(server.url, { on_event = function() error("on purpose", 0) end })
    local call = client:start("create_org", { name = "Acme" })
    finish(client)
    assert.same({ false, "on purpose" }, { pcall(call.result, call) })
    assert.same({}, (call:result()))
    client:close()
  end)

  it("in wait surfaces from the call, and the client goes on", function()
    local angry = true
    local client = wire.client(server.url, { wait = function(one)
      if angry then error("on purpose", 0) end
      one:step(1)
    end })
    local ok, why = pcall(client.create_org, client, { name = "Acme" })
    assert.same({ false, "on purpose" }, { ok, why })
    angry = false
    assert.same({}, (client:create_org { name = "Acme" }))
    finish(client)
    assert.equal(2, #server:requests())
    client:close()
  end)

  it("in a wait called in the middle of a transfer leaves the transfer to the next", function()
    server:reset {
      per = "request",
      { { wait = "release" }, { send = raw_server.reply(200, { data = {} }) } },
    }
    local angry = true
    local client = wire.client(server.url, { wait = function(one)
      one:step(angry and 0.05 or 1)
      if angry and #server:requests() == 1 then error("on purpose", 0) end
    end })
    assert.same({ false, "on purpose" }, { pcall(client.create_org, client, { name = "Acme" }) })
    angry = false
    server:release "release"
    collect()
    for _ = 1, 10 do assert.same({}, (client:create_org { name = "Acme" })) end
    assert.equal(11, #server:requests())
    client:close()
  end)
end)

describe("L: inside on_event", function()
  before_each(function() sandbox:reset() end)

  it("a call can be started, and a plain one made", function()
    local client, started, inner
    client = sandbox_client { on_event = function(event)
      if event.operation ~= "create_org" or event.type ~= "attempt" or started then return end
      started = client:start("list_orgs", {})
      inner = client:get_org { id = "248df4b7-aa70-47b8-a036-33ac447e668d" } == nil
    end }
    assert(client:create_org { name = "Acme" })
    assert.is_true(inner)
    finish(client)
    assert.equal("table", type((started:result())))
    client:close()
  end)

  it("the client can be closed", function()
    local client
    client = sandbox_client { on_event = function() client:close() end }
    local org, _, err = client:create_org { name = "Acme" }
    assert.is_true(org ~= nil or err.kind == "closed")
    assert.equal(1, sandbox:committed("create_org"))
    local _, _, later = client:create_org { name = "Acme" }
    assert.equal("closed", later.kind)
  end)

  it("the call can be cancelled, and collected", function()
    local call
    local client = sandbox_client { on_event = function()
      if call then call:cancel() end
      call = nil
      collect()
    end }
    call = client:start("create_org", { name = "Acme" })
    finish(client)
    assert(client:create_org { name = "Apex" })
    client:close()
  end)
end)

describe("L: the collector", function()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:reset { { "read", "stall" } } end)

  it("takes a client with calls in flight, and its connections close", function()
    do
      local client = wire.client(server.url)
      for _ = 1, 5 do client:start("create_org", { name = "Acme" }) end
      for _ = 1, 100 do
        if client:step(0.02) > 0 and #server:requests() == 5 then break end
      end
    end
    assert.equal(5, #server:requests())
    collect()
    assert.is_true(server:await("closed", 5))
  end)

  it("takes a call before its client, and the call is carried out all the same", function()
    server:reset { per = "request", 200 }
    local client = wire.client(server.url)
    for _ = 1, 20 do client:start("create_org", { name = "Acme" }) end
    collect()
    finish(client)
    collect()
    assert.equal(20, #server:requests())
    assert.same({ 20, 0 }, { client:stats().calls, client:stats().failures })
    client:close()
  end)

  it("takes a call after its client", function()
    local client = wire.client(server.url)
    local call = client:start("create_org", { name = "Acme" })
    client:step(0.05)
    client:close()
    client = nil -- luacheck: no unused
    collect()
    assert.is_true(call:done())
    local _, _, err = call:result()
    assert.equal("closed", err.kind)
    call:cancel()
    err = { err, tostring(err), tostring(call) }
    call = nil -- luacheck: no unused
    collect()
    assert.equal("closed", err[1].kind)
    assert.is_table(err[1].timeline)
  end)

  it("keeps a client for as long as a call of it is there", function()
    server:reset { per = "request", 200 }
    local calls = {}
    do
      local client = wire.client(server.url)
      for index = 1, 3 do calls[index] = client:start("create_org", { name = "Acme" }) end
      finish(client)
    end
    collect()
    for index = 1, 3 do assert.same({}, (calls[index]:result())) end
  end)

  it("takes clients that share their connections in any order", function()
    server:reset { per = "request", 200 }
    for order = 1, 2 do
      local client = wire.client(server.url)
      local org = client:as_org(wire.ID)
      local call = org:start("get_current_org", {})
      if order == 1 then client:close() else org:close() end
      if order == 1 then
        finish(org)
        assert.same({}, (call:result()))
        org:close()
      else
        assert.equal("closed", select(3, call:result()).kind)
        assert.same({}, (client:create_org { name = "Acme" }))
        client:close()
      end
      collect()
    end
  end)

  -- One of the ways a collector can run; called in a child, since busted would suffer from it too.
  local TORTURE = [[
    local function work()
      local client = new {
        on_event = function(event) return event.type .. tostring(event.status) end,
      }
      local calls = {}
      for index = 1, 200 do
        local arguments = { name = "Acme " .. index, sso_domain = ("x"):rep(index) }
        calls[#calls + 1] = client:start("create_org", arguments)
        local data, _, response = client:create_org { name = "Acme" }
        assert(data.id == "x" and data.list[3].a == "b", "a wrong reply")
        assert(response.headers["content-type"], "a wrong header")
        local _, message, err = client:create_org { name = "" }
        assert(err.kind == "invalid" and tostring(err) == message, "a wrong error")
        for _ in pairs(response) do end
      end
      while client:step(0.1) > 0 do end
      for _, call in ipairs(calls) do assert(call:result().id == "x", "a wrong result") end
      for _ = 1, 50 do
        local one = new()
        one:start("create_org", { name = "Acme" })
        one:step(0)
      end
    end
  ]]

  for title, collector in pairs {
    ["that is generational"] = 'if _VERSION >= "Lua 5.4" then collectgarbage "generational" end',
    -- Debian 12's LuaJIT compiles a loop over `pairs` that never ends with these settings.
    ["that runs all the time"] = 'if jit then jit.off() end '
      .. 'collectgarbage("setpause", 0) collectgarbage("setstepmul", 1000000)',
    ["that runs at every turn"] = 'debug.sethook(function() collectgarbage() end, "", 101)',
    ["that never runs"] = "collectgarbage 'stop'",
  } do
    it(title .. " changes nothing", function()
      server:reset {
        per = "request",
        raw_server.reply(200, { data = { id = "x", list = { 1, 2, { a = "b" } } } }),
      }
      assert_script("ok", TORTURE .. collector .. ' work() io.write "ok"', server.url)
    end)
  end
end)

describe("L: the end of a Lua state", function()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:reset { { "read", "stall" } } end)

  local IN_FLIGHT = [[
    local client = new()
    calls = {}
    for index = 1, 5 do calls[index] = client:start("create_org", { name = "Acme" }) end
    client:pollfd()
    for _ = 1, 5 do client:step(0.02) end
    kept = client
    io.write "ok" io.stdout:flush()
  ]]

  for title, ending in pairs {
    ["by its end"] = "",
    ["by os.exit(true, true)"] = "leave()",
    ["by os.exit(0)"] = "os.exit(0)",
    ["by an uncaught error"] = "io.stderr:close() error 'on purpose'",
    ["from a coroutine"] = "coroutine.wrap(leave)()",
    ["from on_event"] = "new { on_event = leave, attempt_timeout = 0.1, retries = 0 }"
      .. ":create_org { name = 'Acme' } error 'still here'",
    ["in the middle of a blocking call of another client"] =
      "new { attempt_timeout = 0.1, retries = 0 }:create_org { name = 'Acme' }",
    ["while a name is looked up"] =
      "new { base_url = 'https://polytomic.invalid' }:start('list_orgs', {}):done() leave()",
    ["with its tables cleared first"] = "package.loaded['polytomic.core'] = nil "
      .. "polytomic = nil calls = nil kept = nil collectgarbage()",
  } do
    it(title .. " in mid-transfer is clean", function()
      local status, out = script(IN_FLIGHT .. ending, server.url)
      assert.same({ title == "by an uncaught error" and 1 or 0, "ok" }, { status, out })
      assert.is_true(server:await("closed", 1))
    end)
  end

  it("in eight threads at once, each with its own, is clean", function()
    server:reset { per = "request", raw_server.reply(200, { data = { id = "x" } }) }
    local work = process.temporary_file(([[
      local polytomic = require "polytomic"
      for _ = 1, 10 do
        local client = polytomic.new { base_url = %q, partner_key = "wire-partner-key",
          env = false, proxy = "" }
        client:start("create_org", { name = "Acme" })
        for _ = 1, 10 do assert(client:create_org { name = "Acme" }) end
      end
    ]]):format(server.url))
    assert_script("true",
      ("io.write(tostring(assert(require('polytomic.testing').run_states(%q, 8))))"):format(work),
      server.url)
    assert.is_true(#server:requests() >= 8 * 100)
  end)
end)

describe("L: fork", function()
  -- Both processes make calls on the client that was warm before; each must get its own replies.
  local FORK = [[
    local testing = require "polytomic.testing"
    local client = new(%s)
    local function work(who, times)
      for index = 1, times do
        local name = who .. " " .. index
        local org, message = client:create_org { name = name }
        assert(org and org.name == name, message or "the reply of another call")
      end
    end
    work("before", 3)
    local pending = client:start("create_org", { name = "pending" })
    client:step(0)
    local child = testing.fork()
    if child == 0 then
      local ok, why = pcall(function()
        work("child", 50)
        local stats = client:stats()
        assert(stats.active == 0, "the child waits for the parent's call")
        client:close()
        collectgarbage()
      end)
      if not ok then io.stderr:write(tostring(why), "\n") end
      testing.leave(ok and 0 or 1)
    end
    work("parent", 50)
    local status = testing.wait_for(child)
    work("after", 3)
    while client:step(0.1) > 0 do end
    assert(pending:result().name == "pending")
    assert(client:stats().connections_opened <= %d, "the parent lost its connection")
    io.write("child ", status)
  ]]

  before_each(function() sandbox:reset() end)

  it("with warm connections gives each process its own", function()
    assert_script("child 0", FORK:format("", 2), sandbox.url, sandbox.partner_key)
    assert.equal(107, sandbox:committed("create_org"))
  end)

  it("with a shared descriptor gives each process its own", function()
    local wait = "{ wait = function(one) one:pollfd() one:step(1) end }"
    assert_script("child 0", FORK:format(wait, 2), sandbox.url, sandbox.partner_key)
    assert.equal(107, sandbox:committed("create_org"))
  end)

  it("over TLS says no good-bye on the parent's connections", function()
    local secure = sandbox.tls()
    secure:reset()
    assert_script("child 0", FORK:format(("{ ca_file = %q }"):format(secure.ca_file), 2),
      secure.url, secure.partner_key)
    assert.equal(107, secure:committed("create_org"))
  end)
end)

describe("L: descriptors", function()
  it("that are exhausted fail the call, and serve it once there are some", function()
    sandbox:reset()
    assert_script("connect or network, unsent; then data", [[
      local client = new { retries = 0, timeout = 5 }
      local waiting = new { retries = 0, timeout = 5, wait = function(one) one:step(0.1) end }
      local files = {}
      while true do
        local file = io.open("/dev/null")
        if not file then break end
        files[#files + 1] = file
      end
      for _, one in ipairs { client, waiting } do
        local data, message, err = one:create_org { name = "Acme" }
        assert(data == nil and err.outcome == "unsent", message)
        assert(err.kind == "connect" or err.kind == "network" or err.kind == "dns", message)
        one:pollfd()
        one:start("list_orgs", {}):cancel()
      end
      for _, file in ipairs(files) do file:close() end
      assert(client:create_org { name = "Acme" })
      assert(waiting:create_org { name = "Apex" })
      io.write "connect or network, unsent; then data"
    ]], sandbox.url, sandbox.partner_key, "ulimit -n 40; ")
    assert.equal(2, sandbox:committed("create_org"))
  end)
end)

describe("L: many calls", function()
  it((LONG and "100 000" or "5000") .. " keep memory and descriptors flat", function()
    sandbox:reset()
    local constants = ("local CALLS, GROWTH = %d, %d\n"):format(LONG and 100000 or 5000, GROWTH)
    assert_script("flat", constants .. [[
      local function contents(path)
        local file = assert(io.open(path))
        local text = file:read("*a")
        file:close()
        return text
      end
      local function resident()
        return tonumber(contents("/proc/self/status"):match("VmRSS:%s*(%d+)"))
      end
      local list = os.tmpname()
      -- Through a file: the ends of a pipe would count among them, or not
      local function descriptors()
        os.execute("ls /proc/$PPID/fd | wc -l >" .. list)
        return tonumber(contents(list))
      end
      local client = new()
      local function work(calls)
        for index = 1, calls do
          if index % 10 == 0 then
            local call = client:start("list_orgs", {})
            while not call:done() do client:step(1) end
            assert(call:result())
          elseif index % 10 == 1 then
            assert(client:create_org { name = "" } == nil)
          elseif index % 10 == 2 then
            local _, _, err = client:get_org { id = "248df4b7-aa70-47b8-a036-33ac447e668d" }
            assert(err.kind == "not_found")
          else
            assert(client:list_orgs {})
          end
        end
        for _ = 1, 3 do collectgarbage() end
      end
      work(1000)
      local lua, memory, files = collectgarbage "count", resident(), descriptors()
      work(CALLS)
      local grown = { lua = collectgarbage "count" - lua, memory = resident() - memory,
        files = descriptors() - files }
      for name, most in pairs { lua = 64, memory = GROWTH, files = 0 } do
        if grown[name] > most then error(name .. " grew by " .. grown[name], 0) end
      end
      os.remove(list)
      io.write "flat"
    ]], sandbox.url, sandbox.partner_key)
  end)
end)
