-- A storm of create_user calls under faults: afterwards the sandbox's own list shows each user
-- once, and every call has reported the truth. PT_SHOW_STORM prints the table.
-- Takes: 27 s

local core = require "polytomic.core"
local sandbox = require "spec.support.sandbox"
local storm = require "spec.support.storm"

local SEED = 20250918
local rows = {}

describe("a storm of faults", function()
  teardown(function()
    if os.getenv "PT_SHOW_STORM" then print("\n" .. storm.report(rows)) end
  end)

  -- Runs a storm; raises where a call told what is not so, or a user appears twice.
  local function weather(title, faults, count, run)
    local organization = storm.prepare(faults)
    local start = core.now()
    local told = run(organization)
    local sum = storm.reckon(organization, told, count)
    rows[#rows + 1] = { title, sum, core.now() - start }
    assert.same({ duplicates = 0, lost = 0, wrong = 0, silent = 0 },
      { duplicates = sum.duplicates, lost = sum.lost, wrong = sum.wrong, silent = sum.silent,
        strangers = sum.strangers })
    local struck = #faults
    for _, fault in ipairs(sandbox:unconsumed()) do struck = struck - fault.remaining end
    return sum, struck
  end

  it("over 1200 calls with 32 in flight leaves each user there once", function()
    local faults = storm.faults(1560, SEED)
    local sum, struck = weather("client:start, 32 in flight", faults, 1200, function(organization)
      return storm.started(organization, 1200, 32)
    end)
    assert.equal(1200, sum.data)
    assert.is_true(sum.retries > 180, sum.retries .. " retries")
    assert.is_true(struck > 0.9 * #faults, struck .. " of " .. #faults .. " faults struck")
  end)

  it("over 300 blocking calls leaves each user there once", function()
    local faults = storm.faults(390, SEED + 1, 0.1)
    local sum, struck = weather("blocking", faults, 300, function(organization)
      return storm.blocking(organization, 300)
    end)
    assert.equal(300, sum.data)
    assert.is_true(sum.retries > 30, sum.retries .. " retries")
    assert.is_true(struck > 0.8 * #faults, struck .. " of " .. #faults .. " faults struck")
  end)

  it("in which retries run out is reported truly, call by call", function()
    local faults = storm.faults(800, SEED + 2)
    local sum = weather("retries = 0", faults, 600, function(organization)
      return storm.started(organization, 600, 32, { client = { retries = 0 } })
    end)
    -- Fewer where a call timed out before its request was sent
    assert.is_true(sum.attempts <= 600, sum.attempts .. " requests")
    assert.is_true(sum.data > 300 and sum.unknown > 50 and sum.refused > 0)
  end)

  it("in which the retry budget runs out is reported truly, call by call", function()
    -- What a call's retries took comes back when it succeeds: only a storm that spoils nearly all
    -- requests empties the budget, long before a call runs out of retries.
    local faults = storm.faults(3000, SEED + 3, 1, 0.95)
    local sum = weather("one budget for all", faults, 800, function(organization)
      return storm.started(organization, 800, 32, { per_client = 800 })
    end)
    assert.is_true(sum.data > 50 and sum.unknown > 300)
    assert.is_true(sum.retries < 800, sum.retries .. " retries")
  end)

  it("without idempotency keys is reported truly, call by call", function()
    local sum = weather("without keys", storm.faults(800, SEED + 4), 600, function(organization)
      return storm.started(organization, 600, 32, nil, { idempotency_key = false })
    end)
    assert.is_true(sum.data > 300 and sum.unknown > 30)
  end)
end)
