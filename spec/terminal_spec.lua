-- Text for one line of a terminal, its width in columns, and lines broken between words.

local terminal = require "polytomic.terminal"

describe("text for one line of a terminal", function()
  local cases = {
    { "leaves plain text as it is", "Acme, Inc. 100 %", "Acme, Inc. 100 %" },
    { "leaves letters of every script", "Grüße 東京 مرحبا 👍🏽", "Grüße 東京 مرحبا 👍🏽" },
    { "escapes line breaks and tabs", "a\r\nb\tc", "a\\r\\nb\\tc" },
    { "escapes ESC, so no sequence begins", "\27[31mred\27]0;t\7", "\\x1b[31mred\\x1b]0;t\\x07" },
    { "escapes NUL and DEL", "a\0b\127", "a\\x00b\\x7f" },
    { "escapes C1 controls, which some terminals obey", "\194\155\51\49m", "\\u{9b}31m" },
    { "escapes U+0085, a line break", "a\194\133b", "a\\u{85}b" },
    { "escapes U+2028 and U+2029", "a\226\128\168b\226\128\169c", "a\\u{2028}b\\u{2029}c" },
    { "escapes bidirectional overrides", "a\226\128\174b\226\129\166c", "a\\u{202e}b\\u{2066}c" },
    { "escapes what is invisible", "a\226\128\139b\239\187\191c", "a\\u{200b}b\\u{feff}c" },
    { "escapes tag characters", "a\243\160\129\129b", "a\\u{e0041}b" },
    { "escapes bytes that are not UTF-8", "a\255\192\128b", "a\\xff\\xc0\\x80b" },
    { "escapes surrogates", "\237\160\128", "\\xed\\xa0\\x80" },
    { "escapes UTF-8 that is cut short", "a\226\130", "a\\xe2\\x82" },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      assert.equal(case[3], terminal.line(case[2]))
      assert.equal(case[3], terminal.line(terminal.line(case[2])))
    end)
  end

  it("takes any value", function()
    assert.equal("nil", terminal.line(nil))
    assert.equal("true", terminal.line(true))
  end)

  it("lets no control through, whatever two bytes come", function()
    for first = 0, 255 do
      local two = {}
      for second = 0, 255 do two[second + 1] = string.char(first, second) end
      local shown = terminal.line(table.concat(two, "|"))
      assert.is_true(select(2, shown:gsub("|", "")) >= 255)
      assert.is_nil(shown:find "[%z\1-\31\127]")
      assert.is_nil(shown:find "\194[\128-\159]")
    end
  end)
end)

describe("the width of text", function()
  local widths = {
    { "", 0 }, { "abc", 3 }, { "é", 1 }, { "e\204\129", 1 }, { "東京", 4 }, { "ﾊﾛｰ", 3 }, { "한국", 4 },
    { "👍", 2 }, { "👍🏽", 2 }, { "Ａ", 2 }, { "…", 1 }, { "नमस्ते", 4 },
  }
  for _, case in ipairs(widths) do
    it(("is %d columns for '%s'"):format(case[2], case[1]), function()
      assert.equal(case[2], terminal.width(case[1]))
    end)
  end
end)

describe("fitting text", function()
  it("cuts with an ellipsis, never inside a character", function()
    assert.equal("abcd", terminal.fit("abcd", 4))
    assert.equal("abc…", terminal.fit("abcde", 4))
    assert.equal("東…", terminal.fit("東京都", 4))
    assert.equal("東京…", terminal.fit("東京都庁", 5))
    assert.equal("…", terminal.fit("東京", 1))
    assert.equal("", terminal.fit("東京", 0))
  end)

  it("pads by columns", function()
    assert.equal("東京  |", terminal.pad("東京", 6) .. "|")
  end)

  it("keeps to any width", function()
    local text = "a東é👍\204\129 x"
    for columns = 0, 10 do
      assert.is_true(terminal.width(terminal.fit(text, columns)) <= columns)
    end
  end)
end)

describe("wrapping text", function()
  it("breaks between words and indents what follows", function()
    assert.equal("one two\n  three\n  four", terminal.wrap("one two three four", 8, "  "))
  end)

  it("keeps line breaks, empty lines and the spaces of lines that fit", function()
    assert.equal("a   b\n\nc d", terminal.wrap("a   b\n\nc d", 20))
  end)

  it("leaves a word that is longer than the line whole", function()
    assert.equal("a\nabcdefghij\nb", terminal.wrap("a abcdefghij b", 5))
  end)

  it("counts columns, not bytes", function()
    assert.equal("東京 東京\n東京", terminal.wrap("東京 東京 東京", 9))
  end)
end)
