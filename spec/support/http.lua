-- A small blocking HTTP client for specs, independent of the library under test: one request, one
-- connection.

local context = require "openssl.ssl.context"
local errno = require "cqueues.errno"
local process = require "spec.support.process"
local socket = require "cqueues.socket"
local store = require "openssl.x509.store"
local x509 = require "openssl.x509"

local M = {}

local PATIENCE = 10  -- seconds any one step may take

local function reason(why)
  return type(why) == "number" and errno.strerror(why) or tostring(why or "closed")
end

local function split_url(url)
  local scheme, authority, target = url:match("^(https?)://([^/?#]+)(.*)$")
  assert(scheme, "no such URL: " .. tostring(url))
  local host, port = authority:match("^%[(.-)%]:?(%d*)$")
  if not host then host, port = authority:match("^([^:]+):?(%d*)$") end
  if target:sub(1, 1) ~= "/" then target = "/" .. target end
  return { tls = scheme == "https", host = host, port = tonumber(port)
      or (scheme == "https" and 443 or 80), target = target, authority = authority }
end

local function client_context(ca_file)
  local made = context.new("TLS", false)
  local trusted = store.new()
  trusted:add(x509.new(process.contents(ca_file)))
  made:setStore(trusted)
  made:setVerify(context.VERIFY_PEER)
  return made
end

local function open(where, options)
  local connection =
    socket.connect { host = where.host, port = where.port, nodelay = true, sendname = where.host }
  connection:onerror(function(_, _, why) return why end)
  connection:settimeout(options.timeout or PATIENCE)
  connection:setmode("b", "bn")
  local ok, why = connection:connect()
  if ok and where.tls then ok, why = connection:starttls(client_context(options.ca_file)) end
  if not ok then
    connection:close()
    return nil, reason(why)
  end
  return connection
end

local function request_bytes(method, where, options)
  local lines = {
    method .. " " .. where.target .. " HTTP/1.1",
    "Host: " .. (options.host or where.authority),
    "Connection: close",
  }
  local body = options.body or ""
  if options.body then lines[#lines + 1] = "Content-Length: " .. #body end
  for name, value in pairs(options.headers or {}) do lines[#lines + 1] = name .. ": " .. value end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

local function joined_chunks(text)
  local parts, position = {}, 1
  while true do
    local size, start = text:match("^(%x+)[^\r\n]*\r\n()", position)
    size = tonumber(size or "0", 16)
    if size == 0 then return table.concat(parts) end
    parts[#parts + 1] = text:sub(start, start + size - 1)
    position = start + size + 2
  end
end

-- The parts of a reply's bytes: status, body, headers with lower-case names (of repeated ones the
-- last).
local function parse(reply)
  local head, body = reply:match("^(HTTP/1%.[01] .-\r\n)\r\n(.*)$")
  local status = head and tonumber(head:match("^HTTP/1%.[01] (%d%d%d)"))
  if not status then return nil, "no HTTP reply" end
  local headers = {}
  for name, value in head:gmatch("\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    headers[name:lower()] = value
  end
  if headers["transfer-encoding"] == "chunked" then body = joined_chunks(body) end
  return status, body, headers
end

-- Sends bytes to the address of `url` and returns all that comes back until the server closes, then
-- why it ended (nil for an orderly end; a reset that follows bytes closely may look like one); or
-- nil and the reason there is no connection. Options: `ca_file`, `timeout`.
function M.exchange(url, bytes, options)
  local connection, why = open(split_url(url), options or {})
  if not connection then return nil, why end
  connection:xwrite(bytes, "bn")
  local parts = {}
  local part
  repeat
    part, why = connection:xread(-65536, "b")
    parts[#parts + 1] = part
  until not part
  connection:close()
  return table.concat(parts), why and reason(why) or nil
end

-- Makes one request; returns status, body, headers (lower-case names), or nil and a reason.
-- Options: `headers` (name = value), `body`, `ca_file` for https, `timeout`.
function M.request(method, url, options)
  options = options or {}
  local reply, why = M.exchange(url, request_bytes(method, split_url(url), options), options)
  if not reply then return nil, why end
  if reply == "" and why then return nil, why end
  return parse(reply)
end

return M
