-- The process behind the slow server: answers every request after a while, and knows how many it
-- was answering at once.
--
-- Arguments: the delay in seconds, how many requests it takes at once (0: any number; the others
-- get 429 at once), and for TLS the paths of a certificate and its key. Prints its port. `GET
-- /_stats` tells what it saw, as JSON. No iterator of a `for` yields here: Lua 5.1 cannot.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local delay, limit = tonumber(arg[1]), tonumber(arg[2])
local context = arg[3]
  and require "spec.support.raw_tls".context { certificate = arg[3], key = arg[4] }

local BODY = '{"data":{"id":"248df4b7-aa70-47b8-a036-33ac447e668d","name":"Slow"}}'

local stats = { requests = 0, connections = 0, now = 0, peak = 0, refused = 0 }

local function stats_body()
  return ('{"requests":%d,"connections":%d,"now":%d,"peak":%d,"refused":%d}'):format(
    stats.requests, stats.connections, stats.now, stats.peak, stats.refused)
end

local function reply(status, body)
  return ("HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"):format(
    status,
    #body,
    body
  )
end

local OK, SLOW_DOWN =
  reply("200 OK", BODY), reply("429 Too Many Requests", '{"message":"slow down"}')

-- Reads a request; its first line, or nil at the end of the connection.
local function read_request(connection)
  local first, length = connection:read("*l"), 0
  local line = first
  while line and line ~= "" and line ~= "\r" do
    length = tonumber(line:match("^[Cc]ontent%-[Ll]ength: *(%d+)")) or length
    line = connection:read("*l")
  end
  if line and length > 0 then line = connection:read(length) end
  return line and first
end

local function answer()
  stats.requests = stats.requests + 1
  if limit > 0 and stats.now >= limit then
    stats.refused = stats.refused + 1
    return SLOW_DOWN
  end
  stats.now = stats.now + 1
  stats.peak = math.max(stats.peak, stats.now)
  cqueues.sleep(delay)
  stats.now = stats.now - 1
  return OK
end

local function is_control(first)
  return first ~= nil and first:find("^GET /_stats") ~= nil
end

local function serve(connection)
  connection:onerror(function(_, _, why) return why end)
  connection:setmode("b", "bn")
  if context and not connection:starttls(context) then return connection:close() end
  local first = read_request(connection)
  if is_control(first) then
    connection:write(reply("200 OK", stats_body()))
    return connection:close()
  end
  if first then stats.connections = stats.connections + 1 end
  while first do
    if not connection:write(answer()) then break end
    first = read_request(connection)
  end
  connection:close()
end

local listener = socket.listen { host = "127.0.0.1", port = 0, nodelay = true }
listener:onerror(function(_, _, why) return why end)
assert(listener:listen())
local _, _, port = listener:localname()
print(port)
io.stdout:flush()

local loop = cqueues.new()
loop:wrap(function()
  while true do
    local connection = listener:accept(0)
    if connection then loop:wrap(serve, connection) else cqueues.poll(listener) end
  end
end)
assert(loop:loop())
