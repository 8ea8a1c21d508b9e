local process = require "spec.support.process"
local quoting = require "polytomic.quoting"

describe("Quoting", function()
  it("gives a shell the very text, whatever is in it", function()
    for _, text in ipairs { "", "it's", "a 'b' \"c\"", "$HOME `id` \\", "two\nlines", "''" } do
      local _, out = process.run { "sh", "-c", "printf %s " .. quoting.shell(text) }
      assert.equal(text, out)
    end
  end)

  it("decodes percent-encoding, and leaves what is none", function()
    assert.equal("a b/\0é+", quoting.percent_decoded "a%20b%2f%00%C3%A9+")
    assert.equal("100% %zz %4", quoting.percent_decoded "100% %zz %4")
  end)

  it("takes a plus sign in a query for a blank, an encoded one for itself", function()
    assert.equal("a b + c", quoting.query_decoded "a+b+%2B+c")
  end)
end)
