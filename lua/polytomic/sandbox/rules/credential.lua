-- Who is asking: reads the Authorization header and says which principal it names.
--
-- A principal has `kind` ("partner", "organization" or "user"), `id` (the scope of idempotency
-- keys), `organization` (the one that current-organization operations act on) and, of kind "user",
-- `user`.

local M = {}

local values = {}
do
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  for i = 1, #alphabet do values[alphabet:sub(i, i)] = i - 1 end
end

-- Decodes base64 (RFC 4648); nil if it is malformed.
local function base64_decode(text)
  text = text:gsub("=+$", "")
  local out, bits, width = {}, 0, 0
  for i = 1, #text do
    local value = values[text:sub(i, i)]
    if not value then return nil end
    bits, width = bits * 64 + value, width + 6
    if width >= 8 then
      width = width - 8
      local unit = 2 ^ width
      out[#out + 1] = string.char(math.floor(bits / unit))
      bits = bits % unit
    end
  end
  return table.concat(out)
end

local function partner_kind(state, key)
  if key == state.keys.partner_key then return "partner" end
  if key == state.keys.deployment_key then return "deployment" end
  return nil
end

local function from_bearer(state, key)
  local kind = partner_kind(state, key)
  if kind then return { kind = "partner", id = kind, organization = state.owner } end
  local user = state.user_by_key[key]
  if user then
    return { kind = "user", id = "user " .. key, organization = user.organization, user = user }
  end
  return nil
end

local function from_basic(state, encoded)
  local decoded = base64_decode(encoded)
  local organization_id, key = (decoded or ""):match("^([^:]*):(.*)$")
  if not organization_id then return nil end
  local kind = partner_kind(state, key)
  local organization = state.organizations:get(organization_id:lower())
  if not kind or not organization then return nil end
  return { kind = "organization", id = kind .. " " .. organization.id, organization = organization }
end

-- The principal of the token of a session that connects a connection, or nil.
function M.of_token(state, token)
  local organization = state.organization_by_token[token or ""]
  if not organization then return nil end
  return { kind = "connect", id = "connect " .. token, organization = organization }
end

-- Returns the principal of an Authorization header value, or nil.
function M.principal(state, header)
  local scheme, credential = (header or ""):match("^(%a+) +(%S+)$")
  scheme = scheme and scheme:lower()
  if scheme == "bearer" then return from_bearer(state, credential) end
  if scheme == "basic" then return from_basic(state, credential) end
  return nil
end

return M
