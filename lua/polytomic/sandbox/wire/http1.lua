-- HTTP/1.1 on one connection: reads requests with lua-http, writes replies itself, so that a reply
-- can be broken.

local cqueues = require "cqueues"
local errno = require "cqueues.errno"
local h1_connection = require "http.h1_connection"
local reason_phrases = require "http.h1_reason_phrases"

local abort = require "polytomic.sandbox.wire.abort"

local M = {}

local longest_line = 4 * 1024 * 1024

-- The exchange: one request's reply
-- ---------------------------------------------------------------------------------

local Exchange = {}
Exchange.__index = Exchange

local function head_text(response, framing)
  local status = tostring(response.status)
  local lines = { "HTTP/1.1 " .. status .. " " .. (reason_phrases[status] or "Unknown") }
  for _, header in ipairs(response.headers) do
    lines[#lines + 1] = header[1] .. ": " .. header[2]
  end
  if framing.length then
    lines[#lines + 1] = "Content-Length: " .. string.format("%.0f", framing.length)
  end
  if framing.chunked then lines[#lines + 1] = "Transfer-Encoding: chunked" end
  if framing.close then lines[#lines + 1] = "Connection: close" end
  lines[#lines + 1] = "\r\n"
  return table.concat(lines, "\r\n")
end

-- Sends bytes as they are. False when nobody is there any more.
function Exchange:raw(bytes)
  if not self.open then return false end
  local ok = self.socket:xwrite(bytes, "n")
  if not ok then self.open = false end
  return self.open
end

local function note_status(self, response)
  if self.entry then self.entry.status = response.status end
end

-- Sends a whole, well-formed response.
function Exchange:respond(response)
  note_status(self, response)
  local framing = { length = #response.body, close = self.last }
  self:raw(head_text(response, framing) .. response.body)
end

-- Starts a response: framing is { length = bytes }, { chunked = true } or { close = true }. With
-- `cut` as well, chunks are announced longer than they are.
function Exchange:head(response, framing)
  note_status(self, response)
  self.framing = framing
  if framing.close then self.last = true end
  return self:raw(head_text(response, framing))
end

function Exchange:body(bytes)
  if self.framing.chunked then
    bytes = string.format("%x\r\n", #bytes + (self.framing.cut and 10 or 0)) .. bytes
  end
  return self:raw(bytes)
end

-- Ends a body that head() began with a length.
function Exchange:finish() end -- luacheck: no self

-- Ends a response too early: the connection is closed in the middle of the body.
function Exchange:cut()
  self:close("fin")
end

-- Sends the response byte by byte, `interval` seconds apart; with `headers` the status line and
-- headers too.
function Exchange:drip(response, interval, headers)
  note_status(self, response)
  local head = head_text(response, { length = #response.body, close = self.last })
  local slow = response.body
  if headers then slow = head .. slow else self:raw(head) end
  for i = 1, #slow do
    if not self:raw(slow:sub(i, i)) or not self:wait(interval) then return end
  end
end

-- Waits; true after `seconds`, false as soon as the client has gone.
function Exchange:wait(seconds)
  local socket, deadline = self.socket, cqueues.monotime() + seconds
  while self.open do
    local left = deadline - cqueues.monotime()
    if left <= 0 then return true end
    local waiting = socket:pending()
    local ok, _, why = socket:fill(waiting + 1, left)
    if not ok and why ~= errno.ETIMEDOUT then self.open = false end
  end
  return false
end

-- Closes the connection: "fin" or "reset".
function Exchange:close(how)
  if how == "reset" and self.open then abort.arm(self.socket:pollfd()) end
  self.open = false
end

-- Requests
-- -------------------------------------------------------------------------------------------------

-- The headers by lower-case name, repeated ones joined; nil if they are malformed or end too early.
local function read_headers(connection)
  local headers = {}
  while true do
    local name, value = connection:read_header()
    if not name then
      if value then return nil end
      break
    end
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  if not connection:read_headers_done() then return nil end
  return headers
end

local function read_chunks(connection)
  local chunks = {}
  while true do
    local chunk = connection:read_body_chunk()
    if chunk == nil then return nil end
    if chunk == false then break end
    chunks[#chunks + 1] = chunk
  end
  return read_headers(connection) and table.concat(chunks)
end

-- The body as announced by the headers; nil if it is malformed or ends too early.
local function read_body(connection, headers)
  if (headers.expect or ""):lower() == "100-continue" then
    connection.socket:xwrite("HTTP/1.1 100 Continue\r\n\r\n", "n")
  end
  if (headers["transfer-encoding"] or ""):lower() == "chunked" then
    return read_chunks(connection)
  end
  local length = headers["content-length"]
  if not length then return "" end
  if not length:find("^%d+$") or #length > 15 then return nil end
  length = tonumber(length)
  if length == 0 then return "" end
  local body = connection:read_body_by_length(length)
  return body and #body == length and body or nil
end

-- Whether the client wants the connection closed after the reply.
local function wants_close(version, headers)
  local connection = (headers.connection or ""):lower()
  return connection:find("close", 1, true) ~= nil
    or (version < 1.1 and not connection:find("keep-alive", 1, true))
end

-- The next request without its body; nil at the end of the connection, false if it is malformed.
local function read_head(connection, id)
  if not connection.socket:fill(1) then return nil end
  local method, target, version = connection:read_request_line()
  if not method then return false end
  local headers = read_headers(connection)
  if not headers then return false end
  return { method = method, target = target, headers = headers, connection = id,
    version = version == 1.0 and "1.0" or "1.1", last = wants_close(version, headers) }
end

local bad_request = { status = 400, headers = {}, body = "" }

-- Serves requests on the socket, one after the other, until one side has had enough. The caller
-- closes the socket.
function M.serve(socket, id, service)
  local connection = h1_connection.new(socket, "server", 1.1)
  connection:setmaxline(longest_line)
  while true do
    local request = read_head(connection, id)
    if request == nil then return end
    local exchange =
      setmetatable({ socket = socket, open = true, last = not request or request.last }, Exchange)
    if request then
      service:arrived(request)
      exchange.entry = request.entry
      request.body = read_body(connection, request.headers)
    end
    if request and request.body then
      service:serve(request, exchange)
    else
      exchange.last = true
      exchange:respond(bad_request)
    end
    if exchange.last or not exchange.open then return end
  end
end

return M
