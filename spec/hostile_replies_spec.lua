-- Replies of any shape to the functions above single calls: failure is nil, message, err,
-- everywhere.

local clients = require "spec.support.clients"
local generator = require "spec.support.generator"

local UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"
local ROUNDS = 60

-- ---- random JSON ----

local next_number

-- 1 to n.
local function random(n) return next_number(n) + 1 end

local function one_of(list) return list[random(#list)] end

local SCALARS = { "null", "true", "false", "0", "-1", "1e400", "9223372036854775808", '""', '"x"',
  '"Acme"', '"jane@acme.com"', '"JANE@ACME.COM"', '"' .. UUID .. '"', '"completed"', '"failed"',
  '"\\u001b[31m\\u202e"', '"\\u0000"', "[]", "{}" }
local NAMES = { "data", "id", "name", "email", "status", "pagination", "page_token", "token",
  "links", "next", "issuer", "role_ids", "organization_id", "results", "job", "error", "message",
  "errors", "metadata", "key", "user", "organization", "count", "after", "has_more", "query_id" }

local function json(levels)
  local kind = levels > 0 and random(4) or 1
  local parts = {}
  if kind == 1 then return one_of(SCALARS) end
  for i = 1, random(4) do
    parts[i] = (kind == 2 and "" or '"' .. one_of(NAMES) .. '":') .. json(levels - 1)
  end
  local text = table.concat(parts, ",")
  return kind == 2 and "[" .. text .. "]" or "{" .. text .. "}"
end

local function reply()
  local status = one_of { 200, 200, 200, 200, 200, 201, 204, 404, 409, 422, 500, 401 }
  if status == 204 then return { 204, "" } end
  local form = random(5)
  if form == 1 then return { status, json(4) } end
  if form == 2 then return { status, "[" .. json(2) .. "," .. json(3) .. "]" } end
  return { status, '{"data":' .. (form == 3 and json(4) or "[" .. json(2) .. "," .. json(3) .. "]")
    .. (random(2) == 1 and ',"pagination":' .. json(2) or "") .. "}" }
end

-- ---- the functions ----

local FUNCTIONS = {
  find_org = function(client) return client:find_org { name = "Acme" } end,
  find_user = function(client)
    return client:find_user { org_id = UUID, email = "jane@acme.com" }
  end,
  ensure_org = function(client)
    return client:ensure_org { name = "Acme", sso_domain = "acme.com" }
  end,
  ensure_user = function(client)
    return client:ensure_user { org_id = UUID, email = "jane@acme.com", role_ids = { UUID } }
  end,
  patch_org = function(client) return client:patch_org { id = UUID, name = "Initech" } end,
  patch_user = function(client)
    return client:patch_user { org_id = UUID, id = UUID, role_ids = { UUID } }
  end,
  wait_for = function(client)
    local settings = { timeout = 0.05, interval = 0.01 }
    return client:wait_for("get_bulk_sync_status", { id = UUID }, settings)
  end,
  pages = function(client)
    local pages = client:pages("list_users", { org_id = UUID })
    for _ = 1, 4 do
      local items, message, err = pages:next()
      if items == nil then return items, message, err end
      assert(type(items) == "table", "a page is a list")
    end
    return true
  end,
  request = function(client) return client:request { method = "GET", path = "/api/me" } end,
  check = function(client) return client:check() end,
}

-- Raises where a failure is another than nil, message, err.
local function judge(first, message, err)
  if first ~= nil then return end
  if message == nil then return end -- nothing was found
  assert(type(message) == "string" and type(err) == "table", "a failure is nil, message, err")
  assert(tostring(err) == message and type(err.kind) == "string", "an error says its kind")
  assert(not message:find "[%c\127]" and not message:find("\226\128\174", 1, true),
    "a message is one line that moves no cursor")
end

for name, call in pairs(FUNCTIONS) do
  describe("E3: " .. name, function()
    after_each(clients.close)

    it("takes replies of any shape, and fails as a call does", function()
      for _, seed in ipairs { 20240611, os.time() } do
        next_number = generator(seed % 2147483646 + 1)
        for round = 1, ROUNDS do
          local replies = {}
          for i = 1, 6 do replies[i] = reply() end
          local client = clients.answered(replies, { timeout = 2 })
          local ok, why = pcall(function() judge(call(client)) end)
          clients.close()
          assert.is_true(ok, ("seed %d, round %d: %s\n%s"):format(seed, round, tostring(why),
            table.concat({ replies[1][2], replies[2][2], replies[3][2] }, "\n")))
        end
      end
    end)
  end)
end

describe("E3: query_rows", function()
  after_each(clients.close)

  it("takes replies of any shape, and raises messages alone", function()
    next_number = generator(20240611)
    for round = 1, ROUNDS do
      local replies = {}
      for i = 1, 6 do replies[i] = reply() end
      local client = clients.answered(replies, { timeout = 2 })
      local ok, why = pcall(function()
        local count = 0
        for row in client:query_rows({ connection_id = UUID, query = "select 1" },
          { interval = 0.01, timeout = 0.05 }) do
          count = count + 1
          if row == nil or count > 100 then break end
        end
      end)
      clients.close()
      assert.is_true(ok or type(why) == "string" and not why:find("attempt to", 1, true)
        and not why:find("%c"), ("round %d: %s\n%s"):format(round, tostring(why), replies[1][2]))
    end
  end)
end)
