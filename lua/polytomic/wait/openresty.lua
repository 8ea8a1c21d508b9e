-- Waits inside nginx: suspends the light thread that called. One timer per worker, alive only while
-- calls are active, drives all.

local driver = require "polytomic.driver"

local ngx = rawget(_G, "ngx")
  or error("polytomic.wait.openresty works only inside nginx's Lua module", 0)
local found, semaphore = pcall(require, "ngx.semaphore")
if not found then
  error(
    "polytomic.wait.openresty needs ngx.semaphore, of the lua-resty-core that goes with nginx's "
      .. "Lua module (OpenResty brings both; Debian: libnginx-mod-http-lua and lua-resty-core): "
      .. tostring(semaphore):match "[^\n]*",
    0
  )
end

-- Seconds between two turns of the driver: a small part of what calls take lately, since every turn
-- wakes the worker.
local SHORTEST, LONGEST, PART = 0.001, 0.008, 1 / 32
local PATIENCE = 0.5 -- seconds after which a waiter looks for itself

-- Where a light thread may be suspended.
local YIELDING = { rewrite = true, server_rewrite = true, access = true, content = true,
  timer = true, preread = true, ssl_cert = true, ssl_client_hello = true, ssl_session_fetch = true }

local worker = {} -- its one loop
-- Semaphores to use again; a late post in one only makes its next waiter look once too often
local spare = {}
local tick = SHORTEST

local function run(_, self)
  while self:turn() do ngx.sleep(tick) end
  self:stop()
end

local function start(self)
  return ngx.timer.at(0, run, self)
end

return function(client, call)
  local phase = ngx.get_phase()
  if not YIELDING[phase] then
    driver.refuse(call, "polytomic cannot wait in nginx's phase '" .. phase
      .. "', where nothing may yield: call it from a timer, ngx.timer.at(0, f)")
  end
  local driven = driver.drive(client, worker, start)
  local turns = driven and driven.turns
  local woken, began = table.remove(spare) or semaphore.new(), ngx.now()
  driver.watch(client, call, woken.post, woken)
  driver.look(client) -- sends it now, not at the next turn
  while not call:done() do
    if not woken:wait(driven and PATIENCE or SHORTEST) then
      if driven and driven.turns == turns then -- no timer was left for it (lua_max_running_timers)
        driven:stop()
        driven = nil
      end
      turns = driven and driven.turns
      driver.look(client)
    end
  end
  spare[#spare + 1] = woken
  tick = math.max(SHORTEST, math.min(LONGEST, tick + ((ngx.now() - began) * PART - tick) / 8))
end
