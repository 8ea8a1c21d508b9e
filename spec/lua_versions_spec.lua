-- What differs from Lua to Lua: collectors set to torture, memory over many calls, coroutines, and
-- the names the types promise.

local clients = require "spec.support.clients"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local uuid = "248df4b7-aa70-47b8-a036-33ac447e668d"

before_each(function() sandbox:reset() end)
after_each(clients.close)

-- A piece of everything: calls of all kinds, failures, retries, clients made and dropped, calls
-- dropped in flight.
local function everything()
  sandbox:reset()
  local events = 0
  local client = clients.sandbox { on_event = function() events = events + 1 end }
  local org = client:create_org { name = "Acme", issuer = "https://login.acme.com" }
  local user = client:create_user { org_id = org.id, email = "jane@acme.com" }
  local list, _, response = client:list_users { org_id = org.id }
  local parts =
    { response.headers, response.timeline, response:curl(), tostring(client), client:stats() }
  local _, message, err = client:get_org { id = uuid }
  local _, invalid = client:create_org { name = {} }
  pcall(client.create_org, client, { name = "x" }, { retries = -1 })
  local calls = {}
  for i = 1, 5 do calls[i] = client:as_org(org.id):start("get_current_org") end
  calls[2]:cancel()
  calls[3], calls[4] = nil, nil
  while not (calls[1]:done() and calls[5]:done()) do client:step(0.01) end
  client:start("list_orgs")
  clients.sandbox():start("list_orgs")
  assert(
    #parts == 5
      and user.email == "jane@acme.com"
      and list[1].email == user.email
      and #message > 0
      and err.status == 404
      and #invalid > 0
  )
  assert(
    calls[1]:result().name == "Acme"
      and select(3, calls[2]:result()).kind == "cancelled"
      and calls[5]:result().name == "Acme"
  )
  assert(events > 0)
  clients.close()
end

describe("A collector", function()
  after_each(function()
    collectgarbage "restart"
    collectgarbage("setpause", 200)
    collectgarbage("setstepmul", 200)
    if _VERSION == "Lua 5.4" then collectgarbage "incremental" end
  end)

  it("that runs all the time takes nothing that is in use", function()
    collectgarbage("setpause", 0)
    collectgarbage("setstepmul", 1000)
    for _ = 1, 3 do everything() end
  end)

  it("that runs in full in every event and after every step takes nothing either", function()
    local client = clients.sandbox { on_event = function()       collectgarbage()
end, wait = function(self, call)
      while not call:done() do
        self:step(0.01)
        collectgarbage()
      end
    end }
    for i = 1, 10 do
      local org = client:create_org { name = "Acme " .. i }
      collectgarbage()
      assert.equal("Acme " .. i, org.name)
    end
  end)

  it("that is generational takes nothing that is in use", function()
    if _VERSION == "Lua 5.4" then collectgarbage "generational" end
    for _ = 1, 5 do everything() end
  end)

  it("that is stopped stays stopped, also over a large reply", function()
    local client = clients.answered { { 200, '{"data":[' .. ('{"id":"x"},'):rep(20000) .. "{}]}" } }
    collectgarbage "stop"
    assert.equal(20001, #client:list_orgs())
    local before = collectgarbage "count"
    for _ = 1, 1000 do local _ = { {}, {}, {} } end
    assert.is_true(collectgarbage "count" > before)
    if _VERSION ~= "Lua 5.1" then assert.is_false(collectgarbage "isrunning") end
  end)

  it("that runs goes on running after a large reply", function()
    local client = clients.answered { { 200, '{"data":[' .. ('{"id":"x"},'):rep(20000) .. "{}]}" } }
    assert.equal(20001, #client:list_orgs())
    if _VERSION ~= "Lua 5.1" then assert.is_true(collectgarbage "isrunning") end
    local weak = setmetatable({}, { __mode = "v" })
    local function fill() weak[1] = {} end
    fill()
    local kept = {}
    for i = 1, 1000000 do
      kept[i % 100] = { {} } -- what is kept nowhere a compiler may leave out
      if #weak == 0 then break end
    end
    assert.is_true(#weak == 0 and #kept > 0)
  end)
end)

describe("Thousands of calls", function()
  local function resident()
    local file = assert(io.open "/proc/self/statm")
    local _, pages = file:read("*n", "*n")
    file:close()
    return pages * 4
  end

  it("leave memory and descriptors as they were", function()
    local client = clients.answered {
      { 200, '{"data":{"id":"x","name":"Acme","more":[1,2,3]}}' },
      { 200, '{"data":{"id":"x"}}' },
    }
    local function calls(count)
      for i = 1, count / 4 do
        assert(client:create_org { name = "Acme " .. i })
        client:create_org { name = "" }
        assert(client:get_org({ id = uuid }, { organization = uuid, headers = { ["X-A"] = "b" } }))
        local call = client:start("get_org", { id = uuid })
        while not call:done() do client:step(0.1) end
        assert(call:result())
      end
      collectgarbage()
      collectgarbage()
    end
    calls(800)
    local lua_before, grown = collectgarbage "count", math.huge
    for _ = 1, 2 do -- an allocator may still settle in the first of them
      local before = resident()
      calls(1000)
      grown = math.min(grown, resident() - before)
    end
    assert.is_true(collectgarbage "count" - lua_before < 64,
      "Lua grew by " .. collectgarbage "count" - lua_before .. " KB")
    assert.is_true(grown < 512, "the process grew by " .. grown .. " KB")
    assert.equal(1, client:stats().connections_opened)
  end)

  it("by clients that are made, used and forgotten leave nothing either", function()
    local server = clients.server { { 200, '{"data":[]}' } }
    local function descriptors()
      local file = process.temporary_file()
      os.execute("ls /proc/$PPID/fd | wc -l >" .. file)
      return tonumber(process.contents(file))
    end
    local function rounds(count)
      for _ = 1, count do
        local client =
          polytomic.new { env = false, base_url = server.url, partner_key = "partner-key-of-specs" }
        assert(client:list_orgs())
        client:start("list_orgs")
      end
      -- A call goes a collection after its response: weak tables of Lua 5.1 know no ephemerons.
      for _ = 1, 4 do collectgarbage() end
    end
    rounds(20)
    local lua_before, before, open = collectgarbage "count", resident(), descriptors()
    rounds(100)
    assert.equal(open, descriptors())
    assert.is_true(collectgarbage "count" - lua_before < 64)
    assert.is_true(resident() - before < 4096)
  end)
end)

describe("A coroutine", function()
  it("can make blocking calls, and be forgotten in the middle of a started one", function()
    local client = clients.sandbox()
    local co = coroutine.wrap(function()
      coroutine.yield(assert(client:create_org { name = "Acme" }))
      coroutine.yield(client:start("list_orgs"))
    end)
    assert.equal("Acme", co().name)
    local call = co()
    co = nil -- luacheck: ignore
    collectgarbage()
    while not call:done() do client:step(0.1) end
    assert.equal(2, #call:result())
  end)

  it("is suspended by wait on every Lua, from client and module", function()
    local function wait(_, call)
      while not call:done() do coroutine.yield("waiting") end
    end
    local client = clients.sandbox { wait = wait }
    polytomic.configure {
      env = false,
      base_url = sandbox.url,
      partner_key = sandbox.partner_key,
      wait = wait,
    }
    for _, list in pairs { client = function() return client:list_orgs() end,
        module = function() return polytomic.list_orgs() end, request =
          function() return client:request { method = "GET", path = "/api/organizations" } end } do
      local co = coroutine.create(list)
      local suspensions = 0
      local ok, value
      repeat
        ok, value = coroutine.resume(co)
        assert.is_true(ok, tostring(value))
        if value == "waiting" then
          suspensions = suspensions + 1
          client:step(0.01)
          polytomic.client():step(0.01)
        end
      until coroutine.status(co) == "dead"
      assert.equal(1, #value)
      assert.is_true(suspensions > 0)
    end
    polytomic.client():close()
    polytomic.configure { env = false }
  end)

  it("gets the error that wait throws", function()
    local client = clients.sandbox { wait = function() error("no more waiting", 0) end }
    local ok, raised = pcall(client.list_orgs, client)
    assert.is_false(ok)
    assert.equal("no more waiting", raised)
  end)
end)

describe("The types in library/polytomic.lua", function()
  local text
  setup(function()
    text = process.contents "library/polytomic.lua"
  end)

  it("name only methods a client has, and functions the module has", function()
    local client = polytomic.new { env = false }
    local methods, functions = 0, 0
    for name in text:gmatch("\nfunction Client:([%w_]+)") do
      assert.is_function(client[name], name)
      methods = methods + 1
    end
    for name in text:gmatch("\nfunction M%.([%w_]+)") do
      assert.is_function(polytomic[name], name)
      functions = functions + 1
    end
    client:close()
    local operations = #polytomic.operations
    assert.is_true(methods > operations and functions > operations)
  end)

  it("name every operation, for client and module", function()
    for _, operation in ipairs(polytomic.operations) do
      assert.is_truthy(text:find("\nfunction Client:" .. operation.name .. "(", 1, true),
        operation.name)
      assert.is_truthy(text:find("\nfunction M." .. operation.name .. "(", 1, true), operation.name)
    end
  end)

  it("name the parts a call and a response have", function()
    local client = clients.sandbox()
    local call = client:start("list_orgs")
    for name in text:gmatch("\nfunction Call:([%w_]+)") do assert.is_function(call[name], name) end
    while not call:done() do client:step(0.1) end
    local _, _, response = call:result()
    local members = text:match("%-%-%-@class polytomic.Response\n(.-)local Response")
    for name, optional in members:gmatch("@field ([%w_]+)(%??) ") do
      if optional == "" then assert.not_nil(response[name], name) end
    end
    for name in text:gmatch("\nfunction Response:([%w_]+)") do
      assert.is_function(response[name], name)
    end
  end)

  it("name every option of polytomic.new and of a call, and no other", function()
    local function fields(class)
      return text:match("%-%-%-@class polytomic%." .. class .. "\n(.-)\n\n")
    end
    local client = clients.sandbox()
    for class, try in pairs { Options = function(options) return pcall(polytomic.new, options) end,
        CallOptions = function(options) return pcall(client.create_org, client, { name = "x" },
          options) end } do
      local count = 0
      for name in fields(class):gmatch("@field ([%w_]+)") do
        local _, message = try { [name] = io.stdout }
        assert.is_truthy(tostring(message):find(name, 1, true), name)
        assert.is_nil(tostring(message):find("unknown option", 1, true), name)
        count = count + 1
      end
      assert.is_true(count >= (class == "Options" and 25 or 9), class)
    end
  end)
end)
