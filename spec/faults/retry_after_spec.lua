-- I: Retry-After through a server: what it says, what the client does. Its grammar is in
-- spec/retry_after_spec.lua.

local raw_server = require "spec.support.raw_server"
local wire = require "spec.support.wire"

local TIMEOUT = 10     -- seconds; every wait refused here is longer
local FIRST_WAIT = 0.5 -- the longest wait before a first retry that no server asked for

local function date(form, seconds)
  return os.date("!" .. form, os.time() + seconds)
end

local IMF = "%a, %d %b %Y %H:%M:%S GMT"
local RFC_850 = "%A, %d-%b-%y %H:%M:%S GMT"
local ASCTIME = "%a %b %d %H:%M:%S %Y"

describe("I: Retry-After", function()
  local server, client

  setup(function()
    server = raw_server.start()
    client = wire.client(server.url, { timeout = TIMEOUT })
  end)

  teardown(function()
    client:close()
    server:stop()
  end)

  -- The call's data, message, err when the first reply has this status and header, and the second
  -- is 200.
  local function play(status, value)
    server:reset(raw_server.sequence { { status, "", { ["Retry-After"] = value } }, 200 })
    return client:create_org { name = "Acme" }
  end

  -- The retry came, `least` to `most` seconds after the first reply.
  local function assert_waits(value, least, most)
    for _, status in ipairs { 429, 503 } do
      local data, message, response = play(status, value)
      assert.is_truthy(data, message)
      assert.equal(2, response.attempts)
      local waited = response.timeline[2].waited
      assert.is_true(waited >= least and waited <= most, "waited " .. waited)
      assert.is_true(response.elapsed >= waited)
      assert.equal(2, #server:requests())
    end
  end

  -- The call failed at once, naming how long it would have had to wait.
  local function assert_fails(value, least, most)
    for _, status in ipairs { 429, 503 } do
      local data, _, err = play(status, value)
      assert.is_nil(data)
      assert.same({ status, 1, true, status == 429 and "rejected" or "unknown" },
        { err.status, err.attempts, err.retryable, err.outcome })
      assert.is_true(err.retry_after >= least and err.retry_after <= (most or least),
        "retry_after " .. err.retry_after)
      assert.is_true(err.retry_after < math.huge)
      assert.is_true(err.elapsed < TIMEOUT / 3)
      assert.equal(1, #server:requests())
    end
  end

  for _, value in ipairs { "20", "60", "61", "120", "99999", "9007199254740992",
      "99999999999999999999", "86400.5" } do
    it(value .. " passes the deadline: the call fails at once and says so", function()
      assert_fails(value, math.min(tonumber(value), 9007199254740992))
    end)
  end

  it("just past the deadline fails at once", function()
    assert_fails(tostring(TIMEOUT), TIMEOUT)
  end)

  for _, case in ipairs { { "0", 0 }, { "0.2", 0.2 }, { " 0.1 ", 0.1 }, { "\t0", 0 }, { "0.0", 0 },
      { "000", 0 } } do
    it(("%q is waited for, and not longer"):format(case[1]), function()
      assert_waits(case[1], case[2], case[2])
    end)
  end

  -- All at once, since each waits: a server and a client for every value.
  it("that is malformed, negative or infinite is ignored: the client waits as without", function()
    local jobs = {}
    for index, value in ipairs {
      "-10", "-0", "1e9", "1e400", "inf", "-inf", "Infinity", "nan", "",
      " ", "soon", "5, 10", "5;10", "0x5", "+5", "\"5\"", "Wed, 99 Oct 2035 07:28:00 GMT",
      "Wed, 21 Oct 100000 07:28:00 GMT", "Wed, 21 Foo 2035 07:28:00 GMT", "2035-10-21T07:28:00Z",
      "null", "[5]", "\255",
    } do
      local one = raw_server.start {
        script = raw_server.sequence { { 503, "", { ["Retry-After"] = value } }, 200 },
      }
      local job = {
        value = ("%q"):format(value:sub(1, 40)),
        server = one,
        client = wire.client(one.url, { timeout = TIMEOUT }, "in coroutines"),
      }
      job.run = function() job.result = wire.call(job.client, wire.kind["POST with a key"]) end
      jobs[index] = job
    end
    wire.run("in coroutines", jobs)
    for _, job in ipairs(jobs) do
      assert.is_truthy(job.result.data, job.value)
      local waited = job.result.err.timeline[2].waited
      assert.is_true(waited >= 0 and waited <= FIRST_WAIT, job.value .. " waited " .. waited)
      assert.equal(2, #job.server:requests(), job.value)
      job.client:close()
      job.server:stop()
    end
  end)

  it("surrounding white space does not count", function() assert_fails("  60\t ", 60) end)
  it("of two headers the first counts", function()
    assert_fails({ 60, 120 }, 60)
    assert_waits({ 0, 120 }, 0, 0)
  end)
  it("is found in any case", function()
    server:reset(raw_server.sequence { { 503, "", { ["rETRY-aFTER"] = 60 } } })
    assert.equal(60, select(3, client:create_org { name = "Acme" }).retry_after)
  end)

  it("as a date in the past is no wait", function()
    assert_waits("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)
  end)
  it("as the present second is no wait", function() assert_waits(date(IMF, 0), 0, 1) end)
  for title, form in pairs { ["a date"] = IMF, ["a date of RFC 850"] = RFC_850,
      ["a date of asctime"] = ASCTIME } do
    it("as " .. title .. " is a wait until then", function()
      assert_fails(date(form, 60), 50, 60)
    end)
  end
  it("as a date of RFC 850 in the past is no wait", function()
    assert_waits("Wednesday, 21-Oct-15 07:28:00 GMT", 0, 0)
  end)
  it("as a date far ahead stays finite", function()
    assert_fails("Fri, 31 Dec 9999 23:59:59 GMT", 86400 * 365, 1e12)
  end)

  it("makes a POST without a key repeatable after 503, and is not needed after 429", function()
    for _, case in ipairs { { 503, 0, 2 }, { 503, false, 1 }, { 429, 0, 2 }, { 429, false, 2 },
        { 502, 0, 1 }, { 504, 0, 1 } } do
      server:reset(raw_server.sequence { { case[1], "", { ["Retry-After"] = case[2] } }, 200 })
      client:create_org({ name = "Acme" }, { idempotency_key = false })
      assert.equal(case[3], #server:requests(), case[1] .. " with " .. tostring(case[2]))
    end
  end)

  it("does not make a final status repeatable, but is reported", function()
    for _, status in ipairs { 400, 404, 409, 422, 500 } do
      local _, _, err = play(status, "7")
      assert.same({ 1, false, 7 }, { err.attempts, err.retryable, err.retry_after })
    end
  end)

  it("on a success means nothing", function()
    server:reset { per = "request", raw_server.reply(200, { data = {} }, { ["Retry-After"] = 60 }) }
    local data, message, response = client:create_org { name = "Acme" }
    assert.is_truthy(data, message)
    assert.equal(1, response.attempts)
  end)

  it("counts with what is left of the deadline, not with all of it", function()
    server:reset(
      raw_server.sequence {
        { { sleep = 0.6 }, { send = raw_server.reply(503, "", { ["Retry-After"] = 0.5 }) } },
        200,
      }
    )
    local _, _, err = client:create_org({ name = "Acme" }, { timeout = 1 })
    assert.same({ 1, 0.5 }, { err.attempts, err.retry_after })
    assert.is_true(err.elapsed < 1)
  end)
end)
