-- The two ways a client waits, for specs of what is built upon calls: blocking, and suspending a
-- coroutine.
--
--   for _, mode in ipairs(modes) do
--     local client = clients.answered(replies, mode.options())
--     local ok, message = mode.attempt(function() for item in client:each "list_orgs" do … end end)
--   end

local function yielding_wait(client)
  coroutine.yield(client)
end

-- As pcall, but the body may suspend: on Lua 5.1 nothing can be suspended inside pcall itself.
local function attempt_suspended(body)
  local thread = coroutine.create(body)
  while true do
    local results = { coroutine.resume(thread) }
    if coroutine.status(thread) == "dead" then
      return results[1], results[2], results[3], results[4], results[5]
    end
    results[2]:step(1)
  end
end

local function options_with(wait)
  return function(options)
    local copy = { wait = wait }
    for name, value in pairs(options or {}) do copy[name] = value end
    return copy
  end
end

-- `results(body)`: what the body returns, up to three values; what it raises is raised.
local function results_with(attempt)
  return function(body)
    local ok, first, second, third = attempt(body)
    assert(ok, first)
    return first, second, third
  end
end

return {
  { name = "a blocking client", options = options_with(nil), attempt = pcall,
    results = results_with(pcall) },
  { name = "a client that suspends coroutines", options = options_with(yielding_wait),
    attempt = attempt_suspended,
    results = results_with(attempt_suspended) },
}
