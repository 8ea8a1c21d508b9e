-- The catalogue of operations: its facts, what is generated from them, and the generator's
-- refusals.
-- Luas: 5.4
local cjson = require "cjson"
local process = require "spec.support.process"

local CATALOGUE = "csrc/catalogue"
local OUTPUTS = {
  ["csrc/api/operations_data.c"] = "write_c",
  ["docs/operations.md"] = "write_docs",
  ["library/polytomic.lua"] = "write_library",
  ["lua/polytomic/cli/arrays.lua"] = "write_arrays",
  ["lua/polytomic/cli/descriptions.lua"] = "write_descriptions",
  ["lua/polytomic/sandbox/data/catalogue.lua"] = "write_sandbox",
  ["lua/polytomic/statuses.lua"] = "write_statuses",
}

local catalogue = dofile(CATALOGUE .. "/model.lua")

local function render(writer, model)
  return dofile(CATALOGUE .. "/" .. writer .. ".lua").render(model, catalogue.sorted_keys,
    CATALOGUE)
end

local function contains(text, part) return text:find(part, 1, true) ~= nil end

local function names(list)
  local result = {}
  for i, item in ipairs(list) do result[i] = item.name end
  return result
end

local function field_of(fields, name)
  for _, field in ipairs(fields) do
    if field.name == name then return field end
  end
end

local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end

-- The exit status of a command, on every Lua, with its standard error.
local function run(command)
  local captured = os.tmpname()
  local a, _, code = os.execute(command .. " 2>" .. captured)
  local message = process.contents(captured)
  os.remove(captured)
  if type(a) == "number" then return math.floor(a / 256), message end
  return code, message
end

local function temporary_directory()
  local path = os.tmpname()
  os.remove(path)
  assert.equal(0, (run("mkdir " .. path)))
  return path
end

describe("the catalogue", function()
  local raw_operations = cjson.decode(process.contents(CATALOGUE .. "/operations.json"))
  local raw_schemas = cjson.decode(process.contents(CATALOGUE .. "/schemas.json"))
  local model = catalogue.load(CATALOGUE)

  it("knows every operation and schema of the facts, and what every schema is", function()
    local count = 0
    for name, schema in pairs(raw_schemas) do
      count = count + 1
      assert.not_equal("unresolved", schema.kind, name)
    end
    assert.is_true(#raw_operations > 0 and count > 0)
    assert.equal(#raw_operations, #model.operations)
    assert.equal(count, #model.schemas)
  end)

  it("names every operation once, in byte order", function()
    for i = 2, #model.operations do
      assert.is_true(model.operations[i - 1].name < model.operations[i].name,
        model.operations[i].name)
    end
  end)

  it("holds the seventeen operations of the organization and user pages", function()
    local expected = {
      get_current_org = "GET /api/organization user",
      list_orgs = "GET /api/organizations partner",
      create_org = "POST /api/organizations partner",
      get_org = "GET /api/organizations/{id} partner",
      update_org = "PUT /api/organizations/{id} partner",
      delete_org = "DELETE /api/organizations/{id} partner",
      list_current_org_users = "GET /api/organization/users user",
      create_current_org_user = "POST /api/organization/users user",
      get_current_org_user = "GET /api/organization/users/{id} user",
      update_current_org_user = "PUT /api/organization/users/{id} user",
      delete_current_org_user = "DELETE /api/organization/users/{id} user",
      list_users = "GET /api/organizations/{org_id}/users partner",
      create_user = "POST /api/organizations/{org_id}/users partner",
      get_user = "GET /api/organizations/{org_id}/users/{id} partner",
      update_user = "PUT /api/organizations/{org_id}/users/{id} partner",
      delete_user = "DELETE /api/organizations/{org_id}/users/{id} partner",
      create_user_api_key = "POST /api/organizations/{org_id}/users/{id}/keys partner",
    }
    for name, call in pairs(expected) do
      local op = assert(model.operations_by_name[name], name)
      assert.equal(call, op.method .. " " .. op.path .. " " .. op.auth)
    end
  end)

  it("puts path fields first, then query, then body", function()
    local order = { path = 1, query = 2, body = 3 }
    for _, op in ipairs(model.operations) do
      for i = 2, #op.fields do
        assert.is_true(order[op.fields[i - 1].location] <= order[op.fields[i].location], op.name)
      end
    end
    assert.same({ "org_id", "id", "force" },
      names(model.operations_by_name.create_user_api_key.fields))
  end)

  it("marks every field named like a secret as write-only", function()
    local function check(owner, fields)
      for _, field in ipairs(fields) do
        local name = field.name
        if field.type.kind == "string"
            and (name:find "secret" or name:find "pass" or name == "token") then
          assert.is_true(field.secret, owner .. "." .. name)
        end
      end
    end
    for _, op in ipairs(model.operations) do check(op.name, op.fields) end
    assert.is_true(field_of(model.operations_by_name.create_connection.fields,
      "configuration").secret)
  end)

  it("carries the rules of role_ids for users only", function()
    for _, name in ipairs { "create_user", "update_user", "create_current_org_user",
        "update_current_org_user" } do
      local fields = model.operations_by_name[name].fields
      assert.is_true(field_of(fields, "role_ids").not_empty, name)
      assert.equal("role_ids", field_of(fields, "role").excludes)
    end
    assert.is_false(field_of(model.schemas_by_name.PolicyAction.members, "role_ids").not_empty)
  end)

  it("knows how each list goes on and where its items are", function()
    local function pages(name) return model.operations_by_name[name].pagination end
    assert.equal("none", pages("list_orgs").kind)
    assert.equal("data", pages("list_orgs").items_field)
    assert.equal("pagination.next_page_token", pages("list_syncs").response_field)
    assert.equal("data.entries", pages("get_sync_execution_console_logs").items_field)
    assert.equal("links.previous", pages("get_query").previous_field)
    assert.equal("ending_before", pages("list_events").window_end_field)
    assert.is_nil(pages("create_org").items_field)
  end)

  it("takes page_token and limit where the API describes them in prose only", function()
    for _, name in ipairs { "list_models", "list_bulk_syncs" } do
      local op = model.operations_by_name[name]
      assert.equal("token", op.pagination.kind)
      assert.equal("query", field_of(op.fields, "page_token").location)
      assert.is_false(field_of(op.fields, "limit").required)
    end
  end)

  it("asks for compression where a reply can be long, and only there", function()
    for _, name in ipairs {
      "list_orgs", "list_events", "list_event_types", "get_query", "sample_model", "preview_model",
      "get_schema", "get_schema_records", "list_bulk_sync_schemas", "get_bulk_sync_source",
      "list_sync_source_fields", "list_sync_target_fields", "get_sync_execution_console_logs",
      "get_job", "call_connection_proxy", "search_operations", "get_connection_type_schema",
    } do
      assert.is_true(model.operations_by_name[name].long_reply, name)
    end
    for _, name in ipairs {
      "create_org", "get_org", "update_org", "delete_org", "create_user", "get_user",
      "update_user", "create_user_api_key", "get_current_org", "get_identity", "start_sync",
      "get_harbor", "get_sync_execution", "create_webhook", "refresh_schemas",
      "get_sync_execution_logs",
    } do
      assert.is_false(model.operations_by_name[name].long_reply, name)
    end
  end)

  it("says which answers are lists, by their schema before their name", function()
    assert.is_true(model.operations_by_name.list_orgs.is_list)
    assert.is_true(model.operations_by_name.list_harbor_keys.is_list)
    assert.is_true(model.operations_by_name.patch_bulk_sync_schemas.is_list)
    assert.is_false(model.operations_by_name.list_sync_target_fields.is_list)
    assert.is_false(model.operations_by_name.get_org.is_list)
  end)

  it("sends `{}` where a body without fields is declared, and none where none is", function()
    assert.is_true(model.operations_by_name.run_query.has_body)
    assert.is_false(model.operations_by_name.cancel_bulk_sync.has_body)
  end)

  describe("in its generated files", function()
    for path, writer in pairs(OUTPUTS) do
      it("has " .. path .. " exactly as the facts give it", function()
        assert.is_true(process.contents(path) == render(writer, model),
          path .. " is stale: run lua5.4 csrc/catalogue/generate.lua")
      end)
    end

    it("has every operation in the C table, sorted", function()
      local in_table = {}
      local text = process.contents "csrc/api/operations_data.c"
      local start = assert(text:find("const pt_operation pt_operations[]", 1, true))
      for name in text:sub(start):gmatch '\n    %.name = "([%w_]+)"' do
        in_table[#in_table + 1] = name
      end
      local expected = names(raw_operations)
      table.sort(expected)
      assert.same(expected, in_table)
    end)

    it("has every operation in the reference, with its call", function()
      local text = process.contents "docs/operations.md"
      for _, op in ipairs(raw_operations) do
        assert.is_true(contains(text, "\n### " .. op.name .. "\n"), op.name)
        assert.is_true(contains(text, "`" .. op.method .. " " .. op.path .. "`"), op.name)
      end
    end)

    it("has no broken link in the reference", function()
      local text = process.contents "docs/operations.md"
      local anchors = {}
      for title in text:gmatch "\n#+ ([^\n]+)" do
        local anchor = title:lower():gsub("[^%w%- _]", ""):gsub(" ", "-")
        assert.is_nil(anchors[anchor], "two headings " .. title)
        anchors[anchor] = true
      end
      for target in text:gmatch "%]%(#([^)]*)%)" do assert.is_true(anchors[target], target) end
    end)

    it("has types that load as Lua: a method, a function, arguments per operation", function()
      assert.is_function(loadfile "library/polytomic.lua")
      local text = process.contents "library/polytomic.lua"
      for _, op in ipairs(raw_operations) do
        assert.is_true(contains(text,
          "\nfunction Client:" .. op.name .. "(arguments, options) end\n"), op.name)
        assert.is_true(contains(text, "\nfunction M." .. op.name .. "(arguments, options) end\n"),
          op.name)
        assert.is_true(contains(text, "\n---@class polytomic.arguments." .. op.name .. "\n"),
          op.name)
      end
    end)

    it("has a type for every schema", function()
      local text = process.contents "library/polytomic.lua"
      for name, schema in pairs(raw_schemas) do
        local class = "\n---@class polytomic." .. name .. "\n"
        local alias = "\n---@alias polytomic." .. name
        local plain = schema.kind == "enum" or schema.kind == "union" or schema.kind == "alias"
        assert.is_true(contains(text, plain and alias or class), name)
      end
    end)

    it("counts a member as an array only where every schema has it as one", function()
      local arrays = dofile "lua/polytomic/cli/arrays.lua"
      assert.is_true(arrays.role_ids)
      assert.is_nil(arrays.data)
      assert.is_nil(arrays.name)
    end)

    it("refers to no type that the types do not define", function()
      local text = process.contents "library/polytomic.lua"
      local defined = {}
      for name in text:gmatch "%-%-%-@class (polytomic[%w_.]*)" do defined[name] = true end
      for name in text:gmatch "%-%-%-@alias (polytomic[%w_.]*)" do defined[name] = true end
      for line in text:gmatch "%-%-%-[@|][^\n]*" do
        for name in line:gmatch "polytomic%.[%w_.]+%w" do
          assert.is_true(defined[name] or contains(line, "https://"), name .. " in " .. line)
        end
      end
    end)
  end)
end)

describe("the catalogue's generator", function()
  local directory

  before_each(function() directory = temporary_directory() end)
  after_each(function() assert.equal(0, (run("rm -r " .. directory))) end)

  local function generate(arguments)
    return run(interpreter() .. " " .. CATALOGUE .. "/generate.lua " .. arguments)
  end

  it("finds its own files fresh, and names the one that was changed", function()
    assert.equal(0, (generate(directory)))
    assert.equal(0, (generate("--check " .. directory)))
    process.write(directory .. "/operations.md", "changed")
    local status, message = generate("--check " .. directory)
    assert.equal(1, status)
    assert.is_true(contains(message, "stale: docs/operations.md"))
    assert.is_false(contains(message, "operations_data.c"))
    assert.equal("changed", process.contents(directory .. "/operations.md"))
  end)

  it("keeps only the named operations when asked", function()
    assert.equal(0, (generate("--only list_orgs,create_org " .. directory)))
    local found, text = {}, process.contents(directory .. "/operations_data.c")
    for name in text:gmatch '\n    %.name = "([%w_]+)"' do found[#found + 1] = name end
    assert.same({ "create_org", "list_orgs" }, found)
  end)

  it("refuses unknown options and operations, and --only over the committed files", function()
    assert.equal(2, (generate "--nonsense"))
    assert.not_equal(0, (generate("--only no_such_operation " .. directory)))
    assert.equal(2, (generate "--only create_org"))
  end)

  local function overlay(secret)
    return '{"formats":{},"patched_by":{},"secret":['
      .. secret
      .. '],"not_empty":[],"excludes":{},"open_schemas":[],"secret_replies":[],"long_replies":[],'
      .. '"items":{},"goes_on":{},"finished_when":{},"descriptions":{},"body_fields":{}}'
  end

  local function facts(schemas, operation, secret)
    process.write(directory .. "/schemas.json", schemas)
    process.write(directory .. "/operations.json", "[" .. operation .. "]")
    process.write(directory .. "/overlay.json", overlay(secret or ""))
    process.write(directory .. "/statuses.json", '{"polling":[]}')
    process.write(directory .. "/secret_replies.json", '{"replies":[]}')
    return catalogue.load(directory)
  end

  local PLANT = [[{"name":"plant","id":"trees.plant","family":["trees"],"method":"POST",
    "path":"/api/trees","auth":"user","summary":"Plant","since":"1","envelope":false,
    "success_status":200,"body":[{"name":"root","type":"Tree"}]}]]
  local TREE = '{"Tree":{"kind":"object","fields":[{"name":"branches","type":"array<Tree>"}]}}'

  it("writes a schema that holds itself, declared before it is used", function()
    local text = render("write_c", facts(TREE, PLANT)):gsub("%s+", " ")
    local declared = assert(text:find("static const pt_type type_tree;", 1, true))
    local used = assert(text:find("&type_tree", 1, true))
    assert.is_true(declared < used)
    assert.is_true(contains(text, '.name = "Tree", .fields = members_tree, .field_count = 1'))
    assert.is_true(contains(render("write_docs", facts(TREE, PLANT)),
      "array of [Tree](#tree-type)"))
  end)

  it("refuses an overlay that names what is not there", function()
    assert.has_error(function() facts(TREE, PLANT, '"plant.seed"') end,
      "overlay.json: secret names an unknown field plant.seed")
  end)

  it("refuses a type that no schema explains", function()
    assert.has_error(function() facts("{}", PLANT) end, "unknown type Tree")
  end)

  it("refuses a path whose fields are not declared", function()
    assert.has_error(function() facts(TREE, (PLANT:gsub("/api/trees", "/api/trees/{id}"))) end,
      "plant: path and fields differ at id")
  end)
end)
