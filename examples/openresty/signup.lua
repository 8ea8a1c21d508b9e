-- The sign-up endpoint: one customer is an organization, its first user and a key for that user.
-- Beside it a health check, and the library's counts for a monitor.

local json = require "cjson.safe"
local polytomic = require "polytomic"

local M = {}

-- What happens to calls, in nginx's log: retries as warnings, what failed in the end as errors.
local function log(event)
  if event.type == "retry" then
    ngx.log(ngx.WARN, event.operation, ": ", event.error, ", once more in ", event.wait, " s")
  elseif event.type == "done" and event.error then
    ngx.log(ngx.ERR, event.operation, ": ", event.error, " after ", event.elapsed, " s, request ",
      event.request_id or "unknown")
  elseif event.type == "deprecation" then
    ngx.log(ngx.WARN, event.operation, " is deprecated")
  end
end

-- The environment has the key and the address. Calls suspend the request they belong to and leave
-- the worker free for others. A visitor waits, so the deadline is short; what takes longer than
-- that belongs into a queue (docs/provisioning.md has a sign-up that only enqueues).
local client = polytomic.new {
  wait = require "polytomic.wait.openresty",
  timeout = 10,
  on_event = log,
}

-- What the customer did wrong is reported to the customer, everything else to the log.
local STATUS = { invalid = 400, conflict = 409, unprocessable = 422, rate_limited = 503 }

local function answer(status, value)
  ngx.status = status
  ngx.header.content_type = "application/json"
  ngx.print(json.encode(value))
end

local function refuse(message, err)
  local status = STATUS[err.kind]
  if not status then ngx.log(ngx.ERR, message) end
  answer(status or 502,
    { error = status and err.message or "signing up does not work at the moment" })
end

-- Creates all three, or nothing: returns them, or nil, message, err. An organization whose user was
-- refused goes again; one that is left behind because nobody knows what became of it is in the log.
local function create(company, email)
  local org, message, err = client:create_org { name = company }
  if not org then return nil, message, err end
  local user, key
  user, message, err = client:create_user { org_id = org.id, email = email }
  if user then key, message, err = client:create_user_api_key { org_id = org.id, id = user.id } end
  if not key then
    if err.outcome ~= "unknown" then
      client:delete_org { id = org.id }
    else
      ngx.log(ngx.ERR, "organization ", org.id, " is left behind: ", message)
    end
    return nil, message, err
  end
  return { organization = org.id, user = user.id, api_key = key.value }
end

function M.post()
  ngx.req.read_body()
  local form = json.decode(ngx.req.get_body_data() or "")
  if type(form) ~= "table" or type(form.company) ~= "string" or type(form.email) ~= "string" then
    return answer(400, { error = "company and email are needed" })
  end
  local customer, message, err = create(form.company, form.email)
  if not customer then return refuse(message, err) end
  answer(201, customer)
end

-- For a load balancer: 200 while the API answers and the key is accepted.
function M.health()
  local found = client:check()
  local key = found.keys[1]
  answer(found.ok and 200 or 503, {
    ok = found.ok,
    url = found.url,
    message = not found.ok and (found.connection.message or key and key.message) or nil,
  })
end

-- For Prometheus: the counts of this worker.
function M.metrics()
  ngx.header.content_type = "text/plain; version=0.0.4"
  for name, value in pairs(client:stats()) do
    ngx.print("polytomic_", name, '{worker="', ngx.worker.id(), '"} ', value, "\n")
  end
end

return M
