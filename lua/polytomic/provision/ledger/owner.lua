-- Who holds a lease: a name for this process by which others on this machine know whether it
-- still runs.

local core = require "polytomic.core"
local process = require "polytomic.process"

local M = {}

local function first_line(path)
  local file = io.open(path, "r")
  local line = file and file:read "*l"
  if file then file:close() end
  return line
end

local function machine()
  local host = first_line "/proc/sys/kernel/hostname" or "unknown"
  return (host:gsub("[/%s]", "-")), first_line "/proc/sys/kernel/random/boot_id"
end

-- The name of this process: host/boot/process/start; where the system does not say, one by
-- which nobody knows whether it still runs.
function M.name()
  local host, boot = machine()
  local id, start = process.find()
  if boot and id then return table.concat({ host, boot, id, start }, "/") end
  return host .. "/" .. core.uuid() .. "/0/0"
end

-- Whether a holder of this name ran on this machine and is gone.
function M.is_gone(name)
  local host, boot, id, start = name:match "^([^/]*)/([^/]*)/(%d+)/(%d+)$"
  local our_host, our_boot = machine()
  if not host or host ~= our_host or not our_boot then return false end
  if boot ~= our_boot then return boot:find "^%x+%-" ~= nil and id ~= "0" end
  local found, started = process.find(id)
  return not found or started ~= start
end

return M
