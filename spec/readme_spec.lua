-- Every Lua snippet of the README runs as it stands, against the sandbox.

local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

-- Fenced blocks of one language, each with the heading it stands under.
local function snippets(text, language)
  local list, heading, block = {}, "top", nil
  for line in text:gmatch "([^\n]*)\n" do
    if block then
      if line == "```" then
        list[#list + 1] = { heading = heading, code = table.concat(block, "\n") .. "\n" }
        block = nil
      else
        block[#block + 1] = line
      end
    elseif line == "```" .. language then
      block = {}
    elseif line:find "^#" then
      heading = line:gsub("^#+ ", "")
    end
  end
  return list
end

describe("README", function()
  local text = process.contents "README.md"

  for number, snippet in ipairs(snippets(text, "lua")) do
    it(("runs its snippet %d, under '%s'"):format(number, snippet.heading), function()
      sandbox:reset()
      local file = process.temporary_file(snippet.code)
      local status, out, err = process.run({ process.interpreter(), file }, {
        env = process.environment {
          POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
          POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
        },
        timeout = 30,
      })
      assert.equal(0, status, out .. err)
    end)
  end

  for number, snippet in ipairs(snippets(text, "nginx")) do
    it(("takes its nginx snippet %d from the example that a spec runs"):format(number), function()
      local example = process.contents "examples/openresty/nginx.conf"
      local function flat(lines) return (lines:gsub("%s+", " ")) end
      assert.truthy(flat(example):find(flat(snippet.code), 1, true), snippet.code)
    end)
  end

  it("names the two commands of the first minute", function()
    assert.truthy(text:find("make demo", 1, true))
    assert.truthy(text:find("make test", 1, true))
  end)

  it("names every option of polytomic.new", function()
    local library = process.contents "library/polytomic.lua"
    local options = assert(library:match "%-%-%-@class polytomic%.Options[^\n]*\n(.-)\n\n")
    for name in options:gmatch "%-%-%-@field ([%w_]+)" do
      assert.truthy(text:find("`" .. name .. "`", 1, true), name)
    end
  end)
end)
