-- Whether a request may be answered: a browser that was led here by a foreign page must not reach
-- the sandbox. Rebinding needs a name of the attacker's in Host, and a page of another site says
-- its Origin.

local M = {}

-- The name or address of an authority (RFC 3986, section 3.2), in lower case; nil where it is none.
local function host_of(authority)
  local address = authority:match "^%[([%x:.]+)%]:?%d*$"
  if address then return address, true end
  local host = authority:match "^([^:/?#@%s]+):?%d*$"
  return host and host:lower():gsub("%.$", "")
end

local function is_ipv4(host)
  local parts = { host:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
  for i = 1, 4 do
    if not parts[i] or #parts[i] > 3 or tonumber(parts[i]) > 255 then return false end
  end
  return true
end

-- Why the request is refused, or nil. `allowed` has the names of --allow-host as members.
function M.refusal(request, allowed)
  local authority = request.authority or request.headers.host
  if authority then
    local host, is_ipv6 = host_of(authority)
    if not host or not (is_ipv6 or is_ipv4(host) or host == "localhost" or allowed[host]) then
      return "the host name is not the sandbox's own: --allow-host NAME makes it so"
    end
  end
  local origin = request.headers.origin
  if not origin then return nil end
  local from = origin:match "^%a[%w+.-]*://(.+)$"
  local name = from and host_of(from)
  if not from or not authority or from:lower() ~= authority:lower() and not allowed[name or ""] then
    return "the request comes from a page of another origin: --allow-host NAME lets it in"
  end
end

return M
