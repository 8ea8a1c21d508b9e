-- Inside a C program that links nothing but Lua: frames, and the end of a state whatever is in
-- flight.
-- Takes: 25 s

local core = require "polytomic.core"
local dns = require "spec.support.dns"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local slow_server = require "spec.support.slow_server"

local version = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d%.%d"
local WALL = "-std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion "
  .. "-Wcast-qual -Wstrict-prototypes -Wmissing-prototypes -Wundef -Werror"

local function run(line, options)
  local status, out, err = process.run({ "sh", "-c", line }, options)
  assert.equal(0, status, out .. err)
  return out, err
end

-- The example, compiled as its comment says; `flags` for the compiler. Its path.
local function compile(name, flags)
  local path = process.directory() .. "/" .. name
  run((
    "${CC:-cc} %s %s -o %s examples/embed/main.c $(pkg-config --cflags --libs %s) -pthread"):format(
      WALL, flags or "", path, version))
  return path
end

-- Plays the example's script; its output and errors, and the seconds it took. It must end well.
local function play(program, url, options)
  options = options or {}
  local words = { program, options.script or "examples/embed/game.lua",
    tostring(options.frames or 30), tostring(options.threads or 1) }
  local env = process.environment { POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
    POLYTOMIC_DEPLOYMENT_URL = url, http_proxy = false, https_proxy = false }
  if options.cpath then env.LUA_CPATH = options.cpath end
  -- The loader, which closes other C modules with a state, has locks that ThreadSanitizer does not
  -- know.
  env.TSAN_OPTIONS = "suppressions=" .. process.temporary_file "race:_dl_close_worker\n"
  local began = core.now()
  local status, out, err
  if options.resolver then
    status, out, err = options.resolver:run(words, { env = env })
  else
    status, out, err = process.run(words, { env = env })
  end
  local took = core.now() - began
  assert.equal(options.status or 0, status, out .. err)
  assert.equal(options.errors or "", err)
  return out, took
end

local function count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

describe("examples/embed", function()
  local program, slow

  setup(function()
    program = compile("embed", "-g -fsanitize=address,undefined -fno-sanitize-recover=undefined")
    slow = slow_server.start { delay = 10 }
  end)
  teardown(function() slow:stop() end)
  before_each(function() sandbox:reset() end)

  it("links nothing but Lua", function()
    local needed =
      run("readelf -d " .. compile "plain" .. " | sed -n 's/.*NEEDED.*\\[\\(.*\\)\\]/\\1/p'")
    for library in needed:gmatch "[^\n]+" do
      assert.truthy(library:find "^liblua" or library:find "^libc%." or library:find "^libm%."
          or library:find "^libpthread%.", library)
    end
  end)

  it("makes calls from a frame loop", function()
    local out = play(program, sandbox.url)
    assert.equal(3, count(out, "founded %x+%-"), out)
    assert.equal(3, sandbox:committed "create_org")
    assert.truthy(out:find "30 frames, the longest update took")
  end)

  it("closes its state with calls in flight, at once", function()
    local out, took = play(program, slow.url)
    assert.equal(0, count(out, "founded"))
    assert.is_true(tonumber(out:match "closed in ([%d.]+) ms") < 500, out)
    assert.is_true(took < 3, took)
  end)

  it("is left clean by a script that ends with an error in the middle of a call", function()
    local script = process.temporary_file [[
      local client = require "polytomic".new()
      return function()
        client:start("create_org", { name = "Guild" })
        for _ = 1, 10 do client:step(0.01) end
        error("the end", 0)
      end
    ]]
    local out =
      play(program, slow.url, { script = script, status = 1, errors = "embed: the end\n" })
    assert.equal(1, count(out, "closed in"))
  end)

  it("runs two states in two threads, each with connections of its own", function()
    local out = play(program, slow.url, { threads = 2 })
    assert.equal(2, count(out, "closed in"))
  end)

  it("closes its state and ends while a name is looked up, at once", function()
    if not dns.available() then return pending(dns.UNAVAILABLE) end
    local resolver = dns.resolver "silent"
    local out, took = play(program, "https://polytomic.example", { resolver = resolver })
    assert.is_true(resolver:queries() > 0)
    assert.is_true(tonumber(out:match "closed in ([%d.]+) ms") < 500, out)
    assert.is_true(took < 3, took)
    resolver:stop()
  end)

  -- The sanitizers' builds of the library take their time: one Lua will do.
  if version == "lua5.4" then
    for name, flag in pairs { AddressSanitizer = "address", ThreadSanitizer = "thread" } do
      it("is clean with the library under " .. name
          .. ", in four threads, with calls that end and calls in flight #slow", function()
        local build = process.directory() .. "/" .. flag
        local flags = "-O0 -g1 -fno-omit-frame-pointer -fsanitize=" .. flag
        run(("make -s CC=gcc BUILD=%s CFLAGS='%s' LUA_VERSION=5.4 all"):format(build, flags),
          { timeout = 120 })
        local sanitized = process.directory() .. "/embed-" .. flag
        run(
          ("gcc %s -o %s examples/embed/main.c "
              .. "$(pkg-config --cflags --libs lua5.4) -pthread"):format(flags, sanitized)
        )
        local cpath = build .. "/5.4/?.so;" .. package.cpath
        local quick = slow_server.start { delay = 0.05 }
        assert.equal(4,
          count(play(sanitized, quick.url, { threads = 4, cpath = cpath }), "closed in"))
        assert.equal(4,
          count(play(sanitized, slow.url, { threads = 4, cpath = cpath }), "closed in"))
        quick:stop()
      end)
    end
  end
end)
