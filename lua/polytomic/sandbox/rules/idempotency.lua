-- The store of idempotency keys: the first outcome of a key is kept for 24 hours and replayed.

local M = {}
M.__index = M

M.lifetime = 24 * 3600 -- seconds

-- `now` returns seconds; any clock that only goes forward will do.
function M.new(now)
  return setmetatable({ now = now, records = {} }, M)
end

function M:reset()
  self.records = {}
end

-- Whether `key` is well formed: 8 to 255 letters, digits, dashes and underscores.
function M.valid(key)
  return #key >= 8 and #key <= 255 and not key:find("[^A-Za-z0-9_%-]")
end

-- Claims `key` for the principal. `fingerprint` identifies the request.
-- Returns "new" and a record to finish; "replay" and the stored outcome; "running"; or "mismatch".
function M:begin(principal_id, key, fingerprint)
  local name = principal_id .. "\0" .. key
  local record = self.records[name]
  if record and record.outcome and self.now() - record.since >= M.lifetime then record = nil end
  if not record then
    record = { fingerprint = fingerprint, since = self.now() }
    self.records[name] = record
    return "new", record
  end
  if record.fingerprint ~= fingerprint then return "mismatch" end
  if not record.outcome then return "running" end
  return "replay", record.outcome
end

-- Stores the outcome of a record that begin() returned as new.
function M:finish(record, outcome) -- luacheck: no self
  record.outcome = outcome
end

return M
