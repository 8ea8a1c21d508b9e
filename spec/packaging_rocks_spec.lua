-- A release as LuaRocks builds, packs and installs it.
-- Needs: luarocks
-- Needs: git
-- Luas: 5.4 5.1
-- Takes: 15 s

local packaging = require "spec.support.packaging"
local process = require "spec.support.process"

local VERSION, clean = packaging.VERSION, packaging.clean

-- luarocks is for PUC Lua here; building twice is enough.
if VERSION == "5.4" or VERSION == "5.1" then
  describe("a release", function()
    local place, tree

    -- Runs luarocks in the unpacked tarball, without any network.
    local function luarocks(...)
      local words = { "luarocks", "--lua-version=" .. VERSION, "--tree=" .. tree, ... }
      return process.run(words, {
        env = clean { http_proxy = "http://127.0.0.1:1", https_proxy = "http://127.0.0.1:1" },
        directory = place,
        timeout = 300,
      })
    end

    setup(function()
      local name = "polytomic-" .. require "polytomic.version"
      tree = process.directory() .. "/rocks"
      place = process.directory() .. "/" .. name
      -- As `make dist` makes it, of the files as they are now.
      local script = ("mkdir -p %s && git ls-files -co --exclude-standard | tar -cT - | tar -xC %s")
        :format(process.quote(place), process.quote(place))
      assert(process.run { "sh", "-c", script } == 0)
    end)

    it("builds offline by its rockspec, and runs", function()
      local path = "rockspec/polytomic-" .. require "polytomic.version" .. "-1.rockspec"
      assert.equal(0, (luarocks("lint", path)))
      -- Not optimized: what is seen here is the same, in half the time.
      local status, out, err = luarocks("make", "--deps-mode=none", path, "CFLAGS=-O0 -fPIC")
      assert.equal(0, status, out .. err)
      local words = { tree .. "/bin/polytomic", "--version" }
      local code, text, complaint = process.run(words, { env = clean(), directory = "/" })
      assert.same({ 0, "" }, { code, complaint })
      assert.equal(require("polytomic")._VERSION .. "\n", text)
      local _, found = process.run { "find", tree, "-path", "*/library/polytomic.lua" }
      assert.are_not.equal("", found)
    end)

    it("is packed, and the packed rock is installed", function()
      assert.equal(0, (luarocks("pack", "polytomic")))
      local _, rock = process.run({ "sh", "-c", "ls *.rock" }, { directory = place })
      tree = process.directory() .. "/rocks-again"
      assert.equal(0, (luarocks("install", "--deps-mode=none", (rock:gsub("\n", "")))))
      local words = { tree .. "/bin/polytomic", "--version" }
      assert.equal(0, (process.run(words, { env = clean(), directory = "/" })))
    end)

    it("is as clean after make clean as before", function()
      local options = { directory = place, env = clean() }
      assert.equal(0, (process.run({ "make", "-s", "clean" }, options)))
      local _, left = process.run(
        { "find", ".", "-name", "*.o", "-o", "-name", "*.rock", "-o", "-name", "*.so" },
        { directory = place }
      )
      assert.equal("", left)
    end)
  end)
end
