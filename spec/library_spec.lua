-- library/polytomic.lua: what an editor shows exists, and everything that exists is in it.

local cjson = require("cjson").new()
local clients = require "spec.support.clients"
local core = require "polytomic.core"
local polytomic = require "polytomic"
local process = require "spec.support.process"
local types = require "spec.support.types"

local text = types.text

local function set_of(pattern, from)
  local set, count = {}, 0
  for name in (from or text):gmatch(pattern) do
    set[name] = (set[name] or 0) + 1
    count = count + 1
  end
  return set, count
end

-- The name of each field of a class, true where it may be absent; nil where there is no such class.
local function class(name)
  if not types.classes[name] then return nil end
  local fields = {}
  for line in types.classes[name]:gmatch "[^\n]+" do
    local field, optional = line:match '^%-%-%-@field ([%w_]+)(%??) '
    if not field then field, optional = line:match '^%-%-%-@field %["([^"]+)"%](%??) ' end
    if field then fields[field] = optional == "?" end
  end
  return fields
end

describe("library/sandbox.lua", function()
  local library = process.contents "library/sandbox.lua"
  local sandbox = require "polytomic.sandbox"

  it("names every function of the sandbox, and no other", function()
    local named = set_of("\nfunction M%.([%w_]+)%(", library)
    for name in pairs(named) do assert.is_function(sandbox[name], name) end
    for name, value in pairs(sandbox) do
      assert.truthy(named[name] or type(value) ~= "function", name)
    end
  end)

  it("has every option, and no other", function()
    local fields = library:match "@class polytomic%.sandbox%.Options\n(.-)\n\n"
    local named, count = set_of("@field ([%l_]+)%? ", fields)
    assert.is_true(count > 5)
    for name in pairs(named) do
      local ok, message = pcall(sandbox.start, { [name] = function() end })
      assert.is_false(ok)
      assert.matches(name .. " must be a ", message)
    end
    local source = process.contents "lua/polytomic/sandbox/init.lua"
    for name in source:match("option_types = (%b{})"):gmatch "([%l_]+) = \"" do
      assert.truthy(named[name], name)
    end
  end)

  it("has what a sandbox that was started tells", function()
    local child = assert(sandbox.start())
    local fields = library:match "@class polytomic%.sandbox%.Ready(.*)"
    local named = set_of("@field ([%l_]+)%?? ", fields)
    for name, value in pairs(child) do
      assert.truthy(named[name] or type(value) == "userdata", name)
    end
    assert.is_true(child:stop())
  end)
end)

describe("library/polytomic.lua", function()
  local client = polytomic.new {
    env = false,
    partner_key = "partner-key-of-specs",
    base_url = "http://127.0.0.1:1",
  }
  teardown(function() client:close() end)

  it("is Lua that can be loaded", function()
    local module = assert(loadfile "library/polytomic.lua")()
    assert.is_table(module)
    assert.is_function(module.create_org)
  end)

  it("names every method of a client once, and no other", function()
    local named = set_of "\nfunction Client:([%w_]+)%("
    for name, count in pairs(named) do
      assert.is_function(client[name], name)
      assert.equal(1, count, name)
    end
    for name in pairs(core.methods) do assert.truthy(named[name], name .. " is not named") end
  end)

  it("names every function of the module once, and no other", function()
    local named = set_of "\nfunction M%.([%w_]+)%("
    for name, count in pairs(named) do
      assert.is_function(polytomic[name], name)
      assert.equal(1, count, name)
    end
    for name, value in pairs(polytomic) do
      if type(value) == "function" then assert.truthy(named[name], name .. " is not named") end
    end
    local fields = class "polytomic"
    for name in pairs(fields) do assert.is_not_nil(polytomic[name], name) end
  end)

  it("names every method of calls, pages, responses and errors", function()
    local call = client:start("create_org", {})
    local _, _, err = client:create_org {}
    local objects = { Call = call, Pages = client:pages "list_orgs", Error = err, Response = err }
    for class_name, object in pairs(objects) do
      for name in pairs(set_of("\nfunction " .. class_name .. ":([%w_]+)%(")) do
        assert.is_function(object[name], class_name .. ":" .. name)
      end
    end
    local named = set_of "\nfunction Pages:([%w_]+)%("
    for name in pairs(objects.Pages) do assert.truthy(named[name], name) end
  end)

  it("defines every class and alias once, and every one that it names", function()
    local defined = {}
    for _, tag in ipairs { "class", "alias" } do
      for name, count in pairs((set_of("\n%-%-%-@" .. tag .. " (polytomic[%w_.]*)"))) do
        defined[name] = (defined[name] or 0) + count
      end
    end
    for name, count in pairs(defined) do assert.equal(1, count, name) end
    for line in text:gmatch "[^\n]+" do
      if line:find "^%-%-%-[@|]" then
        for name in line:gmatch "%f[%w.]polytomic%.%a[%w_.]*" do
          assert.truthy(defined[name], name .. " is named but not defined")
        end
      end
    end
  end)

  it("has a class or an alias for every schema", function()
    local schemas = cjson.decode(process.contents "csrc/catalogue/schemas.json")
    local classes, aliases =
      set_of "\n%-%-%-@class polytomic%.([%w.]+)", set_of "\n%-%-%-@alias polytomic%.([%w.]+)"
    for name in pairs(schemas) do assert.truthy(classes[name] or aliases[name], name) end
  end)

  it("has the arguments of every operation, required ones as such", function()
    for _, operation in ipairs(polytomic.operations) do
      local fields = assert(class("polytomic.arguments." .. operation.name), operation.name)
      for _, argument in ipairs(operation.arguments) do
        assert.equal(not argument.required, fields[argument.name],
          operation.name .. "." .. argument.name)
        fields[argument.name] = nil
      end
      assert.is_nil(next(fields), operation.name)
    end
  end)

  it("has arguments, options and three returns of every operation, client and module", function()
    for _, operation in ipairs(polytomic.operations) do
      for _, signature in ipairs { "function Client:" .. operation.name,
          "function M." .. operation.name } do
        local above = assert(types.annotations[signature], signature)
        assert.truthy(
          above:find("---@param arguments%?? polytomic%.arguments%." .. operation.name .. "\n"),
          signature
        )
        assert.truthy(above:find("---@param options? polytomic.CallOptions\n", 1, true), signature)
        assert.equal(3, select(2, above:gsub("%-%-%-@return ", "")), signature)
      end
    end
  end)

  it("has the parameters and returns of every other method of a client that has any", function()
    for name, parameters in text:gmatch "\nfunction Client:([%w_]+)%(([^)]*)%)" do
      local above = types.annotations["function Client:" .. name]
      for parameter in parameters:gmatch "[%w_]+" do
        assert.truthy(above:find("---@param " .. parameter .. "%??%s"), name .. " " .. parameter)
      end
      assert.truthy(name == "close" or above:find("---@return ", 1, true), name)
      assert.is_nil(parameters:find("...", 1, true), name)
    end
  end)

  -- An option that the library does not know is called unknown; one that it knows is called wrong
  -- or nothing.
  local function is_known(make)
    local ok, message = pcall(make)
    return ok or not message:find("unknown option", 1, true)
  end

  it("has options that exist", function()
    for name in pairs(class "polytomic.Options") do
      assert.is_true(is_known(function() polytomic.new({ [name] = {}, env = false }):close() end),
        name)
    end
    for name in pairs(class "polytomic.CallOptions") do
      assert.is_true(
        is_known(function() client:start("list_orgs", {}, { [name] = {} }):cancel() end),
        name
      )
    end
    for name in pairs(class "polytomic.WaitOptions") do
      assert.is_true(
        is_known(function() client:wait_for("get_job", { type = "x" }, { [name] = {} }) end),
        name
      )
    end
    for name in pairs(class "polytomic.QueryOptions") do
      assert.is_true(
        is_known(function() client:query_rows({ connection_id = "x" }, { [name] = {} }) end),
        name
      )
    end
    assert.is_false(is_known(function() polytomic.new { of_tomorrow = 1 } end))
    assert.is_false(is_known(function() client:wait_for("get_job", {}, { of_tomorrow = 1 }) end))
  end)

  -- The options of a table in csrc/lua/options.c: lines of { name, reader }.
  local function options_in_c(title)
    local source = process.contents "csrc/lua/options.c"
    local list = {}
    local rows = assert(source:match(" " .. title .. "%[%] = {\n(.-)\n};"), title)
    for name in rows:gmatch '{"([%w_]+)", [%w_]+}' do list[#list + 1] = name end
    return list
  end

  -- What a command has no use for, and keys, which it takes from the environment or a file.
  local not_for_the_command_line = {
    api_key = true, partner_key = true, deployment_key = true, env = true,
    attempt_timeout = true, connect_timeout = true, max_connections = true,
    max_response_bytes = true, proxy = true, http_version = true, ca_path = true,
    client_cert = true, client_key = true, user_agent = true, on_event = true, wait = true,
    read_only = true, headers = true, query = true, body = true,
  }

  it("has every option of the core, as its document and the command line have", function()
    local document = process.contents "docs/options.md"
    local cli = process.contents "lua/polytomic/cli/options.lua"
    for title, name in pairs { client_options = "polytomic.Options",
        call_options = "polytomic.CallOptions" } do
      local known, list = class(name), options_in_c(title)
      assert.is_true(#list >= 7, title)
      for _, option in ipairs(list) do
        assert.is_not_nil(known[option], option .. " is missing in class " .. name)
        local told = document:find("%f[%w_]" .. option .. "%f[^%w_]")
        assert.truthy(told, option .. ": not in docs/options.md")
        local words = { version = "api-version" }
        local word = words[option] or option:gsub("_", "-")
        local there = cli:find('"--' .. word .. '"', 1, true) ~= nil
        assert.equal(not not_for_the_command_line[option], there, option .. " of the command line")
      end
    end
  end)

  it("has the fields that errors and statistics have", function()
    local _, _, err = client:list_orgs({}, { retries = 0 })
    local told = class "polytomic.Error"
    for name, optional in pairs(class "polytomic.Response") do told[name] = optional end
    for name, optional in pairs(told) do
      if not optional then assert.is_not_nil(err[name], name) end
    end
    assert.is_true(told.message, "the server need not say anything")
    local stats, told_stats = client:stats(), class "polytomic.Stats"
    for name in pairs(told_stats) do assert.is_not_nil(stats[name], name) end
    for name in pairs(stats) do assert.is_not_nil(told_stats[name], name) end
  end)

  it("has the fields that events have", function()
    local told, seen = class "polytomic.Notice", {}
    local one = clients.answered({ { 503, "", { ["Retry-After"] = "0", ["X-Request-Id"] = "r" } },
      { 200, '{"data":[]}', { Deprecation = "true", Sunset = "Sun, 30 Jun 2030 23:59:59 GMT" } } },
      { retries = 1, on_event = function(event)
        for name in pairs(event) do seen[name] = true end
      end })
    assert(one:list_orgs {})
    clients.close()
    for name in pairs(told) do assert.is_true(seen[name], name) end
    for name in pairs(seen) do assert.is_not_nil(told[name], name) end
  end)
end)
