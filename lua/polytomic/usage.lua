-- Whether functions of the library are called as they must be. What does not fit is raised at the
-- program's line.

local core = require "polytomic.core"

local M = {}

-- What to add to a message about an unknown name, where a known one is near.
function M.meant(nearest)
  return nearest and ", did you mean '" .. nearest .. "'?" or ""
end

-- What to say of a name that is not among the known ones: the operations, unless they are given.
function M.unknown(what, name, known)
  local nearest = type(name) == "string" and core.nearest(name, known)
  -- no format(): Lua 5.1's ends a text at a NUL
  return "unknown " .. what .. " '" .. tostring(name) .. "'" .. M.meant(nearest)
end

-- The client of a method; `arguments` shows how they are written: "{…}".
function M.check_client(method, client, arguments)
  if core.is_client(client) then return end
  core.raise(("%s: use a colon: client:%s%s"):format(method, method, arguments))
end

-- One value; `types` are words: "boolean or a function".
function M.check_type(method, what, value, types)
  if types:find(type(value), 1, true) then return end
  core.raise(("%s: %s must be a %s, got %s"):format(method, what, types, type(value)))
end

-- The name of an operation as a method's first argument.
function M.check_name(method, name)
  if type(name) == "string" then return end
  core.raise(method .. ": the first argument must be an operation's name, got " .. type(name))
end

-- A table of options, of those known with their types, or true for any.
function M.check_options(method, options, known)
  for name, value in pairs(options) do
    local types = known[name]
    if not types then
      local names = require "polytomic.sorted_names"(known)
      core.raise(method .. ": " .. M.unknown("option", name, names))
    end
    if types ~= true then M.check_type(method, name, value, types) end
  end
  local concurrency = known.concurrency and options.concurrency or 1
  if concurrency < 1 or concurrency % 1 ~= 0 then
    core.raise(method .. ": concurrency must be a whole number, 1 or more")
  end
end

return M
