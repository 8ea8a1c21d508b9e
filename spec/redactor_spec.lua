-- Hiding secrets in a text (csrc/base/redactor.c).
-- Luas: 5.4 5.1

local core = require "polytomic.testing"

local function hidden(text, ...) return core.redact(text, { ... }) end

local SECRET = "p<a>s&s \"w'ö%d/1+1"
local function percent(text, format)
  return (text:gsub("[^%w]", function(c) return format:format(c:byte()) end))
end
local function html(text)
  local names =
    { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
  return (text:gsub("[&<>\"']", names))
end
local function json(text)
  return (text:gsub('[%c"\\&<>]', function(c) return ("\\u%04x"):format(c:byte()) end))
end

describe("M: a secret in a text", function()
  it("is hidden in whichever way it is written", function()
    for name, form in pairs {
      ["as it is"] = SECRET,
      ["percent-encoded"] = percent(SECRET, "%%%02X"),
      ["percent-encoded in lower case"] = percent(SECRET, "%%%02x"),
      ["as a form writes it"] = (percent(SECRET, "%%%02X"):gsub("%%20", "+")),
      ["percent-encoded twice"] = percent(percent(SECRET, "%%%02x"), "%%%02x"),
      ["as HTML"] = html(SECRET),
      ["as HTML with other references"] = (html(SECRET):gsub("&#39;", "&#x27;"):gsub("&lt;",
        "&#60;"):gsub("ö", "&#246;")),
      ["as HTML twice"] = html(html(SECRET)),
      ["as JSON"] = json(SECRET),
      ["as HTML in JSON"] = json(html(SECRET)),
      ["percent-encoded in JSON"] = json(percent(SECRET, "%%%02x")),
      ["as JSON in JSON"] = json(json(SECRET)),
    } do
      local text = hidden("<" .. form .. "> x " .. form, SECRET)
      assert.equal("<" .. ("*"):rep(#form) .. "> x " .. ("*"):rep(#form), text, name)
    end
  end)

  it("is hidden also where it looks as if it were encoded", function()
    for _, secret in ipairs { "a%41b%42c", "&lt;&gt;&amp;", "%25%25%25", "+a+b+c+", "x&#39;yz",
      "%2541%41x" } do
      assert.equal("<" .. ("*"):rep(#secret) .. ">", hidden("<" .. secret .. ">", secret, "a b c d",
        "AbBcxx"), secret)
    end
  end)

  it("is hidden after the beginning of an encoded byte, and next to others", function()
    assert.equal("%2" .. ("*"):rep(6), hidden("%2abcdef", "abcdef"))
    assert.equal("&am" .. ("*"):rep(12), hidden("&ampassppassppass"):gsub("passppassppass",
      ("*"):rep(12)))
    assert.equal(("*"):rep(12), hidden("abcdefghijkl", "abcdef", "ghijkl"))
    assert.equal("abcde" .. ("*"):rep(8), hidden("abcdeabcdefgh", "abcdef", "abcdefgh"))
  end)

  it("is hidden in part where a part of a long one stands", function()
    local long = {}
    for i = 1, 200 do long[i] = string.char(33 + i * 7 % 57) end
    long = table.concat(long)
    assert.equal(("*"):rep(200), hidden(long, long))
    local part = hidden(long:sub(1, 150), long)
    assert.equal(("*"):rep(128), part:sub(1, 128))
    assert.equal(("*"):rep(#"äöü" * 30), hidden(("äöü"):rep(30), ("äöü"):rep(30)))
  end)

  it("is not hidden when it is shorter than six bytes, backslashes not counted", function()
    for _, secret in ipairs { "", "a", "abcde", "\\\\\\\\\\\\", "\\\\\\a" } do
      assert.equal("abcde a", hidden("abcde a", secret))
    end
  end)

  it("that is a number leaves JSON what it is", function()
    assert.equal('{"pin":0     ,"s":"******"}', hidden('{"pin":123456,"s":"123456"}', "123456"))
    assert.equal("[0      ]", hidden("[-1234.5]", "-1234.5"))
  end)

  it("is not looked for again and again: many of them in a long text", function()
    local secrets, parts = {}, {}
    for i = 1, 10000 do secrets[i] = ("secret-%d-%x"):format(i * 7919, i) end
    for i = 1, 10000 do parts[i] = "<p>secret-" .. i .. " and\\\\" .. secrets[i] .. "</p>" end
    local text = table.concat(parts, "\n")
    local before = os.clock()
    local shown = core.redact(text, secrets)
    assert.is_true(os.clock() - before < 2, "seconds: " .. os.clock() - before)
    for i = 1, 10000, 999 do assert.is_nil(shown:find(secrets[i], 1, true)) end
    before = os.clock()
    core.redact(("a"):rep(5e5), { ("a"):rep(5e5) .. "b", ("a"):rep(31) .. "b" })
    local against = { "abcdef", "%&\\a", "%%%%%%", "&&&&&&", "25%25%" }
    for _, part in ipairs { "\\", "\\u005c", "%25", "25", "&amp;", "amp;" } do
      core.redact("%&\\" .. part:rep(math.floor(5e5 / #part)), against)
    end
    core.redact(("a" .. ("\\"):rep(20)):rep(50000), { "aaaaaaaaab" })
    assert.is_true(os.clock() - before < 2, "seconds: " .. os.clock() - before)
  end)

  it("hides everything where there is no memory to look for it, or too many secrets", function()
    core.memory_fail_at(2)
    local shown = hidden("nothing secret", "secret")
    core.memory_fail_at(0)
    assert.equal(("*"):rep(14), shown)
    local many = {}
    for i = 1, 40000 do many[i] = ("%032d"):format(i * 7919):reverse() end
    assert.equal(("*"):rep(14), core.redact("nothing secret", many))
  end)
end)
