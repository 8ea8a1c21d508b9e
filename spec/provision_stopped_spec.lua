-- Workers that are stopped beyond their leases, and ledgers that are deleted, on SQLite.
-- Needs: dbd.sqlite3
-- Takes: 8 s

local clients = require "spec.support.clients"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"
local stopped_worker = require "spec.support.stopped_worker"

local unpack = table.unpack or unpack -- luacheck: ignore

-- What SQL gives that another process asks: closing a file of this process would end its locks.
local function ask(path, ...)
  local script = process.temporary_file [[
    local connection = assert(require("DBI").Connect("SQLite3", table.remove(arg, 1)))
    connection:autocommit(true)
    for _, text in ipairs(arg) do
      local statement = assert(connection:prepare(text))
      assert(statement:execute())
      for row in statement:rows() do
        for i = 1, 7 do io.write(tostring(row[i]), "|") end
        io.write "\n"
      end
      statement:close()
    end
    connection:close()
  ]]
  local status, out, err = process.run({ process.interpreter(), script, path, ... },
    { env = process.environment() })
  assert(status == 0, err)
  return out
end

local function new_ledger()
  local path = process.temporary_file(nil, "ledger")
  return "sqlite:" .. path, function() return ask(path, unpack(stopped_worker.QUERIES)) end, path
end

describe("a worker that is stopped beyond its leases", function()
  clients.around(before_each, after_each)

  it("does nothing twice, and writes nothing of what another has taken over", function()
    stopped_worker.check_once(clients.sandbox(), new_ledger())
  end)

  it("does not overwrite at the server what another has brought about meanwhile", function()
    stopped_worker.check_newest(clients.sandbox(), new_ledger())
  end)
end)

describe("a worker", function()
  clients.around(before_each, after_each)

  it("counts a customer once that another took before the ledger knew that it is done", function()
    local client, url, _, path = clients.sandbox(), new_ledger()
    local stolen
    assert(provision.enqueue(client, { { name = "Acme", users = { { email = "a@b.c" } } } },
      { ledger = url }))
    sandbox:faults { { operation = "create_user", fault = "latency", seconds = 0.3, times = 1 } }
    local result = assert(provision.work(client, { ledger = url, drain = true,
      progress = function()
        if stolen or #sandbox:requests "create_user" == 0 then return end
        stolen = ask(path, "UPDATE polytomic_customers SET lease = lease + 1, lease_until = "
          .. "(julianday('now') - 2440587.5) * 86400 + 0.5, lease_owner = 'elsewhere/1/2/3'")
      end }))
    assert.same({ "", 1, 0 }, { stolen, result.done, result.failed })
    assert.same({ 1, 1 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
  end)

  it("stops where its ledger is deleted or replaced, and begins anew with what is there", function()
    for _, replace in ipairs { false, true } do
      local client, url, _, path = clients.sandbox(), new_ledger()
      local list, gone = {}, false
      for i = 1, 12 do list[i] = { name = "Acme " .. i, users = { { email = "a@b.c" } } } end
      local _, message, err = provision.apply(client, list, { ledger = url, concurrency = 2,
        on_step = function()
          if gone then return end
          gone = true
          assert(os.remove(path))
          if replace then assert(io.open(path, "w")):close() end
        end })
      assert.equal("provision: ledger: the ledger " .. url
        .. ": its file was deleted or replaced while it was in use", message)
      assert.equal("ledger", err.kind)
      os.remove(path)
      local summary = assert(provision.apply(client, list, { ledger = url }))
      assert.equal(12, summary.done)
      assert.same({ 12, 12 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
      sandbox:reset()
    end
  end)
end)
