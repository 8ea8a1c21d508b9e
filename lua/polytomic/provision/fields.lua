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
  return ("unknown %s \"%s\"%s"):format(what, text,
    nearest and (", did you mean \"%s\"?"):format(nearest) or "")
end

return M
