-- What the facts say of operations and their arguments, and whether docs, types, the command line's
-- help and the library's own table all say it: they are read as text, not made anew.

local cli = require "polytomic.cli"
local core = require "polytomic.core"
local descriptions = require "polytomic.cli.descriptions"
local facts = require "spec.support.facts"
local process = require "spec.support.process"
local types = require "spec.support.types"

local DOCS = process.contents "docs/operations.md"
local PLACES = { { "path_params", "path" }, { "query_params", "query" }, { "body", "body" } }

-- As one line, without what sets the text in type or breaks it into lines.
local function plain(text)
  return (text:gsub("\27%[[%d;]*m", ""):gsub("%s+", " "))
end

local function contains(text, part) return text:find(part, 1, true) ~= nil end

-- What an argument means: its own page says it, or else the overlay.
local function meaning(operation, field)
  local given = facts.overlay.descriptions
  return field.description or given[operation.name .. "." .. field.name]
    or given["*." .. field.name]
end

-- Side effects and rules of an operation.
local function note_of(operation)
  local pages = operation.pagination
  if not pages or pages.kind ~= "page_token_prose_only" then return operation.note end
  local prose = "page_token and limit are described in prose only"
  return operation.note and operation.note .. "; " .. prose or prose
end

-- Every argument of an operation: { name =, place =, required =, description =, values = }.
local function arguments_of(operation)
  local list = {}
  for _, place in ipairs(PLACES) do
    for _, field in ipairs(operation[place[1]] or {}) do
      local inner = field.type
      while inner:find "^array<" or inner:find "^map<" do inner = inner:match "^%a+<(.+)>$" end
      local values = facts.schemas[inner] and facts.schemas[inner].values
      if inner:find "^enum<" then
        values = {}
        for value in inner:sub(6, -2):gmatch "[^|]+" do values[#values + 1] = value end
      end
      list[#list + 1] = {
        name = field.name, place = place[2], required = field.required or place[2] == "path",
        description = meaning(operation, field), values = values,
      }
    end
  end
  return list
end

-- ---- docs ----

local sections = {} -- by their headings
for section in (DOCS:gsub("\n##", "\0\n##") .. "\0"):gmatch "\n### (%Z+)" do
  sections[section:match "^[^\n]+"] = section:match "\n.*$"
end

local function docs_of(heading)
  return assert(sections[heading], heading .. " is not in the docs")
end

-- The text of an argument in the docs, without those of its members.
local function docs_item(section, argument)
  local marked = "`" .. argument.name .. "`"
  if argument.required then marked = "**" .. marked .. "**" end
  local start = ("\n" .. section):find("\n- " .. marked .. " (" .. argument.place, 1, true)
  assert(start, argument.name .. " is not in the docs")
  local item = ("\n" .. section .. "\n\n"):sub(start + 1)
  return plain(item:match "^(.-)\n *%- " and item:match "^(.-)\n *%- " or item:match "^(.-)\n\n")
end

-- ---- types ----

-- The description above each field of an arguments class, by name; "" where there is none.
local function types_of(name)
  local fields, above = {}, {}
  for line in types.classes["polytomic.arguments." .. name]:gmatch "[^\n]+" do
    local field = line:match '^%-%-%-@field ([%w_]+)%??' or line:match '^%-%-%-@field %["([^"]+)"%]'
    if field then
      fields[field] = { text = table.concat(above, " "), line = line }
      above = {}
    elseif line:find "^%-%-%-|" then
      local last = fields[#fields]
      if last then last.line = last.line .. line end
    else
      above[#above + 1] = line:sub(4)
    end
  end
  return fields
end

-- The comment of the method of a client, and that of the function of the module.
local function comments_of(name)
  local comments = {}
  for index, signature in ipairs { "function Client:" .. name, "function M." .. name } do
    comments[index] = plain((types.annotations[signature]:gsub("\n%-%-%-", " ")))
  end
  return comments
end

-- ---- help ----

local function help_of(name)
  return plain(cli.help_of(assert(cli.find(name))))
end

describe("What is said of", function()
  local described, all = 0, 0

  for _, operation in ipairs(facts.operations) do
    local arguments = arguments_of(operation)

    it(operation.name .. " is said in docs, types, help and table alike", function()
      local section, in_types = docs_of(operation.name), types_of(operation.name)
      local known = descriptions.operations[operation.name]
      local help = help_of(operation.name)
      local table_entry = core.describe(operation.name)
      local in_table, in_help = {}, {}
      for _, argument in ipairs(table_entry.arguments) do in_table[argument.name] = argument end
      for _, argument in ipairs(known.arguments) do in_help[argument.name] = argument end

      assert.is_true(contains(plain(section), operation.summary .. "."))
      local comments = comments_of(operation.name)
      for _, text in ipairs(comments) do assert.is_true(contains(text, operation.summary)) end
      assert.equal(operation.summary, known.summary:sub(1, #operation.summary))
      assert.is_true(contains(help, operation.summary:sub(2)))
      local note = note_of(operation)
      assert.equal(note, known.note)
      if note then
        assert.is_true(contains(plain(section), "Note: " .. note .. "."))
        for _, text in ipairs(comments) do assert.is_true(contains(text, "Note: " .. note)) end
        assert.is_true(contains(help, note:sub(2)))
      end

      for _, argument in ipairs(arguments) do
        local name, text = argument.name, argument.description
        all = all + 1
        local item = docs_item(section, argument)
        assert.is_true(contains(help, " " .. name .. " "), name .. " is not in the help")
        assert.equal(argument.required, in_table[name].required or false, name)
        assert.equal(argument.required, in_help[name].required or false, name)
        assert.equal(argument.place, in_table[name].location)
        assert.equal(text or "", in_types[name].text)
        assert.equal(text, in_help[name].description)
        if text then
          described = described + 1
          assert.is_true(contains(item, ": " .. text), name .. " has another meaning in the docs")
          assert.is_true(contains(help, text), name .. " has another meaning in the help")
        end
        if argument.values then assert.same(argument.values, in_help[name].values) end
        for _, value in ipairs(argument.values or {}) do
          assert.is_true(contains(item, "`" .. value .. "`"), name .. " lacks " .. value)
        end
      end
    end)
  end

  it("arguments is nearly always something", function()
    assert.is_true(all >= 607 and described / all > 0.9, described .. " of " .. all)
  end)

  it("the members of types is said in docs, types and help alike", function()
    for name, schema in pairs(facts.schemas) do
      local section, lines = sections[name .. " (type)"], types.classes["polytomic." .. name]
      local known = descriptions.types[name]
      for index, field in ipairs(schema.fields or {}) do
        local text = field.description
        if known then
          local member = known.fields[index]
          assert.same({ field.name, text }, { member.name, member.description })
        end
        if text then
          assert.is_true(contains(plain(lines:gsub("\n%-%-%-", " ")), text), name)
          if section then assert.is_true(contains(plain(section), ": " .. text), name) end
        end
      end
      if known and schema.values then assert.same(schema.values, known.values) end
      if known then assert.is_true(contains(DOCS, "](#" .. known.anchor .. ")")) end
    end
  end)

  it("a long enumeration is cut in the help, and complete in docs and types", function()
    local values = facts.schemas.FilterFunction.values
    local help, last = help_of "create_sync", values[#values]
    assert.is_true(#values > 12)
    assert.is_true(contains(help, values[1] .. ", " .. values[2]))
    local place = "(" .. #values .. ", see docs/operations.md#filterfunction-type)"
    assert.is_true(contains(help, place))
    assert.is_false(contains(help, last))
    assert.is_true(contains(docs_of "FilterFunction (type)", "`" .. last .. "`"))
    assert.is_true(contains(types.text, '\n---| "' .. last .. '"\n'))
  end)

  it("an object's members is one level deep in the help, with a link to its type", function()
    local help = help_of "create_bulk_sync"
    local anchor = "docs/operations.md#bulksyncdefaultschedulerequest-type"
    assert.is_true(contains(help, "Members of default_schedule (BulkSyncDefaultScheduleRequest"))
    assert.is_true(contains(help, anchor))
    assert.is_true(contains(help, " day_of_month "))
  end)

  it("a reply that holds a secret says so", function()
    for _, name in ipairs(facts.overlay.secret_replies) do
      assert.is_true(contains(plain(docs_of(name)), "The reply holds a secret ("), name)
      assert.is_true(#descriptions.operations[name].secrets > 0, name)
    end
  end)

  it("errors is said only where some are documented", function()
    for _, operation in ipairs(facts.operations) do
      local statuses = {}
      for i, status in ipairs(operation.error_statuses or {}) do
        statuses[i] = ("%d"):format(status)
      end
      local sentence = "Documented errors: " .. table.concat(statuses, ", ") .. "."
      local section = plain(docs_of(operation.name))
      assert.equal(#statuses > 0, contains(section, sentence), operation.name)
      assert.equal(#statuses > 0, contains(section, "Documented errors"), operation.name)
    end
  end)

  it("what costs most to learn afterwards is there before the call", function()
    local create_user = plain(docs_of "create_user")
    assert.is_true(contains(create_user, "sends an invitation e-mail to a real person"))
    assert.is_true(contains(create_user, "the roles take effect once it is accepted"))
    assert.is_true(contains(plain(docs_of "create_org"), "unique across the partner account"))
    for _, name in ipairs { "client_id", "client_secret", "issuer", "sso_domain", "sso_org_id" } do
      assert.truthy(types_of("create_org")[name].text ~= "", name)
    end
  end)
end)

describe("The descriptions", function()
  it("cost nothing to programs: the library does not load them", function()
    local _, out = process.run({
      process.interpreter(), "-e",
      'require "polytomic"; print(package.loaded["polytomic.cli.descriptions"], '
        .. 'package.loaded["polytomic.statuses"])',
    })
    assert.equal("nil\tnil\n", out)
  end)
end)
