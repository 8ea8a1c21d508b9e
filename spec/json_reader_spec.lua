-- Reading JSON text value by value (csrc/base/json_reader.c).
-- Luas: 5.4 5.1
-- Takes: 8 s

local cjson = require "cjson"
local core = require "polytomic.testing"
local generator = require "spec.support.generator"
local locale = require "spec.support.locale"

local DEPTH = 100

-- The value of a text as a reader of tokens builds it: null is cjson.null, and of members of one
-- name the last stays. Without one, nil and why.
local function built(text, depth)
  local tokens, stop, offset = core.json_read(text, depth or 1000)
  if stop ~= "whole" then return nil, stop, offset end
  local constants = { null = cjson.null, ["true"] = true, ["false"] = false }
  local position = 0
  local function build()
    position = position + 1
    local token = tokens[position]
    local kind, value = token[1], token[2]
    if kind == "list" or kind == "object" then
      value = {}
      while tokens[position + 1][1] ~= "closed" do
        local name = tokens[position + 1][3]
        assert((name ~= nil) == (kind == "object"))
        local member = build()
        value[name or #value + 1] = member
      end
      position = position + 1
    elseif constants[kind] ~= nil then
      value = constants[kind]
    elseif kind == "integer" then
      value = tonumber(value)
    end
    return value
  end
  return build()
end

-- The one number that a text is, in whatever way it was read.
local function number(text)
  local tokens, stop = core.json_read(text, 0)
  assert.same({ "whole", 1 }, { stop, #tokens }, text)
  return tokens[1][2], tokens[1][1]
end

describe("Validating JSON text", function()
  local documents = {
    "0", "-0", "12", "-1.5", "1e5", "1E+5", "0.5e-5", "true", "false", "null", '""',
    '"a"', "{}", "[]", "[[]]", "[{}]", '{"a":{}}', "[1,2,3]", '{"a":1,"b":[true,null]}',
    '[{"a":1},[2]]', '[[2],{"a":1}]', ' \t\r\n{ "a" : [ 1 , 2 ] , "b" : { } } \n',
    [["\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"]], '{"data":{"id":"x","name":"Acme"}}', '{"a":1,"a":2}',
  }
  for _, text in ipairs(documents) do
    it("finds it whole: " .. text, function()
      assert.equal("whole", core.json_validate(text, DEPTH))
    end)
  end

  it("finds every beginning of a document cut", function()
    for _, text in ipairs {
        '{"data":[{"id":"\\u00e9\\n","n":-1.5e+3,"t":true,"f":false,"z":null},[],{}]}', '[0.5,"x"]',
        '[{"a":1},[2],{"b":[3]}]', '"abc"', "true", "false", "null" } do
      for length = 0, #text - 1 do
        assert.equal("cut", core.json_validate(text:sub(1, length), DEPTH), text:sub(1, length))
      end
      assert.equal("whole", core.json_validate(text, DEPTH))
    end
  end)

  for title, text in pairs {
    ["white space alone"] = " \r\n\t ", ["a minus sign"] = "-", ["a point without digits"] = "1.",
    ["an exponent without digits"] = "1e", ["an exponent's sign"] = "1e+",
    ["a comma at the end"] = "[1,", ["half an escape"] = '"\\', ["half a code"] = '"\\u12',
  } do
    it("finds it cut: " .. title, function()
      assert.equal("cut", core.json_validate(text, DEPTH))
    end)
  end

  for title, text in pairs {
    ["HTML"] = "<html>", ["a word"] = "nul1",
    ["a capital"] = "True", ["two byte order marks"] = "\239\187\191\239\187\191{}",
    ["a byte order mark behind"] = "{}\239\187\191", ["half a byte order mark"] = "\239\187{}",
    ["a leading zero"] = "01",
    ["a leading plus"] = "+1", ["a leading point"] = ".5", ["infinity"] = "Infinity",
    ["not a number"] = "NaN", ["hexadecimal"] = "0x10", ["single quotes"] = "'a'",
    ["a comment"] = "/**/1", ["two values"] = "1 2", ["two objects"] = "{}{}",
    ["a comma behind"] = "{},", ["only a comma"] = "[,]", ["a last comma"] = "[1,]",
    ["a last comma in an object"] = '{"a":1,}', ["no comma"] = "[1 2]", ["no colon"] = '{"a" 1}',
    ["no value"] = '{"a":}', ["no name"] = "{1:2}", ["a wrong closing bracket"] = "[1}",
    ["a wrong closing brace"] = '{"a":1]', ["a closing bracket alone"] = "]",
    ["a raw line end in a string"] = '"a\nb"', ["a raw NUL in a string"] = '"a\0b"',
    ["NUL behind"] = "{}\0", ["an unknown escape"] = '"\\x41"',
    ["E5: an escaped NUL byte"] = '"\\\0"', ["a bad code"] = '"\\u12g4"',
    ["a vertical tab"] = "\v1", ["a no-break space"] = "\194\160" .. "1",
  } do
    it("finds it invalid: " .. title, function()
      assert.equal("invalid", core.json_validate(text, DEPTH))
    end)
  end

  it("E5: leaves encodings to the reader", function()
    assert.equal("whole", core.json_validate('"\255"', DEPTH))
    assert.equal("whole", core.json_validate([["\ud800"]], DEPTH))
  end)

  it("E6: counts arrays and objects that are open at once", function()
    assert.equal("too_deep", core.json_validate("[]", 0))
    assert.equal("whole", core.json_validate("[[],[],{}]", 2))
    assert.equal("too_deep", core.json_validate("[[],[{}]]", 2))
    assert.equal("whole", core.json_validate(("["):rep(100) .. ("]"):rep(100), 100))
    assert.equal("too_deep", core.json_validate(("["):rep(101) .. ("]"):rep(101), 100))
    assert.equal("whole", core.json_validate(('{"a":'):rep(100) .. "1" .. ("}"):rep(100), 100))
    assert.equal("invalid",
      core.json_validate(("["):rep(50) .. ('{"a":'):rep(20) .. "1" .. ("}"):rep(19) .. "]", 100))
  end)

  it("E6: stops at a depth of its own whatever the limit", function()
    assert.equal("whole", core.json_validate(("["):rep(4096) .. ("]"):rep(4096), 1e9))
    assert.equal("too_deep", core.json_validate(("["):rep(100000) .. ("]"):rep(100000), 1e9))
    assert.equal("too_deep", core.json_validate(('{"a":'):rep(100000), 1e9))
  end)

  it("E6: takes a million members", function()
    assert.equal("whole", core.json_validate("[" .. ("1,"):rep(999999) .. "1]", 1))
  end)
end)

describe("A reader of JSON", function()
  it("gives every value with the name that it has", function()
    local tokens, stop, offset = core.json_read('{"a":[1,"x",null],"b":{"c":true},"":-0.5} ', DEPTH)
    assert.same({ "whole", 42 }, { stop, offset })
    assert.same({
      { "object" },
      { "list", nil, "a" }, { "integer", "1" }, { "string", "x" }, { "null" }, { "closed" },
      { "object", nil, "b" }, { "true", nil, "c" }, { "closed" },
      { "number", -0.5, "" },
      { "closed" },
    }, tokens)
  end)

  it("says where it stops", function()
    for text, expected in pairs {
      ['{"a":1,}'] = { "invalid", 7 }, ["[1 2]"] = { "invalid", 3 }, ["[1,2"] = { "cut", 4 },
      ["nulx"] = { "invalid", 3 },
      ['["a\nb"]'] = { "invalid", 3 }, ['["\\x"]'] = { "invalid", 3 },
      ['["\\u12g4"]'] = { "invalid", 6 }, ["[01]"] = { "invalid", 2 },
      ["[1.]"] = { "invalid", 3 }, ["[-]"] = { "invalid", 2 }, ["[1e+]"] = { "invalid", 4 },
      ["[1]x"] = { "invalid", 3 }, [""] = { "cut", 0 },
      [(" "):rep(100) .. "x"] = { "invalid", 100 }, ['"' .. ("a"):rep(100) .. "\1"] = { "invalid",
      101 }, ["[[[]]]"] = { "too_deep", 2 },
      ['{"a" 1}'] = { "invalid", 5 }, ['{"a":1 "b"}'] = { "invalid", 7 }, ['{1}'] = { "invalid",
      1 }, ["[1}"] = { "invalid", 2 },
    } do
      local _, stop, offset = core.json_read(text, 2)
      assert.same(expected, { stop, offset }, text)
    end
  end)

  it("finds the end of a string wherever it is", function()
    for length = 0, 70 do
      for _, special in ipairs { '\\"', "\\\\", "\\u0041", "\195\188", "\127", "\255" } do
        for place = 0, length, 7 do
          local text = ("x"):rep(place) .. special .. ("y"):rep(length - place)
          local meant = text:gsub("\\u0041", "A"):gsub('\\(["\\])', "%1")
          assert.same({ meant, meant }, built('["' .. text .. '","' .. text .. '"]'))
        end
      end
      for _, control in ipairs { "\0", "\1", "\31" } do
        local text = '"' .. ("x"):rep(length) .. control .. '"'
        local _, stop, offset = core.json_read(text, 0)
        assert.same({ "invalid", length + 1 }, { stop, offset })
      end
      local _, stop, offset = core.json_read('"' .. ("x"):rep(length), 0)
      assert.same({ "cut", length + 1 }, { stop, offset })
    end
  end)

  it("passes over white space of any length and kind", function()
    for length = 0, 40 do
      for _, white in ipairs { " ", "\n", "\t", "\r" } do
        local gap = white .. (" "):rep(length) .. white
        assert.same({ { 1 }, { a = 2 } }, built(gap .. "[" .. gap .. "[1" .. gap .. "]" .. gap
          .. "," .. gap .. "{" .. gap .. '"a"' .. gap .. ":" .. gap .. "2" .. gap .. "}" .. gap
          .. "]" .. gap))
      end
    end
  end)

  it("E5: skips one byte order mark at the beginning; a cut one is a cut text", function()
    assert.same({ 1 }, built "\239\187\191[1]")
    for length = 0, 3 do
      assert.equal("cut", core.json_validate(("\239\187\191"):sub(1, length), DEPTH))
    end
  end)

  it("E5: takes escapes for what they mean, and half a surrogate pair for U+FFFD", function()
    local unknown = "\239\191\189"
    for text, meant in pairs {
      [ [[\"\\\/\b\f\n\r\t]] ] = '"\\/\b\f\n\r\t', [ [[\u0000]] ] = "\0",
      [ [[\u007f\u0080\u07FF\u0800\uffff]] ] = "\127\194\128\223\191\224\160\128\239\191\191",
      [ [[\ud83d\ude00]] ] = "\240\159\152\128",
      [ [[\uD800\uDC00\uDBFF\uDFFF]] ] = "\240\144\128\128\244\143\191\191",
      [ [[\ud800]] ] = unknown, [ [[\udc00]] ] = unknown, [ [[\udc00\ud800]] ] = unknown .. unknown,
      [ [[\ud800x]] ] = unknown .. "x",
      [ [[\ud800\n]] ] = unknown .. "\n", [ [[\ud800\ud800\udc00]] ] = unknown
      .. "\240\144\128\128", [ [[\ud800\u0041]] ] = unknown .. "A",
      [ [[\ud83d\\ude00]] ] = unknown .. "\\ude00",
      [ [[a\u00e9b\u20acc]] ] = "a\195\169b\226\130\172c",
    } do
      assert.same({ meant }, built('["' .. text .. '"]'), text)
      assert.equal(meant, next(built('{"' .. text .. '":1}')))
    end
  end)

  it("E5: leaves bytes that are no UTF-8 as they are", function()
    assert.same({ "\255\254\128\n" }, built '["\255\254\128\\n"]')
  end)
end)

describe("A number in JSON text", function()
  it("E7: is an integer where it has neither point nor exponent and 64 bits hold it", function()
    for text, expected in pairs {
      ["0"] = "0", ["-1"] = "-1", ["9007199254740993"] = "9007199254740993",
      ["9223372036854775807"] = "9223372036854775807",
      ["-9223372036854775808"] = "-9223372036854775808",
      ["-9223372036854775807"] = "-9223372036854775807",
      ["1000000000000000000"] = "1000000000000000000",
    } do
      assert.same({ expected, "integer" }, { number(text) })
    end
    for text, expected in pairs {
      ["9223372036854775808"] = 2 ^ 63, ["-9223372036854775809"] = -2 ^ 63,
      ["18446744073709551615"] = 2 ^ 64, ["18446744073709551616"] = 2 ^ 64,
      ["9999999999999999999"] = 1e19, ["99999999999999999999"] = 1e20,
      ["-99999999999999999999"] = -1e20, ["0.0"] = 0, ["1.0"] = 1, ["1e0"] = 1, ["10E-1"] = 1,
      ["9223372036854776833"] = 9223372036854777856, -- one past the middle of two doubles
    } do
      assert.same({ expected, "number" }, { number(text) }, text)
    end
  end)

  it("E7: keeps the sign of zero", function()
    for _, text in ipairs { "-0", "-0.0", "-0e5", "-0.000e-400", "-1e-400" } do
      local value, kind = number(text)
      assert.same({ -math.huge, "number" }, { 1 / value, kind }, text)
    end
    assert.equal(math.huge, 1 / number "0.0")
  end)

  local exact = {
    ["1.7976931348623157e308"] = 1.7976931348623157e308, ["1.7976931348623159e308"] = math.huge,
    ["1e400"] = math.huge,
    ["2.2250738585072014e-308"] = 2.2250738585072014e-308,
    ["2.2250738585072011e-308"] = 2 ^ -1022 - 2 ^ -1074, ["5e-324"] = 2 ^ -1074,
    ["4.9406564584124654e-324"] = 2 ^ -1074, ["2.4703282292062327e-324"] = 0,
    ["2.4703282292062328e-324"] = 2 ^ -1074, ["1e-400"] = 0,
    ["9007199254740993.0"] = 2 ^ 53,
    ["9007199254740993.00000000000000000000000000000000001"] = 2 ^ 53 + 2,
    ["9007199254740995.0"] = 2 ^ 53 + 4,
    ["9007199254740992e0"] = 2 ^ 53, ["9007199254740992e22"] = 9007199254740992e22,
    ["9007199254740993e1"] = 9007199254740993e1, ["1e22"] = 1e22, ["1e23"] = 1e23,
    ["123456789012345678901234567890"] = 123456789012345678901234567890, ["0.1"] = 0.1,
    ["0.30000000000000004"] = 0.1 + 0.2,
    ["1e99999999999999999999"] = math.huge, ["1e-99999999999999999999"] = 0,
    ["0e99999999999999999999"] = 0, ["0.000000000000000000000000001"] = 1e-27,
    ["10000000000000000000000e-22"] = 1, ["7.2057594037927933e16"] = 2 ^ 56,
    ["1.00000000000000011102230246251565404236316680908203125"] = 1,
    ["1.00000000000000011102230246251565404236316680908203126"] = 1 + 2 ^ -52,
    ["100000000000000000000000000000000000000000e-40"] = 10,
  }
  for text, expected in pairs(exact) do
    it("E7: is the nearest double: " .. text, function()
      assert.equal(expected, (number(text)))
      assert.equal(-expected, (number("-" .. text)))
      assert.same({ expected }, built("[" .. text .. "]"))
    end)
  end

  it("E7: is the nearest double whatever the number of places and the exponent", function()
    for _, zeros in ipairs { 1, 22, 30, 400, 100001 } do
      assert.equal(12, (number("0." .. ("0"):rep(zeros) .. "12e" .. zeros + 2)), zeros)
      assert.equal(12, (number("12" .. ("0"):rep(zeros) .. "e-" .. zeros)), zeros)
      assert.equal(12, (number("12." .. ("0"):rep(zeros))), zeros)
    end
    assert.equal(1 / 3, (number("0." .. ("3"):rep(100000))))
  end)

  it("E7: is what Lua reads, for digits, points and exponents of every size", function()
    local random = generator(7)
    for _ = 1, 10000 do
      local digits = {}
      for i = 1, 1 + random(22) do digits[i] = random(10) end
      local text = table.concat(digits):gsub("^0+(%d)", "%1")
      if random(3) > 0 then text = text .. "." .. random(1000000) end
      if random(3) > 0 then text = text .. "e" .. random(700) - 350 end
      local value, kind = number(text)
      assert.equal(tonumber(text), tonumber(value), text .. " " .. kind)
    end
  end)

  it("E7: reads back as it was written", function()
    local random = generator(11)
    for _ = 1, 5000 do
      local value = (random(2 ^ 30) * 2 ^ 22 + random(2 ^ 22)) * 2 ^ (random(2000) - 1050)
      if value < math.huge then assert.equal(value, tonumber((number(core.json_number(value))))) end
    end
    for _, text in ipairs { "0", "-1", "9007199254740993", "9223372036854775807",
      "-9223372036854775808" } do
      assert.same({ text, "integer" }, { number(core.json_integer(text)) })
    end
  end)

  it("P: is the same in a locale with a decimal comma, and in any that the machine has", function()
    local out = locale.run [[
      local core = require "polytomic.testing"
      local current = os.setlocale()
      for name in io.popen("locale -a"):lines() do
        if os.setlocale(name) then
          local tokens = core.json_read("[-1234.5678e-9]", 1)
          assert(core.json_number(tokens[2][2]) == "-1.2345678e-06", name)
        end
      end
      assert(os.setlocale(current))
      for _, text in ipairs { "10.25", "1.5e300", "123456789012345678901234567890.5", "0.1" } do
        local tokens, stop = core.json_read("[" .. text .. ",20]", 1)
        assert(stop == "whole" and #tokens == 4)
        io.write(core.json_number(tokens[2][2]), " ", tokens[3][2], "\n")
      end
    ]]
    assert.equal("10.25 20\n1.5e+300 20\n1.2345678901234568e+29 20\n0.1 20\n", out)
  end)
end)

describe("Every beginning of a JSON text", function()
  local random = generator(5)
  local scalars = { "0", "-1", "12.5", "-0.5e-7", "1E+2", "true", "false", "null", '""', '"abc"',
    '"\\u00e9\\ud83d\\ude00\\n"', '"\195\188"' }
  local function value(depth)
    local kind = random(depth > 0 and 4 or 2)
    if kind < 2 then return scalars[random(#scalars) + 1] end
    local parts = {}
    for i = 1, random(4) do
      parts[i] = (kind == 2 and "" or '"n' .. random(3) .. '" :') .. value(depth - 1)
    end
    local text = table.concat(parts, random(2) == 0 and "," or " ,\n")
    return kind == 2 and "[" .. text .. "]" or "{" .. text .. "}"
  end

  it("is cut, and the text whole", function()
    for _ = 1, 500 do
      local text = "[" .. value(4) .. "]"
      assert.equal("whole", core.json_validate(text, DEPTH))
      for length = 0, #text - 1 do
        assert.equal("cut", core.json_validate(text:sub(1, length), DEPTH), text:sub(1, length))
      end
    end
  end)

  it("is not made whole or cut again by what follows once it is wrong", function()
    local letters = { "{", "}", "[", "]", ",", ":", '"', "1", "-", ".", "e", "t", " ", "\\", "u",
      "\0" }
    for _ = 1, 2000 do
      local text = "[" .. value(3) .. "]"
      local place = random(#text - 1) + 2
      text = text:sub(1, place - 1) .. letters[random(#letters) + 1] .. text:sub(place + random(2))
      local _, stop, offset = core.json_read(text, DEPTH)
      for length = 0, #text do
        local found = core.json_validate(text:sub(1, length), DEPTH)
        assert.equal(stop == "invalid" and length > offset, found == "invalid", text:sub(1, length))
      end
    end
  end)

  it("has the value that lua-cjson reads", function()
    for _ = 1, 500 do
      local text = "[" .. value(4) .. "]"
      assert.same(cjson.decode(text), built(text), text)
    end
  end)
end)

describe("A reader of JSON and lua-cjson", function()
  -- What lua-cjson takes and RFC 8259 does not know.
  local lenient = { "[1.]", "[-.5]", "[.5]", "[+1]", "[01]", "[1.e5]", '["a\nb"]', '["a\tb"]',
    "[NaN]", "[Infinity]", "[0x10]", "[-nan]" }
  it("differ in what is no JSON", function()
    for _, text in ipairs(lenient) do
      assert.same({ nil, "invalid" }, { (built(text)), (select(2, built(text))) }, text)
    end
  end)

  it("refuse the same where a byte of a text is another", function()
    local random = generator(3)
    local texts = { '{"data":[{"id":"x\\n","n":-1.5e+3,"t":true,"f":false,"z":null},[],{}]}',
      '[0.5,"x",[[1],{"a":{"b":2}}],12]', ' {"a" : [ 1 , 2 ] } ' }
    local compared = 0
    for _ = 1, 30000 do
      local text = texts[random(#texts) + 1]
      local place = random(#text) + 1
      text = text:sub(1, place - 1) .. string.char(random(256)) .. text:sub(place + 1)
      local ok, expected = pcall(cjson.decode, text)
      local value, stop = built(text)
      -- lua-cjson takes what a C library reads as a number, raw controls, and NUL for the end
      local doubtful = text:find "[%z\1-\31]" or text:find "[%+%-%.eExXnNiI][%d%.]"
        or text:find "%f[%d]0%d" or text:find "%d[%.eE]" or text:find "[nNiI]" or text:find "[%+%.]"
      if ok and stop == nil then
        assert.same(expected, value, text)
        compared = compared + 1
      elseif not doubtful then
        assert.equal(ok, stop == nil, ("%q"):format(text) .. tostring(expected))
      end
    end
    assert.is_true(compared > 1000)
  end)
end)
