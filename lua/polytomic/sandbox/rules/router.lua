-- A table-driven router: method and path template to a route, without patterns.
--
-- Templates look like `/api/organizations/{id}`. A literal segment wins over a parameter. A
-- trailing slash counts.

local percent_decoded = require("polytomic.quoting").percent_decoded

local M = {}
M.__index = M

function M.new()
  return setmetatable({ root = { literals = {} } }, M)
end

-- Calls `visit(segment)` for each part between slashes; stops when it returns false.
local function each_segment(path, visit)
  local from = 2
  while true do
    local slash = path:find("/", from, true)
    if visit(path:sub(from, (slash or 0) - 1)) == false then return end
    if not slash then return end
    from = slash + 1
  end
end

-- Adds a route: a table with at least `method` and `path`.
function M:add(route)
  local node, names = self.root, {}
  each_segment(route.path, function(segment)
    local name = segment:match("^{(.+)}$")
    if name then
      names[#names + 1] = name
      node.parameter = node.parameter or { literals = {} }
      node = node.parameter
    else
      node.literals[segment] = node.literals[segment] or { literals = {} }
      node = node.literals[segment]
    end
  end)
  node.routes = node.routes or {}
  assert(not node.routes[route.method], "two routes for " .. route.method .. " " .. route.path)
  node.routes[route.method] = { route = route, names = names }
end

-- Returns the route and its decoded path parameters by name; nil and "path" or "method" where there
-- is none.
function M:find(method, path)
  local node, values = self.root, {}
  each_segment(path, function(segment)
    local nxt = node.literals[segment]
    if not nxt and node.parameter and segment ~= "" then
      nxt = node.parameter
      values[#values + 1] = percent_decoded(segment)
    end
    node = nxt
    return nxt ~= nil
  end)
  if not node or not node.routes then return nil, "path" end
  local found = node.routes[method]
  if not found then return nil, "method" end
  local parameters = {}
  for i = 1, #found.names do parameters[found.names[i]] = values[i] end
  return found.route, parameters
end

return M
