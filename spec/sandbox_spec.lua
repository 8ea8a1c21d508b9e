-- The sandbox's emulation of the API: keys, organizations, users, idempotency; starting and
-- stopping it.

local cjson = require("cjson").new()
local contains = require("spec.support.text").contains
local http = require "spec.support.http"
local lacks = require("spec.support.text").lacks
local process = require "spec.support.process"
local sandbox = require "polytomic.sandbox"

local emulator
local unknown = "11111111-2222-4333-8444-555555555555"
local admin, member = "0a0a0a0a-0000-4000-8000-000000000001", "0a0a0a0a-0000-4000-8000-000000000002"
local base64 = require("mime").b64

local function bearer(key)
  return "Bearer " .. key
end

-- One request: status, decoded body, headers, body text. Options: authorization (false for none),
-- key, version, text.
local function send(method, path, body, options)
  options = options or {}
  local headers = { ["Idempotency-Key"] = options.key, ["X-Polytomic-Version"] = options.version }
  if options.authorization ~= false then
    headers.Authorization = options.authorization or bearer(emulator.partner_key)
  end
  local text = options.text or (body and cjson.encode(body)) or nil
  local status, reply, reply_headers =
    http.request(method, emulator.url .. path, { headers = headers, body = text })
  return status, reply ~= "" and cjson.decode(reply) or nil, reply_headers, reply
end

local function create_org(name)
  local status, body = send("POST", "/api/organizations", { name = name })
  assert.equal(200, status)
  return body.data
end

local function create_user(org, email, extra)
  local wish = { email = email }
  for name, value in pairs(extra or {}) do wish[name] = value end
  local status, body = send("POST", "/api/organizations/" .. org.id .. "/users", wish)
  assert.equal(200, status)
  return body.data
end

local function mint_key(org, user)
  local path = "/api/organizations/" .. org.id .. "/users/" .. user.id .. "/keys"
  local status, body = send("POST", path)
  assert.equal(200, status)
  return body.data.value, path
end

local function requests()
  local _, body = send("GET", "/_sandbox/requests")
  return body.requests
end

local function names(list)
  local found = {}
  for i, item in ipairs(list) do found[i] = item.name end
  return found
end

describe("the sandbox", function()
  setup(function() emulator = assert(sandbox.start()) end)
  teardown(function() assert(emulator:stop()) end)
  before_each(function() assert.equal(200, (send("POST", "/_sandbox/reset"))) end)

  describe("on keys", function()
    it("answers 401 in the API's error shape without a key and with an unknown one", function()
      for _, authorization in ipairs { false, "Bearer nonsense", "Basic !!!", "nonsense",
          "Basic " .. base64("a:b") } do
        local status, body =
          send("GET", "/api/organizations", nil, { authorization = authorization })
        assert.equal(401, status)
        assert.equal("unauthorized", body.key)
        assert.equal(401, body.status)
        assert.is_string(body.message)
      end
    end)

    it("takes the partner key and the deployment key as Bearer", function()
      for _, key in ipairs { emulator.partner_key, emulator.deployment_key } do
        assert.equal(200, (send("GET", "/api/organizations", nil, { authorization = bearer(key) })))
      end
    end)

    it("answers 403 to a user key and to a Basic key on a partner operation", function()
      local org = create_org "Acme"
      local key = mint_key(org, create_user(org, "a@acme.com"))
      local basic = "Basic " .. base64(org.id .. ":" .. emulator.partner_key)
      for _, authorization in ipairs { bearer(key), basic } do
        local status, body =
          send("GET", "/api/organizations", nil, { authorization = authorization })
        assert.equal(403, status)
        assert.equal("forbidden", body.key)
      end
    end)

    it("lets a user key and a Basic key act on their own organization", function()
      local org = create_org "Acme"
      local key = mint_key(org, create_user(org, "a@acme.com"))
      for _, authorization in ipairs { bearer(key),
          "Basic " .. base64(org.id .. ":" .. emulator.partner_key),
        "Basic " .. base64(org.id .. ":" .. emulator.deployment_key) } do
        local status, body =
          send("GET", "/api/organization", nil, { authorization = authorization })
        assert.equal(200, status)
        assert.equal(org.id, body.data.id)
        status, body =
          send("GET", "/api/organization/users", nil, { authorization = authorization })
        assert.equal(200, status)
        assert.equal("a@acme.com", body.data[1].email)
      end
    end)

    it("lets a partner key act on the owner organization where the current one is meant", function()
      local status, body = send("GET", "/api/organization")
      assert.equal(200, status)
      assert.equal("Sandbox Owner", body.data.name)
    end)
  end)

  describe("on every request", function()
    it("echoes the version and gives each answer a request id of its own", function()
      local _, _, first = send("GET", "/api/organizations", nil, { version = "2024-02-08" })
      local _, _, second = send("GET", "/api/nothing")
      assert.equal("2024-02-08", first["x-polytomic-version"])
      assert.equal("2025-09-18", second["x-polytomic-version"])
      assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", first["x-request-id"])
      assert.not_equal(first["x-request-id"], second["x-request-id"])
    end)

    it("refuses an unknown version, path, method and body", function()
      local function outcome(...)
        local status, body = send(...)
        return status .. " " .. body.key
      end
      assert.equal("400 unknown_version",
        outcome("GET", "/api/organizations", nil, { version = "1999-01-01" }))
      assert.equal("404 not_found", outcome("GET", "/api/organizations/"))
      assert.equal("405 method_not_allowed", outcome("PATCH", "/api/organizations"))
      for _, text in ipairs { "{", "[]", "null", "1", "", '{"name":NaN}', '{"name":"\255"}' } do
        assert.equal("400 invalid_json",
          outcome("POST", "/api/organizations", nil, { text = text }))
      end
    end)
  end)

  describe("on organizations", function()
    it("lists the owner organization first, then the others as they were created", function()
      for _, name in ipairs { "Zeta", "Alpha", "Mu" } do create_org(name) end
      local _, body = send("GET", "/api/organizations")
      assert.same({ "Sandbox Owner", "Zeta", "Alpha", "Mu" }, names(body.data))
    end)

    it("gives settings back, but never client_id and client_secret", function()
      local status, body, _, text = send("POST", "/api/organizations",
        { name = "Acme", issuer = "https://id.acme.com", sso_domain = "acme.com", sso_org_id = "42",
          client_id = "canary-1", client_secret = "canary-2" })
      assert.equal(200, status)
      lacks(text, "canary")
      local id = body.data.id
      local shown = { id = id, name = "Acme", issuer = "https://id.acme.com",
        sso_domain = "acme.com", sso_org_id = "42" }
      assert.same(shown, body.data)
      _, body = send("GET", "/api/organizations/" .. id)
      assert.equal("acme.com", body.data.sso_domain)
    end)

    it("answers 409 to a taken name on create and update, but not to its own name", function()
      local org = create_org "Acme"
      create_org "Other"
      local status, body = send("POST", "/api/organizations", { name = "Acme" })
      assert.equal("409 conflict", status .. " " .. body.key)
      assert.equal(409, (send("PUT", "/api/organizations/" .. org.id, { name = "Other" })))
      assert.equal(200, (send("PUT", "/api/organizations/" .. org.id, { name = "Acme" })))
    end)

    it("frees a name when its organization is renamed or deleted", function()
      local org = create_org "Acme"
      assert.equal(200, (send("PUT", "/api/organizations/" .. org.id, { name = "New" })))
      create_org "Acme"
      assert.equal(200, (send("DELETE", "/api/organizations/" .. org.id)))
      create_org "New"
    end)

    it("replaces every setting on an update", function()
      local _, created =
        send("POST", "/api/organizations", { name = "Acme", issuer = "https://id.acme.com" })
      local id = created.data.id
      local _, body =
        send("PUT", "/api/organizations/" .. id, { name = "Acme", sso_domain = "acme.com" })
      assert.same({ id = id, name = "Acme", sso_domain = "acme.com" }, body.data)
    end)

    it("answers 422 naming the field to a missing, empty or wrongly typed value", function()
      for field, text in pairs {
        name = '{}', name_null = '{"name":null}', name_empty = '{"name":" "}',
        name_type = '{"name":1}', issuer = '{"name":"A","issuer":{}}',
      } do
        local status, body = send("POST", "/api/organizations", nil, { text = text })
        assert.equal(422, status)
        assert.equal(field:match("^%l+"), body.metadata.field)
      end
    end)

    it("deletes with an empty answer, and then knows the id no more", function()
      local org = create_org "Acme"
      local status, _, headers, text = send("DELETE", "/api/organizations/" .. org.id)
      assert.equal(200, status)
      assert.equal("", text)
      assert.equal("0", headers["content-length"])
      assert.equal(404, (send("DELETE", "/api/organizations/" .. org.id)))
      assert.equal(404, (send("GET", "/api/organizations/" .. org.id)))
    end)

    it("does not delete the owner organization", function()
      local _, body = send("GET", "/api/organizations")
      assert.equal(403, (send("DELETE", "/api/organizations/" .. body.data[1].id)))
    end)

    it("answers 404 to an id that is unknown or no UUID", function()
      for _, id in ipairs { unknown, "nonsense", "%2e%2e" } do
        assert.equal(404, (send("GET", "/api/organizations/" .. id)))
      end
    end)
  end)

  describe("on users", function()
    it("creates with a lower-case e-mail address and the Member role", function()
      local org = create_org "Acme"
      local user = create_user(org, "Jane@Acme.com")
      assert.same({ id = user.id, email = "jane@acme.com", organization_id = org.id, role = "user",
        role_ids = { member } }, user)
    end)

    it("takes either role or role_ids", function()
      local org = create_org "Acme"
      assert.same({ admin }, create_user(org, "a@acme.com", { role = "Admin" }).role_ids)
      assert.equal("admin", create_user(org, "b@acme.com", { role_ids = { member, admin } }).role)
    end)

    it("answers 422 to role with role_ids, and to bad role_ids or an unknown role", function()
      local path = "/api/organizations/" .. create_org("Acme").id .. "/users"
      for _, roles in ipairs { '"role":"admin","role_ids":["' .. admin .. '"]', '"role_ids":[]',
        '"role_ids":["' .. unknown .. '"]', '"role_ids":"x"',
        '"role_ids":[1]', '"role_ids":{"a":1}', '"role":"king"', '"role":1' } do
        local status, body =
          send("POST", path, nil, { text = '{"email":"a@acme.com",' .. roles .. "}" })
        assert.equal(422, status, roles)
        assert.matches("^role", body.metadata.field)
      end
      local _, body, _, text = send("GET", path)
      assert.equal('{"data":[]}', text)
      assert.same({}, body.data)
    end)

    it("answers 422 to a missing, malformed or taken e-mail address", function()
      local org = create_org "Acme"
      local path = "/api/organizations/" .. org.id .. "/users"
      create_user(org, "jane@acme.com")
      for _, text in ipairs { "{}", '{"email":""}', '{"email":"jane"}', '{"email":7}',
          '{"email":"JANE@acme.com"}', '{"email":"\\ufeffjo@acme.com"}',
          '{"email":"jo\\u200b@acme.com"}',
          '{"email":"jo\\u0000@acme.com"}', '{"email":"jo\\u00a0@acme.com"}' } do
        local status, body = send("POST", path, nil, { text = text })
        assert.equal(422, status)
        assert.equal("email", body.metadata.field)
      end
      create_user(create_org "Other", "jane@acme.com")
    end)

    it("changes roles on an update, and nothing else", function()
      local org = create_org "Acme"
      local user = create_user(org, "jane@acme.com")
      local path = "/api/organizations/" .. org.id .. "/users/" .. user.id
      local status, body = send("PUT", path, { email = "other@acme.com", role_ids = { admin } })
      assert.equal(200, status)
      assert.same({ "jane@acme.com", "admin" }, { body.data.email, body.data.role })
      body = select(2, send("PUT", path, { email = "jane@acme.com" }))
      assert.equal("admin", body.data.role)
      assert.equal(422, (send("PUT", path, { role = "admin" })))
    end)

    it("needs no e-mail address to update a user of the current organization", function()
      local _, created = send("POST", "/api/organization/users", { email = "jane@owner.com" })
      local path = "/api/organization/users/" .. created.data.id
      local status, body = send("PUT", path, { role = "admin" })
      assert.equal(200, status)
      assert.equal("admin", body.data.role)
      _, body = send("GET", path)
      assert.equal("admin", body.data.role)
      status, body = send("DELETE", path)
      assert.equal(200, status)
      assert.equal(created.data.id, body.data.id)
      assert.equal(404, (send("GET", path)))
    end)

    it("gives the deleted user back, and then knows it no more", function()
      local org = create_org "Acme"
      local user = create_user(org, "jane@acme.com")
      local path = "/api/organizations/" .. org.id .. "/users/" .. user.id
      local status, body = send("DELETE", path)
      assert.equal(200, status)
      assert.same(user, body.data)
      assert.equal(404, (send("DELETE", path)))
      create_user(org, "jane@acme.com")
    end)

    it("finds a user only in its own organization", function()
      local user = create_user(create_org "Acme", "jane@acme.com")
      assert.equal(404,
        (send("GET", "/api/organizations/" .. create_org("Other").id .. "/users/" .. user.id)))
      assert.equal(404, (send("GET", "/api/organizations/" .. unknown .. "/users/" .. user.id)))
    end)

    it("replaces an API key only with force, and revokes the old one", function()
      local org = create_org "Acme"
      local first, path = mint_key(org, create_user(org, "jane@acme.com"))
      assert.equal(409, (send("POST", path)))
      assert.equal(409, (send("POST", path .. "?force=false")))
      assert.equal(422, (send("POST", path .. "?force=maybe")))
      local status, body = send("POST", path .. "?force=true")
      assert.equal(200, status)
      assert.equal(401, (send("GET", "/api/organization", nil, { authorization = bearer(first) })))
      assert.equal(200,
        (send("GET", "/api/organization", nil, { authorization = bearer(body.data.value) })))
    end)

    it("revokes the key with the user and with the organization", function()
      local org = create_org "Acme"
      local jane, joe = create_user(org, "jane@acme.com"), create_user(org, "joe@acme.com")
      local jane_key, joe_key = mint_key(org, jane), mint_key(org, joe)
      send("DELETE", "/api/organizations/" .. org.id .. "/users/" .. jane.id)
      assert.equal(401,
        (send("GET", "/api/organization", nil, { authorization = bearer(jane_key) })))
      send("DELETE", "/api/organizations/" .. org.id)
      assert.equal(401,
        (send("GET", "/api/organization", nil, { authorization = bearer(joe_key) })))
    end)
  end)

  describe("on idempotency keys", function()
    it("replays the first outcome, headers included, under a new request id", function()
      local _, first, first_headers = send("POST", "/api/organizations", { name = "Acme" },
        { key = "key-00001" })
      local status, second, headers = send("POST", "/api/organizations", { name = "Acme" },
        { key = "key-00001" })
      assert.equal(200, status)
      assert.same(first, second)
      assert.equal(first_headers["content-type"], headers["content-type"])
      assert.not_equal(first_headers["x-request-id"], headers["x-request-id"])
      local seen = requests()
      assert.same({ true, false, false, true },
        { seen[1].committed, seen[1].replayed, seen[2].committed, seen[2].replayed })
    end)

    it("replays a refusal too", function()
      local org = create_org "Acme"
      assert.equal(409,
        (send("POST", "/api/organizations", { name = "Acme" }, { key = "key-00001" })))
      send("DELETE", "/api/organizations/" .. org.id)
      assert.equal(409,
        (send("POST", "/api/organizations", { name = "Acme" }, { key = "key-00001" })))
    end)

    it("refuses a used key with another body or path", function()
      send("POST", "/api/organizations", { name = "Acme" }, { key = "key-00001" })
      local status, body = send("POST", "/api/organizations", { name = "Other" },
        { key = "key-00001" })
      assert.equal("422 idempotency_mismatch", status .. " " .. body.key)
      assert.equal(422,
        (send("POST", "/api/organization/users", { name = "Acme" }, { key = "key-00001" })))
    end)

    it("keeps the keys of different credentials apart", function()
      send("POST", "/api/organizations", { name = "Acme" }, { key = "key-00001" })
      local status = send("POST", "/api/organizations", { name = "Other" },
        { key = "key-00001", authorization = bearer(emulator.deployment_key) })
      assert.equal(200, status)
    end)

    it("refuses a malformed key", function()
      for _, key in ipairs { "short77", ("x"):rep(256), "bad key 1", "bad.key.1" } do
        local status, body = send("POST", "/api/organizations", { name = "Acme" }, { key = key })
        assert.equal("400 invalid_idempotency_key", status .. " " .. body.key)
      end
      assert.equal(200,
        (send("POST", "/api/organizations", { name = "Acme" }, { key = ("x"):rep(255) })))
    end)

    it("honours a key on PUT and ignores it on GET and DELETE", function()
      local org = create_org "Acme"
      local path = "/api/organizations/" .. org.id
      send("PUT", path, { name = "First" }, { key = "key-00001" })
      send("PUT", path, { name = "Second" })
      local _, body = send("PUT", path, { name = "First" }, { key = "key-00001" })
      assert.equal("First", body.data.name)
      _, body = send("GET", path, nil, { key = "key-00001" })
      assert.equal("Second", body.data.name)
      assert.equal(200, (send("DELETE", path, nil, { key = "key-00001" })))
      assert.equal(404, (send("DELETE", path, nil, { key = "key-00001" })))
    end)
  end)

  describe("on control", function()
    it("logs what is not UTF-8 as JSON can hold it", function()
      send("POST", "/api/organizations", nil, { text = '{"name":"\255\195("}' })
      local _, _, _, text = send("GET", "/_sandbox/requests")
      contains(text, '\\"name\\":\\"\239\191\189\239\191\189(')
    end)

    it("logs what arrived on the wire, and not the control requests", function()
      send("POST", "/api/organizations?x=%31", { name = "Acme" }, { key = "key-00001" })
      send("GET", "/nowhere", nil, { authorization = false })
      local seen = requests()
      assert.equal(2, #seen)
      local first, second = seen[1], seen[2]
      assert.same({ 1, "POST", "/api/organizations?x=%31", "x=%31",
        "create_org", 200, '{"name":"Acme"}', "key-00001", true, "1.1" },
        { first.n, first.method, first.path, first.query, first.operation, first.status, first.body,
          first.headers["idempotency-key"], first.committed, first.http_version })
      assert.same({ cjson.null, cjson.null, 404, false },
        { second.operation, second.fault, second.status, second.committed })
      assert.not_equal(first.connection, second.connection)
    end)

    it("forgets everything on reset but its keys", function()
      create_org "Acme"
      send("POST", "/_sandbox/faults", nil, { text = '[{"operation":"*","fault":"empty"}]' })
      send("POST", "/_sandbox/reset")
      local _, _, _, text = send("GET", "/_sandbox/faults")
      assert.equal('{"faults":[],"unconsumed":0}', text)
      assert.same({}, requests())
      local _, body = send("GET", "/api/organizations")
      assert.same({ "Sandbox Owner" }, names(body.data))
    end)

    it("answers 404 to a control request it does not know", function()
      assert.equal(404, (send("GET", "/_sandbox/nothing")))
    end)
  end)
end)

describe("starting the sandbox", function()
  local function exists(pid)
    return process.contents("/proc/" .. pid .. "/stat") ~= nil
  end

  it("gives it the keys asked for, and stopping it leaves no process running", function()
    local one = assert(sandbox.start { partner_key = "it's \"mine\"", deployment_key = "d" })
    assert.same({ "it's \"mine\"", "d" }, { one.partner_key, one.deployment_key })
    assert.is_true(exists(one.pid))
    assert.is_true(one:stop())
    assert.is_false(exists(one.pid))
    assert.is_true(one:stop())
  end)

  it("says so when the port is taken", function()
    local one = assert(sandbox.start())
    local other, message = sandbox.start { port = tonumber(one.url:match("%d+$")) }
    one:stop()
    assert.is_nil(other)
    assert.matches("^cannot listen on 127%.0%.0%.1 port %d+: .*already in use$", message)
  end)

  it("fails with one line on standard error and status 1 when lua-http is missing", function()
    local program = 'package.path = "' .. package.path .. '" '
      .. 'package.preload["http.server"] = function() error("none", 0) end '
      .. 'require("polytomic.sandbox").run()'
    local lowest = 0
    while arg[lowest - 1] do lowest = lowest - 1 end
    local output =
      assert(io.popen(arg[lowest] .. " -e '" .. program .. "' 2>&1 >/dev/null; echo $?"))
    local line, status = output:read("*l", "*l")
    output:close()
    assert.matches(
      "^polytomic sandbox: the sandbox needs lua%-http: .*Debian package lua%-http.*rock http",
      line
    )
    assert.equal("1", status)
  end)

  it("stops the process when the object is collected", function()
    local pid
    do
      local one = assert(sandbox.start())
      pid = one.pid
    end
    collectgarbage()
    collectgarbage()
    assert.is_false(exists(pid))
  end)

  it("raises on an option it does not know and on one of another type", function()
    local function complaint(options)
      return select(2, pcall(function() sandbox.start(options) end))
    end
    assert.matches("sandbox_spec.lua:%d+: unknown option: ports", complaint { ports = 1 })
    assert.matches("sandbox_spec.lua:%d+: port must be a number", complaint { port = "1" })
    assert.matches("between 0 and 65535", complaint { port = 65536 })
  end)

  it("serves https with a certificate of its own authority, whose file goes with it", function()
    local one = assert(sandbox.start { tls = true })
    assert.matches("^https://127%.0%.0%.1:%d+$", one.url)
    local headers = { Authorization = bearer(one.partner_key) }
    for _, host in ipairs { "127.0.0.1", "localhost" } do
      local url = one.url:gsub("127%.0%.0%.1", host) .. "/api/organizations"
      assert.equal(200, (http.request("GET", url, { headers = headers, ca_file = one.ca_file })))
    end
    one:stop()
    assert.is_nil(io.open(one.ca_file))
  end)
end)

describe("the sandbox's documentation", function()
  it("lists every choice and every fault", function()
    local text = sandbox.help()
    assert.is_true(#sandbox.inferences > 20)
    for _, entry in ipairs(sandbox.inferences) do
      contains(text, entry.rule)
      contains(text, entry.choice)
    end
    for name, kind in pairs(require "polytomic.sandbox.wire.faults".kinds) do
      local line = assert(text:match("\n  " .. name .. " ([^\n]*)\n"), name)
      for member_name in pairs(kind.members) do
        contains(" " .. line, " " .. member_name .. "=")
      end
    end
  end)
end)
