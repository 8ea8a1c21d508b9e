-- Lua values from JSON text (csrc/lua/json.c).
-- Takes: 8 s

local cjson = require "cjson"
local core = require "polytomic.testing"
local generator = require "spec.support.generator"
local locale = require "spec.support.locale"
local process = require "spec.support.process"

local null = cjson.null
local number_type = rawget(math, "type")
local unpack = rawget(table, "unpack") or rawget(_G, "unpack")

local function decode(text)
  local value, message = core.json_decode(text)
  assert(value ~= nil, message)
  return value
end

-- What lua-cjson reads, without null members.
local function expected(text)
  local function clean(value)
    if type(value) ~= "table" then return value end
    for key, member in pairs(value) do
      if member == null and type(key) == "string" then
        value[key] = nil
      else
        clean(member)
      end
    end
    return value
  end
  return clean(cjson.decode(text))
end

-- Whether two values are the same, without a message: luassert takes its time for large ones.
local function same(one, other)
  if type(one) ~= "table" or type(other) ~= "table" then return one == other end
  for key, value in pairs(one) do
    if not same(value, other[key]) then return false end
  end
  for key in pairs(other) do
    if one[key] == nil then return false end
  end
  return true
end

describe("JSON text becomes", function()
  it("any value", function()
    assert.same({ 1, "x", true, false, null, { a = { 1.5 } } },
      decode '[1,"x",true,false,null,{"a":[1.5]}]')
    assert.same({ 7, "x", true, false, null },
      { decode "7", decode '"x"', decode "true", (core.json_decode "false"), decode "null" })
  end)

  it("nothing where it is not JSON", function()
    for _, text in ipairs { "", " ", "[", "[1", "{", '{"a"', "[1,]", "nul", "[1.]", '["\n"]',
      "{}x" } do
      local value, message = core.json_decode(text)
      assert.same({ nil, "invalid" }, { value, message }, text)
    end
  end)

  it("objects without their null members, lists with null elements", function()
    assert.same({ c = { null, { e = 1 } } },
      decode '{"a":null,"c":[null,{"d":null,"e":1}],"b":null}')
  end)

  it("objects whose last member of a name stays, whatever came between", function()
    for _, padding in ipairs { 0, 3000 } do
      local function read(text)
        return decode('["' .. ("x"):rep(padding) .. '",' .. text .. "]")[2]
      end
      for text, value in pairs {
        ['{"a":1,"a":2}'] = { a = 2 }, ['{"a":1,"a":null}'] = {}, ['{"a":null,"a":1}'] = { a = 1 },
        ['{"a":1,"b":{"a":5,"b":6,"b":7},"a":2,"b":3}'] = { a = 2, b = 3 },
        ['{"a":1,"\\u0061":2}'] = { a = 2 }, ['{"\\u0061":1,"a":2}'] = { a = 2 },
        ['{"\\u0061":1,"a":null}'] = {}, ['{"":1,"":2}'] = { [""] = 2 },
        ['{"a":[1],"a":{"b":2}}'] = { a = { b = 2 } }, ['{"a":1,"a":2,"a":null,"a":3}'] = { a = 3 },
        ['[{"a":1,"b":2},{"b":1,"a":2},{"a":1,"b":2,"a":3},{"a":5}]'] = { { a = 1, b = 2 },
          { b = 1, a = 2 }, { a = 3, b = 2 }, { a = 5 } },
      } do
        assert.same(value, read(text), text)
      end
    end
  end)

  it("what lua-cjson reads, names and strings coming again in any order", function()
    local random = generator(17)
    local function value(depth)
      local kind = random(depth > 0 and 6 or 4)
      if kind == 0 then return ({ "null", "true", "1.5", "-3" })[random(4) + 1] end
      if kind <= 3 then return '"' .. ("s"):rep(random(3)) .. random(kind == 1 and 2 or 500)
        .. '"' end
      local parts = {}
      for i = 1, random(7) do
        local name = '"' .. ("n"):rep(random(3)) .. random(random(10) == 0 and 500 or 5) .. '":'
        parts[i] = (kind == 4 and "" or name) .. value(depth - 1)
      end
      local text = table.concat(parts, ",")
      return kind == 4 and "[" .. text .. "]" or "{" .. text .. "}"
    end
    for round = 1, 300 do
      local parts = {}
      for i = 1, random(round) + 1 do parts[i] = value(5) end
      local text = "[" .. table.concat(parts, ",") .. "]"
      assert.is_true(same(expected(text), decode(text)), text)
    end
  end)

  it("strings with escapes, long and short", function()
    for _, length in ipairs { 0, 1, 100, 5000, 200000 } do
      local plain = ("x"):rep(length)
      assert.same({ plain .. "\n" .. plain, plain .. '"', [3] = "\195\188" .. plain },
        decode('["' .. plain .. "\\n" .. plain .. '","' .. plain .. '\\"","\\u00fc' .. plain
          .. '"]'))
    end
  end)

  it("E7: integers where Lua has them, exact up to 64 bits, else the nearest floats", function()
    local list =
      decode "[1,9007199254740993,9223372036854775807,-9223372036854775808,1e3,2.0,-0,1.5]"
    if number_type then
      assert.same({ "1", "9007199254740993", "9223372036854775807", "-9223372036854775808", "1000",
        "2", "-0.0", "1.5" }, { unpack((function()
        local texts = {}
        for i, number in ipairs(list) do texts[i] = tostring(number) end
        return texts
      end)()) })
    else
      assert.same({ 1, 2 ^ 53, 2 ^ 63, -2 ^ 63, 1000, 2, 0, 1.5 }, list)
    end
    assert.equal(-math.huge, 1 / list[7])
    assert.same({ 2 ^ 63, -2 ^ 63, 2 ^ 64, math.huge, 2 ^ -1074 },
      decode "[9223372036854775808,-9223372036854775809,18446744073709551615,1e400,5e-324]")
  end)

  it("P: the same in a locale with a decimal comma", function()
    assert.equal("10.25 20 0.1 ", locale.run [[
      local core = require "polytomic.testing"
      for _, number in ipairs(core.json_decode "[10.25,20,0.1]") do
        io.write(core.json_number(number), " ")
      end
    ]])
  end)

  it("lists that are marked where they are empty, and objects that never are", function()
    local mark = core.json_array_metatable()
    local value = decode '{"a":[],"b":{},"c":[1],"d":[[],{}],"e":{"f":null}}'
    assert.equal(mark, getmetatable(value.a))
    assert.equal(mark, getmetatable(value.d[1]))
    for _, other in ipairs { value, value.b, value.c, value.d, value.d[2], value.e } do
      assert.is_nil(getmetatable(other))
    end
    assert.equal(mark, getmetatable(decode "[]"))
  end)

  it("the kinds of the whole and of its data, the last of several", function()
    for text, kinds in pairs {
      ['{"data":[]}'] = "{[", ['{"data":{}}'] = "{{", ['{"data":null}'] = "{n",
      ['{"data":"x"}'] = '{"',
      ['{"data":true}'] = "{t", ['{"data":1}'] = "{0", ["{}"] = "{", ['{"a":{"data":1}}'] = "{",
      ['{"data":{},"data":null}'] = "{n", ['{"data":null,"d\\u0061ta":[]}'] = "{[",
      ['[{"data":1}]'] = "[",
      [" \239 <html>"] = "\239", ["<html>"] = "<", ["\239\187\191 nothing"] = "n",
    } do
      local values = { core.json_decode(text) }
      assert.equal(kinds, values[#values - 1] .. values[#values], text)
    end
  end)
end)

describe("JSON text of any shape", function()
  it("E6: is read down to 1000 levels, and refused below", function()
    for _, open in ipairs { "[", '{"a":' } do
      local close = open == "[" and "]" or "}"
      local value = decode(open:rep(999) .. "[]" .. close:rep(999))
      for _ = 1, 999 do value = value[1] or value.a end
      assert.same({}, value)
      for _, depth in ipairs { 1001, 100000 } do
        assert.is_nil((core.json_decode(open:rep(depth))))
        assert.is_nil((core.json_decode(open:rep(depth - 1) .. "[]" .. close:rep(depth - 1))))
      end
    end
  end)

  it("E6: is read however wide and deep it is at once", function()
    for _, width in ipairs { 1, 7, 100, 255, 256, 600 } do
      for _, depth in ipairs { 3, 50, 998 } do
        local elements = ("1,"):rep(width)
        local value = decode(("[" .. elements):rep(depth) .. "2" .. ("]"):rep(depth))
        local members = {}
        for i = 1, width do members[i] = ('"k%d":%d,'):format(i, i) end
        local object =
          decode(("{" .. table.concat(members) .. '"in":'):rep(depth) .. "2" .. ("}"):rep(depth))
        for _ = 1, depth do
          assert(#value == width + 1 and value[1] == 1 and value[width] == 1)
          assert(object.k1 == 1 and object["k" .. width] == width)
          value, object = value[width + 1], object["in"]
        end
        assert.same({ 2, 2 }, { value, object })
      end
    end
  end)

  it("E6: is read with a million elements, or very many members", function()
    local list = decode("[" .. ("7,"):rep(999999) .. "8]")
    assert.same({ 1000000, 7, 8 }, { #list, list[1], list[1000000] })
    local members = {}
    for i = 1, 200000 do members[i] = ('"%x":%d'):format(i % 199999, i) end
    local object = decode("{" .. table.concat(members, ",") .. "}")
    assert.same({ 199999, 200000, 2 }, { object["0"], object["1"], object["2"] })
  end)

  it("has what came last of two names also beyond what is gathered at first", function()
    local members = {}
    for i = 1, 1000 do members[i] = ('"k%d":%d'):format(i % 300, i) end
    members[1001], members[1002] = '"k5":null', '"gone":null'
    local object = decode("{" .. table.concat(members, ",") .. "}")
    assert.same({ 900, 901, nil, 999 }, { object.k0, object.k1, object.k5, object.k99 })
    assert.is_nil(object.gone)
  end)
end)

describe("While JSON text is read", function()
  -- In a process of its own: where little is alive, collections come often.
  it("L: finalizers may read others", function()
    local status, out, err = process.run({ process.interpreter(), process.temporary_file [=[
      local core = require "polytomic.testing"
      local parts = {}
      for i = 1, 500 do
        parts[i] = ('{"id":"%d","list":["x","y\\n%d",[]],"n":null,"m":{"id":%d}}'):format(i, i, i)
      end
      local text = "[" .. table.concat(parts, ",") .. "]"
      local first = "[" .. table.concat(parts, ",", 1, 40) .. "]"

      local function check(list, count)
        assert(#list == count, #list)
        for i, row in ipairs(list) do
          local id = ("%d"):format(i)
          assert(row.id == id and row.m.id == i and #row.list == 3 and row.n == nil)
          assert(row.list[2] == "y\n" .. id and #row.list[3] == 0)
        end
      end

      local reading, within, stopped = false, 0, false
      local function at_each_collection()
        if stopped then return end
        local proxy = rawget(_G, "newproxy")
        local object = proxy and proxy(true) or setmetatable({}, { __gc = true })
        getmetatable(object).__gc = function()
          at_each_collection()
          if reading then within = within + 1 end
          if not stopped then check(core.json_decode(first), 40) end
        end
      end
      at_each_collection()
      collectgarbage("setpause", 100)
      for _ = 1, 2000 do
        reading = true
        local list = core.json_decode(text)
        reading = false
        check(list, 500)
        if within > 20 then break end
      end
      stopped = true -- LuaJIT unloads the module before the last of them are called
      io.write(within > 20 and "done" or within)
    ]=] }, { env = process.environment() })
    assert.same({ 0, "done", "" }, { status, out, err })
  end)

  it("L: memory may run out at any allocation", function()
    local text = '{"data":[' .. ('{"id":"a\\n","list":[],"n":1},'):rep(100) .. "{}]}"
    local _, _, asked = core.lua_memory_fail_from(0, function() core.json_decode(text) end)
    assert.is_true(asked > 200)
    for n = 1, asked, 3 do
      local value, message
      local ok, err = core.lua_memory_fail_from(n, function() value,
        message = core.json_decode(text) end)
      assert.is_true(not ok and tostring(err):find "memory" ~= nil or message == "memory"
        or value ~= nil, tostring(err))
    end
    assert.equal(101, #decode(text).data)
  end)

  it("P: what a hook raises goes on to the caller", function()
    local function interrupted()
      debug.sethook(function() debug.sethook() error("interrupted", 0) end, "c")
      return core.json_decode "[1]"
    end
    local ok, message = pcall(interrupted)
    debug.sethook()
    assert.is_false(ok)
    assert.equal("interrupted", message)
  end)
end)
