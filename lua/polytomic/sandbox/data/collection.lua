-- An ordered set of items by id: constant-time find, add and remove; lists in the order of adding.

local M = {}
M.__index = M

function M.new()
  return setmetatable({ items = {}, slot_of = {}, slots = {}, last = 0, count = 0 }, M)
end

function M:get(id)
  return self.items[id]
end

function M:add(id, item)
  assert(not self.items[id], "id already in the collection")
  self.items[id] = item
  self.last = self.last + 1
  self.slots[self.last] = id
  self.slot_of[id] = self.last
  self.count = self.count + 1
end

-- Closes the gaps left by removals once they outnumber the items.
local function compact(self)
  local slots, last = {}, 0
  for i = 1, self.last do
    local id = self.slots[i]
    if id then
      last = last + 1
      slots[last] = id
      self.slot_of[id] = last
    end
  end
  self.slots, self.last = slots, last
end

function M:remove(id)
  local slot = self.slot_of[id]
  if not slot then return end
  self.items[id], self.slot_of[id], self.slots[slot] = nil, nil, false
  self.count = self.count - 1
  if self.last > 16 and self.last > 2 * self.count then compact(self) end
end

-- Calls `visit(item)` in order.
function M:each(visit)
  for i = 1, self.last do
    local id = self.slots[i]
    if id then visit(self.items[id]) end
  end
end

return M
