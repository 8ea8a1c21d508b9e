-- The sandbox for people: its greeting and lines on a terminal, in the background of a shell, with
-- a key and a file of its own; and what it refuses to browsers.
-- Luas: 5.4 5.1
-- Takes: 13 s

local cjson = require "cjson"
local command = require "spec.support.command"
local contains = require("spec.support.text").contains
local http = require "spec.support.http"
local lacks = require("spec.support.text").lacks
local origin = require "polytomic.sandbox.wire.origin"
local process = require "spec.support.process"
local terminal = require "polytomic.terminal"


-- Starts `polytomic sandbox` with more words; returns the child and what it printed.
local function start(...)
  local child = process.start(command.words { "sandbox", ... }, { env = process.environment() })
  return child, cjson.decode(child.first_line)
end

-- One request with a key; returns the status and the decoded reply.
local function ask(ready, method, path, body, headers)
  local all = { Authorization = "Bearer " .. ready.partner_key }
  for name, value in pairs(headers or {}) do all[name] = value end
  local host = all.Host
  all.Host = nil
  local status, reply = http.request(method, ready.url .. path, {
    body = body and cjson.encode(body),
    headers = all,
    host = host,
  })
  return status, reply ~= "" and cjson.decode(reply) or nil
end

local function names(ready)
  local list = {}
  for i, org in ipairs(select(2, ask(ready, "GET", "/api/organizations")).data) do
    list[i] = org.name
  end
  return list
end

describe("the sandbox on a terminal", function()
  local SESSION = [=[
    >"$2"
    { until grep -q "export POLYTOMIC_PARTNER_KEY" "$2"; do sleep 0.02; done
      url=$(sed -n 's/.*at \(http[^[:space:]]*\).*/\1/p' "$2")
      key=$(sed -n 's/.*PARTNER_KEY=\([[:alnum:]_]*\).*/\1/p' "$2")
      curl -s -o /dev/null -H "Authorization: Bearer $key" "$url/api/organizations"
      curl -s -o /dev/null -d '[{"operation":"*","fault":"status"}]' "$url/_sandbox/faults"
      curl -s -o /dev/null -H "Authorization: Bearer $key" "$url/api/$3"
      until grep -q "fault: status" "$2"; do sleep 0.02; done
      printf '\003'; } | script -qefc "$1" "$2"
  ]=]

  -- What a terminal of so many columns shows of a session with two requests.
  local function session(columns)
    local line = ("stty cols %d rows 24; exec %s"):format(columns, command.line { "sandbox" })
    local words = { "bash", "-c", SESSION, "bash", line, process.temporary_file(), ("y"):rep(300) }
    local status, out = process.run(words, {
      env = command.environment { TERM = "xterm", NO_COLOR = "1" },
    })
    return status, (out:gsub("\r\n", "\n"))
  end

  it("greets with the lines to export, shows each request, and ends with 0 on Ctrl-C", function()
    local status, out = session(80)
    assert.equal(0, status)
    assert.truthy(out:find "^Polytomic sandbox at http://127%.0%.0%.1:%d+\n")
    assert.truthy(out:find "\n  export POLYTOMIC_DEPLOYMENT_URL=http://127%.0%.0%.1:%d+\n")
    assert.truthy(out:find "\n  export POLYTOMIC_PARTNER_KEY=sandbox_partner_%x+\n")
    contains(out, "Ctrl-C stops it")
    local request = "\n%d%d:%d%d:%d%d  GET    /api/organizations  200 +%d+%.%d ms\n"
    assert.truthy(out:find(request), out)
    assert.truthy(out:find "/api/.*…  503 +%d+%.%d ms  fault: status\n", out)
  end)

  it("keeps each request to one line of the terminal, without its control characters", function()
    for _, columns in ipairs { 60, 200 } do
      local _, out = session(columns)
      for line in out:gmatch "[^\n]+" do
        if line:find "^%d%d:" then
          assert.is_true(terminal.width(line) <= columns, line)
          assert.is_nil(line:find "\27")
        end
      end
    end
  end)
end)

describe("the sandbox in the background", function()
  -- Runs lines of shell in which `polytomic` is the command.
  local function shell(script, env)
    local define = ('polytomic() { %s "$@"; }\n'):format(command.line {})
    return process.run({ "sh", "-c", define .. script }, { env = command.environment(env) })
  end

  it("returns at once with lines for eval, and is stopped by its process id", function()
    local status, out, err = shell [[
      eval "$(polytomic sandbox --background)" || exit 9
      polytomic find_org "name=Sandbox Owner" --fields name || exit 8
      kill -0 $POLYTOMIC_SANDBOX_PID || exit 7
      polytomic sandbox --stop || exit 6
      [ -n "$(cat /proc/$POLYTOMIC_SANDBOX_PID/cmdline 2>/dev/null)" ] && exit 5
      polytomic sandbox --stop
      echo $?
    ]]
    assert.equal(0, status, err)
    assert.equal('{"name":"Sandbox Owner"}\n1\n', out)
    assert.truthy(err:find "^polytomic: no sandbox runs as process %d+\n$", err)
  end)

  it("is stopped where nobody asks for its status, as in a container", function()
    local status, out, err = shell(([[
      at=$(mktemp -d)
      ( (exec env POLYTOMIC_SANDBOX_BACKGROUND=1 %s) >"$at/out" &
        echo $! >"$at/pid"; exec sleep 60 ) & parent=$!
      until [ -s "$at/out" ]; do sleep 0.02; done
      POLYTOMIC_SANDBOX_PID=$(cat "$at/pid") polytomic sandbox --stop
      echo $?
      kill $parent; rm -r "$at"
    ]]):format(command.line { "sandbox" }))
    assert.same({ 0, "0\n", "" }, { status, out, err })
  end)

  it("says when it is stopped that what it held could not be written", function()
    local state = process.temporary_file()
    os.remove(state)
    local status, out, err = shell(([[
      state=%s
      eval "$(ulimit -f 8; trap '' XFSZ; polytomic sandbox --background --state $state)" || exit 9
      for i in 1 2 3; do
        polytomic create_org name=$(printf %%04000d $i) >/dev/null || exit 8
      done
      polytomic sandbox --stop
    ]]):format(process.quote(state)))
    assert.same({ 1, "" }, { status, out })
    assert.equal("polytomic: the sandbox stopped, and what it held is lost: cannot write "
      .. state .. ": File too large\n", err)
  end)

  it("unsets a user key, which would go before the sandbox's", function()
    local _, out = shell([[
      eval "$(polytomic sandbox --background)"; echo "${POLYTOMIC_API_KEY-none}"
      polytomic sandbox --stop
    ]], { POLYTOMIC_API_KEY = "mine" })
    assert.equal("none\n", out)
  end)

  it("speaks TLS, its authority exported as well", function()
    local status, out, err = shell [[
      eval "$(polytomic sandbox --background --tls)" || exit 9
      polytomic find_org name=Nobody
      curl -sSf "$POLYTOMIC_DEPLOYMENT_URL/_sandbox/faults" >&2
      polytomic sandbox --stop
    ]]
    assert.same({ 0, "null\n" }, { status, out })
    assert.equal('{"faults":[],"unconsumed":0}', err)
  end)

  it("does not stay where nobody could be told of it", function()
    local status, out, err = shell [[
      eval "$(polytomic sandbox --background)" || exit 9
      port=${POLYTOMIC_DEPLOYMENT_URL##*:}
      polytomic sandbox --stop || exit 8
      polytomic sandbox --background --port $port >/dev/full
      echo $?
      polytomic sandbox --port $port >/dev/full
      echo $?
      eval "$(polytomic sandbox --background --port $port)" || exit 7
      polytomic sandbox --stop
    ]]
    assert.same({ 0, "1\n1\n" }, { status, out })
    assert.equal("polytomic: cannot write the result: No space left on device\n"
      .. "polytomic sandbox: cannot say where it listens: No space left on device\n", err)
  end)

  it("says in one line why it did not start", function()
    local status, out, err = shell "polytomic sandbox --background --host 192.0.2.1"
    assert.same({ 1, "" }, { status, out })
    assert.truthy(err:find "^polytomic: the sandbox did not start: cannot listen on [^\n]+\n$", err)
  end)

  it("is not stopped where none is known", function()
    local status, out, err = shell "polytomic sandbox --stop"
    assert.same({ 1, "" }, { status, out })
    contains(err, "POLYTOMIC_SANDBOX_PID is not set")
  end)

  it("never stops a process that is no sandbox", function()
    local other = process.start({ "sleep", "60" }, { first_line = false })
    local status, _, err =
      shell("polytomic sandbox --stop", { POLYTOMIC_SANDBOX_PID = tostring(other.pid) })
    assert.equal(1, status)
    contains(err, "no sandbox runs as process")
    assert.is_true(other:alive())
    other:stop()
  end)
end)

describe("the sandbox's options", function()
  it("keep one partner key", function()
    local child, ready = start("--partner-key", "my-own-key-1")
    assert.equal("my-own-key-1", ready.partner_key)
    assert.equal(200, (ask(ready, "GET", "/api/organizations")))
    child:stop()
  end)

  it("refuse a key that a shell would not take", function()
    local status, out, err = command.run { "sandbox", "--partner-key", "two words" }
    assert.same({ 2, "" }, { status, out })
    contains(err, "--partner-key takes")
  end)

  describe("of a file for what it holds", function()
    it("keep it, keys and idempotency keys included, through stops and kills", function()
      local file = process.temporary_file()
      local child, first = start("--state", file)
      local key = { ["Idempotency-Key"] = "key-of-acme" }
      local _, acme = ask(first, "POST", "/api/organizations", { name = "Acme" }, key)
      local users = "/api/organizations/" .. acme.data.id .. "/users"
      local _, user = ask(first, "POST", users, { email = "jane@acme.com" })
      child:stop()
      local again
      child, again = start("--state", file)
      assert.equal(first.partner_key, again.partner_key)
      assert.same({ "Sandbox Owner", "Acme" }, names(again))
      local _, replayed = ask(again, "POST", "/api/organizations", { name = "Acme" }, key)
      assert.equal(acme.data.id, replayed.data.id)
      assert.equal(user.data.id, select(2, ask(again, "GET", users)).data[1].id)
      local saved = process.contents(file)
      ask(again, "POST", "/api/organizations", { name = "Beta" })
      repeat until process.contents(file) ~= saved
      child:signal "KILL"
      child:stop()
      child, again = start("--state", file)
      assert.same({ "Sandbox Owner", "Acme", "Beta" }, names(again))
      child:stop()
    end)

    it("keep everything that any operation makes", function()
      local file = process.temporary_file()
      local child, ready = start("--state", file)
      local organization = select(2, ask(ready, "GET", "/api/organizations")).data[1].id
      for _, operation in ipairs(require("polytomic").operations) do
        ask(ready, "POST", "/_sandbox/seed", { operation = operation.name, count = 2,
          organization = organization })
      end
      local credential = { Authorization = "Basic " .. require("mime").b64(
        organization .. ":" .. ready.partner_key) }
      local path = "/api/connections"
      local before = select(2, ask(ready, "GET", path, nil, credential))
      child:stop()
      child, ready = start("--state", file)
      assert.same(before, (select(2, ask(ready, "GET", path, nil, credential))))
      child:stop()
    end)

    it("is for its owner alone, since it holds keys", function()
      local file = process.temporary_file()
      local child = start("--state", file)
      child:stop()
      local _, mode = process.run { "stat", "-c", "%a", file }
      assert.equal("600\n", mode)
    end)

    it("is never half written, also where the disk is full", function()
      local file = process.temporary_file()
      local child = start("--state", file)
      child:stop()
      local limited = ("ulimit -f 8; trap '' XFSZ; exec %s"):format(
        command.line { "sandbox", "--state", file }
      )
      child = process.start({ "sh", "-c", limited }, { env = process.environment() })
      local ready = cjson.decode(child.first_line)
      for i = 1, 20 do
        ask(ready, "POST", "/api/organizations", { name = ("x"):rep(100) .. i })
      end
      child:signal "TERM"
      assert.equal(1, child:wait())
      local _, err = child:output()
      child:stop()
      contains(err, "polytomic sandbox: cannot write " .. file)
      child, ready = start("--state", file)
      assert.same({ "Sandbox Owner" }, names(ready))
      child:stop()
    end)

    for _, case in ipairs {
      { "that is not one of its own", "some text\n", "is no state of the sandbox" },
      { "that is empty", "", "it is empty" },
      { "that is cut short", '{"format":1,"root":1,"tables":[', "is no state of the sandbox" },
      { "of another version", '{"format":2}', "none of this version" },
    } do
      it("refuse one " .. case[1] .. ", and leave it as it is", function()
        local file = process.temporary_file(case[2])
        local status, out, err = command.run { "sandbox", "--state", file }
        assert.same({ 1, "" }, { status, out })
        assert.truthy(err:find "^polytomic sandbox: [^\n]+\n$", err)
        contains(err, case[3])
        assert.equal(case[2], process.contents(file))
      end)
    end

    it("refuse one in a directory that is not there", function()
      local status, out, err = command.run { "sandbox", "--state", "/nonexistent/state" }
      assert.same({ 1, "" }, { status, out })
      contains(err, "cannot write /nonexistent/state.new: No such file or directory")
    end)
  end)
end)

describe("the sandbox and browsers", function()
  local child, ready

  setup(function()
    child, ready = start("--allow-host", "sandbox.test", "--allow-host", "Other")
  end)
  teardown(function() child:stop() end)

  for _, path in ipairs { "/_sandbox/requests", "/_sandbox/reset", "/api/organizations" } do
    local method = path == "/_sandbox/reset" and "POST" or "GET"

    it("do not meet by a foreign Host: " .. path, function()
      local status, reply = ask(ready, method, path, nil, { Host = "evil.example" })
      assert.equal(403, status)
      contains(reply.message, "--allow-host")
    end)

    it("do not meet by a foreign Origin: " .. path, function()
      local foreign =
        { "http://evil.example", "null", "http://203.0.113.5", ready.url .. "1" }
      for _, from in ipairs(foreign) do
        local status, reply = ask(ready, method, path, nil, { Origin = from })
        assert.equal(403, status, from)
        contains(reply.message, "origin")
      end
    end)

    it("meet by names that are allowed: " .. path, function()
      for _, name in ipairs { "sandbox.test", "OTHER:80", "localhost", "127.0.0.1", "[::1]:80" } do
        assert.equal(200, (ask(ready, method, path, nil, { Host = name })), name)
      end
      assert.equal(200, (ask(ready, method, path, nil, { Origin = ready.url })))
    end)
  end

  it("are told apart in HTTP/2 by :authority as well", function()
    local function refusal(authority, from)
      local request = { authority = authority, headers = { origin = from } }
      return origin.refusal(request, { ["a.b"] = true })
    end
    assert.is_string(refusal "evil.example")
    assert.is_string(refusal "evil.example:8080")
    assert.is_string(refusal "127.0.0.1.evil.example")
    assert.is_string(refusal "user@127.0.0.1")
    assert.is_string(refusal "999.0.0.1")
    assert.is_string(refusal "")
    assert.is_nil(refusal "127.0.0.1:80")
    assert.is_nil(refusal "[::1]")
    assert.is_nil(refusal "a.b.")
    assert.is_nil(refusal("127.0.0.1:80", "http://127.0.0.1:80"))
    assert.is_nil(refusal("127.0.0.1:80", "https://a.b"))
    assert.is_string(refusal("127.0.0.1:80", "http://127.0.0.1:81"))
    assert.is_string(refusal("127.0.0.1:80", "http://evil.example"))
  end)

  it("do not meet over HTTP/2 by a foreign name", function()
    local tls, where = start "--tls"
    local port = where.url:match "%d+$"
    local evil = "evil.example:" .. port
    local _, out = process.run { "curl", "-sk", "--http2", "-w", " %{http_version} %{http_code}",
      "--connect-to", evil .. ":127.0.0.1:" .. port, "https://" .. evil .. "/_sandbox/requests" }
    tls:stop()
    assert.truthy(out:find "%-%-allow%-host NAME.* 2 403$", out)
  end)

  it("do not hand on keys: the log of requests masks them", function()
    ask(ready, "GET", "/api/organizations?note=" .. ready.partner_key)
    local _, log = ask(ready, "GET", "/_sandbox/requests")
    lacks(cjson.encode(log), ready.partner_key)
    local last = log.requests[#log.requests]
    assert.equal("Bearer ****" .. ready.partner_key:sub(-4), last.headers.authorization)
    contains(last.query, "note=****")
  end)

  it("cannot ask for endless bytes, though for a gibibyte", function()
    for fault, most in pairs { huge = 2 ^ 30, gzip_bomb = 2 ^ 30, garbage = 2 ^ 30 } do
      local function arm(bytes)
        return (ask(ready, "POST", "/_sandbox/faults", {
          { operation = "list_orgs", fault = fault, bytes = bytes },
        }))
      end
      assert.equal(200, arm(most))
      assert.equal(422, arm(most + 1))
    end
    ask(ready, "DELETE", "/_sandbox/faults")
  end)
end)

describe("the sandbox's log of requests", function()
  it("has the keys where it was started with --show-keys", function()
    local child, ready = start "--show-keys"
    ask(ready, "GET", "/api/organizations")
    local _, log = ask(ready, "GET", "/_sandbox/requests")
    assert.equal("Bearer " .. ready.partner_key, log.requests[1].headers.authorization)
    child:stop()
  end)
end)
