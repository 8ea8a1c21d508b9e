-- Waits inside nginx: suspends the light thread that called. One timer per worker, alive only while calls are active, drives all.

local driver = require "polytomic.driver"

local ngx = rawget(_G, "ngx") or error("polytomic.wait.openresty works only inside nginx's Lua module", 0)
local semaphore = require "ngx.semaphore"

local TICK = 0.001    -- seconds between two turns of the driver
local PATIENCE = 1    -- seconds after which a waiter looks for itself

-- Where a light thread may be suspended.
local YIELDING = { rewrite = true, server_rewrite = true, access = true, content = true, timer = true, preread = true,
  ssl_cert = true, ssl_client_hello = true, ssl_session_fetch = true }

local worker = {} -- its one loop

local function run(_, self)
  while self:turn() do ngx.sleep(TICK) end
  self:stop()
end

local function start(self)
  return ngx.timer.at(0, run, self)
end

-- Where no timer can be had (lua_max_running_timers), the caller drives.
local function drive_alone(client, call)
  while not call:done() do
    client:step(0)
    driver.wake(client)
    ngx.sleep(TICK)
  end
end

return function(client, call)
  local phase = ngx.get_phase()
  if not YIELDING[phase] then
    call:cancel()
    error("polytomic cannot wait in nginx's phase '" .. phase .. "', where nothing may yield: call it from a timer, ngx.timer.at(0, f)", 4)
  end
  if not driver.drive(client, worker, start) then return drive_alone(client, call) end
  local woken = semaphore.new()
  driver.watch(client, call, function() woken:post() end)
  while not call:done() do
    local ok, reason = woken:wait(PATIENCE)
    if not ok and reason ~= "timeout" then return drive_alone(client, call) end
    if not ok then
      client:step(0)
      driver.wake(client)
    end
  end
end
