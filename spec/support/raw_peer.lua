-- The process behind the raw server: listening sockets that play scripts, governed by a spec over a
-- control connection.
--
-- Prints the control port. A control message is its length in bytes, a newline, and JSON; each is
-- answered by one of the same form, `{ "result": … }` or `{ "error": … }`. No iterator of a `for`
-- yields here: Lua 5.1 cannot.

local cjson = require "cjson"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local errno = require "cqueues.errno"
local socket = require "cqueues.socket"
local connection = require "spec.support.raw_connection"

local SETTLE = 4   -- turns of the loop after which all bytes that had arrived before are read
local CLOSING = 2  -- seconds connections may take to end after they are told to

local loop = cqueues.new()
local listeners = {}
local failures = {}

local function return_error(_, _, why)
  return why
end

local listener = {}
listener.__index = listener

function listener:changed()
  self.news:signal()
end

function listener:request_arrived(request)
  self.requests[#self.requests + 1] = request
  self:changed()
end

-- The steps of the next connection or request; the last ones repeat.
function listener:next_steps()
  self.position = math.min(self.position + 1, #self.list)
  return self.list[self.position] or {}
end

function listener:forget()
  self.requests, self.connections, self.position, self.released = {}, {}, 0, {}
end

function listener:set_script(script)
  self.per, self.list = script.per, script.list
  self.position = 0
end

function listener:serve(accepted)
  local one = connection.new(accepted, self, #self.connections + 1)
  self.connections[one.record.index] = one.record
  self.open[one] = true
  self:changed()
  loop:wrap(function()
    one:run()
    one.record.closed = true
    self.open[one] = nil
    self:changed()
  end)
end

function listener:accept()
  while not self.closed do
    local accepted = self.socket:accept(0)
    if accepted then
      self:serve(accepted)
    else
      cqueues.poll(self.socket, self.news)
    end
  end
  self.socket:close()
end

-- Waits until `done()` or for at most `seconds`; says whether it is done.
function listener:wait_until(done, seconds)
  local deadline = cqueues.monotime() + seconds
  while not done() do
    local left = deadline - cqueues.monotime()
    if left <= 0 then return false end
    cqueues.poll(self.news, left)
  end
  return true
end

function listener:end_connections()
  for one in pairs(self.open) do one:wake() end
  return self:wait_until(function() return next(self.open) == nil end, CLOSING),
    "a connection does not end"
end

-- Lets everything that has already arrived be read.
local function settle()
  for _ = 1, SETTLE do cqueues.sleep(0) end
end

local commands = {}

function commands.listen(message)
  local made = setmetatable({ news = condition.new(), open = {}, tls = message.tls }, listener)
  made:forget()
  made:set_script(message.script)
  made.socket = socket.listen {
    host = message.host,
    port = math.floor(message.port or 0),
    nodelay = true,
    reuseaddr = true,
  }
  made.socket:onerror(return_error)
  local ok, why = made.socket:listen()
  if not ok then return nil, "cannot listen: " .. errno.strerror(why) end
  local _, _, port = made.socket:localname()
  listeners[#listeners + 1] = made
  loop:wrap(function() made:accept() end)
  return { id = #listeners, port = port }
end

function commands.script(message, one)
  settle()
  one:set_script(message.script)
  return true
end

function commands.reset(message, one)
  settle()
  local ended, why = one:end_connections()
  one:forget()
  one:set_script(message.script)
  return ended, why
end

function commands.release(message, one)
  one.released[message.name] = true
  one:changed()
  return true
end

function commands.requests(_, one)
  settle()
  return one.requests
end

function commands.connections(_, one)
  settle()
  return one.connections
end

-- What a spec can wait for.
local counters = {}

function counters.requests(one)
  local complete = 0
  for _, request in ipairs(one.requests) do complete = complete + (request.complete and 1 or 0) end
  return complete
end

function counters.heads(one) return #one.requests end

function counters.connections(one) return #one.connections end

local function count(connections, is)
  local found = 0
  for _, record in ipairs(connections) do found = found + (is(record) and 1 or 0) end
  return found
end

function counters.closed(one)
  return count(one.connections, function(record) return record.closed end)
end

function counters.quiet(one)
  return count(one.connections, function(record) return record.closed or record.stalls end)
end

function commands.await(message, one)
  local counter = counters[message.what]
  return one:wait_until(function() return counter(one) >= message.count end, message.seconds)
end

function commands.close(_, one)
  one.closed = true
  one:changed()
  settle()
  return one:end_connections()
end

-- A failure of a script since the last message comes first.
local function answer(message)
  if #failures > 0 then return { error = table.remove(failures, 1) } end
  local result, why = commands[message.command](message, listeners[message.id])
  return { result = result, error = not result and why or nil }
end

local function read_message(control)
  local size = control:xread("*l", "b")
  return size and cjson.decode(assert(control:xread(tonumber(size), "b")))
end

local function govern(control)
  control:onerror(return_error)
  local message = read_message(control)
  while message do
    local text = cjson.encode(answer(message))
    control:xwrite(#text .. "\n" .. text, "bn")
    message = read_message(control)
  end
  control:close()
end

local function main()
  local control = socket.listen { host = "127.0.0.1", port = 0, nodelay = true }
  assert(control:listen())
  local _, _, port = control:localname()
  loop:wrap(function()
    while true do
      local client = control:accept()
      loop:wrap(function() govern(client) end)
    end
  end)
  io.stdout:write(port, "\n")
  io.stdout:flush()
  for why in loop:errors() do
    io.stderr:write(tostring(why), "\n")
    failures[#failures + 1] = tostring(why)
  end
end

main()
