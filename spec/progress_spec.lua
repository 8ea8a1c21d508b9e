-- How far a batch has come, as a table and as a line.

local command = require "spec.support.command"
local process = require "spec.support.process"
local progress = require "polytomic.progress"
local sandbox = require "spec.support.sandbox"
local terminal = require "polytomic.terminal"

describe("The line of a batch's progress", function()
  it("has count, rate, failures and the time that is left", function()
    local state = {
      operation = "create_user",
      done = 512,
      total = 1000,
      failures = 3,
      rate = 310.4,
      eta = 1.57,
    }
    assert.equal("create_user: 512/1000, 310.4/s, 3 failed, 1.6 s left", progress.text(state))
    state.eta = 754
    assert.equal("create_user: 512/1000, 310.4/s, 3 failed, 12:34 min left", progress.text(state))
  end)

  it("says while the server asks to slow down", function()
    local state = { operation = "create_user", done = 7, failures = 0, rate = 0.5, slowed = true }
    assert.equal("create_user: 7, slowed down by the server, 0.5/s, 0 failed", progress.text(state))
  end)

  it("knows no end where the arguments come from a function", function()
    assert.equal("create_user: 7, 0.5/s, 0 failed",
      progress.text { operation = "create_user", done = 7, failures = 0, rate = 0.5 })
  end)
end)

describe("A meter", function()
  it("is nothing where nobody wants to know", function()
    assert.is_nil(progress.new("create_user", 10, nil))
    assert.is_nil(progress.new("create_user", 10, false))
  end)

  it("reports now and then, and in any case at the end", function()
    local states = {}
    local meter = progress.new("create_user", 1000, function(state) states[#states + 1] = state end)
    for i = 1, 1000 do meter:item_done(math.floor(i / 100)) end
    assert.is_true(#states < 100)
    meter:stop()
    local last = states[#states]
    assert.same({ "create_user", 1000, 1000, 10, 0 },
      { last.operation, last.done, last.total, last.failures, last.eta })
    assert.is_true(last.rate > 0)
  end)
end)

describe("The progress of a batch on a terminal", function()
  local BATCH = [[
    local client = require("polytomic").new {}
    local list = {}
    for i = 1, 40 do list[i] = { name = "Customer " .. i } end
    client:batch("create_org", list, { concurrency = 4, progress = true })
  ]]

  -- What the terminal gets of the batch above.
  local function shown(options)
    return select(2, command.script_on_terminal(process.temporary_file(BATCH), options))
  end

  before_each(function() sandbox:reset() end)

  for _, columns in ipairs { 20, 40, 80 } do
    it(("keeps to one line of %d columns and ends with a summary"):format(columns), function()
      sandbox:faults {
        { operation = "create_org", fault = "status", status = 429, retry_after = 1, after = 8 },
      }
      local out = shown { columns = columns }
      local last
      for text in command.plain(out):gmatch "[^\r\n]+" do
        if not text:find " done, " then
          assert.is_true(terminal.width(text) < columns, text)
        end
        last = text
      end
      assert.truthy(last:find "^create_org: 40 done, 0 failed, in %d+%.%d s$", last)
      assert.truthy(out:find("slowed", 1, true) or columns == 20, out)
      assert.equal(1, select(2, out:gsub("\n", "")))
    end)
  end

  it("is the summary alone where the cursor cannot be moved", function()
    local out = shown { env = { TERM = "dumb" } }
    assert.truthy(out:find "^create_org: 40 done, 0 failed, in %d+%.%d s\n$", out)
  end)
end)
