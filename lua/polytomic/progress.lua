-- How far a batch has come: a line on a terminal, or a table for a function.

local core = require "polytomic.core"

local M = {}

local INTERVAL = 0.1 -- seconds between two reports

local meter = {}
meter.__index = meter

local function seconds_text(seconds)
  if seconds < 60 then return ("%.1f s"):format(seconds) end
  return ("%d:%02d min"):format(math.floor(seconds / 60), math.floor(seconds % 60))
end

-- The line for a state: count, rate, failures, and the time left where the total is known.
function M.text(state)
  local total = state.total and "/" .. state.total or ""
  -- What matters comes first: a narrow terminal cuts the end.
  local parts = { ("%s: %d%s"):format(state.operation, state.done, total) }
  if state.slowed then parts[2] = "slowed down by the server" end
  parts[#parts + 1] = ("%.1f/s"):format(state.rate)
  parts[#parts + 1] = ("%d failed"):format(state.failures)
  if state.eta then parts[#parts + 1] = seconds_text(state.eta) .. " left" end
  return table.concat(parts, ", ")
end

-- The line that is left when all is over.
function M.summary(state, elapsed)
  return ("%s: %d done, %d failed, in %s"):format(state.operation, state.done - state.failures,
    state.failures, seconds_text(elapsed))
end

-- How a line on standard error is shown and ended: it is one line at any width. A terminal that
-- cannot move its cursor gets the summary alone.
local function terminal_line()
  local terminal = require "polytomic.terminal"
  local show, clear = terminal.status_line(2, io.stderr)
  local moves = terminal.is_capable(2)
  return function(state)
    if moves then show(M.text(state)) end
  end, function(state, elapsed)
    clear()
    io.stderr:write(terminal.line(M.summary(state, elapsed)), "\n")
  end
end

function meter:state()
  local elapsed = core.now() - self.began
  local rate = elapsed > 0 and self.done / elapsed or 0
  local eta
  if self.total and rate > 0 then eta = (self.total - self.done) / rate end
  return {
    operation = self.operation,
    done = self.done,
    total = self.total,
    failures = self.failures,
    rate = rate,
    eta = eta,
    slowed = self.slowed,
  }
end

function meter:report()
  self.reported = core.now()
  self.show(self:state())
end

-- Takes in that one more item is finished.
function meter:item_done(failures)
  self.done, self.failures = self.done + 1, failures
  if core.now() - self.reported >= INTERVAL then self:report() end
end

-- Notes whether the server asks to slow down; a change is reported at once.
function meter:slow_down(slowed)
  if slowed == self.slowed then return end
  self.slowed = slowed
  self:report()
end

-- The last report.
function meter:stop()
  self.slowed = false
  self:report()
  if self.finish then self.finish(self:state(), core.now() - self.began) end
end

-- A meter for `total` items (nil: nobody knows). `how` is a function that gets a state now and
-- then, or true for a line on standard error, where that is a terminal; nil when there is nothing
-- to report to.
function M.new(operation, total, how)
  if not how then return nil end
  local self = {
    operation = operation,
    total = total,
    done = 0,
    failures = 0,
    began = core.now(),
    reported = core.now(),
    slowed = false,
  }
  if type(how) == "function" then
    self.show = how
  elseif core.is_terminal(2) then
    self.show, self.finish = terminal_line()
  else
    return nil
  end
  return setmetatable(self, meter)
end

return M
