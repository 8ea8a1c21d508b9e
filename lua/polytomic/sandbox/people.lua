-- What the sandbox says to people on a terminal: how to reach it, and a line for each request.

local quoting = require "polytomic.quoting"
local terminal = require "polytomic.terminal"

local M = {}

local function quote(text)
  if text:find "^[%w_%-./:@%[%]]+$" then return text end
  return quoting.shell(text)
end

-- The lines of shell that point the library and the command at a sandbox.
function M.exports(ready)
  local lines = {
    "export POLYTOMIC_DEPLOYMENT_URL=" .. quote(ready.url),
    "export POLYTOMIC_PARTNER_KEY=" .. quote(ready.partner_key),
  }
  if ready.ca_file then lines[3] = "export CURL_CA_BUNDLE=" .. quote(ready.ca_file) end
  return lines
end

-- What is printed when it is ready.
function M.greeting(ready, options)
  local paint = terminal.painter(1)
  local lines = { paint("Polytomic sandbox", "bold") .. " at " .. ready.url, "",
    "In another shell:" }
  for _, line in ipairs(M.exports(ready)) do lines[#lines + 1] = "  " .. terminal.line(line) end
  lines[#lines + 1] = "  polytomic create_org name=Acme"
  lines[#lines + 1] = ""
  if options.state then
    lines[#lines + 1] = "What it holds is kept in " .. terminal.line(options.state) .. "."
  end
  lines[#lines + 1] = "polytomic help sandbox says what it can do. Ctrl-C stops it."
  return table.concat(lines, "\n") .. "\n\n"
end

local function colour_of(status)
  if type(status) ~= "number" then return "red" end
  return status < 400 and "green" or status < 500 and "yellow" or "red"
end

-- A function (entry, seconds) that prints the line of a request: time, method, path, status,
-- milliseconds, and the fault if one was played. Long paths are cut where the terminal ends.
function M.request_lines()
  local paint = terminal.painter(1)
  return function(entry, seconds)
    local status = type(entry.status) == "number" and tostring(entry.status) or "---"
    local rest = ("%6.1f ms"):format(seconds * 1000)
    if type(entry.fault) == "string" then rest = rest .. "  fault: " .. entry.fault end
    local method = terminal.pad(terminal.line(entry.method), 6)
    local before = os.date "%H:%M:%S" .. "  " .. method .. " "
    local path = terminal.line(entry.path)
    local columns = terminal.columns(1)
    if columns then
      local room = columns - terminal.width(before) - #status - terminal.width(rest) - 4
      path = terminal.fit(path, math.max(room, 8))
    end
    io.stdout:write(before, path, "  ", paint(status, colour_of(entry.status)), "  ", rest, "\n")
    io.stdout:flush()
  end
end

return M
