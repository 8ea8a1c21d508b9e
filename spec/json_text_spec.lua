-- JSON text written in Lua, and what is made of it.

local locale = require "spec.support.locale"

describe("a locale with a decimal comma", function()
  it("does not change how numbers are written as JSON, CSV or Lua", function()
    local expected = '{"a":1.5} [-2.5e-300] 0.30000000000000004 1e+300\na\n1.5\nport = 8080'
    assert.equal(expected, locale.run [[
      local json = require "polytomic.json_text"
      io.write(json.encode { a = 1.5 }, " ", json.encode { -2.5e-300 }, " ")
      io.write(json.number(0.1 + 0.2), " ", json.number(1e300), "\n")
      io.write(require("polytomic.cli.csv").list({ "a" }):items { { a = 1.5 } })
      local path = require("polytomic.sandbox.child").write_program { port = 16160 / 2 }
      io.write(io.open(path):read("*a"):match "port = %d[^, ]*")
      os.remove(path)
    ]])
  end)
end)
