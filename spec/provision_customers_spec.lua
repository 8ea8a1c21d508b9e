-- Sources of customers, and what is wrong with them: provision/sources, provision/customers.

local customers = require "polytomic.provision.customers"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local sources = require "polytomic.provision.sources"

local client = polytomic.new { env = false, base_url = "http://127.0.0.1:1",
  partner_key = "partner-key-of-specs" }

local function file(extension, text) return process.temporary_file(text, extension) end

-- What a source gives: the list of customers, or nil, the problems and the message.
local function read(given, literals)
  local source, message = sources.open(given)
  if not source then return nil, {}, message end
  local store, text, problems = customers.read(client, source, literals ~= false)
  if not store then return nil, problems, text end
  local list = {}
  for i = 1, store.count do list[i] = store:get(i) end
  return list, store
end

local function problems_of(given, literals)
  local list, problems, message = read(given, literals)
  assert.is_nil(list)
  local texts = {}
  for i, problem in ipairs(problems) do
    texts[i] = (problem.line or problem.customer) .. ": " .. problem.message
  end
  return texts, message
end

describe("a source of customers", function()
  local acme = { name = "Acme", sso_domain = "acme.com", users = {
    { email = "jane@acme.com", roles = { "Admin" }, api_key = true }, { email = "joe@acme.com" } } }

  it("says the same as CSV, JSON lines, JSON, Lua, a list and a function", function()
    local json = '{"name":"Acme","sso_domain":"acme.com","issuer":null,'
      .. '"users":[{"email":"Jane@Acme.com","roles":["Admin"],'
      .. '"api_key":true},{"email":"joe@acme.com","api_key":false}]}'
    local lua = 'return { { name = "Acme", sso_domain = "acme.com", users '
      .. '= { { email = "jane@acme.com", roles = { "Admin" }, '
      .. 'api_key = true }, { email = "joe@acme.com" } } } }'
    local given = 0
    for _, source in ipairs {
      file("csv", "\239\187\191name,sso_domain,email,roles,api_key\r\n"
          .. "Acme,acme.com,jane@acme.com,Admin,Yes\r\nAcme,,joe@acme.com,,no\r\n ,,,,\r\n"),
      file("jsonl", "\239\187\191\n" .. json .. "\r\n\n"),
      file("json", "[" .. json .. "]"),
      file("lua", lua),
      file("lua", "local list, i = (function() " .. lua
          .. " end)(), 0 return function() i = i + 1 return list[i] end"),
      { acme },
      function()
        given = given + 1
        return given == 1 and acme or nil
      end,
    } do
      assert.same({ acme }, (read(source)))
    end
  end)

  it("is JSON lines on standard input where it is named -", function()
    local status, out = process.run({ process.interpreter(), "-e",
      'local s = require("polytomic.provision.sources").open '
        .. '"-" print(s.next().name, select(2, s.next()))' },
      { env = process.environment(), stdin = '{"name":"Acme"}\n{"name":"Initech"}\n' })
    assert.same({ 0, "Acme\t2\n" }, { status, out })
  end)

  it("makes one organization of the rows of one name, wherever and however many", function()
    local rows = { "name,email" }
    for i = 1, 300 do rows[#rows + 1] = ("Acme %d,a@acme.com"):format(i) end
    for i = 1, 300 do rows[#rows + 1] = ("Acme %d,b@acme.com"):format(i) end
    local list = read(file("csv", table.concat(rows, "\n")))
    assert.equal(300, #list)
    for i = 1, 300 do
      assert.same({ name = "Acme " .. i,
        users = { { email = "a@acme.com" }, { email = "b@acme.com" } } }, list[i])
    end
  end)

  it("reports every problem of a table at once, with its line", function()
    local texts, message = problems_of(file("csv", table.concat({
      "name,sso_domain,email,roles,role_ids,api_key",
      "Acme,acme.com,jane@acme.com,Admin,,yes",
      "Acme,other.com,joe@acme.com,,,",
      "Acme,,JANE@acme.com,,,",
      ",x.com,,,,",
      "Initech,,no address,,,",
      "Initech,,a@b.com,,not-an-id,",
      "Initech,,c@d.com,,,perhaps",
      'Globex,,"e@f.com"x,,,',
      "Globex,,g@h.com,Admin,,,,",
      "Hooli,hooli.com,,,,",
      "Hooli,,,,,",
      "Hooli,,,Admin,,",
      "Bad\255,,,,,",
    }, "\n")))
    assert.same({
      '3: sso_domain "other.com" contradicts "acme.com" of line 2',
      "4: jane@acme.com is already there, on line 2",
      "5: name is required",
      "6: email must be an e-mail address, without blanks",
      "7: role_ids[1] must be a UUID",
      "8: api_key must be one of yes, true, 1, no, false, 0",
      "9: there is text after a closing quote",
      "10: there are 8 cells, the first line has 6 columns",
      "12: this says nothing that line 11 does not",
      "13: roles is there, but no email",
      "14: it is not UTF-8",
    }, texts)
    assert.matches("^[^\n]+%.csv: line 3: sso_domain", message)
    assert.matches("; and 1 more problems$", message)
  end)

  it("reports unknown columns with the nearest name, and other faults of the first line", function()
    assert.same({ '1: unknown column "e-mail", did you mean "email"?',
      '1: the column "name" appears twice' },
      (problems_of(file("csv", "name,e-mail,name\nA,b,c\n"))))
    assert.same({ '1: there is no column "name"' }, (problems_of(file("csv", "email\na@b.com\n"))))
    assert.same({ '1: cells must be separated by commas, the first line has ";"' },
      (problems_of(file("csv", "name;email\nA;b\n"))))
    assert.same({ "1: the file is empty, its first line must name the columns" },
      (problems_of(file("csv", ""))))
  end)

  it("reports every problem of JSON lines and of lists at once", function()
    local texts = problems_of(file("jsonl", table.concat({
      '{"name":"Acme","users":[{"email":"a@b.com"},{"email":"A@b.com"},{"mail":"x"}]}', "{",
      '["a"]', '{"name":"Acme"}', '{"nam":"X"}', '{"name":5}', '{"name":"X","users":{"a":1}}',
      '{"name":"Y\\u0000"}', '"Z"',
    }, "\n")))
    assert.same("1: user 2: a@b.com appears twice", texts[1])
    assert.same('1: user 3: unknown field of a user "mail", did you mean "email"?', texts[2])
    assert.matches("^2: it is not JSON: ", texts[3])
    assert.same("3: a customer must be an object, got a list", texts[4])
    assert.same('4: "Acme" is already there, as line 1', texts[5])
    assert.same('5: unknown field "nam", did you mean "name"?', texts[6])
    assert.same("5: name is required", texts[7])
    assert.same("6: name must be a string, got number", texts[8])
    assert.same("7: users must be a list, got an object", texts[9])
    assert.same("8: name must not contain NUL", texts[10])
    assert.same("9: a customer must be an object, got string", texts[11])
    assert.same({ "2: name must not be empty" }, (problems_of { { name = "A" }, { name = " " } }))
    assert.same({ "1: user 1: email must be a string, got null" },
      (problems_of { { name = "A", users = { { email = polytomic.null } } } }))
  end)

  it("takes null in a list, and a hole, for a problem: nothing after it is left out", function()
    assert.same({ "2: a customer must be an object, got null" },
      (problems_of(file("json", '[{"name":"Acme"},null,{"name":"Initech"}]'))))
    assert.same({ "1: user 2: a user must be an object, got null" },
      (problems_of(file("jsonl", '{"name":"Acme","users":[{"email":"a@b.com"},null]}'))))
    assert.same({ "1: user 1: an entry of roles must be a string, got null" }, (problems_of(file(
      "json", '[{"name":"Acme","users":[{"email":"a@b.com","roles":["A",null,"B"]}]}]'))))
    assert.same({ "2: there is nothing at this place of the list" },
      (problems_of { { name = "Acme" }, nil, { name = "Initech" } }))
    local user = { email = "a@b.com", roles = { "A", nil, "B" } }
    assert.same({ "1: users has nothing at place 2" },
      (problems_of { { name = "Acme", users = { user, nil, user } } }))
    assert.same({ "1: user 1: roles has nothing at place 2" },
      (problems_of { { name = "Acme", users = { user } } }))
  end)

  it("says in one line what cannot be read", function()
    for path, pattern in pairs {
      ["/nowhere/at-all.csv"] = "^cannot read /nowhere/at%-all%.csv: No such file",
      ["customers.xlsx"] =
        "^customers%.xlsx: the name must end in %.csv, %.jsonl, %.json or %.lua$",
      [file("csv", "\255\254n\0a\0")] = "is UTF%-16, it must be UTF%-8$",
      [file("json", "{")] = "%.json: it is not JSON: ",
      [file("json", '{"name":"Acme"}')] = "gives no list of customers$",
      [file("lua", "return (")] = "%.lua:1: unexpected symbol",
      [file("lua", "error 'oh'")] = "oh$",
    } do
      local _, _, message = read(path)
      assert.matches(pattern, message)
      assert.not_matches("\n", message)
    end
  end)

  it("keeps a secret apart from the customer, and a reference with it", function()
    local list, store =
      read(file("csv", "name,client_secret\nAcme,canary-secret\nInitech,env:SECRET\n"))
    assert.same({ { name = "Acme", users = {} },
      { name = "Initech", client_secret = "env:SECRET", users = {} } }, list)
    assert.equal("canary-secret", store:literal(1))
    assert.is_nil(store:literal(2))
    local texts, message =
      problems_of(file("csv", "name,client_secret\nAcme,canary-secret\nAcme,canary-two\n"))
    assert.same({ "3: client_secret contradicts that of an earlier line" }, texts)
    assert.not_matches("canary", message)
    for _, rows in ipairs { "canary-secret\nAcme,env:SECRET", "env:SECRET\nAcme,canary-secret" } do
      assert.same({ "3: client_secret contradicts that of an earlier line" },
        (problems_of(file("csv", "name,client_secret\nAcme," .. rows .. "\n"))))
    end
  end)

  it("refuses a secret where nobody could keep it, without repeating it", function()
    local texts, message =
      problems_of({ { name = "Acme", client_secret = "canary-secret" } }, false)
    assert.same(
      { "1: client_secret must be a reference, env:NAME or file:PATH: it is kept nowhere" }, texts)
    assert.not_matches("canary", message)
  end)

  it("takes what begins as a reference and is none for a mistake, not for a secret", function()
    for _, text in ipairs { "env:", "env:TWO-WORDS", "env: SECRET", "file:" } do
      assert.same({ "1: client_secret must be env:NAME, with a variable's name, or file:PATH" },
        (problems_of { { name = "Acme", client_secret = text } }))
    end
  end)

  it("reports what the function of a file raises as a problem of the file", function()
    local texts, message = problems_of(file("lua", "local i = 0\nreturn function()\n  i = i + 1\n"
      .. "  if i == 2 then error 'oh' end\n  return { name = 'Acme', nme = 1 }\nend"))
    assert.equal('1: unknown field "nme", did you mean "name"?', texts[1])
    assert.matches("^2: .*%.lua:4: oh$", texts[2])
    assert.equal(2, #texts)
    assert.matches("%.lua: customer 1: ", message)
  end)

  it("keeps 12,000 customers in less than 6 MB", function()
    local number = 0
    collectgarbage()
    local before = collectgarbage "count"
    local source = sources.open(function()
      number = number + 1
      if number > 12000 then return nil end
      return { name = ("Acme %d Corporation"):format(number),
        sso_domain = ("acme%d.com"):format(number), users = {
          { email = ("jane@acme%d.com"):format(number), roles = { "Admin" }, api_key = true } } }
    end)
    local store = assert(customers.read(client, source, true))
    collectgarbage()
    local used = (collectgarbage "count" - before) / 1024
    assert.equal(12000, store.count)
    assert.equal("Acme 7777 Corporation", store:get(store:index_of "Acme 7777 Corporation").name)
    assert.is_true(used < 6, used)
  end)
end)
