-- on_event: what is told of a call, in which order, and what an error thrown inside it does.

local clients = require "spec.support.clients"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local uuid = "248df4b7-aa70-47b8-a036-33ac447e668d"

-- A handler that keeps what it is told, and the list.
local function recorder()
  local list = {}
  return function(event) list[#list + 1] = event end, list
end

local function types(list)
  local found = {}
  for i, event in ipairs(list) do found[i] = event.type end
  return found
end

-- Runs a call to its end and returns its three results: plainly, with wait, or started and stepped.
local ways = {
  plain = function(options)   return clients.sandbox(options),
    function(client, name, arguments) return client[name](client, arguments) end
end,
  waiting = function(options)
    options.wait = function(client, call) while not call:done() do client:step(0.1) end end
  return clients.sandbox(options),
    function(client, name, arguments) return client[name](client, arguments) end
  end,
  started = function(options)
    return clients.sandbox(options), function(client, name, arguments)
      local call = client:start(name, arguments)
      while not call:done() do client:step(0.1) end
      return call:result()
    end
  end,
}

clients.around(before_each, after_each)

for way, make in pairs(ways) do
  describe("Of a " .. way .. " call", function()
    it("every attempt is reported, then the end, with all fields", function()
      local tell, list = recorder()
      local client, run = make { on_event = tell }
      local _, _, response = run(client, "create_org", { name = "Acme" })
      assert.same({ "attempt", "done" }, types(list))
      local attempt, done = list[1], list[2]
      assert.same({ "create_org", 1, 200, response.request_id },
        { attempt.operation, attempt.attempt, attempt.status, attempt.request_id })
      assert.same({ "create_org", 1, 200, response.request_id },
        { done.operation, done.attempt, done.status, done.request_id })
      assert.is_string(done.request_id)
      assert.is_true(attempt.elapsed > 0 and attempt.elapsed <= done.elapsed)
      assert.equal(response.elapsed, done.elapsed)
      for _, event in ipairs(list) do
        assert.is_nil(event.error)
        assert.is_nil(event.wait)
      end
    end)

    it("every retry is reported with its cause and its wait", function()
      sandbox:faults {
        { operation = "list_orgs", fault = "status", status = 503, retry_after = 0 },
        { operation = "list_orgs", fault = "reset_before" },
      }
      local tell, list = recorder()
      local client, run = make { on_event = tell }
      assert.is_table((run(client, "list_orgs")))
      assert.same({ "attempt", "retry", "attempt", "retry", "attempt", "done" }, types(list))
      assert.same({ 1, 503, "server" }, { list[1].attempt, list[1].status, list[1].error })
      assert.same({ 1, 503, "server", 0 },
        { list[2].attempt, list[2].status, list[2].error, list[2].wait })
      assert.same({ 2, "network" }, { list[3].attempt, list[3].error })
      assert.is_nil(list[3].status)
      assert.same({ 2, "network" }, { list[4].attempt, list[4].error })
      assert.is_true(list[4].wait >= 0 and list[4].wait <= 8)
      assert.same({ 3, 200 }, { list[5].attempt, list[5].status })
      assert.same({ 3, 200 }, { list[6].attempt, list[6].status })
      assert.is_nil(list[6].error)
      assert.is_true(list[6].elapsed >= list[4].wait)
    end)

    it("a failure is reported with its kind", function()
      local tell, list = recorder()
      local client, run = make { on_event = tell }
      run(client, "get_org", { id = uuid })
      assert.same({ "attempt", "done" }, types(list))
      assert.same({ "not_found", "not_found", 404 },
        { list[1].error, list[2].error, list[2].status })
      sandbox:faults { { operation = "list_orgs", fault = "bad_json" } }
      run(client, "list_orgs")
      assert.equal("bad_response", list[#list].error)
    end)

    it("nothing is reported where nothing was made up", function()
      local tell, list = recorder()
      local client, run = make { on_event = tell }
      run(client, "create_org", {})
      client:close()
      run(client, "list_orgs")
      assert.same({}, list)
    end)

    it("an error thrown inside surfaces once from the call, and what was sent is done", function()
      for _, at in ipairs { "attempt", "done" } do
        local seen = {}
        local thrown = { at }
        local client, run = make { on_event = function(event)
          seen[#seen + 1] = event.type
          if event.type == at and event.operation == "create_org" then error(thrown, 0) end
        end }
        local ok, raised = pcall(run, client, "create_org", { name = "Acme " .. at })
        assert.is_false(ok)
        assert.equal(thrown, raised)
        assert.same({ "attempt", "done" }, seen)
        assert.is_table((run(client, "list_orgs")))
        assert.same({ "attempt", "done", "attempt", "done" }, seen)
        assert.equal(0, client:stats().active)
      end
      assert.equal(2, sandbox:committed("create_org"))
    end)

    it("an error thrown at a retry does not stop the retries", function()
      sandbox:faults {
        { operation = "create_org", fault = "status", status = 503, retry_after = 0, times = 2 },
      }
      local client, run =
        make { on_event = function(event) error(event.type .. event.attempt, 0) end }
      local ok, raised = pcall(run, client, "create_org", { name = "Acme" })
      assert.is_false(ok)
      assert.equal("attempt1", raised)
      assert.equal(3, #sandbox:requests("create_org"))
      assert.equal(1, sandbox:committed("create_org"))
    end)

    it("another call can be made from inside, and ends before", function()
      local client, run
      local order = {}
      client, run = make { on_event = function(event)
        order[#order + 1] = event.operation .. " " .. event.type
        if event.operation == "create_org" and event.type == "attempt" then
          assert.is_table((run(client, "list_orgs")))
          order[#order + 1] = "back"
        end
      end }
      assert.is_table((run(client, "create_org", { name = "Acme" })))
      assert.same(
        { "create_org attempt", "list_orgs attempt", "list_orgs done", "back", "create_org done" },
        order
      )
    end)

    it("the client can be closed from inside", function()
      local client, run
      client, run = make { on_event = function() client:close() end }
      run(client, "create_org", { name = "Acme" })
      assert.equal(1, sandbox:committed("create_org"))
      assert.equal("closed", select(3, run(client, "list_orgs")).kind)
    end)
  end)
end

describe("A deprecation", function()
  local function answered(headers, options)
    return clients.answered({ { 200, '{"data":[]}', headers } }, options)
  end

  it("is reported once per operation, before the end, with what the headers say", function()
    local tell, list = recorder()
    local client = answered(
      { Deprecation = "@1688169599", Sunset = "Sun, 30 Jun 2030 23:59:59 GMT" },
      { on_event = tell }
    )
    for _ = 1, 3 do client:list_orgs() end
    assert.same({ "attempt", "deprecation", "done", "attempt", "done", "attempt", "done" },
      types(list))
    assert.same({ "list_orgs", 200, "@1688169599", "Sun, 30 Jun 2030 23:59:59 GMT" },
      { list[2].operation, list[1].status, list[2].deprecation, list[2].sunset })
    client:list_current_org_users()
    assert.same({ "attempt", "deprecation", "done" },
      { types(list)[8], types(list)[9], types(list)[10] })
    assert.equal("list_current_org_users", list[9].operation)
  end)

  it("is reported for either header, on failures too", function()
    for _, headers in ipairs { { Deprecation = "true" },
        { Sunset = "Sun, 30 Jun 2030 23:59:59 GMT" } } do
      local tell, list = recorder()
      local client = clients.answered({ { 404, "{}", headers } }, { on_event = tell })
      client:get_org { id = uuid }
      assert.same({ "attempt", "deprecation", "done" }, types(list))
    end
  end)

  it("is reported once for all clients made by as_org", function()
    local tell, list = recorder()
    local client = answered({ Deprecation = "true" }, { on_event = tell })
    for _ = 1, 3 do client:as_org(uuid):list_current_org_users() end
    client:list_current_org_users()
    local count = 0
    for _, event in ipairs(list) do count = count + (event.type == "deprecation" and 1 or 0) end
    assert.equal(1, count)
  end)

  it("is not reported where no header says so", function()
    local tell, list = recorder()
    answered({ ["X-Deprecation-Policy"] = "none" }, { on_event = tell }):list_orgs()
    assert.same({ "attempt", "done" }, types(list))
  end)
end)

describe("A started call", function()
  it("is reported by result, once, also where it is asked for again", function()
    local tell, list = recorder()
    local client = clients.sandbox { on_event = tell }
    local call = client:start("list_orgs")
    while not call:done() do client:step(0.1) end
    assert.same({}, list)
    local first = call:result()
    assert.equal(first, (call:result()))
    assert.same({ "attempt", "done" }, types(list))
  end)

  it("keeps its result when on_event throws", function()
    local client = clients.sandbox {
      on_event = function(event)
        if event.type == "done" then error("thrown", 0) end
      end,
    }
    local call = client:start("create_org", { name = "Acme" })
    while not call:done() do client:step(0.1) end
    local ok, raised = pcall(call.result, call)
    assert.is_false(ok)
    assert.equal("thrown", raised)
    local org, message, response = call:result()
    assert.same({ "Acme", 200 }, { org.name, response.status })
    assert.is_nil(message)
  end)

  it("that is cancelled is reported as cancelled", function()
    sandbox:faults { { operation = "list_orgs", fault = "stall_headers", seconds = 2 } }
    local tell, list = recorder()
    local client = clients.sandbox { on_event = tell }
    local call = client:start("list_orgs")
    repeat client:step(0.05) until #sandbox:requests() == 1
    call:cancel()
    assert.equal("cancelled", select(3, call:result()).kind)
    assert.same({ "done", "cancelled" }, { list[#list].type, list[#list].error })
  end)
end)

describe("on_event", function()
  it("belongs to the client it was given to, and to those as_org makes of it", function()
    local tell, list = recorder()
    local client = clients.sandbox { on_event = tell }
    clients.sandbox():list_orgs()
    assert.same({}, list)
    local org = assert(client:create_org { name = "Acme" })
    client:as_org(org.id):get_current_org()
    assert.same({ "attempt", "done", "attempt", "done" }, types(list))
  end)

  it("is reported for requests outside the catalogue", function()
    local tell, list = recorder()
    clients.sandbox({ on_event = tell }):request { method = "GET", path = "/api/organizations" }
    assert.same({ "request", "request" }, { list[1].operation, list[2].operation })
  end)

  it("may hold the handler's only reference, and a collector that runs in every event", function()
    local client = clients.sandbox { on_event = function() collectgarbage() end }
    for i = 1, 20 do assert.is_table((client:create_org { name = "Acme " .. i })) end
    assert.equal(21, #client:list_orgs())
  end)

  it("is reported without a status where there was no reply", function()
    local refused = raw_server.refused()
    local tell, list = recorder()
    local client = clients.sandbox { base_url = refused.url, retries = 0, on_event = tell }
    client:list_orgs()
    refused.stop()
    assert.same({ "attempt", "done" }, types(list))
    for _, event in ipairs(list) do
      assert.is_nil(event.status)
      assert.is_nil(event.request_id)
      assert.equal("connect", event.error)
    end
  end)
end)
