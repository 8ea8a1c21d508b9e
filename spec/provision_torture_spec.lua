-- O, kill -9 at any moment: ten kills of the torture that `make torture` runs to 200.
-- Needs: postgresql
-- Takes: 22 s

local postgresql = require "spec.support.postgresql"
local process = require "spec.support.process"
local torture = require "spec.support.provision_torture"

local KILLS, CUSTOMERS = 10, 40

local function check(result)
  assert.equal(KILLS, result.kills)
  assert.same({}, result.wrong, result.output .. result.log)
  assert.equal(0, result.status, result.output .. result.log)
end

describe("provisioning, killed at random moments while a fifth of all requests fails", function()
  it("makes everything exactly once, with apply on SQLite", function()
    check(torture.run {
      customers = CUSTOMERS, kills = KILLS, share = 0.2, concurrency = 2,
      ledger = "sqlite:" .. process.temporary_file(nil, "ledger"),
    })
  end)

  it("makes everything exactly once, with workers on PostgreSQL, which is restarted", function()
    local server = postgresql.shared()
    check(torture.run {
      customers = CUSTOMERS, kills = KILLS, share = 0.2, ledger = server:database(), workers = 3,
      concurrency = 1,
      between = function(kill)
        if kill == 3 then server:restart() end
      end,
    })
  end)
end)
