-- M: secrets stay where they belong: in requests, and nowhere a program would show, log or keep.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local polytomic = require "polytomic"
local process = require "spec.support.process"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local cjson = require("cjson").new()
local base64 = require("mime").b64
local uuid = "248df4b7-aa70-47b8-a036-33ac447e668d"

-- No canary holds another, and none occurs elsewhere by chance.
local canary = {
  api_key = "api-canary-7d1f0c", partner_key = "partner-canary-93ab5e",
  deployment_key = "deployment-canary-4c2e81", client_secret = "secret-canary-b60f27",
  proxy_password = "proxypass-canary-18e9d3",
}

-- Every string that can be reached from a value, its keys and its parts by name.
local function strings_of(value, found, seen)
  found, seen = found or {}, seen or {}
  if type(value) == "string" then
    found[#found + 1] = value
  elseif type(value) == "table" and not seen[value] then
    seen[value] = true
    for _, name in ipairs { "operation", "status", "headers", "timeline", "request_id",
        "idempotency_key", "elapsed", "body", "message", "hint", "key", "metadata", "field",
        "text" } do
      strings_of(value[name], found, seen)
    end
    for key, member in pairs(value) do
      strings_of(key, found, seen)
      strings_of(member, found, seen)
    end
    for key, member in next, value do
      strings_of(key, found, seen)
      strings_of(member, found, seen)
    end
    if type(value.curl) == "function" then strings_of(value:curl(), found, seen) end
    found[#found + 1] = tostring(value)
  elseif type(value) == "userdata" then
    found[#found + 1] = tostring(value)
  end
  return found
end

-- Raises where a secret, or base64 of it for an organization, stands in anything that can be
-- reached from the values.
local function assert_silent(values, secrets)
  local strings = strings_of(values)
  assert(#strings > 0)
  for name, secret in pairs(secrets or canary) do
    for _, form in ipairs { secret, (base64(secret)):gsub("=+$", ""):sub(1, -3),
        (base64(uuid .. ":" .. secret)) } do
      for _, text in ipairs(strings) do
        if text:find(form, 1, true) then error(name .. " shows in: " .. text, 2) end
      end
    end
  end
end

local function all_keys(more)
  local options = { api_key = canary.api_key, partner_key = canary.partner_key,
    deployment_key = canary.deployment_key }
  for name, value in pairs(more or {}) do options[name] = value end
  return options
end

-- A server that sends back, in its answer's headers and body, all it could have been sent,
-- `authorization` among it; lua-cjson writes a slash as servers do that have HTML in mind.
local function echo(status, authorization, options)
  local body = cjson.encode {
    key = canary.partner_key, message = "bad key " .. canary.partner_key .. ", also "
      .. canary.api_key .. " and " .. canary.deployment_key,
    metadata = { authorization = authorization, [canary.api_key] = { canary.client_secret } },
    request = { client_secret = canary.client_secret, nested = { { canary.deployment_key } } },
  }
  return clients.answered({ { status, body,
    { ["X-Request-Id"] = canary.partner_key, ["X-Echo"] = authorization } } }, all_keys(options))
end

before_each(function() sandbox:reset() end)
after_each(clients.close)

describe("M: a secret", function()
  it("is in no text of a client, a call or an event", function()
    local events = {}
    local client =
      clients.sandbox(all_keys { organization = uuid, proxy = "", on_event = function(event)
        events[#events + 1] = event
      end })
    local call = client:start("create_org", { name = "Acme", client_secret = canary.client_secret })
    local shown = { client, call, client:as_org(uuid) }
    while not call:done() do client:step(0.1) end
    shown[#shown + 1] = { call:result() }
    assert.is_true(#events > 0)
    assert_silent { shown, events, client:stats() }
  end)

  it("that a server echoes in an error is hidden in the message and in every field", function()
    for _, status in ipairs { 400, 401, 403, 409, 422, 500 } do
      local client = echo(status, "Bearer " .. canary.partner_key)
      local _, message, err =
        client:create_org { name = "Acme", client_secret = canary.client_secret }
      assert.equal(status, err.status)
      contains(message, "bad key ****")
      assert_silent { message, err }
      client =
        echo(status, "Basic " .. base64(uuid .. ":" .. canary.partner_key), { organization = uuid })
      _, message, err = client:list_current_org_users()
      assert.equal(status, err.status)
      assert_silent({ message, err },
        { api = canary.api_key, partner = canary.partner_key, deployment = canary.deployment_key })
    end
  end)

  it("with quotes, slashes and backslashes is hidden as JSON writes it", function()
    local key = 'a/key"with\\all/of"them'
    local client = clients.answered(
      { { 422, cjson.encode { message = "bad " .. key, key = key } } }, { partner_key = key })
    local _, message, err = client:create_org { name = "Acme", client_secret = 'so/has"this\\one' }
    assert.is_truthy(message:find("unprocessable: bad %*+$"), message)
    assert_silent({ message, err }, { key = key })
    client = clients.answered { { 422, cjson.encode { message = 'bad so/has"this\\one' } } }
    _, message, err = client:create_org { name = "Acme", client_secret = 'so/has"this\\one' }
    assert.is_truthy(message:find("unprocessable: bad %*+$"), message)
    assert_silent({ message, err }, { secret = 'so/has"this\\one' })
  end)

  it("that a server echoes in a header is hidden in every event, whatever the status", function()
    for _, status in ipairs { 200, 422 } do
      local events = {}
      local client = echo(status, "Bearer " .. canary.partner_key, { on_event = function(event)
        events[#events + 1] = event
      end })
      client:create_org { name = "Acme" }
      assert.same({ "attempt", "done" }, { events[1].type, events[2].type })
      assert.matches("^%*+$", events[1].request_id)
      assert_silent { events }
    end
  end)

  -- What JSON may write for a secret: characters as escapes, and all of it once more as a string in
  -- JSON.
  it("is hidden in whichever way JSON writes it", function()
    local function escaped(text, pattern)
      return (text:gsub(pattern, function(char) return ("\\u%04x"):format(char:byte()) end))
    end
    local key, secret = 'pk&canary<1234>"x\\y', "cs&canary\n<Ü😀>"
    local function plainly(text) return (cjson.encode(text):sub(2, -2)) end
    local forms = {
      ["HTML-safe"] = function(text) return escaped(plainly(text), "[&<>']") end,
      ["letters as escapes"] = function(text)
        return escaped(plainly(text):gsub("\\.", "%0"), "[ac]")
      end,
      ["the escapes in capitals"] = function(text)
        return (escaped(plainly(text), "[&<>]"):gsub("u00(%x%x)", function(digits)
          return "u00" .. digits:upper()
        end))
      end,
      ["beyond ASCII as escapes"] = function(text)
        return (plainly(text):gsub("Ü", "\\u00dc"):gsub("😀", "\\ud83d\\ude00"))
      end,
      ["JSON in JSON"] = function(text) return plainly(cjson.encode(text)) end,
      ["escapes in JSON in JSON"] = function(text)
        return plainly(escaped(plainly(text), "[&<]"):gsub("Ü", "\\u00dc"):gsub("😀",
          "\\ud83d\\ude00"))
      end,
      ["JSON in JSON in JSON"] = function(text) return plainly(cjson.encode(cjson.encode(text)))
end,
    }
    for name, form in pairs(forms) do
      local body = ('{"message":"bad %s and %s","metadata":{"sent":"{\\"k\\":\\"%s\\"}"}}'):format(
        form(key),
        form(secret),
        form(key)
      )
      local client = clients.answered({ { 422, body } }, { partner_key = key })
      local _, message, err = client:create_org { name = "Acme", client_secret = secret }
      assert.equal("unprocessable", err.kind, name)
      assert.matches("unprocessable: bad .*%*%*%*%*%*%*.* and .*%*%*%*%*%*%*", message, name)
      for _, text in ipairs(strings_of { message, err }) do
        for _, shown in ipairs { "canary", "u0063", "Ü", "😀", "ud83d" } do
          if text:lower():find(shown, 1, true) then error(name .. " shows in: " .. text) end
        end
      end
    end
  end)

  it("that a server echoes is hidden in a bad response, JSON or not", function()
    for _, body in ipairs { '{"data":"' .. canary.partner_key .. '"}', "<p>" .. canary.partner_key
          .. " " .. canary.client_secret .. "</p>", '"' .. canary.partner_key .. '"' } do
      local client = clients.answered({ { 200, body } }, all_keys())
      local _, message, err =
        client:create_org { name = "Acme", client_secret = canary.client_secret }
      assert.equal("bad_response", err.kind)
      assert_silent { message, err }
    end
  end)

  it("that a server echoes is hidden also when the client is closed before it is read", function()
    local client = echo(422, "Bearer " .. canary.partner_key)
    local call = client:start("create_org", { name = "Acme", client_secret = canary.client_secret })
    while not call:done() do client:step(0.1) end
    client:close()
    local _, message, err = call:result()
    assert.equal("unprocessable", err.kind)
    assert_silent({ message, err }, { sent = canary.partner_key, secret = canary.client_secret })
  end)

  it("among the arguments is in no message about them", function()
    local client = clients.sandbox(all_keys())
    for _, arguments in ipairs { { name = "Acme", client_secret = { canary.client_secret } },
        { name = "Acme", client_secret = canary.client_secret .. "\255" },
        { client_secret = canary.client_secret }, { name = { canary.client_secret } },
      { name = "Acme", issuer = function() return canary.client_secret end } } do
      local _, message, err = client:create_org(arguments)
      assert.equal("invalid", err.kind)
      assert_silent { message, err }
    end
  end)

  it("among the options is in no error about them", function()
    local function told(options)
      return clients.raised(function() local _ = polytomic.new(options) end)
    end
    for _, name in ipairs { "api_key", "partner_key", "deployment_key" } do
      for _, wrong in ipairs { "\n", "\0", "\255", " ", "\239\187\191" } do
        assert_silent({ told { [name] = canary.api_key .. wrong .. canary.api_key } })
      end
    end
    assert_silent { told { proxy = "ftp://u:" .. canary.proxy_password .. "@x" },
      told { proxy = "http://u:" .. canary.proxy_password .. " @x" },
      told { base_url = "https://u:" .. canary.proxy_password .. "@x" },
      told { canary.api_key }, told(canary.api_key), told { user_agent = canary.api_key .. "\n" },
      told { version = canary.api_key .. " " }, told { organization = canary.api_key } }
  end)

  it("is in no traceback", function()
    local client = clients.sandbox(all_keys { on_event = function() error "thrown" end })
    local trace
    xpcall(
      function() client:create_org { name = "Acme", client_secret = canary.client_secret } end,
      function(message) trace = debug.traceback(message) end
    )
    contains(trace, "thrown")
    assert_silent { trace }
  end)

  it("is in no registry, global or upvalue that a program can walk to from the library", function()
    clients.sandbox(all_keys()):list_orgs()
    local seen, strings = {}, {}
    local function walk(value, depth)
      if type(value) == "string" then strings[#strings + 1] = value end
      if seen[value] or depth > 12 then return end
      if type(value) == "table" then
        seen[value] = true
        for key, member in next, value do
          walk(key, depth + 1)
          walk(member, depth + 1)
        end
      elseif type(value) == "function" then
        seen[value] = true
        for i = 1, 250 do
          local name, upvalue = debug.getupvalue(value, i)
          if not name then break end
          if value ~= walk then walk(upvalue, depth + 1) end
        end
      end
    end
    assert.is_table(polytomic.operations) -- made when first asked for
    walk(polytomic, 1)
    walk(require "polytomic.core", 1)
    assert.is_true(#strings > 200)
    assert_silent { strings }
  end)

  it("of the proxy is in no error about the proxy, and the proxy sees no key", function()
    local proxy = require("spec.support.proxy").start "refuse_407"
    local client = clients.sandbox(
      all_keys {
        base_url = "https://polytomic.example",
        proxy = "http://user:" .. canary.proxy_password .. "@127.0.0.1:" .. proxy.port,
        retries = 0,
      }
    )
    local _, message, err = client:list_orgs()
    assert.equal("proxy", err.kind, message)
    assert_silent { message, err, client }
    assert.is_false(proxy:saw(canary.partner_key))
    proxy:stop()
    local refused = raw_server.refused()
    client = clients.sandbox(
      all_keys {
        base_url = "https://polytomic.example",
        proxy = "http://user:" .. canary.proxy_password .. "@127.0.0.1:" .. refused.port,
        retries = 0,
      }
    )
    _, message, err = client:list_orgs()
    assert.is_not_nil(err.kind)
    assert_silent { message, err, client }
    refused.stop()
  end)

  it("that was minted is in its data and body alone", function()
    local client = clients.sandbox(all_keys { partner_key = sandbox.partner_key })
    local org = assert(client:create_org { name = "Acme" })
    local jane = assert(client:create_user { org_id = org.id, email = "jane@acme.com" })
    local key, _, response = client:create_user_api_key { org_id = org.id, id = jane.id }
    assert.is_true(#key.value > 10)
    assert_silent(
      {
        response.headers,
        response.timeline,
        response.request_id,
        response:curl(),
        tostring(response),
        client,
      },
      { minted = key.value }
    )
  end)

  it("is not on the command line of the process, and goes into no file", function()
    local script = process.temporary_file [[
      local polytomic = require "polytomic"
      local org, message =
        polytomic.create_org { name = "Acme", client_secret = "secret-canary-b60f27" }
      local file = assert(io.open("/proc/self/cmdline", "rb"))
      io.write(file:read("*a"), tostring(polytomic.client()), tostring(org and org.id),
        tostring(message))
    ]]
    local directory = process.temporary_file()
    local env = process.environment {
      POLYTOMIC_PARTNER_KEY = canary.partner_key,
      POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
      HOME = directory,
      TMPDIR = directory,
    }
    assert.equal(0, (process.run({ "mkdir", directory })))
    local status, out, err = process.run({ process.interpreter(), script }, { env = env })
    assert.equal(0, status, err)
    contains(out, "create_org: 401 unauthorized")
    assert_silent { out, err }
    local _, left = process.run({ "ls", "-A", directory })
    assert.equal("", left)
  end)
end)

describe("M: a short text that is part of many others", function()
  it("is not hidden: an error stays readable", function()
    local client = clients.answered({ { 422, '{"message":"name is taken"}' } },
      { partner_key = "is" })
    assert.equal("create_org: 422 unprocessable: name is taken",
      select(2, client:create_org { name = "x", client_secret = "name" }))
  end)
end)

describe("M: a minted key", function()
  local minted = { minted = "minted-canary-5d20a7" }

  it("is in no error that a spoiled reply makes", function()
    for _, body in ipairs {
      '{"data":"minted-canary-5d20a7"}', '{"value":"minted-canary-5d20a7"}', "minted-canary-5d20a7",
      '{"data":{"value":"minted-canary-5d20a7"}', '"minted-canary-5d20a7"',
    } do
      local client = clients.answered { { 200, body } }
      local data, message, err = client:create_user_api_key { org_id = uuid, id = uuid }
      assert.is_nil(data)
      assert.same({ "bad_response", "unknown" }, { err.kind, err.outcome })
      assert_silent({ message, err }, minted)
    end
  end)
end)

describe("M: a reply that holds a secret", function()
  local facts = require "spec.support.facts"
  local secret = { reply = "reply-canary-3e91c4" }
  local overlay = cjson.decode(process.contents "csrc/catalogue/overlay.json")
  local by_name = {}
  for _, operation in ipairs(facts.operations) do by_name[operation.name] = operation end

  local function arguments_of(operation)
    local arguments = {}
    for _, list in ipairs { "path_params", "query_params", "body" } do
      for _, field in ipairs(operation[list] or {}) do
        if field.required or list == "path_params" then
          arguments[field.name] = facts.example(field.type, field.name, field.format)
        end
      end
    end
    return arguments
  end

  local SPOILED = {
    { 200, '{"data":{"value":"reply-canary-3e91c4"' }, { 200, '{"data":"reply-canary-3e91c4"}' },
    { 200, '["reply-canary-3e91c4"]' }, { 200, "reply-canary-3e91c4" },
    { 200, '"reply-canary-3e91c4"' }, { 200, "<p>https://x.example/?s=reply-canary-3e91c4</p>" },
    { 301, "<p>https://x.example/?s=reply-canary-3e91c4</p>",
      { Location = "https://x.example/?s=reply-canary-3e91c4" } },
    { 302, "https://x.example/?s=reply-canary-3e91c4", { Location = "gopher://x.example/" } },
    { { send = raw_server.reply(200, '{"data":{"value":"reply-canary-3e91c4"}}',
      { ["Content-Length"] = "1000" }) }, "close" },
  }

  for _, name in ipairs(overlay.secret_replies) do
    it("of " .. name .. " is in no error and no event, however it is spoiled", function()
      local arguments = arguments_of(by_name[name])
      for _, reply in ipairs(SPOILED) do
        local told = {}
        local client = clients.answered({ reply }, {
          on_event = function(event) told[#told + 1] = event end,
        })
        local data, message, err = client[name](client, arguments)
        if data == nil then
          assert_silent({ message, err }, secret)
        else -- a file, or any value where that is documented
          assert.truthy(not by_name[name].response_type or type(data) == "table", name)
        end
        assert_silent({ told }, secret)
      end
    end)
  end
end)

describe("M: a secret in a request outside the catalogue", function()
  it("is known by its name", function()
    local body = {
      name = "Acme",
      client_secret = canary.client_secret,
      nested = { api_token = canary.api_key },
    }
    local client = clients.answered(
      {
        {
          422,
          cjson.encode { message = "bad " .. canary.client_secret .. " and " .. canary.api_key },
        },
      },
      { partner_key = canary.partner_key }
    )
    local data, message, err = client:request {
      method = "POST",
      path = "/api/organizations",
      query = { token = canary.deployment_key },
      body = body,
    }
    assert.is_nil(data)
    assert_silent { message, err }
    contains(err:curl(), '"name":"Acme"')
  end)

  it("is known by its name in every form of a query, as it was sent and as it was meant", function()
    local secret = "query canary/9f+2"
    for _, query in ipairs { { token = secret }, { token = { "plain", secret } },
        { token = { inner = secret } }, { filter = { api_key = secret } } } do
      local client = clients.answered {
        { 422, cjson.encode { message = "bad " .. secret .. " sent as query%20canary%2F9f%2B2" } },
      }
      local data, message, err = client:request { method = "GET", path = "/api/me", query = query }
      assert.is_nil(data)
      assert.matches("^request: 422 unprocessable: bad %*+ sent as %*+$", message)
      for _, text in ipairs(strings_of { message, err }) do
        lacks(text, "canary")
      end
      contains(err:curl(), "=***")
    end
  end)
end)

describe("M: an error", function()
  it("can be written as JSON by any logger", function()
    local client = clients.answered { { 404, '{"message":"gone"}' } }
    local _, message, err = client:get_org { id = uuid }
    local plain = cjson.decode(cjson.encode(err))
    assert.same({ "not_found", "gone", message }, { plain.kind, plain.message, plain.text })
    client:close()
    contains(err:curl(), "curl -X GET")
  end)
end)
