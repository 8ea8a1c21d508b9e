-- Provisioning: customers as data, brought about exactly once.

local core = require "polytomic.core"
local customers = require "polytomic.provision.customers"
local ledgers = require "polytomic.provision.ledger"
local queue = require "polytomic.provision.queue"
local reports = require "polytomic.provision.report"
local run = require "polytomic.run"
local sources = require "polytomic.provision.sources"
local usage = require "polytomic.usage"

local M = {}

local CONCURRENCY = 8 -- customers at once

-- ---- usage ----

local function check_options(name, options, known)
  usage.check_type(name, "options", options, "table")
  usage.check_options(name, options, known)
end

local function check_usage(name, client, options, known)
  if not core.is_client(client) then
    core.raise(("%s: the first argument must be a client, got %s"):format(name, type(client)))
  end
  check_options(name, options, known)
end

local function invalid(name, message, members)
  return core.make_error(name, "invalid", "unsent", message, members)
end

-- The checked customers of what was given: a path, a list or a function; or nil, message, err.
local function read_customers(name, client, given, literals)
  local kind = type(given)
  if kind ~= "string" and kind ~= "table" and kind ~= "function" then
    core.raise(("%s: customers must be a list, a function or a path, got %s"):format(name, kind))
  end
  local source, message = sources.open(given)
  if not source then return invalid(name, message) end
  local store, text, problems, count = customers.read(client, source, literals)
  if not store then return invalid(name, text, { problems = problems, problem_count = count }) end
  return store
end

-- ---- the ledger ----

-- Opens the ledger that the options name: a URL, or POLYTOMIC_LEDGER, or a file beside the source.
-- Or nil, message, err.
local function open_ledger(name, client, given, options, account)
  local where, from_environment = options.ledger, false
  if not where then
    where = os.getenv "POLYTOMIC_LEDGER"
    from_environment = where ~= nil and where ~= ""
    if not from_environment then
      where = type(given) == "string" and given ~= "-" and "sqlite:" .. given .. ".ledger" or nil
    end
  end
  if not where then
    if options.optional then return nil end
    return invalid(name, "a ledger is needed: sqlite:FILE or postgresql://user@host/db",
      { field = "ledger" })
  end
  local ledger, message, missing = ledgers.open(where, {
    from_environment = from_environment, base_url = client and core.base_url(client),
    account = account, create = options.create ~= false,
  })
  if not ledger then
    if missing and options.optional then return nil end
    return core.make_error(name, "ledger", "unsent", message, { field = "ledger" })
  end
  if client then ledger.pause = function(seconds) run.pause(client, seconds) end end
  ledger.stop = options.stop
  return ledger
end

-- ---- plan ----

local PLAN = { concurrency = "number", on_change = "function", ledger = "string or a boolean",
  interrupted = "function" }

-- provision.plan(client, customers, { concurrency =, on_change =, ledger = }): changes, counts; or
-- nil, message, err. Customers are a path, a list, or a function that gives the next one. A ledger,
-- where one is named (true: that of apply) and there, is only read.
function M.plan(client, given, options)
  options = options or {}
  check_usage("plan", client, options, PLAN)
  local store, message, err = read_customers("plan", client, given, true)
  if not store then return nil, message, err end
  local ledger
  if options.ledger then
    ledger, message, err = open_ledger("plan", client, given, {
      ledger = options.ledger ~= true and options.ledger or nil, optional = true, create = false,
      stop = options.interrupted,
    })
    if message then return nil, message, err end
  end
  local changes, counts
  changes, counts, err = require("polytomic.provision.plan").of(client, store, {
    concurrency = options.concurrency, on_change = options.on_change, ledger = ledger,
    interrupted = options.interrupted,
  })
  if ledger then ledger:close() end
  store:close()
  return changes, counts, err
end

-- ---- apply ----

local APPLY = {
  ledger = "string", concurrency = "number", keys = "string", report = "string",
  progress = "function or a boolean", on_step = "function", replace_lost_keys = "boolean",
  retry_failed = "boolean", on_change = "function", confirm = "function", stop = "function",
}

-- provision.apply(client, customers, { ledger =, concurrency =, keys =, report =, progress =,
-- on_step =, … }): a summary; or nil, message, err where it could not begin, or the ledger or the
-- keys file failed.
function M.apply(client, given, options)
  options = options or {}
  check_usage("apply", client, options, APPLY)
  local problem = options.report and reports.problem(options.report)
  if problem then return invalid("apply", problem, { field = "report" }) end
  local store, message, err = read_customers("apply", client, given, true)
  if not store then return nil, message, err end
  if not options.keys and store.wants_keys then
    return invalid("apply", "API keys are wanted, and no file is given to write them to",
      { field = "keys", hint = "give the option keys a file" })
  end
  local applying = require "polytomic.provision.apply"
  local account
  account, message, err = applying.account(client, options.stop)
  if not account then return nil, message, err end
  local ledger
  ledger, message, err = open_ledger("apply", client, given, options, account)
  if not ledger then return nil, message, err end
  local report = options.report
  local progress, finish = reports.progress(options.progress)
  local summary
  summary, message, err = applying.run(client, store, {
    ledger = ledger, concurrency = options.concurrency or CONCURRENCY, keys = options.keys,
    replace_lost_keys = options.replace_lost_keys, retry_failed = options.retry_failed,
    on_step = options.on_step, on_change = options.on_change, confirm = options.confirm,
    stop = options.stop, progress = progress,
    open_report = report and function() return reports.open(report) end,
  })
  finish()
  ledger:close()
  return summary, message, err
end

-- ---- sharing the work ----

local function ledger_failed(name, ledger, found)
  ledger:close()
  return ledger:error(name, "unknown", found)
end

-- provision.enqueue(client, customers, { ledger = }): { queued =, total = }; or nil, message, err.
-- Nothing is sent: the client only says for which server it is. A client_secret must be a
-- reference.
function M.enqueue(client, given, options)
  options = options or {}
  check_usage("enqueue", client, options, { ledger = "string" })
  local store, message, err = read_customers("enqueue", client, given, false)
  if not store then return nil, message, err end
  local ledger
  ledger, message, err = open_ledger("enqueue", client, given, options)
  if not ledger then return nil, message, err end
  local result, found = queue.enqueue(ledger, store)
  store:close()
  if not result then return ledger_failed("enqueue", ledger, found) end
  ledger:close()
  return result
end

local handle = {}
handle.__index = handle

-- Puts more customers into the ledger: as provision.enqueue.
function handle:put(given)
  local store, message, err = read_customers("enqueue", self.client, given, false)
  if not store then return nil, message, err end
  local result, found = queue.enqueue(self.ledger, store)
  store:close()
  if result then return result end
  return self.ledger:error("enqueue", "unknown", found)
end

function handle:close()
  self.ledger:close()
end

-- provision.queue(client, { ledger = }): a ledger that stays open, for programs that enqueue again
-- and again: queue:put(customers), queue:close(). Or nil, message, err. One for each process: a
-- connection does not survive fork.
function M.queue(client, options)
  options = options or {}
  check_usage("queue", client, options, { ledger = "string" })
  local ledger, message, err = open_ledger("queue", client, nil, options)
  if not ledger then return nil, message, err end
  return setmetatable({ client = client, ledger = ledger }, handle)
end

local WORK = {
  ledger = "string", concurrency = "number", keys = "string", progress = "function or a boolean",
  on_step = "function", replace_lost_keys = "boolean", retry_failed = "boolean",
  drain = "boolean", stop = "function",
}

-- provision.work(client, { ledger =, concurrency =, keys =, drain =, stop =, … }): works a ledger
-- off until stop() says so or, with `drain`, until nothing is queued or leased. Returns { done =,
-- failed =, created =, updated = }; or nil, message, err.
function M.work(client, options)
  options = options or {}
  check_usage("work", client, options, WORK)
  local account, message, err =
    require("polytomic.provision.apply").account(client, options.stop)
  if not account and err.kind == "cancelled" then
    return { done = 0, failed = 0, created = 0, updated = 0, interrupted = true }
  end
  if not account then return nil, message, err end
  local ledger
  ledger, message, err = open_ledger("work", client, nil, options, account)
  if not ledger then return nil, message, err end
  local progress, finish = reports.progress(options.progress)
  local result
  result, message, err = queue.work(client, {
    ledger = ledger, concurrency = options.concurrency or CONCURRENCY, keys = options.keys,
    replace_lost_keys = options.replace_lost_keys, retry_failed = options.retry_failed,
    on_step = options.on_step, stop = options.stop, drain = options.drain, progress = progress,
  })
  finish()
  ledger:close()
  return result, message, err
end

-- provision.status { ledger =, retry_failed = }: { queued =, running =, done =, failed =,
-- unknown =, total =, failures = }; or nil, message, err. `retry_failed` first puts back what
-- failed.
function M.status(options)
  options = options or {}
  check_options("status", options, { ledger = "string", retry_failed = "boolean" })
  local ledger, message, err =
    open_ledger("status", nil, nil, { ledger = options.ledger, create = false })
  if not ledger then return nil, message, err end
  local status, found = queue.status(ledger, options.retry_failed)
  if not status then return ledger_failed("status", ledger, found) end
  ledger:close()
  return status
end

return M
