-- Everything between an HTTP exchange and the API: sorts control requests out, keeps the journal,
-- applies faults.
--
-- An exchange (http1.lua, http2.lua) answers one request: `respond`, `head`, `body`, `finish`,
-- `raw`, `wait`, `close`.

local api = require "polytomic.sandbox.rules.api"
local control = require "polytomic.sandbox.wire.control"
local faults = require "polytomic.sandbox.wire.faults"
local generic = require "polytomic.sandbox.rules.generic"
local journal = require "polytomic.sandbox.wire.journal"
local organizations = require "polytomic.sandbox.rules.organizations"
local origin = require "polytomic.sandbox.wire.origin"
local replies = require "polytomic.sandbox.wire.replies"
local state = require "polytomic.sandbox.data.state"

local M = {}
M.__index = M

-- `options`: partner_key, deployment_key; now (seconds, of a clock that only goes forward),
-- sleep(seconds); allow_host (a list of names), show_keys, on_request(entry, seconds).
function M.new(options)
  local names = {}
  for _, routes in ipairs { organizations.routes, generic.routes } do
    for _, route in ipairs(routes) do names[route.name] = true end
  end
  local seeded =
    state.new { partner_key = options.partner_key, deployment_key = options.deployment_key }
  local allowed = {}
  for _, name in ipairs(options.allow_host or {}) do allowed[name:lower()] = true end
  return setmetatable({
    api = api.new(seeded, options.now),
    faults = faults.new(names),
    journal = journal.new(options.now),
    now = options.now,
    sleep = options.sleep,
    allowed = allowed,
    show_keys = options.show_keys or false,
    on_request = options.on_request,
  }, M)
end

function M:reset()
  self.api:reset()
  self.faults:clear()
  self.journal:reset()
  if self.keeper then self.keeper:touch() end
end

-- A request's line and headers have arrived: { method, target, headers, connection, version }. Adds
-- `path` and `query`, and `entry`, its line in the journal (none for a control request).
function M:arrived(request)
  local mark = request.target:find("?", 1, true)
  request.path = mark and request.target:sub(1, mark - 1) or request.target
  request.query = mark and request.target:sub(mark + 1) or nil
  if not control.owns(request.path) then request.entry = self.journal:arrived(request) end
end

-- The part of a fault that works inside the API, if it has one.
local function effect_of(self, fault)
  if not fault then return nil end
  if fault.fault == "latency" then
    return { wait = function() self.sleep(fault.members.seconds or 1) end }
  elseif fault.fault == "status" and replies.is_stored(fault) then
    return { replace = replies.status_response(fault), commit = fault.commit }
  end
  return nil
end

local function serve_api(self, request, exchange)
  local entry = request.entry
  local route, parameters = self.api:route(request)
  local fault = self.faults:take(route and route.name)
  if route then entry.operation = route.name end
  if fault then entry.fault = fault.fault end
  local effect = effect_of(self, fault)
  local response
  if not fault or fault.commit or effect then
    response, entry.committed, entry.replayed = self.api:answer(request, route, parameters, effect)
    -- A look may let work go on, and a refusal is stored under its key.
    if self.keeper then self.keeper:touch() end
  end
  if not fault or effect then return exchange:respond(response) end
  replies.play(fault, exchange, response, function(plain)
    return self.api:finish(request, plain)
  end)
end

-- The whole request is here: `request.body` is set. Answers it on the exchange.
function M:serve(request, exchange)
  local refusal = origin.refusal(request, self.allowed)
  if refusal then return exchange:respond(control.refuse(403, "forbidden", refusal)) end
  if not request.entry then return exchange:respond(control.answer(self, request)) end
  local began = self.now()
  request.entry.body = request.body
  serve_api(self, request, exchange)
  if self.on_request then self.on_request(request.entry, self.now() - began) end
end

return M
