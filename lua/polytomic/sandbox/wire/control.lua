-- The control endpoints under /_sandbox: reset, faults, seeding, and the log of requests. No
-- credential is needed.

local json = require "polytomic.json_text"
local masking = require "polytomic.sandbox.wire.masking"
local seed = require "polytomic.sandbox.rules.seed"

local M = {}

local function answer(status, value)
  return {
    status = status,
    headers = { { "Content-Type", "application/json" } },
    body = json.encode(value),
  }
end

-- A refusal in the API's shape of errors.
function M.refuse(status, key, message)
  return answer(status, { key = key, message = message, status = status })
end

local function show_fault(fault)
  local shown = {}
  for name, value in pairs(fault.members) do shown[name] = value end
  for _, name in ipairs { "id", "operation", "fault", "times", "after", "commit", "consumed" } do
    shown[name] = fault[name]
  end
  shown.remaining = fault.times - fault.consumed
  return shown
end

local function show_faults(list)
  local shown, unconsumed = json.array(), 0
  for i, fault in ipairs(list) do
    shown[i] = show_fault(fault)
    if fault.consumed < fault.times then unconsumed = unconsumed + 1 end
  end
  return answer(200, { faults = shown, unconsumed = unconsumed })
end

local routes = {}

routes["POST /_sandbox/reset"] = function(service)
  service:reset()
  return answer(200, {})
end

routes["POST /_sandbox/faults"] = function(service, request)
  local wishes, message = json.decode(request.body)
  if wishes == nil then return M.refuse(400, "invalid_json", "invalid JSON: " .. message) end
  if not request.body:find("^%s*%[") then
    return M.refuse(422, "unprocessable", "the body must be an array of faults")
  end
  local added
  added, message = service.faults:arm(wishes)
  if not added then return M.refuse(422, "unprocessable", message) end
  return show_faults(added)
end

routes["GET /_sandbox/faults"] = function(service)
  return show_faults(service.faults.list)
end

routes["DELETE /_sandbox/faults"] = function(service)
  service.faults:clear()
  return answer(200, {})
end

routes["POST /_sandbox/seed"] = function(service, request)
  local wish, message = json.decode(request.body)
  if wish == nil then return M.refuse(400, "invalid_json", "invalid JSON: " .. message) end
  local seeded
  seeded, message = seed.plant(service.api.state, wish)
  if not seeded then return M.refuse(422, "unprocessable", message) end
  return answer(200, seeded)
end

routes["GET /_sandbox/requests"] = function(service)
  local entries = service.journal:list()
  if not service.show_keys then
    entries = masking.entries(entries, service.api.state)
  end
  return answer(200, { requests = entries })
end

-- Whether the path belongs to the control endpoints.
function M.owns(path)
  return path:sub(1, 10) == "/_sandbox/" or path == "/_sandbox"
end

-- Answers a control request.
function M.answer(service, request)
  local route = routes[request.method .. " " .. request.path]
  if not route then return M.refuse(404, "not_found", "no such control endpoint") end
  return route(service, request)
end

return M
