-- Cuts lists into pages, in each of the API's ways, and writes the answer's body.

local date_time = require "polytomic.date_time"
local inference = require "polytomic.sandbox.inference"
local json = require "polytomic.json_text"

local M = {}

-- A token says after which item the next page begins. It is hexadecimal so that nobody counts with
-- it.
local function token_of(item)
  return (("after " .. item.n):gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

-- The place that a token stands for; 0 for none, nil for one that is not a token.
local function place_of(token)
  if token == nil or token == "" then return 0 end
  local text = token:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  return tonumber(text:match "^after (%d+)$")
end

-- How many items a page has.
local function size_of(pages, arguments)
  if not pages.kind then return math.huge end
  local limit = pages.limit and arguments[pages.limit] or inference.page_size.value
  return math.min(limit, pages.max or math.huge)
end

-- Puts a value at a dotted path of a body.
local function put(body, path, value)
  local outer, last = path:match "^(.-)%.?([^.]+)$"
  for name in outer:gmatch "[^.]+" do
    body[name] = body[name] or {}
    body = body[name]
  end
  body[last] = value
end

local function window_of(pages, arguments)
  if pages.kind ~= "time_window" then return nil end
  local from, to = arguments[pages.token], arguments[pages.window_end]
  return {
    from = from and date_time.parse(from) or -math.huge,
    to = to and date_time.parse(to) or math.huge,
  }
end

local function in_window(window, item)
  if not window then return true end
  local at = date_time.parse(item.values.created_at)
  return at > window.from and at < window.to
end

-- Picks a page of the items (an array in the order of adding). Returns the items and the item
-- after which the next page begins, if there is one; or nil, the name of the bad argument and why.
function M.pick(pages, arguments, items)
  local by_token = pages.kind == "token" or pages.kind == "cursor"
  local place = by_token and place_of(arguments[pages.token]) or (by_token and -1 or 0)
  if place < 0 then return nil, pages.token, "is not a token of this list" end
  local size = size_of(pages, arguments)
  if size < 1 then return nil, pages.limit, "must be at least 1" end
  local window, picked = window_of(pages, arguments), {}
  for _, item in ipairs(items) do
    if item.n > place and in_window(window, item) then
      if #picked == size then return picked, picked[size] end
      picked[#picked + 1] = item
    end
  end
  return picked
end

-- Completes the body of a list: the page's items (already as the API shows them) and how to get the
-- next.
function M.write(pages, body, shown, last)
  put(body, pages.items, json.array(shown))
  if pages.kind == "token" then
    body.pagination = {}
    if last then put(body, pages.next, token_of(last)) end
  elseif pages.kind == "cursor" then
    put(body, pages.next, last and token_of(last) or json.null)
  end
  return body
end

return M
