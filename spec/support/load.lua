-- Many HTTP requests at once on kept-alive connections, from this process: for specs and benchmarks
-- that load a server.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local M = {}

local PATIENCE = 20 -- seconds one step may take

local function open(port)
  local connection = socket.connect { host = "127.0.0.1", port = port, nodelay = true }
  connection:onerror(function(_, _, why) return why end)
  connection:setmode("b", "bn")
  connection:settimeout(PATIENCE)
  return connection
end

local function read_body(connection, length, chunked)
  if not chunked then return length > 0 and connection:read(length) or "" end
  local parts = {}
  while true do
    local size = tonumber((connection:read("*l") or ""):match "^%x+" or "0", 16)
    local part = size > 0 and connection:read(size) or ""
    connection:read("*l")
    if size == 0 then return table.concat(parts) end
    parts[#parts + 1] = part
  end
end

-- One request on an open connection: status, body and whether the server closes now; or nil.
local function exchange(connection, bytes)
  if not connection:write(bytes) then return nil end
  local line = connection:read("*l")
  local status = line and tonumber(line:match "^HTTP/1%.1 (%d+)")
  local length, chunked, closes = 0, false, false
  while line and line ~= "" and line ~= "\r" do
    length = tonumber(line:match "^[Cc]ontent%-[Ll]ength: *(%d+)") or length
    chunked = chunked or line:find "^[Tt]ransfer%-[Ee]ncoding: *chunked" ~= nil
    closes = closes or line:find "^[Cc]onnection: *close" ~= nil
    line = connection:read("*l")
  end
  if not line then return nil end
  return status, read_body(connection, length, chunked), closes
end

M.open, M.exchange = open, exchange

-- The bytes of a request.
function M.request(method, target, body)
  return ("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s"):format(method,
    target, #(body or ""), body or "")
end

local function worker(job, result)
  local connection = open(job.port)
  while not job.stop() do
    local began = cqueues.monotime()
    local status, body, closes = exchange(connection, job.bytes)
    local ended = cqueues.monotime()
    result.statuses[status or 0] = (result.statuses[status or 0] or 0) + 1
    result.latencies[#result.latencies + 1] = ended - began
    if status ~= 200 then result.last_body = body end
    if closes or not status then
      connection:close()
      connection = open(job.port)
    end
    if job.pause then cqueues.sleep(job.pause) end
  end
  connection:close()
end

-- Starts `jobs` in a loop and runs them to their end. A job: `port`, `method`, `target`, `body`,
-- `concurrency`, and `seconds` (how long new requests are begun) or `times` (for each connection);
-- `pause` between two requests of a connection. Returns for each job `statuses` (count by status, 0
-- for none), `latencies` (seconds, sorted), `seconds` (until its last reply). `also(loop)` may add
-- coroutines.
function M.run(jobs, also)
  local loop, results = cqueues.new(), {}
  for index, job in ipairs(jobs) do
    local result = { statuses = {}, latencies = {} }
    results[index] = result
    local began = cqueues.monotime()
    for _ = 1, job.concurrency or 1 do
      local count = 0
      local one = {
        port = job.port,
        pause = job.pause,
        bytes = M.request(job.method or "GET", job.target, job.body),
      }
      function one.stop()
        count = count + 1
        if job.times then return count > job.times end
        return cqueues.monotime() - began >= job.seconds
      end
      loop:wrap(function()
        worker(one, result)
        result.seconds = cqueues.monotime() - began
      end)
    end
  end
  if also then also(loop) end
  assert(loop:loop())
  for _, result in ipairs(results) do table.sort(result.latencies) end
  return (table.unpack or unpack)(results) -- luacheck: ignore
end

-- A sorted list's value at `share` (0.5: the median).
function M.quantile(list, share)
  return list[math.max(1, math.ceil(#list * share))]
end

return M
