-- Counts the instructions of one create_org round trip (valgrind's callgrind, the difference of a
-- long and a short run) beside a C program that does the same POST on a re-used easy handle without
-- JSON. Counts do not depend on the machine's load. Wants valgrind and the built library.

local sandbox = require "polytomic.sandbox"

local LONG, SHORT = 600, 100
local version = rawget(_G, "jit") and "jit" or _VERSION:match "%d%.%d"
local lua = version == "jit" and "luajit" or "lua" .. version
local out = "build/bench"

local function run(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

local server = assert(sandbox.start {})

-- Instructions of a whole process.
local function count(name, command, calls)
  local file = ("%s/callgrind.%s.%d"):format(out, name, calls)
  local text = run(("valgrind --tool=callgrind --callgrind-out-file=%s %s %s %s %d"):format(file,
    command, server.url, server.partner_key, calls))
  local instructions = text:match "Collected : (%d+)"
  assert(instructions, text)
  return tonumber(instructions)
end

local function per_call(name, command)
  return (count(name, command, LONG) - count(name, command, SHORT)) / (LONG - SHORT)
end

-- Instructions a call by shared object, from callgrind's annotated output.
local function by_object(name)
  local objects = {}
  for _, calls in ipairs { LONG, SHORT } do
    local sign = calls == LONG and 1 or -1
    local text = run(
      ("callgrind_annotate --threshold=100 --show-percs=no %s/callgrind.%s.%d"):format(out, name,
        calls)
    )
    for amount, object in text:gmatch "\n%s*([%d,]+)%s+[^\n]-%[([^%]\n]+)%]" do
      local short = object:match "([^/]+)$"
      objects[short] = (objects[short] or 0) + sign * tonumber((amount:gsub(",", "")))
    end
  end
  local list = {}
  for object, amount in pairs(objects) do
    if amount > 0 then list[#list + 1] = { object = object, amount = amount / (LONG - SHORT) } end
  end
  table.sort(list, function(a, b) return a.amount > b.amount end)
  return list
end

os.execute("mkdir -p " .. out)
assert(
  run "cc -O2 -o build/bench/baseline bench/baseline.c $(pkg-config --cflags --libs libcurl)" == ""
)

local ok, problem = pcall(function()
  local ours = per_call("lua", lua .. " bench/create_org.lua")
  local baseline = per_call("baseline", out .. "/baseline")
  print(("instructions per create_org: %.0f, C baseline: %.0f, ratio %.3f"):format(ours, baseline,
    ours / baseline))
  for _, row in ipairs(by_object "lua") do
    if row.amount > 200 then
      print(("  %-28s %8.0f  %.3f of the baseline"):format(row.object, row.amount,
        row.amount / baseline))
    end
  end
  print "baseline by object:"
  for _, row in ipairs(by_object "baseline") do
    if row.amount > 200 then print(("  %-28s %8.0f"):format(row.object, row.amount)) end
  end
end)
server:stop()
if not ok then error(problem, 0) end
