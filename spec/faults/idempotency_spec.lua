-- H: idempotency keys on the wire.

local cjson = require("cjson").new()
local polytomic = require "polytomic"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"
local wire = require "spec.support.wire"

local UUID_V4 = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

-- What loses a reply or asks for another attempt, in every way the retry table knows.
local AGAIN = {
  raw_server.reply(503, "", { ["Retry-After"] = 0 }),
  { "rst" },
  { { send = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" }, "rst" },
  raw_server.reply(409, "", { ["Retry-After"] = 0 }),
  200,
}

local function keys_of(requests)
  local keys = {}
  for index, request in ipairs(requests) do
    keys[index] = request.headers["idempotency-key"] or false
  end
  return keys
end

describe("H: the idempotency key", function()
  local server, client

  setup(function()
    server = raw_server.start()
    client = wire.client(server.url)
  end)

  teardown(function()
    client:close()
    server:stop()
  end)

  before_each(function() server:reset { per = "request", 200 } end)

  wire.each_mode(it, "is the same on every attempt, and so is every byte", function(mode)
    local kinds = { wire.kind["POST with a key"] }
    local result =
      wire.play(raw_server.sequence(AGAIN), { mode = mode, kinds = kinds })["POST with a key"]
    assert.is_truthy(result.data, result.message)
    local keys = keys_of(result.requests)
    assert.equal(5, #keys)
    assert.matches(UUID_V4, keys[1])
    for index = 2, 5 do assert.equal(keys[1], keys[index]) end
    wire.assert_same_bytes(result, "POST")
    assert.equal(keys[1], result.err.idempotency_key)
  end)

  it("keeps a large body the same on every attempt", function()
    server:script(raw_server.sequence { { "rst" }, { "rst" }, 200 })
    local domains = {}
    for index = 1, 2000 do domains[index] = ("domain-%d-\195\188.example"):format(index) end
    assert(client:create_org { name = "Acme \"\\\1", sso_domain = table.concat(domains, ",") })
    local requests = server:requests()
    assert.equal(3, #requests)
    assert.is_true(#requests[1].raw > 40000)
    for index = 2, 3 do assert.equal(requests[1].raw, requests[index].raw) end
  end)

  it("does not change where the caller changes the arguments between two attempts", function()
    server:script(raw_server.sequence { { 503, "", { ["Retry-After"] = 0.05 } }, 200 })
    local arguments = { name = "Acme" }
    local call = client:start("create_org", arguments)
    repeat
      client:step(0.01)
      arguments.name = "Apex"
    until call:done()
    assert.same({}, (call:result()))
    local requests = server:requests()
    assert.equal(2, #requests)
    assert.equal(requests[1].raw, requests[2].raw)
    assert.equal("Acme", cjson.decode(requests[1].body).name)
  end)

  it("is another one for every call", function()
    local seen = {}
    for _ = 1, 200 do
      local _, _, response = client:create_org { name = "Acme" }
      assert.matches(UUID_V4, response.idempotency_key)
      assert.is_nil(seen[response.idempotency_key])
      seen[response.idempotency_key] = true
    end
    for _, key in ipairs(keys_of(server:requests())) do
      assert.is_true(seen[key])
      seen[key] = nil
    end
    assert.is_nil(next(seen))
  end)

  for _, key in ipairs { "a-key_01", ("k"):rep(255), "00000000", "________",
      "ABCDEFGHIJKLMNOPQRSTUVWXYZ-abcdefghijklmnopqrstuvwxyz_0123456789" } do
    it(("of the caller goes out as it is (%d characters)"):format(#key), function()
      server:script(raw_server.sequence { { 503, "", { ["Retry-After"] = 0 } }, 200 })
      local _, _, response = client:create_org({ name = "Acme" }, { idempotency_key = key })
      assert.same({ key, key }, keys_of(server:requests()))
      assert.equal(key, response.idempotency_key)
    end)
  end

  for title, key in pairs {
    ["empty"] = "", ["too short"] = "1234567",
    ["too long"] = ("k"):rep(256), ["of a megabyte"] = ("k"):rep(1048576),
    ["with a space"] = "key 00001", ["with a dot"] = "key.00001", ["with a slash"] = "key/00001",
    ["with CR LF"] = "key-0001\r\nX: y", ["with LF"] = "key-00001\n", ["with NUL"] = "key-0001\0",
    ["with an umlaut"] = "key-0001\195\188", ["with a quote"] = 'key-00001"',
    ["a number"] = 12345678, ["true"] = true, ["a table"] = {},
  } do
    it(title .. " is refused at the caller's line, and nothing is sent", function()
      local ok, message = pcall(function()
        client:create_org({ name = "Acme" }, { idempotency_key = key })
      end)
      assert.is_false(ok)
      assert.matches("^[^:]*idempotency_spec%.lua:%d+: idempotency_key must be ", message)
      assert.is_nil(message:find("%c"))
      assert.equal(0, #server:requests())
    end)
  end

  it("is never on GET and DELETE, and on PUT only where the caller gives one", function()
    for _, kind in ipairs { wire.kind.GET, wire.kind.DELETE, wire.kind.PUT } do
      assert(wire.call(client, kind).data)
    end
    assert.same({ false, false, false }, keys_of(server:requests()))
    wire.call(client, wire.kind.PUT, { idempotency_key = "a-key-of-mine" })
    assert.equal("a-key-of-mine", keys_of(server:requests())[4])
    for _, kind in ipairs { wire.kind.GET, wire.kind.DELETE } do
      assert.has_error(function()
        wire.call(client, kind, { idempotency_key = "a-key-of-mine" })
      end)
    end
    assert.equal(4, #server:requests())
  end)

  it("is on every POST and PATCH of the catalogue that is sent", function()
    for _, method in ipairs { "POST", "PATCH", "PUT", "DELETE", "GET" } do
      local _, _, response = client:request { method = method, path = "/api/anything" }
      assert.equal(method == "POST" or method == "PATCH", response.idempotency_key ~= nil, method)
    end
    local keys = keys_of(server:requests())
    assert.same({ true, true, false, false, false },
      { keys[1] and true, keys[2] and true, keys[3], keys[4], keys[5] })
  end)

  it("false sends none", function()
    local _, _, response = client:create_org({ name = "Acme" }, { idempotency_key = false })
    assert.is_nil(response.idempotency_key)
    assert.same({ false }, keys_of(server:requests()))
  end)

  it("is shown in the error, whatever the error is", function()
    for _, status in ipairs { 400, 409, 422, 500 } do
      server:reset { per = "request", status }
      local _, _, err = client:create_org({ name = "Acme" }, { retries = 0 })
      assert.same({ err.idempotency_key }, keys_of(server:requests()))
    end
    server:reset { { "read", "rst" } }
    local _, _, err = client:create_org({ name = "Acme" }, { retries = 0 })
    assert.same({ "unknown", server:requests()[1].headers["idempotency-key"] },
      { err.outcome, err.idempotency_key })
  end)

  it("cannot be given through the headers", function()
    for _, name in ipairs { "Idempotency-Key", "idempotency-key", "IDEMPOTENCY-KEY" } do
      assert.has_error(
        function()
          client:create_org({ name = "Acme" }, { headers = { [name] = "a-key-of-mine" } })
        end
      )
    end
    assert.equal(0, #server:requests())
  end)
end)

describe("H: two calls with one key", function()
  local client

  before_each(function()
    sandbox:reset()
    client =
      polytomic.new { base_url = sandbox.url, partner_key = sandbox.partner_key, env = false }
  end)

  after_each(function()
    client:close()
    sandbox:assert_all_faults_consumed()
  end)

  it("at once commit once, and the second gets the conflict", function()
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 0.3 } }
    local options = { idempotency_key = "one-key-for-two" }
    local calls = {
      client:start("create_org", { name = "Acme" }, options),
      client:start("create_org", { name = "Acme" }, options),
    }
    repeat until client:step(1) == 0
    local created, refused = 0, nil
    for _, call in ipairs(calls) do
      local org, _, err = call:result()
      if org then created = created + 1 else refused = err end
    end
    assert.equal(1, created)
    assert.same({ "conflict", "rejected", 1, "one-key-for-two" },
      { refused.kind, refused.outcome, refused.attempts, refused.idempotency_key })
    assert.equal(1, sandbox:committed("create_org"))
  end)

  it("one after the other commit once and return the same", function()
    local options = { idempotency_key = "one-key-for-two" }
    local first, second =
      client:create_org({ name = "Acme" }, options), client:create_org({ name = "Acme" }, options)
    assert.same(first, second)
    assert.equal(1, sandbox:committed("create_org"))
  end)

  it("and two different bodies: the second is refused", function()
    local options = { idempotency_key = "one-key-for-two" }
    assert(client:create_org({ name = "Acme" }, options))
    local org, _, err = client:create_org({ name = "Apex" }, options)
    assert.is_nil(org)
    assert.equal("rejected", err.outcome)
    assert.equal(1, sandbox:committed("create_org"))
  end)
end)
