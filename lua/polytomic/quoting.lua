-- Text as other languages quote it: the words of a shell, and the percent-encoding of URLs.

local M = {}

-- The word of sh that stands for the text.
function M.shell(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The text of a percent-encoded one (RFC 3986 section 2.1).
function M.percent_decoded(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- The same in a query, where a plus sign is a blank.
function M.query_decoded(text)
  return M.percent_decoded((text:gsub("+", " ")))
end

return M
