-- How far a batch has come, as a table and as a line.

local progress = require "polytomic.progress"

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
    assert.equal(
      "create_user: 7, 0.5/s, 0 failed, slowed down by the server",
      progress.text(state)
    )
  end)

  it("knows no end where the arguments come from a function", function()
    assert.equal(
      "create_user: 7, 0.5/s, 0 failed",
      progress.text { operation = "create_user", done = 7, failures = 0, rate = 0.5 }
    )
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
    for i = 1, 1000 do meter:tell(math.floor(i / 100)) end
    assert.is_true(#states < 100)
    meter:stop()
    local last = states[#states]
    assert.same(
      { "create_user", 1000, 1000, 10, 0 },
      { last.operation, last.done, last.total, last.failures, last.eta }
    )
    assert.is_true(last.rate > 0)
  end)
end)
