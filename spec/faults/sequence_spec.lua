-- G: sequences of replies. Each row says, for each kind of request, how many times it is sent and
-- how the call ends.
-- Takes: 18 s

local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"
local wire = require "spec.support.wire"

-- A status, with `Retry-After: 0` so that nothing waits.
local function now(status)
  return { status, ('{"status":%d,"message":"scripted"}'):format(status), { ["Retry-After"] = 0 } }
end

local RESET = { "rst" }

-- "2 ok", or "2 server 503 unknown": requests on the wire, kind, status, outcome.
local function told(result)
  local count = #result.requests
  if result.data ~= nil then return count .. " ok" end
  return ("%d %s %s %s"):format(count, result.err.kind, result.err.status or "-",
    result.err.outcome)
end

-- One spec for each way of calling. `ends` is the end for GET, POST with a key, POST without one,
-- PUT, DELETE; one text is for all.
local function row(title, replies, ends, retries)
  wire.each_mode(it, title, function(mode)
    local results =
      wire.play(raw_server.sequence(replies), { mode = mode, call = { retries = retries or 4 } })
    local expected, actual = {}, {}
    for index, kind in ipairs(wire.kinds) do
      local result = results[kind.name]
      expected[kind.name] = type(ends) == "table" and ends[index] or ends
      actual[kind.name] = told(result)
      assert.equal(#result.requests, result.err.attempts, kind.name)
      assert.equal(#result.requests, #result.err.timeline, kind.name)
      wire.assert_same_bytes(result, kind.name)
    end
    assert.same(expected, actual)
  end)
end

describe("G: the sequence", function()
  row("503, 400: a refusal after the key's store refutes the first attempt", { 503, 400 },
    { "2 api 400 rejected", "2 api 400 rejected", "1 server 503 unknown", "2 api 400 unknown",
      "2 api 400 unknown" })
  row("503 with Retry-After, 400: repeated without a key too, "
      .. "but a server after the gateway may have taken it", { now(503), 400 },
    { "2 api 400 rejected", "2 api 400 rejected", "2 api 400 unknown", "2 api 400 unknown",
      "2 api 400 unknown" })
  row("reset, 401: the refusal says nothing of the lost attempt", { RESET, 401 },
    { "2 unauthorized 401 rejected", "2 unauthorized 401 unknown", "1 network - unknown",
      "2 unauthorized 401 unknown", "2 unauthorized 401 unknown" })
  row("reset, 422: the key's store would have replayed a success", { RESET, 422 },
    { "2 unprocessable 422 rejected", "2 unprocessable 422 rejected", "1 network - unknown",
      "2 unprocessable 422 unknown", "2 unprocessable 422 unknown" })
  row("reset, 503, 200", { RESET, now(503), 200 },
    { "3 ok", "3 ok", "1 network - unknown", "3 ok", "3 ok" })
  row("503, 503, 200", { now(503), now(503), 200 }, "3 ok")
  row("503 without Retry-After, 503, 200", { 503, now(503), 200 },
    { "3 ok", "3 ok", "1 server 503 unknown", "3 ok", "3 ok" })
  row("408, 425, 502, 504, 200", { now(408), now(425), now(502), now(504), 200 },
    { "5 ok", "5 ok", "1 api 408 unknown", "5 ok", "5 ok" })
  row("429, 500", { now(429), now(500) },
    { "3 server 500 rejected", "2 server 500 unknown", "2 server 500 unknown",
      "3 server 500 unknown", "3 server 500 unknown" }, 2)
  row("429, 429, 200", { now(429), now(429), 200 }, "3 ok")
  row("409 first is final", { 409, 200 }, "1 conflict 409 rejected")
  row("reset, 409, 200: after a lost reply 409 may be the key's lock", { RESET, now(409), 200 },
    { "2 conflict 409 rejected", "3 ok", "1 network - unknown", "2 conflict 409 unknown",
      "2 conflict 409 unknown" })
  row("503, 409, 200: as after a lost reply", { 503, now(409), 200 },
    { "2 conflict 409 rejected", "3 ok", "1 server 503 unknown", "2 conflict 409 unknown",
      "2 conflict 409 unknown" })
  row("reset, 409 to the end of the retries", { RESET, now(409) },
    { "2 conflict 409 rejected", "4 conflict 409 unknown", "1 network - unknown",
      "2 conflict 409 unknown", "2 conflict 409 unknown" }, 3)
  row("429, 409: nothing was lost, so it is final", { now(429), 409, 200 },
    "2 conflict 409 rejected")
  row("500 is final for a POST: the API replays it", { now(500), 200 },
    { "2 ok", "1 server 500 unknown", "1 server 500 unknown", "2 ok", "2 ok" })
  row("501 is final", { 501, 200 },
    { "1 server 501 rejected", "1 server 501 unknown", "1 server 501 unknown",
      "1 server 501 unknown", "1 server 501 unknown" })
  row("reset, 404: a DELETE has done its work", { RESET, 404 },
    { "2 not_found 404 rejected", "2 not_found 404 rejected", "1 network - unknown",
      "2 not_found 404 unknown", "2 ok" })
  row("404 first is final", { 404, 200 }, "1 not_found 404 rejected")
  row("429, 404: nothing was lost, so nothing was deleted", { now(429), 404 },
    "2 not_found 404 rejected")
  row(
    "503 nine times stops at retries = 4",
    { now(503) },
    {
      "5 server 503 rejected",
      "5 server 503 unknown",
      "5 server 503 unknown",
      "5 server 503 unknown",
      "5 server 503 unknown",
    },
    4
  )
  row(
    "503 nine times stops at retries = 8",
    { now(503) },
    {
      "9 server 503 rejected",
      "9 server 503 unknown",
      "9 server 503 unknown",
      "9 server 503 unknown",
      "9 server 503 unknown",
    },
    8
  )
  row(
    "503 nine times stops at retries = 0",
    { now(503) },
    {
      "1 server 503 rejected",
      "1 server 503 unknown",
      "1 server 503 unknown",
      "1 server 503 unknown",
      "1 server 503 unknown",
    },
    0
  )
  row("reset with retries = 0", { RESET }, "1 network - unknown", 0)
end)

describe("G: on the sandbox", function()
  local client

  before_each(function()
    sandbox:reset()
    client = wire.client(sandbox.url, { partner_key = sandbox.partner_key })
  end)

  after_each(function()
    client:close()
    sandbox:assert_all_faults_consumed()
  end)

  -- What the sandbox committed, and how many requests of that operation it saw.
  local function assert_seen(operation, requests, commits)
    assert.same({ requests, commits },
      { #sandbox:requests(operation), sandbox:committed(operation) })
  end

  -- The organizations it holds of that name.
  local function count(name)
    local _, body = sandbox:request("GET", "/api/organizations")
    local found = 0
    for _, one in ipairs(body.data) do
      if one.name == name then found = found + 1 end
    end
    return found
  end

  for _, fault in ipairs {
    { fault = "reset_after_commit" },
    { fault = "reset_after_commit", fin = true },
    { fault = "status", status = 503, commit = true },
    { fault = "status", status = 504, commit = true, retry_after = 0 },
    { fault = "truncate" },
    { fault = "truncate", chunked = true },
    { fault = "truncate", no_length = true },
  } do
    local title = fault.fault .. (fault.status and " " .. fault.status or "")
      .. (fault.fin and " by FIN" or "")
      .. (fault.chunked and " of chunks" or "") .. (fault.no_length and " without a length" or "")
    it(title .. " after the commit: the retry gets the stored reply", function()
      fault.operation = "create_org"
      sandbox:faults { fault }
      local org, _, response = client:create_org { name = "Acme" }
      assert.equal("Acme", org.name)
      assert.equal(2, response.attempts)
      assert_seen("create_org", 2, 1)
      assert.is_true(sandbox:requests("create_org")[2].replayed)
      assert.equal(1, count("Acme"))
    end)
  end

  it("a reply that comes too late holds the key's lock: 409, then the stored reply", function()
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 1 } }
    local org, message, response = client:create_org({ name = "Acme" },
      { attempt_timeout = 0.2, retries = 20 })
    assert.is_truthy(org, message)
    assert.equal("timeout", response.timeline[1].error)
    assert.equal("conflict", response.timeline[2].error)
    assert.equal(response.attempts, #sandbox:requests("create_org"))
    assert.equal(1, sandbox:committed("create_org"))
    assert.equal(1, count("Acme"))
  end)

  it("a stored 500 is asked for once, and is unknown", function()
    sandbox:faults { { operation = "create_org", fault = "status", status = 500 } }
    local _, _, err = client:create_org { name = "Acme" }
    assert.same({ "server", "unknown", 1 }, { err.kind, err.outcome, err.attempts })
    assert_seen("create_org", 1, 0)
  end)

  it("a 500 that did commit is unknown, and not a second commit", function()
    sandbox:faults { { operation = "create_org", fault = "status", status = 500, commit = true } }
    local _, _, err = client:create_org { name = "Acme" }
    assert.same({ "server", "unknown", 1 }, { err.kind, err.outcome, err.attempts })
    assert.equal(1, count("Acme"))
  end)

  it("a DELETE whose reply was lost finds nothing more to delete, and succeeds", function()
    local org = assert(client:create_org { name = "Acme" })
    sandbox:faults { { operation = "delete_org", fault = "reset_after_commit" } }
    local data, _, response = client:delete_org { id = org.id }
    assert.is_true(data)
    assert.same({ 404, 2 }, { response.status, response.attempts })
    assert_seen("delete_org", 2, 1)
    assert.equal(0, count("Acme"))
  end)

  it("a PUT whose reply was lost is sent again to the same effect", function()
    local org = assert(client:create_org { name = "Acme" })
    sandbox:faults { { operation = "update_org", fault = "reset_after_commit" } }
    assert.equal("Apex", client:update_org { id = org.id, name = "Apex" }.name)
    assert.same({ 0, 1 }, { count("Acme"), count("Apex") })
    assert.equal(2, #sandbox:requests("update_org"))
  end)

  it("a POST without a key is sent once, and its lost commit is unknown", function()
    sandbox:faults { { operation = "create_org", fault = "reset_after_commit" } }
    local _, _, err = client:create_org({ name = "Acme" }, { idempotency_key = false })
    assert.same({ "network", "unknown", 1, false },
      { err.kind, err.outcome, err.attempts, err.retryable })
    assert_seen("create_org", 1, 1)
  end)
end)

describe("G: the client's retry budget", function()
  it("ends the retries of every call once it is spent, and successes earn it back", function()
    local server = raw_server.start { script = raw_server.sequence { now(503) } }
    local client = wire.client(server.url, { retries = 100 })
    local _, _, err = client:create_org { name = "Acme" }
    assert.equal(101, err.attempts)
    assert.equal(0, client:stats().retry_tokens)
    _, _, err = client:create_org { name = "Acme" }
    assert.same({ 1, true }, { err.attempts, err.retryable })
    assert.equal(102, #server:requests())
    server:script(raw_server.sequence { 200, 200, 200, 200, 200, now(503) })
    for _ = 1, 5 do assert(client:create_org { name = "Acme" }) end
    _, _, err = client:create_org { name = "Acme" }
    assert.equal(2, err.attempts)
    client:close()
    server:stop()
  end)
end)
