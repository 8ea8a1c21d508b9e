-- Help fits the terminal: lines are broken between words at its width.
-- Luas: 5.4 5.1

local cli = require "polytomic.cli"
local command = require "spec.support.command"
local commands = require "polytomic.cli.commands"
local describe_operations = require("polytomic.cli.describe").operations
local help = require "polytomic.cli.help"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local terminal = require "polytomic.terminal"

describe("help", function()
  local columns = help.columns

  after_each(function() help.columns = columns end)

  -- Checks that every line fits, but for single words that are longer than it has room for.
  local function fits(text, width)
    for line in text:gmatch "[^\n]+" do
      local words = select(2, line:gsub("%S+", ""))
      local is_path = line:find "^%u+ /api/"
      if terminal.width(line) > width and not is_path then assert.equal(1, words, line) end
    end
  end

  for _, width in ipairs { 40, 80, 100 } do
    it(("fits %d columns, for every operation and command"):format(width), function()
      help.columns = function() return width end
      for _, operation in ipairs(polytomic.operations) do
        fits(cli.help_of(assert(cli.find(operation.name))), width)
      end
      for _, entry in ipairs(commands.list) do
        fits(cli.help_of(assert(cli.find(entry.name))), width)
      end
      fits(help.general(), width)
      fits(describe_operations(polytomic.operations), width)
    end)
  end

  it("has the introduction of the sandbox as it was laid out, on 80 columns", function()
    local introduction = require("polytomic.sandbox").help():match "^(.-)\n\nFaults:\n"
    assert.equal(introduction, terminal.wrap(introduction, 80, "      "))
  end)

  it("is laid out for the terminal it is shown on, at most 100 columns wide", function()
    for width, most in pairs { [40] = 40, [80] = 80, [200] = 100 } do
      local cases = { { "--help" }, { "help", "create_bulk_sync" }, { "help", "sandbox" } }
      for _, words in ipairs(cases) do
        local status, out = command.on_terminal(words, { columns = width })
        assert.equal(0, status)
        fits(command.plain(out), most)
      end
    end
  end)

  it("names every command and every option", function()
    local text = help.general()
    for _, entry in ipairs(commands.list) do
      assert.truthy(text:find("\n  " .. entry.name .. " ", 1, true), entry.name)
    end
    for _, option in ipairs { "--output", "--all", "--dry-run", "--yes", "--key-file" } do
      assert.truthy(text:find(option, 1, true), option)
    end
  end)

  it("lists every exit status, as the README does", function()
    local readme = process.contents "README.md"
    for name, status in pairs(require "polytomic.cli.report") do
      for _, text in ipairs { help.general(), readme } do
        local list = text:gsub("%s+", " "):match "Exit status: ([^.]*)%."
        if type(status) == "number" then
          assert.truthy((", " .. list):find(", " .. status .. " ", 1, true), name)
        end
      end
    end
  end)

  it("describes each option of a command once", function()
    for _, entry in ipairs(commands.list) do
      local seen, count = {}, 0
      local text = cli.help_of(assert(cli.find(entry.name)))
      for option in text:gsub("\n  %-%l, ", "\n  "):gmatch "\n  (%-%-[%l-]+)" do
        assert.is_nil(seen[option], entry.name .. " " .. option)
        seen[option], count = true, count + 1
      end
      assert.truthy(count >= 2, entry.name)
    end
  end)

  it("speaks in the command's words, not the library's", function()
    for _, operation in ipairs(polytomic.operations) do
      local text = cli.help_of(assert(cli.find(operation.name)))
      assert.is_nil(text:find("polytomic.new", 1, true), operation.name)
    end
  end)

  it("says of every argument what it is, and shows enumerations", function()
    local text = cli.help_of(assert(cli.find "create_bulk_sync"))
    for _, argument in ipairs(require("polytomic.core").describe("create_bulk_sync").arguments) do
      assert.truthy(text:find("\n  " .. argument.name .. "[ \n]"), argument.name)
    end
    assert.truthy(text:find "One of%s+snapshot,%s+replicate")
  end)
end)
