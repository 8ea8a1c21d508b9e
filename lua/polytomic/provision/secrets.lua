-- Secrets of a source: references to the environment or to a file, read when they are sent.

local M = {}

-- Whether a client_secret is a reference, env:NAME or file:PATH.
function M.is_reference(text)
  return text:find "^env:[%a_][%w_]*$" ~= nil or text:find "^file:." ~= nil
end

-- Whether it was meant as one and is none: it would be sent as the secret itself.
function M.is_mistaken(text)
  return (text:find "^env:" or text:find "^file:") ~= nil and not M.is_reference(text)
end

local function from_file(path)
  local file, problem = io.open(path, "rb")
  if not file then return nil, "cannot read the client_secret: " .. problem end
  local text
  text, problem = file:read "*a"
  file:close()
  if not text then return nil, "cannot read the client_secret: " .. path .. ": " .. problem end
  text = text:gsub("\r?\n$", "")
  if text == "" then return nil, "cannot read the client_secret: " .. path .. " is empty" end
  return text
end

-- The secret that a reference stands for; or nil and a message, which does not hold it.
function M.resolve(reference)
  local path = reference:match "^file:(.*)$"
  if path then return from_file(path) end
  local name = reference:match "^env:(.*)$"
  local value = os.getenv(name)
  if value and value ~= "" then return value end
  return nil, "the variable " .. name .. " of the client_secret is not set"
end

return M
