-- Sharing the work: putting customers into a ledger, working them off, and counting them.

local core = require "polytomic.core"
local ledgers = require "polytomic.provision.ledger"
local workers = require "polytomic.provision.worker"

local M = {}

local CHUNK = 500 -- customers written by one statement
local POLL = 0.5  -- seconds between two looks for work

-- Puts the customers of a store into a ledger: { queued =, total = }, or nil and a problem.
function M.enqueue(ledger, store)
  local queued = 0
  for first = 1, store.count, CHUNK do
    local rows = {}
    for i = first, math.min(first + CHUNK - 1, store.count) do
      local text = store:text(i)
      rows[#rows + 1] = { name = store:name(i), source = text,
        fingerprint = core.fingerprint(text) }
    end
    table.sort(rows, function(a, b) return a.name < b.name end)
    local count, found = ledger:again(function() return ledger:enqueue(rows) end)
    if not count then return nil, found end
    queued = queued + count
  end
  return { queued = queued, total = store.count }
end

local source = {}
source.__index = source

function source.next() return true end
function source.claimed() end
function source.lost() end
function source.pause() return POLL end

function source:idle()
  local held, found = self.ledger:take_over()
  if not held then return nil, found end
  self.waiting = self.drain and held > 0 and held or nil
  if not self.drain then return false end
  local left
  left, found = self.ledger:left()
  if not left then return nil, found end
  return left == 0
end

-- Works a ledger off until stop() says so, or, with `drain`, until nothing is queued or leased.
-- Returns { done =, failed =, created =, updated = } of this process, or nil, message, err.
function M.work(client, options)
  local ledger = options.ledger
  local from = setmetatable({ ledger = ledger, drain = options.drain }, source)
  local ok, found = ledger:again(function() return ledger:take_over() end)
  local again = ledgers.what_again(options)
  if ok and again then
    ok, found = ledger:again(function() return ledger:retry(again) end)
  end
  if not ok and found.kind == "stopped" then
    return { done = 0, failed = 0, created = 0, updated = 0, interrupted = true }
  end
  if not ok then return ledger:error("work", "unknown", found) end
  local worker = workers.new {
    client = client, ledger = ledger, source = from, concurrency = options.concurrency,
    keys = options.keys, replace_lost_keys = options.replace_lost_keys, on_step = options.on_step,
    stop = options.stop, keeps_list = true, persists = true,
    on_progress = options.progress and function(worker)
      options.progress(worker, nil, from)
    end,
  }
  local ran, message, err = worker:run()
  if not ran then return nil, message, err end
  return { done = worker.done, failed = worker.failed, created = worker.created,
    updated = worker.updated, interrupted = worker.stopping or nil }
end

-- Counts and failures: { queued =, running =, done =, failed =, unknown =, total =, failures = };
-- or nil and a problem.
function M.status(ledger, retry_failed)
  if retry_failed then
    local put_back, found = ledger:again(function() return ledger:retry "all" end)
    if not put_back then return nil, found end
  end
  local status, found = ledger:again(function() return ledger:counts() end)
  if not status then return nil, found end
  local failures = {}
  local ok
  ok, found = ledger:failures(function(row)
    failures[#failures + 1] = { customer = row.name, state = row.state, kind = row.error_kind,
      message = row.error, attempts = row.attempts }
  end)
  if not ok then return nil, found end
  status.failures = failures
  return status
end

return M
