-- Plays one fault to every kind of request at once: what the caller got, and what the server saw.
--
-- The kinds are GET, POST with a key, POST without one, PUT and DELETE, each a call with a server
-- and a client of its own, so that nothing is shared but the script. Called blocking they go one
-- after another, in coroutines all at once: there the clients have a `wait` that yields, and a
-- small scheduler steps them.

local assert = require "luassert"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local M = {}

M.ID = "248df4b7-aa70-47b8-a036-33ac447e668d"

-- `repeats`: whether the table of retries sends it again after a lost reply. `name` says which it
-- is in messages.
M.kinds = {
  { name = "GET", method = "GET", operation = "get_org", arguments = { id = M.ID },
    repeats = true },
  { name = "POST with a key", method = "POST", operation = "create_org",
    arguments = { name = "Acme" }, repeats = true,
    keyed = true },
  { name = "POST without a key", method = "POST", operation = "create_user", repeats = false,
    arguments = { org_id = M.ID, email = "jane@acme.com" }, options = { idempotency_key = false } },
  { name = "PUT", method = "PUT", operation = "update_org",
    arguments = { id = M.ID, name = "Acme" }, repeats = true },
  { name = "DELETE", method = "DELETE", operation = "delete_org", arguments = { id = M.ID },
    repeats = true },
}

M.kind = {}
-- By the sandbox: nothing can be cut from or held back of the reply to a DELETE
M.answered_with_body = {}
M.committing = {}  -- something each time they are carried out
for _, kind in ipairs(M.kinds) do
  M.kind[kind.name] = kind
  if kind.method == "POST" or kind.method == "DELETE" then table.insert(M.committing, kind) end
  if kind.method ~= "DELETE" then table.insert(M.answered_with_body, kind) end
end

M.modes = { "blocking", "in coroutines" }

-- Registers `body(mode)` with busted's `it` as one spec for each way of calling.
function M.each_mode(it, title, body)
  for _, mode in ipairs(M.modes) do
    it(title .. " (" .. mode .. ")", function() body(mode) end)
  end
end

local function merged(...)
  local all = {}
  for _, one in ipairs { ... } do
    for name, value in pairs(one) do all[name] = value end
  end
  return all
end

M.merged = merged

-- A client of `mode` for a server at `url`, with nothing from the environment. `options` win.
function M.client(url, options, mode)
  local plain =
    { base_url = url, partner_key = "wire-partner-key", env = false, proxy = "", timeout = 20 }
  if mode == "in coroutines" then plain.wait = function() coroutine.yield() end end
  return polytomic.new(merged(plain, options or {}))
end

-- Runs every `{ client, run }` of a list to its end: one after another, or as coroutines that their
-- clients' steps move.
function M.run(mode, jobs)
  local live = {}
  for index, job in ipairs(jobs) do
    if mode == "blocking" then
      job.run()
    else
      live[index] = { thread = coroutine.create(job.run), client = job.client }
    end
  end
  while #live > 0 do
    for index = #live, 1, -1 do
      local one = live[index]
      local ok, why = coroutine.resume(one.thread)
      if not ok then error(why, 0) end
      if coroutine.status(one.thread) == "dead" then
        table.remove(live, index)
      else
        one.client:step(0.01 / #live)
      end
    end
  end
end

-- One call of a kind: `{ data, message, err }`; `err` is the response where the call succeeded.
function M.call(client, kind, options)
  local result = {}
  result.data, result.message, result.err = client[kind.operation](client, merged(kind.arguments),
    merged(kind.options or {}, options or {}))
  return result
end

-- The server that is this kind's as long as the process runs; `tls` is a certificate where it
-- speaks TLS.
local function server_of(kind, tls)
  return process.shared("wire " .. kind.name .. (tls and " tls" or ""), function()
    return raw_server.start { tls = tls }
  end)
end

-- Plays `script` to each kind and returns, by the kind's name, `{ data, message, err, requests,
-- connections }`. Options: `mode`, `client` (options of polytomic.new), `call` (options of each
-- call), `before` (how many plain GETs go first), `kinds` (default: all), `tls` (a certificate).
function M.play(script, options)
  local jobs, results = {}, {}
  for _, kind in ipairs(options.kinds or M.kinds) do
    local server = server_of(kind, options.tls):reset(script)
    local client = M.client(server.url, options.client, options.mode)
    results[kind.name] = { server = server, client = client }
    jobs[#jobs + 1] = {
      client = client,
      run = function()
        for _ = 1, options.before or 0 do assert(client:get_org { id = M.ID }) end
        results[kind.name] = merged(results[kind.name], M.call(client, kind, options.call))
      end,
    }
  end
  M.run(options.mode, jobs)
  for _, result in pairs(results) do
    result.requests = result.server:requests()
    for _ = 1, options.before or 0 do table.remove(result.requests, 1) end
    result.connections = result.server:connections()
    result.client:close()
  end
  return results
end

local function same(expected, actual, what)
  assert.equal(expected, actual, what)
end

-- Asserts an error: `kind`, `outcome`, `retryable`, `status` and `attempts`, those that are given.
function M.assert_error(expected, result, name)
  same(nil, result.data, name .. ": data")
  same("string", type(result.message), name .. ": message")
  assert.is_nil(result.message:find("%c"), name .. ": a control character in the message")
  assert.is_nil(result.message:find("wire-partner-key", 1, true),
    name .. ": the key in the message")
  for _, field in ipairs { "kind", "outcome", "retryable", "attempts" } do
    if expected[field] ~= nil then
      same(expected[field], result.err[field], name .. ": " .. field .. " of " .. result.message)
    end
  end
  same(expected.status, result.err.status, name .. ": status of " .. result.message)
end

-- Asserts that all attempts of a call sent the same bytes, the key included.
function M.assert_same_bytes(result, name)
  for index = 2, #result.requests do
    same(result.requests[1].raw, result.requests[index].raw, name .. ": request " .. index)
  end
end

-- What a fault that loses the reply makes of a call that is not repeated.
local function assert_lost(expected, kind, result, retryable)
  M.assert_error(M.merged({ outcome = "unknown", attempts = 1, retryable = retryable }, expected),
    result, kind.name)
  same(1, #result.requests, kind.name .. ": requests")
end

-- The row for a fault that loses the reply, with `retries = 0`: one request and the error
-- `expected`, whatever the method.
function M.once(mode, fault, expected, options)
  local results =
    M.play({ fault }, M.merged({ mode = mode }, options or {}, { call = { retries = 0 } }))
  for _, kind in ipairs(M.kinds) do
    assert_lost(expected, kind, results[kind.name], kind.repeats)
  end
end

-- The row for a fault that strikes once and loses the reply, `fault` being the script's list of
-- steps for a connection: without retries as in `once`; with one retry the call comes through with
-- the same bytes, except a POST without a key, which stays lost. `options.again` is what later
-- connections do (default: 200); `options.patient` are client options for the calls that come
-- through.
function M.lost_reply(mode, fault, expected, options)
  options = options or {}
  M.once(mode, fault, expected, options)
  local script =
    { fault, options.again or { "read", { send = raw_server.reply(200, { data = {} }) }, "again" } }
  local settings = { client = options.patient or options.client, call = { retries = 1 } }
  local results = M.play(script, M.merged({ mode = mode }, options, settings))
  for _, kind in ipairs(M.kinds) do
    local result = results[kind.name]
    if kind.repeats then
      assert.is_truthy(result.data, kind.name .. ": " .. tostring(result.message))
      same(2, result.err.attempts, kind.name .. ": attempts")
      same(expected.kind, result.err.timeline[1].error, kind.name .. ": first attempt")
      same(2, #result.requests, kind.name .. ": requests with one retry")
      M.assert_same_bytes(result, kind.name)
    else
      assert_lost(expected, kind, result, false)
    end
  end
end

-- The row for a fault that is final whatever the method: one request though retries are left, and
-- the error `expected`.
function M.final(mode, fault, expected, options)
  local results =
    M.play({ fault }, M.merged({ mode = mode, call = { retries = 3 } }, options or {}))
  for _, kind in ipairs(M.kinds) do
    M.assert_error(M.merged({ attempts = 1, retryable = false }, expected), results[kind.name],
      kind.name)
    same(1, #results[kind.name].requests, kind.name .. ": requests")
  end
end

-- The row for an odd reply that is taken all the same: one request, no error; `check(data,
-- response, name)` looks at each.
function M.taken(mode, reply, check, options)
  local results = M.play({ { "read", { send = reply }, "fin" } },
    M.merged({ mode = mode }, options or {}, { call = { retries = 3 } }))
  for _, kind in ipairs(M.kinds) do
    local result = results[kind.name]
    assert.is_truthy(result.data, kind.name .. ": " .. tostring(result.message))
    same(1, #result.requests, kind.name .. ": requests")
    if check then check(result.data, result.err, kind.name) end
  end
end

-- ---- against the sandbox: what was committed ----

-- The arguments of a kind's call there: each has an organization of its own.
local function sandbox_arguments(kind, index)
  if not next(kind.arguments) then return {} end
  if kind.operation == "create_org" then return { name = "Made " .. index } end
  local _, made = sandbox:request("POST", "/api/organizations", { name = "Kept " .. index })
  local arguments = { id = made.data.id }
  if kind.operation == "create_user" then
    return { org_id = made.data.id, email = "jane@acme.com" }
  end
  if kind.operation == "update_org" then arguments.name = "Changed" end
  return arguments
end

-- Calls each kind on a sandbox where `fault` (a fault of the sandbox, without its operation)
-- strikes each operation once. Returns, by the kind's name, `{ data, message, err, requests,
-- committed }`. Options as for `play`, and `warm`: another call goes first on the same connection;
-- `afterwards`: another call goes last, its response or error kept under that name.
function M.play_sandbox(fault, options)
  sandbox:reset()
  local jobs, results, faults = {}, {}, {}
  for index, kind in ipairs(options.kinds or M.kinds) do
    local arguments = sandbox_arguments(kind, index)
    local client = M.client(sandbox.url,
      M.merged({ partner_key = sandbox.partner_key }, options.client or {}), options.mode)
    faults[index] = M.merged(fault, { operation = kind.operation })
    jobs[index] = {
      client = client,
      run = function()
        if options.warm then assert(client:list_orgs {}) end
        results[kind.name] = M.call(client, M.merged(kind, { arguments = arguments }), options.call)
      if options.afterwards then
        results[kind.name].afterwards = select(3, client:list_orgs({}, options.call))
      end
        client:close()
      end,
    }
  end
  local before = #sandbox:requests()
  sandbox:faults(faults)
  M.run(options.mode, jobs)
  sandbox:assert_all_faults_consumed()
  local seen = sandbox:requests()
  for _, kind in ipairs(options.kinds or M.kinds) do
    local result = results[kind.name]
    result.requests, result.committed = {}, 0
    for index = before + 1, #seen do
      if seen[index].operation == kind.operation then
        result.requests[#result.requests + 1] = seen[index]
        if seen[index].committed then result.committed = result.committed + 1 end
      end
    end
  end
  return results
end

-- The row for a fault of the sandbox that loses the reply: `commits` says whether the request it
-- strikes was carried out. Without retries one request and no more than that is committed; with one
-- retry the call comes through and nothing is committed twice. Where calls block and wait one after
-- another, those that could commit twice are enough. `options.patient` as in `lost_reply`.
function M.lost_in_sandbox(mode, fault, commits, expected, options)
  options =
    M.merged({ mode = mode, kinds = mode == "blocking" and M.committing or M.kinds }, options or {})
  local once = M.play_sandbox(fault, M.merged(options, { call = { retries = 0 } }))
  local twice = M.play_sandbox(fault,
    M.merged(options, { client = options.patient or options.client, call = { retries = 1 } }))
  for _, kind in ipairs(options.kinds) do
    local first, second, name = once[kind.name], twice[kind.name], kind.name
    local writes = kind.method ~= "GET" and 1 or 0
    assert_lost(expected, kind, first, kind.repeats)
    same(commits and writes or 0, first.committed, name .. ": committed without retries")
    if kind.repeats then
      assert.is_truthy(second.data, name .. ": " .. tostring(second.message))
      same(2, #second.requests, name .. ": requests with one retry")
      -- a PUT sent twice is written twice, with the same result
      local total = kind.method == "PUT" and commits and 2 or writes
      same(total, second.committed, name .. ": committed with one retry")
    else
      assert_lost(expected, kind, second, false)
      same(commits and 1 or 0, second.committed,
        name .. ": committed with a retry that is not used")
    end
  end
end

return M
