-- What reaches a user's machine: the rockspec names every file, and an installed tree works by
-- itself.

local process = require "spec.support.process"

local ROCKSPEC = "rockspec/polytomic-scm-1.rockspec"
local VERSION = rawget(_G, "jit") and "jit" or _VERSION:match("%d+%.%d+")
local ABI = VERSION == "jit" and "5.1" or VERSION

local function lines_of(command)
  local pipe = assert(io.popen(command, "r"))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  assert(#list > 0, command .. " finds nothing")
  return list
end

local function rockspec()
  local values = {}
  local chunk
  if rawget(_G, "setfenv") then
    chunk = rawget(_G, "setfenv")(assert(loadfile(ROCKSPEC)), values)
  else
    chunk = assert(loadfile(ROCKSPEC, "t", values))
  end
  chunk()
  return values
end

local function set(list)
  local members = {}
  for _, member in ipairs(list) do members[member] = true end
  return members
end

-- Runs make for this Lua; nothing of a make that runs the specs reaches it.
local function make(target, root)
  local env = process.environment {
    MAKEFLAGS = false,
    MFLAGS = false,
    MAKELEVEL = false,
    MAKEOVERRIDES = false,
  }
  return process.run(
    { "make", "-s", target, "LUA_VERSION=" .. VERSION, "DESTDIR=" .. root, "PREFIX=/usr" },
    { env = env, timeout = 120 }
  )
end

describe("the rockspec", function()
  local build = rockspec().build

  it("lists every C source of the core and no other", function()
    local wanted = set(lines_of "ls csrc/base/*.c csrc/http/*.c csrc/api/*.c csrc/lua/*.c")
    assert.same(wanted, set(build.modules["polytomic.core"].sources))
  end)

  it("lists every Lua module by its name", function()
    local wanted = {}
    for _, path in ipairs(lines_of "find lua/polytomic -name '*.lua'") do
      local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
      wanted[name] = path
    end
    local listed = {}
    for name, path in pairs(build.modules) do
      if type(path) == "string" then listed[name] = path end
    end
    assert.same(wanted, listed)
  end)

  it("installs the command and names what it depends on", function()
    assert.equal("lua/bin/polytomic", build.install.bin.polytomic)
    assert.same({ CURL = { library = "curl" } }, rockspec().external_dependencies)
  end)
end)

describe("make install", function()
  local root, status, complaint

  setup(function()
    root = process.directory() .. "/installed"
    local _
    status, _, complaint = make("install", root)
  end)

  it("succeeds", function()
    assert.same({ 0, "" }, { status, complaint })
  end)

  it("installs a command that runs from that tree alone", function()
    local share, lib = root .. "/usr/share/lua/" .. ABI, root .. "/usr/lib/lua/" .. ABI
    local env = process.environment {
      LUA_PATH = ("%s/?.lua;%s/?/init.lua;;"):format(share, share), LUA_CPATH = lib .. "/?.so;;",
      PATH = root .. "/usr/bin:" .. os.getenv "PATH",
    }
    local code, out, err = process.run({ "polytomic", "--version" }, { env = env, directory = "/" })
    assert.same({ 0, "" }, { code, err })
    assert.equal(require("polytomic")._VERSION .. "\n", out)
  end)

  it("installs every module of the tree", function()
    for _, path in ipairs(lines_of "find lua/polytomic -name '*.lua'") do
      local file = assert(io.open(root .. "/usr/share/lua/" .. ABI .. path:gsub("^lua", ""), "rb"))
      file:close()
    end
  end)

  it("is undone by make uninstall, which leaves what is not its own", function()
    local second = process.directory() .. "/removed"
    assert.equal(0, (make("install", second)))
    local other = second .. "/usr/bin/other"
    assert(io.open(other, "w")):close()
    assert.equal(0, (make("uninstall", second)))
    assert.same({ other }, lines_of("find " .. process.quote(second) .. " -type f"))
    assert.same(
      { "." },
      lines_of(
        "cd " .. process.quote(second) .. " && find . -path . -o -name polytomic -print; echo ."
      )
    )
  end)
end)
