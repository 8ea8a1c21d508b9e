-- What may stand in a header we send, and the headers of a reply (csrc/http/headers.c).

local core = require "polytomic.testing"

local function pairs_of(lines)
  local list = {}
  for index, header in ipairs(core.headers(lines)) do
    list[index] = header.name .. "=" .. header.value
  end
  return list
end

describe("A header name", function()
  for _, name in ipairs { "X-Trace", "a", "x_y.z", "!#$%&'*+-.^_`|~09", ("n"):rep(256) } do
    it("is valid: " .. name:sub(1, 30), function() assert.is_true(core.header_name_valid(name)) end)
  end
  for title, name in pairs {
    ["empty"] = "", ["CR"] = "X\rY", ["LF"] = "X\nY", ["NUL"] = "X\0Y",
    ["CR LF and another header"] = "X: y\r\nZ", ["a colon"] = "X:", ["a space"] = "X Y",
    ["a leading space"] = " X", ["a tab"] = "X\t", ["a quote"] = 'X"', ["parentheses"] = "X()",
    ["a slash"] = "X/Y", ["an umlaut"] = "X\195\182", ["0xFF"] = "\255", ["DEL"] = "\127",
    ["257 bytes"] = ("n"):rep(257), ["1 MB"] = ("n"):rep(2 ^ 20),
  } do
    it("K: is refused: " .. title, function() assert.is_false(core.header_name_valid(name)) end)
  end
end)

describe("A header value", function()
  -- The user agent, the version and the organization are checked by the same function.
  for title, value in pairs {
    ["empty"] = "", ["a version"] = "2025-09-18",
    ["a user agent"] = "acme-sync/1.0 (+https://acme.example)", ["a tab"] = "a\tb",
    ["8192 bytes"] = ("v"):rep(8192),
    ["all printable ASCII"] = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~",
  } do
    it("is valid: " .. title, function() assert.is_true(core.header_value_valid(value)) end)
  end
  for title, value in pairs {
    ["CR"] = "a\rb", ["LF"] = "a\nb", ["NUL"] = "a\0b",
    ["CR LF and another header"] = "a\r\nX-Evil: 1", ["a trailing line end"] = "a\r\n",
    ["a folded line"] = "a\r\n b", ["ESC"] = "\27[0m", ["DEL"] = "\127", ["an umlaut"] = "\195\182",
    ["Latin-1"] = "\246", ["a byte order mark"] = "\239\187\191a", ["8193 bytes"] = ("v"):rep(8193),
    ["1 MB"] = ("v"):rep(2 ^ 20),
  } do
    it("K: is refused: " .. title, function() assert.is_false(core.header_value_valid(value)) end)
  end
end)

describe("A header the library sets itself", function()
  for _, name in ipairs {
    "Host", "Content-Length", "Transfer-Encoding", "Connection", "Authorization",
    "Proxy-Authorization", "Content-Type", "Accept-Encoding", "Expect", "TE",
    "Trailer", "Upgrade", "Keep-Alive", "Proxy-Connection", "Cookie", "Idempotency-Key",
    "X-Polytomic-Version", "User-Agent", "Accept",
  } do
    it("K: is reserved in any case: " .. name, function()
      assert.is_true(core.header_reserved(name))
      assert.is_true(core.header_reserved(name:lower()))
      assert.is_true(core.header_reserved(name:upper()))
      assert.is_false(core.header_reserved(name .. "x"))
      assert.is_false(core.header_reserved(name:sub(1, -2)))
      assert.is_false(core.header_reserved(name .. "\0"))
    end)
  end
  it("leaves the others to the caller", function()
    for _, name in ipairs { "X-Trace-Id", "traceparent", "X-Polytomic-Access-Mode",
        "Accept-Language", "" } do
      assert.is_false(core.header_reserved(name))
    end
  end)
end)

describe("An idempotency key", function()
  for _, key in ipairs { "12345678", "order_42-A", ("k"):rep(255),
      "248df4b7-aa70-47b8-a036-33ac447e668d" } do
    it("is valid: " .. key:sub(1, 40), function()
      assert.is_true(core.idempotency_key_valid(key))
    end)
  end
  for title, key in pairs {
    ["empty"] = "", ["7 bytes"] = "1234567", ["256 bytes"] = ("k"):rep(256), ["CR"] = "12345678\r",
    ["LF"] = "12345678\n", ["NUL"] = "1234\0005678", ["CR LF and a header"] = "12345678\r\nX: y",
    ["a space"] = "1234 5678", ["a dot"] = "1234.5678", ["a slash"] = "1234/5678",
    ["a colon"] = "1234:5678", ["a quote"] = '"12345678"', ["an umlaut"] = "1234567\195\182",
    ["0xFF"] = "1234567\255", ["'@'"] = "1234567@", ["'['"] = "1234567[", ["'`'"] = "1234567`",
    ["'{'"] = "1234567{",
  } do
    it("K: is refused: " .. title, function() assert.is_false(core.idempotency_key_valid(key)) end)
  end
end)

describe("A UUID", function()
  it("is made anew, of version 4, every time", function()
    local seen = {}
    for _ = 1, 1000 do
      local uuid = core.uuid()
      assert.is_truthy(
        uuid:find("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$")
      )
      assert.is_true(core.uuid_valid(uuid))
      assert.is_true(core.uuid_valid(uuid:upper()))
      assert.is_true(core.idempotency_key_valid(uuid))
      assert.is_nil(seen[uuid])
      seen[uuid] = true
    end
  end)

  local good = "248df4b7-aa70-47b8-a036-33ac447e668d"
  for title, text in pairs {
    ["empty"] = "", ["a digit short"] = good:sub(1, -2), ["a digit long"] = good .. "0",
    ["braces"] = "{" .. good:sub(2, -2) .. "}", ["no dashes"] = (good:gsub("-", "0")),
    ["a dash moved"] = "248df4b-7aa70-47b8-a036-33ac447e668d", ["a letter past f"] = "g"
      .. good:sub(2), ["a colon, the byte behind '9'"] = ":" .. good:sub(2), ["NUL"] = "\0"
      .. good:sub(2), ["a line end"] = good:sub(1, -2) .. "\n", ["a path"] = "../" .. good:sub(4),
  } do
    it("K: is refused: " .. title, function() assert.is_false(core.uuid_valid(text)) end)
  end

  it("lends its randomness to jitter, spread over [0, 1)", function()
    local low, high, sum = 1, 0, 0
    for _ = 1, 4000 do
      local unit = core.random_unit()
      low, high, sum = math.min(low, unit), math.max(high, unit), sum + unit
    end
    assert.is_true(low >= 0 and low < 0.05)
    assert.is_true(high < 1 and high > 0.95)
    assert.is_true(sum / 4000 > 0.45 and sum / 4000 < 0.55)
  end)
end)

describe("The headers of a reply", function()
  it("are read without the status line and with their values trimmed", function()
    assert.same({ "Content-Type=application/json", "X-Request-Id=7f3c", "Empty=" },
      pairs_of("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
          .. "X-Request-Id:\t 7f3c \t\r\nEmpty:\r\n\r\n"))
  end)

  it("keep a repeated header as often as it came", function()
    assert.same({ "A=1", "a=2", "A=1" }, pairs_of "A: 1\r\na: 2\r\nA: 1\r\n")
  end)

  it("are found by name in any case, the first one", function()
    local lines = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nretry-after: 10\r\n\r\n"
    assert.same({ name = "Retry-After", value = "5" }, core.header_find(lines, "RETRY-AFTER"))
    assert.is_nil(core.header_find(lines, "Retry"))
    assert.is_nil(core.header_find(lines, "Retry-After-Ms"))
    assert.is_nil(core.header_find("", "Retry-After"))
  end)

  for title, case in pairs {
    ["nothing"] = { "", {} },
    ["only line ends"] = { "\r\n\n\r\n", {} },
    ["NUL in a value is kept"] = { "A: x\0y\r\n", { "A=x\0y" } },
    ["NUL in a name is no header"] = { "A\0B: x\r\nC: y\r\n", { "C=y" } },
    ["a header without a name"] = { ": x\r\nC: y\r\n", { "C=y" } },
    ["a line without a colon"] = { "garbage\r\nC: y\r\n", { "C=y" } },
    ["a space before the colon (RFC 9112 section 5.1)"] = { "A : x\r\nC: y\r\n", { "C=y" } },
    ["a colon in the reason"] = { "HTTP/1.1 200 a: b\r\nC: y\r\n", { "C=y" } },
    ["a colon in the value"] = { "Location: http://h:1/\r\n", { "Location=http://h:1/" } },
    ["bare line feeds"] = { "A: 1\nB: 2\n", { "A=1", "B=2" } },
    ["no line end at the end"] = { "A: 1\r\nB: 2", { "A=1", "B=2" } },
    ["a colon at the very end"] = { "A:", { "A=" } },
    ["a folded value"] = { "A: 1\r\n 2\r\n\t3\r\nB: 4\r\n", { "A=1\r\n 2\r\n\t3", "B=4" } },
    ["a fold of white space alone"] = { "A: 1\r\n \r\nB: 4\r\n", { "A=1", "B=4" } },
    ["a fold that looks like a header"] = { "A: 1\r\n B: 2\r\n", { "A=1\r\n B: 2" } },
    ["a fold behind a line that is no header"] = { "garbage\r\n B: 2\r\nC: y\r\n", { "C=y" } },
    ["a fold at the start"] = { " A: 1\r\nC: y\r\n", { "C=y" } },
    ["bytes above 127 in a value"] = { "A: \255\195\r\n", { "A=\255\195" } },
    ["bytes above 127 in a name"] = { "\195\182: 1\r\nC: y\r\n", { "C=y" } },
  } do
    it("C6: are defined: " .. title, function() assert.same(case[2], pairs_of(case[1])) end)
  end

  it("C7: are read ten thousand at a time", function()
    assert.equal(10000, #core.headers(("X-N: v\r\n"):rep(10000)))
    assert.equal(400000, #core.headers("A: " .. ("v"):rep(400000) .. "\r\n")[1].value)
  end)
end)

describe("The clocks", function()
  it("count in seconds, one from the epoch and one that never runs back", function()
    assert.is_true(math.abs(core.clock_wall() - os.time()) < 5)
    local before = core.clock_monotonic()
    for _ = 1, 1000 do
      local now = core.clock_monotonic()
      assert.is_true(now >= before)
      before = now
    end
  end)
end)
