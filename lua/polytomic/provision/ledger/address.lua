-- The address of a ledger: `sqlite:FILE` or `postgresql://user@host/db`, and what may be shown of
-- it.

local percent_decoded = require("polytomic.quoting").percent_decoded

local M = {}

local function has_password(url)
  local authority, rest = url:match "^%a+://([^/?#]*)(.*)$"
  local user = authority and authority:match "^(.*)@"
  return user and user:find(":", 1, true) ~= nil
    or (rest or ""):find "[?&]password=" ~= nil
end

-- A PostgreSQL URL without its password.
local function masked(url)
  return (url:gsub("^(%a+://[^/?#@:]*):[^/?#]*@", "%1@"):gsub("([?&]password=)[^&#]*", "%1****"))
end

-- Takes an address apart: { kind = "sqlite", path =, shown = } or { kind = "postgresql", url =,
-- host =, user =, database =, shown = }; or nil and a message. A password may only come from the
-- environment: everyone can read the arguments of a process.
function M.parse(text, from_environment)
  local path = text:match "^sqlite:(.*)$"
  if path then
    path = path:gsub("^//", "")
    if path == "" or path:find "%z" then return nil, "sqlite: needs the path of a file" end
    return { kind = "sqlite", path = path, shown = "sqlite:" .. path }
  end
  if not text:find "^postgres://" and not text:find "^postgresql://" then
    local scheme = text:match "^(%a[%w+.-]*):"
    return nil, "the ledger must be sqlite:FILE or postgresql://user@host/db"
      .. (scheme and ", not " .. scheme .. ":…" or "")
  end
  if text:find "[%c%s]" then return nil, "the ledger's URL must not contain blanks" end
  if has_password(text) and not from_environment then
    return nil, "the ledger's URL must not hold a password, which others see in the list of "
      .. "processes: set PGPASSWORD, use .pgpass, or put the URL into POLYTOMIC_LEDGER"
  end
  local authority, database = text:match "^%a+://([^/?#]*)/?([^?#]*)"
  local user, host = authority:match "^([^@]*)@(.*)$"
  return {
    kind = "postgresql", url = text, shown = masked(text), host = host or authority,
    user = user and percent_decoded(user:match "^[^:]*") or nil,
    database = percent_decoded(database),
  }
end

return M
