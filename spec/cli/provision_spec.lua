-- The commands plan, apply, enqueue, work and status.
-- Needs: dbd.sqlite3
-- Luas: 5.4 5.1
-- Takes: 10 s

local cjson = require("cjson").new()
local command = require "spec.support.command"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local function write(extension, text) return process.temporary_file(text, extension) end

local polytomic, environment = command.run, command.environment

local FILE = [[
name,sso_domain,email,roles,api_key
Acme,acme.com,jane@acme.com,Admin,yes
Acme,,joe@acme.com,,
Initech,,pete@initech.com,Member,no
]]

describe("polytomic plan", function()
  before_each(function() sandbox:reset() end)

  it("shows what would be created and changed, counts the rest, and writes nothing", function()
    local path = write("csv", FILE)
    sandbox:request("POST", "/api/organizations", { name = "Acme", sso_domain = "old.com" })
    local status, out, err = polytomic { "plan", path }
    assert.same({ 0, "", table.concat({
      "~ organization Acme", '    sso_domain: "old.com" -> "acme.com"',
        "+ user jane@acme.com of Acme", '    roles: "Admin"',
      "+ API key of jane@acme.com of Acme", "+ user joe@acme.com of Acme", "+ organization Initech",
      "+ user pete@initech.com of Initech", '    roles: "Member"', "= 0 customers unchanged",
      "Plan: create 1 organization, create 3 users, mint 1 API key, change 1 organization.", "",
    }, "\n") }, { status, err, out })
    assert.equal(1, sandbox:committed())
    assert.is_nil(process.contents(path .. ".ledger"))
  end)

  it("knows from the ledger which keys were minted, and refuses one of another server", function()
    local path, keys = write("csv", FILE), process.temporary_file()
    local env = { POLYTOMIC_LEDGER = "sqlite:" .. process.temporary_file(nil, "ledger") }
    assert.equal(0, (polytomic({ "apply", path, "--yes", "--keys", keys }, { env = env })))
    local status, out = polytomic({ "plan", path }, { env = env })
    assert.same({ 0, "= 2 customers unchanged\nNothing to do.\n" }, { status, out })
    out = select(2, polytomic { "plan", path })
    assert.matches("mint 1 API key", out)
    env.POLYTOMIC_DEPLOYMENT_URL = "http://127.0.0.1:1"
    status, out = (function(a, _, c) return a, c end)(polytomic({ "plan", path }, { env = env }))
    assert.equal(3, status)
    assert.matches("belongs to http://127.-, not to http://127%.0%.0%.1:1\n", out)
  end)

  it("is JSON with --output json, and exits 0 with nothing to do", function()
    local status, out = polytomic { "plan", write("jsonl", '{"name":"Sandbox Owner"}\n'),
      "--output", "json" }
    local plan = cjson.decode(out)
    assert.same({ 0, {}, 0, 1 }, { status, plan.changes, plan.counts.changes,
      plan.counts.unchanged })
    status, out = polytomic({ "plan", "-", "-o", "json" },
      { stdin = '{"name":"Acme","sso_domain":"a.com"}\n' })
    plan = cjson.decode(out)
    assert.equal(0, status)
    assert.same({ action = "create_org", customer = "Acme",
      fields = { name = { to = "Acme" }, sso_domain = { to = "a.com" } } },
      plan.changes[1])
  end)

  it("tells every problem of the file, each on a line, and exits 3", function()
    local path = write("csv", "name,e-mail\nAcme,x\n,y\n\"Z\n")
    local status, out, err = polytomic { "plan", path }
    assert.same({ 3, "" }, { status, out })
    assert.equal(('polytomic: P: line 1: unknown column "e-mail", did you mean "email"?\n'
      .. "polytomic: P: line 3: name is required\n"
      .. "polytomic: P: line 4: a quoted cell is not closed\n"):gsub("P:", path .. ":"), err)
    assert.equal(0, #sandbox:requests())
  end)
end)

describe("polytomic apply", function()
  before_each(function() sandbox:reset() end)

  it("brings the customers about, once, with keys in a file of its own and a report", function()
    local path, keys, report = write("csv", FILE), process.temporary_file(),
      process.temporary_file(nil, "csv")
    local words = { "apply", path, "--yes", "--keys", keys, "--report", report }
    local status, out, err = polytomic(words)
    assert.same({ 0, "2 customers all there; 6 created, 0 updated\n", "" }, { status, out, err })
    assert.matches("^customer,state,organization_id,.-\nAcme,done,.-\nInitech,done,",
      process.contents(report))
    assert.equal("jane@acme.com", cjson.decode(process.contents(keys)).email)
    words[#words + 1], words[#words + 2] = "-o", "json"
    status, out = polytomic(words)
    assert.same({ 0, 2, 0, {} }, { status, cjson.decode(out).done, cjson.decode(out).created,
      cjson.decode(out).failures })
    status, out = polytomic { "plan", path }
    assert.same({ 0, "= 2 customers unchanged\nNothing to do.\n" }, { status, out })
    local counts
    status, counts = polytomic { "status", "--ledger", "sqlite:" .. path .. ".ledger" }
    assert.same({ 0, { queued = 0, running = 0, done = 2, failed = 0, unknown = 0, total = 2,
      failures = {} } },
      { status, cjson.decode(counts) })
  end)

  it("exits 2 without a terminal to ask at, 3 for keys without a file, before anything is sent",
    function()
    local path = write("csv", FILE)
    local status, _, err = polytomic { "apply", path }
    assert.equal(2, status)
    assert.matches("^polytomic: without a terminal nobody can be asked: give %-%-yes\n", err)
    status, _, err = polytomic { "apply", path, "--yes" }
    assert.equal(3, status)
    assert.matches("^polytomic: API keys are wanted[^\n]+\nhint: give %-%-keys FILE\n$", err)
    assert.equal(2, (polytomic({ "apply", "-", "--yes" }, { stdin = '{"name":"A"}' })))
    assert.equal(2, (polytomic { "apply", path, "--yes", "--report", "report.txt" }))
    status, _, err = polytomic { "apply", path, "--yes", "--report", "/nonexistent/r.csv" }
    assert.equal(2, status)
    assert.matches("^polytomic: cannot write the report: /nonexistent/r.csv: ", err)
    assert.equal(2, (polytomic { "apply", path, "--yes", "--concurrency", "0" }))
    assert.equal(0, #sandbox:requests())
  end)

  it("exits 4 where some are refused, names them, and tries them again with --retry-failed",
    function()
    local path = write("jsonl", '{"name":"Acme"}\n{"name":"Initech"}\n')
    sandbox:faults { { operation = "create_org", fault = "status", status = 422, store = true,
      times = 1, body = { message = "no such plan" } } }
    local status, out, err = polytomic { "apply", path, "--yes", "--concurrency", "1" }
    assert.same({ 4, "1 customer all there, 1 failed; 1 created, 0 updated\n" }, { status, out })
    assert.matches("^polytomic: Acme: failed: create_org: 422 unprocessable: no such plan", err)
    assert.matches("note: %-%-retry%-failed", err)
    assert.equal(4, (polytomic { "apply", path, "--yes" }))
    assert.equal(0, (polytomic { "apply", path, "--yes", "--retry-failed" }))
  end)

  it("is interrupted by Ctrl-C after what is under way, exits 130, and goes on the next time",
    function()
    local rows = {}
    for i = 1, 40 do rows[i] = ('{"name":"Acme %d"}'):format(i) end
    local path = write("jsonl", table.concat(rows, "\n"))
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 0.1, times = 40 } }
    for _, signal in ipairs { "INT", "TERM" } do
      local child = process.start(command.words { "apply", path, "--yes", "--concurrency", "2" },
        { env = environment(), first_line = false })
      local before = sandbox:committed "create_org"
      for _ = 1, 400 do
        if sandbox:committed "create_org" >= before + 3 then break end
        os.execute "sleep 0.02"
      end
      os.execute(("kill -%s %d"):format(signal, child.pid))
      assert.equal(130, child:wait())
      local _, err = child:output()
      assert.equal("polytomic: interrupted\nhint: run it again to go on\n", err)
    end
    assert.is_true(sandbox:committed "create_org" < 40)
    assert.equal(0, (polytomic { "apply", path, "--yes" }))
    assert.equal(40, sandbox:committed "create_org")
  end)

  it("takes the ledger from POLYTOMIC_LEDGER, and refuses a password in an argument", function()
    local path, ledger = write("jsonl", '{"name":"Acme"}\n'), process.temporary_file(nil, "ledger")
    assert.equal(0, (polytomic({ "apply", path, "--yes" },
      { env = { POLYTOMIC_LEDGER = "sqlite:" .. ledger } })))
    assert.is_nil(process.contents(path .. ".ledger"))
    assert.is_not_nil(process.contents(ledger))
    local status, out, err = polytomic { "apply", path, "--yes", "--ledger",
      "postgresql://me:canary@127.0.0.1/db" }
    assert.equal(2, status)
    assert.not_matches("canary", out .. err)
  end)

  it("names the package where LuaDBI is missing", function()
    local path = write("jsonl", '{"name":"Acme"}\n')
    local script = 'package.preload.DBI = function() error "none" end '
      .. 'os.exit(require("polytomic.cli").run(arg), true)'
    local file = write("lua", script)
    local status, _, err = process.run({ process.interpreter(), file, "apply", path, "--yes" },
      { env = environment() })
    assert.equal(3, status)
    assert.equal("polytomic: the ledger needs LuaDBI: install the Debian package lua-dbi-sqlite3 "
      .. "or the rock luadbi-sqlite3\n", err)
  end)

  it("ends cleanly where the disk of the ledger is full", function()
    local rows = {}
    for i = 1, 2000 do rows[i] = ('{"name":"Acme %d"}'):format(i) end
    local path = write("jsonl", table.concat(rows, "\n"))
    local ledger = process.temporary_file(nil, "ledger")
    local status, out, err = process.run("sh -c " .. process.quote(
      "ulimit -f 100; trap '' XFSZ; exec " .. process.quote(process.interpreter())
      .. " lua/bin/polytomic apply " .. path .. " --yes --ledger sqlite:" .. ledger),
        { env = environment() })
    assert.equal(5, status, out .. err)
    assert.matches("^polytomic: the ledger sqlite:[^\n]+: [%w /]+\n"
      .. "hint: run it again to go on; nothing is done twice\n$", err)
    assert.equal(0, (polytomic { "apply", path, "--yes", "--ledger", "sqlite:" .. ledger }))
    assert.equal(2000, sandbox:committed "create_org")
  end)
end)

describe("polytomic enqueue and work", function()
  before_each(function() sandbox:reset() end)

  it("share a ledger: one puts customers in, the other brings them about and ends with --drain",
    function()
    local ledger = "sqlite:" .. process.temporary_file(nil, "ledger")
    local status, out = polytomic({ "enqueue", "-", "--ledger", ledger },
      { stdin = '{"name":"Acme","users":[{"email":"a@b.c"}]}\n{"name":"Initech"}\n',
      env = { POLYTOMIC_PARTNER_KEY = false } })
    assert.same({ 0, "2 of 2 customers queued\n", 0 }, { status, out, #sandbox:requests() })
    status, out = polytomic({ "enqueue", "-", "--ledger", ledger },
      { stdin = '{"name":"Initech"}\n{"name":"Globex"}\n' })
    assert.same({ 0, "1 of 2 customers queued\n" }, { status, out })
    status, out = polytomic { "work", "--ledger", ledger, "--drain" }
    assert.same({ 0, "3 customers done, 0 failed; 4 created, 0 updated\n" }, { status, out })
    status, out = polytomic { "status", "--ledger", ledger, "--output", "table" }
    assert.equal(0, status)
    assert.matches("done     3\n", out)
  end)

  it("work goes on until SIGTERM, finishes what is under way, gives its leases back and exits 0",
    function()
    local ledger = "sqlite:" .. process.temporary_file(nil, "ledger")
    local rows = {}
    for i = 1, 30 do rows[i] = ('{"name":"Acme %d","users":[{"email":"a@b.c"}]}'):format(i) end
    polytomic({ "enqueue", "-", "--ledger", ledger }, { stdin = table.concat(rows, "\n") })
    sandbox:faults { { operation = "create_user", fault = "latency", seconds = 0.1, times = 30 } }
    local child = process.start(command.words { "work", "--ledger", ledger, "--concurrency", "2" },
      { env = environment(), first_line = false })
    for _ = 1, 400 do
      if sandbox:committed "create_user" >= 3 then break end
      os.execute "sleep 0.02"
    end
    os.execute(("kill -TERM %d"):format(child.pid))
    assert.equal(0, child:wait())
    local _, out = polytomic { "status", "--ledger", ledger }
    local counts = cjson.decode(out)
    assert.same({ 0, 30 }, { counts.running, counts.done + counts.queued })
    assert.is_true(counts.queued > 0)
    assert.equal(0, (polytomic { "work", "--ledger", ledger, "--drain" }))
    assert.equal(30, sandbox:committed "create_org")
    assert.equal(30, sandbox:committed "create_user")
  end)

  it("status lists what failed and why, and puts it back with --retry-failed", function()
    local ledger = "sqlite:" .. process.temporary_file(nil, "ledger")
    polytomic({ "enqueue", "-", "--ledger", ledger }, { stdin = '{"name":"Acme"}\n' })
    sandbox:faults { { operation = "create_org", fault = "status", status = 403, times = 1 } }
    assert.equal(0, (polytomic { "work", "--ledger", ledger, "--drain" }))
    local status, out = polytomic { "status", "--ledger", ledger }
    local failures = cjson.decode(out).failures
    assert.same({ 0, 1, "Acme", "failed", "forbidden" },
      { status, #failures, failures[1].customer, failures[1].state, failures[1].kind })
    out = select(2, polytomic { "status", "--ledger", ledger, "--retry-failed" })
    assert.equal(1, cjson.decode(out).queued)
    polytomic { "work", "--ledger", ledger, "--drain" }
    out = select(2, polytomic { "status", "--ledger", ledger })
    assert.equal(1, cjson.decode(out).done)
  end)

  it("enqueue refuses a secret that would have to be kept", function()
    local status, out, err = polytomic({ "enqueue", "-", "--ledger", "sqlite:"
      .. process.temporary_file() },
      { stdin = '{"name":"Acme","client_secret":"canary"}\n' })
    assert.equal(3, status)
    assert.matches("line 1: client_secret must be a reference", err)
    assert.not_matches("canary", out .. err)
  end)

  it("status of a ledger that is not there says so", function()
    local path = process.temporary_file()
    local status, _, err = polytomic { "status", "--ledger", "sqlite:" .. path }
    assert.same({ 3, "polytomic: there is no ledger sqlite:" .. path .. "\n" }, { status, err })
    assert.is_nil(process.contents(path))
    assert.equal(2, (polytomic { "status" }))
  end)
end)
