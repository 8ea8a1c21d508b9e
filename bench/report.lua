-- Measures the library beside others on this machine and writes docs/performance.md and
-- docs/performance.svg (by gnuplot): creations at 1, 8, 32 and 64 at once, start-up, a list of
-- 10,000 users, memory of a call in flight. What is not installed is left out.
-- Usage: lua bench/report.lua [ITEMS], from the root of the tree; wants the built library and
-- Debian's nginx with its Lua module.

package.path = "./?.lua;" .. package.path

local polytomic = require "polytomic"
local process = require "spec.support.process"
local slow_server = require "bench.slow_server"

local CONCURRENCIES = slow_server.CONCURRENCIES
local items = tonumber(arg[1]) or 1000
local build = assert(os.getenv "LUA_CPATH", "LUA_CPATH is not set"):match "([^;]*)/[^/;]+/%?%.so"

local server = slow_server.start()

-- The first line that a command prints, or nil where it does not run.
local function line_of(words)
  local status, out = process.run(words, { env = process.environment(), timeout = 300 })
  if status ~= 0 then return nil end
  return out:match "[^\n]*"
end

local load = line_of { "cut", "-d ", "-f1", "/proc/loadavg" } or "?"

-- ---- at once ----

local function compiled()
  local path = build .. "/concurrency"
  local line = "cc -O2 -o " .. path .. " bench/concurrency.c $(pkg-config --cflags --libs libcurl)"
  assert(process.run({ "sh", "-c", line }) == 0, "bench/concurrency.c does not compile")
  return path
end

local lua = process.interpreter()
local CLIENTS = {
  { "polytomic for Lua", { lua, "bench/creates.lua" } },
  { "plain libcurl in C", { compiled() } },
  { "lua-http", { lua, "bench/creates_http.lua" } },
  { "vendor's TypeScript", { "node", "bench/concurrency.mjs" } },
  { "Python httpx", { "/usr/bin/python3", "bench/concurrency.py" } },
}

local function all_creates()
  local rows = {}
  for _, client in ipairs(CLIENTS) do
    local row = { name = client[1] }
    for _, concurrency in ipairs(CONCURRENCIES) do
      row[concurrency] = slow_server.run(client[2], server, items, concurrency)
      if not row[concurrency] then break end
      io.stderr:write(("%s, %d at once: %.3f s\n"):format(client[1], concurrency,
        row[concurrency].seconds))
    end
    if row[CONCURRENCIES[#CONCURRENCIES]] then rows[#rows + 1] = row end
  end
  return rows
end

-- ---- start-up ----

local STARTS = 40

-- Processor milliseconds that a line of shell takes, at best of five rounds.
local function start_of(line)
  local script = ("TIMEFORMAT='%%U %%S'; time (for i in {1..%d}; do %s >/dev/null 2>&1; done)")
    :format(STARTS, line)
  local best
  for _ = 1, 5 do
    local _, _, err = process.run({ "bash", "-c", script }, { env = process.environment {
      POLYTOMIC_DEPLOYMENT_URL = server.url, POLYTOMIC_PARTNER_KEY = "bench",
    }, timeout = 300 })
    local user, system = err:match "([%d.]+) ([%d.]+)%s*$"
    local took = (tonumber(user) + tonumber(system)) * 1000 / STARTS
    best = math.min(best or took, took)
  end
  return best
end

local function starts()
  local command = lua .. " lua/bin/polytomic"
  local list = {
    { "`curl --version`", "curl --version" },
    { "`polytomic --version`", command .. " --version" },
    { "`polytomic --help`", command .. " --help" },
    { "`curl` of one list", "curl -s " .. server.url .. "/api/organizations" },
    { "`polytomic get_identity`", command .. " get_identity" },
  }
  for _, entry in ipairs(list) do entry.took = start_of(entry[2]) end
  return list
end

-- ---- 10,000 users ----

local function users()
  local status, out = process.run({ lua, "bench/list_users.lua", "3" }, {
    env = process.environment(),
    timeout = 300,
  })
  if status ~= 0 then return nil end
  local ours, theirs, cjson, parse = out:match("ours ([%d.]+), the vendor's client ([%d.]+); "
    .. "the text alone with lua%-cjson ([%d.]+), JSON.parse ([%d.]+)")
  if not ours then return nil end
  return {
    { "polytomic for Lua, to tables", ours },
    { "vendor's TypeScript, to objects", theirs },
    { "lua-cjson, the text alone", cjson },
    { "`JSON.parse`, the text alone", parse },
  }
end

-- ---- writing ----

local function machine()
  local cpu = line_of { "sed", "-n", "s/^model name[^:]*: //p", "/proc/cpuinfo" } or "?"
  local cores = line_of { "nproc" } or "?"
  local words = { cpu .. ", " .. cores .. " processors (load " .. load .. " when it began)" }
  words[#words + 1] = line_of { "sh", "-c", '. /etc/os-release; echo "$PRETTY_NAME"' } or "?"
  words[#words + 1] = polytomic._VERSION .. " on " .. (rawget(_G, "jit") and "LuaJIT" or _VERSION)
  words[#words + 1] = "libcurl " .. require("polytomic.core").libcurl
  local node = line_of { "node", "--version" }
  if node then words[#words + 1] = "Node " .. node end
  local httpx = line_of { "/usr/bin/python3", "-c", "import httpx; print(httpx.__version__)" }
  if httpx then words[#words + 1] = "httpx " .. httpx end
  return table.concat(words, "; ")
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

local function table_of(rows, member, factor, form)
  local lines = { "| | 1 at once | 8 | 32 | 64 |", "|---|---|---|---|---|" }
  for _, row in ipairs(rows) do
    local cells = { row.name }
    for _, concurrency in ipairs(CONCURRENCIES) do
      local value = row[concurrency][member]
      cells[#cells + 1] = form:format(type(factor) == "function" and factor(value, concurrency)
        or value * factor)
    end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return table.concat(lines, "\n")
end

local function two_columns(list)
  local lines = { "| | milliseconds |", "|---|---|" }
  for _, entry in ipairs(list) do
    lines[#lines + 1] = ("| %s | %s |"):format(entry[1], entry.took and ("%.1f"):format(entry.took)
      or entry[2])
  end
  return table.concat(lines, "\n")
end

local function chart(rows)
  local data = {}
  for _, row in ipairs(rows) do
    local cells = { '"' .. row.name:gsub(" ", "\\n", 1) .. '"' } -- on two lines
    for _, concurrency in ipairs(CONCURRENCIES) do
      cells[#cells + 1] = ("%.1f"):format(row[concurrency].cpu * 1e6)
    end
    data[#data + 1] = table.concat(cells, " ")
  end
  local path = process.temporary_file(table.concat(data, "\n") .. "\n")
  local script = ([[
    set terminal svg size 760,340 font "sans-serif,13" background "white"
    set output "docs/performance.svg"
    set style data histogram
    set style histogram cluster gap 1
    set style fill solid 0.85 noborder
    set boxwidth 0.9
    set ylabel "processor time of a call, microseconds"
    set yrange [0:*]
    set grid ytics lc rgb "#dddddd"
    set border 3
    set tics nomirror
    set key top left
    set bmargin 3.5
    plot "%s" using 2:xtic(1) title "1 at once" lc rgb "#1b6ca8", \
      "" using 3 title "8" lc rgb "#3fa7d6", "" using 4 title "32" lc rgb "#9ad1d4", \
      "" using 5 title "64" lc rgb "#c7d3dd"
  ]]):format(path)
  local status, _, err = process.run { "gnuplot", "-e", (script:gsub("\\\n", " "):gsub("\n", ";")) }
  if status ~= 0 then io.stderr:write("no chart: ", err, "\n") end
end

local rows = all_creates()
local started, listed = starts(), users()
local ours = rows[1]
chart(rows)

local function over_ideal(seconds, concurrency)
  return seconds / (items * slow_server.DELAY / concurrency)
end

local parts = {
  "# Performance",
  "One run of `make bench` on one machine; it writes this page and the chart anew.",
  require("polytomic.terminal").wrap(machine() .. ".", 100),
  "## Creating organizations",
  ("%d creations on a server (nginx) that takes %.0f ms for each, so many at once on kept "
    .. "connections."):format(items, slow_server.DELAY * 1000),
  "Processor time of a call in microseconds, the client's process alone:",
  table_of(rows, "cpu", 1e6, "%.0f"),
  "![Processor time of a call](performance.svg)",
  "Wall time over the ideal one (items × delay / at once):",
  table_of(rows, "seconds", over_ideal, "%.3f"),
  ("A call in flight takes %.0f KB of memory beside its connection's (64 at once, both counted).")
    :format(ours[64].bytes / 1024),
  "## Start-up",
  "Processor time of a whole process:",
  two_columns(started),
}
if listed then
  parts[#parts + 1] = "## A list of 10,000 users"
  parts[#parts + 1] = "2.3 MB of JSON; processor time of a call:"
  parts[#parts + 1] = two_columns(listed)
end
local text = table.concat(parts, "\n\n") .. "\n"
write("docs/performance.md", text)
io.stdout:write(text)
process.stop_all()
