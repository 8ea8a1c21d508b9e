-- provision.apply: reads what the server holds, writes down what differs, and works it off.

local core = require "polytomic.core"
local difference = require "polytomic.provision.difference"
local json = require "polytomic.json_text"
local ledgers = require "polytomic.provision.ledger"
local plan = require "polytomic.provision.plan"
local reads = require "polytomic.provision.reads"
local tasks = require "polytomic.provision.tasks"
local workers = require "polytomic.provision.worker"

local M = {}

local CHUNK = 500 -- customers written by one statement
local POLL = 0.5  -- seconds between two looks at what others hold

-- nil, message, err for a ledger that failed before anything was sent.
local function not_begun(ledger, found)
  return ledger:error("apply", found.kind == "stopped" and "unsent" or "unknown", found)
end

-- ---- whose account this is ----

-- What names the account of a client's key, "" where the server does not say; or nil, message, err,
-- also where stop() says so meanwhile.
function M.account(client, stop)
  local data, message, err
  local pool = tasks.new(client, { interrupted = stop, ended = function(_, ok, a, b, c)
    if not ok then error(a, 0) end
    data, message, err = a, b, c
  end })
  pool:start({}, tasks.patiently, client, function()
    return tasks.call(client, "get_identity", {})
  end)
  while pool.alive > 0 do
    pool:await()
    if pool.interrupted() then
      pool:cancel()
      return core.make_error("apply", "cancelled", "unsent", "interrupted before anything was sent")
    end
    pool:turn()
  end
  if data then
    local id = data.organization_id or data.id
    return type(id) == "string" and id or ""
  end
  if err.kind == "not_found" or err.kind == "forbidden" then return "" end
  return nil, message, err
end

-- ---- reading ----

-- What the server holds of a customer, as a text; `decode_found` gives it back.
local function encode_found(found)
  local users, roles = {}, nil
  for _, user in pairs(found.users) do users[#users + 1] = user end
  if found.roles then
    roles = {}
    for i, name in ipairs(found.roles.list) do
      roles[i] = { id = found.roles.by_name[name], name = name }
    end
  end
  return json.encode { org = found.org, users = users, roles = roles }
end

local function decode_found(text)
  local found = json.decode(text)
  local users = {}
  for _, user in ipairs(found.users) do users[user.email:lower()] = user end
  found.users = users
  if found.roles then
    local index, take = difference.role_index()
    for _, role in ipairs(found.roles) do take(role) end
    found.roles = index
  end
  return found
end

-- Compares every customer: { work = by number, known = texts by number, org_ids = by number, counts
-- = }, or nil, message, err.
local function compare(client, store, ledger, options)
  local seen = { work = {}, known = {}, org_ids = {}, counts = plan.counts() }
  local known_ids, found_wrong = ledger:known_ids(store)
  if not known_ids then return not_begun(ledger, found_wrong) end
  local ok, message, err = reads.run(client, store, {
    concurrency = options.concurrency, interrupted = options.stop, known_ids = known_ids,
    remembered = ledger:remembered(store),
  }, function(i, customer, found, record)
    local changes = difference.changes(customer, found, plan.has_key_by(record))
    plan.count(seen.counts, changes)
    if options.on_change then
      for _, change in ipairs(changes) do options.on_change(change) end
    end
    if #changes > 0 then
      seen.work[i] = true
      seen.known[i] = found and encode_found(found) or nil
    else
      local org = record and record.steps.org
      local noted = org and org.state == "done" and org.remote_id == found.org.id
      if not noted then seen.org_ids[i] = found.org.id end
    end
  end)
  if not ok then return nil, message, err end
  return seen
end

-- ---- writing down ----

-- Writes customers `first` to `last` into the ledger and takes note of their ids.
local function load_chunk(run, first, last)
  local rows, numbers = {}, {}
  for i = first, last do
    local text = run.store:text(i)
    local name = run.store:name(i)
    rows[#rows + 1] = { name = name, source = text, fingerprint = core.fingerprint(text),
      state = run.seen.work[i] and "queued" or "done" }
    numbers[name] = i
  end
  table.sort(rows, function(a, b) return a.name < b.name end)
  local loaded
  local ok, found = run.ledger:again(function()
    loaded = {}
    return run.ledger:load(rows, ledgers.what_again(run.options), function(row)
      loaded[#loaded + 1] = row
    end)
  end)
  if not ok then return nil, found end
  local noted = {}
  for _, row in ipairs(loaded) do
    local i = numbers[row.name]
    run.ids[i] = row.id
    if row.state == "queued" then run.todo[#run.todo + 1] = row.id end
    if row.state == "done" and run.seen.org_ids[i] then
      noted[#noted + 1] = { customer_id = row.id, name = "org", position = 1, state = "done",
        idempotency_key = core.uuid(), request_hash = "-", remote_id = run.seen.org_ids[i] }
    end
    if row.state == "queued" then
      run.known[row.id] = run.seen.known[i]
      run.literals[row.name] = run.store:literal(i)
    end
  end
  if #noted == 0 then return true end
  return run.ledger:again(function() return run.ledger:note(noted) end)
end

local function load(run)
  for first = 1, run.store.count, CHUNK do
    local ok, found = load_chunk(run, first, math.min(first + CHUNK - 1, run.store.count))
    if not ok then return nil, found end
  end
  table.sort(run.todo)
  run.store:close()
  run.store, run.seen = nil, nil
  return true
end

-- ---- what to claim ----

local source = {}
source.__index = source

function source:next(count)
  local list, at = self.todo, self.at
  if at > #list then
    list, at = self.again, 1
    if #list == 0 then return nil end
  end
  local ids = {}
  for i = at, math.min(at + count - 1, #list) do ids[#ids + 1] = list[i] end
  return ids
end

-- Others hold what was not to be had.
function source:claimed(ids, rows)
  local had = {}
  for _, row in ipairs(rows) do had[row.id] = true end
  if self.at <= #self.todo then
    self.at = self.at + #ids
  else
    for _ = 1, #ids do table.remove(self.again, 1) end
  end
  for _, id in ipairs(ids) do
    if not had[id] then self.others[#self.others + 1] = id end
  end
end

-- What is known of the server may be out of date.
function source:lost(id)
  self.stale[id] = true
  self.others[#self.others + 1] = id
end

function source:pause()
  return self.at <= #self.todo and 0 or POLL
end

-- Everything is over when nobody holds anything of it any more.
function source:idle()
  if self.at <= #self.todo or #self.again > 0 then return false end
  if #self.others == 0 then return true end
  local held, found = self.ledger:take_over()
  if not held then return nil, found end
  local left
  left, found = self.ledger:still_queued(self.others)
  if not left then return nil, found end
  self.again, self.others = left, {}
  self.waiting = held > 0 and #left or nil -- for the progress line
  return #left == 0
end

-- ---- all of it ----

-- What has come of it; or nil, message, err.
local function summary_of(run, worker)
  local summary = { done = 0, failed = 0, unknown = 0, queued = 0, created = worker.created,
    updated = worker.updated, failures = {} }
  local report, message
  if run.options.open_report then
    report, message = run.options.open_report()
    if not report then return core.make_error("apply", "ledger", "unknown", message) end
  end
  local ids = {}
  for _, id in pairs(run.ids) do ids[#ids + 1] = id end
  table.sort(ids)
  local ok, found = run.ledger:outcomes(ids, function(row)
    summary[row.state] = summary[row.state] + 1
    if row.state == "failed" or row.state == "unknown" then
      summary.failures[#summary.failures + 1] = { customer = row.name, state = row.state,
        kind = row.error_kind, message = row.error }
    end
    if report then report.add(row) end
  end)
  local closed = true
  if report then closed, message = report.close() end
  if not ok then return run.ledger:error("apply", "unknown", found) end
  if not closed then return core.make_error("apply", "ledger", "unknown", message) end
  return summary
end

local function begin(client, store, ledger, options)
  local read_at, found = ledger:again(function() return ledger:now() end)
  if not read_at then return not_begun(ledger, found) end
  local taken
  taken, found = ledger:again(function() return ledger:take_over() end)
  if not taken then return not_begun(ledger, found) end
  local seen, message, err = compare(client, store, ledger, options)
  if not seen then return nil, message, err end
  if options.confirm and not options.confirm(seen.counts) then
    return core.make_error("apply", "cancelled", "unsent", "it was not confirmed")
  end
  local run = { client = client, store = store, ledger = ledger, options = options, seen = seen,
    ids = {}, todo = {}, known = {}, literals = {}, counts = seen.counts, read_at = read_at }
  local ok, wrong = load(run)
  if not ok then return not_begun(ledger, wrong) end
  return run
end

-- Applies a store. Options: ledger (opened), concurrency, keys, replace_lost_keys, retry_failed,
-- on_step, on_change, confirm(counts), progress(worker, total, source), stop, open_report. Returns
-- the summary, or nil, message, err where it could not begin.
function M.run(client, store, options)
  local ledger = options.ledger
  local run, message, err = begin(client, store, ledger, options)
  if not run then return nil, message, err end
  local from = setmetatable({ ledger = ledger, todo = run.todo, at = 1, again = {}, others = {},
    stale = {} }, source)
  local worker = workers.new {
    client = client, ledger = ledger, source = from, concurrency = options.concurrency,
    keys = options.keys, replace_lost_keys = options.replace_lost_keys, on_step = options.on_step,
    stop = options.stop, listed_at = run.read_at,
    literal = function(name) return run.literals[name] end,
    known = function(id)
      local text = run.known[id]
      run.known[id] = nil
      if from.stale[id] then return nil end
      return text and decode_found(text) or false
    end,
    on_progress = options.progress and function(worker)
      options.progress(worker, #run.todo, from)
    end,
  }
  local ok
  ok, message, err = worker:run()
  if not ok then return nil, message, err end
  if worker.stopping then ledger.stop = nil end -- what was done before is still to be told
  local summary
  summary, message, err = summary_of(run, worker)
  if not summary then return nil, message, err end
  summary.unchanged = run.counts.unchanged
  summary.interrupted = worker.stopping or nil
  return summary
end

return M
