-- examples/embed: a C program with a Lua state of its own, compiled and run with sanitizers.

local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local directory = process.directory()
local version = rawget(_G, "jit") and "jit" or _VERSION:match "%d.%d"
local lua = version == "jit" and "luajit" or "lua" .. version

-- Compiles with words for the shell; raises with what the compiler says.
local function compile(words)
  local status, out, err = process.run("cc -g -O1 -Wall -Wextra -Werror " .. words, { timeout = 120 })
  assert.equal(0, status, out .. err)
end

local function flags() return "$(pkg-config --cflags --libs " .. lua .. ")" end

-- Runs a host; its Lua finds what this one finds.
local function run(words, environment, before)
  environment = environment or {}
  environment.POLYTOMIC_PARTNER_KEY = environment.POLYTOMIC_PARTNER_KEY or sandbox.partner_key
  environment.POLYTOMIC_DEPLOYMENT_URL = environment.POLYTOMIC_DEPLOYMENT_URL or sandbox.url
  environment.TSAN_OPTIONS = "exitcode=66"
  return process.run((before or "") .. words, { env = process.environment(environment), timeout = 60 })
end

local function script(text) return process.temporary_file(text) end

-- Where the address space is laid out by chance, TSan of this gcc may refuse to start.
local STEADY = "setarch -R "

describe("A host with a Lua state of its own (" .. lua .. ")", function()
  local host = directory .. "/host"

  setup(function() compile(("-fsanitize=address,undefined -o %s examples/embed/host.c %s"):format(host, flags())) end)
  before_each(function() sandbox:reset() end)

  it("links nothing but Lua", function()
    local plain = directory .. "/plain"
    compile(("-o %s examples/embed/host.c %s"):format(plain, flags()))
    local _, needed = process.run("readelf -d " .. plain .. " | grep NEEDED")
    assert.is_nil(needed:find("curl", 1, true))
  end)

  it("runs its frames while calls are on their way", function()
    local status, out, err = run(host .. " examples/embed/game.lua")
    assert.equal(0, status, out .. err)
    assert.truthy(out:find("guild Guild 63 is ready", 1, true), out)
    assert.equal(64, sandbox:committed "create_org")
  end)

  it("closes its state with calls in flight, and loses no memory", function()
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 5, times = 64 } }
    local status, out, err = run(host .. " examples/embed/game.lua 20")
    assert.equal(0, status, out .. err)
    assert.truthy(out:find("20 frames", 1, true), out)
  end)

  it("does not wait for a name when it closes", function()
    local status, out, err = run(host .. " examples/embed/game.lua 3", { POLYTOMIC_DEPLOYMENT_URL = "https://polytomic.invalid" })
    assert.equal(0, status, out .. err)
  end)

  it("is left clean by a script that ends with an error in the middle of a call", function()
    local file = script [[
      local client = require("polytomic").new {}
      return { frame = function() client:start("create_org", { name = "x" }) client:step(0) error("stop") end }
    ]]
    local status, _, err = run(host .. " " .. file)
    assert.equal(1, status)
    assert.truthy(err:find("stop", 1, true), err)
    assert.is_nil(err:find("Sanitizer", 1, true), err)
  end)
end)

describe("Two states in two threads (" .. lua .. ")", function()
  it("make calls at the same time, without a race", function()
    local core = directory .. "/tsan/polytomic"
    local source = "-std=c11 -D_GNU_SOURCE -fPIC -fsanitize=thread"
    compile(("%s -shared -o %s/core.so $(mkdir -p %s && ls csrc/*.c | grep -v lua_testing) $(pkg-config --cflags %s) $(pkg-config --cflags --libs libcurl) -lm"):format(
      source, core, core, lua))
    local threads = directory .. "/threads"
    compile(("-fsanitize=thread -o %s examples/embed/threads.c -pthread %s"):format(threads, flags()))
    local file = script [[
      local client = require("polytomic").new {}
      for i = 1, 20 do assert(client:list_orgs()) end
      local calls = {}
      for i = 1, 20 do calls[i] = client:start("list_orgs") end
      while client:step(0.01) > 0 do end
      for i = 1, 20 do assert(calls[i]:result()) end
      assert(client:create_org { name = tostring(client) .. tostring({}) })
    ]]
    local status, out, err = run(threads .. " " .. file, { LUA_CPATH = directory .. "/tsan/?.so;;" }, STEADY)
    assert.equal(0, status, out .. err)
    assert.is_nil(err:find("ThreadSanitizer", 1, true), err)
  end)
end)
