-- The core on a system without epoll, in a build of its own; one is enough to see what it does.
-- Needs: luv

local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

if _VERSION ~= "Lua 5.4" then return end

before_each(function() sandbox:reset() end)

describe("Where the system has no epoll", function()
  it("there is no descriptor, timeout is ten milliseconds, and calls work", function()
    local build = process.directory() .. "/no-epoll"
    local status, out, err = process.run(
      {
        "make",
        "-s",
        "BUILD=" .. build,
        "CPPFLAGS=-DPT_NO_EPOLL",
        "CFLAGS=-O0",
        "LUA_VERSION=5.4",
        "all",
      },
      { timeout = 120 }
    )
    assert.equal(0, status, out .. err)
    local script = process.temporary_file [[
      local polytomic = require "polytomic"
      local client = polytomic.new { base_url = arg[1], partner_key = arg[2], env = false }
      local calls = {}
      for i = 1, 20 do calls[i] = client:start("create_org", { name = "Acme " .. i }) end
      assert(client:pollfd() == nil)
      assert(client:timeout() <= 0.010)
      while client:step(0.005) > 0 do assert(client:timeout() <= 0.010) end
      for i = 1, 20 do assert(calls[i]:result().name == "Acme " .. i) end
      assert(client:timeout() == nil)
      local uv = require "luv"
      local waiting = polytomic.new { base_url = arg[1], partner_key = arg[2], env = false,
        wait = require "polytomic.wait.luv" }
      local name
      coroutine.wrap(function() name = waiting:create_org { name = "Initech" }.name end)()
      uv.run()
      assert(name == "Initech")
      print "fine"
    ]]
    status, out, err =
      process.run({ process.interpreter(), script, sandbox.url, sandbox.partner_key },
        { env = process.environment { LUA_CPATH = build .. "/5.4/?.so;" .. package.cpath } })
    assert.equal("fine\n", out, err)
    assert.equal(0, status)
  end)
end)
