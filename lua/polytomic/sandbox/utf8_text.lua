-- Checks that a string is well-formed UTF-8 (RFC 3629), on every Lua.

local M = {}

-- The range of the second byte for lead bytes where it is narrower than 0x80 to 0xBF.
local narrow = {
  [0xE0] = { 0xA0, 0xBF },
  [0xED] = { 0x80, 0x9F },
  [0xF0] = { 0x90, 0xBF },
  [0xF4] = { 0x80, 0x8F },
}

local function continuation_count(lead)
  if lead >= 0xC2 and lead <= 0xDF then return 1 end
  if lead >= 0xE0 and lead <= 0xEF then return 2 end
  if lead >= 0xF0 and lead <= 0xF4 then return 3 end
  return nil
end

function M.valid(text)
  local at = text:find("[\128-\255]")
  while at do
    local lead = text:byte(at)
    local count = continuation_count(lead)
    if not count then return false end
    for i = 1, count do
      local range = i == 1 and narrow[lead]
      local byte = text:byte(at + i)
      if not byte or byte < (range and range[1] or 0x80) or byte > (range and range[2] or 0xBF) then
        return false
      end
    end
    at = text:find("[\128-\255]", at + count + 1)
  end
  return true
end

-- The text, where it is not well-formed with U+FFFD in place of every byte above ASCII.
function M.repaired(text)
  if M.valid(text) then return text end
  return (text:gsub("[\128-\255]", "\239\191\189"))
end

return M
