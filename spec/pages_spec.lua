-- The walk over pages: FAULTS J, every kind of pagination, blocking and suspended.

local clients = require "spec.support.clients"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local modes = require "spec.support.modes"
local pages_module = require "polytomic.pages"
local polytomic = require "polytomic"
local raw_server = require "spec.support.raw_server"

local ID = "2f1b7b0c-0d5e-4f6e-8c41-4a3c8b0c5d0e"

-- A reply with items of these ids and, where it is given, a next page token.
local function page(ids, token)
  local items = {}
  for index, id in ipairs(ids) do items[index] = ('{"id":"%s"}'):format(id) end
  local pagination = token and (',"pagination":{"next_page_token":%s}'):format(token) or ""
  return { 200, ('{"data":[%s]%s}'):format(table.concat(items, ","), pagination) }
end

local function targets(server)
  local list = {}
  for index, request in ipairs(server:requests()) do list[index] = request.target end
  return list
end

for _, mode in ipairs(modes) do
  describe("walking pages with " .. mode.name, function()
    after_each(clients.close)

    local function answered(replies)
      local client, server = clients.answered(replies,
        mode.options { api_key = "key-of-a-user", partner_key = "partner-key-of-specs" })
      return client, server
    end

    -- What each() gives: ids joined by spaces, then the message it raised.
    local function ids_of(client, operation, arguments, options)
      local ids = {}
      local ok, message = mode.attempt(function()
        for item in client:each(operation, arguments, options) do
          ids[#ids + 1] = tostring(item.id)
        end
      end)
      return table.concat(ids, " "), not ok and message or nil
    end

    -- Calls pages:next() outside of any pcall and returns its results.
    local function next_of(pages)
      local results
      local ok, problem = mode.attempt(function() results = { pages:next() } end)
      assert(ok, problem)
      return results[1], results[2], results[3]
    end

    it("gives every item of all pages with its page's response, one request a page", function()
      local client, server =
        answered { page({ "a", "b" }, '"t1"'), page({ "c" }, '"t 2&"'), page({ "d" }) }
      local seen = {}
      assert(mode.attempt(function()
        for item, response in client:each("list_syncs", { limit = 2 }) do
          seen[#seen + 1] = item.id .. tostring(response.status)
            .. tostring(response.body.pagination and response.body.pagination.next_page_token)
        end
      end))
      assert.same({ "a200t1", "b200t1", "c200t 2&", "d200nil" }, seen)
      assert.same({ "/api/syncs?limit=2", "/api/syncs?page_token=t1&limit=2",
        "/api/syncs?page_token=t%202%26&limit=2" }, targets(server))
    end)

    it("gives the items of a list that is not paginated, in one request", function()
      local client, server = answered { page { "a", "b" } }
      assert.equal("a b", (ids_of(client, "list_orgs")))
      local pages = client:pages "list_orgs"
      assert.equal(2, #next_of(pages))
      local items, message = next_of(pages)
      assert.is_nil(items)
      assert.is_nil(message)
      assert.equal(2, #server:requests())
    end)

    it("gives nothing for a list that is null, and keeps null elements", function()
      local client = answered { { 200, '{"data":null}' } }
      assert.equal("", (ids_of(client, "list_orgs")))
      client = answered { { 200, '{"data":[null,{"id":"a"}]}' } }
      local items = {}
      assert(mode.attempt(function()
        for item in client:each "list_orgs" do items[#items + 1] = item end
      end))
      assert.equal(polytomic.null, items[1])
      assert.equal("a", items[2].id)
    end)

    for name, pagination in pairs {
      ["null"] = '"pagination":{"next_page_token":null}',
      ["an empty string"] = '"pagination":{"next_page_token":""}',
      ["missing"] = '"pagination":{}', ["in no object"] = '"other":1',
      ["in an object that is null"] = '"pagination":null',
    } do
      it("J: ends where the token is " .. name, function()
        local client, server = answered { { 200, '{"data":[{"id":"a"}],' .. pagination .. "}" } }
        local ids, message = ids_of(client, "list_syncs")
        assert.equal("a", ids)
        assert.is_nil(message)
        assert.equal(1, #server:requests())
      end)
    end

    it("J: ends in an error where a list that has one page names a further one", function()
      for _, more in ipairs { '"pagination":{"next_page_token":"t2"}',
          '"links":{"next":"/x?page=2"}' } do
        local client, server = answered { { 200, '{"data":[{"id":"a"}],' .. more .. "}" } }
        local ids, message = ids_of(client, "list_orgs")
        assert.equal("a", ids)
        contains(message, "names a further page of a list that has only one")
        assert.equal(1, #server:requests())
      end
    end)

    for name, case in pairs {
      ["a number"] = { "17", "is a number instead of a string" },
      ["an object"] = { "{}", "is a table instead of a string" },
    } do
      it("J: gives the items and then an error where the token is " .. name, function()
        local client, server = answered { page({ "a" }, case[1]) }
        local ids, message = ids_of(client, "list_syncs")
        assert.equal("a", ids)
        contains(message, "list_syncs: 200 bad_response: pagination.next_page_token " .. case[2])
        assert.equal(1, #server:requests())
      end)
    end

    it("J: gives the items and then an error that names a token that repeats", function()
      for _, replies in ipairs {
        { page({ "a" }, '"t1"'), page({ "b" }, '"t1"') },
        { page({ "a" }, '"t1"'), page({ "b" }, '"t2"'), page({ "c" }, '"t1"') },
      } do
        local client, server = answered(replies)
        local ids, message = ids_of(client, "list_syncs")
        assert.equal(#replies == 2 and "a b" or "a b c", ids)
        contains(message, 'repeats the token "t1"')
        assert.equal(#replies, #server:requests())
      end
      local client = answered { page({ "a" }, '"t1"') }
      local _, message = ids_of(client, "list_syncs", { page_token = "t1" })
      contains(message, 'repeats the token "t1"')
    end)

    it("J: goes on telling of a token that repeats, and asks for nothing more", function()
      local client, server = answered { page({ "a" }, '"t1"') }
      local pages = client:pages("list_syncs", { page_token = "t1" })
      assert.equal(1, #next_of(pages))
      for _ = 1, 2 do
        local items, message, err = next_of(pages)
        assert.is_nil(items)
        assert.equal(message, tostring(err))
        assert.same({ "bad_response", "unknown", 200, "list_syncs" },
          { err.kind, err.outcome, err.status, err.operation })
        assert.is_nil(err.cursor)
      end
      assert.is_nil(pages:cursor())
      assert.equal(1, #server:requests())
    end)

    it("J: goes on after an empty page that has a token", function()
      local client = answered { page({ "a" }, '"t1"'), page({}, '"t2"'), page { "b" } }
      assert.equal("a b", (ids_of(client, "list_syncs")))
    end)

    it("J: ends with an error when fresh tokens never stop, and resumes from its cursor", function()
      local most, most_empty = pages_module.most_pages, pages_module.most_empty_pages
      finally(function()
        pages_module.most_pages, pages_module.most_empty_pages = most, most_empty
      end)
      pages_module.most_pages, pages_module.most_empty_pages = 6, 4
      local full, empty = {}, {}
      for index = 1, 8 do
        full[index] = page({ "i" .. index }, ('"t%d"'):format(index))
        empty[index] = page({}, ('"t%d"'):format(index))
      end
      local client, server = answered(full)
      local ids, message = ids_of(client, "list_syncs")
      assert.equal("i1 i2 i3 i4 i5 i6", ids)
      contains(message,
        '6 pages were read and there is still another one (resume with page_token = "t6")')
      assert.equal(6, #server:requests())
      client, server = answered(empty)
      ids, message = ids_of(client, "list_syncs")
      assert.equal("", ids)
      contains(message, "4 pages in a row were empty")
      assert.equal(4, #server:requests())
    end)

    it("J: returns a failure in the middle, repeats that page, and resumes elsewhere", function()
      local client, server = answered { page({ "a" }, '"t1"'), { 403, '{"message":"not today"}' },
        page({ "b" }, '"t2"'), page { "c" } }
      local pages = client:pages("list_syncs", { limit = 1 })
      assert.is_nil(pages:cursor())
      assert.equal("a", next_of(pages)[1].id)
      assert.same({ "t1", "page_token" }, { pages:cursor() })
      local items, message, err = next_of(pages)
      assert.is_nil(items)
      assert.equal("forbidden", err.kind)
      assert.equal("t1", err.cursor)
      assert.equal(message, tostring(err))
      assert.truthy(message:find("not today", 1, true)
          and message:find('(resume with page_token = "t1")', 1, true), message)
      assert.same({ "t1", "page_token" }, { pages:cursor() })
      assert.equal("b", next_of(pages)[1].id)
      local token, argument = pages:cursor()
      assert.equal("c", (ids_of(client, "list_syncs", { limit = 1, [argument] = token })))
      assert.same({ "/api/syncs?limit=1", "/api/syncs?page_token=t1&limit=1",
        "/api/syncs?page_token=t1&limit=1", "/api/syncs?page_token=t2&limit=1" }, targets(server))
    end)

    it("J: raises a failure in the middle with the cursor, on one line", function()
      local client = answered { page({ "a" }, '"t\\n\\"1"'), { 403, '{"message":"not today"}' } }
      local ids, message = ids_of(client, "list_syncs")
      assert.equal("a", ids)
      contains(message, '(resume with page_token = "t\\010\\0341")')
      lacks(message, "\n")
    end)

    it("names no cursor where the first page fails", function()
      local client = answered { 404 }
      local _, message = ids_of(client, "list_syncs")
      assert.equal("list_syncs: 404 not_found: scripted", message)
    end)

    it("J: lets a loop be left early, with nothing asked for after that", function()
      local client, server = answered { page({ "a", "b" }, '"t1"'), page { "c" } }
      assert(mode.attempt(function()
        for item in client:each "list_syncs" do
          if item.id == "a" then break end
        end
      end))
      collectgarbage()
      collectgarbage()
      assert.equal(1, #server:requests())
      assert.equal(0, client:stats().active)
      assert.equal("c", (ids_of(client, "list_syncs")))
    end)

    it("says what is wrong where the items are no list", function()
      for text, what in pairs { ['"x"'] = "a string", ['{"a":1}'] = "an object",
          ["true"] = "a boolean" } do
        local client = answered { { 200, '{"data":{"entries":' .. text .. "}}" } }
        local _, message =
          ids_of(client, "get_sync_execution_console_logs", { sync_id = ID, id = ID })
        assert.equal(("get_sync_execution_console_logs: 200 "
            .. "bad_response: data.entries is %s instead of a list"):format(what), message)
      end
    end)

    it("follows the cursor of console logs", function()
      local client, server = answered {
        { 200, '{"data":{"entries":[{"id":1},{"id":2}],"next_cursor":"c1"}}' },
        { 200, '{"data":{"entries":null,"next_cursor":"c2"}}' },
        { 200, '{"data":{"entries":[{"id":3}],"next_cursor":null}}' },
      }
      assert.equal("1 2 3", (ids_of(client, "get_sync_execution_console_logs",
        { sync_id = ID, id = ID, limit = 2 }):gsub("%.0", "")))
      local path = ("/api/syncs/%s/executions/%s/console-logs?"):format(ID, ID)
      local asked = targets(server)
      assert.equal(3, #asked)
      assert.truthy(asked[2]:find("after=c1", 1, true) and asked[3]:find("after=c2", 1, true),
        asked[2] .. path)
    end)

    it("reports bad data with the first page, and sends nothing", function()
      local client, server = answered { 200 }
      local _, message = ids_of(client, "list_users", { org_id = "x" })
      assert.equal("list_users: invalid: org_id must be a UUID", message)
      local items, _, err = next_of(client:pages("list_users", { org_id = "x" }))
      assert.is_nil(items)
      assert.same({ "invalid", "org_id", "unsent" }, { err.kind, err.field, err.outcome })
      assert.equal(0, #server:requests())
    end)

    it("leaves arguments and options as they were", function()
      local client = answered { page({ "a" }, '"t1"'), page { "b" } }
      local arguments, options = { limit = 1 }, { timeout = 5 }
      assert.equal("a b", (ids_of(client, "list_syncs", arguments, options)))
      assert.same({ limit = 1 }, arguments)
      assert.same({ timeout = 5 }, options)
    end)

    describe("by links", function()
      local function results(n, link)
        return { 200, ('{"data":{"status":"done","results":[{"id":"%s"}]},"links":{%s}}'):format(n,
          link and ('"next":%s'):format(link) or "") }
      end

      it("takes the page from relative and absolute links to this server, unfollowed", function()
        local client, server = answered { 200 }
        server:reset(raw_server.sequence {
          results("a", '"/elsewhere?x=1&page=p%2B1#f"'), results("b",
            '"' .. server.url .. '/other?page=p+2"'), results("c", '"?page=p3"'), results "d",
        })
        assert.equal("a b c d", (ids_of(client, "get_query", { id = ID })))
        local path = "/api/queries/" .. ID
        assert.same({ path, path .. "?page=p%2B1", path .. "?page=p%202", path .. "?page=p3" },
          targets(server))
      end)

      it("ends where the link is null or empty", function()
        for _, link in ipairs { "null", '""' } do
          local client = answered { results("a", link) }
          local ids, message = ids_of(client, "get_query", { id = ID })
          assert.equal("a", ids)
          assert.is_nil(message)
        end
      end)

      it("J: refuses a link to another host, shows no secret, and never connects", function()
        local other = raw_server.start {}
        finally(function() other:stop() end)
        for _, link in ipairs { "http://user:secret@" .. other.authority .. "/api?page=secret",
            "//" .. other.authority .. "/?page=secret" } do
          local client, server = answered { results("a", '"' .. link .. '"') }
          local ids, message = ids_of(client, "get_query", { id = ID })
          assert.equal("a", ids)
          contains(message,
            ('links.next leads to another host, "%s", and is refused'):format(other.authority))
          lacks(message, "secret")
          lacks(message, "key-of-a-user")
          assert.equal(1, #server:requests())
        end
        assert.equal(0, other:connections())
      end)

      it("J: refuses a link that leads to its server by another scheme, and says so", function()
        local client, server = answered { 200 }
        server:reset(
          raw_server.sequence { results("a", '"https://' .. server.authority .. '/api?page=2"') })
        local ids, message = ids_of(client, "get_query", { id = ID })
        assert.equal("a", ids)
        contains(message,
          'links.next has another scheme than this client\'s server, "https", and is refused')
      end)

      for name, case in pairs {
        ["is relative to the path"] = { '"more?page=2"', "is not a link to this server" },
        ["is no URL"] = { '"javascript:alert(1)"', "is not a link" },
        ["has a scheme of its own"] = { '"ftp://127.0.0.1/?page=2"', "leads to another host" },
        ["is a file"] = { '"file:///x?page=2"', "is not a link" },
        ["holds no page"] = { '"/x?pages=2"', "holds no page" },
        ["is an object"] = { "{}", "is a table instead of a string" },
      } do
        it("ends with an error where the link " .. name, function()
          local client, server = answered { results("a", case[1]) }
          local ids, message = ids_of(client, "get_query", { id = ID })
          assert.equal("a", ids)
          assert.truthy(message and message:find("links.next " .. case[2], 1, true), message)
          assert.equal(1, #server:requests())
        end)
      end
    end)

    describe("by a window of time", function()
      -- Events by number: each happened at that second, or at another one.
      local function events(list)
        local items = {}
        for index, event in ipairs(list) do
          local id, second = tostring(event):match "^(%w+)@?([%d.]*)$"
          items[index] = ('{"id":"%s","created_at":"2025-09-18T10:00:%sZ"}'):format(id,
            second ~= "" and second or ("%02d"):format(id))
        end
        return { 200, '{"data":[' .. table.concat(items, ",") .. "]}" }
      end

      local function bounds(server)
        local list = {}
        for index, target in ipairs(targets(server)) do
          list[index] = (target:gsub("^/api/events%?", ""):gsub("2025%-09%-18T10%%3A00%%3A", ""))
        end
        return list
      end

      it("goes back from the newest event in full pages, to the first empty one", function()
        local client, server = answered { events { 9, 8 }, events { 7 }, events {} }
        assert.equal("9 8 7", (ids_of(client, "list_events", { type = "sync.failed" })))
        assert.same(
          { "type=sync.failed&limit=100", "type=sync.failed&ending_before=09.000000Z&limit=100",
            "type=sync.failed&ending_before=08.000000Z&limit=100" }, bounds(server))
      end)

      it("goes on from the oldest event where the list comes in that order", function()
        local client, server = answered { events { 1, 2 }, events { 3, 4 }, events {} }
        assert.equal("1 2 3 4", (ids_of(client, "list_events", { limit = 2 })))
        assert.same({ "limit=2", "starting_after=01.000000Z&limit=2",
          "starting_after=03.000000Z&limit=2" }, bounds(server))
      end)

      it("leaves out the events at the bound that came already", function()
        local client, server = answered { events { 9, "a@08", "b@08" },
          events { "b@08", "a@08", "c@08" }, events { "c@08", "b@08", "a@08", 7 }, events { 7 } }
        assert.equal("9 a b c 7", (ids_of(client, "list_events", { limit = 10 })))
        assert.equal(4, #server:requests())
      end)

      it("distinguishes fractions of a second", function()
        local client = answered { events { "a@05.25", "b@05.1", "c@05" },
          events { "c@05.000", "d@04.9" }, events { "d@04.900" }, events {} }
        assert.equal("a b c d", (ids_of(client, "list_events")))
      end)

      it("distinguishes zones", function()
        local function at(id, time)
          return ('{"id":"%s","created_at":"2025-10-26T%s"}'):format(id, time)
        end
        local body = '{"data":[' .. at("a", "02:30:00+01:00") .. "," .. at("b", "02:45:00+02:00")
          .. "]}"
        local client, server = answered { { 200, body }, events {} }
        assert.equal("a b", (ids_of(client, "list_events", { limit = 2 })))
        contains(targets(server)[2], "ending_before=2025-10-26T00%3A45%3A01.000000Z")
      end)

      it("ends with an error where the server ignores the window", function()
        local client, server = answered { events { 9, 8, 7 } }
        local ids, message = ids_of(client, "list_events")
        assert.equal("9 8 7", ids)
        contains(message, "outside the window that ends at 2025-09-18T10:00:08.000000Z")
        assert.equal(2, #server:requests())
      end)

      it("ends with an error where one moment fills a page", function()
        local client, server =
          answered { events { 9, "a@08" }, events { "a@08", "b@08" }, events { "a@08", "b@08" } }
        local ids, message = ids_of(client, "list_events", { limit = 2 })
        assert.equal("9 a b", ids)
        contains(message, "so the window cannot move")
        assert.equal(3, #server:requests())
        client, server = answered { events { "a@08", "b@08" } }
        ids, message = ids_of(client, "list_events", { limit = 2 })
        assert.equal("a b", ids)
        contains(message, "so the window cannot move")
        assert.equal(1, #server:requests())
      end)

      it("takes a page that is not full for the last where events have no time", function()
        local client = answered { { 200, '{"data":[{"id":"a"},{"id":"b"}]}' } }
        local ids, message = ids_of(client, "list_events")
        assert.equal("a b", ids)
        assert.is_nil(message)
        ids, message = ids_of(client, "list_events", { limit = 2 })
        assert.equal("a b", ids)
        contains(message, "an item has no created_at")
        client = answered { { 200, '{"data":[{"created_at":"2025-09-18T10:00:02Z"},'
          .. '{"created_at":"2025-09-18T10:00:01Z"}]}' } }
        message = select(2, ids_of(client, "list_events", { limit = 2 }))
        contains(message, "an item has no id")
      end)

      it("resumes from its cursor, in whichever direction it went", function()
        for first, case in pairs {
          [events { 9, 8 }] = { "ending_before", "2025-09-18T10:00:09.000000Z" },
          [events { 1, 2 }] = { "starting_after", "2025-09-18T10:00:01.000000Z" },
        } do
          local client, server = answered { first, 403, events {} }
          local pages = client:pages("list_events", { limit = 2 })
          assert.is_nil(pages:cursor())
          assert.equal(2, #next_of(pages))
          local _, _, err = next_of(pages)
          local token, argument = pages:cursor()
          assert.same(case, { argument, token })
          assert.equal(token, err.cursor)
          ids_of(client, "list_events", { limit = 2, [argument] = token })
          local asked = targets(server)
          assert.equal(asked[2], asked[3])
        end
      end)
    end)
  end)
end

describe("a client with a wait", function()
  after_each(clients.close)

  it("suspends for every page of pages:next() and the first of each(), on every Lua", function()
    local waits = 0
    local function wait(client)
      waits = waits + 1
      coroutine.yield(client)
    end
    local attempt = modes[2].attempt
    local client = clients.answered({ page({ "a" }, '"t1"'), page { "b" } },
      { api_key = "key-of-a-user", wait = wait })
    local pages, after_first = client:pages "list_syncs", nil
    assert(attempt(function()
      assert(pages:next())
      after_first = waits
      assert(pages:next())
    end))
    assert.is_true(after_first > 0 and waits > after_first)
    client = clients.answered({ page { "a" } }, { api_key = "key-of-a-user", wait = wait })
    waits = 0
    local ids = {}
    assert(attempt(function()
      for item in client:each "list_syncs" do
        ids[#ids + 1] = item.id
      end
    end))
    assert.same({ "a" }, ids)
    assert.is_true(waits > 0)
  end)
end)

describe("bad usage of pages", function()
  local raised = clients.raised
  local client

  before_each(function() client = clients.answered { 200 } end)
  after_each(clients.close)

  it("raises where the methods are called", function()
    assert.equal("unknown operation 'list_org', did you mean 'list_orgs'?", raised(function()
      client:each "list_org"
    end))
    assert.equal("unknown operation 'xyzzyxyzzy'", raised(function() client:pages "xyzzyxyzzy" end))
    assert.equal("each: create_org gives no list", raised(function()
      client:each("create_org", { name = "a" })
    end))
    assert.equal("pages: the first argument must be an operation's name, got nil", raised(function()
      client:pages()
    end))
    assert.equal("each: use a colon: client:each(…)", raised(function()
      client.each "list_orgs"
    end))
    assert.equal("list_users: arguments must be a table, got string", raised(function()
      client:each("list_users", "x")
    end))
    assert.equal("list_users: arguments must be a table, got nil", raised(function()
      client:pages("list_users", nil, { timeout = 1 })
    end))
    contains(raised(function() client:each("list_orgs", {}, { tiemout = 1 }) end),
      "unknown option 'tiemout'")
    contains(raised(function() client:pages("list_orgs", {}, { timeout = -1 }) end), "timeout")
  end)
end)

describe("the lists of the catalogue", function()
  local samples = {}
  for _, operation in ipairs(polytomic.operations) do
    if operation.pages then samples[#samples + 1] = operation end
  end
  after_each(clients.close)

  -- A body whose list, at its dotted path, holds one item.
  local function body_with_item(path)
    local body = '[{"id":"one"}]'
    local names = {}
    for name in path:gmatch "[^.]+" do names[#names + 1] = name end
    for index = #names, 1, -1 do body = ('{"%s":%s}'):format(names[index], body) end
    return body
  end

  it("are all walked by each", function()
    assert.is_true(#samples >= 40)
    for _, operation in ipairs(samples) do
      local client, server = clients.answered(
        { { 200, body_with_item(operation.pages.items_field) } },
        { api_key = "key-of-a-user" }
      )
      local arguments = require("spec.support.samples").of(operation)[1]
      local count = 0
      for item in client:each(operation.name, arguments) do
        count = count + 1
        assert.equal("one", item.id, operation.name)
      end
      assert.equal(1, count, operation.name)
      assert.equal(1, #server:requests(), operation.name)
      client:close()
    end
  end)
end)
