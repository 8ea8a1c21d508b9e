-- What the wait adapters are made of: who waits for which call, and one driver for all that share
-- connections.

local clients = require "spec.support.clients"
local core = require "polytomic.core"
local driver = require "polytomic.driver"
local sandbox = require "spec.support.sandbox"

before_each(function() sandbox:reset() end)
after_each(clients.close)

local function run_to_end(client)
  local deadline = core.now() + 5
  while client:step(0.05) > 0 do assert(core.now() < deadline) end
end

describe("watch", function()
  it("wakes everybody who waits for a call, once, when somebody notices that it is done", function()
    local client = clients.sandbox()
    local call, woken = client:start("create_org", { name = "Acme" }), {}
    for i = 1, 3 do driver.watch(client, call, function() woken[#woken + 1] = i end) end
    run_to_end(client)
    assert.same({}, woken)
    assert.is_true(driver.wake(client))
    assert.same({ 1, 2, 3 }, woken)
    assert.is_false(driver.wake(client))
    assert.same({ 1, 2, 3 }, woken)
  end)

  it("wakes at once where the call is done already", function()
    local client = clients.sandbox()
    local woken = 0
    driver.watch(client, client:start("create_org", { name = 5 }), function() woken = woken + 1 end)
    assert.equal(1, woken)
  end)

  it("is known to any client that shares the connections", function()
    local client = clients.sandbox()
    local org = assert(client:create_org { name = "Acme" })
    local shared = client:as_org(org.id)
    local woken = 0
    driver.watch(client, client:start("create_org", { name = "Initech" }), function()
      woken = woken + 1
    end)
    driver.watch(shared, shared:start("get_current_org"), function() woken = woken + 1 end)
    run_to_end(client)
    driver.wake(shared)
    assert.equal(2, woken)
  end)

  it("forgets nobody when one that is woken raises", function()
    local client = clients.sandbox()
    local woken = {}
    for i = 1, 3 do
      driver.watch(client, client:start("create_org", { name = "Acme " .. i }), function()
        woken[#woken + 1] = i
        if #woken == 1 then error "oops" end
      end)
    end
    run_to_end(client)
    assert.is_false((pcall(driver.wake, client)))
    driver.wake(client)
    table.sort(woken)
    assert.same({ 1, 2, 3 }, woken)
  end)
end)

describe("drive", function()
  it("starts one driver per loop and set of connections, which ends with the last call", function()
    local client, other = clients.sandbox(), clients.sandbox()
    local org = assert(client:create_org { name = "Acme" })
    local loop, started = {}, {}
    local function start(one)
      started[#started + 1] = one
      return true
    end
    local call = client:start("create_org", { name = "Initech" })
    local first = driver.drive(client, loop, start)
    assert.equal(first, driver.drive(client:as_org(org.id), loop, start))
    assert.are_not.equal(first, driver.drive(other, loop, start))
    assert.are_not.equal(first, driver.drive(client, {}, start))
    assert.equal(3, #started)
    local turns = 0
    while first:turn() do turns = turns + 1 end
    assert.is_true(call:done())
    assert.equal(turns + 1, first.turns)
    first:stop()
    assert.are_not.equal(first, driver.drive(client, loop, start))
    for _, one in ipairs(started) do one:stop() end
  end)

  it("goes on for others when the client it began for is closed", function()
    local client = clients.sandbox()
    local org = assert(client:create_org { name = "Acme" })
    local shared = client:as_org(org.id)
    local call = shared:start("get_current_org")
    local one = driver.drive(client, {}, function() return true end)
    client:close()
    while one:turn() do assert.is_false(call:done()) end
    assert.equal("Acme", (call:result()).name)
    one:stop()
  end)

  it("says why a loop cannot start one", function()
    local client = clients.sandbox()
    local loop = {}
    local one, message = driver.drive(client, loop, function() return nil, "no timer left" end)
    assert.is_nil(one)
    assert.equal("no timer left", message)
    one = driver.drive(client, loop, function() return true end)
    assert.is_table(one)
    one:stop()
  end)

  it("goes on where those it woke began new calls", function()
    local client = clients.sandbox()
    local names = {}
    local one = driver.drive(client, {}, function() return true end)
    driver.watch(client, client:start("create_org", { name = "Acme" }), function()
      local second = client:start("create_org", { name = "Initech" })
      driver.watch(client, second, function() names[1] = second:result().name end)
    end)
    while one:turn() do assert.is_nil(names[1]) end
    assert.equal("Initech", names[1])
    one:stop()
  end)
end)
