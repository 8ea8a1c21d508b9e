-- How a list goes on that has no page token, only a window of time (list_events).
--
-- The API says neither in which order such a list comes nor whether the bounds belong to the window. So the order is
-- read from the first page, the bound moves to the outermost item, and items seen at the bound are left out.

local M = {}

local STAMP, ID = "created_at", "id" -- members of every item

-- A date-time as text that sorts by time: fractions of a second filled up. Nil for anything else.
local function instant(item)
  local stamp = type(item) == "table" and item[STAMP]
  if type(stamp) ~= "string" then return nil end
  local seconds, fraction = stamp:match "^(%d+%-%d+%-%d+[Tt ]%d+:%d+:%d+)%.?(%d*)"
  return seconds and seconds .. "." .. (fraction .. "000000000"):sub(1, 9)
end

-- The instants of all items; nil when one has none.
local function instants_of(items)
  local instants = {}
  for i, item in ipairs(items) do
    instants[i] = instant(item)
    if not instants[i] then return nil end
  end
  return instants
end

-- Whether the list goes back in time; nil when the page does not tell.
local function goes_back(instants)
  local first, last = instants[1], instants[#instants]
  if first == last then return nil end
  return first > last
end

-- The items not given before; nil when one lies outside the window that was asked for.
local function fresh_items(window, items, instants)
  local fresh = {}
  for i, item in ipairs(items) do
    local at = instants[i]
    local outside = window.bound and at ~= window.bound and (at > window.bound) == window.back
    if outside then return nil end
    if at ~= window.bound or not window.ids[item[ID] or ""] then fresh[#fresh + 1] = item end
  end
  return fresh
end

-- Moves the bound to the outermost item and notes which items stand there; returns that item's date-time.
local function move(window, items, instants)
  local outermost = 1
  for i = 2, #instants do
    if instants[i] ~= instants[outermost] and (instants[i] < instants[outermost]) == window.back then outermost = i end
  end
  if instants[outermost] ~= window.bound then window.bound, window.ids = instants[outermost], {} end
  for i, item in ipairs(items) do
    if instants[i] == window.bound then window.ids[item[ID] or ""] = true end
  end
  return items[outermost][STAMP]
end

-- The state of a walk through `pages` (of polytomic.operations) with these arguments. They get a page size where they
-- have none: without a token, only a page that is not full tells that nothing is missing.
function M.open(pages, arguments)
  arguments[pages.limit_field] = arguments[pages.limit_field] or pages.limit_max
  return { ids = {}, size = arguments[pages.limit_field], back_field = pages.window_end_field, on_field = pages.token_field }
end

-- Takes the items of a page; returns those to give out, then the next bound and its argument's name, or nil at the end,
-- or nil and a problem.
function M.take(window, items)
  if #items == 0 then return items end
  local full = #items >= window.size
  local instants = instants_of(items)
  if not instants then return items, nil, full and "an item has no " .. STAMP .. " to go on from" or nil end
  local fresh = fresh_items(window, items, instants)
  if not fresh then return {}, nil, "the server gave items outside the window that ends at " .. window.stamp end
  if window.back == nil then window.back = goes_back(instants) end
  if full and (window.back == nil or #fresh == 0) then
    return fresh, nil, ("all %d items of the page are of %s, so the window cannot move: ask for more with a larger limit")
      :format(#items, items[1][STAMP])
  end
  if #fresh == 0 then return fresh end
  if window.back == nil then window.back = true end
  window.stamp = move(window, items, instants)
  return fresh, window.stamp, window.back and window.back_field or window.on_field
end

return M
