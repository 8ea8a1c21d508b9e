-- The faults a test asks for: checks them, hands each to the request it is meant for, and accounts
-- for them.
--
-- A fault is { operation =, fault =, times = 1, after = 0, … }. `operation` is a method name of the
-- library or "*". It lets `after` matching requests pass (those another fault takes included), then
-- takes the next `times` of them. The first fault in the list that is due takes the request.

local abort = require "polytomic.sandbox.wire.abort"

local M = {}
M.__index = M

M.MAX_BYTES = 2 ^ 30 -- of what a fault may send or make: a foreign hand shall not fill the machine

-- What each fault is and takes. `commit` is its default: whether the operation is carried out
-- before the fault (true for what spoils the reply, false for what hits the request); "always" and
-- "never" cannot be changed.
M.kinds = {
  status = { commit = false,
    members = { status = "status", retry_after = "text", body = "any", headers = "object",
    store = "boolean" } },
  latency = { commit = "always", members = { seconds = "number" } },
  reset_before = { commit = "never", members = { fin = "boolean" } },
  reset_after_commit = { commit = "always", members = { fin = "boolean" } },
  stall_headers = { commit = true, members = { seconds = "number" } },
  stall_body = { commit = true, members = { seconds = "number" } },
  drip = { commit = true, members = { interval = "number", headers = "boolean" } },
  truncate = { commit = true, members = { chunked = "boolean", no_length = "boolean" } },
  garbage = { commit = true, members = { bytes = "size", raw = "string" } },
  empty = { commit = true, members = {} },
  huge = { commit = true, members = { bytes = "size" } },
  gzip_bomb = { commit = true, members = { bytes = "size" } },
  redirect = { commit = false, members = { status = "status", location = "string" } },
  close_idle = { commit = true, members = { seconds = "number" } },
  bad_json = { commit = true, members = { body = "string" } },
  wrong_type = { commit = true, members = { body = "any" } },
}

local common =
  { operation = "string", fault = "string", times = "count", after = "count", commit = "boolean" }

local function is_count(value)
  return type(value) == "number" and value >= 0 and value % 1 == 0 and value < 2 ^ 53
end

local checks = {
  any = function() return true end,
  boolean = function(value) return type(value) == "boolean" end,
  count = is_count,
  number = function(value) return type(value) == "number" and value >= 0 and value < math.huge end,
  size = function(value) return is_count(value) and value <= M.MAX_BYTES end,
  object = function(value) return type(value) == "table" and #value == 0 end,
  status = function(value) return is_count(value) and value >= 200 and value <= 999 end,
  string = function(value) return type(value) == "string" end,
  text = function(value) return type(value) == "string" or type(value) == "number" end,
}

local phrases = { boolean = "true or false", count = "a whole number that is not negative",
  number = "a number that is not negative", object = "an object",
  size = "a whole number of at most 1073741824", status = "a status from 200 to 999",
  string = "a string", text = "a string or a number" }

-- `operations` maps the known operation names to true.
function M.new(operations)
  return setmetatable({ operations = operations, list = {}, last_id = 0 }, M)
end

function M:clear()
  self.list = {}
end

local function check_members(wish, kind)
  for name, value in pairs(wish) do
    local expected = common[name] or kind.members[name]
    if not expected then return nil, wish.fault .. ": unknown member " .. tostring(name) end
    if not checks[expected](value) then
      return nil, wish.fault .. ": " .. name .. " must be " .. phrases[expected]
    end
  end
  return true
end

local function check_commit(wish, kind)
  local fixed = (kind.commit == "always" and true) or (kind.commit == "never" and false)
  if type(kind.commit) == "string" and wish.commit ~= nil and wish.commit ~= fixed then
    return nil, wish.fault .. ": commit cannot be " .. tostring(wish.commit)
  end
  return true
end

-- A reason why the wish cannot be granted, or nil.
local function objection(self, wish)
  if type(wish) ~= "table" then return "a fault must be an object" end
  local kind = M.kinds[wish.fault]
  if not kind then return "unknown fault: " .. tostring(wish.fault) end
  if wish.operation ~= "*" and not self.operations[wish.operation] then
    return "unknown operation: " .. tostring(wish.operation)
  end
  if wish.times == 0 then return wish.fault .. ": times must be at least 1" end
  local ok, message = check_members(wish, kind)
  if ok then ok, message = check_commit(wish, kind) end
  if ok and wish.fault:find("^reset") and not wish.fin then ok, message = abort.available() end
  return not ok and message or nil
end

local function add(self, wish)
  local kind = M.kinds[wish.fault]
  self.last_id = self.last_id + 1
  local fault = { id = self.last_id, operation = wish.operation, fault = wish.fault,
    times = wish.times or 1, after = wish.after or 0, seen = 0, consumed = 0, members = wish }
  if wish.commit == nil then
    fault.commit = kind.commit == true or kind.commit == "always"
  else
    fault.commit = wish.commit
  end
  self.list[#self.list + 1] = fault
  return fault
end

-- Adds a list of faults, all or none. Returns those added, or nil and a message.
function M:arm(wishes)
  for _, wish in ipairs(wishes) do
    local message = objection(self, wish)
    if message then return nil, message end
  end
  local added = {}
  for i, wish in ipairs(wishes) do added[i] = add(self, wish) end
  return added
end

-- The fault for a request of the operation (nil for a path that is none), or nil. Counts it as
-- consumed.
function M:take(operation)
  local taken
  for _, fault in ipairs(self.list) do
    if fault.operation == "*" or fault.operation == operation then
      fault.seen = fault.seen + 1
      if not taken and fault.seen > fault.after and fault.consumed < fault.times then
        fault.consumed = fault.consumed + 1
        taken = fault
      end
    end
  end
  return taken
end

return M
