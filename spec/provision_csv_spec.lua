-- Reading comma-separated values: provision/csv.

local csv = require "polytomic.provision.csv"

-- A reader of a text that comes in chunks of so many bytes.
local function reader(text, size)
  local at = 1
  return csv.new(function()
    if at > #text then return nil end
    local chunk = text:sub(at, at + size - 1)
    at = at + size
    return chunk
  end)
end

-- Every record as { line, cells… }, or { line, problem = … }, whatever the size of the chunks.
local function records(text)
  local found
  for _, size in ipairs { 1, 2, 3, 5, 64, #text + 1 } do
    local list = {}
    local one = reader(text, size)
    while true do
      local cells, line, problem = one:next()
      if not line then break end
      local row = { line, problem = problem }
      for index, cell in ipairs(cells or {}) do row[index + 1] = cell end
      list[#list + 1] = row
    end
    if found then assert.same(found, list, "in chunks of " .. size) end
    found = list
  end
  return found
end

describe("polytomic.provision.csv", function()
  it("gives cells with the line they begin on, however the bytes come", function()
    assert.same({ { 1, "name", "email" }, { 2, "Acme", "a@b" }, { 5, "", "c@d" } },
      records "name,email\nAcme,a@b\n\n\n,c@d")
  end)

  it("understands a byte order mark, also before a quote, and every kind of line end", function()
    assert.same({ { 1, "name", "x" }, { 2, "a", "b" }, { 3, "c", "d" }, { 4, "e", "f" } },
      records '\239\187\191"name",x\r\na,b\rc,d\ne,f\r\n')
  end)

  it("understands quoted commas, doubled quotes and line ends inside quotes", function()
    assert.same({ { 1, 'A "b", c', "x\r\ny" }, { 3, "", "z" } },
      records '"A ""b"", c","x\r\ny"\n"","z"\n')
  end)

  it("leaves out blanks around cells, also after a closing quote", function()
    assert.same({ { 1, "a", "b c", "d" } }, records '  a ,"b c" , d\t')
  end)

  it("reports text after a closing quote and a quote inside a cell, and goes on", function()
    assert.same({
      { 1, problem = "there is text after a closing quote" },
      { 2, problem = "there is a quote inside a cell that does not begin with one" },
      { 3, "ok" },
    }, records '"a"b,c\nx"y,z\nok\n')
  end)

  it("reports a quote that is never closed with the line it opens on", function()
    assert.same({ { 1, "a" }, { 2, problem = "a quoted cell is not closed" } },
      records 'a\nb,"c\nd\ne\n')
  end)

  it("ends a record that is too long instead of filling memory", function()
    local given = 0
    local one = csv.new(function()
      given = given + 1
      return ("x"):rep(65536)
    end)
    local cells, line, problem = one:next()
    assert.is_nil(cells)
    assert.equal(1, line)
    assert.matches("longer than 1048576 bytes", problem)
    assert.is_nil(one:next())
    assert.is_true(given < 40, given)
  end)

  it("reads 40,000 rows in flat memory", function()
    local given = 0
    local one = csv.new(function()
      if given == 40000 then return nil end
      given = given + 100
      return ("Acme Corporation,jane.doe@acme.com,Admin;Member,yes\r\n"):rep(100)
    end)
    collectgarbage()
    local before, peak, rows = collectgarbage "count", 0, 0
    while one:next() do
      rows = rows + 1
      if rows % 4000 == 0 then
        collectgarbage()
        peak = math.max(peak, collectgarbage "count" - before)
      end
    end
    assert.equal(40000, rows)
    assert.is_true(peak < 512, peak) -- KB
  end)
end)
