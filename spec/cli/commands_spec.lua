-- The commands around the operations, run as users run them.
-- Luas: 5.4 5.1
-- Takes: 8 s

local cjson = require "cjson"
local command = require "spec.support.command"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local run, result, on_terminal = command.run, command.result, command.on_terminal

describe("the command", function()
  local org

  before_each(function()
    sandbox:reset()
    local _, reply = sandbox:request("POST", "/api/organizations", { name = "Acme" })
    org = reply.data.id
  end)

  after_each(function() sandbox:assert_all_faults_consumed() end)

  describe("find_org", function()
    it("prints the organization", function()
      assert.equal(org, result({ "find_org", "name=Acme" }).id)
    end)

    it("prints null and ends with 0 where there is none", function()
      local status, out, err = run { "find_org", "name=Nobody" }
      assert.same({ 0, "null\n", "" }, { status, out, err })
    end)

    it("says null on a terminal, too", function()
      assert.same({ 0, "null\n" }, { command.on_terminal({ "find_org", "name=Nobody" }, {}) })
    end)

    it("suggests the name of a mistaken argument", function()
      local status, _, err = run { "find_org", "nmae=Acme" }
      assert.equal(3, status)
      contains(err, "did you mean 'name'?")
    end)
  end)

  it("find_user compares addresses without case", function()
    result { "create_user", "org_id=" .. org, "email=jane@acme.com" }
    local user = result { "find_user", "org_id=" .. org, "email=JANE@acme.com" }
    assert.equal("jane@acme.com", user.email)
  end)

  it("ensure_org creates once, then changes nothing, then updates, and says so", function()
    local words = { "ensure_org", "name=Beta" }
    local outcomes = {}
    for i, extra in ipairs { false, false, "sso_domain=beta.com" } do
      words[3] = extra or nil
      local status, _, err = run(words)
      assert.equal(0, status)
      outcomes[i] = err:match "^note: ensure_org: (%l+)\n$"
    end
    assert.same({ "created", "unchanged", "updated" }, outcomes)
    assert.equal(2, sandbox:committed "create_org")
  end)

  it("ensure_user gives roles by lists as create_user does", function()
    local role = "0a0a0a0a-0000-4000-8000-000000000001"
    local status, out = run {
      "ensure_user", "org_id=" .. org, "email=a@acme.com", "role_ids=" .. role,
    }
    assert.equal(0, status)
    assert.same({ role }, cjson.decode(out).role_ids)
  end)

  it("patch_org keeps what is not mentioned, and does not end a sign-in unasked", function()
    result { "update_org", "id=" .. org, "name=Acme", "issuer=https://idp.acme.com",
      "client_id=i", "client_secret=s", "sso_domain=acme.com" }
    local status, _, err = run { "patch_org", "id=" .. org, "name=Acme Inc." }
    assert.equal(3, status)
    contains(err, "drop_oidc=true")
    local patched = run { "patch_org", "id=" .. org, "name=Acme Inc.", "drop_oidc=true" }
    assert.equal(0, patched)
    local now = result { "get_org", "id=" .. org }
    assert.same({ "Acme Inc.", "acme.com" }, { now.name, now.sso_domain })
  end)

  describe("wait_for", function()
    local function query(...)
      local connection = result { "create_connection", "--organization", org, "name=Warehouse",
        "type=postgresql", "configuration:={}" }
      local id = result({ "run_query", "--organization", org, "connection_id=" .. connection.id,
        "query=SELECT 1" }).id
      return run { "wait_for", "get_query", "id=" .. id, "--organization", org, "--interval=0.05",
        ... }
    end

    it("prints the reply in which the work is done", function()
      local status, out = query()
      assert.equal(0, status)
      assert.equal("done", cjson.decode(out).status)
    end)

    it("ends with 6 when the time is over", function()
      sandbox:faults { { operation = "get_query", fault = "stall_headers", seconds = 60 } }
      local status, _, err = query "--timeout=0.3"
      assert.equal(6, status)
      contains(err, "timeout")
    end)

    it("gives each look the time of any call, whatever --timeout says", function()
      sandbox:faults { { operation = "get_query", fault = "status", retry_after = "100" } }
      local status, _, err = query "--timeout=600"
      assert.equal(4, status)
      contains(err, "503")
    end)

    it("refuses an operation that is not there, with the nearest", function()
      local status, _, err = run { "wait_for", "get_qeury", "id=x" }
      assert.equal(2, status)
      contains(err, "did you mean 'get_query'?")
    end)

    it("refuses an operation that changes something", function()
      local status, _, err = run { "wait_for", "create_org", "name=x" }
      assert.equal(2, status)
      contains(err, "must be an operation that only reads")
    end)

    it("needs an operation", function()
      local status, _, err = run { "wait_for", "list_orgs" }
      assert.equal(2, status)
      contains(err, "how the work of list_orgs ends is not known: give --until STATUS\n")
      status, _, err = run { "wait_for" }
      assert.equal(2, status)
      contains(err, "wait_for needs OPERATION")
    end)
  end)

  describe("request", function()
    it("sends name=value in the query of a GET, beside what the path has", function()
      local list = result { "request", "get", "/api/organizations?limit=50", "a=b c" }
      assert.equal("Acme", list[2].name)
      local requests = sandbox:requests()
      local last = requests[#requests]
      assert.equal("GET", last.method)
      contains(last.query, "limit=50")
      contains(last.query, "a=b%20c")
    end)

    it("sends name=value as the body of a POST, with an idempotency key", function()
      assert.equal("Bob", result({ "request", "POST", "/api/organizations", "name=Bob" }).name)
      local requests = sandbox:requests "create_org"
      assert.truthy(requests[#requests].headers["idempotency-key"])
    end)

    it("takes a whole body from a file", function()
      local file = process.temporary_file '{"name":"Carol"}'
      assert.equal("Carol",
        result({ "request", "POST", "/api/organizations", "--body", "@" .. file }).name)
    end)

    it("shows a request without sending it", function()
      local count = #sandbox:requests()
      local status, out = run { "request", "DELETE", "/api/organizations/" .. org, "--dry-run" }
      assert.equal(0, status)
      contains(out, "curl -X DELETE")
      assert.equal(count, #sandbox:requests())
    end)

    for _, case in ipairs {
      { { "request", "GET" }, "request needs PATH" },
      { { "request", "FETCH", "/api/me" }, "'FETCH' is not a method" },
      { { "request", "POST", "/api/x", "--body", "{" }, "--body is not JSON" },
      { { "request", "POST", "/api/x", "--body", "{}", "a=b" }, "not both" },
      { { "request", "GET", "/../etc" }, "path" },
    } do
      it("refuses " .. table.concat(case[1], " "), function()
        local status, out, err = run(case[1])
        assert.equal("", out)
        assert.is_truthy(status == 2 or status == 3)
        contains(err, case[2])
      end)
    end
  end)

  describe("deleting", function()
    it("asks on a terminal, and sends nothing unless it is agreed to", function()
      for _, answer in ipairs { "n\n", "\n", "nope\n" } do
        local status, out = on_terminal({ "delete_org", "id=" .. org }, { input = answer })
        assert.equal(2, status)
        contains(out, "delete_org id=" .. org)
        contains(out, "not confirmed, nothing was sent")
      end
      assert.equal(0, #sandbox:requests "delete_org")
    end)

    it("asks nothing about what cannot be sent", function()
      local without_slash = { "request", "DELETE", "organizations" }
      for _, words in ipairs { { "delete_org", "id=null" }, without_slash } do
        local status, out = on_terminal(words, { input = "y\n" })
        assert.equal(3, status)
        lacks(out, "Go on?")
      end
    end)

    it("deletes when it is agreed to", function()
      local status = on_terminal({ "delete_org", "id=" .. org }, { input = "yes\n" })
      assert.equal(0, status)
      assert.equal(1, sandbox:committed "delete_org")
    end)

    it("does not ask with --yes, nor without a terminal", function()
      assert.equal(0, (on_terminal { "delete_org", "id=" .. org, "--yes" }))
      local other = result({ "create_org", "name=Other" }).id
      assert.equal(0, (run { "delete_org", "id=" .. other }))
    end)
  end)

  describe("with --dry-run", function()
    it("prints the request as curl without the key, and sends nothing", function()
      local count = #sandbox:requests()
      local status, out, err = run { "create_org", "name=It's", "--dry-run" }
      assert.same({ 0, "" }, { status, err })
      contains(out, "curl -X POST '" .. sandbox.url .. "/api/organizations'")
      contains(out, "$POLYTOMIC_PARTNER_KEY")
      lacks(out, sandbox.partner_key)
      assert.equal(count, #sandbox:requests())
    end)

    it("prints what a shell runs", function()
      local _, out = run { "create_org", "name=It's $HOME `id`", "--dry-run" }
      local status = process.run({ "sh", "-c", out }, { env = command.environment() })
      assert.equal(0, status)
      assert.truthy(result({ "find_org", "name=It's $HOME `id`" }).id)
    end)

    it("refuses what would be refused", function()
      assert.equal(3, (run { "create_org", "--dry-run" }))
    end)
  end)

  describe("with --curl after a refused argument", function()
    it("says that nothing was sent", function()
      local status, out, err = run { "create_org", "nmae=x", "--curl" }
      assert.same({ 3, "" }, { status, out })
      contains(err, "nothing was sent")
    end)
  end)

  describe("with --verbose", function()
    it("draws attempts and pauses, and prints request id and headers", function()
      sandbox:faults { { operation = "list_orgs", fault = "status", status = 503 } }
      local status, out, err = run { "list_orgs", "-v" }
      assert.equal(0, status)
      assert.equal(2, #cjson.decode(out))
      contains(err, "list_orgs: 2 attempts")
      contains(err, "attempt 1: 503")
      contains(err, "pause ")
      contains(err, "attempt 2: 200")
      assert.truthy(err:find "\n    c*w+r*\n")
      assert.truthy(err:find "waiting %d")
      assert.truthy(err:find "\nrequest id: %x+%-")
      contains(err, "  content-type: application/json")
    end)

    it("draws coloured bars within the terminal", function()
      local _, out = on_terminal({ "list_orgs", "-v" }, { columns = 40 })
      contains(out, "█")
      local terminal = require "polytomic.terminal"
      for line in command.plain(out):gmatch "[^\n]+" do
        if line:find "█" then assert.is_true(terminal.width(line) <= 40) end
      end
    end)

    it("escapes what headers may hold", function()
      local server = raw_server.start {
        script = { per = "request", { { send = raw_server.reply(200, { data = {} }, {
          ["X-Note"] = "a\194\155b",
        }) } } },
      }
      local env = { POLYTOMIC_DEPLOYMENT_URL = server.url }
      local _, _, err = run({ "list_orgs", "-v" }, { env = env })
      server:stop()
      contains(err, "x-note: a\\u{9b}b")
    end)
  end)

  describe("completion", function()
    local script

    setup(function()
      local status
      status, script = run { "completion", "bash" }
      assert(status == 0)
    end)

    -- What bash offers for a line that is typed so far, and what it has written into `file` of the
    -- arguments that other users of the machine see.
    local function offers(line, seen)
      local file = process.temporary_file(script)
      local shell = [=[
        source "$1"
        interpreter=$3 seen=$4
        polytomic() { echo "$*" >>"$seen"; "$interpreter" lua/bin/polytomic "$@"; }
        COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:'
        read -ra COMP_WORDS <<<"${2//=/ = }"
        [[ $2 = *[\ =] ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        replaced=${COMP_WORDS[COMP_CWORD]}
        _polytomic polytomic "${replaced#=}"
        echo "${COMPREPLY[*]}"
      ]=]
      local status, out, err = process.run({
        "bash", "-c", shell, "bash", file, line, process.interpreter(), seen or "/dev/null",
      }, { env = command.environment() })
      assert.same({ 0, "" }, { status, err })
      return (out:gsub("\n$", ""))
    end

    it("completes operations and commands", function()
      assert.equal("create_org", offers "polytomic create_or")
      assert.equal("find_org find_user", offers "polytomic find_")
      contains(offers "polytomic help list_or", "list_orgs")
      assert.equal("doctor", offers "polytomic help doc")
      assert.equal("get_job", offers "polytomic wait_for get_jo")
      assert.equal("", offers "polytomic wait_for create_or")
    end)

    it("offers no name that the command does not know", function()
      assert.equal("", offers "polytomic create-or")
    end)

    it("completes an operation's arguments, those that are not given", function()
      contains(offers "polytomic create_user ", "org_id= email=")
      assert.equal("email=", offers "polytomic create_user org_id=x em")
      assert.equal("", offers "polytomic create_user org_id=x org_")
      assert.equal("name=", offers "polytomic ensure_org na")
      assert.equal("name=", offers "polytomic -o csv create_org --timeout 3 na")
      assert.equal("id=", offers "polytomic wait_for get_job i")
    end)

    it("completes a secret as a file's name", function()
      assert.equal("client_secret=@", offers "polytomic create_org client_s")
      assert.equal("@LICENSE", offers "polytomic create_org client_secret=@LICEN")
      assert.equal("@spec/", offers "polytomic create_org name=@spe")
    end)

    it("completes enumerations, after the equals sign at which bash splits", function()
      assert.equal("snapshot replicate", offers "polytomic create_bulk_sync mode=")
      assert.equal("snapshot", offers "polytomic create_bulk_sync mode=s")
      contains(offers "polytomic create_bulk_sync ", "mode= ")
    end)

    it("completes options and their values, after arguments too", function()
      assert.equal("--output", offers "polytomic list_orgs --out")
      assert.equal("table json jsonl csv", offers "polytomic list_orgs --output ")
      assert.equal("table json jsonl csv", offers "polytomic create_org name=x -o ")
      assert.equal("text json jsonl", offers "polytomic plan -o ")
      assert.equal("json jsonl", offers "polytomic create_org --output=j")
      assert.equal("id issuer", offers "polytomic create_org --fields i")
      assert.equal("name,id name,issuer", offers "polytomic list_orgs --fields name,i")
      assert.equal("LICENSE", offers "polytomic list_orgs --key-file LICEN")
      assert.equal("", offers "polytomic list_orgs --timeout ")
      assert.equal("--stop", offers "polytomic sandbox --sto")
    end)

    it("completes the words of commands", function()
      assert.equal("GET POST PUT PATCH DELETE", offers "polytomic request ")
      assert.equal("fish", offers "polytomic completion f")
      assert.equal("LICENSE", offers "polytomic plan LICEN")
      assert.equal("", offers "polytomic request GET LICEN")
    end)

    it("shows the words that are typed to no other user", function()
      local seen = process.temporary_file()
      assert.equal("name=", offers("polytomic create_org client_secret=typed-secret na", seen))
      assert.equal("completion words\n", process.contents(seen))
    end)

    it("describes words, for shells that show it", function()
      local status, out = run({ "completion", "words" }, { stdin = "create_or" })
      assert.same({ 0, "create_org\tCreate an organization under the partner\n" }, { status, out })
    end)

    for _, shell in ipairs { "zsh", "fish" } do
      it("asks the same of " .. shell, function()
        local status, out = run { "completion", shell }
        assert.equal(0, status)
        contains(out, "polytomic completion words")
      end)
    end

    it("refuses another shell", function()
      local status, _, err = run { "completion", "tcsh" }
      assert.equal(2, status)
      contains(err, "bash, zsh or fish")
    end)
  end)

  describe("suggesting what was meant", function()
    local cases = {
      { { "create_organization", "name=x" }, "did you mean 'create_org'?" },
      { { "createOrg", "name=x" }, "did you mean 'create_org'?" },
      { { "add-user" }, "did you mean 'create_user'?" },
      { { "list" }, "polytomic operations list lists" },
      { { "find-org", "name=x" }, "did you mean 'find_org'?" },
      { { "docter" }, "did you mean 'doctor'?" },
      { { "create_org", "--name=X" }, "write name=X" },
      { { "create_org", "--name", "X" }, "write name=" },
      { { "create_org", "--sso-domain=x.com" }, "write sso_domain=x.com" },
      { { "list_orgs", "--otput", "csv" }, "unknown option '--otput', did you mean '--output'?\n" },
      { { "sandbox", "--prot", "1" }, "unknown option '--prot', did you mean '--port'?\n" },
      { { "doctor", "-o", "json" }, "unknown option '-o'\n" },
      { { "list_orgs", "--retries", "-1" }, "unknown option '-1'\n" },
      { { "--nonsense" }, "unknown option '--nonsense'" },
    }
    for _, case in ipairs(cases) do
      it("for " .. table.concat(case[1], " "), function()
        local status, out, err = run(case[1])
        assert.same({ 2, "" }, { status, out })
        contains(err, case[2])
      end)
    end

    it("never in words of the library", function()
      local cases_of_the_library = {
        { "list_orgs", "--base-url", "http://example.com" },
        { "list_orgs", "--base-url", "ftp://x" },
        { "list_orgs", "--timeout=-1" },
        { "create_org", "name=x", "--idempotency-key", "k" },
        { "list_orgs", "--organization", "x" },
        { "list_orgs", "--ca-file", "/nonexistent" },
      }
      for _, words in ipairs(cases_of_the_library) do
        local status, _, err = run(words)
        assert.equal(2, status, err)
        for _, word in ipairs { "allow_http", "polytomic.new", "base_url", "ca_file", " = true" } do
          lacks(err, word)
        end
      end
      local _, _, err = run({ "list_orgs" }, { env = { POLYTOMIC_PARTNER_KEY = false } })
      lacks(err, "polytomic.new")
    end)
  end)

  describe("where something is not installed", function()
    local WITHOUT = [=[
      table.insert(package.searchers or package.loaders, 1, function(wanted)
        if wanted:match "^%w+" == HIDDEN then error("module '" .. wanted .. "' not found:") end
      end)
      arg = { [0] = "polytomic", ... }
      require("polytomic.cli").main(arg)
    ]=]

    -- Runs the command with one module hidden.
    local function without(name, words)
      local script = WITHOUT:gsub("HIDDEN", ("%q"):format(name))
      local all = { process.interpreter(), process.temporary_file(script) }
      for _, word in ipairs(words) do all[#all + 1] = word end
      return process.run(all, { env = command.environment() })
    end

    for module, package in pairs { argparse = "lua-argparse", cjson = "lua-cjson" } do
      it("prints version and help without " .. module, function()
        for _, words in ipairs { { "--version" }, { "--help" }, { "sandbox", "--help" }, {} } do
          local status, out, err = without(module, words)
          assert.equal(#words == 0 and 2 or 0, status, err)
          lacks(out .. err, "traceback")
        end
      end)

      it("says in one line which package to install without " .. module, function()
        local status, out, err = without(module, { "list_orgs" })
        assert.same({ 1, "" }, { status, out })
        assert.matches("^polytomic: the command needs " .. module
          .. ": install the Debian package " .. package:gsub("%-", "%%-") .. "[^\n]*\n$", err)
      end)
    end

    it("says what the sandbox needs", function()
      local status, _, err = without("http", { "sandbox" })
      assert.equal(1, status)
      contains(err, "lua-http")
      lacks(err, "traceback")
    end)
  end)

  describe("after Ctrl-C", function()
    -- Starts the command against a server that lets it wait, and interrupts it once the request is
    -- there.
    local function interrupted(words, operation, fault, count)
      sandbox:faults { fault }
      local child = process.start(command.words(words), {
        env = command.environment(),
        first_line = false,
      })
      local deadline = os.time() + 10
      while #sandbox:requests(operation) < (count or 1) and os.time() < deadline do end
      local began = require("polytomic.core").now()
      child:signal "INT"
      local status = child:wait()
      local took = require("polytomic.core").now() - began
      local out, err = child:output()
      child:stop()
      return status, out, err, took
    end

    it("ends with 130 and says how a creation is repeated safely", function()
      sandbox:reset()
      local status, out, err, took = interrupted({ "create_org", "name=Bob" }, "create_org",
        { operation = "create_org", fault = "stall_headers", seconds = 60 })
      assert.same({ 130, "" }, { status, out })
      assert.is_true(took < 2, took)
      contains(err, "polytomic: interrupted; create_org may have been carried out")
      local key = assert(err:match "%-%-idempotency%-key (%S+)")
      assert.equal("Bob", result({ "create_org", "name=Bob", "--idempotency-key", key }).name)
      assert.equal(1, sandbox:committed "create_org")
    end)

    it("ends with 130 and says that a read changed nothing", function()
      sandbox:reset()
      local status, out, err = interrupted({ "list_orgs" }, "list_orgs",
        { operation = "list_orgs", fault = "stall_headers", seconds = 60 })
      assert.same({ 130, "" }, { status, out })
      contains(err, "polytomic: interrupted; nothing was changed\n")
    end)

    it("ends with 130 in the middle of a convenience, which looks first next time", function()
      sandbox:reset()
      local status, _, err = interrupted({ "ensure_org", "name=Bob" }, "create_org",
        { operation = "create_org", fault = "stall_headers", seconds = 60 })
      assert.equal(130, status)
      contains(err, "run the same command again: it looks first")
    end)

    it("ends with 130 in the middle of --all, what was printed being whole", function()
      sandbox:reset()
      local _, reply = sandbox:request("POST", "/api/organizations", { name = "Acme" })
      sandbox:seed { operation = "list_syncs", organization = reply.data.id, count = 25 }
      local words = { "list_syncs", "--organization", reply.data.id, "--all", "limit=10" }
      local status, out, err = interrupted(words, "list_syncs",
        { operation = "list_syncs", fault = "stall_headers", seconds = 60, after = 1 }, 2)
      assert.equal(130, status)
      assert.equal(10, #cjson.decode(out))
      local token = assert(err:match "go on with %-%-all page_token=(%S+)\n")
      words[#words + 1] = "page_token=" .. token
      assert.equal(15, #result(words))
    end)

    it("ends with 130 while it waits for work, the line of the terminal ended first", function()
      sandbox:faults { { operation = "get_query", fault = "stall_headers", seconds = 60 } }
      local _, out = on_terminal({ "wait_for", "get_query", "id=" .. org },
        { input = "\3", prompt = "waiting for get_query: 1 s" })
      assert.truthy(out:find "\27%[K.-polytomic:.- interrupted", out)
    end)

    it("ends with 130 at a question, with nothing sent", function()
      local status, out = on_terminal({ "delete_org", "id=" .. org },
        { input = "\3", prompt = "delete_org id=" })
      assert.equal(130, status)
      contains(out, "interrupted; nothing was changed")
    end)
  end)
end)
