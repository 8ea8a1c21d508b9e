-- A second opinion: the vendor's own client against the sandbox, and its requests beside ours.
-- Needs: node
-- Luas: 5.4

local cjson = require("cjson").new()
local polytomic = require "polytomic"
local quoting = require "polytomic.quoting"
local raw_server = require "spec.support.raw_server"
local samples = require "spec.support.samples"
local sandbox = require "spec.support.sandbox"
local vendor = require "spec.support.vendor"

-- Runs `body`; where it raises, that is what the one spec defined here says. Results decide which
-- specs there are.
local function define(body)
  local ok, message = pcall(body)
  if not ok then it("can be run", function() error(message, 0) end) end
end

local function section(title, body)
  describe(title, function()
    local reason = vendor.skipped()
    if reason then
      pending("is left out: " .. reason)
    else
      define(body)
    end
  end)
end

section("the vendor's client against the sandbox:", function()
  local access = {
    url = sandbox.url,
    partner_key = sandbox.partner_key,
    deployment_key = sandbox.deployment_key,
  }
  local results = vendor.run("run.mjs", access)
  for _, result in ipairs(results) do
    it(result.title, function()
      if not result.ok then error(result.problem, 0) end
    end)
  end

  it("makes all its checks", function() assert.is_true(#results > 50, #results .. " checks") end)
end)

-- What the vendor's client 1.18.1, older than the API version spoken here, does otherwise, and why
-- ours is right.

-- Maps in queries it writes as JSON. Its own later versions write name[key]=value, as we do.
local MAPS = {
  get_model_enrichment_source = "params",
  get_sync_source = "params",
  list_bulk_sync_schemas = "filters",
  list_sync_source_fields = "params",
}

-- Methods whose paths its own later versions do not have: they share connections at /shared.
local GONE = {
  ["GET /api/connections/{}/modelsync/target"] = "modelSync.targets.getTarget",
  ["POST /api/connections/{}/share"] = "connections.createSharedConnection",
  ["PUT /api/syncs/{}/executions/{}"] = "modelSync.executions.update",
}

-- Query parameters that came after it.
local NEWER = {
  list_sync_target_fields = { properties = true },
  list_sync_targets = { include_target_creation_values = true },
  list_syncs = { limit = true, page_token = true },
}

-- Headers that only the vendor's client sends; ours alone sends an Idempotency-Key, so that a
-- write can be repeated.
local THEIRS = {
  ["connection"] = true, ["accept-encoding"] = true, ["x-fern-language"] = true,
  ["x-fern-runtime"] = true, ["x-fern-runtime-version"] = true, ["x-fern-sdk-name"] = true,
  ["x-fern-sdk-version"] = true,
}
local SAME = { "authorization", "content-type", "x-polytomic-version", "host" }
local KEY = "key-of-the-conformance-specs"

local function route_of(operation)
  return operation.method .. " " .. operation.path:gsub("{[^}]*}", "{}")
end

-- Every operation's calls: { operation =, route =, arguments =, path =, rest = }, with the values
-- of the path in order, and all others.
local function all_calls()
  local calls = {}
  for _, operation in ipairs(polytomic.operations) do
    local route = route_of(operation)
    local unknown = NEWER[operation.name] or {}
    local given = samples.of(operation, function(argument) return unknown[argument.name] end)
    for _, arguments in ipairs(given) do
      local path, rest = {}, {}
      for name, value in pairs(arguments) do rest[name] = value end
      for name in operation.path:gmatch "{([^}]+)}" do
        path[#path + 1], rest[name] = rest[name], nil
      end
      calls[#calls + 1] = {
        operation = operation, route = route, arguments = arguments,
        path = cjson.empty_array_mt and setmetatable(path, cjson.empty_array_mt) or path,
        rest = rest,
      }
    end
  end
  return calls
end

-- Adds `ours`, the request of our client, to every call.
local function add_ours(calls, server)
  local client = polytomic.new {
    base_url = server.url, partner_key = KEY, api_key = KEY, env = false, proxy = "", retries = 0,
  }
  server:reset(raw_server.sequence { { 200, "{}" } })
  for _, call in ipairs(calls) do
    local _, message, err = client[call.operation.name](client, call.arguments)
    assert(not err or err.outcome ~= "unsent", message)
  end
  client:close()
  local requests = server:requests()
  assert(#requests == #calls, "not one request for each call")
  for index, request in ipairs(requests) do calls[index].ours = request end
end

-- Adds `theirs`, the request of the vendor's client, to every call that it has a method for;
-- returns its methods by route.
local function add_theirs(calls, server)
  local list = {}
  for index, call in ipairs(calls) do
    list[index] = { route = call.route, path = call.path, rest = call.rest }
  end
  server:reset(raw_server.sequence { { 200, "{}" } })
  local result = vendor.run("send.mjs", { url = server.url, token = KEY, calls = list })[1]
  local requests = server:requests()
  local position = 0
  for index, call in ipairs(calls) do
    if result.sent[index] then
      position = position + 1
      call.theirs = requests[position]
    end
  end
  assert(position == #requests, "not one request for each call of the vendor's client")
  return result.methods
end

local function json(body)
  return body ~= "" and cjson.decode(body) or nil
end

-- Path and pairs of the query, these sorted.
local function parts_of(target)
  local path, query = target:match "^([^?]*)%??(.*)$"
  local pairs_sent = {}
  for pair in query:gmatch "[^&]+" do pairs_sent[#pairs_sent + 1] = quoting.query_decoded(pair) end
  table.sort(pairs_sent)
  return quoting.query_decoded(path), pairs_sent
end

-- The names that `headers` has and `others` lacks, without those that may differ in that way.
local function surplus(headers, others, allowed)
  local names = {}
  for name in pairs(headers) do
    if others[name] == nil and not allowed[name] then names[#names + 1] = name end
  end
  return names
end

-- Their pairs as they would be with a map written as their later versions write it.
local function with_map(query, name)
  local written = {}
  for _, pair in ipairs(query) do
    local text = name and pair:match("^" .. name .. "=({.*})$")
    if text then
      for key, value in pairs(cjson.decode(text)) do
        for _, one in ipairs(type(value) == "table" and value or { value }) do
          written[#written + 1] = ("%s[%s]=%s"):format(name, key, one)
        end
      end
    else
      written[#written + 1] = pair
    end
  end
  table.sort(written)
  return written
end

local function assert_same(call)
  local ours, theirs = call.ours, call.theirs
  assert.equal(theirs.method, ours.method)
  local path, query = parts_of(ours.target)
  local their_path, their_query = parts_of(theirs.target)
  assert.equal(their_path, path)
  local map = MAPS[call.operation.name]
  if map and call.arguments[map] then assert.are_not.same(their_query, query) end
  assert.same(with_map(their_query, map), query)
  assert.same(json(theirs.body), json(ours.body))
  for _, name in ipairs(SAME) do
    if name ~= "content-type" or ours.body ~= "" then -- theirs names a type of no body too
      assert.equal(theirs.headers[name], ours.headers[name], name)
    end
  end
  local keyed = ours.method == "POST" or ours.method == "PATCH"
  assert.equal(keyed, ours.headers["idempotency-key"] ~= nil)
  assert.same({}, surplus(ours.headers, theirs.headers, { ["idempotency-key"] = true }))
  assert.same({}, surplus(theirs.headers, ours.headers, THEIRS))
end

section("our requests beside those of the vendor's client:", function()
  local server = raw_server.start { script = { per = "request", 200 } }
  local calls = all_calls()
  add_ours(calls, server)
  local methods = add_theirs(calls, server)
  server:stop()

  local by_route, order, compared = {}, {}, 0
  for _, call in ipairs(calls) do
    if call.theirs then
      compared = compared + 1
      if not by_route[call.route] then
        by_route[call.route] = {}
        order[#order + 1] = call.route
      end
      table.insert(by_route[call.route], call)
    end
  end

  for _, route in ipairs(order) do
    local operation = by_route[route][1].operation
    it(operation.name .. " has the same method, path, query, body and headers", function()
      for _, call in ipairs(by_route[route]) do assert_same(call) end
    end)
  end

  it("are compared for every method of theirs, but those of paths that are gone", function()
    for route, method in pairs(methods) do
      assert.equal(by_route[route] == nil, GONE[route] ~= nil, method.name .. " " .. route)
    end
    for route, name in pairs(GONE) do assert.equal(name, (methods[route] or {}).name) end
    assert.is_true(#order > 100 and compared > #order, #order .. ", " .. compared)
  end)

  it("leave out no query parameter that it knows", function()
    for _, call in ipairs(calls) do
      local known = {}
      local method = methods[call.route] or {}
      for _, name in ipairs(method.query or {}) do known[name] = true end
      for name in pairs(NEWER[call.operation.name] or {}) do
        assert.is_nil(known[name], call.route .. " " .. name)
      end
    end
  end)
end)
