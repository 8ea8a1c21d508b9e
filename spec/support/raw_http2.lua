-- The little of HTTP/2 the raw server reads: whether a request began and whether it is whole (RFC
-- 9113). What is sent back is bytes of the script.

local M = { words = {} }

local PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
local DATA, HEADERS, SETTINGS = 0, 1, 4
local END_STREAM, ACK = 1, 1

-- The bytes of a frame with at most 255 bytes of payload.
function M.frame(kind, flags, stream, payload)
  payload = payload or ""
  return string.char(0, 0, #payload, kind, flags, 0, 0, 0, stream) .. payload
end

local SETTLED = M.frame(SETTINGS, 0, 0) .. M.frame(SETTINGS, ACK, 0)

-- The next frame: kind, flags and payload, and all its bytes; nil where the stream ends first.
local function read_frame(connection)
  local head = connection:read_bytes(9)
  if #head < 9 then return nil end
  local high, middle, low, kind, flags = head:byte(1, 5)
  local payload = connection:read_bytes(high * 65536 + middle * 256 + low)
  return kind, flags, payload, head .. payload
end

-- Reads frames until one of `kind` comes, into the request's record where there is one; returns its
-- flags, payload and bytes.
local function read_until(connection, kind)
  repeat
    local found, flags, payload, bytes = read_frame(connection)
    if found == kind then return flags, payload, bytes end
  until not found
end

-- Reads until a request began: its HEADERS, small enough for one frame. Greets the client first.
function M.words.h2_head(connection)
  if not connection.greeted then
    if connection:read_bytes(#PREFACE) ~= PREFACE then return false end
    connection:send(SETTLED)
    connection.greeted = true
  end
  local flags, _, bytes = read_until(connection, HEADERS)
  if not flags then return false end
  connection:begin_request("", bytes)
  connection.stream_ended = flags % 2 == END_STREAM
  return true
end

-- Reads the rest of the request whose HEADERS came.
function M.words.h2_body(connection)
  while not connection.stream_ended do
    local flags, payload, bytes = read_until(connection, DATA)
    if not flags then return false end
    connection:body_arrived(bytes, payload, #bytes)
    connection.stream_ended = flags % 2 == END_STREAM
  end
  connection:end_request(true)
  return true
end

return M
