-- The options of polytomic.new and of a single call: what is taken, what is refused, and where the
-- refusal is told.

local certificates = require "spec.support.certificates"
local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local uuid = "248df4b7-aa70-47b8-a036-33ac447e668d"
local huge, nan = math.huge, 0 / 0
local long = ("k"):rep(4097)
local readable = process.temporary_file("x")
local missing = readable .. ".missing"
local function nothing() end

-- Values by kind that no number of seconds, count, boolean, function or string option takes.
local bad_seconds = { 0, -1, -0.001, huge, -huge, nan, "30", true, {}, nothing }
local bad_strings = { 7, true, false, {}, nothing }
local bad_booleans = { "true", 0, 1, {}, nothing }
local bad_functions = { "x", 7, true, {} }
local bad_texts = { "a\nb", "a\rb", "a\0b", "a\tb\n", "\195\188", "\239\187\191a", "a\127" }

local no_strings = { 7, true, false, {} }

local function counts(least, most)
  return { least - 1, most + 1, least + 0.5, huge, nan, "4", true, {} }
end
local function join(...)
  local all = {}
  for _, list in ipairs { ... } do
    for _, value in ipairs(list) do all[#all + 1] = value end
  end
  return all
end

local bad_keys = join(no_strings, { "two words", "line\nbreak", "tab\tinside", "NUL\0inside",
  "uml\195\164ut", "\239\187\191mark", "\255bytes", "DEL\127", long })
local bad_base_urls = join(bad_strings, { "", " ", "ftp://x", "file:///etc/passwd",
  "http://polytomic.example", "https://", "https://user@x", "https://user:pw@x",
  "https://x?y=1", "https://x#f", "https://x:0", "https://x:65536", "https://x:y", "https://x/a\\b",
  "https://x/../y", "https://x/api", "https://x/base/api/", "https://x y",
  "https://x\n", "https://x\0y", "https://\195\188", "x/./y" })

-- For each option: what it takes, and what it does not.
local client_options = {
  api_key = { { "k", "api-key-of-specs", " trimmed \r\n", '"quoted"', "", nothing }, bad_keys },
  partner_key = { { "partner-key-of-specs", ("k"):rep(4096) }, bad_keys },
  deployment_key = { { "deployment-key-of-specs" }, bad_keys },
  organization = { { uuid, uuid:upper() }, join(bad_strings,
    { "", "acme", uuid .. "0", uuid .. "\n", "{" .. uuid .. "}", "../" .. uuid:sub(4) }) },
  base_url = { { "polytomic.example", "https://x", "https://x/", "https://x:8443/base/",
    "http://127.0.0.1:1", "http://localhost", "http://[::1]:80" }, bad_base_urls },
  version = { { "2025-09-18", "v1" },
    join(bad_strings, bad_texts, { "", "a b", "a:b", ("1"):rep(64) }) },
  timeout = { { 1, 0.001, 90, 1e9 }, bad_seconds },
  attempt_timeout = { { 1, 0.25 }, bad_seconds },
  connect_timeout = { { 1, 0.25 }, bad_seconds },
  retries = { { 0, 1, 100 }, counts(0, 100) },
  max_connections = { { 1, 1000 }, counts(1, 1000) },
  max_response_bytes = { { 1, 4294967296 }, counts(1, 4294967296) },
  proxy = { { "", "proxy.example:3128", "http://u:p@proxy.example", "socks5h://127.0.0.1:1080" },
    join(bad_strings, { "ftp://x", "http://x\ny", "http://x y", "http://\195\188", "http://",
      "http://x:99999", "http://x:0", "http://x:y", "http://[::1", "::::", "http://u:p#q@x" }) },
  allow_http = { { true, false }, bad_booleans },
  http_version = { { "1.1", "2" }, { "1.0", "3", "2\0", "", 2, 1.1, true } },
  ca_file = { { certificates.ca }, join(bad_strings, { "", missing, certificates.ca .. "\0",
    process.directory(), readable, certificates.client.key }) },
  ca_path = { { process.directory() }, join(bad_strings, { "", missing, certificates.ca }) },
  client_cert = { { certificates.client.certificate },
    join(bad_strings, { "", missing, process.directory(), readable, certificates.client.key }) },
  client_key = { { certificates.client.key }, join(bad_strings,
    { "", missing, process.directory(), readable, certificates.client.certificate }) },
  user_agent = { { "acme/1.0 (+https://acme.example)", ("u"):rep(256) },
    join(bad_strings, bad_texts, { "", ("u"):rep(257), "a\r\nX-Evil: 1" }) },
  headers = { { {}, { ["X-Trace-Id"] = "7f3c" } },
    { "X: y", 7, true, { "X: y" }, { X = 7 }, { ["X Y"] = "z" }, { X = "a\r\nY: b" },
      { Authorization = "Bearer x" }, { host = "x" } } },
  read_only = { { true, false }, bad_booleans },
  env = { { false }, bad_booleans },
  on_event = { { nothing, print }, bad_functions },
  wait = { { nothing }, bad_functions },
}

-- What an option does not go without.
local beside = { client_key = { client_cert = certificates.client.certificate } }

local call_options = {
  timeout = { { 1, 0.5 }, bad_seconds },
  attempt_timeout = { { 1, 0.5 }, bad_seconds },
  retries = { { 0, 3 }, counts(0, 100) },
  idempotency_key = { { "order_42-A", ("k"):rep(255), false },
    { "short-7", ("k"):rep(256), "with a space", "12345678\n", "1234\0005678", "12345678\r\nX: y",
      "1234567\195\182", true, 12345678, {} } },
  headers = { { {}, { ["X-Trace-Id"] = "7f3c" }, { traceparent = "" } },
    { "X: y", 7, true, { "X: y" }, { [1] = "x" }, { X = 7 }, { X = true }, { ["X Y"] = "z" },
      { ["X:"] = "z" }, { [""] = "z" }, { X = "a\r\nY: b" },
    { X = "\t" }, { X = "  " }, { X = ("a"):rep(8193) }, { X = "a\nb" },
    { X = "a\0b" }, { X = "\195\188" }, { ["X\r\nY"] = "z" }, { Authorization = "Bearer x" },
    { host = "x" }, { ["Content-Length"] = "1" }, { ["Transfer-Encoding"] = "chunked" },
    { ["idempotency-key"] = "12345678" }, { ["User-Agent"] = "x" },
    { ["X-Polytomic-Version"] = "x" }, { Cookie = "a=b" } } },
  version = { { "2024-02-08" }, join(bad_strings, bad_texts, { "" }) },
  query = { { {}, { a = 1 } }, { "a=1", 7, true, nothing } },
  body = { { {}, { a = 1 } }, { "{}", 7, true, nothing } },
  organization = { { uuid }, join(bad_strings, { "", "acme" }) },
}

local function sorted(options)
  local names = {}
  for name in pairs(options) do names[#names + 1] = name end
  table.sort(names)
  return names
end

before_each(function() sandbox:reset() end)
after_each(clients.close)

describe("polytomic.new", function()
  for _, name in ipairs(sorted(client_options)) do
    local good, bad = client_options[name][1], client_options[name][2]

    it("takes good values of " .. name, function()
      for _, value in ipairs(good) do
        local options = { env = false }
        for other, needed in pairs(beside[name] or {}) do options[other] = needed end
        options[name] = value
        local ok, client = pcall(polytomic.new, options)
        assert.is_true(ok, tostring(client))
        client:close()
      end
    end)

    it("refuses bad values of " .. name .. " at the caller's line, not showing them", function()
      for _, value in ipairs(bad) do
        local options = { env = false }
        options[name] = value
        local message = clients.raised(function() local _ = polytomic.new(options) end)
        assert.is_truthy(message:find("^" .. name .. " "), message)
        assert.is_nil(message:find("[%c\128-\255]"), message)
        if type(value) == "string" and #value > 3 then
          lacks(message, value)
        end
      end
    end)
  end

  it("refuses a client_key without its certificate", function()
    local message = clients.raised(function()
      local _ = polytomic.new { env = false, client_key = certificates.client.key }
    end)
    assert.equal("client_key needs client_cert, the certificate it belongs to", message)
  end)

  it("takes no options, nil and an empty table for the same", function()
    polytomic.new():close()
    polytomic.new(nil):close()
    polytomic.new({}):close()
  end)

  it("refuses options that are no table", function()
    for _, wrong in ipairs { "api-key-of-specs", 7, true, nothing } do
      local message = clients.raised(function() local _ = polytomic.new(wrong) end)
      assert.equal("options must be a table, got " .. type(wrong), message)
    end
  end)

  it("refuses unknown names, one of a call's among them, and values without a name", function()
    for name, nearest in pairs { apikey = "api_key", ["api_key "] = "api_key", API_KEY = "api_key",
        time_out = "timeout", verify = false, idempotency_key = false, organisation_id = false,
        [""] = false } do
      local message = "unknown option '" .. name .. "'"
        .. (nearest and ", did you mean '" .. nearest .. "'?" or "")
      assert.equal(message, clients.raised(function()
        local _ = polytomic.new { [name] = true }
      end))
    end
    assert.equal("options must have names, got a key of type number", clients.raised(function()
      local _ = polytomic.new { "api-key-of-specs" }
    end))
    assert.equal("options must have names, got a key of type boolean", clients.raised(function()
      local _ = polytomic.new { [true] = 1 }
    end))
  end)

  it("never writes into the options and keeps nothing of them", function()
    local options = { env = false, base_url = sandbox.url .. "/",
      partner_key = " " .. sandbox.partner_key .. " ", retries = 0 }
    local client = polytomic.new(options)
    assert.same({ env = false, base_url = sandbox.url .. "/",
      partner_key = " " .. sandbox.partner_key .. " ", retries = 0 }, options)
    options.partner_key, options.base_url = "another", "https://elsewhere.example"
    assert.is_table(client:list_orgs())
    client:close()
  end)

  it("takes plain http to any host with allow_http, in whatever order", function()
    local client =
      polytomic.new { env = false, base_url = "http://polytomic.example:8080", allow_http = true }
    contains(tostring(client), "polytomic.example:8080")
    client:close()
  end)

  it("says of a base URL what is wrong with it", function()
    for url, problem in pairs { ["http://polytomic.example"] = "allow_http",
        ["https://user:pw@x"] = "user%-info", ["https://x?y=1"] = "query",
        ["https://x#f"] = "fragment" } do
      assert.is_truthy(clients.raised(function()
        local _ = polytomic.new { base_url = url }
      end):find(problem), problem)
    end
  end)
end)

describe("A call", function()
  for _, name in ipairs(sorted(call_options)) do
    local good, bad = call_options[name][1], call_options[name][2]

    it("takes good values of " .. name, function()
      local client = clients.answered { 200, '{"data":{}}' }
      for _, value in ipairs(good) do
        local data, message = client:create_org({ name = "Acme" }, { [name] = value })
        assert.is_table(data, message)
      end
    end)

    it("refuses bad values of " .. name .. " at the caller's line and sends nothing", function()
      local client, server = clients.answered { 200, '{"data":{}}' }
      for _, value in ipairs(bad) do
        local options = { [name] = value }
        local message = clients.raised(function()
          local _ = client:create_org({ name = "Acme" }, options)
        end)
        assert.is_truthy(message:find("^" .. name), message)
        assert.is_nil(message:find("[%c\128-\255]"), message)
        assert.equal(message, clients.raised(function()
          local _ = client:start("create_org", { name = "Acme" }, options)
        end))
        assert.equal(message, clients.raised(function()
          local _ = client:request({ method = "POST", path = "/api/x" }, options)
        end))
      end
      assert.equal(0, server:connections())
    end)
  end

  it("refuses unknown options, polytomic.new's too, and options that are not a table", function()
    local client = clients.sandbox()
    for name, nearest in pairs { retrys = "retries", connect_timeout = false, api_key = false,
        [""] = false } do
      local message = "unknown option '" .. name .. "'"
        .. (nearest and ", did you mean '" .. nearest .. "'?" or "")
      assert.equal(message, clients.raised(function()
        local _ = client:list_orgs({}, { [name] = 1 })
      end))
    end
    assert.equal("options must have names, got a key of type number", clients.raised(function()
      local _ = client:list_orgs({}, { 5 })
    end))
    assert.equal("list_orgs: options must be a table, got number", clients.raised(function()
      local _ = client:list_orgs({}, 5)
    end))
    assert.same({}, sandbox:requests())
  end)

  it("takes an idempotency key for PUT as it is, and none for GET and DELETE", function()
    local client, server = clients.answered { 200, '{"data":{}}' }
    assert.is_table(client:update_org({ id = uuid, name = "x" },
      { idempotency_key = "order_42-A" }))
    assert.is_table(client:update_org { id = uuid, name = "x" })
    for name, arguments in pairs { get_org = { id = uuid }, delete_org = { id = uuid } } do
      contains(clients.raised(function()
        local _ = client[name](client, arguments, { idempotency_key = "order_42-A" })
      end), "idempotency_key can only be given for POST, PUT and PATCH")
      client[name](client, arguments, { idempotency_key = false })
    end
    local keys = {}
    for i, request in ipairs(server:requests()) do
      keys[i] = request.headers["idempotency-key"] or false
    end
    assert.same({ "order_42-A", false, false, false }, keys)
  end)

  it("sends its extra headers, an empty one too, and no more of them than fit", function()
    local client, server = clients.answered { 200, '{"data":[]}' }
    local headers = {}
    for i = 1, 32 do headers["X-Trace-" .. i] = "value " .. i end
    headers["X-Trace-32"] = ""
    assert.is_table(client:list_orgs({}, { headers = headers }))
    local sent = server:requests()[1].headers
    for i = 1, 31 do assert.equal("value " .. i, sent["x-trace-" .. i]) end
    assert.equal("", sent["x-trace-32"])
    for i = 33, 60 do
      headers["X-Trace-" .. i] = "x"
      contains(clients.raised(function()
        local _ = client:list_orgs({}, { headers = headers })
      end), "too many headers")
    end
    assert.equal(1, #server:requests())
  end)

  it("has a timeout of its own that does not outlive it", function()
    sandbox:faults { { operation = "list_orgs", fault = "stall_headers", seconds = 2 } }
    local client = clients.sandbox()
    local _, _, err = client:list_orgs({}, { timeout = 0.1 })
    assert.equal("timeout", err.kind)
    assert.is_true(err.elapsed >= 0.1 and err.elapsed < 1)
    assert.is_table(client:list_orgs())
  end)

  it("never writes into its arguments and options", function()
    local client = clients.sandbox()
    local arguments, options = { name = "Acme" }, { retries = 1, headers = { ["X-A"] = "b" } }
    assert(client:create_org(arguments, options))
    assert.same({ name = "Acme" }, arguments)
    assert.same({ retries = 1, headers = { ["X-A"] = "b" } }, options)
  end)
end)

describe("Bad usage is reported at the caller's line", function()
  local function usage(client)
    assert.matches("^create_org: arguments must be a table", clients.raised(function()
      local _ = client:create_org()
    end))
    assert.matches("^create_org: arguments must be a table, got string", clients.raised(function()
      local _ = client:create_org("Acme")
    end))
    assert.matches("^list_orgs: arguments must be a table, got number", clients.raised(function()
      local _ = client:list_orgs(7)
    end))
    assert.matches("^create_org: use a colon", clients.raised(function()
      local _ = client.create_org { name = "Acme" }
    end))
    assert.is_truthy(
      clients.raised(function() local _ = client.create_org() end):find("^create_org: use a colon")
    )
    assert.matches("^unknown option 'retry'", clients.raised(function()
      local _ = client:create_org({ name = "x" }, { retry = 1 })
    end))
    assert.matches("^timeout must be", clients.raised(function()
      local _ = client:create_org({ name = "x" }, { timeout = 0 })
    end))
    assert.matches("^request: method", clients.raised(function()
      local _ = client:request { path = "/" }
    end))
    assert.is_truthy(clients.raised(function() local _ = client:request() end):find("^request: "))
    assert.is_truthy(clients.raised(function() local _ = client:start() end):find("^start: "))
    contains(clients.raised(function() local _ = client:start("create_orgs", {}) end),
      "unknown operation 'create_orgs', did you mean 'create_org'?")
    assert.matches("^unknown operation 'nonsense_at_all'$", clients.raised(function()
      local _ = client:start("nonsense_at_all", {})
    end))
    assert.matches("^create_org: arguments must be a table", clients.raised(function()
      local _ = client:start("create_org")
    end))
    assert.matches("^step: seconds", clients.raised(function() local _ = client:step("x") end))
    for _, wrong in ipairs { -1, huge, nan } do
      assert.matches("^step: seconds", clients.raised(function() local _ = client:step(wrong) end))
    end
    local call = client:start("list_orgs", {}, { retries = 0 })
    for _, name in ipairs { "done", "result", "cancel" } do
      assert.is_truthy(
        clients.raised(function() local _ = call[name]({}) end):find("^" .. name .. ": use a colon")
      )
    end
    call:cancel()
  end

  it("by the methods of a client", function()
    local client = clients.sandbox()
    usage(client)
    assert.matches("^create_org: use a colon", clients.raised(function()
      local _ = client.create_org(io.stdout, {})
    end))
  end)

  it("by the methods of a client with wait", function()
    usage(clients.sandbox {
      wait = function(client, call)
        while not call:done() do
          client:step(0.1)
        end
      end,
    })
  end)

  it("by the module's functions, with and without wait", function()
    for _, wait in ipairs { false, function(client, call)
      while not call:done() do client:step(0.1) end
    end } do
      local client = polytomic.configure {
        env = false,
        base_url = sandbox.url,
        partner_key = sandbox.partner_key,
        wait = wait or nil,
      }
      assert.matches("^create_org: arguments must be a table", clients.raised(function()
        local _ = polytomic.create_org()
      end))
      for _, name in ipairs { "new", "configure" } do
        assert.equal(("%s: use a dot: polytomic.%s{…}"):format(name, name),
          clients.raised(function() polytomic[name](polytomic, { timeout = 1 }) end))
      end
      for _, first in ipairs { polytomic, client } do -- a colon, or a client before the arguments
        for _, name in ipairs { "create_org", "list_orgs" } do
          assert.equal(
            ("%s: this is the module's function: polytomic.%s{…}, or client:%s{…}")
              :format(name, name, name),
            clients.raised(function() polytomic[name](first, { name = "x" }) end)
          )
        end
      end
      assert.matches("^unknown option 'retry'", clients.raised(function()
        local _ = polytomic.create_org({ name = "x" }, { retry = 1 })
      end))
      assert.matches("^timeout must be", clients.raised(function()
        local _ = polytomic.create_org({ name = "x" }, { timeout = nan })
      end))
      assert.matches("^create_org: ", clients.raised(function()
        local _ = polytomic.create_org(client, { name = "x" })
      end))
      client:close()
    end
    polytomic.configure { env = false }
  end)

  it("by configure", function()
    assert.equal("timeout must be a finite number of seconds above 0", clients.raised(function()
      local _ = polytomic.configure { timeout = 0 }
    end))
    assert.equal("unknown option 'keys'", clients.raised(function()
      local _ = polytomic.configure { keys = {} }
    end))
  end)
end)

describe("A bad value from the environment", function()
  local text = [[
    local polytomic = require "polytomic"
    local ok, message = pcall(function()
      local _ = CALL
    end)
    assert(not ok)
    io.write(message)
  ]]

  local function told(call, name, value)
    local env = process.environment {
      POLYTOMIC_API_KEY = false,
      POLYTOMIC_PARTNER_KEY = false,
      POLYTOMIC_DEPLOYMENT_KEY = false,
      POLYTOMIC_DEPLOYMENT_URL = false,
    }
    env[name] = value
    local script = process.temporary_file((text:gsub("CALL", function() return call end)))
    local status, out, err = process.run({ process.interpreter(), script }, { env = env })
    assert.equal(0, status, err)
    local position, message = out:match("^(.-:%d+): (.*)$")
    assert.is_truthy(position and position:find(":3$"), out)
    return message
  end

  it("raises at the line of new, client or the first call, and names only the variable", function()
    for _, call in ipairs {
      "polytomic.new()", "polytomic.new { retries = 0 }", "polytomic.client()",
      'polytomic.create_org { name = "Acme" }', "polytomic.configure {}",
    } do
      local message = told(call, "POLYTOMIC_PARTNER_KEY", "two words")
      assert.equal(
        "POLYTOMIC_PARTNER_KEY must hold printable ASCII characters only, without spaces",
        message
      )
    end
  end)

  it("is reported for every variable", function()
    for _, name in ipairs { "POLYTOMIC_API_KEY", "POLYTOMIC_DEPLOYMENT_KEY",
        "POLYTOMIC_PARTNER_KEY" } do
      for _, value in ipairs { "line\nbreak", "\239\187\191canary", "canary\255" } do
        local message = told("polytomic.new()", name, value)
        assert.is_truthy(message:find("^" .. name .. " must "), message)
        lacks(message, "canary")
        lacks(message, "break")
      end
    end
    for _, value in ipairs { "http://polytomic.example", "https://user:canary@x", "ftp://x" } do
      local message = told("polytomic.new()", "POLYTOMIC_DEPLOYMENT_URL", value)
      assert.is_truthy(message:find("^POLYTOMIC_DEPLOYMENT_URL must "), message)
      lacks(message, "canary")
    end
  end)
end)
