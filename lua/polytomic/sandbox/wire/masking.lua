-- The log of requests without its keys: whoever reads it need not be who may use them.

local M = {}

local SECRET_HEADERS = { authorization = true, ["proxy-authorization"] = true, cookie = true }

local function masked(key)
  if #key < 12 then return "****" end
  return "****" .. key:sub(-4)
end

-- A credential with its scheme: Bearer ****90ab.
local function mask_credential(value)
  local scheme, rest = value:match "^(%a+) +(.+)$"
  if not scheme then return masked(value) end
  return scheme .. " " .. masked(rest)
end

-- Puts `****` in place of every key in a text.
local function hide(text, keys)
  if type(text) ~= "string" then return text end
  for _, key in ipairs(keys) do
    local from, to = text:find(key, 1, true)
    while from do
      text = text:sub(1, from - 1) .. masked(key) .. text:sub(to + 1)
      from, to = text:find(key, from + 4, true)
    end
  end
  return text
end

local function keys_of(state)
  local keys = {}
  for _, key in pairs(state.keys) do keys[#keys + 1] = key end
  for key in pairs(state.user_by_key) do keys[#keys + 1] = key end
  for key in pairs(state.organization_by_token) do keys[#keys + 1] = key end
  return keys
end

-- Copies of the entries of the journal, as `list` has them, with the keys masked.
function M.entries(list, state)
  local keys = keys_of(state)
  for i, entry in ipairs(list) do
    local copy = {}
    for name, value in pairs(entry) do copy[name] = hide(value, keys) end
    copy.headers = {}
    for name, value in pairs(entry.headers) do
      copy.headers[name] = SECRET_HEADERS[name] and mask_credential(value) or hide(value, keys)
    end
    list[i] = copy
  end
  return list
end

return M
