-- docs/development.md and docs/faults.md keep up with the tree.
-- Luas: 5.4

local process = require "spec.support.process"

local function lines_of(command)
  local list = {}
  local pipe = assert(io.popen(command, "r"))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

describe("docs/development.md", function()
  local text = process.contents "docs/development.md"

  -- The names of a list under a heading: "- `name`: what it is for".
  local function listed(heading)
    local section = assert(text:match("\n### " .. heading .. "\n(.-)\n##"), heading)
    local names = {}
    for name in section:gmatch "\n%- `([%w_/]+)`" do names[name] = true end
    return names
  end

  for _, storey in ipairs { "base", "http", "api", "lua" } do
    it("has a line for each file of csrc/" .. storey .. ", and for no other", function()
      local names, files = listed("csrc/" .. storey), {}
      for _, path in ipairs(lines_of("ls csrc/" .. storey .. "/*.h csrc/" .. storey .. "/*.c")) do
        local name = path:match "([%w_]+)%.[hc]$"
        local parts = name == "operations_data" or name:find "^poller_"
        if not parts then files[name] = true end
      end
      assert.same(files, names)
    end)
  end

  it("has a line for each module of lua/polytomic, and for no other", function()
    local names, files = listed "lua/polytomic", {}
    for name in pairs(names) do
      if name:find "/" then names[name] = nil end
    end
    for _, path in ipairs(lines_of "ls lua/polytomic/*.lua") do
      files[path:match "([%w_]+)%.lua$"] = true
    end
    assert.same(files, names)
  end)

  it("names only files that are there", function()
    for path in text:gmatch "`([%w_]+/[%w_/]+%.[%w]+)`" do
      local found
      for _, root in ipairs { "", "csrc/", "lua/polytomic/", "lua/polytomic/cli/../" } do
        found = found or process.contents(root .. path) ~= nil
      end
      assert.is_true(found, path)
    end
  end)
end)

describe("What people read", function()
  it("is at most 100 columns wide, tables and what is generated apart", function()
    local wide = {}
    for _, path in ipairs(lines_of "ls *.md docs/*.md Makefile .ci/* rockspec/*") do
      local number = 0
      for line in (process.contents(path) .. "\n"):gmatch "([^\n]*)\n" do
        number = number + 1
        local _, columns = line:gsub("[^\128-\191]", "")
        if columns > 100 and not line:find "^|" and not line:find "https?://%S+$"
          and not line:find 'url = "' and path ~= "docs/operations.md" then
          wide[#wide + 1] = path .. ":" .. number
        end
      end
    end
    assert.same({}, wide)
  end)
end)

describe("docs/faults.md", function()
  it("has every number that a spec's title begins with", function()
    local text = process.contents "docs/faults.md"
    local rows = {}
    for letter, number in text:gmatch "\n| (%u)(%d+) |" do rows[letter .. number] = true end
    for letter in text:gmatch "\n%- %*%*(%u)%. " do rows[letter] = true end
    local pattern = [['(it|row|describe)\("[A-Q][0-9]{0,2}[: ]']]
    local command = "grep -rhoE " .. pattern .. " spec --include=*_spec.lua"
    local cited = 0
    for _, line in ipairs(lines_of(command)) do
      local number = line:match '"(%u%d*)'
      if number ~= "A" then -- "A call …" is a sentence
        cited = cited + 1
        assert.is_true(rows[number], number .. " is cited, and no row of docs/faults.md")
      end
    end
    assert.is_true(cited > 50)
  end)
end)
