-- Keeps what the sandbox holds in a file: read at the start, written now and then and at the end. A
-- file is replaced as a whole, so that it is never half written.

local snapshot = require "polytomic.sandbox.data.snapshot"

local M = {}
M.__index = M

local PATIENCE = 0.2 -- seconds between two writings at least
local MAX_SIZE = 2 ^ 30
local SHARE = 10     -- of the time that writing takes, so that it never is most of the work

-- `api` is what is kept (rules/api.lua); `finishers` are named functions in it; `now` its clock.
function M.new(path, api, finishers, now)
  return setmetatable({ path = path, api = api, finishers = finishers, now = now }, M)
end

-- Reads the file where there is one. True; or nil and a message.
function M:load()
  local file, message, code = io.open(self.path, "rb")
  if not file then
    if code == 2 then return self:save() end -- there is none yet
    return nil, "cannot read " .. message
  end
  -- A size first: devices that can be read without end have none.
  local size = file:seek "end"
  local text = size and size > 0 and size < MAX_SIZE and file:seek "set" and file:read(size)
  file:close()
  if not text or #text ~= size then
    local reason = size == 0 and "it is empty" or "it cannot be read as a whole"
    return nil, self.path .. " is no state of the sandbox: " .. reason
  end
  local root, shift = snapshot.read(text, self.finishers, self.now())
  if not root then return nil, self.path .. " is no state of the sandbox: " .. shift end
  local records = {}
  for name, record in pairs(root.records) do
    -- What was under way when the sandbox ended has no outcome: its key is free again.
    if record.outcome then
      record.since = record.since + shift
      records[name] = record
    end
  end
  self.api:restore(root.state, records)
  return true
end

-- Writes the file. True; or nil and a message.
function M:save()
  local began = self.now()
  local root = { state = self.api.state, records = self.api.keys.records }
  local text = snapshot.write(root, self.finishers, began)
  local part = self.path .. ".new"
  os.remove(part)
  local made, message = require("polytomic.core").create_private(part) -- it holds keys
  if not made then return nil, "cannot write " .. part .. ": " .. message end
  local file
  file, message = io.open(part, "wb")
  if not file then return nil, "cannot write " .. message end
  local ok, why = file:write(text)
  if ok then ok, why = file:flush() end
  local closed, trouble = file:close()
  if not (ok and closed) then
    os.remove(part)
    return nil, "cannot write " .. self.path .. ": " .. tostring(why or trouble)
  end
  ok, message = os.rename(part, self.path)
  if not ok then return nil, "cannot write " .. message end
  self.changed = false
  self.took = self.now() - began
  return true
end

-- Notes that something has changed.
function M:touch()
  self.changed = true
end

-- Writes what has changed since. What keeps it from being written is said once, until it can be.
function M:look()
  if not self.changed then return end
  local ok, message = self:save()
  if not ok and message ~= self.complaint then
    io.stderr:write("polytomic sandbox: ", message, "\n")
  end
  self.complaint = message
end

-- The last writing. True; or nil and a message.
function M:finish()
  if not self.changed then return true end
  return self:save()
end

-- How long to wait before the next writing.
function M:pause()
  return math.max(PATIENCE, SHARE * (self.took or 0))
end

return M
