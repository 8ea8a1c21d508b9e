-- Texts by number: the first few in memory, the others in a temporary file without a name, so that
-- memory stays small.

local M = {
  IN_MEMORY = 5000, -- texts
}

local spool = {}
spool.__index = spool

function M.new()
  return setmetatable({ texts = {}, lengths = {}, size = 0 }, spool)
end

-- Where there is no place for a temporary file, memory has to do.
local function open_file(self)
  if self.file == nil then self.file = io.tmpfile() or false end
  return self.file
end

-- Keeps a text in place of the one of before.
function spool:put(number, text)
  local file = number > M.IN_MEMORY and open_file(self)
  local written = file and file:seek("set", self.size) and file:write(text)
  if not written then
    self.texts[number] = text
    return
  end
  self.texts[number], self.lengths[number] = self.size, #text
  self.size = self.size + #text
end

function spool:get(number)
  local found = self.texts[number]
  if type(found) == "string" then return found end
  if self.lengths[number] == 0 then return "" end
  assert(self.file:seek("set", found))
  return (assert(self.file:read(self.lengths[number]), "the temporary file is cut short"))
end

-- Gives back what it takes.
function spool:close()
  if self.file then self.file:close() end
  self.file, self.texts, self.lengths = false, {}, {}
end

return M
