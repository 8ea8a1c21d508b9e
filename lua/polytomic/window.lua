-- How a list goes on that has no page token, only a window of time (list_events).
--
-- The API says neither in which order such a list comes nor whether the bounds belong to the
-- window. So the order is read from the first page, the bound moves just past the outermost item,
-- and items seen there are left out.

local date_time = require "polytomic.date_time"

local M = {}

local STAMP, ID = "created_at", "id" -- members of every item

-- When each item was, in microseconds; nil and what is wrong where one does not say, or cannot be
-- distinguished from others. Notes the finest unit that any item of the walk has shown: some
-- servers leave out zeros at the end.
local function instants_of(window, items)
  local instants = {}
  for i, item in ipairs(items) do
    local stamp, id, unit
    if type(item) == "table" then stamp, id = item[STAMP], item[ID] end
    if type(stamp) == "string" then instants[i], unit = date_time.parse(stamp) end
    if not instants[i] then return nil, STAMP end
    if id == nil then return nil, ID end
    window.unit = math.min(window.unit or unit, unit)
  end
  return instants
end

-- Whether the list goes back in time; nil when the page does not say.
local function goes_back(instants)
  local first, last = instants[1], instants[#instants]
  if first == last then return nil end
  return first > last
end

-- Whether an instant lies on the far side of the bound, where the window does not reach.
local function is_outside(window, instant)
  return instant ~= window.bound and (instant > window.bound) == window.back
end

-- The items not given before; nil when one lies outside the window that was asked for.
local function fresh_items(window, items, instants)
  local fresh = {}
  for i, item in ipairs(items) do
    if window.bound and is_outside(window, instants[i]) then return nil end
    if not window.given[item[ID]] then fresh[#fresh + 1] = item end
  end
  return fresh
end

-- The bound that leaves out nothing of the outermost item's moment, whether it belongs to the
-- window itself or not: a whole unit past it, since a stamp may hide what its server knows, and a
-- server what it is asked.
local function bound_at(instants, unit, back)
  local outermost = instants[1]
  for i = 2, #instants do
    if instants[i] ~= outermost and (instants[i] < outermost) == back then
      outermost = instants[i]
    end
  end
  return back and outermost + unit or outermost - unit
end

-- Moves the bound past the page and notes which items will come again.
local function move(window, items, instants)
  window.bound = bound_at(instants, window.unit, window.back)
  local given = {}
  for id, instant in pairs(window.given) do
    if not is_outside(window, instant) then given[id] = instant end
  end
  for i, item in ipairs(items) do
    if not is_outside(window, instants[i]) then given[item[ID]] = instants[i] end
  end
  window.given = given
  window.stamp = date_time.text(window.bound, 6)
end

-- The state of a walk through `pages` (of polytomic.operations) with these arguments. They get a
-- page size where they have none: without a token, only a page that is not full says that nothing
-- is missing.
function M.open(pages, arguments)
  arguments[pages.limit_field] = arguments[pages.limit_field] or pages.limit_max
  return {
    given = {},
    size = arguments[pages.limit_field],
    back_field = pages.window_end_field,
    on_field = pages.token_field,
  }
end

-- Takes the items of a page; returns those to give out, then the next bound and its argument's
-- name, or nil at the end, or nil and a problem.
function M.take(window, items)
  if #items == 0 then return items end
  local full = #items >= window.size
  local instants, lacking = instants_of(window, items)
  if not instants then
    return items, nil, full and ("an item has no %s to go on from"):format(lacking) or nil
  end
  local fresh = fresh_items(window, items, instants)
  if not fresh then
    return {}, nil, "the server gave items outside the window that ends at " .. window.stamp
  end
  if window.back == nil then window.back = goes_back(instants) end
  if full and (window.back == nil or #fresh == 0) then
    return fresh, nil,
      ("the %d items of the page are of one moment, %s, or came before, so the window cannot move: "
          .. "ask for more with a larger limit"):format(#items, items[1][STAMP])
  end
  if #fresh == 0 then return fresh end
  if window.back == nil then window.back = true end
  move(window, items, instants)
  return fresh, window.stamp, window.back and window.back_field or window.on_field
end

return M
