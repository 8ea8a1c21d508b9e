-- The project's sandbox for specs: started on first use, once per process, and governed over plain
-- HTTP, not by the library.
--
--   local sandbox = require "spec.support.sandbox"
--   before_each(function() sandbox:reset() end)
--   after_each(function() sandbox:assert_all_faults_consumed() end)
--   polytomic.new { base_url = sandbox.url, partner_key = sandbox.partner_key }
--
-- `sandbox.tls()` is another one that speaks TLS, with the same methods and `ca_file`.

local cjson = require("cjson").new()
local http = require "spec.support.http"
local process = require "spec.support.process"

local M = {}

local emulator = {}
emulator.__index = emulator

-- JSON null becomes absent.
local function without_nulls(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, member in pairs(value) do
    if member ~= cjson.null then copy[key] = without_nulls(member) end
  end
  return copy
end

local function control(self, method, path, body)
  local status, reply =
    http.request(method, self.url .. "/_sandbox/" .. path, { body = body, ca_file = self.ca_file })
  if status ~= 200 then
    error("the sandbox refuses " .. method .. " " .. path .. ": " .. tostring(reply), 0)
  end
  return without_nulls(cjson.decode(reply))
end

-- Forgets everything: organizations, users, keys, faults and requests.
function emulator:reset()
  control(self, "POST", "reset")
  return self
end

-- Fills the collection that an operation lists or works on: `{ operation = "list_syncs", count = 25
-- }`, with `organization` and `arguments`. Returns { arguments =, ids = }: arguments that name what
-- is there, and the ids of what was added.
function emulator:seed(wish)
  return control(self, "POST", "seed", cjson.encode(wish))
end

-- Arms faults: a list of `{ operation = "create_org", fault = "reset_after_commit", times = 1, …
-- }`.
function emulator:faults(list)
  assert(#list > 0, "a list of faults is needed")
  control(self, "POST", "faults", cjson.encode(list))
  return self
end

-- The armed faults that have not come to their full number, each with `operation`, `fault`,
-- `times`, `consumed`, `remaining`.
function emulator:unconsumed()
  local list = {}
  for _, fault in ipairs(control(self, "GET", "faults").faults) do
    if fault.remaining > 0 then list[#list + 1] = fault end
  end
  return list
end

-- Raises when an armed fault never struck: the spec did not test what it says.
function emulator:assert_all_faults_consumed()
  local names = {}
  for _, fault in ipairs(self:unconsumed()) do
    names[#names + 1] = ("%s on %s (%d of %d)"):format(fault.fault, fault.operation, fault.consumed,
      fault.times)
  end
  if #names > 0 then error("faults that never struck: " .. table.concat(names, ", "), 2) end
end

-- What arrived on the wire, oldest first, of one operation or of all: `method`, `path`, `query`,
-- `headers`, `body` (bytes), `operation`, `status`, `fault`, `connection`, `http_version`,
-- `committed`, `replayed`, `time`.
function emulator:requests(operation)
  local list = {}
  for _, request in ipairs(control(self, "GET", "requests").requests) do
    if not operation or request.operation == operation then list[#list + 1] = request end
  end
  return list
end

-- How many requests, of one operation or of all, changed something on the server.
function emulator:committed(operation)
  local count = 0
  for _, request in ipairs(self:requests(operation)) do
    if request.committed then count = count + 1 end
  end
  return count
end

-- One request to the sandbox itself, past the library, with the partner key unless `headers` says
-- otherwise: status, decoded body.
function emulator:request(method, path, body, headers)
  local all =
    { Authorization = "Bearer " .. self.partner_key, ["Content-Type"] = "application/json" }
  for name, value in pairs(headers or {}) do all[name] = value end
  local text = body and cjson.encode(body)
  local status, reply =
    http.request(method, self.url .. path, { body = text, headers = all, ca_file = self.ca_file })
  return status, reply ~= "" and cjson.decode(reply) or nil
end

local function running(one)
  return one.child:alive()
end

local function start(options)
  return process.shared("sandbox " .. options, function()
    local program = 'require("polytomic.sandbox").run { show_keys = true, ' .. options .. "}"
    local child = process.start_lua { "-e", program }
    local one = setmetatable(cjson.decode(child.first_line), emulator)
    one.child = child
    return one
  end, running)
end

-- The sandbox behind TLS; its authority is in the file `ca_file`.
function M.tls()
  return start("tls = true")
end

return setmetatable(M, {
  __index = function(_, key)
    local one = start("")
    if type(one[key]) ~= "function" then return one[key] end
    return function(_, ...) return one[key](one, ...) end
  end,
})
