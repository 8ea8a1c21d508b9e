-- The ledger: what is to be done, who does it, and what has been done, in an SQL database.

local core = require "polytomic.core"
local address = require "polytomic.provision.ledger.address"
local database = require "polytomic.provision.ledger.database"
local json_text = require "polytomic.json_text"
local owner = require "polytomic.provision.ledger.owner"
local statements = require "polytomic.provision.ledger.statements"

local M = {
  TTL = 60, -- seconds a lease lasts
}

local CHUNK = 500 -- rows that one statement takes
local RETRY, PATIENCE = 0.25, 60 -- seconds between attempts, and for all of them

local ledger = {}
ledger.__index = ledger

-- ---- rows as JSON ----

local function write_row(row)
  local parts = {}
  for name, value in pairs(row) do
    local text = type(value) == "number" and ("%d"):format(value) or json_text.string(value)
    parts[#parts + 1] = '"' .. name .. '":' .. text
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- A list of rows as the parameter of a statement.
local function rows_text(rows)
  local parts = {}
  for i, row in ipairs(rows) do parts[i] = write_row(row) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function ids_text(ids, first, last)
  local parts = {}
  for i = first or 1, last or #ids do parts[#parts + 1] = ('{"id":%d}'):format(ids[i]) end
  return "[" .. table.concat(parts, ",") .. "]"
end

-- ---- opening ----

local function create(self, base_url, account)
  return self.db:transaction(function()
    local ok, found = self.db:run "lock_schema"
    for _, name in ipairs(statements.schema) do
      if ok then ok, found = self.db:run(name) end
    end
    if ok then ok, found = self.db:run("insert_ledger", statements.VERSION, base_url, account) end
    return ok, found
  end)
end

local function check_identity(self, base_url, account)
  local rows, found = self.db:run "identity"
  if not rows then return nil, found.message end
  local row = rows[1]
  if not row then return nil, "it holds no row in polytomic_ledger" end
  if row.version ~= statements.VERSION then
    return nil, ("its version is %s, this library knows %s"):format(row.version, statements.VERSION)
  end
  if base_url and row.base_url ~= base_url then
    return nil, ("it belongs to %s, not to %s"):format(row.base_url, base_url)
  end
  if account and account ~= "" and row.account ~= account then
    if row.account ~= "" then
      return nil, ("it belongs to the account %s of %s, not to the account %s"):format(row.account,
        row.base_url, account)
    end
    rows, found = self.db:run("set_account", account)
    if not rows then return nil, found.message end
  end
  return true
end

-- Whether there is a file, which is not opened: closing it would end the locks that SQLite holds
-- for another connection of this process.
local function exists(path)
  return (os.rename(path, path)) ~= nil
end

-- Opens a ledger, which is made where there is none and `create` is given; or nil, a message and
-- whether there is none. It must belong to `base_url` and `account` where they are given; an
-- account of "" is not known yet.
function M.open(where, options)
  local place, message = address.parse(where, options.from_environment)
  if not place then return nil, message end
  if not options.create and place.kind == "sqlite" and not exists(place.path) then
    return nil, ("there is no ledger %s"):format(place.shown), true
  end
  local db
  db, message = database.open(place)
  if not db then return nil, message end
  local self = setmetatable({ db = db, shown = place.shown, owner = owner.name() }, ledger)
  local rows, found = db:run "has_ledger"
  local ok = rows ~= nil
  if rows and tonumber(rows[1].count) == 0 then
    if not options.create then
      db:close()
      return nil, ("there is no ledger in %s"):format(place.shown), true
    end
    ok, found = create(self, options.base_url, options.account or "")
  end
  message = found and found.message
  if ok then ok, message = check_identity(self, options.base_url, options.account) end
  if ok then
    db:settle()
    return self
  end
  db:close()
  return nil, ("cannot use the ledger %s: %s"):format(place.shown, message)
end

function ledger:close()
  self.db:close()
end

-- Repeats body() while the ledger is busy or out of reach, not for ever: what it returns. Between
-- attempts it lets time pass with the function `pause` of the ledger, where there is one, unless
-- its function `stop` says so before: then the problem is of the kind "stopped".
function ledger:again(body)
  local began = core.now()
  while true do
    local result, found = body()
    if result ~= nil then return result end
    local passes = found.kind == "busy" or found.kind == "lost"
    if not passes or not self.pause or core.now() - began > PATIENCE then return nil, found end
    if self.stop and self.stop() then
      return nil, { kind = "stopped", message = "interrupted while waiting: " .. found.message }
    end
    self.pause(RETRY)
  end
end

-- A problem as one line.
function ledger:say(found)
  return ("the ledger %s: %s"):format(self.shown, found.message)
end

-- The same as nil, message, err of the function `name`.
function ledger:error(name, outcome, found)
  local kind = found.kind == "stopped" and "cancelled" or "ledger"
  return core.make_error(name, kind, outcome, self:say(found))
end

-- ---- loading ----

-- The time now, as a text to compare with; or nil and a problem.
function ledger:now()
  local rows, found = self.db:run "now"
  if not rows then return nil, found end
  return rows[1].now
end

-- What to try again of what failed: "all", those whose "keys" were lost, or nil.
function M.what_again(options)
  return options.retry_failed and "all" or options.replace_lost_keys and "keys" or nil
end

-- Writes customers, each { name =, source =, fingerprint =, state = }, and calls `take(row)` with
-- id, name and state of each; `again` is of what_again. Returns true, or nil and a problem.
function ledger:load(customers, again, take)
  local rows, found = self.db:run("load", rows_text(customers), again or "none")
  if not rows then return nil, found end
  for _, row in ipairs(rows) do take(row) end
  return true
end

-- Writes steps of customers that nobody works on; true, or nil and a problem.
function ledger:note(steps)
  local rows, found = self.db:run("write_steps", rows_text(steps))
  if not rows then return nil, found end
  return true
end

-- The same without having looked at the server: how many became work, or nil and a problem.
function ledger:enqueue(customers)
  local rows, found = self.db:run("enqueue", rows_text(customers))
  if not rows then return nil, found end
  return #rows
end

-- The ids of organizations by which the ledger knows customers of a store, as a map to their
-- numbers; or nil and a problem.
function ledger:known_ids(store)
  local known, last = {}, 0
  while true do
    local rows, found = self:again(function()
      return self.db:run("known_ids", ("%d"):format(last))
    end)
    if not rows then return nil, found end
    for _, row in ipairs(rows) do
      local i = row.remote_id and store:index_of(row.customer)
      if i then known[row.remote_id] = i end
      last = row.id
    end
    if #rows == 0 then return known end
  end
end

-- What is remembered of the customers `first` to `last` of a store, by name: { steps = by
-- name }; or nil and a problem.
function ledger:records(store, first, last)
  local names, records = {}, {}
  for i = first, last do names[#names + 1] = { name = store:name(i) } end
  local text = rows_text(names)
  local rows, found = self:again(function() return self.db:run("records", text) end)
  if not rows then return nil, found end
  for _, row in ipairs(rows) do
    local record = records[row.customer]
    if not record then
      record = { steps = {} }
      records[row.customer] = record
    end
    if row.step then record.steps[row.step] = row end
  end
  return records
end

-- The same as a function of `first` and `last`, for reads: or nil, message, err.
function ledger:remembered(store)
  return function(first, last)
    local records, found = self:records(store, first, last)
    if records then return records end
    return self:error("provision", "unsent", found)
  end
end

-- ---- leases and writing ----

-- Claims customers for this process: up to `count` of the oldest, or of the list `ids`. `listed_at`
-- is the time of the list of organizations at hand, or "0". Each row has `steps`, by name.
function ledger:claim(count, ids, listed_at)
  local ttl = ("%d"):format(M.TTL)
  local rows, found
  if ids then
    rows, found = self.db:run("claim_these", self.owner, ttl, ids_text(ids), listed_at)
  else
    rows, found = self.db:run("claim", self.owner, ttl, ("%d"):format(count), listed_at)
  end
  if not rows then return nil, found end
  if #rows == 0 then return rows end
  local claimed, list = {}, {}
  for i, row in ipairs(rows) do
    row.steps = {}
    claimed[row.id], list[i] = row, row.id
  end
  local steps
  steps, found = self.db:run("steps", ids_text(list), listed_at)
  if not steps then return nil, found end
  for _, step in ipairs(steps) do
    local row = claimed[step.customer_id]
    row.steps[step.name] = step
  end
  table.sort(rows, function(a, b) return a.id < b.id end)
  return rows
end

local function by_id(a, b) return a.id < b.id end

local function by_customer(a, b)
  if a.customer_id ~= b.customer_id then return a.customer_id < b.customer_id end
  return a.name < b.name
end

-- Rows of those customers whose lease is still held.
local function kept(rows, held, member)
  local list = {}
  for _, row in ipairs(rows) do
    if held[row[member]] then list[#list + 1] = row end
  end
  return list
end

-- Renews leases: those that are still held, by id; or nil and a problem.
local function fence(self, leases)
  local held = {}
  if #leases == 0 then return held end
  local rows, found = self.db:run("fence", rows_text(leases), ("%d"):format(M.TTL))
  if not rows then return nil, found end
  for _, row in ipairs(rows) do held[row.id] = true end
  return held
end

-- Writes in one transaction, after the fence: `work` is { fence = { { id =, lease = } … }, steps =,
-- finish =, release = }, all lists, and `claim = function() → rows`. Returns { held = by id,
-- claimed = }, or nil and a problem, and then nothing was written.
function ledger:write(work)
  table.sort(work.fence, by_id)
  table.sort(work.finish, by_id)
  table.sort(work.steps, by_customer)
  return self.db:transaction(function()
    local held, found = fence(self, work.fence)
    if not held then return nil, found end
    for _, one in ipairs { { "write_steps", work.steps, "customer_id" },
      { "finish", work.finish, "id" }, { "release", work.release, "id" } } do
      local list = kept(one[2], held, one[3])
      if #list > 0 then
        local rows
        rows, found = self.db:run(one[1], rows_text(list))
        if not rows then return nil, found end
      end
    end
    local claimed = {}
    if work.claim then
      claimed, found = work.claim()
      if not claimed then return nil, found end
    end
    return { held = held, claimed = claimed }
  end)
end

-- Ends the leases of processes of this machine that are gone; returns how many customers others
-- hold, or nil and a problem.
function ledger:take_over()
  local rows, found = self.db:run "owners"
  if not rows then return nil, found end
  local others = 0
  for _, row in ipairs(rows) do
    if owner.is_gone(row.owner) then
      local ok
      ok, found = self.db:run("expire", row.owner)
      if not ok then return nil, found end
    elseif row.owner ~= self.owner then
      others = others + tonumber(row.count)
    end
  end
  return others
end

-- Which of a list of ids are still to be done; or nil and a problem.
function ledger:still_queued(ids)
  local left = {}
  for first = 1, #ids, CHUNK do
    local text = ids_text(ids, first, math.min(first + CHUNK - 1, #ids))
    local rows, found = self.db:run("still_queued", text)
    if not rows then return nil, found end
    for _, row in ipairs(rows) do left[#left + 1] = row.id end
  end
  return left
end

-- How many customers are queued or leased; or nil and a problem.
function ledger:left()
  local rows, found = self.db:run "left"
  if not rows then return nil, found end
  return tonumber(rows[1].count)
end

-- ---- what has become of it ----

-- Calls `take(row)` with what has become of each of a list of customers.
function ledger:outcomes(ids, take)
  for first = 1, #ids, CHUNK do
    local text = ids_text(ids, first, math.min(first + CHUNK - 1, #ids))
    local rows, found = self:again(function() return self.db:run("outcomes", text) end)
    if not rows then return nil, found end
    for _, row in ipairs(rows) do take(row) end
  end
  return true
end

-- Counts by state, and in all; or nil and a problem.
function ledger:counts()
  local rows, found = self.db:run "counts"
  if not rows then return nil, found end
  local counts = { queued = 0, running = 0, done = 0, failed = 0, unknown = 0, total = 0 }
  for _, row in ipairs(rows) do
    local count = tonumber(row.count)
    counts[row.state], counts.total = count, counts.total + count
    if row.state == "queued" then
      counts.running = tonumber(row.running) or 0
      counts.queued = count - counts.running
    end
  end
  return counts
end

-- Calls `take(row)` with each customer that failed or is unknown.
function ledger:failures(take)
  local last = 0
  while true do
    local rows, found = self:again(function()
      return self.db:run("failures", ("%d"):format(last))
    end)
    if not rows then return nil, found end
    for _, row in ipairs(rows) do
      take(row)
      last = row.id
    end
    if #rows == 0 then return true end
  end
end

-- Puts back what failed or is unknown, as `again` of what_again says: how many, or nil and a
-- problem.
function ledger:retry(again)
  local rows, found = self.db:run("retry", again)
  if not rows then return nil, found end
  return #rows
end

return M
