-- L: random programs in hostile hands; make torture runs more of them.
-- Takes: 20 s

local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

describe("L: random programs that close, step and collect wherever Lua runs", function()
  for _, seed in ipairs { 20240611, os.time() } do
    it("bring no process down, and every call gives back what a call may", function()
      sandbox:reset()
      local status, out, err = process.run(
        { process.interpreter(), "spec/torture/program.lua", sandbox.url, sandbox.partner_key,
          tostring(seed), "30", "60" },
        { env = process.environment(), timeout = 300 }
      )
      assert.same({ 0, "" }, { status, err }, ("seed %d: %s"):format(seed, out))
      assert.truthy(tonumber(out:match "^(%d+) programs") >= 10, out)
    end)
  end
end)
