-- Replies that are not the API's: pages of proxies, filters and captive portals, problem details
-- (csrc/api/foreign_reply.c).

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks

local HTML, TEXT, JSON = "text/html; charset=utf-8", "text/plain", "application/problem+json"
local PAGE =
  "<!DOCTYPE html><html><head><style>p { color: red }</style><TITLE>\n Access\tdenied </TITLE>"
  .. "<script>alert('unread')</script></head><body><h1>Blocked</"
    .. "h1><p>by&nbsp;policy</p></body></html>"

after_each(clients.close)

local function reply(status, body, content_type)
  return { { status, body, { ["Content-Type"] = content_type } } }
end

local function refused(status, body, content_type, options)
  local client = clients.answered(reply(status, body, content_type), options)
  local data, message, err = client:create_org { name = "Acme" }
  assert.is_nil(data)
  return message, err
end

describe("A page of a middle box", function()
  local KINDS = {
    [403] = "forbidden",
    [407] = "api",
    [502] = "server",
    [503] = "server",
    [401] = "unauthorized",
  }
  for status, kind in pairs(KINDS) do
    it("Q: with status " .. status .. " is quoted by title, kept, and blamed on no key", function()
      local message, err = refused(status, PAGE, HTML)
      assert.equal(("create_org: %d %s: Access denied"):format(status, kind), message)
      assert.equal(PAGE, err.body)
      assert.is_nil(err.hint)
    end)
  end

  it("Q: with status 200 is no success", function()
    local message, err = refused(200, PAGE, HTML)
    assert.same({ "bad_response", "unknown", PAGE }, { err.kind, err.outcome, err.body }, message)
  end)

  it("Q: without a title is quoted by what is to be read on it", function()
    local page = "<html><!-- <p>unread</p> --><body><p>Blocked <b>by</b>\npolicy<script>no</script>"
    assert.truthy((refused(403, page, HTML):find(": Blocked by policy$")))
  end)

  it("Q: of plain text is quoted on one line, cut after a whole character", function()
    local message, err = refused(403, "Denied\r\nby policy " .. ("\195\164"):rep(300), TEXT)
    local quote = message:match ": (Denied by policy [\195\164]+)$"
    assert.truthy(quote, message)
    assert.is_true(#quote <= 200 and #quote > 190)
    assert.equal(0, (#quote - #"Denied by policy ") % 2)
    assert.equal("Denied\r\n", err.body:sub(1, 8))
  end)

  it("Q: of endless length is kept in part", function()
    local _, err = refused(503, ("x"):rep(200000), TEXT)
    assert.equal(65536, #err.body)
  end)

  it("M: hides our key in what it quotes and in what it keeps", function()
    local message, err =
      refused(403, "<title>Bearer partner-key-of-specs</title>", HTML, { retries = 0 })
    lacks(message, "partner-key-of-specs")
    lacks(err.body, "partner-key-of-specs")
  end)

  it("Q: that says nothing leaves the message as it is", function()
    contains(refused(403, "<html><body></body></html>", HTML), "gave no message")
  end)
end)

describe("Problem details", function()
  for body, said in pairs {
    ['{"title":"Forbidden","detail":"the name is reserved"}'] = "Forbidden: the name is reserved",
    ['{"title":"Too long"}'] = "Too long",
    ['{"detail":"too long"}'] = "too long",
    ['{"errors":["name is too long","and wrong"]}'] = "name is too long; and wrong",
    ['{"errors":[{"message":"name is too long"},{"detail":"and wrong"}]}'] =
      "name is too long; and wrong",
    ['{"errors":{"name":["is too long"]}}'] = "name: is too long",
    ['{"title":"Invalid","errors":{"name":"is too long"}}'] = "Invalid; name: is too long",
  } do
    it("Q: are reported: " .. said .. (" (%d bytes)"):format(#body), function()
      local message, err = refused(422, body, JSON)
      assert.equal("create_org: 422 unprocessable: " .. said, message)
      assert.is_table(err.body)
    end)
  end

  it("Q: of a 403 blame no key", function()
    assert.is_nil(select(2, refused(403, '{"title":"Blocked"}', JSON)).hint)
  end)
end)

describe("request", function()
  local function request(body, content_type)
    local headers = content_type and { ["Content-Type"] = content_type } or nil
    local client = clients.answered { { 200, body, headers } }
    return client:request { method = "GET", path = "/api/file" }
  end

  it("E3: gives the text of a reply that is not JSON", function()
    local data, _, response = request("id,name\n1,Acme\n", "text/csv")
    assert.same({ "id,name\n1,Acme\n", "id,name\n1,Acme\n" }, { data, response.body })
  end)

  it("E3: reports broken JSON as such where the reply says JSON or begins like it", function()
    for _, case in ipairs {
      { '{"data":', "application/json" },
      { "oops", "application/vnd.api+json" },
      { "  [1,", nil },
      { '{"a":1}}', nil },
    } do
      local data, message, err = request(case[1], case[2])
      assert.is_nil(data)
      assert.equal("bad_response", err.kind, message)
    end
  end)
end)
