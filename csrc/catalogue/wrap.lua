-- Breaks prose into lines of a width, as documents, types and Lua strings hold it.
local M = {}

M.WIDTH = 100

-- How many characters of UTF-8 a text has.
local function length_of(text) return select(2, text:gsub("[^\128-\191]", "")) end

-- Words are split at blanks, but what is between backquotes or in a link's brackets is kept
-- whole.
local function words_of(text)
  local words, word, inside = {}, "", false
  for piece, blank in (text .. " "):gmatch "(%S*)(%s+)" do
    word = word .. piece
    local _, quotes = piece:gsub("`", "")
    if quotes % 2 == 1 then inside = not inside end
    if inside then
      word = word .. blank
    elseif word ~= "" then
      words[#words + 1], word = word, ""
    end
  end
  assert(not inside, "a backquote without its other: " .. text)
  return words
end

-- The items, none of them broken, in lines of at most `width` characters: the first after `first`,
-- the others after `rest`.
function M.items(items, first, rest, width)
  width = width or M.WIDTH
  local lines, line, empty = {}, first, true
  for _, item in ipairs(items) do
    if not empty and length_of(line) + 1 + length_of(item) > width then
      lines[#lines + 1], line, empty = line, rest, true
    end
    line = line .. (empty and "" or " ") .. item
    empty = false
  end
  lines[#lines + 1] = line
  return lines
end

-- The text in lines likewise.
function M.lines(text, first, rest, width) return M.items(words_of(text), first, rest, width) end

function M.text(text, first, rest, width)
  return table.concat(M.lines(text, first or "", rest or "", width), "\n") .. "\n"
end

-- How much of a text fits into so many columns as a literal of Lua, whole words where it can be.
local function fitting(text, room)
  local length, cut = 0, 0
  for character in text:gmatch "[^\128-\191][\128-\191]*" do
    length = length + (character:find '["\\]' and 2 or 1)
    if length > room then return text:sub(1, cut):match "^.*() " or cut end
    cut = cut + #character
  end
  return #text
end

-- A Lua expression of the string that fits after `before` columns: several literals joined, the
-- later ones after `indent` blanks, where one would be too long.
function M.literal(text, before, indent)
  local parts, rest = {}, text
  local room = M.WIDTH - before - 5 -- quotes, and a comma or ` },`
  repeat
    local cut = fitting(rest, room)
    parts[#parts + 1] = ("%q"):format(rest:sub(1, cut))
    rest = rest:sub(cut + 1)
    room = M.WIDTH - indent - 8 -- `.. ` too
  until rest == ""
  return table.concat(parts, "\n" .. (" "):rep(indent) .. ".. ")
end

return M
