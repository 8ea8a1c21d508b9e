-- What reaches a user's machine: the rockspec names every file, and an installed tree works by
-- itself.
-- Luas: 5.4 5.1

local contains = require("spec.support.text").contains
local packaging = require "spec.support.packaging"
local process = require "spec.support.process"

local clean, lines_of, make = packaging.clean, packaging.lines_of, packaging.make

local ROCKSPEC = "rockspec/polytomic-scm-1.rockspec"
local VERSION = rawget(_G, "jit") and "jit" or _VERSION:match("%d+%.%d+")
local ABI = VERSION == "jit" and "5.1" or VERSION

local function rockspec(path)
  path = path or ROCKSPEC
  local values = {}
  local chunk
  if rawget(_G, "setfenv") then
    chunk = rawget(_G, "setfenv")(assert(loadfile(path)), values)
  else
    chunk = assert(loadfile(path, "t", values))
  end
  chunk()
  return values
end

local function set(list)
  local members = {}
  for _, member in ipairs(list) do members[member] = true end
  return members
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

describe("the version", function()
  local version = require "polytomic.version"

  it("is one value everywhere", function()
    assert.equal(version, require("polytomic.core").version)
    assert.equal("polytomic " .. version, require("polytomic")._VERSION)
    local path = "rockspec/polytomic-" .. version .. "-1.rockspec"
    assert.equal(version .. "-1", rockspec(path).version)
    assert.equal("polytomic-" .. version, rockspec(path).source.dir)
    contains(rockspec(path).source.url, version)
    contains(process.contents("bench/baseline.c"), "polytomic-lua/" .. version)
  end)

  it("must be that of the core, which may come from another installation", function()
    local script = 'package.preload["polytomic.version"] = function() return "9.8.7" end '
      .. 'print(select(2, pcall(require, "polytomic")))'
    local status, out, err = process.run { process.interpreter(), "-e", script }
    assert.same({ 0, "" }, { status, err })
    assert.equal("polytomic 9.8.7 was found with the core of " .. version .. ": package.path and "
      .. "package.cpath (LUA_PATH and LUA_CPATH) lead to different installations\n", out)
  end)

  it("has a rockspec that differs from the tree's in version and source alone", function()
    local release, scm = rockspec("rockspec/polytomic-" .. version .. "-1.rockspec"), rockspec()
    for _, name in ipairs { "version", "package_version", "source" } do
      release[name], scm[name] = nil, nil
    end
    assert.same(scm, release)
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
    local env = clean { PATH = root .. "/usr/bin:" .. os.getenv "PATH" }
    local code, out, err = process.run({ "polytomic", "--version" }, { env = env, directory = "/" })
    assert.same({ 0, "" }, { code, err })
    assert.equal(require("polytomic")._VERSION .. "\n", out)
    local words = { "polytomic", "operations", "org" }
    code, out, err = process.run(words, { env = env, directory = "/" })
    assert.same({ 0, "" }, { code, err })
    contains(out, "create_org")
  end)

  it("puts the types where the README's .luarc.json finds them", function()
    local readme = process.contents "README.md"
    local path = assert(readme:match '"workspace.library": %["/usr/local/([^"]+)"')
    local text = process.contents(root .. "/usr/" .. path .. "/polytomic.lua")
    assert.truthy(text and text:find("---@meta", 1, true))
  end)

  it("installs types, reference and completion", function()
    for path, part in pairs {
      ["polytomic/library/polytomic.lua"] = "create_org",
      ["polytomic/library/provision.lua"] = "---@meta polytomic.provision",
      ["polytomic/library/sandbox.lua"] = "---@meta polytomic.sandbox",
      ["doc/polytomic/operations.md"] = "create_org",
      ["bash-completion/completions/polytomic"] = "polytomic completion words",
      ["zsh/site-functions/_polytomic"] = "polytomic completion words",
      ["fish/vendor_completions.d/polytomic.fish"] = "polytomic completion words",
    } do
      local text = process.contents(root .. "/usr/share/" .. path)
      assert.truthy(text and text:find(part, 1, true), path)
    end
  end)

  it("installs every module of the tree", function()
    for _, path in ipairs(lines_of "find lua/polytomic -name '*.lua'") do
      assert.is_string(process.contents(root .. "/usr/share/lua/" .. ABI .. path:gsub("^lua", "")))
    end
  end)

  it("can be read by every user, whatever the umask of the one who installs", function()
    local third = process.quote(process.directory() .. "/umask")
    local line = "umask 077; exec make -s install PREFIX=/usr LUA_VERSION=%s DESTDIR=%s"
    local code, _, err =
      process.run({ "sh", "-c", line:format(VERSION, third) }, { env = clean(), timeout = 120 })
    assert.same({ 0, "" }, { code, err })
    local closed = "find %s/usr ! -perm -444 -print -o -type d ! -perm -111 -print; echo none"
    assert.same({ "none" }, lines_of(closed:format(third)))
  end)

  it("takes away what an older version brought and this one does not", function()
    local third = process.directory() .. "/older"
    assert.equal(0, (make("install", third)))
    local modules = third .. "/usr/share/lua/" .. ABI .. "/polytomic/"
    local list = assert(io.open(modules .. ".installed", "a"))
    list:write "polytomic/older.lua\n"
    list:close()
    for _, name in ipairs { "older.lua", "foreign.lua" } do
      assert(io.open(modules .. name, "w")):close()
    end
    assert.equal(0, (make("install", third)))
    assert.is_nil(process.contents(modules .. "older.lua"))
    assert.equal("", process.contents(modules .. "foreign.lua"))
  end)

  it("is undone by make uninstall, which leaves what is not its own", function()
    local second = process.directory() .. "/removed"
    assert.equal(0, (make("install", second)))
    local other = second .. "/usr/bin/other"
    process.write(other, "")
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

describe("luarocks test", function()
  it("runs busted with the Lua it is asked for, and fails as it does", function()
    local function spec(name, text)
      local path = process.directory() .. "/" .. name .. "_spec.lua"
      process.write(path, text)
      return path
    end
    local good = spec("good", 'it("runs", function() assert.truthy(_VERSION) end)')
    local bad = spec("bad", 'it("fails", function() assert.falsy(_VERSION) end)')
    local words = { process.interpreter(), ".ci/test-rock", good }
    local status, out = process.run(words, { env = clean() })
    assert.equal(0, status, out)
    contains(out, "1 success")
    words[3] = bad
    assert.are_not.equal(0, (process.run(words, { env = clean() })))
  end)
end)
