-- What the command prints: tables, JSON, JSON lines and CSV, in pipes and on terminals.
-- Luas: 5.4 5.1

local cjson = require "cjson"
local command = require "spec.support.command"
local contains = require("spec.support.text").contains
local lacks = require("spec.support.text").lacks
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"
local terminal = require "polytomic.terminal"

local run, on_terminal = command.run, command.on_terminal

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

local function create(name, settings)
  local body = { name = name }
  for key, value in pairs(settings or {}) do body[key] = value end
  local status, reply = sandbox:request("POST", "/api/organizations", body)
  assert(status == 200, status)
  return reply.data.id
end

describe("the command's output", function()
  local acme

  before_each(function()
    sandbox:reset()
    acme = create("Acme", { sso_domain = "acme.com" })
  end)

  describe("in a pipe", function()
    it("is one line of JSON unless another format is asked for", function()
      local status, out = run { "list_orgs" }
      assert.equal(0, status)
      assert.equal(1, #lines_of(out))
      assert.equal(2, #cjson.decode(out))
    end)

    it("is a line per item as JSON lines", function()
      local _, out = run { "list_orgs", "-o", "jsonl" }
      local lines = lines_of(out)
      assert.equal(2, #lines)
      assert.equal("Acme", cjson.decode(lines[2]).name)
    end)

    it("is CSV with every documented column, whatever the data has", function()
      local _, out = run { "list_orgs", "--output=csv" }
      local lines = lines_of(out)
      assert.equal("id,name,issuer,sso_domain,sso_org_id", lines[1])
      assert.equal(acme .. ",Acme,,acme.com,", lines[3])
    end)

    it("is a header alone for an empty list as CSV", function()
      local _, out = run { "list_users", "org_id=" .. acme, "-o", "csv" }
      assert.equal(1, #lines_of(out))
      assert.truthy(out:find "^id,")
    end)

    it("has the fields that are asked for, in their order, in every format", function()
      local function fields(format)
        return select(2, run { "get_org", "id=" .. acme, "--fields", "name,id", "-o", format })
      end
      assert.equal(('{"name":"Acme","id":"%s"}\n'):format(acme), fields "json")
      assert.equal(('{"name":"Acme","id":"%s"}\n'):format(acme), fields "jsonl")
      assert.equal(("name,id\nAcme,%s\n"):format(acme), fields "csv")
      assert.equal(("name  Acme\nid    %s\n"):format(acme), fields "table")
    end)

    it("gives null for a documented field that is not there", function()
      local _, out = run { "get_org", "id=" .. acme, "--fields=issuer" }
      assert.equal('{"issuer":null}\n', out)
    end)

    it("cuts nothing and colours nothing in a table", function()
      local long = ("x"):rep(300)
      create(long)
      local _, out = run({ "list_orgs", "-o", "table" }, { env = { COLUMNS = "40" } })
      contains(out, long)
      lacks(out, "\27")
    end)

    it("keeps JSON as the server sent it, control characters escaped as JSON has it", function()
      local name = "a\226\128\174b\194\155c"
      create(name)
      local _, out = run { "list_orgs" }
      contains(out, name)
    end)
  end)

  describe("as CSV", function()
    local formulas = { "=1+1", "+1+1", "-1+1", "@SUM(A1)", "＝1", "=HYPERLINK(\"http://x\")" }

    for _, formula in ipairs(formulas) do
      it("marks " .. formula .. " as text, and with --csv-raw does not", function()
        local id = create(formula)
        local quoted = formula:find('"', 1, true) and formula:gsub('"', '""') or formula
        local function cell(...)
          local _, out = run { "get_org", "id=" .. id, "--fields", "name", ... }
          return lines_of(out)[2]
        end
        local guarded, raw = cell("-o", "csv"), cell "--csv-raw"
        contains(guarded, "'" .. quoted)
        lacks(raw, "'")
        contains(raw, quoted)
      end)
    end

    it("leaves numbers and words with such signs inside alone", function()
      local csv = require "polytomic.cli.csv"
      local item = { a = -5, b = "-5.25", c = "a=b", d = "" }
      local text = csv.list({ "a", "b", "c", "d" }):items { item }
      assert.equal("a,b,c,d\n-5,-5.25,a=b,\n", text)
    end)

    it("quotes commas, quotes and line breaks, and writes lists as JSON", function()
      local csv = require "polytomic.cli.csv"
      local text = csv.list({ "a", "b" }):items { { a = 'x,"y"\nz', b = { "p", "q" } } }
      assert.equal('a,b\n"x,""y""\nz","[""p"",""q""]"\n', text)
    end)

    it("says which members came too late for a column", function()
      local csv = require "polytomic.cli.csv"
      local rows = csv.list()
      rows:items { { a = 1 } }
      rows:items { { a = 2, b = 3 } }
      contains(rows:remark(), "no column for b")
    end)
  end)

  describe("on a terminal", function()
    it("is a table, a line per item under a header", function()
      local status, out = on_terminal({ "list_orgs" }, { env = { NO_COLOR = "1" } })
      assert.equal(0, status)
      local lines = lines_of(out)
      assert.truthy(lines[1]:find "^id +name +sso_domain")
      assert.truthy(lines[3]:find("^" .. acme:gsub("%-", "%%-") .. "  Acme +acme%.com"))
    end)

    it("is a line per field for one object", function()
      local _, out = on_terminal({ "get_org", "id=" .. acme }, { env = { NO_COLOR = "1" } })
      assert.equal(("id          %s\nname        Acme\nsso_domain  acme.com\n"):format(acme), out)
    end)

    it("is coloured, except with NO_COLOR and on a dumb terminal", function()
      local words = { "list_orgs" }
      contains(select(2, on_terminal(words)), "\27[1m")
      for _, env in ipairs { { NO_COLOR = "1" }, { TERM = "dumb" } } do
        lacks(select(2, on_terminal(words, { env = env })), "\27")
      end
    end)

    it("takes an empty NO_COLOR for none", function()
      local _, out = on_terminal({ "list_orgs" }, { env = { NO_COLOR = "" } })
      contains(out, "\27[1m")
    end)

    for _, columns in ipairs { 20, 40, 80, 200 } do
      it(("keeps to %d columns, whatever the data holds"):format(columns), function()
        create("東京都庁" .. ("長い名前"):rep(20), { sso_domain = ("long-domain."):rep(20) .. "com" })
        create("\27[31mred\27]0;title\7 \226\128\174 evil")
        for _, words in ipairs { { "list_orgs" }, { "list_orgs", "--all" } } do
          local status, out = on_terminal(words, { columns = columns })
          assert.equal(0, status)
          local plain = command.plain(out)
          assert.is_nil(plain:find "[\27\7]")
          lacks(plain, "\226\128\174")
          for _, line in ipairs(lines_of(plain)) do
            if not line:find "^note:" then
              assert.is_true(terminal.width(line) <= columns, line)
            end
          end
        end
      end)
    end

    it("shows more on a wider terminal, whole ids first", function()
      create(("n"):rep(100))
      local narrow = command.plain(select(2, on_terminal({ "list_orgs" }, { columns = 60 })))
      contains(narrow, acme)
      contains(narrow, "n…")
      local wide = command.plain(select(2, on_terminal({ "list_orgs" }, { columns = 200 })))
      contains(wide, ("n"):rep(59))
    end)

    it("never cuts a key, which is shown only once", function()
      local user = select(2, sandbox:request(
        "POST", "/api/organizations/" .. acme .. "/users", { email = "jane@acme.com" }
      )).data.id
      local _, out = on_terminal({ "create_user_api_key", "org_id=" .. acme, "id=" .. user },
        { columns = 20, env = { NO_COLOR = "1" } })
      assert.truthy(out:gsub("\n", ""):find "value  sandbox_user_%x+")
    end)

    it("escapes in CSV what is unfit for a terminal, and there alone", function()
      local name = 'a\27[31mb\226\128\174c\n"d"'
      local id = create(name)
      for _, option in ipairs { "--output=csv", "--csv-raw" } do
        local words = { "get_org", "id=" .. id, "--fields", "name", option }
        local _, out = on_terminal(words, {})
        assert.equal('name\n"a\\x1b[31mb\\u{202e}c\n""d"""\n', out)
        _, out = run(words)
        contains(out, "a\27[31mb\226\128\174c\n")
      end
    end)

    it("escapes in JSON what is unfit for a terminal, and it is still JSON", function()
      local name = "a\226\128\174b\194\155c\240\159\145\141"
      local id = create(name)
      local _, out = on_terminal({ "get_org", "id=" .. id, "--raw" }, {})
      contains(out, "a\\u202eb\\u009bc\240\159\145\141")
      assert.equal(name, cjson.decode(out).name)
    end)
  end)

  describe("refusing what contradicts itself, with 2 and before anything is sent", function()
    local cases = {
      { "an unknown format", { "list_orgs", "-o", "xml" }, "must be one of 'table'" },
      { "an unknown field", { "list_orgs", "--fields", "nmae" }, "did you mean 'name'?" },
      { "no field at all", { "list_orgs", "--fields", "," }, "--fields names nothing" },
      { "--raw with CSV", { "list_orgs", "--raw", "-o", "csv" }, "--raw prints JSON" },
      { "--csv-raw with JSON", { "list_orgs", "--csv-raw", "-o", "json" }, "--csv-raw is for" },
      { "--all for a single object", { "get_org", "id=x", "--all" }, "--all is for lists" },
      { "an unknown field of find_org", { "find_org", "name=x", "--fields", "nmae" }, "'name'" },
    }
    for _, case in ipairs(cases) do
      it("refuses " .. case[1], function()
        local before = #sandbox:requests()
        local status, out, err = run(case[2])
        assert.same({ 2, "" }, { status, out })
        contains(err, case[3])
        assert.equal(before, #sandbox:requests())
      end)
    end
  end)

  describe("of lists that go on", function()
    before_each(function()
      sandbox:seed { operation = "list_syncs", organization = acme, count = 25 }
    end)

    local function list(...)
      return { "list_syncs", "--organization", acme, ... }
    end

    it("names --all and the token on standard error", function()
      local status, out, err = run(list "limit=10")
      assert.equal(0, status)
      assert.equal(10, #cjson.decode(out))
      local token = assert(err:match "%-%-all gives all of it, page_token=(%S+) the next page")
      local _, rest = run(list("limit=10", "page_token=" .. token))
      assert.equal(10, #cjson.decode(rest))
      assert.are_not.equal(out, rest)
    end)

    it("says nothing where the list ends", function()
      local _, _, err = run(list "limit=50")
      assert.equal("", err)
    end)

    for format, count in pairs {
      json = function(out) return #cjson.decode(out) end,
      jsonl = function(out) return #lines_of(out) end,
      csv = function(out) return #lines_of(out) - 1 end,
      table = function(out) return #lines_of(out) - 1 end,
    } do
      it("gives every item with --all as " .. format, function()
        local status, out, err = run(list("--all", "limit=10", "-o", format))
        assert.same({ 0, "" }, { status, err })
        assert.equal(25, count(out))
      end)
    end

    it("keeps the columns of the first page", function()
      local _, out = run(list("--all", "limit=10", "--fields", "id,name", "-o", "csv"))
      for _, line in ipairs(lines_of(out)) do assert.truthy(line:find "^[^,]+,[^,]*$") end
    end)

    it("ends in valid JSON and says where to go on when a page fails", function()
      sandbox:faults { { operation = "list_syncs", fault = "status", status = 404, after = 1 } }
      local status, out, err = run(list("--all", "limit=10"))
      assert.equal(4, status)
      assert.equal(10, #cjson.decode(out))
      contains(err, "resume with page_token")
    end)

    it("ends quietly when nobody reads on", function()
      local line = command.line(list("--all", "limit=1", "-o", "jsonl"))
      local status, out, err = process.run(
        { "bash", "-c", line .. " | head -n 2; echo ${PIPESTATUS[0]}" },
        { env = command.environment() }
      )
      assert.equal(0, status)
      assert.equal("", err)
      local lines = lines_of(out)
      assert.truthy(lines[3] == "141" or lines[3] == "0", lines[3])
    end)

    it("ends as quietly where SIGPIPE is ignored", function()
      local line = command.line(list("--all", "limit=1", "-o", "jsonl"))
      local _, out, err = process.run(
        { "bash", "-c", "trap '' PIPE; " .. line .. " | head -n 2; echo ${PIPESTATUS[0]}" },
        { env = command.environment() }
      )
      assert.equal("", err)
      local lines = lines_of(out)
      assert.truthy(lines[3] == "141" or lines[3] == "0", lines[3])
    end)

    it("shows progress on a terminal when the result goes to a file", function()
      local file = process.temporary_file()
      local status, out =
        on_terminal(list("--all", "limit=5"), { after = ">" .. process.quote(file) })
      assert.equal(0, status)
      assert.truthy(out:find "\rlist_syncs: 10 items, 2 pages")
      assert.equal(25, #cjson.decode(process.contents(file)))
    end)
  end)
end)
