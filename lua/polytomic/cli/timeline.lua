-- What --verbose shows of a call, on standard error: its attempts as bars over time, the request id
-- and the headers of the reply.

local sorted_names = require "polytomic.sorted_names"
local terminal = require "polytomic.terminal"

local M = {}

-- The parts of an attempt in their order: the member of the timeline that ends each, its word, and
-- its colour or letter.
local PARTS = {
  { ends = "name", word = "name", colour = "blue", letter = "n" },
  { ends = "tcp", word = "connect", colour = "cyan", letter = "c" },
  { ends = "connect", word = "TLS", colour = "yellow", letter = "t" },
  { ends = "first_byte", word = "waiting", colour = "green", letter = "w" },
  { ends = "total", word = "reading", colour = "bold", letter = "r" },
}

local SHORTEST_BAR, LONGEST_BAR = 10, 60

-- The parts of one attempt: { part, seconds }, and how long it took as a whole.
local function parts_of(attempt)
  local list, before = {}, 0
  for _, part in ipairs(PARTS) do
    local ends = attempt[part.ends]
    if ends and ends > before then
      list[#list + 1] = { part = part, seconds = ends - before }
      before = ends
    end
  end
  return list, math.max(before, attempt.total or 0)
end

local function milliseconds(seconds)
  local value = seconds * 1000
  return (value < 10 and "%.1f ms" or "%.0f ms"):format(value)
end

-- Characters for the parts of a bar that stands for `whole` seconds in `columns`: each part that
-- took time gets one at least.
local function bar(list, whole, columns, paint)
  local text, used = {}, 0
  for _, entry in ipairs(list) do
    local length = math.max(1, math.floor(entry.seconds / whole * columns + 0.5))
    length = math.min(length, columns - used)
    used = used + length
    text[#text + 1] = paint and paint(("█"):rep(length), entry.part.colour)
      or entry.part.letter:rep(length)
  end
  return table.concat(text)
end

local function words(list)
  local text = {}
  for i, entry in ipairs(list) do
    text[i] = entry.part.word .. " " .. milliseconds(entry.seconds)
  end
  return table.concat(text, ", ")
end

-- The lines for the attempts, for so many columns. `paint` colours, nil where there are none.
function M.lines(timeline, columns, paint)
  local attempts, whole = {}, 0
  for i, attempt in ipairs(timeline) do
    local list, took = parts_of(attempt)
    attempts[i] = { list = list, took = took }
    whole = math.max(whole, took, attempt.waited or 0)
  end
  if whole == 0 then whole = 1 end
  local room = math.max(SHORTEST_BAR, math.min(LONGEST_BAR, columns - 34))
  local lines = {}
  for i, attempt in ipairs(timeline) do
    if (attempt.waited or 0) > 0 then
      local length = math.max(1, math.floor(attempt.waited / whole * room + 0.5))
      lines[#lines + 1] = "  pause " .. milliseconds(attempt.waited)
      lines[#lines + 1] = "    " .. ("."):rep(length)
    end
    local outcome = attempt.status and tostring(attempt.status) or attempt.error or "no reply"
    lines[#lines + 1] = terminal.line(("  attempt %d: %s, %s%s"):format(i, outcome,
      milliseconds(attempts[i].took), attempt.reused and ", kept connection" or ""))
    if #attempts[i].list > 0 then
      lines[#lines + 1] = "    " .. bar(attempts[i].list, whole, room, paint)
      lines[#lines + 1] = terminal.wrap("    " .. words(attempts[i].list), columns, "    ")
    end
  end
  return lines
end

local function header_lines(headers)
  local lines = {}
  for i, name in ipairs(sorted_names(headers or {})) do
    lines[i] = terminal.line("  " .. name .. ": " .. headers[name])
  end
  return lines
end

-- Shows what is known of a call: of a response or an error.
function M.show(response)
  local columns = terminal.columns(2) or 80
  local painter = terminal.painter(2)
  local paint = painter("", "bold") ~= "" and painter or nil
  local lines = { terminal.line(("%s: %d attempt%s, %s"):format(response.operation,
    response.attempts, response.attempts == 1 and "" or "s", milliseconds(response.elapsed or 0))) }
  for _, line in ipairs(M.lines(response.timeline or {}, columns, paint)) do
    lines[#lines + 1] = line
  end
  for _, member in ipairs { "request_id", "idempotency_key" } do
    if response[member] then
      lines[#lines + 1] = member:gsub("_", " ") .. ": " .. terminal.line(response[member])
    end
  end
  local headers = header_lines(response.headers)
  if #headers > 0 then lines[#lines + 1] = "headers of the reply:" end
  for _, line in ipairs(headers) do lines[#lines + 1] = line end
  io.stderr:write(table.concat(lines, "\n"), "\n")
end

return M
