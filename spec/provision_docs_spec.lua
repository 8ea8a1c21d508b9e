-- docs/provisioning.md and library/provision.lua say what is there.
-- Needs: dbd.sqlite3

local command = require "spec.support.command"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"

local text = process.contents "docs/provisioning.md"

-- The fenced blocks of a language.
local function blocks(language)
  local list = {}
  for block in text:gmatch("```" .. language .. "\n(.-)\n```") do list[#list + 1] = block end
  return list
end

local function directory()
  local path = process.temporary_file()
  os.execute("mkdir " .. path)
  return path
end

local function run_lua(code, options)
  local file = process.temporary_file(code)
  local status, out, err = process.run({ process.interpreter(), file }, options)
  assert.equal(0, status, out .. err)
  return out
end

describe("docs/provisioning.md", function()
  before_each(function() sandbox:reset() end)

  it("has an example in Lua that runs, and three queries that its ledger answers", function()
    local place = directory()
    local lua = blocks "lua"
    local out = run_lua(lua[#lua], { env = command.environment(), directory = place })
    assert.matches("create_key%s+Acme%s+jane@acme.com", out)
    assert.matches("1%s+0%s+0%s+3", out)
    local connection = assert(require("DBI").Connect("SQLite3", place .. "/customers.ledger"))
    local queries = blocks "sql"
    assert.equal(3, #queries)
    for _, query in ipairs(queries) do
      local statement = assert(connection:prepare(query))
      assert(statement:execute())
      while statement:fetch() do end
      statement:close()
    end
    connection:close()
  end)

  it("has customers as CSV and JSON lines that are understood", function()
    local client = require("polytomic").new { base_url = sandbox.url,
      partner_key = sandbox.partner_key, env = false }
    for extension, block in pairs { csv = blocks("csv")[1], jsonl = blocks("json")[1] } do
      local path = process.temporary_file(block)
      os.rename(path, path .. "." .. extension)
      local _, counts = assert(provision.plan(client, path .. "." .. extension))
      assert.is_true(counts.create_org >= 1)
    end
    client:close()
  end)

  it("has a sign-up for OpenResty that enqueues, and says what is wrong with bad input", function()
    local ledger = process.temporary_file(nil, "ledger")
    local code = ([[
      local body
      ngx = setmetatable({ say = print, req = { read_body = function() end,
        get_body_data = function() return body end } }, {})
      local signup = (function() %s end)()
      for _, text in ipairs { '{"company":"Acme","email":"jane@acme.com"}',
        '{"company":"Initech","email":"pete@initech.com"}',
          '{"company":"Acme","email":"nobody"}' } do
        body = text
        signup.post()
        print(ngx.status)
      end]]):format(blocks("lua")[1])
    local env = command.environment { POLYTOMIC_LEDGER = "sqlite:" .. ledger }
    local out = run_lua(code, { env = env })
    assert.matches("^202\n202\n[^\n]*email must be an e%-mail address[^\n]*\n400\n$", out)
    assert.equal(0, #sandbox:requests())
    local status = assert(provision.status { ledger = "sqlite:" .. ledger })
    assert.same({ 2, 2 }, { status.queued, status.total })
  end)

  it("names every column of the ledger", function()
    for name, list in pairs(require "polytomic.provision.ledger.statements") do
      if name:find "^create_" and list:find "CREATE TABLE" then
        for column in list:match("%((.*)%)"):gmatch "\n?%s*([%l_]+) [%u{]" do
          assert.truthy(text:find("`" .. column .. "`", 1, true), column)
        end
      end
    end
  end)
end)

describe("examples/provision.lua", function()
  it("does nothing the second time", function()
    sandbox:reset()
    local status, out, err = process.run({ process.interpreter(), "examples/provision.lua" },
      { env = command.environment() })
    assert.equal(0, status, err)
    assert.matches("run 1: 2 customers all there, 5 created\n"
      .. "run 2: 2 customers all there, 0 created\n$", out)
  end)
end)

describe("library/provision.lua", function()
  it("lists every function and every option", function()
    local library = process.contents "library/provision.lua"
    local source = process.contents "lua/polytomic/provision/init.lua"
    for name in source:gmatch "\nfunction M%.([%l_]+)" do
      assert.truthy(library:find("function M." .. name .. "(", 1, true), name)
    end
    for title, class in pairs { PLAN = "Plan", APPLY = "Apply", WORK = "Work" } do
      local options = assert(source:match("local " .. title .. " = (%b{})"))
      local fields = assert(library:match("@class polytomic%.provision%." .. class
        .. "Options\n(.-)\n\n"))
      for option in options:gmatch "([%l_]+) = \"" do
        assert.truthy(fields:find("@field " .. option .. "?", 1, true), option)
      end
    end
  end)
end)
