-- K on the wire: what could smuggle something into a request is refused and sends nothing; what is
-- taken arrives as it was given. Arguments and path segments have specs of their own.

local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"

local KEY = "pk-canary-0123456789"
local ORGANIZATION = "248df4b7-aa70-47b8-a036-33ac447e668d"

-- What ends a line or a header, or is no text a header may hold.
local CONTROLS = {
  CR = "\r", LF = "\n", ["CR LF"] = "\r\n", ["CR LF and a header"] = "\r\nX-Injected: yes",
  ["two CR LF and a body"] = "\r\n\r\nGET /stolen HTTP/1.1",
  NUL = "\0", VT = "\11", FF = "\12", DEL = "\127", ["an escape"] = "\27[31m",
  ["NEL"] = "\194\133", ["a line separator"] = "\226\128\168", ["an umlaut"] = "\195\188",
  ["a lone byte above 127"] = "\255",
}

describe("K: nothing but the request goes out:", function()
  local server

  setup(function() server = raw_server.start() end)
  teardown(function() server:stop() end)
  before_each(function() server:reset { per = "request", 200 } end)

  local function new(options)
    local all = { base_url = server.url, partner_key = KEY, env = false }
    for name, value in pairs(options or {}) do all[name] = value end
    return polytomic.new(all)
  end

  -- Raises at this file's line with a message that holds `pattern` and no control character, and
  -- nothing connects.
  local function assert_refused(pattern, make)
    local ok, message = pcall(make)
    assert.is_false(ok)
    assert.equal("string", type(message))
    assert.matches("^[^:]*injection_spec%.lua:%d+: ", message)
    assert.matches(pattern, message)
    assert.is_nil(message:find("%c"))
    lacks(message, "Injected")
    assert.equal(0, server:connections())
  end

  -- The one request that a call with these options of the client and of the call sends.
  local function sent(options, call_options)
    local client = new(options)
    local data, message = client:create_org({ name = "Acme" }, call_options)
    client:close()
    assert.is_truthy(data, message)
    local requests = server:requests()
    assert.equal(1, #requests)
    return requests[1]
  end

  local function call_with(call_options)
    local client = new()
    local _ = client:create_org({ name = "Acme" }, call_options)
  end

  -- How many header lines begin with that name.
  local function lines_of(request, name)
    local count = 0
    for field in request.head:gmatch("\r\n([^:\r\n]+):") do
      if field:lower() == name:lower() then count = count + 1 end
    end
    return count
  end

  for title, bytes in pairs(CONTROLS) do
    it(title .. " in a header's name is refused", function()
      assert_refused("headers", function() call_with { headers = { ["X-A" .. bytes] = "b" } } end)
      assert_refused("headers", function() call_with { headers = { [bytes] = "b" } } end)
    end)

    it(title .. " in a header's value is refused", function()
      assert_refused("headers", function()
        call_with { headers = { ["X-A"] = "b" .. bytes .. "c" } }
      end)
      assert_refused("headers", function() call_with { headers = { ["X-A"] = bytes } } end)
    end)

    it(title .. " in the user agent is refused", function()
      assert_refused("user_agent", function() new { user_agent = "app" .. bytes } end)
    end)

    it(title .. " in the idempotency key is refused", function()
      assert_refused("idempotency_key", function()
        call_with { idempotency_key = "key-00001" .. bytes }
      end)
    end)

    it(title .. " in the version is refused", function()
      assert_refused("version", function() new { version = "2025" .. bytes } end)
      assert_refused("version", function() call_with { version = "2025" .. bytes } end)
    end)

    it(title .. " in the organization is refused", function()
      assert_refused("organization", function() new { organization = ORGANIZATION .. bytes } end)
      assert_refused("organization", function()
        new { organization = ORGANIZATION:sub(1, 36 - #bytes) .. bytes }
      end)
      assert_refused("organization", function()
        call_with { organization = ORGANIZATION .. bytes }
      end)
      assert_refused("as_org", function() new():as_org(ORGANIZATION .. bytes) end)
    end)

    it(title .. " in the base URL is refused", function()
      assert_refused("base_url", function()
        new { base_url = server.url .. "/a" .. bytes .. "b" }
      end)
      assert_refused("base_url", function()
        new { base_url = "http://127.0.0.1" .. bytes .. ":80" }
      end)
    end)

    it(title .. " inside a key is refused, and the key is not shown", function()
      for _, option in ipairs { "api_key", "partner_key", "deployment_key" } do
        local ok, message = pcall(new, { [option] = "secret" .. bytes .. "canary" })
        assert.is_false(ok)
        assert.matches(option, message)
        lacks(message, "secret")
        lacks(message, "canary")
      end
    end)
  end

  it("header names that the library writes itself are refused, in any case", function()
    for _, name in ipairs {
      "Authorization", "Host", "Content-Length", "Transfer-Encoding", "Connection",
      "Expect", "Upgrade", "TE", "Trailer", "User-Agent", "Proxy-Authorization", "Proxy-Connection",
      "Keep-Alive", "Cookie", "Content-Type", "Accept", "Accept-Encoding", "Idempotency-Key",
      "X-Polytomic-Version",
    } do
      for _, spelled in ipairs { name, name:lower(), name:upper() } do
        assert_refused("headers must not contain '" .. spelled:gsub("%-", "%%-") .. "'", function()
          call_with { headers = { [spelled] = "x" } }
        end)
      end
    end
  end)

  it("header names that are no token, and values that are no text, are refused", function()
    for _, name in ipairs { "", " ", "X A", "X:A", "X-A:", ":authority", "X(A)", "X,A", "X;A",
        "X=A", "\"X\"", "X/A", "X@A", "[X]", ("x"):rep(257), 1 } do
      assert_refused("headers", function() call_with { headers = { [name] = "b" } } end)
    end
    for _, value in ipairs { 1, true, {}, polytomic.null, ("v"):rep(8193), ("v"):rep(1048576) } do
      assert_refused("headers", function() call_with { headers = { ["X-A"] = value } } end)
    end
    for _, headers in ipairs { "X-A: b", 1, true } do
      assert_refused("headers", function() call_with { headers = headers } end)
    end
  end)

  it("too many headers are refused", function()
    local headers = {}
    for index = 1, 100 do headers["X-" .. index] = "v" end
    assert_refused("headers", function() call_with { headers = headers } end)
  end)

  it("a header that is taken arrives once, as it was given", function()
    local values = {
      ["X-Plain"] = "a b",
      ["X-Signs"] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
      ["X-Empty"] = "",
      ["X-Colon"] = ": X-Other: y",
      ["!#$%&'*+-.^_`|~"] = "v",
    }
    local request = sent(nil, { headers = values })
    for name, value in pairs(values) do
      assert.equal(1, lines_of(request, name), name)
      assert.equal(value, request.headers[name:lower()], name)
    end
    assert.is_nil(request.headers["x-other"])
  end)

  it("every header the library writes is there once", function()
    local request = sent({ user_agent = "app/1.0 (test)" }, { headers = { ["X-A"] = "b" } })
    for _, name in ipairs { "Host", "User-Agent", "Accept", "Content-Type", "X-Polytomic-Version",
        "Idempotency-Key", "Authorization", "Content-Length", "X-A" } do
      assert.equal(1, lines_of(request, name), name)
    end
    for _, name in ipairs { "Expect", "Transfer-Encoding", "Cookie", "Proxy-Connection" } do
      assert.equal(0, lines_of(request, name), name)
    end
    assert.matches(" app/1%.0 %(test%)$", request.headers["user-agent"])
    assert.equal("Bearer " .. KEY, request.headers.authorization)
  end)

  it("other wrong user agents are refused", function()
    for _, value in ipairs { "", ("a"):rep(257), 1, true, {} } do
      assert_refused("user_agent", function() new { user_agent = value } end)
    end
  end)

  it("other wrong versions are refused", function()
    for _, value in ipairs {
      "", "2025 09", "2025:09", "../2025", "a,b", ("1"):rep(1000), 2025, {},
    } do
      assert_refused("version", function() new { version = value } end)
      assert_refused("version", function() call_with { version = value } end)
    end
    assert.equal("2030-01-01", sent(nil, { version = "2030-01-01" }).headers["x-polytomic-version"])
  end)

  it("an organization that is not a UUID is refused", function()
    for _, value in ipairs { "", "acme", ORGANIZATION .. ":", ORGANIZATION:sub(1, 35),
        ORGANIZATION .. "0", ORGANIZATION:gsub("%-", ""), "../" .. ORGANIZATION, 7, {} } do
      assert_refused("organization", function() new { organization = value } end)
      assert_refused("organization", function() call_with { organization = value } end)
      assert_refused("as_org", function() new():as_org(value) end)
    end
  end)

  it("a base URL that could lead elsewhere is refused", function()
    for _, url in ipairs {
      "", " ", "file:///etc/passwd", "ftp://127.0.0.1", "gopher://127.0.0.1", "javascript:alert(1)",
      "//127.0.0.1", "/api", "http://", "https://", "http:///x", "http://polytomic.example",
      "http://10.0.0.1", "http://127.0.0.1.polytomic.example", "http://localhost.example",
      "http://user@127.0.0.1", "http://user:password@127.0.0.1",
      "https://app.polytomic.com@evil.example", "https://app.polytomic.com:443@evil.example/",
      "http://127.0.0.1?x=y", "http://127.0.0.1#f", "http://127.0.0.1/?", "http://127.0.0.1/#",
      "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:", "http://127.0.0.1:-1",
      "http://127.0.0.1:80x", "http://127.0.0.1:80:80", "http://127.0.0.1\\@evil.example",
      "https:\\\\evil.example", "http://127.0.0.1/..", "http://127.0.0.1/a/../b",
      "http://127.0.0.1/./a", "http://127.0.0.1//a", "http://127.0.0.1/%2e%2e/a",
      "http://127.0.0.1/a%0d%0ab", "http://127.0.0.1/a b", "http://[::1",
      "http://[::1]x", "http://[zz]", "http://127.0.0.1,evil.example", "http://ev il.example",
      "https://" .. ("a"):rep(3000), 1, true, {},
    } do
      assert_refused("base_url", function() new { base_url = url } end)
    end
  end)

  it("a path prefix goes before every path, once", function()
    for prefix, path in pairs { ["/"] = "", ["/polytomic"] = "/polytomic",
        ["/polytomic/"] = "/polytomic", ["/a/b-c.d/~e"] = "/a/b-c.d/~e", ["/a%20b"] = "/a%20b" } do
      server:reset { per = "request", 200 }
      assert.equal(path .. "/api/organizations", sent({ base_url = server.url .. prefix }).target)
    end
  end)

  it("a host, a port and a scheme are what Host says", function()
    assert.equal("127.0.0.1:" .. server.port, sent().headers.host)
    server:reset { per = "request", 200 }
    assert.equal("localhost:" .. server.port,
      sent({ base_url = "HTTP://LOCALHOST:" .. server.port }).headers.host:lower())
  end)

  it("a key is trimmed, and otherwise sent as it is", function()
    for given, expected in pairs {
      [KEY .. "\n"] = KEY, ["\r\n\t " .. KEY .. " \r\n"] = KEY, ['quo"ted\'key'] = 'quo"ted\'key',
      ["back\\slash:x"] = "back\\slash:x", ["%00%0d%0a"] = "%00%0d%0a",
    } do
      server:reset { per = "request", 200 }
      assert.equal("Bearer " .. expected, sent({ partner_key = given }).headers.authorization)
    end
  end)

  it("a key with a byte order mark is refused, from the environment too", function()
    assert_refused("partner_key", function() new { partner_key = "\239\187\191" .. KEY } end)
    local script = process.temporary_file [[
      local ok, message = pcall(function() return require("polytomic").new {} end)
      io.write(tostring(ok), " ", message)
    ]]
    local _, out = process.run({ process.interpreter(), script },
      { env = process.environment { POLYTOMIC_PARTNER_KEY = "\239\187\191" .. KEY } })
    assert.matches("^false .*POLYTOMIC_PARTNER_KEY", out)
    lacks(out, KEY)
  end)

  it("an empty key, or one of white space, is no key", function()
    for _, key in ipairs { "", " ", "\r\n" } do
      local made, client = pcall(new, { partner_key = key })
      if made then
        local data, _, err = client:create_org { name = "Acme" }
        assert.same({ nil, "unconfigured" }, { data, err.kind })
      end
      assert.equal(0, server:connections())
    end
  end)

  it("keys and organizations together make one Basic line without a newline in it", function()
    local request = sent({ partner_key = ("k"):rep(500), organization = ORGANIZATION },
      { headers = { ["X-A"] = "b" } })
    assert.equal(1, lines_of(request, "Authorization"))
    local org = new { partner_key = ("k"):rep(500), organization = ORGANIZATION }
    server:reset { per = "request", 200 }
    assert(org:get_current_org {})
    assert.matches("^Basic [%w+/=]+$", server:requests()[1].headers.authorization)
    org:close()
  end)

  it("unknown options of a call are refused", function()
    for _, name in ipairs {
      "partner_key", "base_url", "header", "idempotencyKey", "Timeout", "",
    } do
      assert_refused("unknown option", function() call_with { [name] = "x" } end)
    end
  end)
end)
