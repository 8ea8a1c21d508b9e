-- The base URL of a client, and the paths and queries of its calls (csrc/http/url.c).

local contains = require("spec.support.text").contains
local core = require "polytomic.testing"
local lacks = require("spec.support.text").lacks

local function accepts(text, expected, allow_http)
  local url, message = core.url_parse(text, allow_http)
  assert.is_nil(message)
  assert.equal(expected, url.origin .. url.prefix)
  contains(url.origin, url.host)
  return url
end

local function refuses(text, reason, allow_http)
  local url, message = core.url_parse(text, allow_http)
  assert.is_nil(url)
  assert.equal(reason, message)
end

describe("A base URL", function()
  for _, case in ipairs {
    { "app.polytomic.com", "https://app.polytomic.com" },
    { "https://app.polytomic.com", "https://app.polytomic.com" },
    { "https://app.polytomic.com/", "https://app.polytomic.com" },
    { "HTTPS://App.Polytomic.COM", "https://app.polytomic.com" },
    { "https://polytomic.acme.example:8443", "https://polytomic.acme.example:8443" },
    { "https://host:443", "https://host" },
    { "http://localhost:80", "http://localhost" },
    { "https://host:80", "https://host:80" },
    { "https://host:00443", "https://host" },
    { "https://host:1", "https://host:1" },
    { "https://host:65535", "https://host:65535" },
    { "host:8443/Prefix/", "https://host:8443/Prefix" },
    { "https://gateway.example/tools/polytomic", "https://gateway.example/tools/polytomic" },
    { "https://h/a%20b;v=1/~x@y:z", "https://h/a%20b;v=1/~x@y:z" },
    { "https://host.example.", "https://host.example." },
    { "https://under_score-host", "https://under_score-host" },
    { "https://192.0.2.7", "https://192.0.2.7" },
    { "https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x" },
    { "[::1]:8443", "https://[::1]:8443" },
  } do
    it("is read: " .. case[1], function() accepts(case[1], case[2]) end)
  end

  it("knows its parts", function()
    local url = accepts("http://LocalHost:8080/api-gateway/", "http://localhost:8080/api-gateway")
    assert.same(
      {
        origin = "http://localhost:8080",
        prefix = "/api-gateway",
        host = "localhost",
        https = false,
        loopback = true,
      },
      url
    )
  end)

  for _, host in ipairs { "localhost", "api.localhost", "127.0.0.1", "127.255.3.4", "[::1]",
      "[0:0:0:0:0:0:0:1]" } do
    it("may be plain http on the loopback host " .. host, function()
      assert.is_true(accepts("http://" .. host .. ":9", "http://" .. host .. ":9").loopback)
    end)
  end

  for _, host in ipairs {
    "example.com", "localhost.example.com", "notlocalhost", ".localhost.example",
    "127.0.0.1.example.com", "126.0.0.1", "128.0.0.1", "127.1", "0x7f.0.0.1", "2130706433",
    "0.0.0.0", "[::]", "[::2]", "[::ffff:127.0.0.1]", "[fe80::1]",
  } do
    it("K: is refused with remote http: " .. host, function()
      local url, message = core.url_parse("http://" .. host)
      assert.is_nil(url)
      if host:sub(1, 1) ~= "." then assert.is_truthy(message:find("^must use https")) end
    end)
  end

  it("may be plain http on any host when that is allowed", function()
    assert.is_false(accepts("http://example.com:8080", "http://example.com:8080", true).https)
    assert.is_false(accepts("http://example.com", "http://example.com", true).loopback)
  end)

  local bytes = "must not contain spaces, control or non-ASCII characters"
  local scheme = "must be an http or https URL"
  local port = "must have a port from 1 to 65535, or none"
  local host = "must name a valid host"
  local path = "must not contain empty or dot segments in its path"
  local encoding = "must not contain malformed or unsafe percent-encoding in its path"
  for title, case in pairs {
    ["K: file:///etc/passwd"] = { "file:///etc/passwd", scheme },
    ["K: file:/etc/passwd"] = { "file:/etc/passwd", port },
    ["K: file:"] = { "file:", port },
    ["K: ftp://host"] = { "ftp://host", scheme },
    ["K: unix://socket"] = { "unix://socket", scheme },
    ["K: httpss://host"] = { "httpss://host", scheme },
    ["K: user-info"] = { "https://user@host", "must not contain user-info" },
    ["K: user-info with a password"] = { "https://user:hunter2@host",
      "must not contain user-info" },
    ["K: user-info without a scheme"] = { "user:hunter2@host", "must not contain user-info" },
    ["K: a host in the user-info"] = { "https://app.polytomic.com@evil.example",
      "must not contain user-info" },
    ["K: a query"] = { "https://host?x=1", "must not contain a query" },
    ["K: a query behind a path"] = { "https://host/p?x=1", "must not contain a query" },
    ["K: an empty query"] = { "https://host/?", "must not contain a query" },
    ["K: a fragment"] = { "https://host#f", "must not contain a fragment" },
    ["K: an empty fragment"] = { "https://host/p#", "must not contain a fragment" },
    ["K: port 0"] = { "https://host:0", port },
    ["K: port 00000"] = { "https://host:00000", port },
    ["K: port 65536"] = { "https://host:65536", port },
    ["K: a port of twenty digits"] = { "https://host:18446744073709551617", port },
    ["K: port -1"] = { "https://host:-1", port },
    ["K: port +1"] = { "https://host:+1", port },
    ["K: port x"] = { "https://host:x", port },
    ["K: port 443x"] = { "https://host:443x", port },
    ["K: an empty port"] = { "https://host:", port },
    ["K: two ports"] = { "https://host:1:2", port },
    ["K: a backslash"] = { "https://host\\@evil.example", "must not contain a backslash" },
    ["K: a backslash in the path"] = { "https://host/a\\..\\b", "must not contain a backslash" },
    ["K: nothing"] = { "", "must not be empty" },
    ["K: only a scheme"] = { "https://", "must name a host" },
    ["K: no host before a port"] = { "https://:443", "must name a host" },
    ["K: no host before a path"] = { "https:///path", "must name a host" },
    ["K: only a path"] = { "/path", "must name a host" },
    ["K: //host"] = { "//host", "must name a host" },
    ["K: a space"] = { "https://ho st", bytes },
    ["K: a leading space"] = { " https://host", bytes },
    ["K: a trailing newline"] = { "https://host\n", bytes },
    ["K: CR LF"] = { "https://host\r\nX: y", bytes },
    ["K: NUL"] = { "https://host\0.example", bytes },
    ["K: DEL"] = { "https://host/\127", bytes },
    ["K: a byte order mark"] = { "\239\187\191https://host", bytes },
    ["K: an umlaut"] = { "https://h\195\182st", bytes },
    ["K: 1 MB"] = { "https://" .. ("a"):rep(2 ^ 20), "must not be longer than 2048 bytes" },
    ["a percent sign in the host"] = { "https://ho%73t", host },
    ["a comma in the host"] = { "https://a,b", host },
    ["a quote in the host"] = { "https://h'", host },
    ["an empty label"] = { "https://a..b", host },
    ["a leading dot"] = { "https://.a", host },
    ["a label of 64 bytes"] = { "https://" .. ("a"):rep(64) .. ".example", host },
    ["a host of 254 bytes"] = { "https://" .. ("a."):rep(127), host },
    ["a bracket that stays open"] = { "https://[::1", host },
    ["something behind the bracket"] = { "https://[::1]x", host },
    ["an IPv4 address in brackets"] = { "https://[127.0.0.1]", host },
    ["a zone in brackets"] = { "https://[fe80::1%25eth0]", host },
    ["empty brackets"] = { "https://[]", host },
    ["a path of two slashes"] = { "https://host//", path },
    ["an empty segment"] = { "https://host/a//b", path },
    ["K: a dot segment"] = { "https://host/./a", path },
    ["K: two dots"] = { "https://host/a/..", path },
    ["K: two dots and a slash"] = { "https://host/a/../", path },
    ["K: encoded dots"] = { "https://host/%2e%2E/a", path },
    ["K: half encoded dots"] = { "https://host/.%2e/a", path },
    ["K: an encoded slash"] = { "https://host/a%2fb", encoding },
    ["K: an encoded backslash"] = { "https://host/a%5Cb", encoding },
    ["K: an encoded NUL"] = { "https://host/a%00", encoding },
    ["K: an encoded DEL"] = { "https://host/a%7f", encoding },
    ["K: an encoded line feed"] = { "https://host/a%0a", encoding },
    ["K: an encoded percent sign"] = { "https://host/%252e", encoding },
    ["a cut percent-encoding"] = { "https://host/a%4", encoding },
    ["a bad percent-encoding"] = { "https://host/a%zz", encoding },
    ["a quote in the path"] = { 'https://host/"',
      "must not contain characters that a path cannot hold" },
    ["a brace in the path"] = { "https://host/{x}",
      "must not contain characters that a path cannot hold" },
  } do
    it("is refused: " .. title, function() refuses(case[1], case[2]) end)
  end

  it("never repeats itself in a refusal, for it may hold a password", function()
    for _, text in ipairs { "https://u:hunter2@h", "ftp://u:hunter2@h", "u:hunter2@h:0",
        "https://h/hunter2 ", "hunter2://h", "h:hunter2" } do
      local _, message = core.url_parse(text)
      lacks(message, "hunter2")
    end
  end)

  it("survives every failing allocation", function()
    local tried = 0
    for n = 1, 3 do
      core.memory_fail_at(n)
      local url, message = core.url_parse("https://host/prefix")
      core.memory_fail_at(0)
      if url then
        assert.equal("/prefix", url.prefix)
      else
        assert.equal("cannot be kept: not enough memory", message)
        tried = tried + 1
      end
    end
    assert.equal(2, tried)
  end)
end)

describe("A path segment", function()
  for text, expected in pairs {
    ["248df4b7-aa70-47b8-a036-33ac447e668d"] = "248df4b7-aa70-47b8-a036-33ac447e668d",
    ["A-Z.a_z~09"] = "A-Z.a_z~09",
    ["a b"] = "a%20b",
    ["a+b&c=d;e:f@g,h!$'()*"] = "a%2Bb%26c%3Dd%3Be%3Af%40g%2Ch%21%24%27%28%29%2A",
    ["100%"] = "100%25",
    ["%41"] = "%2541",
    ["%zz"] = "%25zz",
    ["..."] = "...",
    [".a"] = ".a",
    ["a.."] = "a..",
    ["%2e%2e%2e"] = "%252e%252e%252e",
    ["\195\182"] = "%C3%B6",
    ["\255"] = "%FF",
    ['"<>[]^`{|}'] = "%22%3C%3E%5B%5D%5E%60%7B%7C%7D",
  } do
    it("is percent-encoded: " .. text, function()
      assert.equal(expected, core.url_segment(text))
    end)
  end

  it("may have 1024 bytes", function()
    assert.equal(("a"):rep(1024), core.url_segment(("a"):rep(1024)))
  end)

  local dots = "must not be '.' or '..'"
  local slash = "must not contain a slash or backslash"
  local control = "must not contain control characters"
  local mark = "must not contain '?' or '#'"
  for title, case in pairs {
    ["empty"] = { "", "must not be empty" },
    ["."] = { ".", dots },
    [".."] = { "..", dots },
    ["../users"] = { "../users", slash },
    ["..%2f"] = { "..%2f", slash },
    ["..%5C"] = { "..%5C", slash },
    ["%2e"] = { "%2e", dots },
    ["%2e%2e"] = { "%2e%2e", dots },
    ["%2E%2e"] = { "%2E%2e", dots },
    [".%2e"] = { ".%2e", dots },
    ["%2e."] = { "%2e.", dots },
    ["a/b"] = { "a/b", slash },
    ["a\\b"] = { "a\\b", slash },
    ["x%2Fy"] = { "x%2Fy", slash },
    ["x?y=1"] = { "x?y=1", mark },
    ["x#f"] = { "x#f", mark },
    ["CR"] = { "a\rb", control },
    ["LF"] = { "a\nb", control },
    ["NUL"] = { "a\0b", control },
    ["TAB"] = { "\t", control },
    ["DEL"] = { "a\127", control },
    ["1 MB"] = { ("a"):rep(2 ^ 20), "must not be longer than 1024 bytes" },
    ["1025 bytes"] = { ("a"):rep(1025), "must not be longer than 1024 bytes" },
  } do
    it("K: is refused: " .. title, function()
      local text, message = core.url_segment(case[1])
      assert.is_nil(text)
      assert.equal(case[2], message)
    end)
  end

  it("holds nothing but unreserved bytes and percent signs once it is written", function()
    for byte = 0, 255 do
      local text = core.url_segment("a" .. string.char(byte))
      if text then assert.is_truthy(text:find("^a[%w%-%._~]$") or text:find("^a%%%x%x$")) end
    end
  end)
end)

describe("A query", function()
  it("starts with a question mark and goes on with ampersands", function()
    assert.equal("?limit=10&page_token=abc",
      core.url_pairs { { "limit", "10" }, { "page_token", "abc" } })
  end)

  it("is empty without pairs", function() assert.equal("", core.url_pairs {}) end)

  it("K: keeps every byte of a value inside that value", function()
    assert.equal("?q=a%26b%3Dc%23d%3Fe%2Ff%20g%2Bh%25%0D%0A%00%C3%B6",
      core.url_pairs { { "q", "a&b=c#d?e/f g+h%\r\n\0\195\182" } })
    assert.equal("?a%26b%3D=", core.url_pairs { { "a&b=", "" } })
  end)

  it("writes a map member as name[key] with encoded brackets", function()
    assert.equal("?a=1&filter%5Bname%5D=Acme%20Inc&filter%5Ba%5Db%5D=x",
      core.url_pairs { { "a", "1" }, { "filter", "name", "Acme Inc" }, { "filter", "a]b", "x" } })
  end)

  it("survives a failing allocation", function()
    core.memory_fail_at(1, true)
    local text, message = core.url_pairs { { "a", ("x"):rep(1000) } }
    core.memory_fail_at(0)
    assert.is_nil(text)
    assert.equal("cannot be kept: not enough memory", message)
  end)
end)

describe("A next link", function()
  local base = "https://app.polytomic.com"
  for _, link in ipairs {
    "/api/users?page=2", "?page=2", "https://app.polytomic.com/api",
    "https://APP.polytomic.com:443/api", "HTTPS://app.polytomic.com", "//app.polytomic.com/x",
    "https://app.polytomic.com?x=1", "https://app.polytomic.com#x",
    "/api?next=https://evil.example/", "/",
  } do
    it("stays on the host: " .. link, function() assert.is_true(core.same_origin(base, link)) end)
  end

  for title, link in pairs {
    ["another host"] = "https://evil.example/api",
    ["another host without a scheme"] = "//evil.example/api",
    ["plain http"] = "http://app.polytomic.com/api",
    ["another port"] = "https://app.polytomic.com:8443/api",
    ["a longer host"] = "https://app.polytomic.com.evil.example/",
    ["a final dot"] = "https://app.polytomic.com./",
    ["a shorter host"] = "https://app.polytomic.co/",
    ["user-info"] = "https://app.polytomic.com@evil.example/",
    ["user-info before the right host"] = "https://user@app.polytomic.com/",
    ["a backslash"] = "https://app.polytomic.com\\@evil.example/",
    ["backslashes for slashes"] = "\\\\evil.example/",
    ["a slash and a backslash"] = "/\\evil.example/",
    ["a tab between slashes"] = "/\t/evil.example/",
    ["three slashes"] = "///evil.example/",
    ["a scheme behind two slashes"] = "//https://app.polytomic.com/",
    ["file"] = "file:///etc/passwd",
    ["javascript"] = "javascript:alert(1)",
    ["data"] = "data:text/html,x",
    ["a relative path"] = "users?page=2",
    ["a scheme without slashes"] = "https:app.polytomic.com",
    ["the host alone"] = "app.polytomic.com",
    ["nothing"] = "",
    ["NUL"] = "https://app.polytomic.com\0.evil.example/",
    ["a line end"] = "/api\r\nX: y",
    ["no host"] = "https:///api",
  } do
    it("is refused: " .. title, function() assert.is_false(core.same_origin(base, link)) end)
  end

  it("is compared with the port and the scheme of the base URL", function()
    assert.is_true(core.same_origin("http://127.0.0.1:8080/prefix", "http://127.0.0.1:8080/api"))
    assert.is_true(core.same_origin("http://127.0.0.1:8080/prefix", "//127.0.0.1:8080/api"))
    assert.is_false(core.same_origin("http://127.0.0.1:8080/prefix", "http://127.0.0.1/api"))
    assert.is_false(core.same_origin("http://127.0.0.1:443", "https://127.0.0.1/api"))
    assert.is_true(core.same_origin("https://[2001:db8::1]:8443", "https://[2001:DB8::1]:8443/api"))
    assert.is_false(core.same_origin("https://[2001:db8::1]:8443",
      "https://[2001:db8::2]:8443/api"))
  end)
end)

describe("A redirect", function()
  local origin, target = "https://app.polytomic.com", "/a/b/c/d?q"

  -- The examples of RFC 3986 sections 5.4.1 and 5.4.2 that a Location can be.
  for link, url in pairs {
    ["g"] = "/a/b/c/g", ["./g"] = "/a/b/c/g", ["g/"] = "/a/b/c/g/", ["/g"] = "/g",
    ["?y"] = "/a/b/c/d?y", ["g?y"] = "/a/b/c/g?y", ["#s"] = "/a/b/c/d?q#s", ["g#s"] = "/a/b/c/g#s",
    ["g?y#s"] = "/a/b/c/g?y#s", [";x"] = "/a/b/c/;x", ["."] = "/a/b/c/", ["./"] = "/a/b/c/",
    [".."] = "/a/b/", ["../"] = "/a/b/", ["../g"] = "/a/b/g", ["../.."] = "/a/", ["../../"] = "/a/",
    ["../../g"] = "/a/g", ["../../../g"] = "/g", ["../../../../g"] = "/g", ["/./g"] = "/g",
    ["/../g"] = "/g", ["g."] = "/a/b/c/g.", [".g"] = "/a/b/c/.g", ["g.."] = "/a/b/c/g..",
    ["./../g"] = "/a/b/g", ["./g/."] = "/a/b/c/g/", ["g/./h"] = "/a/b/c/g/h",
    ["g/../h"] = "/a/b/c/h", ["g;x=1/../y"] = "/a/b/c/y", ["g?y/../x"] = "/a/b/c/g?y/../x",
    ["%2e%2E/g"] = "/a/b/g", ["//"] = "//", ["/"] = "/",
  } do
    it(("to %s leads to %s"):format(link, url), function()
      assert.equal(origin .. url, core.url_resolve(origin, target, link))
    end)
  end

  it("may lead to another host, with or without a scheme, and is kept as it is then", function()
    for link, url in pairs {
      ["//logs.example.com/x?s=%2F"] = "https://logs.example.com/x?s=%2F",
      ["http://logs.example.com/../x"] = "http://logs.example.com/../x",
      ["HTTPS://Logs.example.com"] = "HTTPS://Logs.example.com",
    } do
      assert.equal(url, core.url_resolve(origin, target, link))
    end
  end)

  it("that leads nowhere is refused, with the reason", function()
    local http = "is not a URL of http or https"
    for link, problem in pairs {
      [""] = "is empty", ["a\rb"] = "holds control characters",
      ["a\0b"] = "holds control characters",
      ["file:///etc/passwd"] = http, ["javascript:alert(1)"] = http, ["http:g"] = http,
      ["https://"] = http, ["data:text/html,x"] = http,
    } do
      local url, message = core.url_resolve(origin, target, link)
      assert.same({ nil, problem }, { url, message })
    end
  end)
end)
