-- Faults A1 to A10: no connection, or none that can be trusted.
-- Takes: 28 s

local certificates = require "spec.support.certificates"
local contains = require("spec.support.text").contains
local dns = require "spec.support.dns"
local lacks = require("spec.support.text").lacks
local process = require "spec.support.process"
local proxies = require "spec.support.proxy"
local raw_server = require "spec.support.raw_server"
local wire = require "spec.support.wire"

local OK = { "read", { send = raw_server.reply(200, { data = {} }) }, "again" }
local UNSENT = { outcome = "unsent" }

local function row(title, body) wire.each_mode(it, title, body) end

-- What is unsent does not depend on the method. So where calls block one after another, only the
-- kind that would be the last to be sent again is; in coroutines all kinds wait at once.
local function kinds_that_wait(mode)
  return mode == "blocking" and { wire.kind["POST without a key"] } or wire.kinds
end

-- Calls every kind on clients of `url` (with retries as above) and asserts the error. Returns the
-- number of calls.
local function all_fail(mode, url, expected, options)
  local jobs = {}
  local waits = options.call.retries > 0 and expected.retryable ~= false
  for index, kind in ipairs(waits and kinds_that_wait(mode) or wire.kinds) do
    local client = wire.client(url, options.client, mode)
    jobs[index] = {
      client = client,
      run = function()
      wire.assert_error(wire.merged(UNSENT, expected), wire.call(client, kind, options.call),
        kind.name)
        client:close()
      end,
    }
  end
  wire.run(mode, jobs)
  return #jobs
end

-- One call of one kind on a client of `url`.
local function one(url, options, call, kind)
  local client = wire.client(url, options)
  local result = wire.call(client, kind or wire.kind["POST with a key"], call)
  client:close()
  return result
end

-- Longer than this machine's resolver takes when it loses a query.
local RESOLVING = { connect_timeout = 60, attempt_timeout = 60, timeout = 90 }

describe("a name", function()
  row("A1 that does not exist is asked for once more, whatever the method", function(mode)
    local url = "https://" .. dns.missing
    all_fail(mode, url, { kind = "dns", attempts = 1, retryable = true },
      { client = RESOLVING, call = { retries = 0 } })
    all_fail(mode, url, { kind = "dns", attempts = 2 },
      { client = RESOLVING, call = { retries = 4 } })
  end)

  -- The calls of a child whose resolver is out of order: kind, outcome, attempts and seconds of
  -- each, in a line.
  local function calls_of_child(resolver, options)
    local script = ([[
      local client = require("polytomic").new { base_url = "https://resolved.example",
        partner_key = "key-of-a-child", env = false, proxy = "",
        timeout = 20, connect_timeout = %g }
      local started = require("cqueues").monotime()
      for _, without in ipairs { 1, 2 } do
        local _, _, err = client:create_org({ name = "Acme" },
          { retries = %d, idempotency_key = without == 2 and false or nil })
        print(err.kind, err.outcome, err.attempts)
      end
      print(require("cqueues").monotime() - started)
    ]]):format(options.connect_timeout, options.retries)
    local status, out, err = resolver:run({ process.interpreter(), "-e", script },
      { env = process.environment(), timeout = 30 })
    assert.equal(0, status, err)
    return out
  end

  it("A2 whose resolver fails for now is asked for once more", function()
    if not dns.available() then return pending(dns.UNAVAILABLE) end
    local out = calls_of_child(dns.resolver "dead", { connect_timeout = 5, retries = 4 })
    assert.matches("^dns\tunsent\t2\ndns\tunsent\t2\n", out)
  end)

  it("A2 whose resolver is silent costs no more than connect_timeout", function()
    if not dns.available() then return pending(dns.UNAVAILABLE) end
    local resolver = dns.resolver "silent"
    local out = calls_of_child(resolver, { connect_timeout = 0.3, retries = 1 })
    assert.matches("^timeout\tunsent\t2\ntimeout\tunsent\t2\n", out)
    assert.is_true(resolver:queries() > 0)
    resolver:stop()
    local seconds = tonumber(out:match("([%d.]+)%s*$"))
    assert.is_true(seconds < 3 * (4 * 0.3 + 2 * 0.5), "it took " .. seconds .. " s")
  end)
end)

describe("a connection", function()
  row("A3 refused is tried again, and nothing was sent", function(mode)
    local refused = raw_server.refused()
    all_fail(mode, refused.url, { kind = "connect", attempts = 1, retryable = true },
      { call = { retries = 0 } })
    all_fail(mode, refused.url, { kind = "connect", attempts = 2, retryable = true },
      { call = { retries = 1 } })
    refused.stop()
  end)

  it("A3 refused at first and then taken comes through, with one request", function()
    local refused = raw_server.refused()
    local server
    local client = wire.client(refused.url, { on_event = function(event)
      if event.type ~= "retry" or server then return end
      refused.stop()
      server = raw_server.start { port = refused.port, script = { OK } }
    end })
    local result = wire.call(client, wire.kind["POST without a key"], { retries = 4 })
    assert.is_truthy(result.data, result.message)
    assert.equal(2, result.err.attempts)
    assert.equal(1, #server:requests())
    client:close()
    server:stop()
  end)

  row("A4 whose packets are dropped times out at connect_timeout and is tried again", function(mode)
    local hole = raw_server.blackhole()
    local options = { connect_timeout = 0.15 }
    local started = os.time()
    all_fail(mode, hole.url, { kind = "timeout", attempts = 1, retryable = true },
      { client = options, call = { retries = 0 } })
    assert.is_true(os.time() - started <= 3)
    all_fail(mode, hole.url, { kind = "timeout", attempts = 2, retryable = true },
      { client = options, call = { retries = 1 } })
    hole.stop()
  end)

  for _, ending in ipairs { "fin", "rst" } do
    row("A5 ended by " .. ending:upper()
        .. " before a byte of the reply has lost it once the request was written", function(mode)
      wire.lost_reply(mode, { "read", ending }, { kind = "network" })
    end)
  end

  row("A5 reset before the request is carried out commits once, by the next attempt", function(mode)
    wire.lost_in_sandbox(mode, { fault = "reset_before" }, false, { kind = "network" })
  end)

  row("A5 reset after the request was carried out commits once all the same", function(mode)
    wire.lost_in_sandbox(mode, { fault = "reset_after_commit" }, true, { kind = "network" })
  end)

  -- Whether the request left before the reset was seen is up to the kernel; what was not sent may
  -- go out again.
  row("A5 reset when accepted is a network error, or was never a connection", function(mode)
    local results = wire.play({ { "rst" } }, { mode = mode, call = { retries = 0 } })
    for _, kind in ipairs(wire.kinds) do
      local err = results[kind.name].err
      assert.is_true(err.kind == "network" or err.kind == "connect", results[kind.name].message)
      assert.is_true(err.outcome == "unknown" or err.outcome == "unsent")
      assert.equal(err.outcome == "unsent" or kind.repeats, err.retryable)
      assert.equal(0, #results[kind.name].requests)
    end
  end)

  -- Whether the peer closed is known from the words of libcurl and OpenSSL alone.
  it("A5 ended within the TLS handshake says nothing about trust, a fatal alert does", function()
    local alert = { send = "\21\3\3\0\2\2\40" }
    local server = raw_server.start { tls = certificates.good, script = { OK } }
    for _, case in ipairs {
      { "network", { "plain", "fin" } },
      { "network", { "plain", { bytes = 5 }, "fin" } },
      { "network", { "plain", { bytes = 5 }, "rst" } },
      { "network", { "plain", { bytes = 50 }, { send = "\22\3\3\0\80\2\0" }, "fin" } },
      { "network", { "plain", { bytes = 50 }, { send = "\22\3\3\0\80\2\0" }, "rst" } },
      { "tls", { "plain", { bytes = 50 }, alert, "fin" } },
      { "tls", { "plain", { bytes = 50 }, alert, "rst" } },
    } do
      server:reset { case[2] }
      local result = one(server.url, { ca_file = certificates.ca }, { retries = 0 })
      wire.assert_error({ kind = case[1], outcome = "unsent" }, result, "POST")
    end
    server:stop()
  end)

  row("A5 ended during the TLS handshake is tried again, and nothing was sent", function(mode)
    for _, ending in ipairs { "fin", "rst" } do
      local script = { { "plain", { bytes = 50 }, ending }, OK }
      local options =
        { mode = mode, tls = certificates.good, client = { ca_file = certificates.ca } }
      local results = wire.play(script, wire.merged(options, { call = { retries = 0 } }))
      for name, result in pairs(results) do
        wire.assert_error({ kind = "network", outcome = "unsent", attempts = 1, retryable = true },
          result, name)
      end
      options.kinds = kinds_that_wait(mode)
      results = wire.play(script, wire.merged(options, { call = { retries = 1 } }))
      for name, result in pairs(results) do
        assert.is_truthy(result.data, result.message)
        assert.equal(2, result.err.attempts, name)
        assert.equal(2, result.connections, name)
      end
    end
  end)
end)

describe("TLS", function()
  local server

  setup(function() server = raw_server.start { tls = certificates.good, script = { OK } } end)
  teardown(function() server:stop() end)

  -- Plays steps to every kind; the error has this kind, nothing is retried and the server sees one
  -- connection and no request each.
  local function never_trusted(mode, steps, options, text)
    server:reset { steps }
    all_fail(mode, server.url, { kind = "tls", attempts = 1, retryable = false },
      { client = options, call = { retries = 3 } })
    assert.equal(#wire.kinds, server:connections())
    for _, request in ipairs(server:requests()) do assert.equal("", request.head) end
    local result = one(server.url, options, { retries = 3 })
    contains(result.err.hint, text)
    contains(result.message, text)
  end

  for _, name in ipairs { "self_signed", "wrong_host", "expired", "not_yet_valid", "unknown_ca" } do
    row("A6 with a certificate that is " .. name:gsub("_", " ")
        .. " is never tried again, and the error names the CA file", function(mode)
      local steps = { { tls = certificates[name] }, OK[1], OK[2] }
      never_trusted(mode, steps, { ca_file = certificates.ca }, certificates.ca)
    end)
  end

  it("A6 with a CA directory names the directory", function()
    server:reset { OK }
    assert.is_truthy(one(server.url, { ca_path = certificates.ca_directory }).data)
    never_trusted("blocking", { { tls = certificates.unknown_ca }, OK[1], OK[2] },
      { ca_path = certificates.ca_directory }, certificates.ca_directory)
  end)

  it("A6 without a CA of its own trusts the system's, which did not sign this server's", function()
    server:reset { OK }
    wire.assert_error({ kind = "tls", outcome = "unsent", attempts = 1 }, one(server.url), "POST")
  end)

  row("A7 that stalls in the handshake is tried again after connect_timeout", function(mode)
    server:reset { { "plain", "stall" } }
    local options = { ca_file = certificates.ca, connect_timeout = 0.15 }
    local calls = all_fail(mode, server.url, { kind = "timeout", attempts = 2, retryable = true },
      { client = options, call = { retries = 1 } })
    assert.equal(2 * calls, server:connections())
    all_fail(mode, server.url, { kind = "timeout", attempts = 1, retryable = true },
      { client = options, call = { retries = 0 } })
    assert.equal(2 * calls + #wire.kinds, server:connections())
  end)

  row("A7 answered by garbage or by plain HTTP is a TLS failure, never tried again", function(mode)
    never_trusted(mode, { "plain", { bytes = 50 }, { send = "garbage, garbage, garbage\r\n\r\n" },
      "fin" }, { ca_file = certificates.ca }, certificates.ca)
    never_trusted(mode, { "plain", { bytes = 50 }, { send = raw_server.reply(400) }, "fin" },
      { ca_file = certificates.ca }, certificates.ca)
  end)

  describe("with a client certificate", function()
    local asking

    setup(function()
      local files = certificates.good
      asking = raw_server.start { script = { OK },
        tls = { certificate = files.certificate, key = files.key, client_ca = certificates.ca } }
    end)
    teardown(function() asking:stop() end)
    before_each(function() asking:reset() end)

    local function options(certificate, key)
      return { ca_file = certificates.ca, client_cert = certificate, client_key = key }
    end

    it("A8 works when it is the right one", function()
      local client = certificates.client
      assert.is_truthy(one(asking.url, options(client.certificate, client.key)).data)
    end)

    it("A8 whose files are missing is refused by polytomic.new", function()
      local missing = process.directory() .. "/missing.pem"
      assert.error_matches(
        function() wire.client(asking.url, options(missing, certificates.client.key)) end,
        "client_cert"
      )
      assert.error_matches(
        function() wire.client(asking.url, options(certificates.client.certificate, missing)) end,
        "client_key"
      )
      assert.error_matches(function() wire.client(asking.url, { ca_file = missing }) end, "ca_file")
    end)

    it("A8 with another's key is a TLS failure before anything is sent", function()
      local result = one(asking.url,
        options(certificates.client.certificate, certificates.stranger.key), { retries = 3 })
      wire.assert_error({ kind = "tls", outcome = "unsent", attempts = 1, retryable = false },
        result, "POST")
      assert.equal(0, #asking:requests())
    end)

    -- Under TLS 1.3 the server refuses after the handshake: the client learns of it by an alert, or
    -- only that the connection is gone.
    it("A8 missing, or of an unknown authority, is an error, and no request arrives", function()
      local stranger = certificates.stranger
      for _, given in ipairs { options(), options(stranger.certificate, stranger.key) } do
        local result = one(asking.url, given, { retries = 0 })
        assert.is_true(result.err.kind == "tls" or result.err.kind == "network", result.message)
        assert.is_true(result.err.outcome == "unsent" or result.err.outcome == "unknown")
        assert.equal(1, result.err.attempts)
      end
      assert.equal(0, #asking:requests())
    end)
  end)
end)

describe("a proxy", function()
  local proxy, server

  setup(function()
    proxy = proxies.start()
    server = raw_server.start { tls = certificates.good, script = { OK } }
  end)
  teardown(function()
    proxy:stop()
    server:stop()
  end)
  before_each(function() server:reset() end)

  local function through(url, connect_timeout)
    return { proxy = url or proxy.url, ca_file = certificates.ca,
      connect_timeout = connect_timeout }
  end

  it("A9 tunnels and never sees Authorization, a body or the path", function()
    proxy:behave "tunnel"
    for _, kind in ipairs(wire.kinds) do
      assert.is_truthy(one(server.url, through(), nil, kind).data)
    end
    assert.equal(#wire.kinds, #server:requests())
    assert.is_truthy(server:requests()[1].headers.authorization)
    for _, secret in ipairs { "wire-partner-key", "Authorization", "Acme", "/api/" } do
      assert.is_false(proxy:saw(secret))
    end
  end)

  it("A9 tunnels plain HTTP too, so it does not see that either", function()
    local plain = raw_server.start { script = { OK } }
    proxy:behave "tunnel"
    assert.is_truthy(one(plain.url, { proxy = proxy.url }).data)
    assert.equal(1, #plain:requests())
    assert.is_false(proxy:saw "Authorization")
    plain:stop()
  end)

  local rows = {
    { "answers 407", "refuse_407", { status = 407, attempts = 1, retryable = false }, 1 },
    { "answers 502", "refuse_502", { status = 502, attempts = 2, retryable = true }, 2 },
    { "stalls", "stall", { attempts = 2, retryable = true }, 2 },
    { "resets", "reset", { attempts = 2, retryable = true }, 2 },
    { "closes", "close", { attempts = 2, retryable = true }, 2 },
  }
  for _, case in ipairs(rows) do
    row("A9 that " .. case[1] .. " is a proxy error: nothing was sent", function(mode)
      proxy:behave(case[2])
      local expected = wire.merged({ kind = "proxy" }, case[3])
      local client = through(nil, case[2] == "stall" and 0.4 or nil)
      local calls =
        all_fail(mode, server.url, expected, { client = client, call = { retries = 1 } })
      assert.equal(case[4] * calls, #proxy:requests())
      proxy:behave(case[2])
      all_fail(mode, server.url, wire.merged(expected, { attempts = 1 }),
        { client = client, call = { retries = 0 } })
      assert.equal(#wire.kinds, #proxy:requests())
      assert.is_false(proxy:saw "Authorization")
      assert.equal(0, server:connections())
    end)
  end

  row("A9 that refuses, drops packets or has no address is a proxy error", function(mode)
    local refused, hole = raw_server.refused(), raw_server.blackhole()
    local expected, once = { kind = "proxy", attempts = 1, retryable = true }, { retries = 0 }
    all_fail(mode, server.url, expected, { client = through(refused.url), call = once })
    all_fail(mode, server.url, expected, { client = through(hole.url, 0.2), call = once })
    local nowhere = wire.merged(RESOLVING, { proxy = "http://" .. dns.missing .. ":3128" })
    all_fail(mode, server.url, expected, { client = nowhere, call = once })
    assert.equal(0, server:connections())
    refused.stop()
    hole.stop()
  end)

  it("A9 of the environment that fails is a proxy error, its password in no message", function()
    local refused = raw_server.refused()
    local script = process.temporary_file [[
      local client = require("polytomic").new { base_url = "https://polytomic.example",
        partner_key = "key-of-a-child", retries = 0 }
      local _, message, err = client:list_orgs()
      print(err.kind, err.outcome, message)
    ]]
    for url, said in pairs {
      ["http://user:canary@127.0.0.1:" .. refused.port] = "Failed to connect to",
      ["http://user:canary@127.0.0.1:99999"] = "the proxy's URL cannot be read",
      ["http://user:can/canary@127.0.0.1:1"] = "the proxy's URL cannot be read",
      ["ftp://user:canary@127.0.0.1"] = "the scheme of the proxy's URL",
    } do
      local env = process.environment { https_proxy = url }
      local status, out, errors = process.run({ process.interpreter(), script }, { env = env })
      assert.same({ 0, "" }, { status, errors })
      assert.matches("^proxy\tunsent\tlist_orgs: proxy: " .. said, out)
      lacks(out, "canary")
    end
    refused.stop()
  end)

  it("A9 that tunnels to a server nobody should trust is not what failed", function()
    server:reset { { { tls = certificates.unknown_ca }, OK[1], OK[2] } }
    proxy:behave "tunnel"
    wire.assert_error({ kind = "tls", outcome = "unsent", attempts = 1 },
      one(server.url, through(), { retries = 1 }), "POST")
  end)
end)

describe("the environment", function()
  local server

  setup(function() server = raw_server.start { tls = certificates.good, script = { OK } } end)
  teardown(function() server:stop() end)

  -- What a child with these variables prints of one call: the data's type, or kind and message.
  local function call_of_child(variables, options)
    local script = ([[
      local made, client = pcall(require("polytomic").new,
        { base_url = %q, partner_key = "key-of-a-child", retries = 0, %s })
      if not made then return io.write(client) end
      local data, message, err = client:request { method = "GET", path = "/api/organizations" }
      io.write(data and "data" or err.kind .. ": " .. message)
    ]]):format(server.url, options or "")
    local status, out, errors = process.run({ process.interpreter(), "-e", script },
      { env = process.environment(variables) })
    assert.same({ 0, "" }, { status, errors })
    return out
  end

  it("Q sends nothing for a loopback address through its proxy", function()
    local refused = raw_server.refused()
    local url = refused.url
    local variables = { https_proxy = url, HTTPS_PROXY = url, all_proxy = url }
    local trust = ("ca_file = %q"):format(certificates.ca)
    assert.equal("data", call_of_child(variables, trust))
    assert.matches("^proxy: ", call_of_child({}, trust .. (", proxy = %q"):format(refused.url)))
    refused.stop()
  end)

  it("Q says which authorities to trust, unless env = false or an option does", function()
    for _, name in ipairs { "SSL_CERT_FILE", "CURL_CA_BUNDLE" } do
      assert.equal("data", call_of_child { [name] = certificates.ca })
      assert.matches("^tls: ", call_of_child({ [name] = certificates.ca }, "env = false"))
      local other = ("ca_file = %q"):format(certificates.stranger.certificate)
      assert.matches("^tls: ", call_of_child({ [name] = certificates.ca }, other))
    end
    local directory = certificates.ca_directory
    assert.equal("data", call_of_child { SSL_CERT_DIR = directory })
    assert.equal("data", call_of_child { SSL_CERT_DIR = "/no/such/directory:" .. directory })
    assert.matches("^tls: ", call_of_child({ SSL_CERT_DIR = directory }, "env = false"))
  end)

  it("Q names the variable where the server is not trusted by its authorities", function()
    local variables = { SSL_CERT_FILE = certificates.stranger.certificate }
    local out = call_of_child(variables)
    assert.matches("^tls: .*CA file .* from SSL_CERT_FILE", out)
    variables.CURL_CA_BUNDLE = certificates.ca
    assert.equal("data", call_of_child(variables))
  end)

  it("Q names the variable whose authorities cannot be read", function()
    local missing = process.directory() .. "/missing.pem"
    for _, name in ipairs { "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE" } do
      assert.matches(name .. " cannot be read", call_of_child { [name] = missing })
      local trust = ("ca_file = %q"):format(certificates.ca)
      assert.equal("data", call_of_child({ [name] = missing }, trust))
      local variables = { SSL_CERT_FILE = certificates.ca, CURL_CA_BUNDLE = certificates.ca }
      variables[name] = ""
      assert.equal("data", call_of_child(variables))
    end
    assert.matches("SSL_CERT_DIR is not a directory",
      call_of_child { SSL_CERT_DIR = certificates.ca })
    assert.matches("SSL_CERT_FILE contains no certificate",
      call_of_child { SSL_CERT_FILE = certificates.client.key })
  end)

  it("Q names the variable of a proxy that fails, and one whose value cannot be a URL", function()
    local script = [[
      local made, client = pcall(require("polytomic").new,
        { base_url = "https://polytomic.example", partner_key = "key-of-a-child", retries = 0 })
      if not made then return io.write(client) end
      local _, message, err = client:list_orgs()
      io.write(err.kind, ": ", message)
    ]]
    local refused = raw_server.refused()
    for value, said in pairs {
      [refused.url] = "^proxy: .*the proxy is the one in HTTPS_PROXY",
      ["http://a b"] = "HTTPS_PROXY must hold printable ASCII",
    } do
      local status, out, errors = process.run({ process.interpreter(), "-e", script },
        { env = process.environment { HTTPS_PROXY = value } })
      assert.same({ 0, "" }, { status, errors })
      assert.matches(said, out)
    end
    refused.stop()
  end)
end)

describe("an address", function()
  it("A10 of IPv6 works, in brackets", function()
    local server = raw_server.start { host = "::1", script = { OK } }
    assert.matches("^http://%[::1%]:", server.url)
    assert.is_truthy(one(server.url).data)
    assert.equal(server.authority, server:requests()[1].headers.host)
    server:stop()
  end)

  -- libcurl takes localhost for both addresses, whatever the hosts file says.
  it("A10 of one family works when the other is dead", function()
    for _, host in ipairs { "127.0.0.1", "::1" } do
      local server = raw_server.start { host = host, script = { OK } }
      for _, kind in ipairs(wire.kinds) do
        local result = one("http://localhost:" .. server.port, nil, { retries = 0 }, kind)
        assert.is_truthy(result.data, result.message)
      end
      server:stop()
    end
  end)
end)
