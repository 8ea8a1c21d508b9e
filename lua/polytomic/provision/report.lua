-- How a run goes, and what came of it: the progress line, and the file with a line per customer.

local core = require "polytomic.core"
local csv_text = require "polytomic.csv_text"
local json = require "polytomic.json_text"
local terminal = require "polytomic.terminal"

local M = {}

local INTERVAL = 0.1 -- seconds between two reports

-- ---- progress ----

local function time_text(seconds)
  if seconds < 60 then return ("%.0f s"):format(seconds) end
  if seconds < 3600 then
    return ("%d:%02d min"):format(math.floor(seconds / 60), math.floor(seconds % 60))
  end
  return ("%d:%02d h"):format(math.floor(seconds / 3600), math.floor(seconds % 3600 / 60))
end

-- The line for a state.
function M.text(state)
  local parts = {
    ("%d%s customers"):format(state.done, state.total and "/" .. state.total or ""),
    ("%d steps"):format(state.steps), ("%.1f/s"):format(state.rate),
  }
  if state.failed > 0 then parts[#parts + 1] = state.failed .. " failed" end
  if state.slowed then parts[#parts + 1] = "slowed down" end
  if state.waiting then
    parts[#parts + 1] = ("waiting for %d that another process holds"):format(state.waiting)
  elseif state.eta then
    parts[#parts + 1] = time_text(state.eta) .. " left"
  end
  return table.concat(parts, ", ")
end

local function state_of(worker, total, source, began)
  local elapsed = core.now() - began
  local done = worker.done + worker.failed
  local rate = elapsed > 0 and done / elapsed or 0
  return {
    done = done, total = total, steps = worker.step_count, failed = worker.failed, rate = rate,
    slowed = worker.limit < worker.concurrency or nil, waiting = source and source.waiting,
    eta = total and rate > 0 and (total - done) / rate or nil,
  }
end

-- A function (worker, total, source) that reports now and then, and one for the end. `how` is a
-- function that gets a state, or true for a line on standard error where that is a terminal; nil
-- where there is nothing to report to.
function M.progress(how)
  local show, finish = how, function() end
  if how == true then
    if not terminal.is_capable(2) then return nil, finish end
    local line, clear = terminal.status_line(2, io.stderr)
    show, finish = function(state) line(M.text(state)) end, clear
  elseif not how then
    return nil, finish
  end
  local began, reported = core.now(), 0
  local last
  return function(worker, total, source)
    if total == 0 then return end
    last = { worker, total, source }
    if core.now() - reported < INTERVAL then return end
    reported = core.now()
    show(state_of(worker, total, source, began))
  end, function()
    if last then show(state_of(last[1], last[2], last[3], began)) end
    finish()
  end
end

-- ---- the report ----

local COLUMNS = { "customer", "state", "organization_id", "attempts", "error_kind", "error" }

local function csv_line(row)
  local cells = {}
  for i, name in ipairs(COLUMNS) do cells[i] = csv_text.cell(row[name]) end
  return table.concat(cells, ",") .. "\n"
end

local LINES = {
  csv = csv_line,
  jsonl = function(row) return json.encode(row) .. "\n" end,
}

-- Why no report can be written to a path, or nil. It is asked before anything is sent.
function M.problem(path)
  if not LINES[path:match "%.(%a+)$" or ""] then
    return "the report's name must end in .csv or .jsonl: " .. path
  end
  local file = io.open(path, "rb")
  if file then
    file:close()
    return nil
  end
  local made, message = core.create_private(path)
  if not made then return "cannot write the report: " .. path .. ": " .. message end
  os.remove(path)
end

-- Opens a report, a private file, in place of one that is there: { add(row), close() }, or nil and
-- a message. close() gives true, or nil and a message.
function M.open(path)
  os.remove(path)
  local made, message = core.create_private(path)
  local file
  if made then file, message = io.open(path, "wb") end
  if not file then return nil, "cannot write the report: " .. path .. ": " .. message end
  local line = LINES[path:match "%.(%a+)$"]
  local failure
  local function put(text)
    local ok, why = file:write(text)
    if not ok then failure = failure or why end
  end
  if line == csv_line then put(table.concat(COLUMNS, ",") .. "\n") end
  return {
    add = function(row)
      put(line {
        customer = row.name, state = row.state, organization_id = row.organization_id,
        attempts = row.attempts, error_kind = row.error_kind, error = row.error,
      })
    end,
    close = function()
      local ok, why = file:close()
      failure = failure or not ok and why or nil
      if failure then return nil, "cannot write the report: " .. path .. ": " .. failure end
      return true
    end,
  }
end

return M
