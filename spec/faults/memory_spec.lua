-- L: memory runs out at every point, in the core (libcurl included) and in Lua. Every run ends in a
-- result or a clean error, and leaves nothing behind.

local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"

-- The directory of the build whose core can be made to fail, beside the one in use.
local function testing_core()
  for entry in package.cpath:gmatch("[^;]+") do
    local directory = entry:match("^(.*)/%?%.so$")
    local file = directory and io.open(directory .. "/testing-core/polytomic/core.so", "rb")
    if file then
      file:close()
      return directory .. "/testing-core/?.so"
    end
  end
  error("there is no testing-core: make testing")
end

describe("L: out of memory", function()
  local server, busy, moved

  setup(function()
    server = raw_server.start { script = { per = "request",
      raw_server.reply(200, { data = { id = "x", list = { 1, 2, { a = "b" } } } }, {
      ["X-Request-Id"] = "request-1", Deprecation = "true" }) } }
    busy = raw_server.start {
      script = {
        per = "request",
        raw_server.reply(503, { message = "busy", key = "k", metadata = { a = 1 } },
          { ["Retry-After"] = 0 }),
      },
    }
    moved = raw_server.start { script = { per = "request",
      raw_server.reply(302, "", { Location = "/log?signature=5f" }) } }
  end)

  teardown(function()
    server:stop()
    busy:stop()
    moved:stop()
  end)

  local function run(how, scenario)
    local environment = process.environment()
    environment.LUA_CPATH = testing_core() .. ";" .. environment.LUA_CPATH
    local command = { process.interpreter(), "spec/support/memory_run.lua", how, scenario,
      server.url, busy.url, moved.url }
    local status, out, err = process.run(command, { env = environment, timeout = 120 })
    assert.equal(0, status, err)
    local runs, returned, raised = out:match("^(%d+) runs, (%d+) returned, (%d+) raised")
    assert.is_truthy(runs, out)
    assert.is_true(tonumber(runs) > 20, out)
    assert.equal(tonumber(runs), returned + raised)
    assert.is_true(tonumber(raised) > 0, out)
  end

  for how, title in pairs { one = "at one allocation of the core",
      all = "at an allocation of the core and all after it", lua = "in Lua" } do
    for scenario, what in pairs {
      plain = "a plain call", started = "calls at once", retried = "a call that is retried",
      waiting = "a call that waits through Lua", refused = "calls that are refused",
      redirected = "a call that returns a redirect",
    } do
      it(("%s ends %s with a result or a clean error"):format(title, what), function()
        run(how, scenario)
      end)
    end
  end
end)
