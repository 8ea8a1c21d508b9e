-- The sandbox's own documentation, as text for a terminal: control endpoints, faults, and
-- undocumented choices.

local inference = require "polytomic.sandbox.inference"

local M = {}

-- At most 80 columns wide: a narrower terminal alone breaks its lines.
local introduction = [[
A local emulator of the Polytomic API. On start it says how to reach it; where
its output is no terminal, by one line of JSON: url, partner_key,
deployment_key and, with TLS, ca_file. It begins with one owner organization
and no users, and forgets everything when it stops, unless --state names a
file to keep it in.

System roles: Admin  0a0a0a0a-0000-4000-8000-000000000001
              Member 0a0a0a0a-0000-4000-8000-000000000002

It answers requests whose Host (or :authority) is an IP address, localhost or
a name given by --allow-host, and none with an Origin of another site; others
get 403.

Control endpoints, which need no key:
  POST   /_sandbox/reset     back to the start: state, faults and log; the
                             keys stay valid
  POST   /_sandbox/faults    adds a list of faults
  GET    /_sandbox/faults    every fault with consumed and remaining, and how
                             many are unconsumed
  DELETE /_sandbox/faults    drops all faults
  POST   /_sandbox/seed      fills the collection an operation works on:
                             { "operation": NAME, "count": 1,
                             "organization": ID, "arguments": {} }; answers
                             the arguments that name what it added
  GET    /_sandbox/requests  what arrived on the wire, oldest first; the
                             newest 20000 are kept; keys are masked unless it
                             was started with --show-keys

A fault is { "operation": NAME or "*", "fault": NAME, "times": 1, "after": 0,
… }. It lets `after` requests of the operation pass and takes the next `times`.
`commit` says whether the operation is carried out all the same.
]]

-- Each fault with its members, their defaults, and what happens.
M.faults = {
  { "status", "status=503 retry_after= body= headers= store= commit=false",
    "answers this status; a 500 is stored under the "
      .. "idempotency key, another one only with store=true" },
  { "latency", "seconds=1",
    "waits before the operation is carried out; the idempotency key is in progress meanwhile" },
  { "reset_before", "fin=false",
    "resets the connection (with fin closes it) before the operation" },
  { "reset_after_commit", "fin=false", "the same after the operation, without a reply" },
  { "stall_headers", "seconds=3600 commit=true", "sends nothing for so long" },
  { "stall_body", "seconds=3600 commit=true", "sends the headers, then nothing for so long" },
  { "drip", "interval=0.4 headers=false commit=true", "sends the body (and headers) byte by byte" },
  { "truncate", "chunked=false no_length=false commit=true", "closes in the middle of the body" },
  { "garbage", "bytes=512 raw= commit=true",
    "sends random bytes, or the text `raw` as it is, then closes" },
  { "empty", "commit=true", "a reply with the true status and no body" },
  { "huge", "bytes=70000000 commit=true", "a JSON body of this size" },
  { "gzip_bomb", "bytes=104857600 commit=true",
    "a gzip body that inflates to a JSON text of this size" },
  { "redirect", "status=302 location=/redirected commit=false", "answers a redirect" },
  { "close_idle", "seconds=0 commit=true",
    "a true reply; then closes the connection without having said so" },
  { "bad_json", "body={\"data\":{\"id\": commit=true", "a reply that is not JSON" },
  { "wrong_type", "body={\"data\":\"x\"} commit=true",
    "a reply of another shape; a string body is sent as it is" },
}

function M.text()
  local lines = { introduction, "Faults:" }
  for _, fault in ipairs(M.faults) do
    lines[#lines + 1] = string.format("  %s %s\n      %s", fault[1], fault[2], fault[3])
  end
  lines[#lines + 1] = "\nWhere the API's documents are silent, the sandbox chooses:"
  for _, entry in ipairs(inference.list) do
    lines[#lines + 1] = "  " .. entry.rule .. ":\n      " .. entry.choice
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
