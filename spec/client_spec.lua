-- Clients: how they are made, told apart and closed, what they ask of the process, and which key
-- they send.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local polytomic = require "polytomic"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local base64 = require("mime").b64
local uuid = "248df4b7-aa70-47b8-a036-33ac447e668d"
local other_uuid = "11111111-2222-4333-8444-555555555555"

local variables = { "POLYTOMIC_API_KEY", "POLYTOMIC_PARTNER_KEY", "POLYTOMIC_DEPLOYMENT_KEY",
  "POLYTOMIC_DEPLOYMENT_URL" }

-- Runs Lua text in a child whose Polytomic variables are those given; what it printed.
local function in_child(text, env)
  local all = process.environment(env)
  for _, name in ipairs(variables) do
    if all[name] == nil then all[name] = false end
  end
  local status, out, err =
    process.run({ process.interpreter(), process.temporary_file(text) }, { env = all })
  assert(status == 0, err)
  return out
end

local function load_text(text)
  return assert((loadstring or load)(text)) -- luacheck: ignore
end

clients.around(before_each, after_each)

describe("The module", function()
  it("gives its version as \"polytomic X.Y.Z\"", function()
    assert.is_truthy(polytomic._VERSION:find("^polytomic %d+%.%d+%.%d+$"))
  end)

  it("has the null of lua-cjson", function()
    assert.equal(require("cjson").null, polytomic.null)
    assert.equal("userdata", type(polytomic.null))
  end)

  it("is loaded, makes calls and reads replies without lua-cjson", function()
    assert.equal("ok\n", in_child(([[
      for _, name in ipairs { "cjson", "cjson.safe" } do
        package.preload[name] = function() error("lua-cjson is not here") end
      end
      local polytomic = require "polytomic"
      local client = polytomic.new { env = false, base_url = %q, partner_key = %q }
      assert(client:create_org { name = "Acme" })
      local orgs = assert(client:list_orgs())
      assert(#orgs > 0 and orgs[1].id and client:find_org { name = "Acme" }.name == "Acme")
      for _, request in ipairs { "list_orgs", "batch", "each", "ensure_org", "patch_org" } do
        assert(client[request], request)
      end
      assert(not package.loaded.cjson and not package.loaded["cjson.safe"])
      print "ok"
    ]]):format(sandbox.url, sandbox.partner_key)))
  end)

  it("describes every operation: name, id, method, path, key, pages, summary …", function()
    assert.is_true(#polytomic.operations > 0)
    for _, operation in ipairs(polytomic.operations) do
      for _, name in ipairs { "name", "id", "method", "path", "auth", "summary" } do
        assert.is_string(operation[name], operation.name)
      end
      assert.is_boolean(operation.idempotent)
      assert.is_boolean(operation.paginated)
      assert.is_function(polytomic[operation.name])
      assert.is_function(polytomic.new { env = false }[operation.name])
    end
  end)

  it("describes create_org and list_orgs as the API does", function()
    local found = {}
    for _, operation in ipairs(polytomic.operations) do found[operation.name] = operation end
    local create, list = found.create_org, found.list_orgs
    assert.same({ "organization.create", "POST", "/api/organizations", "partner", false, false },
      { create.id, create.method, create.path, create.auth, create.idempotent, create.paginated })
    assert.same({ "organization.list", "GET", "/api/organizations", "partner", true, false },
      { list.id, list.method, list.path, list.auth, list.idempotent, list.paginated })
  end)

  it("can be required again and again, and old clients work on", function()
    local client = clients.sandbox()
    for _ = 1, 3 do
      for _, name in ipairs { "polytomic", "polytomic.core", "polytomic.run" } do
        package.loaded[name] = nil
      end
      local again = require "polytomic"
      assert.not_equal(polytomic, again)
      local new =
        again.new { env = false, base_url = sandbox.url, partner_key = sandbox.partner_key }
      assert.is_table(new:list_orgs())
      assert.is_table(client:list_orgs())
      for _, name in ipairs { "find_org", "ensure_user", "patch_org", "batch", "each", "check" } do
        assert.is_function(new[name], name)
        assert.is_function(again[name], name)
      end
      new:close()
    end
  end)

  it("sets no global, changes no library and opens nothing when it is required", function()
    assert.equal("ok\n", in_child("local FILE = " .. ("%q"):format(process.temporary_file()) .. [[

      require "cjson"
      local function names(of)
        local list = {}
        for name, value in pairs(of) do
          list[#list + 1] = tostring(name) .. "=" .. tostring(value)
        end
        table.sort(list)
        return table.concat(list, " ")
      end
      local function look()
        local parts = { names(_G) }
        for _, library in ipairs { "string", "table", "math", "io", "os", "coroutine", "debug",
            "cjson" } do
          parts[#parts + 1] = names(package.loaded[library])
        end
        return table.concat(parts, "\n")
      end
      local function descriptors()
        os.execute("ls -l /proc/$PPID/fd | sed 's/.* //' >" .. FILE)
        local file = assert(io.open(FILE))
        local list = file:read("*a")
        file:close()
        return list
      end
      local before, open = look(), descriptors()
      require "polytomic"
      print(before == look() and open == descriptors() and "ok" or "changed")
    ]], { POLYTOMIC_DEPLOYMENT_URL = "http://user@bad/?", POLYTOMIC_API_KEY = "a b" }))
  end)

  it("asks nothing of the network and reads only modules when it is required", function()
    local script = process.temporary_file('io.stdout:write("") require "polytomic"')
    local env = process.environment { POLYTOMIC_DEPLOYMENT_URL = "https://nowhere.invalid" }
    local status, _, trace = process.run({ "strace", "-f", "-e", "trace=network,open,openat",
      process.interpreter(), script }, { env = env })
    if status == 127 then return end -- no strace here; the spec above has looked at the descriptors
    assert.equal(0, status)
    local tail = trace:match("polytomic/core%.so\".*$")
    assert.is_string(tail)
    for _, call in ipairs { "socket(", "connect(", "resolv.conf", "ca-certificates", ".netrc",
        "hosts\"" } do
      assert.is_nil(tail:find(call, 1, true), call)
    end
  end)
end)

describe("The default client", function()
  it("is made from the environment by the first call and kept", function()
    local out = in_child([[
      local polytomic = require "polytomic"
      assert(polytomic.create_org { name = "Acme" })
      print(polytomic.list_orgs()[2].name, polytomic.client() == polytomic.client())
    ]], { POLYTOMIC_PARTNER_KEY = sandbox.partner_key, POLYTOMIC_DEPLOYMENT_URL = sandbox.url })
    assert.equal("Acme\ttrue\n", out)
  end)

  it("is replaced by configure", function()
    local first =
      polytomic.configure { env = false, base_url = sandbox.url, partner_key = sandbox.partner_key }
    assert.equal(first, polytomic.client())
    assert.is_table(polytomic.list_orgs())
    local second = polytomic.configure { env = false, base_url = sandbox.url,
      partner_key = "another-key-than-the-sandbox-has" }
    assert.equal(second, polytomic.client())
    local _, _, err = polytomic.list_orgs()
    assert.equal("unauthorized", err.kind)
    assert.is_table(first:list_orgs())
    first:close()
    second:close()
  end)

  it("stays the one before when configure refuses its options", function()
    local first =
      polytomic.configure { env = false, base_url = sandbox.url, partner_key = sandbox.partner_key }
    assert.is_false((pcall(polytomic.configure, { timeout = 0 })))
    assert.equal(first, polytomic.client())
    first:close()
  end)
end)

describe("The environment", function()
  local report = [[
    local polytomic = require "polytomic"
    local client = polytomic.new(OPTIONS)
    print((tostring(client):gsub("127%.0%.0%.1:%d+", "here")))
  ]]

  local function shown(options, env)
    return in_child(report:gsub("OPTIONS", function() return options end), env)
  end

  it("gives the keys and the address, with surrounding white space trimmed", function()
    assert.equal("polytomic.client (poly.example, user API key ****90ab)\n", shown("nil",
      { POLYTOMIC_API_KEY = " \tapi-key-567890ab\n", POLYTOMIC_DEPLOYMENT_URL = "poly.example/" }))
    assert.equal("polytomic.client (app.polytomic.com, deployment key ****90ab)\n",
      shown("{}", { POLYTOMIC_DEPLOYMENT_KEY = "deployment-567890ab" }))
    assert.equal("polytomic.client (app.polytomic.com, partner key ****90ab)\n", shown("{}",
      { POLYTOMIC_PARTNER_KEY = "partner-34567890ab", POLYTOMIC_API_KEY = "api-key-0000" }))
  end)

  it("is beaten by explicit options, one by one", function()
    local env = { POLYTOMIC_PARTNER_KEY = "from-the-environment",
      POLYTOMIC_DEPLOYMENT_URL = "https://other.example" }
    assert.equal("polytomic.client (poly.example, partner key ****plic)\n",
      shown('{ partner_key = "this-is-explic", base_url = "poly.example" }', env))
    assert.equal("polytomic.client (other.example, partner key ****plic)\n",
      shown('{ partner_key = "this-is-explic" }', env))
    assert.equal("polytomic.client (poly.example, partner key ****ment)\n",
      shown('{ base_url = "poly.example" }', env))
  end)

  it("does not fill in for a key that is given as empty", function()
    assert.equal("polytomic.client (app.polytomic.com, no key)\n",
      shown('{ partner_key = "" }', { POLYTOMIC_PARTNER_KEY = "from-the-environment" }))
  end)

  it("is ignored with env = false and where its variables are empty", function()
    local env = { POLYTOMIC_API_KEY = "api-key-567890ab",
      POLYTOMIC_DEPLOYMENT_URL = "https://other.example", https_proxy = "http://127.0.0.1:1" }
    assert.equal("polytomic.client (app.polytomic.com, no key)\n", shown("{ env = false }", env))
    assert.equal("polytomic.client (app.polytomic.com, no key)\n",
      shown("nil", { POLYTOMIC_API_KEY = "", POLYTOMIC_DEPLOYMENT_URL = "" }))
  end)
end)

describe("A client", function()
  it("is a userdata that shows its host, the kind of its key and four characters of it", function()
    local client = clients.sandbox { base_url = "https://app.polytomic.com/",
      partner_key = "partner-key-567890ab" }
    assert.equal("userdata", type(client))
    assert.equal("polytomic.client (app.polytomic.com, partner key ****90ab)", tostring(client))
  end)

  it("shows a path prefix and its organization, and nothing of a short key", function()
    assert.equal("polytomic.client (poly.example:8443/base, user API key ****, organization "
        .. uuid .. ")", tostring(clients.sandbox { base_url = "poly.example:8443/base/",
          api_key = "short-key", organization = uuid }))
  end)

  it("shows that it has no key, and that it is closed", function()
    local client = polytomic.new { env = false }
    assert.equal("polytomic.client (app.polytomic.com, no key)", tostring(client))
    client:close()
    assert.equal("polytomic.client (closed)", tostring(client))
  end)

  it("has a metatable nobody can reach, and no members but methods", function()
    local client = clients.sandbox()
    assert.equal("protected", getmetatable(client))
    assert.is_false((pcall(setmetatable, client, {})))
    for _, name in ipairs { "api_key", "partner_key", "key", "config", "options", "__index", "__gc",
        "nothing" } do
      assert.is_nil(client[name], name)
    end
    assert.is_nil(client[1])
    assert.is_nil(client[false])
    assert.is_false((pcall(function() client.partner_key = "x" end)))
  end)

  it("answers every call after its end with an error of kind closed", function()
    local client = clients.sandbox()
    client:close()
    client:close()
    local data, message, err = client:create_org { name = "Acme" }
    assert.is_nil(data)
    assert.equal("create_org: closed: the client was closed", message)
    assert.same({ "closed", "unsent", 0, false },
      { err.kind, err.outcome, err.attempts, err.retryable })
    local call = client:start("list_orgs")
    assert.is_true(call:done())
    assert.equal("closed", select(3, call:result()).kind)
    assert.equal("closed", select(3, client:request { method = "GET", path = "/api/me" }).kind)
    assert.equal(0, client:step(1))
    assert.is_nil(client:pollfd())
    assert.is_nil(client:timeout())
    assert.equal(0, client:stats().calls)
    assert.is_truthy(clients.raised(function() local _ = client:as_org(uuid) end):find("closed"))
    assert.same({}, sandbox:requests())
  end)

  it("ends its calls with kind closed when it is closed", function()
    sandbox:faults { { operation = "create_org", fault = "latency", seconds = 1 } }
    local client = clients.sandbox { max_connections = 1 }
    local call = client:start("create_org", { name = "Acme" })
    local queued = client:start("list_orgs")
    repeat client:step(0.01) until #sandbox:requests("create_org") == 1 or call:done()
    client:close()
    assert.is_true(call:done())
    local _, _, err = call:result()
    assert.same({ "closed", "unknown" }, { err.kind, err.outcome })
    assert.equal("closed", select(3, queued:result()).kind)
  end)

  it("is closed by the collector, and again without harm", function()
    local client = clients.sandbox()
    client:list_orgs()
    local weak = setmetatable({ polytomic.new { env = false } }, { __mode = "v" })
    collectgarbage()
    collectgarbage()
    assert.is_nil(weak[1])
    assert.is_table(client:list_orgs())
  end)

  it("is closed at the end of its scope where Lua has such scopes", function()
    if _VERSION ~= "Lua 5.4" then
      assert.is_nil((loadstring or load) "local client <close> = nil") -- luacheck: ignore
      return
    end
    local kept = load_text([[
      local polytomic, url, key = ...
      local kept
      do
        local client <close> = polytomic.new { env = false, base_url = url, partner_key = key }
        assert(client:list_orgs())
        kept = client
      end
      return kept
    ]])(polytomic, sandbox.url, sandbox.partner_key)
    assert.equal("polytomic.client (closed)", tostring(kept))
  end)

  it("stays alive while a call or a response of it does", function()
    local call
    do
      local client =
        polytomic.new { env = false, base_url = sandbox.url, partner_key = sandbox.partner_key }
      call = client:start("list_orgs")
      while not call:done() do client:step(0.1) end
    end
    collectgarbage()
    collectgarbage()
    local orgs, _, response = call:result()
    assert.equal(1, #orgs)
    call = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_string(response:curl())
  end)

  it("counts calls, attempts, retries, failures and connections", function()
    sandbox:faults { { operation = "list_orgs", fault = "status", status = 503, retry_after = 0 } }
    local client = clients.sandbox()
    assert.same({ calls = 0, attempts = 0, retries = 0, failures = 0, connections_opened = 0,
      connections_reused = 0, active = 0, queued = 0, retry_tokens = 500 }, client:stats())
    assert(client:list_orgs())
    client:get_org { id = other_uuid }
    client:get_org { id = "nonsense" }
    local stats = client:stats()
    assert.same({ 2, 3, 1, 1 }, { stats.calls, stats.attempts, stats.retries, stats.failures })
    assert.equal(stats.attempts, stats.connections_opened + stats.connections_reused)
    assert.same({ 0, 0 }, { stats.active, stats.queued })
    assert.equal(500, stats.retry_tokens) -- what the retry took came back with the success
  end)

  it("keeps to itself: two clients share no connection, key or count", function()
    local one, two = clients.sandbox(), clients.sandbox { partner_key = "unknown-to-the-sandbox" }
    assert.is_table(one:list_orgs())
    assert.is_nil((two:list_orgs()))
    assert.is_table(one:list_orgs())
    assert.same({ 2, 1 }, { one:stats().calls, two:stats().calls })
    local requests = sandbox:requests("list_orgs")
    assert.equal(requests[1].connection, requests[3].connection)
    assert.not_equal(requests[1].connection, requests[2].connection)
  end)

  it("refuses what is no client where a client must be", function()
    local client = clients.sandbox()
    for _, name in ipairs { "close", "start", "step", "pollfd", "events", "timeout", "stats",
        "as_org", "request", "create_org" } do
      for _, wrong in ipairs { {}, "x", io.stdout, polytomic.null } do
        assert.is_truthy(clients.raised(function()
          local _ = client[name](wrong)
        end):find("colon"), name)
      end
      assert.is_truthy(clients.raised(function() local _ = client[name]() end):find("colon"), name)
    end
  end)
end)

describe("A client that only reads", function()
  it("sends GET, says so in a header, and refuses the rest before it is sent", function()
    local client = clients.sandbox { read_only = true }
    assert.is_table(client:list_orgs())
    for name, arguments in pairs { create_org = { name = "x" },
        update_org = { id = uuid, name = "x" }, delete_org = { id = uuid },
        request = { method = "PATCH", path = "/api/x", body = {} } } do
      local data, message, err = client[name](client, arguments)
      assert.is_nil(data)
      contains(message, "read_only")
      assert.same({ "invalid", "unsent" }, { err.kind, err.outcome })
    end
    assert.is_nil((client:as_org(uuid):create_current_org_user { email = "a@b.c" }))
    local requests = sandbox:requests()
    assert.equal(1, #requests)
    assert.equal("read-only", requests[1].headers["x-polytomic-access-mode"])
  end)

  it("K: lets nobody say otherwise in that header", function()
    local mode = { ["X-polytomic-Access-Mode"] = "read-write" }
    local problem = "^headers must not contain 'X%-polytomic%-Access%-Mode'"
    assert.matches(problem, clients.raised(function()
      polytomic.new { read_only = true, headers = mode }
    end))
    local client = clients.sandbox { read_only = true }
    assert.matches(problem, clients.raised(function() client:list_orgs({}, { headers = mode }) end))
    assert(clients.sandbox { headers = mode }:list_orgs({}, { headers = mode }))
    assert.equal("read-write", sandbox:requests()[1].headers["x-polytomic-access-mode"])
  end)
end)

describe("A client of one organization", function()
  it("shares connections, retries and counts with the client it was made from", function()
    local client = clients.sandbox()
    local org = assert(client:create_org { name = "Acme" })
    local scoped = client:as_org(org.id)
    assert.equal(org.id, assert(scoped:get_current_org()).id)
    assert.is_table(client:list_orgs())
    local requests = sandbox:requests()
    assert.equal(requests[1].connection, requests[2].connection)
    assert.equal("Basic " .. base64(org.id .. ":" .. sandbox.partner_key),
      requests[2].headers.authorization)
    assert.equal("Bearer " .. sandbox.partner_key, requests[3].headers.authorization)
    assert.same(client:stats(), scoped:stats())
    contains(tostring(scoped), ", organization " .. org.id)
  end)

  it("lives on when that client is closed, and the other way round", function()
    local client = clients.sandbox()
    local org = assert(client:create_org { name = "Acme" })
    local one, two = client:as_org(org.id), client:as_org(org.id)
    one:close()
    assert.is_table(client:list_orgs())
    client:close()
    assert.equal("closed", select(3, client:list_orgs()).kind)
    assert.equal("Acme", assert(two:get_current_org()).name)
  end)

  it("is made for a UUID only", function()
    local client = clients.sandbox()
    for _, wrong in ipairs {
      "", "acme", uuid .. "0", "../" .. uuid:sub(4), 7, {}, polytomic.null,
    } do
      contains(clients.raised(function()
        local _ = client:as_org(wrong)
      end), "must be a UUID")
    end
  end)
end)

describe("The key that is sent", function()
  local api, partner, deployment = "api-key-of-specs", "partner-key-of-specs",
    "deployment-key-of-specs"

  local function sent(options, call, call_options)
    local client, server = clients.answered({ 200, '{"data":[]}' }, options)
    local data, message = client[call](client, {}, call_options)
    assert.is_table(data, message)
    return server:requests()[1].headers.authorization
  end

  local function bearer(key) return "Bearer " .. key end
  local function basic(org, key) return "Basic " .. (base64(org .. ":" .. key)) end

  it("on partner operations is the partner key, the deployment key or the API key", function()
    assert.equal(bearer(partner),
      sent({ partner_key = partner, deployment_key = deployment, api_key = api }, "list_orgs"))
    assert.equal(bearer(partner),
      sent({ partner_key = partner, api_key = api, organization = uuid }, "list_orgs"))
    assert.equal(bearer(deployment),
      sent({ partner_key = "", deployment_key = deployment, api_key = api }, "list_orgs"))
    assert.equal(bearer(api), sent({ partner_key = "", api_key = api }, "list_orgs"))
  end)

  it("on other operations is the API key, then the partner key", function()
    assert.equal(bearer(api), sent({ partner_key = partner, deployment_key = deployment,
      api_key = api }, "list_current_org_users"))
    assert.equal(bearer(partner),
      sent({ partner_key = partner, deployment_key = deployment }, "list_current_org_users"))
  end)

  it("on other operations goes with the organization as Basic where one is set", function()
    assert.equal(basic(uuid, partner), sent({ partner_key = partner, deployment_key = deployment,
      api_key = api, organization = uuid }, "list_current_org_users"))
    assert.equal(basic(uuid, deployment), sent({ partner_key = "", deployment_key = deployment,
      api_key = api, organization = uuid }, "list_current_org_users"))
  end)

  it("is the API key where an organization is set but no key that goes with one", function()
    assert.equal(bearer(api),
      sent({ partner_key = "", api_key = api, organization = uuid }, "list_current_org_users"))
  end)

  it("follows the organization of a single call, and the client's again after it", function()
    local options = { partner_key = partner, api_key = api, organization = uuid }
    assert.equal(basic(other_uuid, partner),
      sent(options, "list_current_org_users", { organization = other_uuid }))
    local client, server =
      clients.answered({ 200, '{"data":[]}' }, { partner_key = partner, api_key = api })
    client:list_current_org_users({}, { organization = uuid })
    client:list_current_org_users()
    client:list_orgs({}, { organization = uuid })
    local requests = server:requests()
    assert.same({ basic(uuid, partner), bearer(api), bearer(partner) },
      { requests[1].headers.authorization, requests[2].headers.authorization,
        requests[3].headers.authorization })
  end)

  it("goes with requests outside the catalogue as with the operation of that path", function()
    local client, server = clients.answered({ 200, "{}" }, { partner_key = partner, api_key = api })
    client:request { method = "GET", path = "/api/organizations/" .. uuid }
    client:request { method = "GET", path = "/api/organization" }
    client:request { method = "GET", path = "/api/new/thing" }
    local requests = server:requests()
    assert.same({ bearer(partner), bearer(api), bearer(api) }, { requests[1].headers.authorization,
      requests[2].headers.authorization, requests[3].headers.authorization })
  end)

  it("may hold quotes and other printable characters", function()
    assert.equal('Bearer "key\'$`\\{}"', sent({ partner_key = '"key\'$`\\{}"' }, "list_orgs"))
  end)
end)

describe("Without a key", function()
  it("a call fails as unconfigured, names the variables to set, and sends nothing", function()
    local client, server = clients.answered({ 200, "{}" }, { partner_key = "" })
    local data, message, err = client:create_org { name = "Acme" }
    assert.is_nil(data)
    contains(message, "POLYTOMIC_PARTNER_KEY")
    contains(message, "POLYTOMIC_DEPLOYMENT_KEY")
    assert.same({ "unconfigured", "unsent", 0 }, { err.kind, err.outcome, err.attempts })
    data, message, err = client:get_current_org()
    assert.is_nil(data)
    contains(message, "POLYTOMIC_API_KEY")
    assert.equal("unconfigured", err.kind)
    assert.equal("unconfigured", select(3, client:start("get_current_org"):result()).kind)
    assert.equal(0, server:connections())
  end)

  it("wrong data is reported first", function()
    assert.equal("invalid", select(3, polytomic.new { env = false }:create_org {}).kind)
  end)
end)

describe("A refused key", function()
  it("is explained on 401 by the kind that is needed and the kind that was sent", function()
    local client = clients.sandbox { api_key = "unknown-to-the-sandbox" }
    local _, message, err = client:create_org { name = "Acme" }
    assert.same({ "unauthorized", 401, "rejected" }, { err.kind, err.status, err.outcome })
    assert.equal("create_org needs a partner key; a user API key was sent", err.hint)
    contains(message, err.hint)
  end)

  it("is explained on 401 to those who have a deployment key", function()
    local client = clients.answered({ { 401, "{}" } },
      { partner_key = "", deployment_key = "deployment-key-567890ab" })
    assert.equal(
      "list_orgs needs a partner or deployment key; a "
        .. "deployment key was sent, which is not accepted",
      select(3, client:list_orgs()).hint
    )
  end)

  it("is explained on 403 too, with the organization it was sent for", function()
    local client = clients.answered({ 403, '{"message":"no"}' }, { organization = uuid })
    local _, _, err = client:get_current_org()
    assert.same({ "forbidden", "rejected" }, { err.kind, err.outcome })
    assert.equal(
      "get_current_org needs a user API key, or `organization` with a partner or deployment key; "
        .. "a partner key was sent for an organization, which is not allowed to do this",
      err.hint
    )
    local org = assert(clients.sandbox():create_org { name = "Acme" })
    local user = assert(clients.sandbox():create_user { org_id = org.id, email = "jane@acme.com" })
    local minted = assert(clients.sandbox():create_user_api_key { org_id = org.id, id = user.id })
    _, _, err = clients.sandbox({ api_key = minted.value }):list_orgs()
    assert.same({ 403, "forbidden", "list_orgs needs a partner key; a user API key was sent" },
      { err.status, err.kind, err.hint })
  end)

  it("is not spoken of on other statuses", function()
    local client = clients.answered({ 422, '{"message":"no"}' })
    assert.is_nil(select(3, client:create_org { name = "x" }).hint)
  end)
end)

describe("What every request carries", function()
  it("is the API version, the kind of body, and the library's and caller's names", function()
    local client = clients.sandbox { user_agent = "acme-provisioner/2.1 (ops)" }
    assert(client:create_org { name = "Acme" })
    local headers = sandbox:requests()[1].headers
    local version = polytomic._VERSION:match("%S+$"):gsub("%.", "%%.")
    assert.is_truthy(headers["user-agent"]:find("^polytomic%-lua/"
        .. version .. " libcurl/%d+%.%d+%.%d+ Lua[%w %.]* acme%-provisioner/2%.1 %(ops%)$"),
      headers["user-agent"])
    assert.same({ "2025-09-18", "application/json", "application/json" },
      { headers["x-polytomic-version"], headers["content-type"], headers.accept })
    assert.is_truthy(headers["idempotency-key"]:find("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$"))
    assert.is_nil(headers.expect)
    assert.is_nil(headers.cookie)
  end)

  it("carries another version where the client or the call has one", function()
    local client = clients.sandbox { version = "2024-02-08" }
    assert(client:list_orgs())
    assert(client:list_orgs({}, { version = "2023-04-25" }))
    assert(client:list_orgs())
    local requests = sandbox:requests()
    assert.same({ "2024-02-08", "2023-04-25", "2024-02-08" },
      { requests[1].headers["x-polytomic-version"], requests[2].headers["x-polytomic-version"],
        requests[3].headers["x-polytomic-version"] })
  end)

  it("has no body and no key of its own on GET and DELETE", function()
    local client = clients.sandbox()
    local org = assert(client:create_org { name = "Acme" })
    assert(client:get_org { id = org.id })
    assert(client:delete_org { id = org.id })
    for _, request in ipairs {
      sandbox:requests("get_org")[1], sandbox:requests("delete_org")[1],
    } do
      assert.equal("", request.body)
      assert.is_nil(request.headers["idempotency-key"])
      assert.is_nil(request.headers["content-type"])
      assert.is_nil(request.headers["content-length"])
    end
  end)

  it("goes below the path prefix of the base URL", function()
    local server = clients.server { { 200, '{"data":[]}' } }
    local client = polytomic.new { env = false, base_url = server.url .. "/poly/",
      partner_key = "partner-key-of-specs" }
    assert(client:list_orgs())
    client:close()
    assert.equal("/poly/api/organizations", server:requests()[1].target)
  end)
end)

describe("A request outside the catalogue", function()
  it("takes any path, query and body, and the envelope it finds", function()
    local client, server = clients.answered({ { 200, '{"data":{"id":"x"},"job":{"id":7}}',
      { ["X-Request-Id"] = "r-1" } }, { 200, '{"plain":true}' } })
    local data, _, response = client:request { method = "POST", path = "/api/new/ü b",
      query = { a = "1&2", n = 5, yes = true, list = { "x", "y" }, map = { key = "v", n = 7 } },
      body = { list = { 1, 2 }, name = "x" } }
    assert.same({ id = "x" }, data)
    assert.same({ "request", 200, "r-1", 7 },
      { response.operation, response.status, response.request_id, response.body.job.id })
    assert.same({ plain = true }, client:request { method = "GET", path = "/api/plain" })
    local requests = server:requests()
    assert.equal("POST", requests[1].method)
    local path, query = requests[1].target:match("^(.-)%?(.*)$")
    assert.equal("/api/new/%C3%BC%20b", path)
    local pairs_of = {}
    for pair in query:gmatch("[^&]+") do pairs_of[#pairs_of + 1] = pair end
    table.sort(pairs_of)
    assert.same({ "a=1%262", "list=x", "list=y", "map%5Bkey%5D=v", "map%5Bn%5D=7", "n=5",
      "yes=true" }, pairs_of)
    assert.same({ list = { 1, 2 }, name = "x" }, require("cjson").decode(requests[1].body))
    assert.is_string(requests[1].headers["idempotency-key"])
    assert.is_nil(requests[2].headers["idempotency-key"])
  end)

  it("has the same safety: statuses, keys and options as an operation", function()
    local client = clients.sandbox()
    local _, message, err = client:request({ method = "GET",
      path = "/api/organizations/" .. other_uuid }, { timeout = 5 })
    assert.same({ "not_found", 404, "rejected" }, { err.kind, err.status, err.outcome })
    assert.is_truthy(message:find("^request: 404 not_found: "))
    local call = client:start("list_orgs")
    assert.equal("polytomic.call (list_orgs, queued)", tostring(call))
    call:cancel()
    assert.equal("polytomic.call (list_orgs, done)", tostring(call))
  end)

  it("refuses a path that is none", function()
    local client = clients.sandbox()
    for _, path in ipairs { "", "api/x", "/api/../x", "/api/%2e%2e/x", "/api/x?y=1", "/api/x#y",
        "/api//x\n", "/a\0b", "/a\\b", "http://elsewhere.example/" } do
      local _, _, err = client:request { method = "GET", path = path }
      assert.same({ "invalid", "path", "unsent" }, { err.kind, err.field, err.outcome }, path)
    end
    assert.same({}, sandbox:requests())
  end)

  it("raises for usage that makes no sense", function()
    local client = clients.sandbox()
    assert.is_truthy(clients.raised(function() local _ = client:request() end):find("table"))
    assert.is_truthy(clients.raised(function() local _ = client:request("GET") end):find("table"))
    assert.is_truthy(clients.raised(function()
      local _ = client:request { path = "/api/x" }
    end):find("method"))
    assert.is_truthy(clients.raised(function()
      local _ = client:request { method = "get", path = "/api/x" }
    end):find("method"))
    contains(clients.raised(function()
      local _ = client:request { method = "GET", path = "/api/x", header = {} }
    end), "unknown field 'header'")
    contains(clients.raised(function()
      local _ = client:request({ method = "GET", path = "/api/x" }, { retry = 1 })
    end), "unknown option 'retry'")
  end)
end)
