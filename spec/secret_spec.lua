-- Keys: what is one, how it is shown, how it is sent (csrc/base/secret.c).

local core = require "polytomic.testing"
local lacks = require("spec.support.text").lacks

describe("A key", function()
  for title, case in pairs {
    ["a long one by its last four characters"] = { "pk_live_0123456789ab90ab", "****90ab" },
    ["twelve characters by four"] = { "abcdefgh90ab", "****90ab" },
    ["eleven characters not at all"] = { "bcdefgh90ab", "****" },
    ["one character not at all"] = { "x", "****" },
  } do
    it("is shown: " .. title, function() assert.equal(case[2], (core.secret_mask(case[1]))) end)
  end

  for title, text in pairs {
    ["a trailing newline"] = "abcdefgh90ab\n",
    ["CR LF"] = "abcdefgh90ab\r\n", ["spaces"] = "  abcdefgh90ab  ",
    ["tabs, vertical tabs and form feeds"] = "\t\v\fabcdefgh90ab\f\v\t",
  } do
    it("K: is trimmed of " .. title, function()
      assert.equal("Authorization: Bearer abcdefgh90ab", core.authorization(text))
    end)
  end

  it("K: may hold any printable character, quotes too", function()
    local text = ""
    for byte = 33, 126 do text = text .. string.char(byte) end
    assert.equal("Authorization: Bearer " .. text, core.authorization(text))
  end)

  it("may have 4096 bytes", function()
    assert.equal("Authorization: Bearer " .. ("k"):rep(4096), core.authorization(("k"):rep(4096)))
    assert.equal("Authorization: Bearer " .. ("k"):rep(4096),
      core.authorization((" "):rep(5000) .. ("k"):rep(4096)))
  end)

  for title, text in pairs { ["empty"] = "", ["white space"] = " \r\n\t" } do
    it("is absent when it is " .. title, function()
      local shown, present = core.secret_mask(text)
      assert.equal("****", shown)
      assert.is_false(present)
    end)
  end

  local characters = "must hold printable ASCII characters only, without spaces"
  for title, case in pairs {
    ["a newline inside"] = { "hunter2hunter2\nX: y", characters },
    ["CR inside"] = { "hunter2hunter2\rX", characters },
    ["NUL inside"] = { "hunter2hunter2\0X", characters },
    ["NUL at the end"] = { "hunter2hunter2\0", characters },
    ["a byte order mark"] = { "\239\187\191hunter2hunter2", characters },
    ["typographic quotes"] = { "\226\128\156hunter2hunter2\226\128\157", characters },
    ["a space inside"] = { "hunter2 hunter2", characters },
    ["a tab inside"] = { "hunter2\thunter2", characters },
    ["ESC"] = { "hunter2\27[31m", characters },
    ["DEL"] = { "hunter2\127", characters },
    ["an umlaut"] = { "hunter2\195\182", characters },
    ["a no-break space at the end"] = { "hunter2hunter2\194\160", characters },
    ["0xFF"] = { "hunter2\255", characters },
    ["4097 bytes"] = { ("hunter2"):rep(585) .. "xx", "must not be longer than 4096 bytes" },
    ["1 MB"] = { ("hunter2"):rep(150000), "must not be longer than 4096 bytes" },
  } do
    it("K: is refused without being repeated: " .. title, function()
      for _, call in ipairs { core.secret_mask, core.authorization } do
        local text, message = call(case[1])
        assert.is_nil(text)
        assert.equal(case[2], message)
        lacks(message, "hunter2")
      end
    end)
  end
end)

describe("The Authorization header", function()
  it("is Bearer without a user", function()
    assert.equal("Authorization: Bearer secret-key", core.authorization("secret-key"))
  end)

  -- RFC 7617 section 2 and RFC 4648 section 10.
  for _, case in ipairs {
    { "Aladdin", "opensesame", "QWxhZGRpbjpvcGVuc2VzYW1l" },
    { "", "x", "Ong=" },
    { "f", "o", "Zjpv" },
    { "fo", "b", "Zm86Yg==" },
    { "", "~~~???", "On5+fj8/Pw==" },
    { "248df4b7-aa70-47b8-a036-33ac447e668d", "key",
      "MjQ4ZGY0YjctYWE3MC00N2I4LWEwMzYtMzNhYzQ0N2U2NjhkOmtleQ==" },
  } do
    it("is Basic with a user: " .. case[1] .. ":" .. case[2], function()
      assert.equal("Authorization: Basic " .. case[3], core.authorization(case[2], case[1]))
    end)
  end

  it("K: cannot be left by a user with a line end", function()
    assert.equal("Authorization: Basic YQ0KWDogeTprZXk=", core.authorization("key", "a\r\nX: y"))
  end)

  it("survives every failing allocation", function()
    local failures = 0
    for n = 1, 3 do
      for _, user in ipairs { false, "user" } do
        core.memory_fail_at(n)
        local line, message = core.authorization("abcdefgh90ab", user or nil)
        core.memory_fail_at(0)
        if line == nil then
          assert.equal("cannot be kept: not enough memory", message)
          failures = failures + 1
        end
      end
    end
    assert.equal(4, failures)
  end)

  it("is written in one piece of memory, so that none keeps a part of the key", function()
    core.memory_fail_at(0)
    core.authorization(("k"):rep(4096), "user")
    assert.equal(2, core.memory_fail_at(0)) -- the key's copy and the line
  end)
end)

describe("A name", function()
  it("is a secret's when one of its words says so, in any case", function()
    for _, name in ipairs {
      "key", "api_key", "apiKey", "APIKey", "apikey", "X-API-Key", "access_token", "accessToken",
      "token", "X-Auth-Token", "client_secret", "clientSecret", "CLIENT_SECRET", "password",
      "dbPassword", "private.key", "signature", "session_id", "Cookie", "sslKey2", "keys", "auth",
      "aws-secret-access-key", "Authorization", "credentials", "Passphrase", "x[token]",
    } do
      assert.is_true(core.secret_named(name), name)
    end
  end)

  it("is not one because it has the letters of such a word, or sorts, pages and identifies",
    function()
    for _, name in ipairs {
      "", "_", "author", "authored", "keyboard", "monkey", "turkey", "tokenize", "passwordless",
      "secretary", "obsession", "sort_key", "sortKey", "page_token", "pageToken", "nextPageToken",
      "primary_key", "foreignKey", "Idempotency-Key", "name", "email", "KEYBOARD", "sessions_left",
    } do
      assert.is_false(core.secret_named(name), name)
    end
  end)
end)

describe("Wiping", function()
  it("leaves nothing but zeros", function()
    assert.equal(("\0"):rep(1000), core.wipe(("k"):rep(1000)))
    assert.equal("", core.wipe(""))
  end)
end)
