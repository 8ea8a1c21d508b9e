-- Answers in the API's error shape: key, message, metadata, status.

local json = require "polytomic.json_text"

local M = {}

-- A response for an entry of inference.lua that has `status` and `key`. `metadata` is optional.
function M.response(entry, message, metadata)
  local body = { key = entry.key, message = message, metadata = metadata, status = entry.status }
  return {
    status = entry.status,
    headers = { { "Content-Type", "application/json" } },
    body = json.encode(body),
  }
end

return M
