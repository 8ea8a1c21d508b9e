-- Makes text fit for a terminal or a log: one line, without anything that moves the cursor, hides
-- or reorders; measures it in columns, and knows what the terminal can do.

local M = {}

-- ---- characters ----

-- The code point at a byte position and its length in bytes; nil, 1 where the bytes are not UTF-8.
local function decode(text, at)
  local first = text:byte(at)
  if first < 0x80 then return first, 1 end
  local length = first >= 0xF0 and 4 or first >= 0xE0 and 3 or 2
  if first < 0xC2 or first > 0xF4 then return nil, 1 end
  local code = first % 2 ^ (7 - length)
  for i = at + 1, at + length - 1 do
    local byte = text:byte(i)
    if not byte or byte < 0x80 or byte > 0xBF then return nil, 1 end
    code = code * 64 + byte % 64
  end
  local shortest = length == 3 and 0x800 or length == 4 and 0x10000 or 0
  if code < shortest or code >= 0xD800 and code <= 0xDFFF or code > 0x10FFFF then return nil, 1 end
  return code, length
end

-- Whether a sorted list of ranges { first, last, first, last, … } holds a code point.
local function within(ranges, code)
  local low, high = 1, #ranges / 2
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if code < ranges[2 * middle - 1] then
      high = middle - 1
    elseif code > ranges[2 * middle] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

-- Controls, and what is invisible or changes the order or the lines of other text.
local UNFIT = {
  0x00, 0x1F, 0x7F, 0x9F, 0xAD, 0xAD, 0x61C, 0x61C, 0x180E, 0x180E, 0x200B, 0x200B, 0x200E, 0x200F,
  0x2028, 0x202E, 0x2060, 0x206F, 0xFEFF, 0xFEFF, 0xFFF9, 0xFFFB, 0xE0000, 0xE007F,
}

-- Combining characters and others that take no column.
local NARROW = {
  0x300, 0x36F, 0x483, 0x489, 0x591, 0x5BD, 0x5BF, 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x610, 0x61A,
  0x64B, 0x65F, 0x670, 0x670, 0x6D6, 0x6DC, 0x6DF, 0x6E4, 0x6E7, 0x6E8, 0x6EA, 0x6ED, 0x900, 0x902,
  0x93C, 0x93C, 0x941, 0x948, 0x94D, 0x94D, 0xE31, 0xE31, 0xE34, 0xE3A, 0xE47, 0xE4E, 0x1AB0,
  0x1ACE, 0x1DC0, 0x1DFF, 0x200C, 0x200D, 0x20D0, 0x20F0, 0x302A, 0x302D, 0x3099, 0x309A, 0xFE00,
  0xFE0F, 0xFE20, 0xFE2F, 0x1F3FB, 0x1F3FF, 0xE0100, 0xE01EF,
}

-- Characters of two columns (Unicode's East Asian Width W and F, emoji).
local WIDE = {
  0x1100, 0x115F, 0x231A, 0x231B, 0x2329, 0x232A, 0x23E9, 0x23EC, 0x23F0, 0x23F0, 0x23F3, 0x23F3,
  0x25FD, 0x25FE, 0x2614, 0x2615, 0x2648, 0x2653, 0x267F, 0x267F, 0x2693, 0x2693, 0x26A1, 0x26A1,
  0x26AA, 0x26AB, 0x26BD, 0x26BE, 0x26C4, 0x26C5, 0x26CE, 0x26CE, 0x26D4, 0x26D4, 0x26EA, 0x26EA,
  0x26F2, 0x26F3, 0x26F5, 0x26F5, 0x26FA, 0x26FA, 0x26FD, 0x26FD, 0x2705, 0x2705, 0x270A, 0x270B,
  0x2728, 0x2728, 0x274C, 0x274C, 0x274E, 0x274E, 0x2753, 0x2755, 0x2757, 0x2757, 0x2795, 0x2797,
  0x27B0, 0x27B0, 0x27BF, 0x27BF, 0x2B1B, 0x2B1C, 0x2B50, 0x2B50, 0x2B55, 0x2B55, 0x2E80, 0x303E,
  0x3041, 0x4DBF, 0x4E00, 0xA4CF, 0xA960, 0xA97F, 0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE10, 0xFE19,
  0xFE30, 0xFE6F, 0xFF00, 0xFF60, 0xFFE0, 0xFFE6, 0x16FE0, 0x18DFF, 0x1AFF0, 0x1B2FF, 0x1F004,
  0x1F004, 0x1F0CF, 0x1F0CF, 0x1F18E, 0x1F18E, 0x1F191, 0x1F19A, 0x1F200, 0x1F265, 0x1F300, 0x1F64F,
  0x1F680, 0x1F6FF, 0x1F7E0, 0x1F7EB, 0x1F90C, 0x1F9FF, 0x1FA70, 0x1FAFF, 0x20000, 0x3FFFD,
}

local function columns_of(code)
  if code < 0x300 then return 1 end
  if within(NARROW, code) then return 0 end
  return within(WIDE, code) and 2 or 1
end

-- ---- text for one line ----

local NAMES = { [0x09] = "\\t", [0x0A] = "\\n", [0x0D] = "\\r" }

local function escaped(code, byte)
  if not code then return ("\\x%02x"):format(byte) end
  return NAMES[code] or code < 0x80 and ("\\x%02x"):format(code) or ("\\u{%x}"):format(code)
end

-- The text with `escape(code, byte)` in place of every character that is not fit to be shown;
-- `code` is nil for a byte that is not UTF-8.
function M.replace_unfit(text, escape)
  if not text:find "[^\32-\126]" then return text end
  local parts, kept, at = {}, 1, 1
  while at <= #text do
    local code, length = decode(text, at)
    if not code or within(UNFIT, code) then
      parts[#parts + 1] = text:sub(kept, at - 1)
      parts[#parts + 1] = escape(code, text:byte(at))
      kept = at + length
    end
    at = at + length
  end
  parts[#parts + 1] = text:sub(kept)
  return table.concat(parts)
end

-- The value as text for one line of a terminal or a log: controls, invisible and reordering
-- characters and broken UTF-8 are written as escapes.
function M.line(value)
  return M.replace_unfit(tostring(value), escaped)
end

-- How many columns text of `line` takes.
function M.width(text)
  if not text:find "[\128-\255]" then return #text end
  local width, at = 0, 1
  while at <= #text do
    local code, length = decode(text, at)
    width = width + (code and columns_of(code) or 1)
    at = at + length
  end
  return width
end

-- The text in at most so many columns, cut with an ellipsis.
function M.fit(text, columns)
  if M.width(text) <= columns then return text end
  if columns < 1 then return "" end
  local width, at = 0, 1
  while at <= #text do
    local code, length = decode(text, at)
    local own = code and columns_of(code) or 1
    if width + own > columns - 1 then break end
    width, at = width + own, at + length
  end
  return text:sub(1, at - 1) .. "…"
end

-- The text with spaces after it up to so many columns.
function M.pad(text, columns)
  return text .. (" "):rep(columns - M.width(text))
end

-- The text in lines of at most so many columns, broken between words; every line after the first
-- begins with `indent`. Line breaks of the text stay.
function M.wrap(text, columns, indent)
  indent = indent or ""
  local lines = {}
  for paragraph in (text .. "\n"):gmatch "(.-)\n" do
    local line = M.width(paragraph) <= columns and paragraph or paragraph:match "^ *"
    local empty = line ~= paragraph or line == ""
    for word in (empty and paragraph or ""):gmatch "[^ ]+" do
      if not empty and M.width(line) + 1 + M.width(word) > columns then
        lines[#lines + 1] = line
        line, empty = indent, true
      end
      line, empty = line .. (empty and "" or " ") .. word, false
    end
    lines[#lines + 1] = empty and "" or line
  end
  return table.concat(lines, "\n")
end

-- ---- the terminal ----

local DEFAULT_COLUMNS = 80

-- The core, or nil where it is not there: help is shown all the same.
local function core()
  local found, module = pcall(require, "polytomic.core")
  return found and module or nil
end

-- Whether the descriptor (1 standard output, 2 standard error) is a terminal.
function M.is_terminal(descriptor)
  local module = core()
  return module ~= nil and module.is_terminal(descriptor)
end

-- How wide the descriptor's terminal is; nil where it is not one.
function M.columns(descriptor)
  local module = core()
  if not module or not module.is_terminal(descriptor) then return nil end
  local columns = module.terminal_columns(descriptor) or tonumber(os.getenv "COLUMNS" or "")
  return columns and columns >= 1 and math.floor(columns) or DEFAULT_COLUMNS
end

-- Whether the terminal moves its cursor and shows colours when asked to.
function M.is_capable(descriptor)
  return M.is_terminal(descriptor) and os.getenv "TERM" ~= "dumb"
end

local CODES = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33", blue = "34",
  cyan = "36" }

local function plain(text) return text end

local function painted(text, colour)
  return "\27[" .. CODES[colour] .. "m" .. text .. "\27[0m"
end

-- A function (text, colour) that paints on this descriptor, or leaves text as it is: off a
-- terminal, with NO_COLOR (https://no-color.org) or on a dumb terminal.
function M.painter(descriptor)
  local refused = os.getenv "NO_COLOR"
  if refused and refused ~= "" or not M.is_capable(descriptor) then return plain end
  return painted
end

local clear_shown -- takes away the status line that is shown now

-- A function that shows one line in place of the one it showed before, and one that ends it.
function M.status_line(descriptor, stream)
  local shown = false
  local function clear()
    if shown then stream:write "\r\27[K" end
    shown, clear_shown = false, nil
  end
  local function show(text)
    text = M.fit(text, (M.columns(descriptor) or DEFAULT_COLUMNS) - 1)
    stream:write("\r", text, "\27[K")
    stream:flush()
    shown, clear_shown = true, clear
  end
  return show, clear
end

-- Ends the status line that is shown, if there is one: before anything else is said.
function M.clear_status_line()
  if clear_shown then clear_shown() end
end

return M
