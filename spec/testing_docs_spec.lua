-- docs/testing.md: its specs are run as they stand there.
-- Luas: 5.4 5.1

local contains = require("spec.support.text").contains
local process = require "spec.support.process"

describe("docs/testing.md", function()
  it("has specs that pass, and that fail where the program is wrong", function()
    local text = process.contents "docs/testing.md"
    local directory = process.temporary_file()
    os.execute("mkdir " .. directory)
    local names = {}
    for name, code in text:gmatch "```lua\n%-%- ([%w_]+%.lua)[^\n]*\n(.-)```" do
      names[#names + 1] = name
      process.write(directory .. "/" .. name, code)
    end
    assert.same({ "signup.lua", "signup_spec.lua", "sandbox_spec.lua" }, names)
    local function run()
      local command = { process.interpreter(), "/usr/bin/busted", "-o", "plainTerminal",
        "--lpath=" .. directory .. "/?.lua", directory }
      local status, out, err =
        process.run(command, { env = process.environment(), directory = directory, timeout = 60 })
      return status, out .. err
    end
    local status, out = run()
    assert.equal(0, status, out)
    contains(out, "3 successes")
    local program = process.contents(directory .. "/signup.lua")
    process.write(directory .. "/signup.lua", (program:gsub("email = email", "email = company")))
    status, out = run()
    assert.equal(1, status, out)
  end)
end)
