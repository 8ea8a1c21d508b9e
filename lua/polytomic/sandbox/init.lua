-- The sandbox: a local emulator of the Polytomic API, for developing and testing without an
-- account.
--
-- wire/ is the server: HTTP/1.1, HTTP/2 and the faults of the wire. rules/ is what the API does,
-- data/ what it holds. Each of them knows only the ones after it.

local M = {}

local option_types = { host = "string", port = "number", tls = "boolean", partner_key = "string",
  deployment_key = "string", parent = "number", allow_host = "table", show_keys = "boolean",
  state = "string" }

-- What is wrong with the options, or nil.
local function wrong_options(options)
  for name, value in pairs(options) do
    if not option_types[name] then return "unknown option: " .. tostring(name) end
    if type(value) ~= option_types[name] then return name .. " must be a " .. option_types[name] end
  end
  local port = options.port or 0
  if port < 0 or port > 65535 or port % 1 ~= 0 then return "port must be between 0 and 65535" end
end

local function url(host, port, tls)
  if host:find(":", 1, true) then host = "[" .. host .. "]" end
  return string.format("%s://%s:%d", tls and "https" or "http", host, port)
end

-- Reads the file that keeps what the sandbox holds; the keys of the options win over those in it.
-- Returns its keeper; or nil and a message.
local function keep(options, service)
  local api = service.api
  local finishers = require "polytomic.sandbox.rules.work".finishers
  local keeper = require "polytomic.sandbox.data.keeper".new(options.state, api, finishers,
    require "cqueues".monotime)
  local ok, message = keeper:load()
  if not ok then return nil, message end
  local keys = api.state.keys
  keys.partner_key = options.partner_key or keys.partner_key
  keys.deployment_key = options.deployment_key or keys.deployment_key
  service.keeper = keeper
  ok, message = keeper:save()
  if not ok then return nil, message end
  return keeper
end

-- Runs the sandbox in this process until SIGTERM or SIGINT. `announce` is called once it is ready,
-- with a table of url, partner_key, deployment_key and, with TLS, ca_file. Returns true, or nil and
-- a message if it cannot start. Options: host ("127.0.0.1"), port (0: any free one), tls (false),
-- partner_key and deployment_key (random), parent (a pid: stop when that process is gone),
-- allow_host (a list of names that requests may call it by), show_keys (the log of requests has
-- them), state (a file that keeps what it holds). `on_request(entry, seconds)`, optional, is called
-- after each request.
function M.serve(options, announce, on_request)
  local problem = wrong_options(options)
  if problem then error(problem, 2) end
  local ok, message = require "polytomic.sandbox.libraries".check()
  if not ok then return nil, message end
  local random = require "polytomic.sandbox.random"
  local server = require "polytomic.sandbox.wire.server"
  local service = require "polytomic.sandbox.wire.service".new {
    partner_key = options.partner_key or "sandbox_partner_" .. random.hex(16),
    deployment_key = options.deployment_key or "sandbox_deployment_" .. random.hex(16),
    now = require "cqueues".monotime, sleep = require "cqueues".sleep,
    allow_host = options.allow_host, show_keys = options.show_keys, on_request = on_request,
  }
  local keeper
  if options.state then
    keeper, message = keep(options, service)
    if not keeper then return nil, message end
  end
  local identity = options.tls and require "polytomic.sandbox.wire.certificate".new()
  local host = options.host or "127.0.0.1"
  local listening
  listening, message = server.listen(host, options.port or 0, service, identity)
  if not listening then return nil, message end
  server.catch_signals()
  local ca_file = identity
    and require "polytomic.sandbox.child".temporary_file(identity.authority) or nil
  local keys = service.api.state.keys
  local told, why = announce { url = url(host, listening.port, identity),
    partner_key = keys.partner_key, deployment_key = keys.deployment_key, ca_file = ca_file }
  if told then listening:run(options.parent, keeper) end
  if ca_file then os.remove(ca_file) end
  if not told then return nil, "cannot say where it listens: " .. why end
  if keeper then return keeper:finish() end
  return true
end

-- Runs the sandbox in this process until SIGTERM or SIGINT, after printing one line of JSON that
-- says how to reach it; on a terminal, what to do, and then a line for each request. If it cannot
-- start, one line goes to standard error and the process ends with status 1. Options as in serve().
function M.run(options)
  options = options or {}
  local problem = wrong_options(options)
  if problem then error(problem, 2) end
  local people = require "polytomic.terminal".is_terminal(1)
    and require "polytomic.sandbox.people"
  local ok, message = M.serve(options, function(ready)
    local text = people and people.greeting(ready, options)
      or require "polytomic.json_text".encode(ready) .. "\n"
    local written, message = io.stdout:write(text)
    if not written then return nil, message end
    return io.stdout:flush()
  end, people and people.request_lines() or nil)
  if ok then return true end
  io.stderr:write("polytomic sandbox: ", message, "\n")
  os.exit(1)
end

-- Starts the sandbox in a child process, which ends with this one. Returns an object with url,
-- partner_key, deployment_key, ca_file (with TLS), pid and a method stop(); or nil and a message.
-- Options as in serve().
function M.start(options)
  options = options or {}
  local problem = wrong_options(options)
  if problem then error(problem, 2) end
  return require "polytomic.sandbox.child".start(options)
end

-- What the sandbox is and can do, as text for a terminal.
function M.help()
  return require "polytomic.sandbox.help".text()
end

-- What the sandbox does where the API's documents are silent: an array of { rule =, choice = }.
M.inferences = require "polytomic.sandbox.inference".list

return M
