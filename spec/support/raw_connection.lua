-- One connection of the raw server: reads what the client sends, records it byte for byte, and
-- plays the steps of its script.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local connect = require("cqueues.socket").connect
local luasocket = require "socket"
local http2 = require "spec.support.raw_http2"
local testing = require "polytomic.testing"
local tls = require "spec.support.raw_tls"

local BLOCK = 65536      -- bytes read at once
local HANDSHAKE = 30     -- seconds a client may take for the TLS handshake

local connection = {}
connection.__index = connection

-- The bytes from the client not yet consumed grow by what is there; false at the end of the stream
-- or after an error.
function connection:fill()
  local bytes = self.socket:xread(-BLOCK, "b")
  if not bytes then return false end
  self.record.received = self.record.received + #bytes
  self.buffer = self.buffer .. bytes
  self.record.unread = self.buffer
  return true
end

function connection:take(size)
  local bytes = self.buffer:sub(1, size)
  self.buffer = self.buffer:sub(size + 1)
  self.record.unread = self.buffer
  return bytes
end

-- Takes `size` bytes, or what came of them before the end of the stream.
function connection:read_bytes(size)
  while #self.buffer < size and self:fill() do end
  return self:take(size)
end

-- Takes everything up to and with `mark`; nil where the stream ends first.
function connection:read_through(mark)
  local from = 1
  while true do
    local _, last = self.buffer:find(mark, from, true)
    if last then return self:take(last) end
    from = math.max(1, #self.buffer - #mark + 2)
    if not self:fill() then return nil end
  end
end

-- Reads a request head and starts its record; false where the stream ends first.
function connection:read_head()
  local head = self:read_through("\r\n\r\n")
  if not head then return false end
  self:begin_request(head, head)
  return true
end

-- Starts the record of a request of which `raw` has arrived.
function connection:begin_request(head, raw)
  self.request =
    { connection = self.record.index, head = head, body = "", raw = raw, complete = false }
  self.record.requests = self.record.requests + 1
  self.listener:request_arrived(self.request)
end

function connection:end_request(complete)
  self.request.complete = complete
  self.listener:changed()
end

function connection:header(name)
  for field, value in self.request.head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    if field:lower() == name then return value end
  end
end

-- Adds bytes of the body to the record, as sent and decoded; false where fewer came than were
-- announced.
function connection:body_arrived(raw, decoded, expected)
  self.request.raw = self.request.raw .. raw
  self.request.body = self.request.body .. decoded
  return #raw == expected
end

-- Reads the chunks of a chunked body (RFC 9112, section 7.1), trailers left out.
function connection:read_chunks()
  while true do
    local line = self:read_through("\r\n")
    local size = line and tonumber(line:match("^%x+") or "", 16)
    if not size then return false end
    local chunk = self:read_bytes(size + 2)
    if not self:body_arrived(line .. chunk, chunk:sub(1, size), #line + size + 2) then
      return false
    end
    if size == 0 then return true end
  end
end

-- Reads the rest of the request whose head was read; answers `Expect: 100-continue` first.
function connection:read_body()
  local complete
  if self:header("expect") then self:send("HTTP/1.1 100 Continue\r\n\r\n") end
  if (self:header("transfer-encoding") or ""):lower() == "chunked" then
    complete = self:read_chunks()
  else
    local size = tonumber(self:header("content-length") or 0)
    local body = self:read_bytes(size)
    complete = self:body_arrived(body, body, size)
  end
  self:end_request(complete)
  return complete
end

-- Sends bytes; false where the client is gone.
function connection:send(bytes)
  return self.socket:xwrite(bytes, "bn") and true or false
end

-- Waits `seconds`, or until this connection is woken because the script changes.
function connection:pause(seconds)
  cqueues.poll(self.woken, seconds)
  return not self.dead
end

-- Makes closing the socket send RST. cqueues has no SO_LINGER, so LuaSocket sets it on the borrowed
-- descriptor.
local function linger_zero(descriptor)
  local borrowed = luasocket.tcp()
  borrowed:close()
  borrowed:setfd(descriptor)
  assert(borrowed:setoption("linger", { on = true, timeout = 0 }))
  borrowed:setfd(-1)
end

-- Copies bytes one way until the stream ends.
local function pump(from, to)
  repeat
    local bytes = from:xread(-BLOCK, "b")
  until not bytes or not to:xwrite(bytes, "bn")
  to:shutdown("w")
end

-- What the words of a script do. Each returns true to go on with the next step and false when the
-- connection is over.
local words = {}

function words.head(self)
  return self:read_head()
end

function words.read(self)
  return self:read_head() and self:read_body()
end

function words.body(self)
  return self:read_body()
end

function words.again(self)
  self.step = 0
  return true
end

-- Sends FIN, then reads on until the client is done, so that no RST follows.
function words.fin(self)
  self.socket:shutdown("w")
  while self:fill() do end
  return false
end

function words.close()
  return false
end

function words.rst(self)
  linger_zero(self.socket:pollfd())
  self.record.reset = true
  return false
end

-- Stalls once what was sent has arrived (a busy machine takes its time on 127.0.0.1 too), or where
-- the client is gone.
function words.stall(self)
  local deadline = cqueues.monotime() + 1
  while testing.unacknowledged(self.socket:pollfd()) > 0 and not self.dead
    and cqueues.monotime() < deadline do
    cqueues.sleep(0.001)
  end
  self.record.stalls = true
  self.listener:changed()
  while self:fill() do end
  return false
end

function words.plain()
  return true
end

-- Connects to the target of the CONNECT request that was read, and copies both ways.
function words.tunnel(self)
  local host, port = self.request.head:match("^CONNECT %[?([^%]%s]-)%]?:(%d+) ")
  if not host then
    return self:send("HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
  end
  local upstream = connect(host, tonumber(port))
  upstream:onerror(function(_, _, why) return why end)
  if not upstream:connect(10) then
    return self:send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
  end
  self:send("HTTP/1.1 200 Connection established\r\n\r\n")
  if #self.buffer > 0 then upstream:xwrite(self:take(#self.buffer), "bn") end
  local done = condition.new()
  local finished = false
  cqueues.running():wrap(function()
    pump(upstream, self.socket)
    finished = true
    done:signal()
  end)
  pump(self.socket, upstream)
  if not finished then cqueues.poll(done) end
  upstream:close()
  return false
end

for name, word in pairs(http2.words) do words[name] = word end

-- What the tables of a script do, by their first known key.
local tables = {}

function tables.send(self, step)
  for _ = 1, step.times or 1 do
    if not self:send(step.send) then return false end
  end
  return true
end

function tables.drip(self, step)
  local size = step.size or 1
  for first = 1, #step.drip, size do
    if not self:send(step.drip:sub(first, first + size - 1)) or not self:pause(step.interval) then
      return false
    end
  end
  return true
end

function tables.sleep(self, step)
  return self:pause(step.sleep)
end

-- The head and `read` bytes of the body.
function tables.read(self, step)
  if not self:read_head() then return false end
  local bytes = self:read_bytes(step.read)
  return self:body_arrived(bytes, bytes, step.read)
end

-- `bytes` bytes of whatever comes, HTTP or not; they become a request record without a head.
function tables.bytes(self, step)
  local bytes = self:read_bytes(step.bytes)
  self.request = {
    connection = self.record.index,
    head = "",
    body = bytes,
    raw = bytes,
    complete = #bytes == step.bytes,
  }
  self.listener:request_arrived(self.request)
  return self.request.complete
end

-- Until the spec releases the gate of that name.
function tables.wait(self, step)
  while not self.listener.released[step.wait] do
    cqueues.poll(self.woken, self.listener.news)
    if self.dead then return false end
  end
  return true
end

function tables.tls(self, step)
  return self:handshake(step.tls)
end

function connection:handshake(files)
  local ok, why = self.socket:starttls(tls.context(files), HANDSHAKE)
  if not ok then
    self.record.tls_error = tls.reason(why)
    return false
  end
  self.record.tls = self.socket:checktls():getVersion()
  return true
end

function connection:play_step(step)
  if type(step) == "string" then return words[step](self) end
  for name, action in pairs(tables) do
    if step[name] ~= nil then return action(self, step) end
  end
end

-- Plays a list of steps; true when it came to its end.
function connection:play(steps)
  self.step = 0
  while self.step < #steps do
    self.step = self.step + 1
    if self.dead or not self:play_step(steps[self.step]) then return false end
  end
  return true
end

local function makes_own_tls(steps)
  local first = steps and steps[1]
  return first == "plain" or type(first) == "table" and first.tls ~= nil
end

-- Plays one part of the script for each request until a part ends the connection or the client asks
-- for that.
function connection:play_requests()
  repeat
    if not words.read(self) or not self:play(self.listener:next_steps()) then return end
  until (self:header("connection") or ""):lower() == "close"
  words.fin(self)
end

-- Plays the part of the script that is this connection's, or one part for each request on it; then
-- closes.
function connection:run()
  local listener = self.listener
  local own = listener.per == "connection" and listener:next_steps() or nil
  local ready = not listener.tls or makes_own_tls(own) or self:handshake(listener.tls)
  if ready and own then
    if self:play(own) then words.fin(self) end
  elseif ready then
    self:play_requests()
  end
  self.socket:close()
end

-- Ends what the connection is doing.
function connection:wake()
  self.dead = true
  self.woken:signal()
  self.socket:shutdown("rw")
end

local M = {}

function M.new(socket, listener, index)
  socket:onerror(function(_, _, why) return why end)
  return setmetatable({
    socket = socket,
    listener = listener,
    buffer = "",
    woken = condition.new(),
    record = { index = index, requests = 0, received = 0, unread = "" },
  }, connection)
end

return M
