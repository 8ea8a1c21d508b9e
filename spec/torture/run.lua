-- make torture: random programs (see program.lua), a process for every hundred of them, against one
-- sandbox. PROGRAMS, SECONDS and SEED of the environment bound and repeat it.

local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local programs = tonumber(os.getenv "PROGRAMS" or "") or 3000
local seconds = tonumber(os.getenv "SECONDS" or "") or 600
local seed = tonumber(os.getenv "SEED" or "") or os.time()
local EACH = 100

local done, steps, began = 0, 0, os.time()
while done < programs and os.time() - began < seconds do
  local left = seconds - (os.time() - began)
  local status, out, err = process.run({
    process.interpreter(), "spec/torture/program.lua", sandbox.url, sandbox.partner_key,
    tostring(seed), tostring(math.min(EACH, programs - done)), tostring(left),
  }, { env = process.environment(), timeout = left + 120 })
  local more, taken = out:match "^(%d+) programs, (%d+) steps"
  if status ~= 0 or not more then
    io.stderr:write(out, err, ("SEED=%d ended with status %s\n"):format(seed, tostring(status)))
    os.exit(1)
  end
  done, steps, seed = done + more, steps + taken, seed + 1
end
print(("%d programs, %d steps, %d s: no findings"):format(done, steps, os.time() - began))
