-- Reads what the command line names: files, standard input, and files that hold keys.

local quoting = require "polytomic.quoting"

local M = {}

local NAMES = {
  POLYTOMIC_API_KEY = "api_key",
  POLYTOMIC_PARTNER_KEY = "partner_key",
  POLYTOMIC_DEPLOYMENT_KEY = "deployment_key",
  POLYTOMIC_DEPLOYMENT_URL = "base_url",
}

-- The bytes of a file; or nil and a message.
function M.read(path)
  local file, message = io.open(path, "rb")
  local text
  if file then
    text, message = file:read("*a")
    file:close()
  end
  if text then return text end
  return nil, "cannot read " .. (message:find(path, 1, true) and message or path .. ": " .. message)
end

-- All of standard input.
function M.read_input()
  require("polytomic.cli.interrupt").await_input()
  return io.stdin:read("*a") or ""
end

-- The text that a value of the command line stands for: itself, of a file (@FILE) without its last
-- line break, or of standard input (-) likewise. Or nil and a message.
function M.text_of(value)
  local text, message
  if value == "-" then
    text = M.read_input()
  elseif value == "@" then
    message = "no file is named after @"
  elseif value:sub(1, 1) == "@" then
    text, message = M.read(value:sub(2))
  else
    return value
  end
  return text and (text:gsub("\r?\n$", "")), message
end

local OPEN = {
  all = "is open to every user of this machine",
  group = "is open to a group of users",
}

-- What is in a file that nobody else can read or write; or nil, a message and a hint.
local function read_private(path)
  local text, message, others = require("polytomic.core").read_private(path)
  if text then return text end
  if message then return nil, "cannot read " .. path .. ": " .. message end
  return nil, "the key file " .. path .. " " .. OPEN[others], "chmod 600 " .. quoting.shell(path)
end

-- A value without its quotes and without a comment after it.
local function unquoted(value)
  for _, quote in ipairs { '"', "'" } do
    local pattern = ("^Q([^Q]*)Q%s*(.*)$"):gsub("Q", quote)
    local inside, after = value:match(pattern)
    if inside and (after == "" or after:sub(1, 1) == "#") then return inside end
  end
  return (value:gsub("%s+#.*$", ""))
end

-- One line of a key file: `POLYTOMIC_…=value`, where an empty value is none, or a partner key
-- alone, which may end in "=". A line is never repeated in a message: it may be a key.
local function read_line(keys, line)
  local assignment, exported = line:gsub("^export%s+", "")
  local name, value = assignment:match "^([%u_]+)%s*=%s*(.*)$"
  -- A partner key in Base64 may end in "=".
  local padded = name and exported == 0 and value:find "^=*$" and not name:find "^POLYTOMIC_"
  if not name or padded then name, value = "POLYTOMIC_PARTNER_KEY", line end
  local option = NAMES[name]
  if not option then
    return nil, "gives neither POLYTOMIC_API_KEY, _PARTNER_KEY, _DEPLOYMENT_KEY nor _DEPLOYMENT_URL"
  end
  value = unquoted(value)
  if value == "" then return true end
  if value:find "[^!-~]" then return nil, "gives a key with a blank or another unfit character" end
  if keys[option] then return nil, "gives " .. name .. " a second time" end
  keys[option] = value
  return true
end

-- The client options a key file stands for, which are those of every key: one that is not in it is
-- empty, so that none of the environment takes its place. Or nil, a message and a hint.
function M.read_keys(path)
  local text, message, hint = read_private(path)
  if not text then return nil, message, hint end
  local keys, number = {}, 0
  text = text:gsub("^\239\187\191", "") -- a byte order mark
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    line = line:match("^%s*(.-)%s*$")
    if line ~= "" and line:sub(1, 1) ~= "#" then
      local ok, problem = read_line(keys, line)
      if not ok then
        return nil, "line " .. number .. " of " .. path .. " " .. problem,
          "a line is POLYTOMIC_PARTNER_KEY=… or the like, or a partner key alone"
      end
    end
  end
  if not next(keys) then return nil, "the key file " .. path .. " holds no key" end
  for _, option in pairs(NAMES) do
    if option ~= "base_url" then keys[option] = keys[option] or "" end
  end
  return keys
end

return M
