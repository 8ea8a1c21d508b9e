-- Errors of usage: they are raised with the line that called the library, however many functions of
-- the library, C functions and tail calls are between.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local polytomic = require "polytomic"
local process = require "spec.support.process"

local raised = clients.raised

local OPTIONS = { env = false, api_key = "user_key_12345678", base_url = "http://127.0.0.1:9" }
local PROBLEM = "create_org: arguments must be a table, got number"

-- What a child prints that loads the library from chunks whose names `name_of` gives, an expression
-- of Lua: whether each of two mistakes was reported at its own line, and the message.
local SCRIPT = [[
  local function search(name)
    local path = "lua/" .. name:gsub("%.", "/")
    local file = io.open(path .. ".lua") or io.open(path .. "/init.lua")
    if not file or name == "polytomic.core" then return nil end
    local text = file:read "*a"
    file:close()
    return assert((loadstring or load)(text, NAME))
  end
  table.insert(package.loaders or package.searchers, 2, search)
  local polytomic = require "polytomic"
  local client = polytomic.new { env = false, api_key = "user_key_12345678" }
  local function report(line, ok, message)
    print(not ok and message:match ":(%d+): " == tostring(line), message)
  end
  local function line() return debug.getinfo(2, "l").currentline end
  report(line(), pcall(function() client:batch("create_org", {}, { concurrency = 0 }) end))
  report(line(), pcall(function() polytomic.configure { timeout = -1 } end))
]]

local function printed_with_chunks(name_of)
  local script = process.temporary_file((SCRIPT:gsub("NAME", name_of)))
  local status, out, err = process.run { process.interpreter(), script }
  assert(status == 0, err)
  return out
end

describe("an error of usage", function()
  local client, waiting

  before_each(function()
    client = polytomic.new(OPTIONS)
    local options = { wait = function(stepped) stepped:step(0.1) end }
    for name, value in pairs(OPTIONS) do options[name] = value end
    waiting = polytomic.new(options)
  end)

  after_each(function()
    client:close()
    waiting:close()
  end)

  it("is raised at the line that called a method, written in C or in Lua", function()
    assert.equal(PROBLEM, raised(function() client:create_org(5) end))
    assert.equal(PROBLEM, raised(function() waiting:create_org(5) end))
    assert.matches("^ensure_org: ", raised(function() client:ensure_org(5) end))
    assert.matches("^unknown option", raised(function()
      client:ensure_org({ name = "A" }, { x = 1 })
    end))
    assert.matches("^timeout must", raised(function() polytomic.configure { timeout = 0 } end))
  end)

  it("is raised at the line that called a batch, whose items another function gives", function()
    local function items(i) return i == 1 and 5 or nil end
    assert.equal(PROBLEM, raised(function() client:batch("create_org", items) end))
    assert.equal(PROBLEM, raised(function() waiting:batch("create_org", items) end))
  end)

  it("is raised at the line of the callback that is wrong, not of the call around it", function()
    local line
    local ok, message = pcall(waiting.batch, waiting, "create_org", function()
      line = debug.getinfo(1, "l").currentline + 1
      client:create_org(5)
    end)
    assert.is_false(ok)
    assert.matches("usage_errors_spec.lua:" .. line .. ": " .. PROBLEM, message)
  end)

  it("is raised at the line of the pcall that was given the method itself", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, message = pcall(client.create_org, client, 5)
    assert.is_false(ok)
    assert.matches("usage_errors_spec.lua:" .. line .. ": " .. PROBLEM, message)
  end)

  it("has no line in a coroutine where nothing but the library runs", function()
    local ok, message = coroutine.resume(coroutine.create(waiting.create_org), waiting, 5)
    assert.is_false(ok)
    assert.equal(PROBLEM, message)
  end)

  it("is raised at a program's own line although it added a function to the module", function()
    polytomic.added = function() return client:create_org(5) end
    finally(function() polytomic.added = nil end)
    local message = raised(function() local org = client:create_org(5) return org end)
    assert.equal(PROBLEM, message)
  end)

  it("is raised at a program's line when the library was loaded from chunks of any name", function()
    for _, name in ipairs { '"=" .. name', '"@" .. name', "text", '"=?"' } do
      local out = printed_with_chunks(name)
      assert.matches("^true\t[^\n]+concurrency must[^\n]+\ntrue\t[^\n]+timeout must[^\n]+\n$", out,
        name)
    end
  end)
end)

describe("a string that holds NUL", function()
  local client

  before_each(function() client = polytomic.new(OPTIONS) end)
  after_each(function() client:close() end)

  it("is no option, member of a request or operation that its beginning names", function()
    for expected, mistake in pairs {
      ["unknown option 'timeout x', did you mean 'timeout'?"] = function()
        polytomic.new { env = false, ["timeout\0x"] = 3 }
      end,
      ["unknown option 'retries ', did you mean 'retries'?"] = function()
        client:list_orgs({}, { ["retries\0"] = 3 })
      end,
      ["request: method must be GET, POST, PUT, PATCH or DELETE"] = function()
        client:request { method = "GET\0x", path = "/api/x" }
      end,
      ["request: unknown field 'body x', known are method, path, query and body"] = function()
        client:request { method = "GET", path = "/api/x", ["body\0x"] = {} }
      end,
      ["unknown operation 'list_orgs ', did you mean 'list_orgs'?"] = function()
        client:start "list_orgs\0"
      end,
      ["unknown operation 'request '"] = function() client:wait_for("request\0", {}) end,
    } do
      assert.equal(expected, raised(mistake))
    end
    assert.is_nil(client["list_orgs\0"])
    assert.is_nil(polytomic["list_orgs\0"])
  end)

  it("is no part of an error, and is shown whole in its message", function()
    local _, message, err = client:find_org { ["name\0x"] = "Acme" }
    assert.equal("find_org: invalid: unknown field 'name x', did you mean 'name'?", message)
    assert.equal("unknown field 'name\0x', did you mean 'name'?", err.message)
    _, _, err = client:create_org({ name = "Acme" }, { timeout = 0.01, retries = 0 })
    assert.is_nil(err["curl\0x"])
    assert.is_nil(err["timeline\0x"])
  end)

  it("marks no list", function()
    local list = setmetatable({}, { __jsontype = "array\0x" })
    local _, _, err = client:request(
      { method = "POST", path = "/api/x", body = { a = list } }, { timeout = 0.01, retries = 0 })
    contains(err:curl(), '{"a":{}}')
  end)
end)
