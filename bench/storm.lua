-- Puts the library and the vendor's client through the same storm of faults and prints what each
-- reported beside what the sandbox holds. Usage: lua bench/storm.lua [CALLS] [SEED], from the root
-- of the tree; wants Node and the built library.

package.path = "./?.lua;" .. package.path

local cjson = require("cjson").new()
local core = require "polytomic.core"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local storm = require "spec.support.storm"
local vendor = require "spec.support.vendor"

local IN_FLIGHT = 32
-- Seconds after which a call of the vendor's client that has not ended is given up
local PATIENCE = 10
local calls = tonumber(arg[1]) or 2000
local seed = tonumber(arg[2]) or 20250918
local faults = storm.faults(math.ceil(calls * 1.3), seed)

local function ours(organization)
  return storm.started(organization, calls, IN_FLIGHT)
end

local function theirs(organization)
  local emails = {}
  for index = 1, calls do emails[index] = storm.email(index) end
  local order = cjson.encode { url = sandbox.url, token = sandbox.partner_key,
    organization = organization, emails = emails, inFlight = IN_FLIGHT,
    timeout = storm.ATTEMPT_TIMEOUT, retries = storm.RETRIES, patience = PATIENCE }
  local status, out, err = process.run({ "node", "bench/storm.mjs" },
    { stdin = order, timeout = 200 })
  assert(status == 0, err)
  return cjson.decode(out)
end

local function weather(title, run)
  local organization = storm.prepare(faults)
  local start = core.now()
  local told = run(organization)
  return { title, storm.reckon(organization, told, calls), core.now() - start }
end

vendor.install()
local rows =
  { weather("polytomic for Lua", ours), weather("the vendor's TypeScript client", theirs) }
print(("create_user, %d calls, %d in flight, %d faults, seed %d"):format(calls, IN_FLIGHT, #faults,
  seed))
print(storm.report(rows))
process.stop_all()
