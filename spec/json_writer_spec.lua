-- Writing JSON strings and numbers (csrc/base/json_writer.c).

local cjson = require "cjson"
local core = require "polytomic.testing"
local generator = require "spec.support.generator"
local locale = require "spec.support.locale"

local MINUS_ZERO = tonumber("-0.0")

local valid = {
  ["nothing"] = "",
  ["ASCII"] = "Acme",
  ["NUL"] = "a\0b",
  ["U+0080"] = "\194\128",
  ["U+07FF"] = "\223\191",
  ["U+0800"] = "\224\160\128",
  ["U+D7FF"] = "\237\159\191",
  ["U+E000"] = "\238\128\128",
  ["U+FEFF, the byte order mark"] = "\239\187\191",
  ["U+FFFF"] = "\239\191\191",
  ["U+10000"] = "\240\144\128\128",
  ["U+10FFFF"] = "\244\143\191\191",
  ["a letter behind a long run of ASCII"] = ("a"):rep(1000) .. "\195\182",
}

local invalid = {
  ["a lone continuation byte"] = "\128",
  ["0xFE"] = "\254",
  ["0xFF"] = "\255",
  ["overlong '/' in two bytes"] = "\192\175",
  ["overlong U+007F"] = "\193\191",
  ["overlong '/' in three bytes"] = "\224\128\175",
  ["overlong U+07FF"] = "\224\159\191",
  ["overlong U+FFFF"] = "\240\143\191\191",
  ["the high surrogate U+D800"] = "\237\160\128",
  ["the low surrogate U+DFFF"] = "\237\191\191",
  ["a surrogate pair in six bytes"] = "\237\160\189\237\184\128",
  ["U+110000"] = "\244\144\128\128",
  ["a lead byte past U+10FFFF"] = "\245\128\128\128",
  ["five bytes"] = "\248\136\128\128\128",
  ["a cut sequence of two"] = "\195",
  ["a cut sequence of three"] = "\226\130",
  ["a cut sequence of four"] = "\240\159\152",
  ["a sequence broken by ASCII"] = "\226\130a",
  ["a sequence broken by a lead byte"] = "\195\195\182",
  ["Latin-1"] = "M\252ller",
  ["a bad byte behind a long run of ASCII"] = ("a"):rep(1000) .. "\255",
}

describe("UTF-8", function()
  for title, text in pairs(valid) do
    it("E5: is valid: " .. title, function() assert.is_true(core.utf8_valid(text)) end)
  end
  for title, text in pairs(invalid) do
    it("E5: is invalid: " .. title, function()
      for shift = 0, 8 do
        local pad = ("x"):rep(shift)
        assert.is_false(core.utf8_valid(pad .. text))
        assert.is_false(core.utf8_valid(pad .. text .. pad))
      end
    end)
  end
end)

describe("A written string", function()
  for title, text in pairs(valid) do
    it("E5: reads back as it was: " .. title, function()
      assert.equal(text, cjson.decode("[" .. core.json_string(text) .. "]")[1])
    end)
  end
  for title, text in pairs(invalid) do
    it("E10: is refused: " .. title, function()
      local json, message = core.json_string(text)
      assert.is_nil(json)
      assert.equal("is not valid UTF-8", message)
    end)
  end

  it("escapes quotes, backslashes and controls, and nothing else", function()
    assert.equal([["a\"b\\c/d"]], core.json_string([[a"b\c/d]]))
    assert.equal([["\b\f\n\r\t\u0000\u0001\u001f]] .. '\127"',
      core.json_string("\b\f\n\r\t\0\1\31\127"))
    assert.equal('"\195\182\226\130\172\240\159\152\128"',
      core.json_string("\195\182\226\130\172\240\159\152\128"))
  end)

  it("reads back for every byte of ASCII", function()
    for byte = 0, 127 do
      local text = "x" .. string.char(byte) .. "y"
      local json = core.json_string(text)
      assert.equal("whole", core.json_validate(json, 0))
      assert.equal(text, cjson.decode("[" .. json .. "]")[1])
    end
  end)

  it("reads back with a megabyte of quotes", function()
    local text = ('"'):rep(2 ^ 20)
    assert.equal('"' .. ('\\"'):rep(2 ^ 20) .. '"', core.json_string(text))
  end)

  it("survives a failing allocation", function()
    for n = 1, 3 do
      core.memory_fail_at(n, true)
      local json, message = core.json_string(("a\n"):rep(200))
      core.memory_fail_at(0)
      assert.is_true(json ~= nil or message == "cannot be kept: not enough memory")
      if n == 1 then assert.equal("cannot be kept: not enough memory", message) end
    end
  end)
end)

describe("A written number", function()
  for _, case in ipairs {
    { 0, "0" }, { MINUS_ZERO, "-0" }, { 1, "1" }, { -1, "-1" }, { 42.0, "42" }, { 1.5, "1.5" },
    { -0.25, "-0.25" }, { 0.1, "0.1" }, { 1 / 3, "0.3333333333333333" }, { 0.1 + 0.2,
      "0.30000000000000004" }, { 1e15, "1000000000000000" }, { 1e16, "10000000000000000" },
    { 2 ^ 53, "9007199254740992" }, { 2 ^ 53 - 1, "9007199254740991" },
    { -2 ^ 53, "-9007199254740992" }, { 2 ^ 53 + 2, "9007199254740994" },
    { 2 ^ 62, "4611686018427387904" }, { 2 ^ 63 - 1024, "9223372036854774784" },
    { 2 ^ 63, "9.223372036854776e+18" }, { -2 ^ 63, "-9.223372036854776e+18" }, { 1e19, "1e+19" },
    { 1e22, "1e+22" }, { 1e300, "1e+300" }, { 123456.789, "123456.789" },
    { 1.7976931348623157e308, "1.7976931348623157e+308" },
    { 2.2250738585072014e-308, "2.2250738585072014e-308" }, { 2 ^ -1074, "5e-324" },
    { 1e-5, "1e-05" }, { 1e-310, "1e-310" }, { 2 ^ 51 + 0.5, "2251799813685248.5" },
  } do
    it("E7: is " .. case[2], function()
      local json = core.json_number(case[1])
      assert.equal(case[2], json)
      assert.equal(case[1], tonumber(json))
      assert.equal("whole", core.json_validate(json, 0))
    end)
  end

  for _, text in ipairs { "0", "-1", "9007199254740993", "9223372036854775807",
      "-9223372036854775808" } do
    it("E7: keeps the integer " .. text, function() assert.equal(text, core.json_integer(text)) end)
  end

  for title, value in pairs { ["infinity"] = math.huge, ["minus infinity"] = -math.huge,
      ["not a number"] = 0 / 0, ["1e400"] = tonumber("1e400") } do
    it("E10: is refused: " .. title, function()
      local json, message = core.json_number(value)
      assert.is_nil(json)
      assert.equal("is not finite", message)
    end)
  end

  it("E7: reads back for doubles of every size", function()
    local random = generator(42)
    for exponent = -1074, 1023, 3 do
      local value = (1 + random() + random() / 2147483647) * 2 ^ exponent
      local json = core.json_number(value)
      assert.equal(value, tonumber(json))
      assert.equal("-" .. json, core.json_number(-value))
      assert.equal("whole", core.json_validate(json, 0))
    end
  end)
end)

describe("The locale", function()
  it("does not change how numbers are written or waits are read", function()
    local script = [[
      local core = require "polytomic.testing"
      io.write(core.json_number(1.5), " ", core.json_number(-1.25e-300), " ",
        core.json_number(2 ^ -1074), " ", core.retry_after("1.5", 0) * 2)
    ]]
    assert.equal("1.5 -1.25e-300 5e-324 3", (locale.run(script):gsub("3[.,]0$", "3")))
  end)
end)
