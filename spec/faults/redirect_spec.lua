-- F: a redirect is never followed, wherever it points.

local certificates = require "spec.support.certificates"
local lacks = require("spec.support.text").lacks
local raw_server = require "spec.support.raw_server"
local wire = require "spec.support.wire"

local STATUSES = { 301, 302, 303, 307, 308 }

describe("F: a redirect", function()
  local first, secure, second

  setup(function()
    first = raw_server.start()
    secure = raw_server.start { tls = certificates.good }
    second = raw_server.start()
  end)

  teardown(function()
    for _, server in ipairs { first, secure, second } do server:stop() end
  end)

  before_each(function() second:reset() end)

  -- Where each redirect points; `origin` is the server that was asked.
  local targets = {
    { "to the same origin", function(origin) return origin.url .. "/elsewhere" end },
    { "to another port", function() return second.url .. "/api/organizations" end },
    { "to another host", function()
      return "http://localhost:" .. second.port .. "/api/organizations"
    end },
    { "without a scheme", function()
      return "//127.0.0.1:" .. second.port .. "/api/organizations"
    end },
    { "to plain http", function() return second.url .. "/" end, secure = true },
    { "with the first host as user-info",
      function(origin) return "http://" .. origin.authority .. "@127.0.0.1:" .. second.port .. "/"
end },
    { "to a relative path", function() return "elsewhere" end },
    { "without a Location", function() return false end },
    { "to itself", function(origin) return origin.url .. "/api/organizations" end },
    { "to a file", function() return "file:///etc/passwd" end },
    { "to another protocol", function() return "gopher://127.0.0.1:" .. second.port .. "/_x" end },
    { "to two places", function() return { second.url .. "/a", second.url .. "/b" } end },
  }

  -- Plays one reply to one call of a kind at `origin`: data, message, err.
  local function call(mode, origin, kind, reply)
    origin:reset { per = "request", reply }
    local client =
      wire.client(origin.url, { ca_file = origin == secure and certificates.ca or nil }, mode)
    local result
    wire.run(mode, { { client = client, run = function() result = wire.call(client, kind) end } })
    client:close()
    return result
  end

  local function check(mode, origin, kind, status, location)
    local what = kind.name .. ", " .. mode .. ", " .. status
    local result = call(mode, origin, kind, raw_server.reply(status, "", { Location = location }))
    wire.assert_error(
      { kind = "redirect", status = status, outcome = "rejected", attempts = 1, retryable = false },
      result,
      what
    )
    assert.equal(1, #origin:requests(), what)
    assert.equal(0, second:connections(), what)
  end

  local function check_all(origin, status, location)
    for _, mode in ipairs(wire.modes) do
      for _, kind in ipairs(wire.kinds) do check(mode, origin, kind, status, location) end
    end
  end

  for _, target in ipairs(targets) do
    for _, status in ipairs(STATUSES) do
      it(("of status %d %s ends the call for any request"):format(status, target[1]), function()
        local origin = target.secure and secure or first
        check_all(origin, status, target[2](origin))
      end)
    end
  end

  it("leaves the connection fit for the next call", function()
    first:reset(raw_server.sequence { { 302, "", { Location = second.url } }, 200 })
    local client = wire.client(first.url)
    assert.equal("redirect", select(3, client:create_org { name = "Acme" }).kind)
    assert.same({}, (client:create_org { name = "Acme" }))
    assert.equal(1, first:connections())
    client:close()
  end)

  it("is reported with the place it points to, in the headers alone", function()
    local reply = raw_server.reply(302, "", { Location = "http://attacker.example/" })
    local result = call("blocking", first, wire.kind["POST with a key"], reply)
    lacks(result.message, "attacker")
    assert.equal("http://attacker.example/", result.err.headers.location)
  end)

  for _, status in ipairs { 300, 304, 305, 399 } do
    it(status .. " ends the call in the same way", function()
      check_all(first, status, second.url)
    end)
  end
end)
