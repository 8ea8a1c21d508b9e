-- The plain methods of a client that has `wait`: they suspend the caller's coroutine instead of the
-- thread. Written in Lua, since Lua 5.1 and LuaJIT cannot yield across a C function.

local core = require "polytomic.core"
local usage = require "polytomic.usage"

local M = {
  -- Whether a coroutine can yield inside pcall and the iterator of a `for`: not on PUC Lua 5.1.
  -- Known by names: a module may be loaded where no coroutine can be run.
  yields_anywhere = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil,
  functions = {}, -- the module functions of a default client with `wait`, made when first asked for
}

-- A copy of options or arguments, empty for nil: what the caller has stays as it is.
function M.copied(original)
  local copy = {}
  for name, value in pairs(original or {}) do copy[name] = value end
  return copy
end

-- Lets the client's `wait` run until the call is done.
local function await(client, call, wait)
  while not call:done() do wait(client, call) end
  return call:result()
end

-- Runs a call to its end and returns data, nil, response or nil, message, err: the way of every
-- method written in Lua. `wait` takes the place of the client's own.
function M.operation(client, name, arguments, options, wait)
  wait = wait or core.wait_of(client)
  if not wait then return core.run(client, name, arguments, options) end
  return await(client, core.start(client, name, arguments, options), wait)
end

local run = M.operation

-- Lets `seconds` pass as the client waits for calls; returns true, or nil, message, err when it is
-- closed meanwhile.
function M.pause(client, seconds)
  local wait = core.wait_of(client) or function() client:step(seconds) end
  return await(client, core.pause(client, seconds), wait)
end

local function method(name)
  return function(client, arguments, options)
    usage.check_client(name, client, "{…}")
    return run(client, name, arguments, options)
  end
end

local function module_function(name)
  return function(arguments, options)
    core.check_dot(name, arguments)
    return run(core.client(), name, arguments, options)
  end
end

-- A metatable that makes a value for each operation when it is first asked for.
local function on_demand(make)
  return {
    __index = function(made, name)
      if not core.functions[name] then return nil end
      made[name] = make(name)
      return made[name]
    end,
  }
end

setmetatable(M.functions, on_demand(module_function))

-- Gives every client with `wait` a method for each operation.
function M.install()
  setmetatable(core.waiting, on_demand(method))
  core.waiting.request = method "request"
end

return M
