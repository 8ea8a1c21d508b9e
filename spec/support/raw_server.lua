-- A scripted server on raw sockets: plays any bytes, resets, stalls and drips, and records byte for
-- byte what arrived.
--
-- The sockets live in a child process, one for all servers of this process, so a blocking client
-- under test can talk to them and starting another server costs a message. A script is plain data:
--
--   server:script { { "read", { send = bytes }, "rst" }, … }             one list of steps per
--   connection
--   server:script { per = "request", { { send = bytes } }, … }           one list per request, over
--   any number of connections,
--                                                                        each played after the
--                                                                        request was read in full;
--                                                                        `Connection: close` is
--                                                                        honoured
--
-- The last list repeats. A number in place of a list answers with that status, a string with those
-- bytes. Steps:
--
--   "read"            a whole request: head, then the body by Content-Length or chunks; answers
--   `Expect: 100-continue`
--   "head"            a head only; `"body"` reads the rest of that request
--   { read = n }      a head and n bytes of the body
--   "h2_head"         the beginning of an HTTP/2 request, after the connection's preface; "h2_body"
--   reads the rest of it
--   { bytes = n }     n bytes of whatever comes, recorded as a request without a head
--   { send = bytes, times = n }                    sends, n times over (default 1)
--   { drip = bytes, size = n, interval = s }       sends n bytes (default 1) every s seconds
--   { sleep = s }     waits
--   { wait = name }   waits for `server:release(name)`
--   "fin"             FIN, then reads until the client closes; also the end of every list; under
--   TLS without close_notify
--   "close"           closes at once: FIN, or RST where unread bytes are left
--   "rst"             RST
--   "stall"           sends nothing and reads on until the client closes
--   "again"           starts the list anew, for the next request on the connection
--   "plain"           first in a list: no TLS on a TLS server
--   { tls = files }   first in a list: TLS with this certificate; elsewhere: starts TLS there
--   "tunnel"          after a CONNECT request: connects to its target and copies both ways

local cjson = require("cjson").new()
local luasocket = require "socket"
local process = require "spec.support.process"

local M = {}

local PATIENCE = 10  -- seconds a control message may take

local WORDS = {
  read = true, head = true, body = true, fin = true, close = true, rst = true, stall = true,
  again = true, plain = true, tunnel = true, h2_head = true, h2_body = true,
}
local KEYS = { "send", "drip", "sleep", "wait", "read", "bytes", "tls" }

local REASONS = {
  [200] = "OK", [201] = "Created", [204] = "No Content", [400] = "Bad Request",
  [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [409] = "Conflict",
  [422] = "Unprocessable Entity", [429] = "Too Many Requests",
  [500] = "Internal Server Error", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout",
}

-- The bytes of a reply. `body` is bytes, or a table to be sent as JSON; `headers` maps names to a
-- value or a list of values and wins over the Content-Type and Content-Length that come by
-- themselves (`false` leaves one of these out).
function M.reply(status, body, headers)
  if type(body) == "table" then body = cjson.encode(body) end
  body = body or ""
  local all = {}
  local bodyless = status == 204 or status == 304
  if not bodyless then all["Content-Length"] = #body end
  if body ~= "" then all["Content-Type"] = "application/json" end
  for name, value in pairs(headers or {}) do all[name] = value end
  local names = {}
  for name in pairs(all) do names[#names + 1] = name end
  table.sort(names)
  local lines = { ("HTTP/1.1 %d %s"):format(status, REASONS[status] or "Status") }
  for _, name in ipairs(names) do
    local values = type(all[name]) == "table" and all[name] or { all[name] }
    for _, value in ipairs(values) do
      if value then lines[#lines + 1] = name .. ": " .. tostring(value) end
    end
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (bodyless and "" or body)
end

-- A reply in chunks of `size` bytes (default 7).
function M.chunked_reply(status, body, size)
  local parts = { M.reply(status, "", { ["Content-Length"] = false,
    ["Content-Type"] = "application/json", ["Transfer-Encoding"] = "chunked" }) }
  for first = 1, #body, size or 7 do
    local chunk = body:sub(first, first + (size or 7) - 1)
    parts[#parts + 1] = ("%x\r\n%s\r\n"):format(#chunk, chunk)
  end
  parts[#parts + 1] = "0\r\n\r\n"
  return table.concat(parts)
end

local function status_reply(status)
  if status < 300 then return M.reply(status, '{"data":{}}') end
  return M.reply(status, ('{"status":%d,"message":"scripted"}'):format(status))
end

-- A script that answers one request after another: numbers are statuses, strings are bytes, `{
-- status, body, headers }` makes a reply, any other table is a list of steps.
function M.sequence(list)
  local script = { per = "request" }
  for index, item in ipairs(list) do
    if type(item) == "table" and type(item[1]) == "number" then
      item = M.reply(item[1], item[2], item[3])
    end
    script[index] = item
  end
  return script
end

local function check_step(step, where)
  if type(step) == "string" and WORDS[step] then return step end
  for _, key in ipairs(KEYS) do
    if type(step) == "table" and step[key] ~= nil then return step end
  end
  error(
    "no such step: "
      .. (type(step) == "string" and ("%q"):format(step:sub(1, 40)) or type(step))
      .. " in list "
      .. where,
    0
  )
end

-- A script as the child plays it; raises where it makes no sense.
local function normal(script)
  script = script or { per = "request", 200 }
  local per = script.per or "connection"
  assert(per == "connection" or per == "request", "a script is per connection or per request")
  assert(#script > 0, "a script needs a list of steps")
  local list = {}
  for index, steps in ipairs(script) do
    if type(steps) == "number" then steps = status_reply(steps) end
    if type(steps) == "string" then
      steps = per == "request" and { { send = steps } } or { "read", { send = steps } }
    end
    list[index] = {}
    for position, step in ipairs(steps) do list[index][position] = check_step(step, index) end
  end
  return { per = per, list = list }
end

-- The child and the control connection to it, started on first use.
local function peer()
  return process.shared("raw_peer", function()
    local child = process.start_lua { "spec/support/raw_peer.lua" }
    local control = assert(luasocket.connect("127.0.0.1", tonumber(child.first_line)))
    control:setoption("tcp-nodelay", true)
    control:settimeout(PATIENCE)
    return { child = child, control = control }
  end, function(running) return running.child:alive() end)
end

local function fail(running, why)
  local _, errors = running.child:output()
  running.child:stop()
  error("the raw server does not answer: " .. tostring(why) .. "\n" .. errors, 0)
end

local function ask(message)
  local running = peer()
  local text = cjson.encode(message)
  local sent, send_error = running.control:send(#text .. "\n" .. text)
  local size, why = running.control:receive("*l")
  local answer = sent and size and running.control:receive(tonumber(size))
  if not answer then fail(running, send_error or why) end
  answer = cjson.decode(answer)
  if answer.error then error("raw server: " .. answer.error, 0) end
  return answer.result
end

local server = {}
server.__index = server

function server:ask(command, message)
  message = message or {}
  message.command, message.id = command, self.id
  return ask(message)
end

-- Plays another script from now on; open connections go on with what they were doing, records stay.
function server:script(script)
  self:ask("script", { script = normal(script) })
  return self
end

-- Ends all connections, forgets all records, and plays `script` from its start; without one, the
-- script it was started with.
function server:reset(script)
  self:ask("reset", { script = script and normal(script) or self.initial })
  return self
end

-- Lets connections go on that wait for `name`.
function server:release(name)
  self:ask("release", { name = name })
end

-- How many connections were accepted.
function server:connections()
  return #self:ask("connections")
end

-- One record for each connection: `index`, `requests` (count), `received` (bytes), `unread` (bytes
-- no step has asked for), `reset` (this side sent RST), `closed`, `tls` (0x0304 for TLS 1.3) or
-- `tls_error`.
function server:connection_records()
  return self:ask("connections")
end

-- Adds `method`, `target`, `version` and `headers` (lower-case names, repeated ones joined by ", ")
-- to a request record.
local function parse_head(request)
  request.method, request.target, request.version =
    request.head:match("^(%S+) (%S+) (HTTP/%S+)\r\n")
  request.headers = {}
  for name, value in request.head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    name = name:lower()
    request.headers[name] = request.headers[name] and request.headers[name] .. ", " .. value
      or value
  end
  return request
end

-- One record for each request, in order of arrival: `connection` (index), `head` and `raw` (bytes
-- as sent), `body` (decoded where it came in chunks), `complete`, `method`, `target`, `version`,
-- `headers`.
function server:requests()
  local requests = self:ask("requests")
  for _, request in ipairs(requests) do parse_head(request) end
  return requests
end

-- Blocks until there are `count` of `what` ("requests" read in full, "heads", "connections",
-- "closed" connections, "quiet" ones: closed or at `stall`, and all that was sent has arrived), at
-- most `seconds` (default 5); says whether there are.
function server:await(what, count, seconds)
  return self:ask("await", { what = what, count = count or 1, seconds = seconds or 5 })
end

-- Stops listening and ends all connections; may be called again.
function server:stop()
  if not self.stopped then
    self.stopped = true
    self:ask("close")
  end
end

-- Starts a server. Options: `script` (default: every request gets 200), `tls` (a certificate of
-- `spec.support.certificates`; add `client_ca` to ask for the client's, `alpn` to choose a
-- protocol), `host` (default 127.0.0.1; "::1" works), `port` (default any). The server has `url`,
-- `host` and `port`.
function M.start(options)
  options = options or {}
  local self =
    setmetatable({ host = options.host or "127.0.0.1", initial = normal(options.script) }, server)
  local made = ask {
    command = "listen",
    host = self.host,
    port = options.port,
    tls = options.tls,
    script = self.initial,
  }
  self.id, self.port = made.id, math.floor(made.port)
  local host = self.host:find(":", 1, true) and "[" .. self.host .. "]" or self.host
  self.authority = host .. ":" .. self.port
  self.url = (options.tls and "https://" or "http://") .. self.authority
  return self
end

-- A bound socket of this process with `port`, `url` and `stop`.
local function held(socket, others)
  local _, port = socket:getsockname()
  return {
    port = tonumber(port),
    url = "http://127.0.0.1:" .. port,
    stop = function()
      for _, one in ipairs(others) do one:close() end
      socket:close()
    end,
  }
end

-- An address that refuses connections for as long as it is held: bound, but not listening.
function M.refused()
  local socket = assert(luasocket.tcp4())
  assert(socket:bind("127.0.0.1", 0))
  return held(socket, {})
end

-- An address that drops connections for as long as it is held: its queue is full, so the kernel
-- answers no SYN.
function M.blackhole()
  local socket = assert(luasocket.tcp4())
  assert(socket:bind("127.0.0.1", 0))
  assert(socket:listen(0))
  local hole = {}
  local address = held(socket, hole)
  repeat
    local filler = assert(luasocket.tcp4())
    filler:settimeout(0)
    filler:connect("127.0.0.1", address.port)
    hole[#hole + 1] = filler
    local _, writable = luasocket.select(nil, { filler }, 0.05)
  until #writable == 0
  return address
end

return M
