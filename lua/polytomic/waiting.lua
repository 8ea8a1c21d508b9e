-- The plain methods of a client that has `wait`: they suspend the caller's coroutine instead of the thread.
-- Written in Lua, since Lua 5.1 and LuaJIT cannot yield across a C function.

local core = require "polytomic.core"

local M = {
  functions = {}, -- the module functions of a default client with `wait`
}

-- Begins a call, waits for its end with the client's `wait`, and returns data, nil, response or nil, message, err.
-- Errors of usage are told at the line that called the method.
local function run(client, name, arguments, options)
  local call = core.begin(client, name, arguments, options, 3)
  local wait = core.wait_of(client)
  while not call:done() do wait(client, call) end
  return call:result()
end

-- The three results by name: a tail call would lose the level that errors are told at.
local function method(name)
  return function(client, arguments, options)
    if type(client) ~= "userdata" then error(name .. ": use a colon: client:" .. name .. "{…}", 2) end
    local data, message, response = run(client, name, arguments, options)
    return data, message, response
  end
end

local function module_function(name)
  return function(arguments, options)
    local data, message, response = run(core.client(), name, arguments, options)
    return data, message, response
  end
end

-- Gives every client with `wait` a method for each operation.
function M.install()
  for name in pairs(core.functions) do
    core.waiting[name] = method(name)
    M.functions[name] = module_function(name)
  end
  core.waiting.request = method "request"
end

return M
