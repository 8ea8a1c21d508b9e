-- Luas: 5.4 5.1
local certificates = require "spec.support.certificates"
local contains = require("spec.support.text").contains
local dns = require "spec.support.dns"
local http = require "spec.support.http"
local lacks = require("spec.support.text").lacks
local luasocket = require "socket"
local measured = require "spec.support.measured"
local process = require "spec.support.process"
local proxy = require "spec.support.proxy"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

-- An open plain connection to a server, with `bytes` sent.
local function connected(server, bytes)
  local connection = server.host == "::1" and luasocket.tcp6() or luasocket.tcp4()
  connection:settimeout(5)
  assert(connection:connect(server.host, server.port))
  if bytes then assert(connection:send(bytes)) end
  return connection
end

local function curl(...)
  return process.run({ "curl", "-sS", "--noproxy", "nobody.invalid", ... }, { timeout = 20 })
end

local function file_exists(path)
  return (process.run { "test", "-e", path }) == 0
end

local function runs(pid)
  local status, state = process.run { "ps", "-o", "stat=", "-p", pid }
  return status == 0 and not state:find("^Z")
end

describe("a child process", function()
  it("starts, says its first line and is stopped", function()
    local child = process.start { "sh", "-c", "echo ready; echo complaint >&2; exec sleep 60" }
    assert.equal("ready", child.first_line)
    assert.is_true(child:alive())
    assert.is_true(runs(child.pid))
    assert.equal(128 + 15, child:stop())
    assert.is_false(child:alive())
    assert.is_false(runs(child.pid))
    assert.same({ "ready\n", "complaint\n" }, { child:output() })
    assert.equal(128 + 15, child:stop())
  end)

  it("is killed when it ignores SIGTERM", function()
    local child =
      process.start { "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done" }
    assert.equal(128 + 9, child:stop())
    assert.is_false(runs(child.pid))
  end)

  it("can be waited for, and its status is known", function()
    local child = process.start({ "sh", "-c", "exit 7" }, { first_line = false })
    assert.equal(7, child:wait())
    assert.is_false(child:alive())
    assert.equal(7, child:stop())
  end)

  it("is not waited for longer than asked", function()
    local child = process.start { "sh", "-c", "echo ready; exec sleep 60" }
    assert.is_nil(child:wait(0.05))
    child:signal("KILL")
    assert.equal(128 + 9, child:wait())
    child:stop()
  end)

  it("raises with its complaint where it says nothing", function()
    local ok, message = pcall(process.start, { "sh", "-c", "echo broken >&2; exit 3" })
    assert.is_false(ok)
    contains(message, "status 3")
    contains(message, "broken")
    assert.is_false((pcall(process.start, { "sleep", "60" }, { patience = 0.1 })))
  end)

  it("goes away with the process that started it, even a killed one", function()
    local program = [[
      local process = require "spec.support.process"
      local child = process.start { "sh", "-c", "echo ready; exec sleep 60" }
      print(child.pid .. " " .. process.directory())
      io.stdout:flush()
      io.popen("sleep 60"):read("*a")
    ]]
    local parent = process.start_lua { "-e", program }
    local pid, directory = parent.first_line:match("^(%d+) (.+)$")
    assert.is_true(runs(pid))
    assert.is_true(file_exists(directory))
    parent:signal("KILL")
    parent:stop()
    assert.equal(
      0,
      (process.run({ "tail", "--pid=" .. pid, "-s", "0.02", "-f", "/dev/null" }, { timeout = 5 }))
    )
    assert.equal(0,
      (process.run({ "sh", "-c", 'while [ -e "$0" ]; do :; done', directory }, { timeout = 5 })))
  end)

  it("gets its environment without showing it on a command line", function()
    local child = process.start({ "sh", "-c", 'echo "$SECRET"; sleep 60; :' },
      { env = { SECRET = "it's a canary" } })
    assert.equal("it's a canary", child.first_line)
    local _, lines =
      process.run { "sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\000' ' '" }
    contains(lines, 'echo "$SECRET"')
    lacks(lines, "a canary")
    child:stop()
  end)

  it("runs to its end with any bytes in and out", function()
    local every = {}
    for byte = 0, 255 do every[#every + 1] = string.char(byte) end
    every = table.concat(every)
    assert.same({ 0, every, "" }, { process.run({ "cat" }, { stdin = every }) })
    assert.same({ 4, "", "bad\n" }, { process.run("sh -c 'echo bad >&2; exit 4'") })
    assert.equal(124, (process.run({ "sleep", "60" }, { timeout = 0.1 })))
  end)

  it("is the same interpreter with the same modules where it is Lua", function()
    local program =
      "print(_VERSION, package.path == os.getenv 'LUA_PATH', (pcall(require, 'spec.support.http')))"
    local status, out = process.run({ process.interpreter(), "-e", program },
      { env = process.environment() })
    assert.equal(0, status)
    assert.equal(_VERSION .. "\ttrue\ttrue\n", out)
  end)
end)

describe("the certificates", function()
  local function verify(name, option, value)
    local status, _, err = process.run { "openssl", "verify", "-CAfile", certificates.ca, option,
      value, certificates[name].certificate }
    return status == 0 or err:match("error (%d+)")
  end

  it("are good or bad each in its own way", function()
    assert.is_true(verify("good", "-verify_hostname", "localhost"))
    assert.is_true(verify("good", "-verify_ip", "127.0.0.1"))
    assert.is_true(verify("good", "-verify_ip", "::1"))
    assert.equal("10", verify("expired", "-verify_hostname", "localhost"))
    assert.equal("9", verify("not_yet_valid", "-verify_hostname", "localhost"))
    assert.equal("62", verify("wrong_host", "-verify_hostname", "localhost"))
    assert.equal("20", verify("unknown_ca", "-verify_hostname", "localhost"))
    assert.equal("18", verify("self_signed", "-verify_hostname", "localhost"))
    assert.is_true(verify("client", "-purpose", "sslclient"))
    assert.equal("20", verify("stranger", "-purpose", "sslclient"))
  end)

  it("come with a hashed directory of the authority", function()
    local status = process.run {
      "openssl",
      "verify",
      "-CApath",
      certificates.ca_directory,
      certificates.good.certificate,
    }
    assert.equal(0, status)
  end)
end)

describe("the raw server", function()
  local server, other, secure

  setup(function()
    server, other = raw_server.start(), raw_server.start()
    secure = raw_server.start { tls = certificates.good }
  end)

  before_each(function()
    server:reset()
    other:reset()
    secure:reset()
  end)

  teardown(function()
    server:stop()
    other:stop()
    secure:stop()
  end)

  it("records what arrives byte for byte", function()
    local body = "a\0b\r\n\r\n\255" .. ("x"):rep(200000)
    local head = "POST /a?b=c HTTP/1.1\r\nX-One: 1\r\nx-one:2\r\nContent-Length: "
      .. #body
      .. "\r\n\r\n"
    local connection = connected(server, head .. body)
    assert.equal("HTTP/1.1 200 OK", connection:receive("*l"))
    local request = server:requests()[1]
    assert.equal(head, request.head)
    assert.is_true(request.raw == head .. body)
    assert.is_true(request.body == body)
    assert.is_true(request.complete)
    assert.same({ "POST", "/a?b=c", "HTTP/1.1" },
      { request.method, request.target, request.version })
    assert.equal("1, 2", request.headers["x-one"])
    connection:close()
  end)

  it("reads chunked bodies and keeps them as sent, too", function()
    local head, chunks =
      "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    local connection = connected(server, head .. chunks)
    assert.equal("HTTP/1.1 200 OK", connection:receive("*l"))
    local request = server:requests()[1]
    assert.equal("abcde", request.body)
    assert.equal(head .. chunks, request.raw)
    connection:close()
  end)

  it("answers one request after another over any number of connections", function()
    server:reset(raw_server.sequence { 503, { 429, "", { ["Retry-After"] = 1 } }, 200 })
    assert.equal(503, (http.request("GET", server.url)))
    local status, _, headers = http.request("GET", server.url)
    assert.same({ 429, "1" }, { status, headers["retry-after"] })
    assert.equal(200, (http.request("GET", server.url)))
    assert.equal(200, (http.request("GET", server.url)))
    assert.equal(4, #server:requests())
    assert.equal(4, server:connections())
  end)

  it("keeps connections alive and says which one a request came on", function()
    local connection = connected(server, GET .. GET)
    assert.is_true(server:await("requests", 2))
    local second = connected(server, GET)
    assert.is_true(server:await("requests", 3))
    local requests = server:requests()
    assert.same({ 1, 1, 2 },
      { requests[1].connection, requests[2].connection, requests[3].connection })
    assert.equal(2, server:connections())
    connection:close()
    second:close()
  end)

  it("plays one list of steps per connection, the last one again and again", function()
    server:reset { { "read", { send = "one" } }, { "read", { send = "two" } } }
    assert.equal("one", (http.exchange(server.url, GET)))
    assert.equal("two", (http.exchange(server.url, GET)))
    assert.equal("two", (http.exchange(server.url, GET)))
  end)

  it("serves several requests by one list with again", function()
    server:reset { { "read", { send = "x" }, "again" } }
    local connection = connected(server, GET .. GET .. GET)
    assert.equal("xxx", connection:receive(3))
    connection:close()
  end)

  it("resets with RST and closes with FIN", function()
    local reply = "HTTP/1.1 200 OK\r\n\r\nab"
    server:reset {
      { "read", { send = reply }, "rst" },
      { "read", { send = reply }, "fin" },
      { "read", "rst" },
      { "read", "fin" },
    }
    local status, _, err = curl(server.url)
    assert.equal(56, status)
    contains(err, "Connection reset by peer")
    assert.same({ 0, "ab", "" }, { curl(server.url) })
    assert.same({ "", "Connection reset by peer" }, { http.exchange(server.url, GET) })
    assert.same({ "" }, { http.exchange(server.url, GET) })
  end)

  it("resets in the middle of a body and records the part that was read", function()
    server:reset { { { read = 5 }, "rst" } }
    local _, why =
      http.exchange(server.url, "POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\n0123456789")
    assert.equal("Connection reset by peer", why)
    local request = server:requests()[1]
    assert.equal("01234", request.body)
    assert.is_false(request.complete)
    assert.equal("56789", server:connection_records()[1].unread)
  end)

  it("resets connections before a byte", function()
    server:reset { { "rst" } }
    local _, why = http.exchange(server.url, GET)
    assert.equal("Connection reset by peer", why)
    assert.equal(0, #server:requests())
    assert.equal(1, server:connections())
  end)

  it("notices what is sent after its FIN", function()
    server:reset { { "fin" } }
    local connection = connected(server)
    assert.equal("closed", (select(2, connection:receive(1))))
    connection:send("late")
    connection:close()
    assert.is_true(server:await("closed"))
    assert.equal("late", server:connection_records()[1].unread)
  end)

  it("drips, and sends more than fits a message", function()
    server:reset {
      { "read", { drip = "abcdef", size = 2, interval = 0.01 } },
      { "read", { send = "0123456789", times = 300000 } },
    }
    assert.equal("abcdef", (http.exchange(server.url, GET)))
    assert.equal(3000000, #http.exchange(server.url, GET))
  end)

  it("holds a reply back until the spec releases it", function()
    server:reset { { "read", { wait = "go" }, { send = "late" } } }
    local connection = connected(server, GET)
    assert.is_true(server:await("requests"))
    connection:settimeout(0.05)
    assert.equal("timeout", (select(2, connection:receive(4))))
    server:release("go")
    connection:settimeout(5)
    assert.equal("late", connection:receive(4))
    connection:close()
  end)

  it("stalls until it is reset, and then forgets everything", function()
    server:reset { { "read", "stall" } }
    local connection = connected(server, GET)
    assert.is_true(server:await("requests"))
    connection:settimeout(0.05)
    assert.equal("timeout", (select(2, connection:receive(1))))
    server:reset()
    connection:settimeout(5)
    assert.equal("closed", (select(2, connection:receive(1))))
    assert.equal(0, server:connections())
    assert.equal(0, #server:requests())
  end)

  it("counts nothing on a server nobody calls", function()
    http.request("GET", server.url)
    assert.equal(1, server:connections())
    assert.equal(0, other:connections())
  end)

  it("sees a connection that was made and dropped before it is asked", function()
    for count = 1, 20 do
      connected(server, GET):close()
      assert.equal(count, server:connections())
      assert.equal(count, #server:requests())
    end
  end)

  it("says when a wait was in vain", function()
    assert.is_false(server:await("requests", 1, 0.02))
  end)

  it("listens on IPv6", function()
    local six = raw_server.start { host = "::1" }
    assert.equal(200, (http.request("GET", six.url)))
    six:stop()
  end)

  it("stops listening", function()
    local gone = raw_server.start()
    gone:stop()
    gone:stop()
    assert.same({ nil, "Connection refused" }, { http.request("GET", gone.url) })
  end)

  it("speaks TLS, and resets and closes it", function()
    local options = { ca_file = certificates.ca }
    assert.equal(200, (http.request("GET", secure.url, options)))
    assert.equal(0x0304, secure:connection_records()[1].tls)
    secure:reset {
      { "read", "rst" },
      { "read", { send = "x" }, "fin" },
      { "read", { send = "y" }, "close" },
    }
    assert.same({ "", "Connection reset by peer" }, { http.exchange(secure.url, GET, options) })
    assert.same({ "x" }, { http.exchange(secure.url, GET, options) })
    assert.same({ "y" }, { http.exchange(secure.url, GET, options) })
  end)

  it("shows another certificate where the script says so", function()
    for _, name in ipairs { "expired", "wrong_host", "unknown_ca", "self_signed" } do
      secure:reset { { { tls = certificates[name] }, "read",
        { send = raw_server.reply(200, "x") } } }
      assert.equal(60, (curl("--cacert", certificates.ca, secure.url)))
      assert.equal(0, #secure:requests())
    end
  end)

  it("never answers the handshake where the script is plain and stalls", function()
    secure:reset { { "plain", "stall" } }
    assert.equal(28, (curl("--max-time", "0.3", "--cacert", certificates.ca, secure.url)))
    assert.is_true(secure:connection_records()[1].received > 100)
  end)

  it("asks for a client certificate", function()
    local good = certificates.good
    local strict = raw_server.start {
      tls = { certificate = good.certificate, key = good.key, client_ca = certificates.ca },
    }
    local function status(files, ...)
      return (
        curl("--cacert", certificates.ca, "--cert", files.certificate, "--key", files.key, ...)
      )
    end
    assert.equal(0, status(certificates.client, strict.url, strict.url))
    assert.is_true(status(certificates.stranger, strict.url) > 0)
    assert.equal(2, #strict:requests())
    assert.truthy(strict:connection_records()[2].tls_error:find("certificate"))
    strict:stop()
  end)

  it("refuses a script that makes no sense", function()
    assert.has_error(function() server:script {} end)
    assert.has_error(function() server:script { { "raed" } } end)
    assert.has_error(function() server:script { { { sned = "x" } } } end)
    assert.has_error(function() server:script { per = "day", 200 } end)
  end)

  it("plays hundreds of scripts in a second or two", function()
    local started = luasocket.gettime()
    for _ = 1, 300 do
      server:reset { { "read", { send = "x" } } }
      assert.equal("x", (http.exchange(server.url, GET)))
    end
    assert.is_true(luasocket.gettime() - started < 6)
  end)
end)

describe("the replies", function()
  it("have the right length and the headers asked for", function()
    assert.equal(
      'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Type: application/json\r\n\r\n{"a":1}',
      raw_server.reply(200, { a = 1 }))
    assert.equal("HTTP/1.1 204 No Content\r\n\r\n", raw_server.reply(204))
    assert.equal("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\nX: 1\r\nX: 2\r\n\r\n",
      raw_server.reply(503, "", { ["Content-Length"] = 9, X = { 1, 2 } }))
  end)

  it("can be chunked", function()
    local server =
      raw_server.start { script = { per = "request", raw_server.chunked_reply(200, "0123456789") } }
    assert.same({ 0, "0123456789" }, { curl(server.url), (select(2, curl(server.url))) })
    server:stop()
  end)
end)

describe("the addresses without a server", function()
  it("refuse connections or drop them", function()
    local refused, blackhole = raw_server.refused(), raw_server.blackhole()
    assert.equal(7, (curl(refused.url)))
    assert.equal(28, (curl("--connect-timeout", "0.3", blackhole.url)))
    refused.stop()
    blackhole.stop()
  end)
end)

describe("the resolvers", function()
  local function resolve(behaviour)
    local one = dns.resolver(behaviour)
    local status = one:run(
      { "curl", "-sS", "--max-time", "0.3", "http://name.example/" },
      { timeout = 10 }
    )
    local queries = one:queries()
    one:stop()
    return status, queries
  end

  it("never answer or refuse at once", function()
    if not dns.available() then return pending(dns.UNAVAILABLE) end
    local status, queries = resolve "silent"
    assert.equal(28, status)
    assert.is_true(queries > 0)
    assert.equal(6, (resolve "dead"))
  end)

  it("stand side by side", function()
    if not dns.available() then return pending(dns.UNAVAILABLE) end
    local one, another = dns.resolver "silent", dns.resolver "silent"
    another:run({ "curl", "-sS", "--max-time", "0.3", "http://name.example/" }, { timeout = 10 })
    assert.same({ 0, true }, { one:queries(), another:queries() > 0 })
    one:stop()
    another:stop()
  end)

  it("know no missing name", function()
    assert.equal(6, (curl("--max-time", "20", "http://" .. dns.missing .. "/")))
  end)
end)

describe("the proxy", function()
  local server, middle

  setup(function()
    server, middle = raw_server.start { tls = certificates.good }, proxy.start()
  end)

  teardown(function()
    server:stop()
    middle:stop()
  end)

  local function through(...)
    return process.run { "curl", "-sS", "--max-time", "5", "--cacert", certificates.ca, "--proxy",
      middle.url, "-H", "Authorization: Bearer canary", server.url, ... }
  end

  it("tunnels and sees no more than the CONNECT", function()
    local status, out = through()
    assert.same({ 0, '{"data":{}}' }, { status, out })
    assert.equal("Bearer canary", server:requests()[1].headers.authorization)
    assert.equal("CONNECT", middle:requests()[1].method)
    assert.is_true(middle:saw(server.authority))
    assert.is_false(middle:saw("canary"))
  end)

  it("refuses, stalls, resets and closes", function()
    server:reset()
    for behaviour, expected in pairs { refuse_407 = "407", refuse_502 = "502", reset = "reset",
        close = "abort" } do
      middle:behave(behaviour)
      local status, _, err = through()
      assert.equal(56, status)
      contains(err, expected)
    end
    middle:behave "stall"
    assert.equal(28, (through("--max-time", "0.3")))
    assert.equal(0, server:connections())
  end)
end)

describe("the sandbox for specs", function()
  before_each(function() sandbox:reset() end)

  it("reports what arrived and what was committed", function()
    local status, reply = sandbox:request("POST", "/api/organizations", { name = "Acme" })
    assert.same({ 200, "Acme" }, { status, reply.data.name })
    sandbox:request("GET", "/api/organizations")
    assert.equal(2, #sandbox:requests())
    assert.equal('{"name":"Acme"}', sandbox:requests("create_org")[1].body)
    assert.equal(1, sandbox:committed())
    sandbox:reset()
    assert.equal(0, #sandbox:requests())
  end)

  it("accounts for faults", function()
    sandbox:faults { { operation = "create_org", fault = "status", status = 503, times = 2 } }
    assert.equal(503, (sandbox:request("POST", "/api/organizations", { name = "Acme" })))
    assert.equal(1, sandbox:unconsumed()[1].remaining)
    local ok, message = pcall(sandbox.assert_all_faults_consumed, sandbox)
    assert.is_false(ok)
    contains(message, "status on create_org (1 of 2)")
    assert.equal(503, (sandbox:request("POST", "/api/organizations", { name = "Acme" })))
    sandbox:assert_all_faults_consumed()
    assert.equal(0, sandbox:committed())
  end)

  it("refuses a fault it does not know", function()
    assert.has_error(
      function() sandbox:faults { { operation = "create_org", fault = "earthquake" } } end
    )
  end)

  it("is one for the whole process, and another with TLS", function()
    package.loaded["spec.support.sandbox"] = nil
    assert.equal(sandbox.url, require("spec.support.sandbox").url)
    local secure = sandbox.tls()
    assert.truthy(secure.url:find("^https:"))
    assert.equal(200, (secure:request("GET", "/api/organizations")))
    assert.equal(0, #sandbox:requests())
    assert.equal(1, #secure:reset():requests() + 1)
  end)
end)

describe("limits on what is measured", function()
  local function keep(values)
    local count = 0
    local ok, message = pcall(measured.keeps, function()
      count = count + 1
      return {
        { "seconds", values[count], at_most = 2 },
        { "a second", 1 / values[count], at_least = 0.25 },
      }
    end)
    return count, ok, message
  end

  it("are kept by one of three runs", function()
    assert.same({ 1, true }, { keep { 1 } })
    assert.same({ 3, true }, { keep { 9, 3, 2 } })
  end)

  it("are not kept where all three fail, which says by how much", function()
    local count, ok, message = keep { 9, 9, 3 }
    assert.same({ 3, false }, { count, ok })
    contains(message, "a limit is not kept: seconds 3 (at most 2), a second 0.3333 (at least 0.25)")
  end)
end)
