-- One API request from version check to answer: credential, idempotency key, body, operation. No
-- sockets here.

local arguments = require "polytomic.sandbox.rules.arguments"
local core = require "polytomic.core"
local credential = require "polytomic.sandbox.rules.credential"
local errors = require "polytomic.sandbox.rules.error"
local generic = require "polytomic.sandbox.rules.generic"
local idempotency = require "polytomic.sandbox.rules.idempotency"
local inference = require "polytomic.sandbox.inference"
local json = require "polytomic.json_text"
local organizations = require "polytomic.sandbox.rules.organizations"
local random = require "polytomic.sandbox.random"
local router = require "polytomic.sandbox.rules.router"

local M = {}
M.__index = M

local versions = { ["2025-09-18"] = true, ["2024-02-08"] = true, ["2023-04-25"] = true,
  ["2022-12-12"] = true, ["2021-05-23"] = true }
local honours_key = { POST = true, PUT = true, PATCH = true }

-- `state` is what the operations work on; `now` the clock (seconds) of the idempotency keys.
function M.new(state, now)
  local self = setmetatable({ state = state, keys = idempotency.new(now), router = router.new(),
    generation = 0 }, M)
  for _, routes in ipairs { organizations.routes, generic.routes } do
    for _, route in ipairs(routes) do self.router:add(route) end
  end
  return self
end

-- Goes on from a state and the records of idempotency keys that were kept.
function M:restore(state, records)
  self.generation = self.generation + 1
  self.state, self.keys.records = state, records
end

function M:reset()
  self.generation = self.generation + 1
  self.state:reset()
  self.keys:reset()
end

-- The route of a request, and its path parameters; nil and why not.
function M:route(request)
  return self.router:find(request.method, request.path)
end

-- Adds the headers that every response carries.
function M:finish(request, response) -- luacheck: no self
  local version = request.headers["x-polytomic-version"]
  local headers = {
    { "X-Polytomic-Version", versions[version] and version or inference.default_version.value },
    { "X-Request-Id", random.uuid() },
  }
  for _, header in ipairs(response.headers) do headers[#headers + 1] = header end
  return { status = response.status, headers = headers, body = response.body }
end

-- The decoded body: always an object. Nil and an error response if it is not one.
local function read_body(text)
  local value, message
  if not text:find("^%s*{") then
    message = "the body must be a JSON object"
  elseif not core.valid_utf8(text) then
    message = "the body is not UTF-8"
  else
    value, message = json.decode(text)
  end
  if value then return value end
  return nil, errors.response(inference.invalid_json, "invalid JSON: " .. message)
end

-- Runs the operation. Returns the response and whether it changed the state.
local function run(self, request, call)
  local context = { state = self.state, organization = call.principal.organization,
    principal = call.principal, parameters = call.parameters, path = request.path }
  context.query, context.query_lists = arguments.decode(request.query)
  local response
  if call.route.takes_body and not (call.route.body_optional and request.body == "") then
    context.body, response = read_body(request.body)
    if response then return response, false end
  end
  local ok, data, refusal = pcall(call.route.handle, context)
  if not ok then
    io.stderr:write("polytomic sandbox: ", tostring(data), "\n")
    return errors.response(inference.internal_error, "the sandbox failed"), false
  end
  if refusal then return refusal, false end
  local changed = call.route.method ~= "GET"
  if call.route.whole then return data, changed end
  if data == organizations.empty then return { status = 200, headers = {}, body = "" }, changed end
  local body = json.encode { data = data }
  return { status = 200, headers = { { "Content-Type", "application/json" } }, body = body },
    changed
end

-- Runs the operation under a fault that works inside the API (see wire/faults.lua): `wait`, and
-- `replace` with `commit`.
local function run_under_fault(self, request, call, effect)
  local generation = self.generation
  if effect.wait then effect.wait() end
  if self.generation ~= generation then
    return { status = 503, headers = {}, body = "" }, false
  end
  if not effect.replace then return run(self, request, call) end
  local changed = false
  if effect.commit then
    changed = select(2, run(self, request, call))
  end
  return effect.replace, changed
end

local function with_key(self, request, call, key, effect)
  if not idempotency.valid(key) then
    return errors.response(inference.malformed_idempotency_key,
      "Idempotency-Key must be 8 to 255 letters, digits, dashes or underscores"), false
  end
  local fingerprint = request.method .. " " .. request.target .. "\0" .. request.body
  local verdict, found = self.keys:begin(call.principal.id, key, fingerprint)
  if verdict == "replay" then return found, false, true end
  if verdict == "running" then
    return errors.response(inference.idempotency_in_progress,
      "a request with this Idempotency-Key is in progress"), false
  elseif verdict == "mismatch" then
    return errors.response(inference.idempotency_mismatch,
      "this Idempotency-Key was used with a different request"), false
  end
  local response, changed = run_under_fault(self, request, call, effect)
  self.keys:finish(found, response)
  return response, changed
end

-- The principal, or nil and a refusal.
local function authorize(self, request, route)
  local principal
  if route.auth == "connect_token" then
    principal = credential.of_token(self.state, arguments.decode(request.query).token)
  else
    principal = credential.principal(self.state, request.headers.authorization)
  end
  if not principal then
    return nil, errors.response(inference.no_credential, "missing or invalid API key")
  end
  if route.auth == "partner" and principal.kind ~= "partner" then
    return nil, errors.response(inference.wrong_credential, "partner key required")
  end
  return principal
end

local function dispatch(self, request, route, parameters, effect)
  local version = request.headers["x-polytomic-version"]
  if version and not versions[version] then
    return errors.response(inference.unknown_version, "unknown API version"), false
  end
  if not route then
    if parameters == "method" then
      return errors.response(inference.wrong_method, "method not allowed"), false
    end
    return errors.response(inference.unknown_route, "no such endpoint"), false
  end
  local principal, refusal = authorize(self, request, route)
  if not principal then return refusal, false end
  local call = { route = route, parameters = parameters, principal = principal }
  local key = honours_key[request.method] and request.headers["idempotency-key"]
  if key then return with_key(self, request, call, key, effect) end
  return run_under_fault(self, request, call, effect)
end

-- Answers a request. `route` and `parameters` are what route() returned for it; `effect` is the
-- part of a fault that works inside the API: { wait = function, replace = response, commit =
-- boolean }, all optional. Returns the response, whether the state changed, and whether a stored
-- outcome was replayed.
function M:answer(request, route, parameters, effect)
  local response, changed, replayed = dispatch(self, request, route, parameters, effect or {})
  return self:finish(request, response), changed, replayed or false
end

return M
