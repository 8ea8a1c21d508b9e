-- README, pasted as a whole into one shell, works; and so does every program of the documents it
-- points to.

local command = require "spec.support.command"
local contains = require("spec.support.text").contains
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local VERSION = rawget(_G, "jit") and "jit" or _VERSION:match "%d+%.%d+"
local DOCUMENTS = { "data", "errors-and-retries", "event-loops", "openresty", "options" }

-- Fenced blocks of one language, each with the heading above it.
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

-- What stands between the README and this machine: packages and the clone are here already, and
-- /usr/local is a directory of the spec's own. Lua 5.4 is the Lua that runs this spec.
local MACHINE = [=[
set -e
ROOT=$1 PLACE=$2 VERSION=$3 INTERPRETER=$4
cd "$PLACE"
trap 'status=$?; polytomic sandbox --stop 2>/dev/null || :; exit $status' EXIT
sudo() { "$@"; }
apt-get() { :; }
git() {
  [ "$1" = clone ]
  mkdir -p polytomic-lua/build
  (cd "$ROOT" && cp -a Makefile lua csrc library docs "$PLACE/polytomic-lua")
  cp -a "$ROOT/build/plain" "$ROOT/build/$VERSION" polytomic-lua/build
}
make() { command make -s "$@" "LUA_VERSION=$VERSION" "PREFIX=$PLACE/local"; }
lua5.4() { command "$INTERPRETER" "$@"; }
export PATH="$PLACE/local/bin:$PATH"
case $VERSION in jit) abi=5.1 ;; *) abi=$VERSION ;; esac
export LUA_PATH="$PLACE/local/share/lua/$abi/?.lua;$PLACE/local/share/lua/$abi/?/init.lua;$LUA_PATH"
export LUA_CPATH="$PLACE/local/lib/lua/$abi/?.so;$LUA_CPATH"
]=]

describe("README", function()
  local text = process.contents "README.md"
  local blocks = snippets(text, "sh")

  describe("pasted into one shell", function()
    local status, out, err

    setup(function()
      local place = process.directory() .. "/fresh"
      assert(process.run { "mkdir", place } == 0)
      local _, root = process.run { "pwd" }
      local script = { MACHINE }
      for i, block in ipairs(blocks) do
        script[#script + 1] = "echo '== " .. i .. "'\n" .. block.code
      end
      local file = process.temporary_file(table.concat(script, "\n"))
      local env = command.environment {
        POLYTOMIC_PARTNER_KEY = false,
        POLYTOMIC_DEPLOYMENT_URL = false,
        MAKEFLAGS = false,
        MAKELEVEL = false,
        HOME = place,
      }
      local words =
        { "bash", file, (root:gsub("\n", "")), place, VERSION, process.interpreter() }
      status, out, err = process.run(words, { env = env, timeout = 180 })
    end)

    it("works from top to bottom, in one sandbox", function()
      assert.equal(0, status, out .. err)
      assert.truthy(out:find("\n== " .. #blocks .. "\n", 1, true), out .. err)
    end)

    it("makes the first organization and prints what it says", function()
      assert.truthy(out:find '"name":"Acme"')
      assert.truthy(out:find "Initech\tjane@initech.com\t%d+\n")
      assert.truthy(out:find "create_org: 409 conflict: an organization with this name already")
      assert.truthy(out:find "100\tuser100@wayne.com\n")
    end)
  end)

  it("runs every program of Lua it shows", function()
    assert.same({}, snippets(text, "lua"))
    local programs = 0
    for _, block in ipairs(blocks) do
      programs = programs + select(2, block.code:gsub("\nLUA\n", ""))
    end
    assert.truthy(programs >= 8)
  end)

  it("is read in five minutes: 250 words a minute", function()
    local words = 0
    for _ in text:gsub("```.-\n```", ""):gmatch "%S+" do words = words + 1 end
    assert.is_true(words < 1250, words .. " words")
  end)

  it("names the commands of the first minute", function()
    for _, name in ipairs { "make demo", "make test", "make install" } do
      assert.truthy(text:find(name, 1, true), name)
    end
  end)

  it("says how many operations there are", function()
    contains(text, #require("polytomic").operations .. " operations")
  end)

  it("points to nothing that is not there", function()
    for _, name in ipairs { "README", "docs/data", "docs/errors-and-retries", "docs/event-loops",
      "docs/openresty", "docs/options" } do
      local here = name:match "^(.*/)" or ""
      for path in process.contents(name .. ".md"):gmatch "%]%(([^)#]+)[^)]*%)" do
        if not path:find "^https:" then
          assert.equal(0, (process.run { "test", "-e", here .. path }), name .. ": " .. path)
        end
      end
    end
  end)
end)

for _, name in ipairs(DOCUMENTS) do
  describe("docs/" .. name .. ".md", function()
    local text = process.contents("docs/" .. name .. ".md")

    for number, snippet in ipairs(snippets(text, "lua")) do
      it(("runs its program %d, under '%s'"):format(number, snippet.heading), function()
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
  end)
end

describe("docs/options.md", function()
  it("names every option of polytomic.new", function()
    local text = process.contents "docs/options.md"
    local library = process.contents "library/polytomic.lua"
    local options = assert(library:match "%-%-%-@class polytomic%.Options[^\n]*\n(.-)\n\n")
    for name in options:gmatch "%-%-%-@field ([%w_]+)" do
      assert.truthy(text:find("`" .. name .. "`", 1, true), name)
    end
  end)
end)
