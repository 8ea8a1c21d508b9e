-- The decision to retry (csrc/api/retry.c) over the whole table of the public contract.
-- PT_SHOW_MATRIX=1 prints what was decided.

local core = require "polytomic.testing"

local REQUESTS = {
  { title = "GET", method = "GET" },
  { title = "PUT", method = "PUT" },
  { title = "DELETE", method = "DELETE" },
  { title = "POST with a key", method = "POST", keyed = true },
  { title = "PATCH with a key", method = "PATCH", keyed = true },
  { title = "POST without a key", method = "POST" },
  { title = "PATCH without a key", method = "PATCH" },
}

-- Six cells for the first attempt, six for one after a lost reply, in the order of REQUESTS (PATCH
-- without a key goes with POST). A cell says
--   R retried, F final, S success; and the call's outcome if it ends there: d done, u unknown,
--   r rejected, n unsent.
-- Without a key nothing is retried after a lost reply, so the last column on the right is only
-- reached when the caller repeats a call by hand.
local ROWS = {
  -- GET PUT DEL POST+ PATCH+ POST-    after a lost reply
  { "the connection is refused", { ["end"] = "connect" },
    "Rn  Rn  Rn  Rn    Rn     Rn       Rn  Ru  Ru  Ru  Ru  Ru" },
  { "the connection times out", { ["end"] = "timeout" },
    "Rn  Rn  Rn  Rn    Rn     Rn       Rn  Ru  Ru  Ru  Ru  Ru" },
  { "the connection is gone before a byte was sent", { ["end"] = "network" },
    "Rn  Rn  Rn  Rn    Rn     Rn       Rn  Ru  Ru  Ru  Ru  Ru" },
  { "the name is not resolved", { ["end"] = "dns", dns_failures = 1 },
    "Rn  Rn  Rn  Rn    Rn     Rn       Rn  Ru  Ru  Ru  Ru  Ru" },
  { "the name is not resolved again", { ["end"] = "dns", dns_failures = 2 },
    "Fn  Fn  Fn  Fn    Fn     Fn       Fn  Fu  Fu  Fu  Fu  Fu" },
  { "the reply is lost", { ["end"] = "network", sent = true },
    "Ru  Ru  Ru  Ru    Ru     Fu       Ru  Ru  Ru  Ru  Ru  Fu" },
  { "the attempt times out", { ["end"] = "timeout", sent = true },
    "Ru  Ru  Ru  Ru    Ru     Fu       Ru  Ru  Ru  Ru  Ru  Fu" },
  { "the answer is 408", { status = 408 },
    "Rr  Ru  Ru  Ru    Ru     Fu       Rr  Ru  Ru  Ru  Ru  Fu" },
  { "the answer is 425", { status = 425 },
    "Rr  Ru  Ru  Ru    Ru     Fu       Rr  Ru  Ru  Ru  Ru  Fu" },
  { "the answer is 502", { status = 502 },
    "Rr  Ru  Ru  Ru    Ru     Fu       Rr  Ru  Ru  Ru  Ru  Fu" },
  { "the answer is 503", { status = 503 },
    "Rr  Ru  Ru  Ru    Ru     Fu       Rr  Ru  Ru  Ru  Ru  Fu" },
  { "the answer is 503 with Retry-After", { status = 503, retry_after = 1 },
    "Rr  Ru  Ru  Ru    Ru     Ru       Rr  Ru  Ru  Ru  Ru  Ru" },
  { "the answer is 504", { status = 504 },
    "Rr  Ru  Ru  Ru    Ru     Fu       Rr  Ru  Ru  Ru  Ru  Fu" },
  { "the answer is 429", { status = 429 },
    "Rr  Rr  Rr  Rr    Rr     Rr       Rr  Ru  Ru  Ru  Ru  Ru" },
  { "the answer is 500", { status = 500 },
    "Rr  Ru  Ru  Fu    Fu     Fu       Rr  Ru  Ru  Fu  Fu  Fu" },
  { "the answer is 409", { status = 409 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Ru  Ru  Fu" },
  { "TLS fails", { ["end"] = "tls" },
    "Fn  Fn  Fn  Fn    Fn     Fn       Fn  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 400", { status = 400 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Fr  Fr  Fu" },
  { "the answer is 401", { status = 401 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 403", { status = 403 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 404", { status = 404 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Sd  Fr  Fr  Fu" },
  { "the answer is 410", { status = 410 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Fr  Fr  Fu" },
  { "the answer is 422", { status = 422 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Fr  Fr  Fu" },
  { "the answer is 501", { status = 501 },
    "Fr  Fu  Fu  Fu    Fu     Fu       Fr  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 505", { status = 505 },
    "Fr  Fu  Fu  Fu    Fu     Fu       Fr  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 599", { status = 599 },
    "Fr  Fu  Fu  Fu    Fu     Fu       Fr  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 301", { status = 301 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 307", { status = 307 },
    "Fr  Fr  Fr  Fr    Fr     Fr       Fr  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 2xx but no JSON", { ["end"] = "bad_response", status = 200 },
    "Fu  Fu  Fu  Fu    Fu     Fu       Fu  Fu  Fu  Fu  Fu  Fu" },
  { "the reply is not HTTP", { ["end"] = "protocol", sent = true },
    "Fu  Fu  Fu  Fu    Fu     Fu       Fu  Fu  Fu  Fu  Fu  Fu" },
  { "the reply is too large", { ["end"] = "too_large", sent = true },
    "Fu  Fu  Fu  Fu    Fu     Fu       Fu  Fu  Fu  Fu  Fu  Fu" },
  { "the proxy refuses", { ["end"] = "proxy", status = 407 },
    "Fn  Fn  Fn  Fn    Fn     Fn       Fn  Fu  Fu  Fu  Fu  Fu" },
  { "the proxy fails", { ["end"] = "proxy", status = 502 },
    "Rn  Rn  Rn  Rn    Rn     Rn       Rn  Ru  Ru  Ru  Ru  Ru" },
  { "the proxy is not there", { ["end"] = "proxy" },
    "Rn  Rn  Rn  Rn    Rn     Rn       Rn  Ru  Ru  Ru  Ru  Ru" },
  { "memory runs out before sending", { ["end"] = "memory" },
    "Fn  Fn  Fn  Fn    Fn     Fn       Fn  Fu  Fu  Fu  Fu  Fu" },
  { "the call is cancelled before sending", { ["end"] = "cancelled" },
    "Fn  Fn  Fn  Fn    Fn     Fn       Fn  Fu  Fu  Fu  Fu  Fu" },
  { "the call is cancelled in transfer", { ["end"] = "cancelled", sent = true },
    "Fu  Fu  Fu  Fu    Fu     Fu       Fu  Fu  Fu  Fu  Fu  Fu" },
  { "the client is closed in transfer", { ["end"] = "closed", sent = true },
    "Fu  Fu  Fu  Fu    Fu     Fu       Fu  Fu  Fu  Fu  Fu  Fu" },
  { "the answer is 200", { status = 200 },
    "Sd  Sd  Sd  Sd    Sd     Sd       Sd  Sd  Sd  Sd  Sd  Sd" },
  { "the answer is 204", { status = 204 },
    "Sd  Sd  Sd  Sd    Sd     Sd       Sd  Sd  Sd  Sd  Sd  Sd" },
}

local OUTCOMES = { d = "done", u = "unknown", r = "rejected", n = "unsent" }
local COLUMNS = 6

local function input(request, what, extra)
  local values = { method = request.method, keyed = request.keyed, ["end"] = "answered" }
  values.sent = what.status ~= nil and what["end"] ~= "proxy"
  for _, more in ipairs { what, extra or {} } do
    for name, value in pairs(more) do values[name] = value end
  end
  return values
end

local LETTERS = { done = "d", unknown = "u", rejected = "r", unsent = "n" }

local function letter(decision)
  return decision.success and "S" or decision.retry and "R" or "F"
end

local function cells_of(row)
  local cells = {}
  for cell in row[3]:gmatch "%S+" do cells[#cells + 1] = cell end
  assert(#cells == 2 * COLUMNS, row[1])
  return cells
end

-- Every row against every request, first and after a lost reply: function(row, request, extra,
-- expected cell, title).
local function each_cell(visit)
  for _, row in ipairs(ROWS) do
    local cells = cells_of(row)
    for column, request in ipairs(REQUESTS) do
      local index = math.min(column, COLUMNS)
      visit(row, request, {}, cells[index], "when " .. row[1])
      visit(row, request, { attempt = 2, unknown_before = true }, cells[COLUMNS + index],
        "when " .. row[1] .. ", after a lost reply")
    end
  end
end

local function shown(row, extra)
  local words = {}
  for index, request in ipairs(REQUESTS) do
    local decision = core.retry_decide(input(request, row[2], extra))
    words[index] = ("%-20s"):format(letter(decision) .. " " .. decision.outcome)
  end
  return table.concat(words)
end

local function show_matrix()
  local header = {}
  for index, request in ipairs(REQUESTS) do header[index] = ("%-20s"):format(request.title) end
  local first = { ("%-48s"):format("first attempt") .. table.concat(header) }
  local lost = { ("%-48s"):format("after a lost reply") .. table.concat(header) }
  for _, row in ipairs(ROWS) do
    first[#first + 1] = ("%-48s"):format(row[1]) .. shown(row, {})
    lost[#lost + 1] = ("%-48s"):format(row[1]) .. shown(row, { attempt = 2, unknown_before = true })
  end
  io.stdout:write("\n", table.concat(first, "\n"), "\n\n", table.concat(lost, "\n"), "\n\n")
end

if os.getenv "PT_SHOW_MATRIX" then show_matrix() end

describe("A call", function()
  each_cell(function(row, request, extra, cell, title)
    local words = { R = "is retried", F = "ends", S = "succeeds" }
    it(("G: %s %s %s (%s)"):format(request.title, words[cell:sub(1, 1)], title,
      OUTCOMES[cell:sub(2)]), function()
        local decision = core.retry_decide(input(request, row[2], extra))
        assert.equal(cell, letter(decision) .. LETTERS[decision.outcome])
        assert.equal(cell:sub(1, 1) == "R", decision.retryable)
        assert.is_false(decision.past_deadline)
      end)
  end)
end)

describe("A documented redirect", function()
  it("F: is a success of that status alone", function()
    local function decide(status)
      local decision =
        core.retry_decide {
          method = "GET",
          ["end"] = "answered",
          status = status,
          redirect_status = 302,
        }
      return { decision.success, decision.outcome, decision.retryable }
    end
    assert.same({ true, "done", false }, decide(302))
    for _, status in ipairs { 301, 303, 307, 404 } do
      assert.same({ false, "rejected", false }, decide(status))
    end
    assert.is_true(decide(200)[1])
  end)
end)

describe("However the table decides, a call", function()
  -- The decision of every cell once more under one more condition.
  local function everywhere(extra, check)
    each_cell(function(row, request, state, cell, title)
      local values = input(request, row[2], state)
      for name, value in pairs(extra) do values[name] = value end
      check(core.retry_decide(values), cell, request.title .. " " .. title, values)
    end)
  end

  it("B8: is sent once with retries = 0", function()
    everywhere({ retries = 0 }, function(decision, cell, title)
      assert.is_false(decision.retry, title)
      assert.equal(cell:sub(1, 1) == "R", decision.retryable, title)
      assert.equal(cell:sub(1, 1) == "S", decision.success, title)
    end)
  end)

  it("G: is sent `retries` times more and no further", function()
    everywhere({ attempt = 4, retries = 4 }, function(decision, cell, title)
      assert.equal(cell:sub(1, 1) == "R", decision.retry, title)
    end)
    everywhere({ attempt = 5, retries = 4 }, function(decision, _, title)
      assert.is_false(decision.retry, title)
    end)
    everywhere({ attempt = 1000000, retries = 1000000 }, function(decision, cell, title)
      assert.equal(cell:sub(1, 1) == "R", decision.retry, title)
      assert.is_true(decision.wait <= 8, title)
    end)
  end)

  it("is not retried past an empty budget", function()
    everywhere({ tokens = 4.9 }, function(decision, _, title, values)
      assert.equal(values.status == 429, decision.retry, title)
    end)
    everywhere({ tokens = 5 }, function(decision, cell, title, values)
      assert.equal(cell:sub(1, 1) == "R" and values["end"] ~= "timeout", decision.retry, title)
    end)
    everywhere({ tokens = 10 }, function(decision, cell, title)
      assert.equal(cell:sub(1, 1) == "R", decision.retry, title)
    end)
  end)

  it("takes 5 tokens for a retry, 10 after a timeout and none after 429", function()
    everywhere({}, function(decision, _, title, values)
      local cost = values["end"] == "timeout" and 10 or values.status == 429 and 0 or 5
      assert.equal(cost, decision.cost, title)
    end)
  end)

  it("G: does not count 429 against `retries` where it is patient, and counts all else", function()
    everywhere({ attempt = 40, retries = 0, patient = true }, function(decision, _, title, values)
      assert.equal(values.status == 429, decision.retry, title)
      assert.equal(values.status == 429, decision.uncounted, title)
    end)
    for uncounted, wait in pairs { [15] = 0, [16] = 0.5 } do -- no loop of "Retry-After: 0"
      everywhere({ attempt = 40, uncounted = uncounted, patient = true, retry_after = 0 },
        function(decision, _, title, values)
        if values.status == 429 then assert.equal(wait, decision.wait, title) end
      end)
    end
    everywhere({ attempt = 10, uncounted = 9, retries = 1 }, function(decision, cell, title)
      assert.equal(cell:sub(1, 1) == "R", decision.retry, title)
      assert.is_false(decision.uncounted, title)
    end)
    everywhere({ attempt = 10, uncounted = 8, retries = 1 }, function(decision, _, title)
      assert.is_false(decision.retry, title)
    end)
  end)

  it("D5: fails at once where the wait would pass the deadline", function()
    for _, left in ipairs { 0.25, 0, -1 } do
      everywhere({ left = left, jitter = 0.999, attempt = 2, retry_after = -1 },
        function(decision, _, title)
        assert.is_false(decision.retry, title)
        assert.equal(decision.retryable, decision.past_deadline, title)
      end)
    end
  end)

  it("D5: is not retried at the deadline even without a wait", function()
    everywhere({ left = 0, jitter = 0, retry_after = -1 }, function(decision, _, title)
      assert.is_false(decision.retry, title)
    end)
  end)

  it("has the same outcome whether attempts, time or tokens ran out", function()
    for _, extra in ipairs { { retries = 0 }, { left = 0 }, { tokens = 0 } } do
      everywhere(
        extra,
        function(decision, cell, title)
          assert.equal(OUTCOMES[cell:sub(2)], decision.outcome, title)
        end
      )
    end
  end)
end)

describe("The wait before a retry", function()
  local function wait(extra)
    return core.retry_decide(input({ method = "GET" }, { status = 503 }, extra)).wait
  end

  it("is drawn from zero to half a second, doubled with each attempt, at most eight", function()
    for attempt, most in ipairs { 0.5, 1, 2, 4, 8, 8, 8 } do
      assert.equal(0, wait { attempt = attempt, retries = 9, jitter = 0 })
      assert.equal(most / 2, wait { attempt = attempt, retries = 9, jitter = 0.5 })
      assert.equal(most * 0.875, wait { attempt = attempt, retries = 9, jitter = 0.875 })
    end
    assert.equal(4, wait { attempt = 1e9, retries = 2e9, jitter = 0.5 })
  end)

  it("I: is what Retry-After says instead", function()
    assert.equal(0, wait { retry_after = 0 })
    assert.equal(20, wait { retry_after = 20 })
    assert.equal(1.5, wait { retry_after = 1.5, attempt = 5, retries = 9 })
    assert.equal(0.25, wait { retry_after = -1 })
  end)

  it("I: is reported when Retry-After passes the deadline", function()
    local decision = core.retry_decide(input({ method = "POST" }, { status = 429 },
      { retry_after = 120, left = 90 }))
    assert.same({ retry = false, retryable = true, past_deadline = true, wait = 120 },
      { retry = decision.retry, retryable = decision.retryable,
        past_deadline = decision.past_deadline, wait = decision.wait })
    assert.is_true(
      core.retry_decide(
        input({ method = "POST" }, { status = 429 }, { retry_after = 89, left = 90 })
      ).retry
    )
  end)

  it("is drawn where no reply could carry a Retry-After", function()
    assert.equal(
      0.25,
      core.retry_decide(
        input({ method = "GET" }, { ["end"] = "network", sent = true }, { retry_after = 20 })
      ).wait
    )
  end)
end)

describe("The rules of one method:", function()
  local function decide(method, what, extra)
    return core.retry_decide(input({ method = method, keyed = extra.keyed }, what, extra))
  end

  it("G: a DELETE that finds nothing after a lost reply has done its work", function()
    assert.is_true(decide("DELETE", { status = 404 },
      { unknown_before = true, attempt = 2 }).success)
    assert.is_false(decide("DELETE", { status = 404 }, {}).success)
    assert.is_false(decide("DELETE", { status = 404 }, { attempt = 2 }).success)
    assert.is_false(decide("DELETE", { status = 410 },
      { unknown_before = true, attempt = 2 }).success)
    for _, method in ipairs { "GET", "PUT", "POST", "PATCH" } do
      assert.is_false(decide(method, { status = 404 },
        { unknown_before = true, attempt = 2, keyed = method ~= "GET" }).success)
    end
  end)

  it("G: a 409 is waited out only with a key and after a lost reply", function()
    for _, method in ipairs { "PUT", "POST", "PATCH" } do
      assert.is_true(decide(method, { status = 409 },
        { keyed = true, unknown_before = true, attempt = 2 }).retry)
      assert.is_false(decide(method, { status = 409 }, { keyed = true, attempt = 2 }).retry)
      assert.is_false(decide(method, { status = 409 },
        { unknown_before = true, attempt = 2 }).retry)
    end
  end)

  it("G: a 500 is final for any request with a key, a PUT too, since the API replays it", function()
    assert.is_false(decide("PUT", { status = 500 }, { keyed = true }).retry)
    assert.is_true(decide("PUT", { status = 500 }, {}).retry)
  end)

  it("is retried at most once for a name that is not resolved, after any attempts", function()
    assert.is_true(decide("GET", { ["end"] = "dns" }, { dns_failures = 1, attempt = 3 }).retry)
    assert.is_false(decide("GET", { ["end"] = "dns" }, { dns_failures = 2, attempt = 3 }).retry)
  end)
end)
