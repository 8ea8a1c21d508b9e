-- Waiting for work, and rows of queries, against scripted replies.

local cjson = require("cjson").new()
local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local core = require "polytomic.core"
local modes = require "spec.support.modes"
local process = require "spec.support.process"

local ID = "2f1b7b0c-0d5e-4f6e-8c41-4a3c8b0c5d0e"
local JOB = { type = "createmodel", id = ID }

-- What is waited for, as the facts have it.
local statuses = cjson.decode(process.contents "csrc/catalogue/statuses.json")
local overlay = cjson.decode(process.contents "csrc/catalogue/overlay.json")
local ARGUMENTS = {
  get_job = JOB,
  get_sync_execution = { sync_id = ID, id = ID },
  get_bulk_sync_execution = { id = ID, exec_id = ID },
  get_harbor = { harbor_id = ID },
  get_harbor_action_execution = { harbor_id = ID, execution_id = ID },
  list_bulk_sync_execution_statuses = { sync_id = { ID } },
}

local function status(word, more)
  return { 200, ('{"data":{"id":"%s","status":"%s"%s}}'):format(ID, word, more or "") }
end

for _, mode in ipairs(modes) do
  describe("waiting for work with " .. mode.name, function()
    after_each(clients.close)

    local function answered(replies)
      return clients.answered(replies, mode.options { api_key = "key-of-a-user" })
    end

    local function wait_for(client, operation, arguments, settings)
      local ok, data, message, response = mode.attempt(function()
        return client:wait_for(operation, arguments, settings)
      end)
      assert(ok, data)
      return data, message, response
    end

    it("asks again until the work is done, and returns as the operation does", function()
      local client, server =
        answered { status "created", status "running", status("done", ',"result":{"n":1}') }
      local data, message, response = wait_for(client, "get_job", JOB, { interval = 0.001 })
      assert.equal(1, data.result.n)
      assert.is_nil(message)
      assert.same({ "get_job", 200 }, { response.operation, response.status })
      assert.equal(3, #server:requests())
    end)

    -- A reply with the status where the data has it, and an identifier beside it.
    local function reply_of(entry, word, more)
      local path = entry.field:match "^[^,]+"
      local object = ('"status":"%s"'):format(word)
      if path:find "cache_status$" then object = ('"cache_status":"%s"'):format(word) end
      object = "{" .. object .. (more or "") .. "}"
      local inside = path:match "^data%.([%w_]+)%.status$"
      if inside then object = ('{"%s":%s}'):format(inside, object) end
      if path:find("[]", 1, true) then object = "[" .. object .. "]" end
      return { 200, '{"data":' .. object .. "}" }
    end

    for _, entry in ipairs(statuses.polling) do
      local name = entry.operation
      local arguments = ARGUMENTS[name] or { id = ID }
      local goes_on = {}
      for _, word in ipairs(overlay.goes_on[name] or {}) do goes_on[word] = true end

      it("of " .. name .. " ends at every successful status, and goes on before it", function()
        for _, word in ipairs(entry.success) do
          local words = { "of_tomorrow" }
          for _, running in ipairs(entry.running) do words[#words + 1] = running end
          for again in pairs(goes_on) do words[#words + 1] = again end
          words[#words + 1] = word
          local replies = {}
          for index, one in ipairs(words) do replies[index] = reply_of(entry, one) end
          local client, server = answered(replies)
          local data, message = wait_for(client, name, arguments, { interval = 0.0001 })
          assert.is_table(data, message)
          assert.equal(#words, #server:requests())
        end
      end)

      it("of " .. name .. " is an error of kind failed at every status of a failure", function()
        for _, word in ipairs(entry.failure) do
          if not goes_on[word] then
            local client = answered { reply_of(entry, word) }
            local data, message, err = wait_for(client, name, arguments)
            assert.is_nil(data)
            assert.equal(("%s: 200 failed: the work ended as '%s'"):format(name, word), message)
            assert.same({ "failed", word == "unknown" and "unknown" or "rejected", 200 },
              { err.kind, err.outcome, err.status })
          end
        end
      end)
    end

    it("tells the reason of a failure, from where each operation has it", function()
      for name, case in pairs {
        get_job = { "failed", ',"error":"division by zero"' },
        get_sync_execution = { "failed", ',"errors":["division by zero","again"]' },
        get_bulk_sync_execution = { "errors", ',"status_message":"division by zero"' },
        get_harbor_action_execution = { "failed", ',"failure_category":"division by zero"' },
        get_sync_status = { "failed", ',"errors":["division by zero"]' },
        get_bulk_sync_status = { "failed", ',"status_message":"division by zero"' },
      } do
        local entry
        for _, one in ipairs(statuses.polling) do
          if one.operation == name then entry = one end
        end
        local client = answered { reply_of(entry, case[1], case[2]) }
        local _, message, err = wait_for(client, name, ARGUMENTS[name] or { id = ID })
        local problem = name .. ": 200 failed: the work ended as '" .. case[1]
        assert.equal(problem .. "': division by zero", message)
        assert.equal("division by zero", err.message)
        assert.equal("table", type(err.body.data))
      end
    end)

    it("looks at the run under way, and at the last one where none is", function()
      local function runs(current, last)
        return { 200, ('{"data":{"current_execution":%s,"last_execution":%s}}'):format(
          current and '{"status":"' .. current .. '"}' or "null",
          last and '{"status":"' .. last .. '"}' or "null"
        ) }
      end
      for _, name in ipairs { "get_sync_status", "get_bulk_sync_status" } do
        local client, server =
          answered { runs("created", "failed"), runs("running", "failed"), runs(nil, "completed") }
        local data, message = wait_for(client, name, { id = ID }, { interval = 0.0001 })
        assert.is_table(data, message)
        assert.equal(3, #server:requests())
        client = answered { runs("running"), runs(nil, "canceled") }
        local settings = { interval = 0.0001 }
        assert.equal("failed", select(3, wait_for(client, name, { id = ID }, settings)).kind)
        client = answered { runs() }
        assert.equal("bad_response", select(3, wait_for(client, name, { id = ID })).kind)
      end
    end)

    it("waits for every one of a list, and ends at the first that failed", function()
      local function list(...)
        local items = {}
        for index, word in ipairs { ... } do
          items[index] = word == "none" and "{}" or '{"status":"' .. word .. '"}'
        end
        return { 200, '{"data":[' .. table.concat(items, ",") .. "]}" }
      end
      local name = "list_bulk_sync_execution_statuses"
      local client, server = answered {
        list("completed", "running"), list("running", "none", "completed"),
        list("completed", "none", "completed"),
      }
      local data, message = wait_for(client, name, { sync_id = { ID } }, { interval = 0.0001 })
      assert.equal(3, #(data or {}), message)
      assert.equal(3, #server:requests())
      client = answered { list("running", "failed", "completed") }
      local _, _, err = wait_for(client, name, { sync_id = { ID } })
      assert.equal("failed", err.kind)
    end)

    it("takes schemas for refreshed by their times, but not against their status", function()
      local function schemas(word, started, finished)
        local times = ('"last_refresh_started":"%s","last_refresh_finished":"%s"'):format(
          started, finished)
        return { 200, ('{"data":{"cache_status":"%s",%s}}'):format(word, times) }
      end
      local early, late = "2025-01-01T10:00:00Z", "2025-01-01T10:00:00.5+00:00"
      local client, server = answered {
        schemas("refreshing", early, late), schemas("completed", late, early),
        schemas("completed", early, early), schemas("completed", "soon", late),
        schemas("completed", early, late),
      }
      local data, message =
        wait_for(client, "get_schemas_status", { id = ID }, { interval = 0.0001 })
      assert.is_table(data, message)
      assert.equal(5, #server:requests())
    end)

    it("needs until_status where the data knows no statuses, and says so at once", function()
      local client, server = answered { { 200, '{"data":{"id":"x","status":"unhealthy"}}' },
        { 200, '{"data":{"id":"x","status":"healthy"}}' } }
      local ok, message = mode.attempt(function()
        return client:wait_for("get_connection", { id = "x" })
      end)
      assert.is_false(ok)
      contains(message, "how the work of get_connection ends is not known")
      contains(message, "give until_status")
      assert.equal(0, #server:requests())
      local data = wait_for(client, "get_connection", { id = ID },
        { until_status = "healthy", interval = 0.0001 })
      assert.equal("healthy", data.status)
      client =
        answered { { 200, '{"data":{"id":"x"}}' }, { 200, '{"data":{"id":"x","name":"y"}}' } }
      data = wait_for(client, "get_org", { id = ID },
        { until_status = function(org) return org.name == "y" end, interval = 0.0001 })
      assert.equal("y", data.name)
    end)

    it("waits for the status that is asked for, or for one of a list", function()
      local client = answered { status "created", status "running", status "done" }
      assert.equal("running",
        wait_for(client, "get_job", JOB, { until_status = "running", interval = 0.001 }).status)
      client = answered { status "running", status "canceled" }
      assert.equal(
        "canceled",
        wait_for(client, "get_job", JOB,
          { until_status = { "done", "canceled" }, interval = 0.001 }).status
      )
    end)

    it("does not wait on where the work ended otherwise than asked for", function()
      local client, server = answered { status "running", status "done" }
      local _, message =
        wait_for(client, "get_job", JOB, { until_status = "canceled", interval = 0.001 })
      assert.equal("get_job: 200 failed: the work ended as 'done'", message)
      assert.equal(2, #server:requests())
    end)

    it("waits for schemas to be fresh, or for what a function says of them", function()
      local function schemas(word, finished)
        return {
          200,
          ('{"data":{"cache_status":"%s","last_refresh_finished":"%s"}}'):format(word, finished),
        }
      end
      local client =
        answered { schemas("refreshing", "2025-01-01"), schemas("fresh", "2025-01-02") }
      assert.equal("fresh",
        wait_for(client, "get_schemas_status", { id = ID }, { interval = 0.001 }).cache_status)
      local seen = {}
      local function refreshed(data, word)
        seen[#seen + 1] = word
        return data.last_refresh_finished > "2025-01-01"
      end
      client = answered {
        schemas("stale", "2025-01-01"),
        schemas("refreshing", "2025-01-01"),
        schemas("fresh", "2025-01-02"),
      }
      assert.equal(
        "2025-01-02",
        wait_for(client, "get_schemas_status", { id = ID },
          { until_status = refreshed, interval = 0.001 }).last_refresh_finished
      )
      assert.same({ "stale", "refreshing", "fresh" }, seen)
    end)

    it("gives up when the time is over where the reply has no status", function()
      local client = answered { { 200, '{"data":{"ready":false}}' } }
      local data, message, err = wait_for(client, "get_org", { id = ID }, { timeout = 0.05,
        interval = 0.01, until_status = function(org) return org.ready end })
      assert.is_nil(data)
      assert.equal("get_org: timeout: until_status still says that the work goes on after 0.05 s",
        message)
      assert.equal("timeout", err.kind)
    end)

    it("gives up when the time is over, naming the last status", function()
      local client, server = answered { status "running" }
      local started = core.now()
      local data, message, err =
        wait_for(client, "get_job", JOB, { timeout = 0.2, interval = 0.01 })
      assert.is_nil(data)
      assert.equal("get_job: timeout: the status is still 'running' after 0.2 s", message)
      assert.same({ "timeout", "unknown", message }, { err.kind, err.outcome, tostring(err) })
      assert.equal("running", err.body.data.status)
      assert.is_true(core.now() - started >= 0.2 - 0.02)
      assert.is_true(#server:requests() > 2)
    end)

    it("asks less and less often", function()
      local client, server = answered { status "running" }
      wait_for(client, "get_job", JOB, { timeout = 0.5, interval = 0.02 })
      local count = #server:requests()
      -- 25 times without growing pauses
      assert.is_true(count >= 3 and count <= 9, "asked " .. count .. " times")
    end)

    it("bounds each look by the time that is left", function()
      local client = answered { { "read", "stall" } }
      local started = core.now()
      local _, _, err = wait_for(client, "get_job", JOB, { timeout = 0.1 })
      assert.equal("timeout", err.kind)
      assert.is_true(core.now() - started < 0.9)
    end)

    it("names the last status it saw where the last look gets no answer", function()
      local client = answered { status "running", { "read", "stall" } }
      local _, message, err = wait_for(client, "get_job", JOB, { timeout = 0.5, interval = 0.1 })
      assert.equal("get_job: timeout: the status is still 'running' after 0.5 s", message)
      assert.equal("running", err.body.data.status)
    end)

    it("returns what goes wrong in asking", function()
      local client = answered { status "running", 404 }
      local data, message, err = wait_for(client, "get_job", JOB, { interval = 0.001 })
      assert.is_nil(data)
      assert.equal("not_found", err.kind)
      assert.equal(message, tostring(err))
    end)

    it("passes options to every look", function()
      local client, server = answered { status "running", status "done" }
      assert.truthy(wait_for(client, "get_job", JOB,
        { interval = 0.001, options = { headers = { ["X-Of-Mine"] = "1" } } }))
      for _, request in ipairs(server:requests()) do
        assert.equal("1", request.headers["x-of-mine"])
      end
    end)

    it("says so where there is no status", function()
      local client = answered { { 200, '{"data":{"id":"x"}}' } }
      local _, message, err = wait_for(client, "get_job", JOB)
      assert.equal("bad_response", err.kind)
      contains(message, "holds no status")
    end)

    it("refuses bad data and sends nothing", function()
      local client, server = answered { 200 }
      local data, _, err = wait_for(client, "get_job", { type = "createmodel", id = "x" })
      assert.is_nil(data)
      assert.same({ "invalid", "id", "unsent" }, { err.kind, err.field, err.outcome })
      assert.equal(0, #server:requests())
    end)

    it("ends where the client is closed while it waits", function()
      local client
      local function closing()
        client:close()
        return false
      end
      client = answered { status "running" }
      local data, _, err =
        wait_for(client, "get_job", JOB, { interval = 5, until_status = closing })
      assert.is_nil(data)
      assert.equal("closed", err.kind)
    end)

    describe("rows of a query", function()
      local QUERY = { connection_id = ID, query = "select 1" }

      local function results(rows, next_link, word)
        return {
          200,
          ('{"data":{"id":"%s","status":"%s","fields":["n"],"results":%s},"links":{%s}}'):format(ID,
            word or "done", rows, next_link or ""),
        }
      end

      local function rows_of(client, settings)
        local rows = {}
        local ok, message = mode.attempt(function()
          for row, page in client:query_rows(QUERY, settings) do
            rows[#rows + 1] = page.body.data.fields[1] .. math.floor(row.n)
          end
        end)
        return rows, not ok and message or nil
      end

      it("come from all pages once the query is done, in one request per page", function()
        local client, server = answered {
          status "created", results("null", nil, "running"), results('[{"n":1},{"n":2}]',
            '"next":"/api/queries/x?page=p2"'), results('[{"n":3}]', '"next":null'),
        }
        local rows, message = rows_of(client, { interval = 0.001 })
        assert.is_nil(message)
        assert.same({ "n1", "n2", "n3" }, rows)
        local lines = {}
        for index, request in ipairs(server:requests()) do
          lines[index] = request.method .. " " .. request.target
        end
        local path = "/api/queries/" .. ID
        assert.same(
          {
            ("POST /api/connections/%s/query?query=select%%201"):format(ID),
            "GET " .. path,
            "GET " .. path,
            "GET " .. path .. "?page=p2",
          },
          lines
        )
      end)

      it("raise what the server says of a query that failed", function()
        local client = answered { status "created", status("failed", ',"error":"no such table"') }
        local rows, message = rows_of(client)
        assert.same({}, rows)
        assert.equal("get_query: 200 failed: the work ended as 'failed': no such table", message)
      end)

      it("raise where the query is refused, where time is over, and where a page fails", function()
        local client = answered { 400 }
        local _, message = rows_of(client)
        assert.equal("run_query: 400 api: scripted", message)
        client = answered { status "created", status "running" }
        _, message = rows_of(client, { timeout = 0.05, interval = 0.01 })
        assert.equal("get_query: timeout: the status is still 'running' after 0.05 s", message)
        client = answered { status "created", results('[{"n":1}]', '"next":"?page=p2"'), 404 }
        local rows
        rows, message = rows_of(client)
        assert.same({ "n1" }, rows)
        contains(message, '404 not_found: scripted (resume with page = "p2")')
      end)

      it("raise where the reply names no query", function()
        local client = answered { { 200, '{"data":{}}' } }
        local _, message = rows_of(client)
        contains(message, "run_query: 200 bad_response: the reply holds no id")
      end)
    end)
  end)
end

describe("work of the sandbox", function()
  after_each(clients.close)

  it("is waited for to its end: Harbors, also one that fails at first, actions, runs", function()
    local client = clients.sandbox()
    local quickly = { interval = 0.01 }
    for _, name in ipairs { "Acme", "Acme fails" } do
      local made = assert(client:create_harbor { name = name, backing_mode = "managed" })
      local harbor = assert(client:wait_for("get_harbor", { harbor_id = made.harbor.id }, quickly))
      assert.equal("ready", harbor.status)
    end
    local harbor = client:create_harbor({ name = "Actions", backing_mode = "managed" }).harbor
    local prepared = assert(client:prepare_harbor_action {
      harbor_id = harbor.id, connection_id = ID, schema_id = "s", operation_id = "o", input = {},
    })
    local named = { harbor_id = harbor.id, execution_id = prepared.execution_id }
    assert(client:execute_harbor_action(named))
    local done = assert(client:wait_for("get_harbor_action_execution", named, quickly))
    assert.equal("succeeded", done.status)
    local sync = assert(client:create_sync {
      name = "S", mode = "create", schedule = { frequency = "manual" }, fields = {},
      target = { connection_id = ID },
    })
    local run = assert(client:start_sync { id = sync.id })
    local watched = assert(client:wait_for("get_sync_status", { id = sync.id }, quickly))
    assert.equal("completed", watched.last_execution.status)
    local log = assert(client:get_sync_execution_logs {
      sync_id = sync.id, id = run.id, type = "records", filename = "one.csv",
    })
    assert.matches("^https://logs%.example%.com/.*signature=%x+$", log.url)
  end)
end)

describe("a client with a wait", function()
  after_each(clients.close)

  it("lets others run between two looks", function()
    local waits, ticks = 0, 0
    local client = clients.answered({ status "running", status "done" }, {
      api_key = "key-of-a-user",
      wait = function(one)
        waits = waits + 1
        coroutine.yield(one)
      end,
    })
    local waiter = coroutine.create(
      function() return client:wait_for("get_job", JOB, { interval = 0.1 }) end
    )
    local ok, data = coroutine.resume(waiter)
    while coroutine.status(waiter) ~= "dead" do
      ticks = ticks + 1
      client:step(0.005)
      ok, data = coroutine.resume(waiter)
    end
    assert.is_true(ok, data)
    assert.equal("done", data.status)
    -- 0.1 s of pause, at most 5 ms blocked at once
    assert.is_true(ticks >= 5 and waits >= 5, ("%d ticks, %d waits"):format(ticks, waits))
  end)
end)

describe("a pause", function()
  after_each(clients.close)

  it("passes before anything was sent, is no call, and can be cancelled", function()
    local client = clients.answered { 200 }
    local started = core.now()
    local pause = core.pause(client, 0.05)
    while not pause:done() do client:step(1) end
    assert.is_true(core.now() - started >= 0.05)
    assert.is_true(pause:result())
    assert.equal(0, client:stats().calls)
    pause = core.pause(client, 60)
    assert.is_nil(pause:result())
    pause:cancel()
    assert.is_true(pause:done())
    assert.equal("cancelled", select(3, pause:result()).kind)
    assert.equal(0, client:stats().failures)
  end)

  it("is reported by the timeout of its client", function()
    local client = clients.answered({ 200 }, { wait = function() end })
    assert.is_nil(client:timeout())
    local pause = core.pause(client, 5)
    assert.is_true(client:timeout() > 1 and client:timeout() <= 5)
    pause:cancel()
  end)

  it("leaves room for calls that run meanwhile", function()
    local client = clients.answered { 200 }
    local pause = core.pause(client, 60)
    assert.truthy(client:get_current_org())
    assert.is_false(pause:done())
    client:close()
    assert.equal("closed", select(3, pause:result()).kind)
  end)
end)

describe("bad usage of waiting", function()
  after_each(clients.close)

  it("raises where the methods are called", function()
    local raised, client = clients.raised, clients.answered { 200 }
    assert.equal("wait_for: use a colon: client:wait_for(…)", raised(function()
      client.wait_for("get_job", JOB)
    end))
    assert.equal(
      "wait_for: the first argument must be an operation's name, got table",
      raised(function() client:wait_for(JOB) end)
    )
    assert.equal("unknown operation 'get_jbo', did you mean 'get_job'?", raised(function()
      client:wait_for("get_jbo", JOB)
    end))
    assert.equal("wait_for: start_sync must be an operation that only reads", raised(function()
      client:wait_for("start_sync", { id = ID })
    end))
    assert.equal("wait_for: settings must be a table, got number", raised(function()
      client:wait_for("get_job", JOB, 5)
    end))
    assert.equal(
      "wait_for: unknown option 'untl_status', did you mean 'until_status'?",
      raised(function() client:wait_for("get_job", JOB, { untl_status = "done" }) end)
    )
    assert.equal(
      "wait_for: until_status must be a status, a list of them, or a function",
      raised(function() client:wait_for("get_job", JOB, { until_status = 5 }) end)
    )
    assert.equal(
      "wait_for: until_status must be a status, a list of them, or a function",
      raised(function() client:wait_for("get_job", JOB, { until_status = {} }) end)
    )
    for _, value in ipairs { 0, -1, math.huge, 0 / 0 } do
      assert.equal("wait_for: timeout must be finite and positive", raised(function()
        client:wait_for("get_job", JOB, { timeout = value })
      end))
    end
    assert.equal("query_rows: interval must be a number, got string", raised(function()
      client:query_rows({ connection_id = ID }, { interval = "1" })
    end))
    assert.equal("query_rows: unknown option 'until_status'", raised(function()
      client:query_rows({ connection_id = ID }, { until_status = "done" })
    end))
    assert.equal("query_rows: use a colon: client:query_rows{…}", raised(function()
      client.query_rows { connection_id = ID }
    end))
    contains(raised(function() client:wait_for("get_job", JOB, { options = { tiemout = 1 } }) end),
      "unknown option 'tiemout'")
  end)
end)
