-- Clients under test, of the sandbox and of scripted servers; all of them are closed together.
--
--   local client = clients.sandbox { retries = 0 }                   the environment is ignored;
--   options as for polytomic.new
--   local client, server = clients.answered({ 200, '{"data":{}}' }, …)   one reply after another,
--   the last repeated
--   after_each(clients.close)                                        or clients.around(before_each,
--   after_each)

local polytomic = require "polytomic"
local raw_server = require "spec.support.raw_server"
local sandbox = require "spec.support.sandbox"

local M = {}

local open = {}
local server

local function new(defaults, options)
  local all = { env = false }
  for name, value in pairs(defaults) do all[name] = value end
  for name, value in pairs(options or {}) do all[name] = value end
  local client = polytomic.new(all)
  open[#open + 1] = client
  return client
end

-- A client of the sandbox, with its partner key unless `options` has a key of any kind.
function M.sandbox(options)
  options = options or {}
  local keyed = options.api_key or options.partner_key or options.deployment_key
  return new({ base_url = sandbox.url, partner_key = not keyed and sandbox.partner_key or nil },
    options)
end

-- The scripted server of this file, playing `replies` (see raw_server.sequence) from now on, its
-- records empty.
function M.server(replies)
  local script = raw_server.sequence(replies)
  if server then return server:reset(script) end
  server = raw_server.start { script = script }
  return server
end

-- A client of that server, which answers one reply after another: statuses, bytes, or `{ status,
-- body, headers }`.
function M.answered(replies, options)
  if type(replies[1]) ~= "table" and #replies > 1 then replies = { replies } end
  return new(
    { base_url = M.server(replies).url, partner_key = "partner-key-of-specs", retries = 0 },
    options
  ),
    server
end

-- Closes every client made since.
function M.close()
  for _, client in ipairs(open) do client:close() end
  open = {}
end

-- Gives every spec of a file a sandbox that was reset, closes its clients after it, and fails it
-- where it leaves a fault unconsumed. Takes busted's functions, since modules do not see them. With
-- `mode`, `take` is called with a new client of that mode before each spec.
function M.around(before_each, after_each, mode, take)
  before_each(function()
    sandbox:reset()
    if mode then take(M.sandbox(mode.options { retries = 0 })) end
  end)
  after_each(function()
    M.close()
    sandbox:assert_all_faults_consumed()
  end)
end

-- Checks that `call`, whose body is one line, raises a string with that line's position, and
-- returns what follows the position.
function M.raised(call)
  local where = debug.getinfo(call, "S")
  local ok, message = pcall(call)
  assert(not ok, "nothing was raised")
  local line = where.linedefined + (where.lastlinedefined > where.linedefined and 1 or 0)
  local position = ("%s:%d: "):format(where.short_src, line)
  assert(type(message) == "string" and message:sub(1, #position) == position,
    ("raised at another place than %s%s"):format(position, tostring(message)))
  return message:sub(#position + 1)
end

return M
