-- A second opinion: the vendor's own client against the sandbox, and its requests beside ours.
-- Needs: node

local cjson = require("cjson").new()
local polytomic = require "polytomic"
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

-- What the vendor's client 1.18.1, older than the API version spoken here, sends in another way.
-- Operations with other paths, query parameters it does not know, and maps in queries, which it
-- writes as JSON.
local MOVED =
  { ["connections.createSharedConnection"] = true, ["connections.listSharedConnections"] = true }

local NEWER = {
  ["bulkSync.list"] = { page_token = true, limit = true },
  ["modelSync.list"] = { page_token = true, limit = true },
  ["models.list"] = { page_token = true, limit = true },
}

-- Headers that only one side sends: ours, and the vendor's.
local OURS = { ["idempotency-key"] = true }
local THEIRS = {
  ["connection"] = true, ["accept-encoding"] = true, ["x-fern-language"] = true,
  ["x-fern-runtime"] = true, ["x-fern-runtime-version"] = true, ["x-fern-sdk-name"] = true,
  ["x-fern-sdk-version"] = true,
}
local SAME = { "authorization", "content-type", "content-length", "x-polytomic-version", "host" }

-- Every operation's calls as requests, made by our client: `{ operation, arguments, request }`.
local function our_calls()
  local client = polytomic.new {
    base_url = sandbox.url,
    partner_key = sandbox.partner_key,
    env = false,
    proxy = "",
    retries = 0,
  }
  local calls = {}
  sandbox:reset()
  for _, operation in ipairs(polytomic.operations) do
    local newer = NEWER[operation.id] or {}
    local given = samples.of(operation, function(argument)
      return newer[argument.name] or argument.location == "query" and argument.type == "map"
    end)
    for _, arguments in ipairs(given) do
      local _, message, err = client[operation.name](client, arguments)
      assert(not err or err.outcome ~= "unsent", message)
      calls[#calls + 1] = { operation = operation, arguments = arguments }
    end
  end
  client:close()
  local requests = sandbox:requests()
  assert(#requests == #calls, "not one request for each call")
  for index, request in ipairs(requests) do calls[index].request = request end
  return calls
end

-- Adds `theirs`, the request of the vendor's client, to every call that it has a method for.
local function add_theirs(calls)
  local list = {}
  for index, call in ipairs(calls) do
    list[index] = { operation = call.operation.id, arguments = call.arguments }
  end
  sandbox:reset()
  local sent =
    vendor.run("send.mjs", { url = sandbox.url, token = sandbox.partner_key, calls = list })[1]
  local requests = sandbox:requests()
  local position = 0
  for index, call in ipairs(calls) do
    if sent[index] then
      position = position + 1
      call.theirs = requests[position]
    end
  end
  assert(position == #requests, "not one request for each call of the vendor's client")
  return calls
end

local function json(body)
  return body ~= "" and cjson.decode(body) or nil
end

-- The names that `headers` has and `others` lacks, without those that may differ in that way.
local function surplus(headers, others, allowed)
  local names = {}
  for name in pairs(headers) do
    if others[name] == nil and not allowed[name] then names[#names + 1] = name end
  end
  return names
end

local function assert_same(call)
  local ours, theirs = call.request, call.theirs
  assert.equal(theirs.method, ours.method)
  assert.equal(theirs.path, ours.path)
  assert.same(json(theirs.body), json(ours.body))
  if ours.body == theirs.body then
    for _, name in ipairs(SAME) do assert.equal(theirs.headers[name], ours.headers[name], name) end
  end
  assert.equal(
    ours.method == "POST" or ours.method == "PATCH",
    ours.headers["idempotency-key"] ~= nil
  )
  assert.same({}, surplus(ours.headers, theirs.headers, OURS))
  assert.same({}, surplus(theirs.headers, ours.headers, THEIRS))
end

section("our requests beside those of the vendor's client:", function()
  local by_operation, order = {}, {}
  for _, call in ipairs(add_theirs(our_calls())) do
    local id = call.operation.id
    if call.theirs and not MOVED[id] then
      if not by_operation[id] then
        by_operation[id] = {}
        order[#order + 1] = id
      end
      table.insert(by_operation[id], call)
    end
  end

  for _, id in ipairs(order) do
    it(id .. " has the same method, path, body and headers", function()
      for _, call in ipairs(by_operation[id]) do assert_same(call) end
    end)
  end

  it("are compared for every operation that the vendor's client has in this form", function()
    assert.is_true(#order >= 100, #order .. " operations")
  end)
end)
