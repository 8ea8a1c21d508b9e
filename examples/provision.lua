-- Customers as data: shows what would change, brings it about, and does nothing the second time.
--
--   eval "$(polytomic sandbox --background)"
--   lua examples/provision.lua
--   polytomic sandbox --stop

local polytomic = require "polytomic"
local provision = require "polytomic.provision"

local client = polytomic.new {}
local customers = {
  { name = "Acme", sso_domain = "acme.com", users = {
    { email = "jane@acme.com", roles = { "Admin" } }, { email = "joe@acme.com" } } },
  { name = "Initech", users = { { email = "pete@initech.com" } } },
}

local changes = assert(provision.plan(client, customers))
for _, change in ipairs(changes) do print(change.action, change.customer, change.email or "") end

local ledger = os.tmpname()
os.remove(ledger)
for run = 1, 2 do
  local summary = assert(provision.apply(client, customers, { ledger = "sqlite:" .. ledger }))
  print(("run %d: %d customers all there, %d created"):format(run, summary.done, summary.created))
end
for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(ledger .. suffix) end
client:close()
