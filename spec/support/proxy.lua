-- A CONNECT proxy for specs that records what it saw; it plays scripts of the raw server.
--
--   local proxy = require("spec.support.proxy").start()       tunnels
--   proxy:behave "refuse_407"                                 or "refuse_502", "stall", "reset",
--   "close", "tunnel"
--   polytomic.new { proxy = proxy.url, … }

local raw_server = require "spec.support.raw_server"

local M = {}

local function refusal(status, headers)
  return { "read", { send = raw_server.reply(status, "", headers) }, "fin" }
end

local behaviours = {
  tunnel = { "read", "tunnel" },
  refuse_407 = refusal(407, { ["Proxy-Authenticate"] = 'Basic realm="specs"' }),
  refuse_502 = refusal(502),
  stall = { "read", "stall" },
  reset = { "read", "rst" },
  close = { "read", "close" },
}

local function script(name)
  return { (assert(behaviours[name], "no such behaviour: " .. tostring(name))) }
end

-- Starts a proxy with a behaviour (default "tunnel"). It is a raw server, so it has `url`,
-- `requests`, `connections`, `reset` and `stop`; and `behave(name)`, which ends its connections and
-- forgets its records, and `saw(text)`, which says whether `text` occurs in any byte a client sent
-- to the proxy itself.
function M.start(name)
  local server = raw_server.start { script = script(name or "tunnel") }

  function server:behave(behaviour)
    return self:reset(script(behaviour))
  end

  function server:saw(text)
    for _, request in ipairs(self:requests()) do
      if request.raw:find(text, 1, true) then return true end
    end
    return false
  end

  return server
end

return M
