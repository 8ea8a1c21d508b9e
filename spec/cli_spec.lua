-- The command polytomic, run as users run it: a process of its own, against the sandbox over HTTP.
-- Luas: 5.4 5.1
-- Takes: 10 s

local cjson = require "cjson"
local command = require "spec.support.command"
local contains = require("spec.support.text").contains
local json = require "polytomic.cli.json"
local lacks = require("spec.support.text").lacks
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local MEMBER = "0a0a0a0a-0000-4000-8000-000000000002"
local ADMIN = "0a0a0a0a-0000-4000-8000-000000000001"

local run, result, on_terminal = command.run, command.result, command.on_terminal

local function key_file(text, mode)
  local path = process.temporary_file(text)
  os.execute("chmod " .. (mode or "600") .. " " .. process.quote(path))
  return path
end

local function last_request(operation)
  local requests = sandbox:requests(operation)
  return requests[#requests]
end

describe("the command polytomic", function()
  local org

  before_each(function()
    sandbox:reset()
    local _, reply = sandbox:request("POST", "/api/organizations", { name = "Acme" })
    org = reply.data.id
  end)

  after_each(function() sandbox:assert_all_faults_consumed() end)

  describe("printing results", function()
    it("prints one line of JSON into a pipe, members in order", function()
      local status, out = run { "get_org", "id=" .. org }
      assert.equal(0, status)
      assert.equal(('{"id":"%s","name":"Acme"}\n'):format(org), out)
    end)

    it("prints indented JSON on a terminal where it is asked for", function()
      local status, out =
        on_terminal({ "get_org", "id=" .. org, "-o", "json" }, { env = { NO_COLOR = "1" } })
      assert.equal(0, status)
      assert.equal(('{\n  "id": "%s",\n  "name": "Acme"\n}\n'):format(org), out)
    end)

    it("prints one line on a terminal too with --raw", function()
      local _, out = on_terminal { "get_org", "id=" .. org, "--raw" }
      assert.equal(('{"id":"%s","name":"Acme"}\n'):format(org), out)
    end)

    it("prints an empty list as [], at the top and within", function()
      local _, out = run { "list_users", "org_id=" .. org }
      assert.equal("[]\n", out)
      assert.equal('{"name":{},"role_ids":[]}', json.encode({ role_ids = {}, name = {} }, {}))
    end)

    it("prints true where the API answers nothing", function()
      local _, out = run { "delete_org", "id=" .. org }
      assert.equal("true\n", out)
      assert.equal(1, sandbox:committed "delete_org")
    end)

    -- Runs the command with its standard output redirected by a shell.
    local function redirected(words, where)
      return process.run({ "sh", "-c", "exec " .. command.line(words) .. where },
        { env = command.environment() })
    end

    it("fails when the result cannot be written, since it may be shown only once", function()
      for _, words in ipairs { { "get_org", "id=" .. org }, { "list_orgs", "--all" },
        { "doctor" }, { "operations" }, { "--help" }, { "create_org", "name=B", "--dry-run" } } do
        local status, _, err = redirected(words, " >/dev/full")
        assert.equal(1, status, words[1])
        assert.equal("polytomic: cannot write the result: No space left on device\n", err)
      end
    end)

    it("ends with 1 where memory runs out", function()
      local file = process.temporary_file()
      local status, _, err = process.run({ "sh", "-c", "truncate -s 200M " .. file
        .. "; ulimit -v 150000; exec " .. command.line { "create_org", "name=@" .. file } },
        { env = command.environment() })
      assert.same({ 1, "polytomic: not enough memory\n" }, { status, err })
    end)

    it("never writes the result into a connection, where standard output is closed", function()
      local before = #sandbox:requests()
      local status, _, err = redirected({ "get_org", "id=" .. org }, " >&-")
      assert.equal(1, status)
      assert.equal("polytomic: cannot write the result: Bad file descriptor\n", err)
      assert.equal(before + 1, #sandbox:requests())
    end)
  end)

  describe("reading arguments", function()
    local function sent_body(words, options)
      result(words, options)
      return cjson.decode(last_request("create_user").body)
    end

    local function words_for(...)
      return { "create_user", "org_id=" .. org, ... }
    end

    it("separates list elements by commas", function()
      assert.same({ MEMBER, ADMIN },
        sent_body(words_for("email=a@acme.com", "role_ids=" .. MEMBER .. "," .. ADMIN)).role_ids)
    end)

    it("adds repeated list arguments to one list", function()
      assert.same({ MEMBER, ADMIN }, sent_body(words_for("email=a@acme.com", "role_ids=" .. MEMBER,
        "role_ids=" .. ADMIN)).role_ids)
    end)

    it("takes JSON after :=", function()
      assert.same({ MEMBER },
        sent_body(words_for("email=a@acme.com", 'role_ids:=["' .. MEMBER .. '"]')).role_ids)
    end)

    it("sends null for name:=null", function()
      result { "update_org", "id=" .. org, "name=Acme", "sso_domain:=null" }
      contains(last_request("update_org").body, '"sso_domain":null')
    end)

    it("reads a value from a file, without its last line break", function()
      assert.equal("a@acme.com",
        sent_body(words_for("email=@" .. process.temporary_file "a@acme.com\n")).email)
    end)

    it("reads a value from standard input", function()
      assert.equal("b@acme.com", sent_body(words_for("email=-"), { stdin = "b@acme.com\n" }).email)
    end)

    it("takes a number as text where the API wants text", function()
      assert.equal("42", result({ "create_org", "name=42" }).name)
    end)

    it("keeps everything after the first equals sign", function()
      assert.equal("a=b:=c", result({ "create_org", "name=a=b:=c" }).name)
    end)

    it("turns true into a boolean where the API wants one", function()
      local user = result(words_for("email=a@acme.com"))
      result { "create_user_api_key", "org_id=" .. org, "id=" .. user.id, "force=true" }
      assert.equal("true", last_request("create_user_api_key").query:match("force=(%a+)"))
    end)

    it("takes integers that this Lua holds exactly, and refuses others with status 2", function()
      local largest = rawget(math, "type") and "9223372036854775807" or "9007199254740992"
      local beyond = rawget(math, "type") and "9223372036854775808" or "9007199254740993"
      for _, mark in ipairs { "=", ":=" } do
        for _, number in ipairs { largest, "-" .. largest, "0", "12" } do
          local status, out, err = run { "list_events", "limit" .. mark .. number, "--dry-run" }
          assert.equal(0, status, err)
          contains(out, "limit=" .. number .. "'")
        end
        for _, number in ipairs { beyond, "-9223372036854775809", ("9"):rep(400) } do
          local status, out, err = run { "list_events", "limit" .. mark .. number, "--dry-run" }
          assert.same({ 2, "" }, { status, out })
          contains(err, "limit is an integer beyond what " .. _VERSION .. " can hold exactly")
        end
      end
    end)

    it("leaves to the library what is not of the field's type", function()
      local status, _, err =
        run { "create_user_api_key", "org_id=" .. org, "id=" .. MEMBER, "force=maybe" }
      assert.equal(3, status)
      contains(err, "force")
    end)
  end)

  describe("refusing usage with status 2", function()
    local cases = {
      { "no operation at all", {}, "no operation is named" },
      { "a word that is not name=value", { "create_org", "Acme" },
        "argument 1 of create_org is not of the form name=value" },
      { "an argument given twice", { "create_org", "name=a", "name=b" }, "name is given twice" },
      { "a value alone, showing how it is given", { "get_org", "Acme" }, "hint: write id=…" },
      { "text that is not JSON after :=", { "create_org", "name:=x" },
        "name is not JSON: expected value but found invalid token at character 1\n"
          .. "hint: write name=… for text" },
      { "JSON that is cut short", { "create_org", "name:={" },
        "name is not JSON: expected object key string but found the end at character 2" },
      { "a file that is not there", { "create_org", "name=@/nonexistent/file" },
        "name: cannot read /nonexistent/file: No such file or directory\n"
          .. [[hint: text that begins with @ is written name:='"@…"']] },
      { "a file without a name", { "create_org", "name=@" }, "name: no file is named after @" },
      { "standard input for two arguments", { "create_org", "name=-", "issuer=-" },
        "issuer reads standard input a second time" },
      { "an unknown option", { "list_orgs", "--nonsense" }, "--nonsense" },
      { "a timeout that is no number", { "list_orgs", "--timeout", "soon" },
        "--timeout must be a number of seconds, not 'soon'" },
      { "a timeout out of range", { "list_orgs", "--timeout=-1" }, "timeout" },
      { "retries that are no count", { "list_orgs", "--retries", "1.5" },
        "--retries must be a whole number, not '1.5'" },
      { "statuses that are none", { "wait_for", "get_job", "--until", "," },
        "--until names nothing" },
      { "a mistaken option alone", { "--versoin" },
        "unknown option '--versoin', did you mean '--version'?" },
      { "a mistaken option before the operation", { "--ouput", "json", "list_orgs" },
        "unknown option '--ouput', did you mean '--output'?" },
      { "a bad base URL", { "list_orgs", "--base-url", "ftp://127.0.0.1" }, "--base-url" },
      { "a bad idempotency key", { "create_org", "name=a", "--idempotency-key", "short" },
        "--idempotency-key must" },
      { "a port that is none", { "sandbox", "--port", "65536" },
        "--port must be a port, 0 to 65535, not '65536'" },
    }
    for _, case in ipairs(cases) do
      it("refuses " .. case[1], function()
        local status, out, err = run(case[2])
        assert.same({ 2, "" }, { status, out })
        contains(err, case[3])
        assert.is_truthy(err:find("^polytomic: [^\n]+\nhint: [^\n]+\n$"), err)
      end)
    end

    it("suggests the nearest operation for an unknown one", function()
      local status, _, err = run { "create_ogr", "name=Acme" }
      assert.equal(2, status)
      contains(err, "unknown operation or command 'create_ogr', did you mean 'create_org'?")
    end)

    for _, word in ipairs { "partner_key=%s", "api_key=%s", "deployment_key:=%s",
        "--partner-key=%s", "--api-key=%s" } do
      it("refuses a key given as " .. word:format "…" .. " without repeating it", function()
        local status, out, err = run { "create_org", "name=Bob", word:format "canary_in_the_mine" }
        assert.equal(2, status)
        contains(err, "never given as an argument")
        lacks(out .. err, "canary")
        assert.equal(1, #sandbox:requests "create_org")
      end)
    end

    it("never repeats an argument that may be a key", function()
      local _, out, err = run { "list_orgs", "canary_in_the_mine" }
      lacks(out .. err, "canary")
    end)
  end)

  describe("telling failures by the exit status", function()
    it("ends with 3 for what is invalid, and sends nothing", function()
      local status, out, err = run { "create_org", "nmae=Acme" }
      assert.same({ 3, "" }, { status, out })
      contains(err, "did you mean 'name'?")
      contains(err, "hint: polytomic help create_org")
      assert.equal(1, #sandbox:requests "create_org")
    end)

    it("ends with 3 without a key, and names the variables to set", function()
      local status, _, err = run({ "list_orgs" }, { env = { POLYTOMIC_PARTNER_KEY = false } })
      assert.equal(3, status)
      contains(err, "POLYTOMIC_PARTNER_KEY")
    end)

    it("says which variable to correct, and how a line of a key file is written", function()
      local bad = { POLYTOMIC_DEPLOYMENT_URL = "ftp://127.0.0.1" }
      local status, _, err = run({ "list_orgs" }, { env = bad })
      assert.equal(2, status)
      assert.equal("polytomic: POLYTOMIC_DEPLOYMENT_URL must be an http or https URL\n"
        .. "hint: correct POLYTOMIC_DEPLOYMENT_URL, or unset it\n", err)
      local path = key_file "POLYTOMIC_KEY=canary_in_the_mine\n"
      status, _, err = run { "list_orgs", "--key-file", path }
      assert.equal(2, status)
      contains(err, "hint: a line is POLYTOMIC_PARTNER_KEY=… or the like, or a partner key alone")
    end)

    it("says in the command's own words what the library would have set", function()
      local _, _, err = run({ "list_syncs" }, { env = { POLYTOMIC_PARTNER_KEY = false } })
      contains(err, "POLYTOMIC_PARTNER_KEY with --organization, or give --key-file")
      lacks(err, "`organization`")
      local proxy = { https_proxy = "http://127.0.0.1:1" }
      local words = { "list_orgs", "--base-url", "https://example.com", "--retries", "0" }
      _, _, err = run(words, { env = proxy })
      contains(err, "the proxy is the one in https_proxy; no_proxy avoids it")
    end)

    it("ends with 4 for what the server refuses", function()
      local status, out, err = run { "create_org", "name=Acme" }
      assert.same({ 4, "" }, { status, out })
      contains(err, "polytomic: create_org: 409 conflict")
    end)

    it("ends with 4 for a wrong key, with a hint", function()
      local status, _, err =
        run({ "list_orgs" }, { env = { POLYTOMIC_PARTNER_KEY = "canary_in_the_mine" } })
      assert.equal(4, status)
      contains(err, "partner key")
      lacks(err, "canary")
    end)

    it("ends with 5 when a change may have been made, with the key to repeat it safely", function()
      sandbox:faults { { operation = "create_org", fault = "reset_after_commit" } }
      local status, out, err = run { "create_org", "name=Bob", "--retries", "0" }
      assert.same({ 5, "" }, { status, out })
      local key = assert(err:match(
        "hint: it may have been carried out; repeat it with %-%-idempotency%-key (%S+)\n"))
      assert.equal("Bob", result({ "create_org", "name=Bob", "--idempotency-key", key }).name)
      assert.equal(2, sandbox:committed "create_org")
    end)

    it("ends with 5 after a 500, which its key would only repeat", function()
      sandbox:faults { { operation = "create_org", fault = "status", status = 500 } }
      local status, _, err = run { "create_org", "name=Bob" }
      assert.equal(5, status)
      contains(err, "hint: it may have been carried out; look before you "
          .. "repeat it; its key gets this same answer for a day\n")
    end)

    it("ends with 6 when a read is lost on the way", function()
      sandbox:faults { { operation = "list_orgs", fault = "reset_before" } }
      assert.equal(6, (run { "list_orgs", "--retries", "0" }))
    end)

    it("ends with 6 when nothing listens", function()
      local status, _, err =
        run { "create_org", "name=Bob", "--base-url", "http://127.0.0.1:1", "--retries", "0" }
      assert.equal(6, status)
      contains(err, "polytomic: create_org: connect:")
    end)
  end)

  describe("with options", function()
    it("repeats a request under the caller's idempotency key", function()
      result { "create_org", "name=Bob", "--idempotency-key", "my-own-key-1" }
      assert.equal("my-own-key-1", last_request("create_org").headers["idempotency-key"])
    end)

    it("asks for the given version of the API", function()
      result { "list_orgs", "--api-version", "2024-02-08" }
      assert.equal("2024-02-08", last_request("list_orgs").headers["x-polytomic-version"])
    end)

    it("acts within an organization", function()
      assert.equal(org, result({ "get_current_org", "--organization", org }).id)
    end)

    it("sends as often as --retries says", function()
      sandbox:faults { { operation = "list_orgs", fault = "status", status = 503, times = 2 } }
      assert.equal(4, (run { "list_orgs", "--retries", "1" }))
      assert.equal(2, #sandbox:requests "list_orgs")
    end)

    it("gives up after --timeout", function()
      sandbox:faults { { operation = "list_orgs", fault = "stall_headers", seconds = 60 } }
      local status, _, err = run { "list_orgs", "--timeout", "0.3" }
      assert.equal(6, status)
      contains(err, "timeout")
    end)

    it("verifies TLS with --ca-file, and without it refuses", function()
      local tls = sandbox.tls()
      tls:reset()
      local env = { POLYTOMIC_PARTNER_KEY = tls.partner_key, POLYTOMIC_DEPLOYMENT_URL = tls.url }
      assert.equal("Secure",
        result({ "create_org", "name=Secure", "--ca-file", tls.ca_file }, { env = env }).name)
      local status, _, err = run({ "list_orgs" }, { env = env })
      assert.equal(6, status)
      contains(err, "tls")
    end)

    it("prints a curl command after a failure with --curl, the key left out", function()
      local _, out, err = run { "create_org", "name=Acme", "--curl" }
      assert.equal("", out)
      contains(err, "\ncurl -X POST '" .. sandbox.url .. "/api/organizations'")
      contains(err, "$POLYTOMIC_PARTNER_KEY")
      lacks(err, sandbox.partner_key)
    end)
  end)

  describe("reading a key file", function()
    local function with_file(text, mode)
      return run({ "get_org", "id=" .. org, "--key-file", key_file(text, mode) },
        { env = { POLYTOMIC_PARTNER_KEY = false } })
    end

    it("takes a partner key that is alone", function()
      assert.equal(0, (with_file(sandbox.partner_key .. "\n")))
    end)

    it("takes lines as in the environment, with comments", function()
      assert.equal(0, (
        with_file("# sandbox\n\nexport POLYTOMIC_PARTNER_KEY='" .. sandbox.partner_key .. "'\r\n")))
    end)

    it("takes the address of the API from it", function()
      local path = key_file(("POLYTOMIC_PARTNER_KEY=%s\nPOLYTOMIC_DEPLOYMENT_URL=%s\n"):format(
        sandbox.partner_key, sandbox.url))
      local status = run({ "get_org", "id=" .. org, "--key-file", path },
        { env = { POLYTOMIC_DEPLOYMENT_URL = "http://127.0.0.1:1" } })
      assert.equal(0, status)
    end)

    it("takes a byte order mark, blanks around the equals sign and a comment behind", function()
      assert.equal(0, (with_file("\239\187\191POLYTOMIC_PARTNER_KEY = " .. sandbox.partner_key
        .. "  # of the sandbox\n")))
      assert.equal(0, (with_file('POLYTOMIC_PARTNER_KEY="' .. sandbox.partner_key .. '" # mine\n')))
    end)

    it("refuses a key with blanks, by file and line, without repeating it", function()
      local status, _, err = with_file "# keys\nPOLYTOMIC_PARTNER_KEY=canary in the mine\n"
      assert.equal(2, status)
      contains(err, "polytomic: line 2 of ")
      lacks(err, "canary")
    end)

    it("takes an empty value for none", function()
      local empty = "POLYTOMIC_API_KEY=\nPOLYTOMIC_PARTNER_KEY=\nPOLYTOMIC_DEPLOYMENT_URL=\n"
      assert.equal(0, (with_file(empty .. "POLYTOMIC_PARTNER_KEY=" .. sandbox.partner_key)))
      local status, _, err = with_file "POLYTOMIC_PARTNER_KEY=\n"
      assert.equal(2, status)
      contains(err, "holds no key")
    end)

    it("takes a key that ends like an assignment for a key", function()
      assert.equal(4, (with_file "UPPER_CASE_BASE64="))
      assert.equal("Bearer UPPER_CASE_BASE64=", last_request("get_org").headers.authorization)
      assert.equal(4, (with_file "UPPERCASEBASEABCD=="))
      assert.equal("Bearer UPPERCASEBASEABCD==", last_request("get_org").headers.authorization)
    end)

    it("leaves the keys of the environment aside", function()
      local path = key_file("POLYTOMIC_API_KEY=of_somebody_else\n")
      assert.equal(4, (run { "create_org", "name=Bob", "--key-file", path }))
      assert.equal("Bearer of_somebody_else", last_request("create_org").headers.authorization)
    end)

    for _, mode in ipairs { "604", "602" } do
      it("refuses a file of mode " .. mode .. ", open to every user", function()
        local status, _, err = with_file(sandbox.partner_key, mode)
        assert.equal(2, status)
        contains(err, "is open to every user of this machine\nhint: chmod 600 ")
        lacks(err, sandbox.partner_key)
      end)
    end

    it("refuses a file that its group may read, but for root's", function()
      local path = key_file(sandbox.partner_key, "640")
      local root = process.run { "sh", "-c", "test $(id -u) = 0" } == 0
      if root then
        assert.equal(0, (run { "get_org", "id=" .. org, "--key-file", path }))
        assert.equal(0, (process.run { "chown", "65534", path }))
      end
      local status, _, err = run { "get_org", "id=" .. org, "--key-file", path }
      assert.equal(2, status)
      contains(err, "is open to a group of users\nhint: chmod 600 ")
      lacks(err, sandbox.partner_key)
    end)

    it("reads a pipe, and refuses a file that is larger than any of keys", function()
      local path = key_file(("#"):rep(1024 * 1024 + 1))
      local status, _, err = run { "get_org", "id=" .. org, "--key-file", path }
      assert.equal(2, status)
      contains(err, "File too large")
    end)

    local bad = {
      { "an empty file", "\n# nothing\n", "holds no key" },
      { "a variable it does not know", "\nPOLYTOMIC_KEY=canary_in_the_mine\n", "line 2 of" },
      { "an empty variable of a name it does not know", "POLYTOMIC_API_KEYS=\n", "gives neither" },
      { "an exported variable it does not know", "export OTHER=\n", "gives neither" },
      { "two keys of one kind", "canary_in_the_mine\ncanary_in_the_mine\n", "a second time" },
      { "a key with a space", "canary in the mine\n", "line 1 of" },
    }
    for _, case in ipairs(bad) do
      it("refuses " .. case[1] .. " without repeating it", function()
        local status, out, err = with_file(case[2])
        assert.equal(2, status)
        contains(err, case[3])
        lacks(out .. err, "canary")
      end)
    end

    it("says when the file is not there", function()
      local status, _, err = run { "list_orgs", "--key-file", "/nonexistent/keys" }
      assert.equal(2, status)
      contains(err, "/nonexistent/keys")
    end)
  end)

  describe("describing itself", function()
    it("prints its version", function()
      local status, out = run { "--version" }
      assert.equal(0, status)
      assert.is_truthy(out:find("^polytomic %d+%.%d+%.%d+\n$"), out)
    end)

    it("explains itself", function()
      local status, out = run { "--help" }
      assert.equal(0, status)
      contains(out, "Exit status:")
      assert.equal(out, select(2, run { "help" }))
    end)

    it("lists every operation once", function()
      local status, out = run { "operations" }
      assert.equal(0, status)
      local seen, count = {}, 0
      for name in out:gmatch "\n  ([%l_%d]+)[^\n]*" do
        assert.is_nil(seen[name])
        seen[name], count = true, count + 1
      end
      assert.equal(#require("polytomic").operations, count)
      assert.is_true(seen.create_org)
    end)

    it("describes an operation with its arguments", function()
      local status, out = run { "help", "create_user" }
      assert.equal(0, status)
      contains(out, "POST /api/organizations/{org_id}/users\nNeeds: partner key\n")
      contains(out, "polytomic create_user org_id=UUID email=…")
      assert.is_truthy(out:find "\n  org_id +UUID, required%. ID of the organization")
      assert.is_truthy(out:find "\n  role_ids +array of UUID, not empty%.")
    end)

    it("describes every operation", function()
      local describe_operation = require("polytomic.cli").help_of
      for _, operation in ipairs(require("polytomic").operations) do
        contains(describe_operation(require("polytomic.cli.commands.operation").command(operation)),
          operation.method .. " " .. operation.path)
      end
    end)

    it("suggests the nearest operation when help is asked for an unknown one", function()
      local status, _, err = run { "help", "list_ogrs" }
      assert.equal(2, status)
      contains(err, "did you mean 'list_orgs'?")
    end)

    it("offers no command that is not there", function()
      local status, _, err = run { "rewind", "file" }
      assert.equal(2, status)
      contains(err, "unknown operation or command 'rewind'")
    end)
  end)

  it("refuses words after a command that takes none", function()
    for _, words in ipairs { { "operations", "users", "extra" }, { "doctor", "extra" },
        { "help", "create_org", "extra" } } do
      local status, out, err = run(words)
      assert.same({ 2, "" }, { status, out })
      contains(err, "'extra' is one argument too many")
    end
  end)

  describe("as a doctor", function()
    -- A server that answers every request with one reply.
    local function answering(status, body)
      return raw_server.start {
        script = { per = "request", { { send = raw_server.reply(status, body) } } },
      }
    end

    it("finds all well with a good key", function()
      local status, out, err = run { "doctor" }
      assert.same({ 0, "" }, { status, err })
      contains(out, "ok    versions: polytomic ")
      contains(out, "ok    connection: ")
      contains(out, "ok    partner key: accepted")
      lacks(out, "FAIL")
      lacks(out, sandbox.partner_key)
    end)

    it("says that there is no key", function()
      local status, out = run({ "doctor" }, { env = { POLYTOMIC_PARTNER_KEY = false } })
      assert.equal(3, status)
      contains(out, "FAIL  keys: none; set POLYTOMIC_API_KEY")
    end)

    it("says that a key is refused", function()
      local status, out = run({ "doctor" },
        { env = { POLYTOMIC_PARTNER_KEY = "canary_in_the_mine" } })
      assert.equal(4, status)
      contains(out, "FAIL  partner key: ")
      lacks(out, "canary")
    end)

    it("says that a user key was set as a partner key", function()
      local server = answering(200, { data = { is_user = true, email = "jane@acme.com" } })
      local status, out = run({ "doctor" }, { env = { POLYTOMIC_DEPLOYMENT_URL = server.url } })
      server:stop()
      assert.equal(4, status)
      contains(out, "FAIL  partner key: this is a user key; set it as POLYTOMIC_API_KEY")
    end)

    it("says that a partner key was set as a user key, and says whose key it is", function()
      local server = answering(200, { data = { is_partner = true, organization_name = "Acme" } })
      local status, out = run({ "doctor" },
        { env = { POLYTOMIC_DEPLOYMENT_URL = server.url, POLYTOMIC_API_KEY = "some_user_key" } })
      server:stop()
      assert.equal(4, status)
      contains(out, "FAIL  user key: this is a partner key; set it as POLYTOMIC_PARTNER_KEY")
      contains(out, "ok    partner key: accepted, belongs to Acme")
    end)

    it("says that nothing listens", function()
      local status, out = run { "doctor", "--base-url", "http://127.0.0.1:1", "--retries", "0" }
      assert.equal(6, status)
      contains(out, "FAIL  connection: ")
    end)

    it("says which authorities were tried when TLS fails, and accepts the right ones", function()
      local tls = sandbox.tls()
      local env = { POLYTOMIC_PARTNER_KEY = tls.partner_key, POLYTOMIC_DEPLOYMENT_URL = tls.url }
      local status, out = run({ "doctor" }, { env = env })
      assert.equal(6, status)
      contains(out, "give --ca-file")
      status, out = run({ "doctor", "--ca-file", tls.ca_file }, { env = env })
      assert.equal(0, status)
      contains(out, "verified with " .. tls.ca_file)
    end)

    it("says which setting is bad", function()
      local status, out = run { "doctor", "--base-url", "ftp://127.0.0.1" }
      assert.equal(2, status)
      contains(out, "FAIL  settings: --base-url")
    end)

    it("names the variable that is bad", function()
      for name, value in pairs { POLYTOMIC_DEPLOYMENT_URL = "http://polytomic.example",
          POLYTOMIC_PARTNER_KEY = "two words" } do
        local status, out = run({ "doctor" }, { env = { [name] = value } })
        assert.equal(2, status)
        contains(out, "FAIL  settings: " .. name .. " must")
      end
    end)

    it("goes through the environment's proxy as calls do, wherever the key comes from", function()
      local proxy = raw_server.start {
        script = { per = "request", { { send = raw_server.reply(407, "") }, "close" } },
      }
      local env =
        { https_proxy = proxy.url, POLYTOMIC_DEPLOYMENT_URL = "https://polytomic.example" }
      local path = key_file("POLYTOMIC_PARTNER_KEY=some-partner-key\n")
      for index, words in ipairs { { "list_orgs" }, { "list_orgs", "--key-file", path },
          { "doctor" }, { "doctor", "--key-file", path } } do
        local status, out, err = run(words, { env = env })
        assert.equal(6, status)
        contains(out .. err, "407 proxy")
        assert.equal(index, #proxy:requests())
      end
      proxy:stop()
    end)
  end)

  describe("as a sandbox", function()
    for _, signal in ipairs { "TERM", "INT" } do
      it("says where it is, serves, and ends with 0 on SIG" .. signal, function()
        local child = process.start_lua({ "lua/bin/polytomic", "sandbox" }, { first_line = true })
        local ready = cjson.decode(child.first_line)
        local env =
          { POLYTOMIC_PARTNER_KEY = ready.partner_key, POLYTOMIC_DEPLOYMENT_URL = ready.url }
        assert.equal("Bob", result({ "create_org", "name=Bob" }, { env = env }).name)
        child:signal(signal)
        assert.equal(0, child:wait())
        child:stop()
      end)
    end

    it("speaks TLS when asked", function()
      local child = process.start_lua(
        { "lua/bin/polytomic", "sandbox", "--tls", "--host", "127.0.0.1" },
        { first_line = true }
      )
      local ready = cjson.decode(child.first_line)
      assert.is_truthy(ready.url:find("^https://127%.0%.0%.1:%d+$"))
      child:stop()
    end)
  end)
end)

describe("JSON of the command line", function()
  local numbers = {
    { "0.1", 0.1 }, { "1", 1 }, { "-2.5", -2.5 }, { "1e+300", 1e300 },
    { "9007199254740991", 9007199254740991 },
    { "0.30000000000000004", 0.1 + 0.2 },
  }
  for _, case in ipairs(numbers) do
    it("writes " .. case[1] .. " with the fewest digits", function()
      assert.equal(case[1], json.encode(case[2], {}))
    end)
  end

  it("escapes control characters, quotes and backslashes", function()
    assert.equal('"\\u0000\\n\\"\\\\\\u007fé"', json.encode('\0\n"\\\127é', {}))
  end)

  it("writes null elements and mixed depths, indented", function()
    local null = require("polytomic").null
    assert.equal('[\n  null,\n  {\n    "a": [\n      1\n    ]\n  }\n]',
      json.encode({ null, { a = { 1 } } }, { pretty = true }))
  end)

  it("reads back what it writes", function()
    local value = { name = "x", list = { 1, 2.5, "a" }, inner = { yes = true } }
    assert.same(value, json.decode(json.encode(value, {})))
  end)
end)
