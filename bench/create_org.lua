-- Creates organizations one after the other. Usage: lua create_org.lua URL KEY COUNT

local polytomic = require "polytomic"

local url, key, count = arg[1], arg[2], tonumber(arg[3])
local client = polytomic.new { base_url = url, partner_key = key, env = false }
local stamp = ("bench-%d-%s"):format(os.time(), tostring(client):gsub("%W", ""):sub(-6))
  .. tostring({}):match "0x(%x+)"
for i = 1, count do assert(client:create_org { name = stamp .. "-" .. i }) end
client:close()
