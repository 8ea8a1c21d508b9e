-- A server that answers every request after a while, in a process of its own: for specs about many
-- calls at once.

local cjson = require "cjson"
local http = require "spec.support.http"
local process = require "spec.support.process"

local M = {}

local server = {}
server.__index = server

-- What it saw: `requests`, `connections` that sent one, `now` being answered, their `peak`, and how
-- many were `refused`.
function server:stats()
  local _, body = http.request("GET", self.url .. "/_stats", { ca_file = self.ca_file })
  return cjson.decode(body)
end

function server:stop()
  self.child:stop()
end

-- Starts one. Options: `delay` (seconds, default 0.2), `limit` (requests it takes at once; the
-- others are answered 429; default any number), `tls` (a certificate of
-- `spec.support.certificates`). It has `url` and, with TLS, `ca_file`.
function M.start(options)
  options = options or {}
  local words =
    { "spec/support/slow_peer.lua", tostring(options.delay or 0.2), tostring(options.limit or 0) }
  if options.tls then words[4], words[5] = options.tls.certificate, options.tls.key end
  local child = process.start_lua(words)
  local scheme = options.tls and "https" or "http"
  return setmetatable(
    {
      child = child,
      ca_file = options.tls and options.tls.ca,
      url = scheme .. "://127.0.0.1:" .. child.first_line,
    },
    server
  )
end

return M
