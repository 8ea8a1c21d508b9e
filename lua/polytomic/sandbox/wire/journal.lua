-- The log of requests that arrived on the wire, for tests to read back. Keeps the newest ones.

local json = require "polytomic.json_text"

local M = {}
M.__index = M

M.limit = 20000

-- `now` returns seconds, of a clock that only goes forward.
function M.new(now)
  local self = setmetatable({ now = now }, M)
  self:reset()
  return self
end

function M:reset()
  self.entries, self.first, self.last = {}, 1, 0
end

-- Records the arrival of a request: { method, target, query, headers, connection, version }; the
-- body comes later. Returns the entry, which is filled in as the request goes on.
function M:arrived(request)
  self.last = self.last + 1
  local entry = { n = self.last, time = self.now(), method = request.method, path = request.target,
    query = request.query or json.null, headers = request.headers, body = "",
    operation = json.null, status = json.null, fault = json.null, connection = request.connection,
    http_version = request.version, committed = false, replayed = false }
  self.entries[self.last] = entry
  if self.last - self.first >= M.limit then
    self.entries[self.first] = nil
    self.first = self.first + 1
  end
  return entry
end

-- The kept entries, oldest first.
function M:list()
  local list = json.array()
  for i = self.first, self.last do list[#list + 1] = self.entries[i] end
  return list
end

return M
