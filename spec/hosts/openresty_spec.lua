-- Inside nginx: calls suspend the light thread that made them, in every phase that may yield,
-- through reloads and at any number.
-- Needs: nginx

local contains = require("spec.support.text").contains
local json = require "cjson"
local http = require "spec.support.http"
local load_generator = require "spec.support.load"
local measured = require "spec.support.measured"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local slow_server = require "spec.support.slow_server"

local luajit = rawget(_G, "jit") ~= nil

-- A client made before the workers are forked, and what every location needs.
local INIT = [[
  init_by_lua_block {
    polytomic = require "polytomic"
    client = polytomic.new { base_url = "UPSTREAM", partner_key = "partner-key-of-specs",
      env = false, max_connections = 512, OPTIONS wait = require "polytomic.wait.openresty" }
    function call()
      local org, message = client:create_org { name = "Acme" }
      if not org then ngx.status = 502 end
      return org and org.id or message
    end
    refused = {} -- what was said in each phase
    function refuse()
      local ok, message = pcall(client.create_org, client, { name = "Acme" })
      refused[ngx.get_phase()] = ok and "no error" or message
    end
    refuse()
  }
]]

local function init(upstream, options)
  return (INIT:gsub("UPSTREAM", upstream.url):gsub("OPTIONS", options or ""))
end

local CONTENT = [[
  location = /content { content_by_lua_block { ngx.print(call()) } }
  location = /ping { return 200 "pong"; }
]]

describe("polytomic.wait.openresty", function()
  it("says outside nginx that it works only there", function()
    package.loaded["polytomic.wait.openresty"] = nil
    local ok, message = pcall(require, "polytomic.wait.openresty")
    assert.is_false(ok)
    contains(message, "only inside nginx's Lua module")
  end)
end)

-- What other requests notice: the median of their latencies, in ms.
local function median_of(pings)
  return {
    "another location's median in ms",
    load_generator.quantile(pings.latencies, 0.5) * 1000,
    at_most = 5,
  }
end

-- Debian's module for nginx is made of LuaJIT: on the other Luas there is nothing more to specify.
if not luajit then return end

describe("In nginx", function()
  local upstream, server

  setup(function() upstream = slow_server.start { delay = 0.2 } end)
  teardown(function() upstream:stop() end)
  after_each(function()
    if server then server:stop() end
    server = nil
  end)

  it("64 requests at once to a slow upstream do not freeze another location #measured", function()
    server = nginx.start { http = init(upstream), server = CONTENT }
    measured.keeps(function()
      local calls, pings = load_generator.run {
        { port = server.port, target = "/content", concurrency = 64, seconds = 2 },
        { port = server.port, target = "/ping", pause = 0.005, seconds = 2 },
      }
      assert.same({ [200] = calls.statuses[200] }, calls.statuses)
      -- The ideal is 320; calls that block make 5.
      return {
        { "calls a second", calls.statuses[200] / calls.seconds, at_least = 240 },
        median_of(pings),
      }
    end)
    assert.same({}, server:complaints())
  end)

  it("512 requests at once all get their answer #measured", function()
    server = nginx.start { http = init(upstream), server = CONTENT }
    measured.keeps(function()
      local calls = load_generator.run {
        { port = server.port, target = "/content", concurrency = 512, times = 2 },
      }
      assert.same({ [200] = 1024 }, calls.statuses)
      return {
        { "512 at once: calls a second", 1024 / calls.seconds, at_least = 300 },
        { "seconds of the slowest", load_generator.quantile(calls.latencies, 1), at_most = 5 },
      }
    end)
    assert.same({}, server:complaints())
  end)

  it("works in the rewrite, access, content and timer phases", function()
    server = nginx.start { http = init(upstream), server = [[
      location = /rewrite { rewrite_by_lua_block { ngx.print(call()) ngx.exit(200) } }
      location = /access { access_by_lua_block { ngx.print(call()) ngx.exit(200) } }
      location = /content { content_by_lua_block { ngx.print(call()) } }
      location = /timer { content_by_lua_block {
        local done = require "ngx.semaphore".new()
        local answer
        ngx.timer.at(0, function() answer = call() done:post() end)
        done:wait(5)
        ngx.print(answer)
      } }
    ]] }
    for _, phase in ipairs { "rewrite", "access", "content", "timer" } do
      local status, body = http.request("GET", server.url .. "/" .. phase)
      assert.same({ phase, 200, "248df4b7-aa70-47b8-a036-33ac447e668d" }, { phase, status, body })
    end
  end)

  it("fails with a clear message, and sends nothing, in phases that cannot yield", function()
    local quiet = slow_server.start { delay = 0 }
    server = nginx.start { http = init(quiet), init_worker = "refuse()", server = [[
      location = /phases {
        set_by_lua_block $value { refuse() return "" }
        header_filter_by_lua_block { refuse() }
        body_filter_by_lua_block { refuse() }
        log_by_lua_block { refuse() }
        return 200 "filtered";
      }
      location = /refused { content_by_lua_block { ngx.print(require "cjson".encode(refused)) } }
      location = /content { content_by_lua_block { ngx.print(call()) } }
    ]] }
    http.request("GET", server.url .. "/phases")
    -- Its driver would send what was left behind
    assert.equal(200, (http.request("GET", server.url .. "/content")))
    local _, body = http.request("GET", server.url .. "/refused")
    local refused = json.decode(body)
    for _, phase in ipairs {
      "init", "init_worker", "set", "header_filter", "body_filter", "log",
    } do
      assert.truthy(
        (refused[phase] or "nothing was called"):find(
          "cannot wait in nginx's phase '" .. phase .. "', where nothing may yield",
          1,
          true
        ),
        refused[phase]
      )
      contains(refused[phase], "ngx.timer.at")
    end
    assert.equal(1, quiet:stats().requests)
    quiet:stop()
  end)

  it("suspends in retries, with one driver for clients that share connections #measured", function()
    local limited = slow_server.start { delay = 0.05, limit = 1 }
    server = nginx.start { http = init(limited, "retries = 20, timeout = 20,"), server = [[
      location = /content { content_by_lua_block {
        local shared = client:as_org("248df4b7-aa70-47b8-a036-33ac447e668d")
        local thread = ngx.thread.spawn(function() return shared:get_current_org() end)
        ngx.sleep(0.02)
        drivers = math.max(drivers or 0, ngx.timer.running_count())
        local _, org, message = ngx.thread.wait(thread)
        ngx.status = org and 200 or 500
        ngx.print(message)
      } }
      location = /drivers { content_by_lua_block { ngx.print(drivers) } }
      location = /ping { return 200 "pong"; }
    ]] }
    measured.keeps(function()
      local calls, pings = load_generator.run {
        { port = server.port, target = "/content", concurrency = 4, times = 1 },
        { port = server.port, target = "/ping", pause = 0.005, times = 20 },
      }
      assert.same({ [200] = 4 }, calls.statuses)
      return { median_of(pings) }
    end)
    assert.is_true(limited:stats().refused > 0)
    local _, drivers = http.request("GET", server.url .. "/drivers")
    assert.equal("1", drivers)
    limited:stop()
  end)

  it("P: is loaded wherever nginx runs Lua, first in a handler or a timer too", function()
    local loading = [[
      local client = require "polytomic".new { base_url = "UPSTREAM", partner_key = "KEY",
        env = false, wait = require "polytomic.wait.openresty" }
      assert(client:each("list_orgs"))
      assert(#client:batch("create_org", { { name = name } }) == 1)
    ]]
    local places = {
      content = { server = "location = /content { content_by_lua_block "
          .. "{ local name = 'a' LOAD ngx.print 'fine' } }" },
      access = {
        server = "location = /access { access_by_lua_block { local "
          .. "name = 'b' LOAD ngx.print 'fine' ngx.exit(200) } }",
      },
      timer = { server = [[location = /timer { content_by_lua_block {
        local done, said = require "ngx.semaphore".new(), nil
        ngx.timer.at(0, function()
          local ok, message = pcall(function() local name = "c" LOAD end)
          said = ok and "fine" or message
          done:post()
        end)
        done:wait(5)
        ngx.print(said)
      } }]] },
      init_worker = {
        init_worker = 'worked, why = pcall(require, "polytomic")',
        server = "location = /init_worker { content_by_lua_block "
          .. "{ ngx.print(worked and 'fine' or why) } }",
      },
    }
    for place, parts in pairs(places) do
      parts.http = ""
      parts.server = parts.server:gsub("LOAD", function() return loading end)
      parts.substitutes = { UPSTREAM = sandbox.url, KEY = sandbox.partner_key }
      server = nginx.start(parts)
      local status, body = http.request("GET", server.url .. "/" .. place)
      assert.same({ place, 200, "fine" }, { place, status, body })
      assert.same({}, server:complaints())
      server:stop()
    end
    server = nil
  end)

  it("P: hurts nobody where clients hang up while they wait (lua_check_client_abort on)", function()
    local settings = "lua_check_client_abort on;" .. init(upstream)
    server = nginx.start { http = settings, server = CONTENT .. [[
      location = /batch { content_by_lua_block {
        local list = {}
        for i = 1, 4 do list[i] = { name = "Acme " .. i } end
        client:batch("create_org", list, { concurrency = 2 })
      } }
    ]] }
    local bytes = load_generator.request("GET", "/content")
    local calls = load_generator.run(
      { { port = server.port, target = "/content", concurrency = 16, times = 6 } },
      function(loop)
        loop:wrap(function()
          for round = 1, 40 do
            local target = round % 4 == 0 and load_generator.request("GET", "/batch") or bytes
            local connection = load_generator.open(server.port)
            connection:write(target)
            connection:flush()
            require "cqueues".sleep(0.02)
            connection:close()
          end
        end)
      end
    )
    assert.same({ [200] = 16 * 6 }, calls.statuses)
    assert.same({}, server:complaints())
  end)

  it("P: names what is needed where nginx's Lua has no semaphores", function()
    server = nginx.start { http = "", server = [[
      location = /old { content_by_lua_block {
        package.loaded["ngx.semaphore"] = nil
        package.preload["ngx.semaphore"] = function()
          error("module 'ngx.semaphore' is too old", 0)
        end
        local ok, message = pcall(require, "polytomic.wait.openresty")
        ngx.print(tostring(ok), " ", message)
      } }
    ]] }
    local _, body = http.request("GET", server.url .. "/old")
    assert.truthy(body:find("^false polytomic.wait.openresty needs ngx.semaphore"), body)
    contains(body, "too old")
  end)

  it("drives its calls itself where no timer is left #measured", function()
    server = nginx.start { http = "lua_max_running_timers 1;" .. init(upstream), server = [[
      location = /content { content_by_lua_block {
        ngx.timer.at(0, function() ngx.sleep(5) end)
        ngx.sleep(0.01)
        ngx.print(call())
      } }
    ]] }
    measured.keeps(function()
      local calls = load_generator.run {
        { port = server.port, target = "/content", concurrency = 8, times = 1 },
      }
      assert.same({ [200] = 8 }, calls.statuses)
      return { { "no timer left: seconds for 8 calls", calls.seconds, at_most = 3 } }
    end)
  end)

  it("reloads with calls in flight and loses none", function()
    server = nginx.start { http = init(upstream), server = CONTENT }
    local before = upstream:stats().requests
    local calls = load_generator.run(
      { { port = server.port, target = "/content", concurrency = 32, times = 6 } }, function(loop)
      loop:wrap(function()
        for _ = 1, 3 do
          require "cqueues".sleep(0.3)
          server:signal "reload"
        end
      end)
    end)
    -- A worker that is going away may close a connection just as the next request is written to it:
    -- only answers count.
    assert.same({ [200] = calls.statuses[200], [0] = calls.statuses[0] }, calls.statuses)
    assert.equal(calls.statuses[200], upstream:stats().requests - before)
    assert.is_true(calls.statuses[200] >= 5 * 32, calls.statuses[200])
    assert.equal(3, select(2, server:log():gsub("SIGHUP%) received", "")))
    assert.same({}, server:complaints())
  end)

  it("quits gracefully with calls in flight, which all end well", function()
    server = nginx.start { http = init(upstream), server = CONTENT }
    local calls = load_generator.run(
      { { port = server.port, target = "/content", concurrency = 32, times = 1 } }, function(loop)
      loop:wrap(function()
        require "cqueues".sleep(0.1)
        server:signal "quit"
      end)
    end)
    assert.same({ [200] = 32 }, calls.statuses)
    assert.equal(0, server.child:wait(10))
    assert.same({}, server:complaints())
  end)

  it("runs a batch in one request while others go on #measured", function()
    server = nginx.start { http = init(upstream), server = CONTENT .. [[
      location = /batch { content_by_lua_block {
        local list = {}
        for i = 1, 40 do list[i] = { name = "Acme " .. i } end
        local results, failures = client:batch("create_org", list, { concurrency = 20 })
        ngx.print(#results, " ", #failures)
      } }
    ]] }
    measured.keeps(function()
      local batch, pings = load_generator.run {
        { port = server.port, target = "/batch", times = 1 },
        { port = server.port, target = "/ping", pause = 0.005, times = 40 },
      }
      assert.same({ [200] = 1 }, batch.statuses)
      return {
        { "seconds for a batch of 40, 20 at once", batch.seconds, at_most = 2 },
        median_of(pings),
      }
    end)
    local _, body = http.request("GET", server.url .. "/batch")
    assert.equal("40 0", body)
  end)

  it("uses a client warmed in init_by_lua in two workers, each on its own connections", function()
    server = nginx.start { workers = 2, http = [[
      init_by_lua_block {
        client = require "polytomic".new { base_url = "UPSTREAM", partner_key = "KEY", env = false }
        first = assert(client:create_org { name = "made before the fork" })
      }
    ]], main = "", server = [[
      location = /content { content_by_lua_block {
        local name = "Acme " .. ngx.worker.pid() .. " " .. ngx.var.connection_requests .. " "
          .. ngx.var.connection
        local org = assert(client:create_org { name = name })
        local same = client:get_org { id = first.id }.name == first.name
        ngx.status = org.name == name and same and 200 or 500
        ngx.print(org.name)
      } }
    ]], substitutes = { UPSTREAM = sandbox.url, KEY = sandbox.partner_key } }
    local calls = load_generator.run {
      { port = server.port, target = "/content", concurrency = 8, times = 10 },
    }
    assert.same({ [200] = 80 }, calls.statuses)
    assert.same({}, server:complaints())
  end)
end)

describe("examples/openresty", function()
  local server
  after_each(function()
    if server then server:stop() end
    server = nil
  end)

  -- The example as it stands, on a free port and with a directory of its own for what nginx writes.
  local function start_example(env)
    local port = nginx.free_port()
    local text = process.contents "examples/openresty/nginx.conf"
    local root = nginx.root()
    text = text:gsub("listen 127%.0%.0%.1:8088", "listen 127.0.0.1:" .. port)
      :gsub("error_log stderr", "error_log error.log") -- beside the configuration
    text = text
      :gsub("%$prefix", root .. "/examples/openresty")
      :gsub("\nworker_processes", "\n" .. nginx.user() .. "\ndaemon off;\nworker_processes")
    text = text:gsub("http {",
      'http { init_worker_by_lua_block { io.stdout:write("ready\\n") io.stdout:flush() }', 1)
    return nginx.start_text(text, port, { env = env })
  end

  before_each(function() sandbox:reset() end)

  it("signs a customer up: organization, user and key", function()
    server = start_example {
      POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
    }
    local status, body = http.request("POST", server.url .. "/signup",
      { body = '{"company":"Acme","email":"jane@acme.com"}' })
    assert.equal(201, status, body)
    local made = json.decode(body)
    assert.truthy(made.organization and made.user and made.api_key)
    local _, org = sandbox:request("GET", "/api/organizations/" .. made.organization)
    assert.equal("Acme", org.data.name)
    local _, user =
      sandbox:request("GET", "/api/organizations/" .. made.organization .. "/users/" .. made.user)
    assert.equal("jane@acme.com", user.data.email)
  end)

  it("says to the customer what is wrong, and leaves no half-made organization", function()
    server = start_example {
      POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
    }
    assert.equal(400, (http.request("POST", server.url .. "/signup", { body = "{" })))
    assert.equal(
      201,
      (
        http.request("POST", server.url .. "/signup",
          { body = '{"company":"Acme","email":"jane@acme.com"}' })
      )
    )
    local status, body = http.request("POST", server.url .. "/signup",
      { body = '{"company":"Acme","email":"joe@acme.com"}' })
    assert.equal(409, status, body)
    sandbox:faults { { operation = "create_user", fault = "status", status = 422, times = 1 } }
    status = http.request("POST", server.url .. "/signup",
      { body = '{"company":"Initech","email":"bill@initech.com"}' })
    assert.equal(422, status)
    local _, list = sandbox:request("GET", "/api/organizations")
    for _, org in ipairs(list.data) do assert.are_not.equal("Initech", org.name) end
    sandbox:assert_all_faults_consumed()
  end)

  it("logs what happens to calls, and tells a load balancer and a monitor", function()
    server = start_example {
      POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
    }
    sandbox:faults {
      { operation = "create_org", fault = "status", status = 503, retry_after = 0, times = 1 },
    }
    local form = '{"company":"Acme","email":"jane@acme.com"}'
    assert.equal(201, (http.request("POST", server.url .. "/signup", { body = form })))
    contains(server:log(), "create_org: server, once more in 0 s")
    local status, body = http.request("GET", server.url .. "/health")
    assert.same({ 200, true, sandbox.url }, { status, json.decode(body).ok, json.decode(body).url })
    -- each worker counts for itself
    local _, counts = http.request("GET", server.url .. "/metrics")
    assert.truthy(counts:find('polytomic_calls{worker="%d+"} %d+\n'), counts)
    sandbox:assert_all_faults_consumed()
  end)

  it("tells a load balancer that its key is not accepted", function()
    server = start_example {
      POLYTOMIC_PARTNER_KEY = "unknown-to-the-sandbox",
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
    }
    local status, body = http.request("GET", server.url .. "/health")
    assert.equal(503, status)
    assert.truthy(json.decode(body).message:find("which is not accepted", 1, true), body)
  end)

  it("names the variable to set where there is no key", function()
    server = start_example {
      POLYTOMIC_PARTNER_KEY = false,
      POLYTOMIC_DEPLOYMENT_KEY = false,
      POLYTOMIC_API_KEY = false,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
    }
    local status = http.request("POST", server.url .. "/signup",
      { body = '{"company":"Acme","email":"jane@acme.com"}' })
    assert.equal(502, status)
    local log = server:log()
    contains(log, "set POLYTOMIC_PARTNER_KEY")
  end)

  it("is a configuration that nginx accepts as it is", function()
    local root = nginx.root()
    local status, out, err = process.run {
      "nginx",
      "-t",
      "-p",
      root .. "/examples/openresty",
      "-c",
      "nginx.conf",
      "-e",
      "stderr",
    }
    assert.equal(0, status, out .. err)
  end)
end)
