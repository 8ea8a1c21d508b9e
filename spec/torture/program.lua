-- Random programs in hostile hands: Lua code that runs inside the library's calls, at every
-- allocation, in every metamethod, hook and callback, and there closes clients, steps them, reads
-- and cancels calls, collects garbage, raises and yields.
--
--   lua spec/torture/program.lua URL KEY SEED PROGRAMS SECONDS
--
-- Prints how many programs and steps it took. A crash, an error that is none of its own, and a call
-- that gives back what no call may give back end it with another status than 0.

local url, key, seed = arg[1], arg[2], tonumber(arg[3])
local programs, seconds = tonumber(arg[4]), tonumber(arg[5])

-- LuaJIT's compiler crashes in such programs also where none of the library takes part.
if jit then jit.off() end -- luacheck: ignore 113

local core = require "polytomic.core"
local polytomic = require "polytomic"

local state = seed % 2147483646 + 1

-- 1 to n, the same on every Lua (Park and Miller).
local function random(n)
  state = state * 16807 % 2147483647
  return math.floor(state / 2147483647 * n) + 1
end

local function one_of(list) return list[random(#list)] end

local steps = 0
local world -- clients, calls, values of the program that runs
local depth = 0
local act

-- Runs a random action where Lua happens to run; what it raises is its own, marked.
local MARK = "raised by the torture"
local function interfere(may_raise)
  if depth >= 3 or not world then return end
  depth = depth + 1
  for _ = 1, random(2) do pcall(act) end
  depth = depth - 1
  if may_raise and random(12) == 1 then error(MARK, 0) end
end

-- An object whose finalizer interferes.
local function mine()
  local function finalize()
    if world and random(3) == 1 then mine() end
    interfere(random(4) == 1)
  end
  if newproxy then -- luacheck: ignore 113
    local proxy = newproxy(true) -- luacheck: ignore 113
    getmetatable(proxy).__gc = finalize
  else
    setmetatable({}, { __gc = finalize })
  end
end

-- ---- hostile values ----

local UUID = "248df4b7-aa70-47b8-a036-33ac447e668d"
local value

-- A table that answers, or changes, while it is read.
local function hostile(members)
  local changing = members
  return setmetatable(members, {
    __index = function(_, name)
      interfere(true)
      if random(3) == 1 then return value(2) end
      if name == "method" then return one_of { "GET", "POST", 1 } end
      if name == "path" then return one_of { "/api/organizations", "/api/me", "x", {} } end
    end,
    __len = function() interfere(true) return random(9) end,
    __pairs = function() interfere(true) return next, {} end,
    __newindex = function() interfere(true) end,
    __gc = function() for name in pairs(changing) do changing[name] = nil end end,
    __call = function() interfere(true) return random(3) == 1 and "function-key" or nil end,
    __tostring = function() interfere(true) return "hostile" end,
  })
end

local scalars = { 1, -1.5, true, false, "text", "", UUID, ("long "):rep(100), "\255", "a\0b", "é",
  polytomic.null, 0 / 0, 1e300, "client_secret-canary" }
value = function(levels)
  if levels == 0 or random(3) > 1 then return scalars[random(#scalars)] end
  local members = {}
  for i = 1, random(4) do
    members[random(2) == 1 and i or one_of { "name", "secret", "key", "token", "x", 2.5 }] =
      value(levels - 1)
  end
  if random(20) == 1 then members.self = members end
  return random(3) == 1 and hostile(members) or members
end

local function arguments()
  local all = random(9) == 1 and { [value(1) or 1] = value(2) } or {}
  for _, name in ipairs { "name", "id", "org_id", "email", "client_secret", "role_ids" } do
    if random(3) > 1 then
      all[name] = random(3) == 1 and value(2)
        or one_of { "Acme", UUID, "jane@acme.com", { UUID }, "Acme " .. random(1e6) }
    end
  end
  return random(3) == 1 and hostile(all) or all
end

local function call_options()
  if random(2) == 1 then return nil end
  local all = {}
  if random(3) == 1 then all.timeout = one_of { 0.001, 0.05, 0.3, "x" } end
  if random(3) == 1 then all.retries = one_of { 0, 1, 2, -1 } end
  if random(3) == 1 then
    all.headers = hostile { ["X-Auth-Token"] = "header-canary", ["X-B"] = "" }
  end
  if random(4) == 1 then all.organization = UUID end
  if random(4) == 1 then all.query = value(2) end
  if random(4) == 1 then all.body = value(2) end
  if random(6) == 1 then all.idempotency_key = one_of { false, "idempotency-key", 1 } end
  return random(3) == 1 and hostile(all) or all
end

local function request()
  local all = { method = one_of { "GET", "POST", "PUT", "DELETE", "PATCH", "get" },
    path = one_of { "/api/organizations", "/api/me", "/api/organizations/" .. UUID, "x", "/a b" } }
  if random(2) == 1 then all.query = value(2) end
  if random(2) == 1 then all.body = value(3) end
  return random(2) == 1 and hostile(all) or all
end

-- ---- what comes back ----

local KINDS = {}
for kind in ([[invalid unconfigured unauthorized forbidden not_found conflict unprocessable
  rate_limited server api redirect dns connect tls proxy timeout network protocol bad_response
  too_large cancelled closed failed]]):gmatch "%S+" do KINDS[kind] = true end

-- What gives a second value with success.
local MORE = { batch = true, ensure_org = true, check = true }

local function check(name, data, message, err)
  if data == nil and message == nil and err == nil then return end
  if data ~= nil then
    assert(MORE[name] or message == nil and type(err) == "table", name .. ": a success, yet more")
    return
  end
  assert(type(message) == "string" and type(err) == "table", name .. ": a failure without message")
  assert(not message:find("[%c]"), name .. ": a message of several lines")
  assert(tostring(err) == message and KINDS[err.kind], name .. ": an error of no kind")
  for _, canary in ipairs { "client_secret-canary", "header-canary" } do
    assert(err.kind == "invalid" or not message:find(canary, 1, true), name .. ": a secret shows")
  end
end

-- What a call raises is text with a position, or what the torture raised.
local failures
local function run(name, method, ...)
  local results = { pcall(method, ...) }
  if results[1] then
    local ok, why = pcall(check, name, results[2], results[3], results[4])
    if not ok then failures[#failures + 1] = why end
    for i = 2, 4 do
      if type(results[i]) == "table" then world.values[random(9)] = results[i] end
    end
    return results[2], results[3], results[4]
  end
  local why = tostring(results[2])
  if why:find("attempt to", 1, true) and not why:find("yield", 1, true) then
    failures[#failures + 1] = name .. ": " .. why
  end
end

-- ---- actions ----

local NAMES = { "list_orgs", "create_org", "get_org", "update_org", "delete_org", "create_user",
  "list_users", "get_user", "create_user_api_key", "get_current_org" }

local function on_event() interfere(true) end

local function can_yield()
  return coroutine.isyieldable and coroutine.isyieldable() -- luacheck: ignore 143
end

local function wait(client, call)
  interfere(true)
  for _ = 1, random(40) do
    if call:done() then return end
    client:step(0.005)
    if random(9) == 1 and can_yield() then coroutine.yield() end
    interfere(true)
  end
end

local function new_client()
  local options = {
    env = false,
    base_url = random(9) == 1 and "http://127.0.0.1:1" or url,
    proxy = "",
    timeout = 0.2,
    retries = random(6) == 1 and 1 or 0,
    on_event = random(3) == 1 and on_event or nil,
    wait = random(3) == 1 and wait or nil,
  }
  options.partner_key = random(4) == 1 and function()
    interfere(true)
    return random(9) > 1 and key or value(1)
  end or key
  if random(4) == 1 then options.headers = { ["X-Auth-Token"] = "header-canary" } end
  return polytomic.new(random(4) == 1 and hostile(options) or options)
end

local actions = {
  function() world.clients[random(3)] = new_client() end,
  function(client) world.clients[random(3)] = client:as_org(UUID) end,
  function(client) client:close() end,
  function(client)
    local name = one_of(NAMES)
    run(name, client[name], client, arguments(), call_options())
  end,
  function(client)
    local name = one_of(NAMES)
    run(name, client[name], client, arguments(), call_options())
  end,
  function(client) run("request", client.request, client, request(), call_options()) end,
  function(client)
    world.calls[random(5)] = client:start(one_of(NAMES), arguments(), call_options())
  end,
  function(client) world.calls[random(5)] = core.pause(client, random(5) / 1000) end,
  function(client) client:step(random(3) / 1000) end,
  function(client) client:step(0) end,
  function(_, call)
    if call and call:done() then run("result", call.result, call) end
  end,
  function(_, call) if call then call:cancel() end end,
  function(client, call) if call then core.watch(client, call) end end,
  function(client) core.next_done(client) end,
  function(client, call) return tostring(client) .. tostring(call) end,
  function(client) client:stats() client:timeout() client:pollfd() client:events() end,
  function(client) core.keys(client) core.base_url(client) core.same_origin(client, "/x") end,
  function(_, _, one)
    for _, name in ipairs { "headers", "timeline", "status", "request_id", "elapsed", "nothing" } do
      local _ = one[name]
    end
  end,
  function(_, _, one) if type(one.curl) == "function" then one:curl() end end,
  function(_, _, one)
    for name, member in next, one do
      assert(type(name) ~= "userdata" or name == polytomic.null, "a key that is none of Lua's")
      assert(type(member) ~= "userdata" or member == polytomic.null, "a call within a response")
    end
  end,
  function(_, _, one) if type(one.curl) == "function" then one.curl(world.clients[1]) end end,
  function(_, _, one)
    core.make_error(one, "api", "unknown", "made", { name = value(1) })
  end,
  function() collectgarbage "step" end,
  function() collectgarbage() end,
  function() mine() end,
  function() world.clients[random(3)] = nil world.calls[random(5)] = nil end,
  function(client)
    local routine = coroutine.create(function()
      run("batch", client.batch, client, one_of(NAMES), { arguments(), arguments() },
        { concurrency = random(3) })
    end)
    for _ = 1, random(4) do coroutine.resume(routine) end
  end,
  function(client)
    local pages = client:pages("list_orgs", {})
    for _ = 1, 2 do run("pages", pages.next, pages) end
  end,
  function(client) run("ensure_org", client.ensure_org, client, arguments()) end,
  function(client) run("patch_org", client.patch_org, client, arguments()) end,
  function(client) run("find_user", client.find_user, client, arguments()) end,
  function(client) run("check", function() client:check() end) end,
}

act = function()
  steps = steps + 1
  local client = world.clients[random(3)]
  if not client then
    client = new_client()
    world.clients[random(3)] = client
  end
  one_of(actions)(client, world.calls[random(5)], world.values[random(9)] or {})
end

-- ---- programs ----

local function program()
  world, failures = { clients = {}, calls = {}, values = {} }, {}
  collectgarbage("setpause", one_of { 0, 100, 200 })
  collectgarbage("setstepmul", one_of { 100, 400, 1000 })
  if _VERSION >= "Lua 5.4" then collectgarbage(one_of { "incremental", "generational" }) end
  local hooked = random(4) == 1
  if hooked then debug.sethook(function() interfere(random(9) == 1) end, "", 500 + random(5000)) end
  for _ = 1, random(30) do
    mine()
    local ok, why = pcall(act)
    if not ok and tostring(why):find("attempt to", 1, true) then failures[#failures + 1] = why end
  end
  debug.sethook()
  local clients = world.clients
  world = nil
  for _, client in pairs(clients) do client:close() end
  collectgarbage()
  if failures[1] then error(failures[1], 0) end
end

local began, done = core.now(), 0
while done < programs and core.now() - began < seconds do
  local first = state
  local ok, why = pcall(program)
  debug.sethook()
  done = done + 1
  if not ok and not tostring(why):find(MARK, 1, true) then -- up to 5.3 a collection raises it too
    io.write("program ", done, " of seed ", seed, " (state ", first, "): ", tostring(why), "\n")
    os.exit(1)
  end
end
io.write(("%d programs, %d steps, %.1f s\n"):format(done, steps, core.now() - began))
