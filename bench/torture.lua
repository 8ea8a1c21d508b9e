-- Provisioning under 200 kills: `make torture`. Prints what came of it, exits 1 where anything is
-- missing or there twice.
--
--   .ci/with-lua build 5.4 lua5.4 bench/torture.lua [KILLS [CUSTOMERS]]

package.path = "./?.lua;" .. package.path

local postgresql = require "spec.support.postgresql"
local process = require "spec.support.process"
local torture = require "spec.support.provision_torture"

local kills, customers = tonumber(arg[1]) or 200, tonumber(arg[2]) or 500
local seed = os.time()
math.randomseed(seed)

local failed = false

local function report(title, options)
  options.customers, options.kills, options.share = customers, kills, 0.2
  local began = os.time()
  local result = torture.run(options)
  print(("%s: %d customers, %d kills in %d s, exit status %d, %d things wrong (seed %d)"):format(
    title, customers, result.kills, os.time() - began, result.status, #result.wrong, seed
  ))
  for i = 1, math.min(#result.wrong, 20) do print("  " .. result.wrong[i]) end
  if #result.wrong > 0 or result.status ~= 0 then
    failed = true
    print(result.output)
  end
  io.stdout:flush()
end

report("apply on SQLite", {
  ledger = "sqlite:" .. process.temporary_file() .. ".ledger", concurrency = 4, longest = 0.9,
})

if postgresql.is_there() then
  local server = postgresql.shared()
  report("three workers on PostgreSQL, restarted twice", {
    ledger = server:database(), workers = 3, concurrency = 1, longest = 0.5,
    between = function(kill)
      local third = math.floor(kills / 3)
      if kill == third or kill == 2 * third then server:restart() end
    end,
  })
end

process.stop_all()
os.exit(failed and 1 or 0, true)
