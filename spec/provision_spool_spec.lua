-- Texts outside memory: provision/spool.

local spool = require "polytomic.provision.spool"

describe("polytomic.provision.spool", function()
  local before = spool.IN_MEMORY
  after_each(function() spool.IN_MEMORY = before end)

  it("gives back every text, also one that was put again, in memory and in its file", function()
    spool.IN_MEMORY = 3
    local texts = spool.new()
    for i = 1, 10 do texts:put(i, "text " .. i) end
    texts:put(2, "second")
    texts:put(7, ("seventh\n\0"):rep(1000))
    texts:put(9, "")
    for i = 10, 1, -1 do
      local again = ({ [2] = "second", [7] = ("seventh\n\0"):rep(1000), [9] = "" })[i]
      assert.equal(again or "text " .. i, texts:get(i))
    end
    texts:close()
  end)

  it("does with memory where there is no temporary file", function()
    spool.IN_MEMORY = 0
    local tmpfile = io.tmpfile
    io.tmpfile = function() return nil, "none" end -- luacheck: ignore
    local texts = spool.new()
    texts:put(1, "text")
    io.tmpfile = tmpfile -- luacheck: ignore
    assert.equal("text", texts:get(1))
  end)
end)
