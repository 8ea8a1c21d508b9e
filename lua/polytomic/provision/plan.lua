-- provision.plan: what would change, without changing anything.

local difference = require "polytomic.provision.difference"
local reads = require "polytomic.provision.reads"

local M = {
  ACTIONS = { "create_org", "update_org", "create_user", "update_user", "create_key" },
}

local CONCURRENCY = 8

-- Counts of nothing yet.
function M.counts()
  local counts = { customers = 0, unchanged = 0, changes = 0, problems = 0 }
  for _, action in ipairs(M.ACTIONS) do counts[action] = 0 end
  return counts
end

-- Takes the changes of one customer into the counts.
function M.count(counts, changes)
  counts.customers = counts.customers + 1
  if #changes == 0 then counts.unchanged = counts.unchanged + 1 end
  for _, change in ipairs(changes) do
    counts.changes = counts.changes + 1
    counts[change.action] = counts[change.action] + 1
    if change.problem then counts.problems = counts.problems + 1 end
  end
end

-- Whether the ledger's record of a customer says that a user's key has been minted.
function M.has_key_by(record)
  return function(email, user_id)
    local step = record and record.steps["key:" .. email]
    return step ~= nil and step.state == "done" and step.remote_id == user_id
  end
end

-- The changes of a store's customers and their counts; or nil, message, err. Options:
-- `concurrency`, `on_change(change)`, which then gets each in place of the list, `ledger` (opened),
-- `interrupted`.
function M.of(client, store, options)
  local list, counts = {}, M.counts()
  local ledger, known_ids, failure = options.ledger, nil, nil
  if ledger then known_ids, failure = ledger:known_ids(store) end
  if failure then return ledger:error("plan", "unsent", failure) end
  local ok, message, err = reads.run(client, store, {
    concurrency = options.concurrency or CONCURRENCY, known_ids = known_ids,
    remembered = ledger and ledger:remembered(store),
    interrupted = options.interrupted,
  }, function(_, customer, found, record)
    local changes = difference.changes(customer, found, M.has_key_by(record))
    M.count(counts, changes)
    for _, change in ipairs(changes) do
      if options.on_change then options.on_change(change) else list[#list + 1] = change end
    end
  end)
  if not ok then return nil, message, err end
  return list, counts
end

return M
