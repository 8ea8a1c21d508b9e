-- What a customer and its users may hold, and small checks of text.

local core = require "polytomic.core"

local M = {
  -- The settings of an organization, in the order of the ledger
  organization = { "name", "issuer", "sso_domain", "sso_org_id", "client_id", "client_secret" },
  user = { "email", "roles", "role_ids", "api_key" },
}

local kinds = { roles = "list", role_ids = "list", api_key = "boolean" }

M.columns = {}
for _, list in ipairs { M.organization, M.user } do
  for _, name in ipairs(list) do
    M.columns[#M.columns + 1] = name
    kinds[name] = kinds[name] or "text"
  end
end

-- "text", "list" or "boolean"; nil for a name that is not a field.
function M.kind(name)
  return kinds[name]
end

-- What to say of a name that is not among the known ones.
function M.unknown(what, name, known)
  local nearest = type(name) == "string" and core.nearest(name, known)
  local text = type(name) == "string" and name:gsub("%c", "?") or tostring(name)
  return ("unknown %s \"%s\"%s"):format(
    what, text, nearest and (", did you mean \"%s\"?"):format(nearest) or ""
  )
end

local tails = { [2] = "^[\128-\191]", [3] = "^[\128-\191][\128-\191]",
  [4] = "^[\128-\191][\128-\191][\128-\191]" }

-- What may follow a first byte, without overlong forms, surrogates and what is past U+10FFFF.
local narrower = { [224] = { 160, 191 }, [237] = { 128, 159 }, [240] = { 144, 191 },
  [244] = { 128, 143 } }

-- The position of the first byte that is not a well-formed character; nil where all are.
local function malformed(text)
  local at = 1
  while true do
    at = text:find("[\128-\255]", at)
    if not at then return nil end
    local a, b = text:byte(at, at + 1)
    local length = a >= 194 and a <= 223 and 2 or a >= 224 and a <= 239 and 3
      or a >= 240 and a <= 244 and 4
    if not length or not text:find(tails[length], at + 1) then return at end
    local bounds = narrower[a]
    if bounds and (b < bounds[1] or b > bounds[2]) then return at end
    at = at + length
  end
end

function M.valid_utf8(text)
  return malformed(text) == nil
end

return M
