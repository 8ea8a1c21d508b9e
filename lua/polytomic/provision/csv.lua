-- Reads comma-separated values (RFC 4180) record by record, in little memory, with line numbers;
-- goes on after a record that is wrong.

local M = {
  MAX_RECORD = 1048576, -- bytes
}

local TOO_LONG = "a record is longer than " .. M.MAX_RECORD .. " bytes"

local reader = {}
reader.__index = reader

-- A reader of what `read()` gives: a chunk of bytes, nil at the end.
function M.new(read)
  local self = setmetatable({ read = read, text = "", at = 1, line = 1, over = false }, reader)
  self:peek(2)
  if self.text:sub(1, 3) == "\239\187\191" then self.at = 4 end -- a byte order mark
  return self
end

-- Puts the next chunk to what is left; false at the end.
function reader:more()
  if self.over then return false end
  local chunk
  repeat chunk = self.read() until chunk ~= ""
  if not chunk then
    self.over = true
    return false
  end
  self.text = self.text:sub(self.at) .. chunk
  self.at = 1
  return true
end

-- Finds a pattern from here on, or `offset` bytes later; nil where it is not there. Gives the
-- position relative to `self.at`.
function reader:find(pattern, offset)
  while true do
    local first = self.text:find(pattern, self.at + offset)
    if first then return first - self.at end
    offset = #self.text - self.at + 1
    if offset > M.MAX_RECORD or not self:more() then return nil end
  end
end

-- The byte that comes next, "" at the end.
function reader:peek(offset)
  offset = offset or 0
  while self.at + offset > #self.text do
    if not self:more() then return "" end
  end
  return self.text:sub(self.at + offset, self.at + offset)
end

local function line_breaks(text)
  local _, breaks = text:gsub("\r\n", "\n"):gsub("[\r\n]", "")
  return breaks
end

-- The text of a quoted cell; `self.at` is after its first quote. Or nil and a problem.
function reader:quoted()
  local parts, size = {}, 0
  while true do
    local length = self:find('"', 0)
    if not length or size > M.MAX_RECORD then
      self.stopped = true
      return nil, "a quoted cell is not closed"
    end
    parts[#parts + 1] = self.text:sub(self.at, self.at + length - 1)
    size = size + length
    self.at = self.at + length + 1
    if self:peek() ~= '"' then break end
    parts[#parts + 1] = '"'
    self.at = self.at + 1
  end
  local cell = table.concat(parts)
  self.line = self.line + line_breaks(cell)
  while self:peek():find "^[ \t]$" do self.at = self.at + 1 end
  if not self:peek():find "^[,\r\n]?$" then return nil, "there is text after a closing quote" end
  return cell
end

-- The text of a cell without quotes; or nil and a problem.
function reader:bare()
  local length = self:find('[,\r\n"]', 0)
  if not length then
    length = #self.text - self.at + 1
    if not self.over then
      self.stopped = true
      return nil, TOO_LONG
    end
  end
  local cell = self.text:sub(self.at, self.at + length - 1)
  self.at = self.at + length
  if self:peek() == '"' then
    return nil, "there is a quote inside a cell that does not begin with one"
  end
  return cell
end

-- Goes past the end of a line; false where there is none here.
function reader:newline()
  local byte = self:peek()
  if byte == "\r" and self:peek(1) == "\n" then
    self.at = self.at + 2
  elseif byte == "\r" or byte == "\n" then
    self.at = self.at + 1
  else
    return false
  end
  self.line = self.line + 1
  return true
end

-- Leaves what remains of a line that is wrong.
function reader:skip_line()
  local length = self:find("[\r\n]", 0)
  self.at = length and self.at + length or #self.text + 1
  self:newline()
end

-- The cells of a line without quotes; nil where there is one.
function reader:plain_cells()
  local length = self:find("[\r\n]", 0)
  if not length then return nil end
  local line = self.text:sub(self.at, self.at + length - 1)
  if line:find('"', 1, true) then return nil end
  local cells, count = {}, 0
  for cell in (line .. ","):gmatch "%s*([^,]-)%s*," do
    count = count + 1
    cells[count] = cell
  end
  self.at = self.at + length
  self:newline()
  return cells
end

-- The cells of a record from here to the end of its line; or nil and a problem.
function reader:cells()
  local plain = self:plain_cells()
  if plain then return plain end
  local cells, size = {}, 0
  while true do
    local cell, problem
    if self:peek() == '"' then
      self.at = self.at + 1
      cell, problem = self:quoted()
    else
      cell, problem = self:bare()
    end
    if not cell then return nil, problem end
    cells[#cells + 1] = cell:match "^%s*(.-)%s*$"
    size = size + #cell
    if size > M.MAX_RECORD then return nil, TOO_LONG end
    if self:peek() ~= "," then
      self:newline()
      return cells
    end
    self.at = self.at + 1
  end
end

-- The next record: its cells, without white space around them, and the number of its first line; or
-- nil, the line and a problem; nil alone at the end. Empty lines are left out.
function reader:next()
  while self:newline() do end
  if self.stopped or self:peek() == "" then return nil end
  local line = self.line
  local cells, problem = self:cells()
  if cells then return cells, line end
  if not self.stopped then self:skip_line() end
  return nil, line, problem
end

return M
