-- The sign-up endpoint: one customer is an organization, its first user and a key for that user.

local json = require "cjson.safe"
local polytomic = require "polytomic"

local M = {}

-- The environment has the key and the address. Calls suspend the request they belong to and leave
-- the worker free for others.
local client = polytomic.new { wait = require "polytomic.wait.openresty", timeout = 20 }

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
  answer(
    status or 502,
    { error = status and err.message or "signing up does not work at the moment" }
  )
end

-- Creates all three, or nothing: returns them, or nil, message, err.
local function create(company, email)
  local org, message, err = client:create_org { name = company }
  if not org then return nil, message, err end
  local user, key
  user, message, err = client:create_user { org_id = org.id, email = email }
  if user then key, message, err = client:create_user_api_key { org_id = org.id, id = user.id } end
  if not key then
    client:delete_org { id = org.id }
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

return M
