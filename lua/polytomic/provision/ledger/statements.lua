-- Every statement of the ledger, by name; `dialects` says what the braces mean.
--
-- Numbers go in as text and are cast; times never leave the database as numbers, since what reads
-- them follows the locale.

local M = {}

M.VERSION = "1" -- of the schema

-- ---- the schema, in order ----

M.schema = { "create_ledger", "create_customers", "create_steps", "create_queue" }

M.create_ledger = [[
  CREATE TABLE IF NOT EXISTS polytomic_ledger (
    version INTEGER NOT NULL, base_url TEXT NOT NULL, account TEXT NOT NULL)]]

M.create_customers = [[
  CREATE TABLE IF NOT EXISTS polytomic_customers (
    id {id},
    name TEXT NOT NULL UNIQUE,
    source TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'done', 'failed', 'unknown')),
    lease INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_until {real} NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    error_kind TEXT,
    error TEXT,
    changed_at {real} NOT NULL)]]

M.create_steps = [[
  CREATE TABLE IF NOT EXISTS polytomic_steps (
    customer_id INTEGER NOT NULL REFERENCES polytomic_customers (id),
    name TEXT NOT NULL,
    position INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sent', 'done', 'failed', 'unknown')),
    idempotency_key TEXT NOT NULL UNIQUE,
    key_at {real} NOT NULL,
    request_hash TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 1,
    remote_id TEXT,
    error_kind TEXT,
    error TEXT,
    changed_at {real} NOT NULL,
    PRIMARY KEY (customer_id, name))]]

M.create_queue = [[
  CREATE INDEX IF NOT EXISTS polytomic_customers_queue ON polytomic_customers (id)
    WHERE state = 'queued']]

M.has_ledger = "{has_ledger}"
M.lock_schema = "{lock_schema}"
M.insert_ledger = [[
  INSERT INTO polytomic_ledger (version, base_url, account)
  SELECT CAST($1 AS INTEGER), $2, $3 WHERE NOT EXISTS (SELECT 1 FROM polytomic_ledger)]]

-- ---- whose ledger it is ----

M.identity = "SELECT CAST(version AS TEXT) AS version, base_url, account FROM polytomic_ledger"
M.set_account = "UPDATE polytomic_ledger SET account = $1 WHERE account = ''"

-- ---- transactions, time ----

M.begin = "{begin}"
M.commit = "COMMIT"
M.now = "SELECT CAST({now} AS TEXT) AS now"

-- ---- loading ----

-- A customer that the server has refused, not one of which it was never asked.
local REFUSED = [[polytomic_customers.state = 'failed'
  AND polytomic_customers.error_kind NOT IN ('invalid', 'unconfigured', 'tls')]]

-- Customers with a key that could not be had.
local WITHOUT_KEY =
  "SELECT customer_id FROM polytomic_steps WHERE name LIKE 'key:%' AND state = 'failed'"

-- Whether a customer that comes again stays refused.
local STAYS_REFUSED = REFUSED .. [[ AND $2 <> 'all'
  AND polytomic_customers.fingerprint = excluded.fingerprint AND excluded.state <> 'done'
  AND ($2 <> 'keys' OR polytomic_customers.id NOT IN (]] .. WITHOUT_KEY .. "))"

-- Customers as apply has found them: 'queued' where something is left to do, else 'done'. A refused
-- one stays so unless it changed or $2 says to try 'all' again, or those whose 'keys' were lost;
-- what somebody works on stays queued.
M.load = [[
  INSERT INTO polytomic_customers (name, source, fingerprint, state, changed_at)
  SELECT r.name, r.source, r.fingerprint, r.state, {now}
  FROM {rows $1: name text, source text, fingerprint text, state text} WHERE true
  ON CONFLICT (name) DO UPDATE SET
    source = excluded.source,
    fingerprint = excluded.fingerprint,
    changed_at = CASE WHEN polytomic_customers.state = excluded.state
      AND polytomic_customers.fingerprint = excluded.fingerprint
      THEN polytomic_customers.changed_at ELSE excluded.changed_at END,
    state = CASE
      WHEN excluded.state = 'done' THEN
        CASE WHEN polytomic_customers.lease_until > {now} THEN polytomic_customers.state
          ELSE 'done' END
      WHEN ]] .. STAYS_REFUSED .. [[ THEN 'failed'
      ELSE 'queued' END,
    error_kind = CASE WHEN ]] .. STAYS_REFUSED .. [[ THEN polytomic_customers.error_kind END,
    error = CASE WHEN ]] .. STAYS_REFUSED .. [[ THEN polytomic_customers.error END
  RETURNING id, name, state]]

-- Customers nobody has looked at: work where they are new, changed, or neither done nor refused.
M.enqueue = [[
  INSERT INTO polytomic_customers (name, source, fingerprint, state, changed_at)
  SELECT r.name, r.source, r.fingerprint, 'queued', {now}
  FROM {rows $1: name text, source text, fingerprint text} WHERE true
  ON CONFLICT (name) DO UPDATE SET
    source = excluded.source,
    fingerprint = excluded.fingerprint,
    state = 'queued',
    error_kind = NULL,
    error = NULL,
    changed_at = excluded.changed_at
  WHERE polytomic_customers.fingerprint <> excluded.fingerprint
    OR polytomic_customers.state IN ('failed', 'unknown') AND NOT (]] .. REFUSED .. [[)
  RETURNING id]]

-- What is remembered of customers: their organization and which keys were minted.
M.records = [[
  SELECT c.name AS customer, s.name AS step, s.state AS state, s.remote_id AS remote_id
  FROM polytomic_customers c LEFT JOIN polytomic_steps s ON s.customer_id = c.id
    AND (s.name = 'org' OR s.name LIKE 'key:%')
  WHERE c.name IN (SELECT r.name FROM {rows $1: name text})]]

-- The organizations of customers, a page after the customer $1.
M.known_ids = [[
  SELECT c.id AS id, c.name AS customer, s.remote_id AS remote_id
  FROM polytomic_customers c LEFT JOIN polytomic_steps s
    ON s.customer_id = c.id AND s.name = 'org' AND s.remote_id IS NOT NULL
  WHERE c.id > CAST($1 AS INTEGER) ORDER BY c.id LIMIT 2000]]

-- ---- leases ----

local CLAIM_PICKED = [[
  UPDATE polytomic_customers SET lease = lease + 1, lease_owner = $1,
    lease_until = {now} + CAST($2 AS {real}), attempts = attempts + 1
  WHERE id IN (SELECT id FROM picked)
  RETURNING id, name, source, fingerprint, lease, attempts,
    CASE WHEN changed_at < CAST($4 AS {real}) THEN 1 ELSE 0 END AS listed]]

-- The oldest queued customers that nobody holds: owner, seconds, how many, and the time of the list
-- of organizations that is at hand.
M.claim = [[
  WITH picked AS (
    SELECT id FROM polytomic_customers WHERE state = 'queued' AND lease_until <= {now}
    ORDER BY id LIMIT CAST($3 AS INTEGER) {skip_locked})
]] .. CLAIM_PICKED

-- The same of certain customers.
M.claim_these = [[
  WITH picked AS (
    SELECT id FROM polytomic_customers WHERE id IN (SELECT r.id FROM {rows $3: id integer})
      AND state = 'queued' AND lease_until <= {now}
    ORDER BY id {skip_locked})
]] .. CLAIM_PICKED

-- Begins every transaction that writes: only of the ids returned does this process hold the lease,
-- which is renewed.
M.fence = [[
  UPDATE polytomic_customers SET lease_until = {now} + CAST($2 AS {real})
  FROM {rows $1: id integer, lease integer}
  WHERE polytomic_customers.id = r.id AND polytomic_customers.lease = r.lease
  RETURNING polytomic_customers.id AS id]]

M.release = [[
  UPDATE polytomic_customers AS c SET lease_owner = NULL, lease_until = 0
  FROM {rows $1: id integer, lease integer} WHERE c.id = r.id AND c.lease = r.lease]]

-- Who holds customers.
M.owners = [[
  SELECT lease_owner AS owner, count(*) AS count FROM polytomic_customers
  WHERE state = 'queued' AND lease_until > {now} AND lease_owner IS NOT NULL GROUP BY lease_owner]]

-- Ends the leases of a process that is gone.
M.expire = [[
  UPDATE polytomic_customers SET lease_until = 0
  WHERE state = 'queued' AND lease_owner = $1 AND lease_until > {now}]]

-- ---- steps ----

-- The steps of customers: whether their keys are still good, and whether they are older than $2.
M.steps = [[
  SELECT customer_id, name, state, idempotency_key, request_hash, remote_id,
    CASE WHEN {now} - key_at < 84600 THEN 1 ELSE 0 END AS good,
    CASE WHEN changed_at < CAST($2 AS {real}) THEN 1 ELSE 0 END AS listed
  FROM polytomic_steps WHERE customer_id IN (SELECT r.id FROM {rows $1: id integer})]]

M.write_steps = [[
  INSERT INTO polytomic_steps (customer_id, name, position, state, idempotency_key, key_at,
    request_hash, remote_id, error_kind, error, changed_at)
  SELECT r.customer_id, r.name, r.position, r.state, r.idempotency_key, {now}, r.request_hash,
    r.remote_id, r.error_kind, r.error, {now}
  FROM {rows $1: customer_id integer, name text, position integer, state text,
    idempotency_key text, request_hash text, remote_id text, error_kind text, error text}
  WHERE true
  ON CONFLICT (customer_id, name) DO UPDATE SET
    position = excluded.position,
    state = excluded.state,
    attempts = polytomic_steps.attempts + CASE WHEN excluded.state = 'sent' THEN 1 ELSE 0 END,
    key_at = CASE WHEN polytomic_steps.idempotency_key = excluded.idempotency_key
      THEN polytomic_steps.key_at ELSE excluded.key_at END,
    idempotency_key = excluded.idempotency_key,
    request_hash = excluded.request_hash,
    remote_id = coalesce(excluded.remote_id, polytomic_steps.remote_id),
    error_kind = excluded.error_kind,
    error = excluded.error,
    changed_at = excluded.changed_at]]

-- Ends the work on customers; one that was changed meanwhile is work again.
M.finish = [[
  UPDATE polytomic_customers AS c SET
    state = CASE WHEN c.fingerprint = r.fingerprint THEN r.state ELSE 'queued' END,
    lease_owner = NULL, lease_until = 0, error_kind = r.error_kind, error = r.error,
    changed_at = {now}
  FROM {rows $1: id integer, lease integer, fingerprint text, state text, error_kind text,
    error text}
  WHERE c.id = r.id AND c.lease = r.lease]]

-- ---- what has become of it ----

M.counts = [[
  SELECT state, count(*) AS count,
    sum(CASE WHEN state = 'queued' AND lease_until > {now} THEN 1 ELSE 0 END) AS running
  FROM polytomic_customers GROUP BY state]]

M.left = "SELECT count(*) AS count FROM polytomic_customers WHERE state = 'queued'"

M.failures = [[
  SELECT id, name, state, error_kind, error, attempts FROM polytomic_customers
  WHERE id > CAST($1 AS INTEGER) AND state IN ('failed', 'unknown') ORDER BY id LIMIT 1000]]

-- What has become of certain customers.
M.outcomes = [[
  SELECT c.id AS id, c.name AS name, c.state AS state, c.attempts AS attempts,
    c.error_kind AS error_kind, c.error AS error, s.remote_id AS organization_id
  FROM polytomic_customers c LEFT JOIN polytomic_steps s
    ON s.customer_id = c.id AND s.name = 'org'
  WHERE c.id IN (SELECT r.id FROM {rows $1: id integer}) ORDER BY c.id]]

-- Which of certain customers are still to be done.
M.still_queued = [[
  SELECT id FROM polytomic_customers
  WHERE state = 'queued' AND id IN (SELECT r.id FROM {rows $1: id integer})]]

-- Puts back 'all' that failed, or those whose 'keys' were lost.
M.retry = [[
  UPDATE polytomic_customers SET state = 'queued', error_kind = NULL, error = NULL,
    changed_at = {now}
  WHERE state IN ('failed', 'unknown')
    AND ($1 = 'all' OR id IN (]] .. WITHOUT_KEY .. [[)) RETURNING id]]

return M
