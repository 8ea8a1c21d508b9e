-- Lists 10,000 users to tables beside the vendor's client, which makes objects of them, round by
-- round in one run, and prints the ratio of the two. Usage: lua bench/list_users.lua [ROUNDS], from
-- the root of the tree; wants Node and the built library.

package.path = "./?.lua;" .. package.path

local cqueues = require "cqueues"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local socket = require "cqueues.socket"
local vendor = require "spec.support.vendor"

local ORGANIZATION = "248df4b7-aa70-47b8-a036-33ac447e668d"
local WARM_UP = 5
local rounds = tonumber(arg[1]) or 40

vendor.install()
local server = process.start_lua { "bench/answering.lua" }
local node = process.start { "node", "bench/list_users.mjs", server.first_line }
local control = socket.connect("127.0.0.1", tonumber(node.first_line))
local client =
  polytomic.new { base_url = server.first_line, partner_key = "bench", env = false, proxy = "" }

local function ours()
  local start = cqueues.monotime()
  local users = assert(client:list_users { org_id = ORGANIZATION })
  local seconds = cqueues.monotime() - start
  assert(#users == 10000 and #users[10000].role_ids == 1, "not what was served")
  return seconds
end

local function theirs()
  control:write("list\n")
  control:flush()
  return assert(tonumber(control:read("*l")), "the vendor's client failed")
end

local function summary(times)
  table.sort(times)
  return times[1], times[math.ceil(#times / 2)]
end

for _ = 1, WARM_UP do
  ours()
  theirs()
end
local our_times, their_times = {}, {}
for round = 1, rounds do
  our_times[round], their_times[round] = ours(), theirs()
end

local our_least, our_median = summary(our_times)
local their_least, their_median = summary(their_times)
print(("list_users, 10,000 users, ours / the vendor's client "
    .. "(%d rounds): least %.2f, median %.2f"):format(rounds, our_least / their_least,
      our_median / their_median))
client:close()
control:close()
process.stop_all()
