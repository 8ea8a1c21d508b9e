-- Inside nginx: a handler enqueues, and applying works there too.
-- Needs: nginx
-- Needs: dbd.sqlite3

local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local provision = require "polytomic.provision"
local sandbox = require "spec.support.sandbox"

-- nginx runs the build for LuaJIT, whoever asks it.
if not rawget(_G, "jit") then return end

local INIT = [[
  init_by_lua_block {
    polytomic, provision = require "polytomic", require "polytomic.provision"
    client = polytomic.new { base_url = "UPSTREAM", partner_key = "KEY", env = false,
      wait = require "polytomic.wait.openresty" }
    customers = {}
    for i = 1, 5 do customers[i] = { name = "Acme " .. i, users = { { email = "a@b.c" } } } end
  }
]]

describe("provisioning inside nginx", function()
  local server, ledger

  before_each(function()
    sandbox:reset()
    ledger = "sqlite:" .. process.temporary_file(nil, "ledger")
    local init = INIT:gsub("UPSTREAM", sandbox.url):gsub("KEY", sandbox.partner_key)
    server = nginx.start { http = init, substitutes = { LEDGER = ledger }, server = [[
      location = /enqueue { content_by_lua_block {
        queue = queue or assert(provision.queue(client, { ledger = "LEDGER" }))
        ngx.print(assert(queue:put(customers)).queued)
      } }
      location = /apply { content_by_lua_block {
        ngx.print(assert(provision.apply(client, customers, { ledger = "LEDGER" })).done)
      } }
    ]] }
  end)
  after_each(function() server:stop() end)

  it("enqueues through one connection, without a request to the API", function()
    for _, queued in ipairs { "5", "0" } do
      local status, body = http.request("GET", server.url .. "/enqueue")
      assert.same({ 200, queued }, { status, body })
    end
    assert.equal(0, #sandbox:requests())
    local status = assert(provision.status { ledger = ledger })
    assert.same({ 5, 5 }, { status.queued, status.total })
    assert.same({}, server:complaints())
  end)

  it("applies, while its light thread waits", function()
    local status, body = http.request("GET", server.url .. "/apply")
    assert.same({ 200, "5" }, { status, body })
    assert.same({ 5, 5 }, { sandbox:committed "create_org", sandbox:committed "create_user" })
    assert.same({}, server:complaints())
  end)
end)
