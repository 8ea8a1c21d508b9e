-- Two Luas of one machine have the library side by side.
-- Needs: another-lua
-- Luas: 5.4

local packaging = require "spec.support.packaging"
local process = require "spec.support.process"

local clean, lines_of, make = packaging.clean, packaging.lines_of, packaging.make

describe("make install", function()
  it("is undone for one Lua without hurting another", function()
    local both = process.directory() .. "/both"
    local other = packaging.VERSION == "5.4" and "5.1" or "5.4"
    assert.equal(0, (make("install", both)))
    assert.equal(0, (make("install", both, other)))
    assert.equal(0, (make("uninstall", both)))
    local env = clean { PATH = both .. "/usr/bin:" .. os.getenv "PATH" }
    local code, out, err = process.run({ "polytomic", "--version" }, { env = env, directory = "/" })
    assert.same({ 0, "" }, { code, err })
    assert.equal(require("polytomic")._VERSION .. "\n", out)
    assert.truthy(process.contents(both .. "/usr/share/polytomic/library/polytomic.lua"))
    assert.equal(0, (make("uninstall", both, other)))
    assert.same({ "." }, lines_of("cd " .. process.quote(both) .. " && find . -type f; echo ."))
  end)
end)
