-- L: Lua code that runs inside a call, and what it could reach. What could bring the process down,
-- or never end, runs in a child.
-- Takes: 8 s

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

clients.around(before_each, after_each)

local PRELUDE = [[
local url, key = arg[1], arg[2]
local polytomic = require "polytomic"
local function new(options)
  local all = { base_url = url, partner_key = key, env = false, proxy = "", timeout = 5,
    retries = 0 }
  for name, value in pairs(options or {}) do all[name] = value end
  return polytomic.new(all)
end
local function on_collect(action) -- luacheck: ignore
  if not newproxy then return setmetatable({}, { __gc = action }) end
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = action
  return proxy
end
]]

local function assert_script(text)
  local path = process.temporary_file(PRELUDE .. text)
  local status, out, err = process.run(
    { process.interpreter(), path, sandbox.url, sandbox.partner_key },
    { env = process.environment(), timeout = 60 }
  )
  assert.same({ 0, "done", "" }, { status, out, err })
end

describe("L: a client that is closed while Lua runs inside its call", function()
  it("by a finalizer, ends the call as closed and nothing else", function()
    assert_script [[
      collectgarbage("setpause", 0)
      for i = 1, 2000 do
        local client = new()
        do local _ = on_collect(function() client:close() end) end
        local data, message, err = client:list_orgs()
        assert(data or err.kind == "closed", message)
        data, message, err = client:request { method = "GET", path = "/api/organizations" }
        assert(data or err.kind == "closed", message)
        if i % 50 == 0 then collectgarbage() end
        client:close()
      end
      io.write "done"
    ]]
  end)

  it("by a metamethod of an argument or an option, or by a key's function", function()
    assert_script [[
      local client
      local function closing(members)
        return setmetatable(members, { __index = function() client:close() end })
      end
      local calls = {
        function() return client:create_org({ name = "Acme" }, closing {}) end,
        function() return client:request({ method = "GET", path = "/api/me" }, closing {}) end,
        function() return client:start("list_orgs", {}, closing {}):result() end,
      }
      for _, call in ipairs(calls) do
        client = new()
        local data, message, err = call()
        assert(data == nil and err.kind == "closed" and err:curl() == nil, message)
        client = new { partner_key = function() client:close() return "another-key" end }
        data, message, err = client:list_orgs()
        assert(data == nil and err.kind == "closed", message)
      end
      io.write "done"
    ]]
  end)

  it("leaves its errors able to say which request it was", function()
    local client = clients.sandbox { headers = { ["X-Team"] = "blue" } }
    local _, _, err = client:get_org { id = "248df4b7-aa70-47b8-a036-33ac447e668d" }
    client:close()
    collectgarbage()
    assert.matches("^curl %-X GET '.*/api/organizations/248df4b7.* %-H 'X%-Team: blue'", err:curl())
  end)
end)

describe("L: a free request", function()
  it("is read as it stands, once: no metamethod takes part", function()
    local asked = {}
    local request = setmetatable({ method = "GET", path = "/api/organizations" }, {
      __index = function(_, name)
        asked[#asked + 1] = name
        return { name = name }
      end,
    })
    assert.is_table((clients.sandbox():request(request)))
    assert.same({}, asked)
  end)
end)

describe("L: what Lua can reach of a response", function()
  local function response_and_error()
    local client = clients.sandbox()
    local _, _, response = assert(client:list_orgs())
    return response, select(3, client:get_org { id = "248df4b7-aa70-47b8-a036-33ac447e668d" })
  end

  it("is no call and no key that stands for one", function()
    for _, value in ipairs { response_and_error() } do
      for name in next, value do assert.is_string(name) end
      for name, member in pairs(value) do
        assert.is_string(name)
        assert.not_equal("userdata", type(member))
      end
    end
  end)

  it("cannot be given another's functions", function()
    local response, err = response_and_error()
    local client = clients.sandbox()
    for _, wrong in ipairs { client, 1, "x", {}, print, io.stdout, polytomic.null } do
      assert.is_false((pcall(response.curl, wrong)))
      if _VERSION ~= "Lua 5.1" then assert.is_false((pcall((pairs(response)), wrong)) and
        type(wrong) ~= "table") end
    end
    assert.is_string(response.curl(response))
    assert.is_string(response.curl(err))
    assert.equal("protected", getmetatable(response))
    assert.equal("protected", getmetatable(require("polytomic.core").functions))
  end)

  it("is collected with it, results of started calls included", function()
    local client = clients.sandbox()
    local kept = setmetatable({}, { __mode = "k" })
    for _ = 1, 20 do
      local call = client:start "list_orgs"
      while not call:done() do client:step(0.1) end
      local _, _, response = call:result()
      kept[response], kept[call] = true, true
    end
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(kept) do left = left + 1 end
    assert.is_true(left <= 2, left .. " are left") -- the last ones may be on the stack
  end)
end)

describe("L: a call whose wait reads its result", function()
  it("keeps it to itself", function()
    local calls = {}
    local client
    client = clients.sandbox { wait = function(one, call)
      calls[#calls + 1] = call
      while not call:done() do one:step(0.1) end
      call:result()
    end }
    local core = require "polytomic.core"
    assert(core.run(client, "create_org", { name = "Acme" }))
    assert(core.run(client, "list_orgs"))
    assert.equal("Acme", (calls[1]:result()).name)
    assert.equal("table", type((calls[2]:result())[1]))
  end)
end)

describe("L: cancelling a call in a child after fork", function()
  it("does not end the parent's call", function()
    sandbox:faults { { operation = "list_orgs", fault = "latency", seconds = 0.3 } }
    assert_script [[
      local testing = require "polytomic.testing"
      local client = new()
      local call = client:start "list_orgs"
      for _ = 1, 5 do client:step(0.02) end
      local child = testing.fork()
      if child == 0 then
        call:cancel()
        testing.leave(select(3, call:result()).kind == "cancelled" and 0 or 1)
      end
      assert(testing.wait_for(child) == 0)
      while not call:done() do client:step(0.1) end
      assert(call:result())
      io.write "done"
    ]]
  end)
end)

describe("L: a program that this process runs", function()
  it("inherits no connection of the library", function()
    for _, options in ipairs { {}, { http_version = "2" } } do
      local client = clients.sandbox(options)
      assert(client:list_orgs())
      local port = ("%04X"):format(tonumber(sandbox.url:match ":(%d+)$"))
      local ours = {}
      for line in io.lines "/proc/self/net/tcp" do
        local remote, inode =
          line:match "^%s*%d+: %x+:%x+ %x+:(%x+) 01 %x+:%x+ %x+:%x+ %x+ +%d+ +%d+ (%d+) "
        if remote == port and inode ~= "0" then ours[#ours + 1] = inode end
      end
      local function connections(directory)
        local pipe = assert(io.popen("ls -l " .. directory))
        local listing, count = pipe:read "*a", 0
        pipe:close()
        for _, inode in ipairs(ours) do
          if listing:find("socket:[" .. inode .. "]", 1, true) then count = count + 1 end
        end
        return count
      end
      assert.is_true(connections "/proc/$PPID/fd" > 0)
      assert.equal(0, connections "/proc/self/fd")
      client:close()
    end
  end)
end)

describe("L: seconds that fit no clock", function()
  it("are taken for very long", function()
    local client = clients.sandbox()
    local call = client:start("list_orgs", nil, { timeout = 1e300, attempt_timeout = 1e300 })
    local _ = client:pollfd()
    while not call:done() do client:step(1e300) end
    assert(call:result())
    require("polytomic.core").pause(client, 1e300)
    assert.is_true(client:timeout() > 1e299)
  end)
end)

describe("P: a message with a number", function()
  it("is the same in a locale with a decimal comma", function()
    local silent = clients.server { { "read", "stall" } }
    local out = require("spec.support.locale").run([[
      local polytomic = require "polytomic"
      local client = polytomic.new { base_url = arg[1], partner_key = "partner-key", env = false,
        max_connections = 1, retries = 0 }
      local first = client:start "list_orgs"
      local second = client:start("list_orgs", nil, { timeout = 0.25 })
      while not second:done() do client:step(0.1) end
      io.write((select(2, second:result())))
      first:cancel()
    ]], silent.url)
    assert.equal("list_orgs: timeout: no connection was free within 0.25 s", out)
  end)
end)

describe("M: masking a request", function()
  it("ends where a secret is empty", function()
    assert_script [[
      local client = new { base_url = "http://127.0.0.1:1" }
      local _, _, err = client:request { method = "POST", path = "/api/models",
        query = { token = "", limit = 50 }, body = { secret = "", x = { key = "" } } }
      assert(err:curl():find("?limit=50&token=***", 1, true)
        or err:curl():find("?token=***&limit=50", 1, true), err:curl())
      io.write "done"
    ]]
  end)

  it("takes time as the request has bytes, and only when it is asked for", function()
    local client = clients.sandbox { base_url = "http://127.0.0.1:1" }
    local rows = {}
    for i = 1, 16000 do rows[i] = { key = "row-key-" .. i, value = i } end
    local began = os.clock()
    local _, _, err =
      client:request { method = "POST", path = "/api/models", body = { rows = rows } }
    assert.is_true(os.clock() - began < 1, "seconds: " .. os.clock() - began)
    assert.is_true(#err:curl() > 16000 * 20)
    lacks(err:curl(), "row-key-")
    assert.is_true(os.clock() - began < 2, "seconds: " .. os.clock() - began)
  end)

  it("takes time as the reply has bytes, however many secrets it is compared with", function()
    local rows = {}
    for i = 1, 2000 do rows[i] = { key = "row-key-" .. i } end
    local client = clients.answered { { 422, "<html>" .. ("<p>row-key-x</p>"):rep(60000) } }
    local began = os.clock()
    local _, _, err =
      client:request { method = "POST", path = "/api/models", body = { rows = rows } }
    assert.equal("unprocessable", err.kind)
    assert.is_true(os.clock() - began < 1, "seconds: " .. os.clock() - began)
  end)

  it("hides each secret within another once, in whichever order they were written", function()
    local client = clients.answered { 500 }
    local _, _, err = client:request {
      method = "POST", path = "/api/models",
      body = { credentials = { token = "inner-canary", name = "x" }, plain = "y" },
    }
    local command = err:curl()
    contains(command, '"credentials":"***"')
    contains(command, '"plain":"y"')
    lacks(command, "canary")
  end)
end)

describe("M: a header of the caller", function()
  it("whose name is a secret's is hidden in messages, errors and curl", function()
    for _, way in ipairs { "call", "client" } do
      local headers = { ["X-Auth-Token"] = "header-canary", ["X-Team"] = "blue-team" }
      local client = clients.answered(
        { { 422, '{"message":"no: header-canary, blue-team"}', { ["X-Echo"] = "header-canary" } } },
        { headers = way == "client" and headers or nil }
      )
      local _, message, err = client:list_orgs({}, way == "call" and { headers = headers } or nil)
      contains(message, "no: *************, blue-team")
      assert.equal("*************", err.headers["x-echo"])
      contains(err:curl(), "X-Auth-Token: ***'")
      contains(err:curl(), "X-Team: blue-team'")
    end
  end)
end)

describe("M: a number given as a secret", function()
  it("is hidden in a reply, which stays JSON", function()
    local client = clients.answered {
      { 422, '{"message":"bad pin 80412377","metadata":{"pin":80412377}}' },
    }
    local _, message, err =
      client:request { method = "POST", path = "/api/models", body = { password = 80412377 } }
    lacks(message, "8041")
    assert.same({ pin = 0 }, err.metadata)
    lacks(err:curl(), "8041")
  end)
end)
