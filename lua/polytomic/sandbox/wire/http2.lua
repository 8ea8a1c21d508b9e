-- HTTP/2 on one connection, by lua-http; faults that break the framing act on the connection or
-- reset the stream.

local cqueues = require "cqueues"
local h2_connection = require "http.h2_connection"
local new_headers = require "http.headers".new
local yieldable_pcall = require "http.util".yieldable_pcall

local abort = require "polytomic.sandbox.wire.abort"

local M = {}

local internal_error = 0x2 -- RFC 9113, section 7
local longest_wait = 3600 -- seconds

local closed = setmetatable({}, { __mode = "k" }) -- connections that are over

local Exchange = {}
Exchange.__index = Exchange

local function to_headers(response, length)
  local headers = new_headers()
  headers:append(":status", tostring(response.status))
  for _, header in ipairs(response.headers) do headers:append(header[1]:lower(), header[2]) end
  if length then headers:append("content-length", string.format("%.0f", length)) end
  return headers
end

local function send_headers(self, response, length, last)
  if self.entry then self.entry.status = response.status end
  return self.stream:write_headers(to_headers(response, length), last, longest_wait)
end

-- The meaning of each method is that of http1.lua.

function Exchange:respond(response)
  local empty = #response.body == 0
  send_headers(self, response, #response.body, empty)
  if not empty then self.stream:write_chunk(response.body, true, longest_wait) end
end

function Exchange:head(response, framing)
  return send_headers(self, response, framing.length, false)
end

function Exchange:body(bytes)
  if bytes == "" then return true end
  return self.stream:write_chunk(bytes, false, longest_wait) and true or false
end

function Exchange:finish()
  self.stream:write_chunk("", true, longest_wait)
end

function Exchange:cut()
  self.stream:rst_stream("cut by the sandbox", internal_error)
end

function Exchange:drip(response, interval)
  self:head(response, { length = #response.body })
  for i = 1, #response.body do
    if not self:body(response.body:sub(i, i)) or not self:wait(interval) then return end
  end
  self:finish()
end

function Exchange:raw(bytes)
  local socket = self.stream.connection.socket
  return socket and socket:xwrite(bytes, "n") and true or false
end

function Exchange:wait(seconds)
  local deadline = cqueues.monotime() + seconds
  while self.stream.state ~= "closed" and not closed[self.stream.connection] do
    local left = deadline - cqueues.monotime()
    if left <= 0 then return true end
    cqueues.sleep(math.min(left, 0.1))
  end
  return false
end

function Exchange:close(how)
  local socket = self.stream.connection.socket
  if not socket then return end
  if how == "reset" then abort.arm(socket:pollfd()) end
  closed[self.stream.connection] = true
  socket:close()
end

-- The request of a stream, or nil if it never came.
local function read_request(stream, id)
  local received = stream:get_headers()
  if not received then return nil end
  local headers = {}
  for name, value in received:each() do
    if name:sub(1, 1) ~= ":" then
      headers[name] = headers[name] and headers[name] .. ", " .. value or value
    end
  end
  return { method = received:get(":method"), target = received:get(":path") or "*",
    authority = received:get(":authority"), headers = headers, connection = id, version = "2" }
end

local function serve_stream(stream, id, service)
  local request = read_request(stream, id)
  if not request then return end
  service:arrived(request)
  request.body = stream:get_body_as_string()
  if not request.body then return end
  service:serve(request, setmetatable({ stream = stream, entry = request.entry }, Exchange))
end

-- Starts a coroutine for each request, until the connection ends.
local function accept_streams(connection, id, service, controller)
  while true do
    local stream = connection:get_next_incoming_stream()
    if not stream then return end
    controller:wrap(function()
      local ok, message = yieldable_pcall(serve_stream, stream, id, service)
      if not ok and stream.state ~= "closed" and not closed[connection] then
        io.stderr:write("polytomic sandbox: ", tostring(message), "\n")
      end
      yieldable_pcall(stream.shutdown, stream)
    end)
  end
end

-- Serves requests on the socket, each in a coroutine of the controller, until one side has had
-- enough. lua-http raises when the socket is closed under it, by a client or a fault: that is the
-- end of the connection and nothing else.
function M.serve(socket, id, service, controller)
  local connection = h2_connection.new(socket, "server", nil)
  if not connection then return end
  yieldable_pcall(accept_streams, connection, id, service, controller)
  local already = closed[connection]
  closed[connection] = true
  if not already then yieldable_pcall(connection.close, connection) end
end

return M
