-- Lists 10,000 users to tables beside the vendor's client, which makes objects of them, block of
-- calls by block of calls in one run, and prints the ratios of the blocks that the machine's other
-- load disturbed least, of processor time and of wall-clock time; a line for each mode of the
-- collector. Debian's lua5.4 starts in generational mode, hosts that embed Lua in incremental mode.
-- Beside them what lua-cjson and JSON.parse take for the text alone. Usage: lua
-- bench/list_users.lua [BLOCKS], from the root of the tree; wants Node and the built library.

package.path = "./?.lua;" .. package.path

local cjson = require "cjson"
local cqueues = require "cqueues"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local socket = require "cqueues.socket"
local vendor = require "spec.support.vendor"

local ORGANIZATION = "248df4b7-aa70-47b8-a036-33ac447e668d"
local CALLS = 40 -- of a block: enough for major collections to come in each
local blocks = tonumber(arg[1]) or 7

vendor.install()
local server = process.start_lua { "bench/answering.lua" }
local node = process.start { "node", "bench/list_users.mjs", server.first_line }
local control = socket.connect("127.0.0.1", tonumber(node.first_line))
local client =
  polytomic.new { base_url = server.first_line, partner_key = "bench", env = false, proxy = "" }

-- The text that is served.
local function body()
  local port = server.first_line:match "%d+$"
  local connection = socket.connect { host = "127.0.0.1", port = tonumber(port) }
  connection:setmode("b", "b")
  connection:write "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
  connection:flush()
  local length
  for line in connection:lines "*L" do
    length = length or tonumber(line:match "^Content%-Length: (%d+)")
    if line == "\r\n" then break end
  end
  local text = connection:read(length)
  connection:close()
  return text
end

local text = body()

-- Milliseconds of the processor and of the clock, for each of the calls of a block.
local function block(call)
  local processor, wall = os.clock(), cqueues.monotime()
  for _ = 1, CALLS do call() end
  return (os.clock() - processor) * 1000 / CALLS, (cqueues.monotime() - wall) * 1000 / CALLS
end

local function ours()
  return block(function()
    local users = assert(client:list_users { org_id = ORGANIZATION })
    assert(#users == 10000 and #users[10000].role_ids == 1, "not what was served")
  end)
end

local function decoding()
  return block(function()
    assert(#cjson.decode(text).data == 10000, "not what was served")
  end)
end

local function ask(what)
  control:write(what, " ", CALLS, "\n")
  control:flush()
  local processor, wall = assert(control:read "*l", "Node failed"):match "^(%S+) (%S+)$"
  return tonumber(processor), tonumber(wall)
end

local function least(list)
  table.sort(list)
  return list[1]
end

-- A block of each in turn; the first of them only warm up.
local function measure(mode)
  local work = {
    ours = ours,
    theirs = function() return ask "list" end,
    cjson = decoding,
    parse = function() return ask "parse" end,
  }
  local order = { "ours", "theirs", "cjson", "parse" }
  local processor, wall = {}, {}
  for _, name in ipairs(order) do processor[name], wall[name] = {}, {} end
  for round = 0, blocks do
    for _, name in ipairs(order) do
      collectgarbage()
      local cpu, clock = work[name]()
      if round > 0 then processor[name][round], wall[name][round] = cpu, clock end
    end
  end
  for _, name in ipairs(order) do
    processor[name], wall[name] = least(processor[name]), least(wall[name])
  end
  print(("vendor %s processor %.2f wall %.2f"):format(mode, processor.ours / processor.theirs,
    wall.ours / wall.theirs))
  print("  milliseconds of the processor: "
    .. ("ours %.1f, the vendor's client %.1f; the text alone with lua-cjson %.1f, JSON.parse %.1f")
      :format(processor.ours, processor.theirs, processor.cjson, processor.parse))
end

if _VERSION == "Lua 5.4" then collectgarbage "incremental" end
measure "incremental"
if _VERSION == "Lua 5.4" then
  collectgarbage "generational"
  measure "generational"
end
client:close()
control:close()
process.stop_all()
