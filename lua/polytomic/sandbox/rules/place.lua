-- Finds what a request's path names: walks it from the left, and every item on the way must exist.

local families = require "polytomic.sandbox.data.families"
local percent_decoded = require("polytomic.quoting").percent_decoded

local M = {}

local function segments(path)
  local list = {}
  for segment in path:gmatch "[^/]+" do list[#list + 1] = segment end
  return list
end

-- Walks `template` and `path`, its parameters filled in, through `resources`. `missing(store, id,
-- is_last)` is called for an item that is not there; it returns the item to go on with, or nil.
-- Returns { path (with the ids as they are kept), item (the last one, if any), store (its) }; or
-- nil and what was missing ("schema").
function M.walk(resources, template, path, missing)
  local parts, values = segments(template), segments(path)
  local place, seen = { path = "" }, ""
  for i, part in ipairs(parts) do
    local family = part == "{}" and families.collection(seen)
    if family then
      place.store = resources:store(family, place.path)
      local id = percent_decoded(values[i])
      place.item = resources:find(place.store, id) or missing(place.store, id, i == #parts)
      if not place.item then return nil, (family.word:gsub("_", " ")) end
      place.path = place.item.path
    else
      place.path = place.path .. "/" .. percent_decoded(values[i]):gsub("/", "%%2F")
    end
    seen = seen .. "/" .. part
  end
  return place
end

return M
