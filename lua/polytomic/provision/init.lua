-- Provisioning: customers as data, brought about exactly once.

local core = require "polytomic.core"
local customers = require "polytomic.provision.customers"
local sources = require "polytomic.provision.sources"

local M = {}

-- ---- usage ----

-- Raises, at the line that called the caller, where a client or the options are none.
local function check_usage(name, client, options, known)
  if not core.is_client(client) then
    error(("%s: the first argument must be a client, got %s"):format(name, type(client)), 3)
  end
  if type(options) ~= "table" then
    error(("%s: options must be a table, got %s"):format(name, type(options)), 3)
  end
  for option, value in pairs(options) do
    local kind = known[option]
    if not kind then
      local names = {}
      for one in pairs(known) do names[#names + 1] = one end
      table.sort(names)
      local nearest = type(option) == "string" and core.nearest(option, names)
      error(("%s: unknown option '%s'%s"):format(
        name, tostring(option), nearest and ", did you mean '" .. nearest .. "'?" or ""
      ), 3)
    end
    if not kind:find(type(value), 1, true) then
      error(("%s: %s must be a %s, got %s"):format(name, option, kind, type(value)), 3)
    end
  end
  local concurrency = options.concurrency
  if concurrency and (concurrency < 1 or concurrency % 1 ~= 0) then
    error(name .. ": concurrency must be a whole number, 1 or more", 3)
  end
end

local function invalid(name, message, members)
  return core.make_error(name, "invalid", "unsent", message, members)
end

-- The checked customers of what was given: a path, a list or a function; or nil, message, err.
local function read_customers(name, client, given, literals)
  local kind = type(given)
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then
    error(("%s: customers must be a list, a function or a path, got %s"):format(name, kind), 3)
  end
  local source, message = sources.open(given)
  if not source then return invalid(name, message) end
  local store, text, problems = customers.read(client, source, literals)
  if not store then return invalid(name, text, { problems = problems }) end
  return store
end

-- ---- plan ----

local PLAN = { concurrency = "number", on_change = "function", ledger = "string",
  interrupted = "function" }

-- provision.plan(client, customers, { concurrency =, on_change = }): changes, counts; or nil,
-- message, err. Customers are a path, a list, or a function that gives the next one.
function M.plan(client, given, options)
  options = options or {}
  check_usage("plan", client, options, PLAN)
  local store, message, err = read_customers("plan", client, given, true)
  if not store then return nil, message, err end
  return require("polytomic.provision.plan").of(client, store, options)
end

return M
