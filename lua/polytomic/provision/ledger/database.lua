-- A database through LuaDBI, and the one place that knows LuaDBI's traps.
--
-- Statements are kept prepared and belong to the connection: they are closed before it, one that
-- failed is never used again. Every result is read to its end. Every call is guarded: after a lost
-- connection LuaDBI answers with an error first and raises then. LuaDBI's own commit does not
-- report a failure, so that BEGIN, COMMIT and ROLLBACK are statements.

local core = require "polytomic.core"
local dialects = require "polytomic.provision.ledger.dialects"
local statements = require "polytomic.provision.ledger.statements"

local M = {}

local OPENING = 30000 -- milliseconds SQLite waits for others when it is opened
local WORKING = 250   -- and afterwards, when whoever calls will try again
-- Seconds between two attempts to connect, each of which costs a descriptor where it fails; and
-- until a lost database is given up
local LONGEST_PAUSE, PATIENCE = 30, 300

local database = {}
database.__index = database

-- ---- problems ----

-- A problem is { kind =, message = }. Kinds: "busy" (try again), "lost" (the connection; try
-- again), "gone" (lost for too long), "failed".
local function problem(kind, message)
  message = tostring(message):gsub("^[^\n]*%.lua:%d+: ", "")
  for _, prefix in ipairs { "%a+ failed:? ?", "Error [%w ]-: ", "ERROR:%s*", "FATAL:%s*" } do
    message = message:gsub("^" .. prefix, "")
  end
  message = message:gsub("\n[^\n]*%^%s*$", ""):gsub("%s*\n%s*", " "):gsub("%s+$", "")
  return { kind = kind, message = message }
end

local BUSY = { "database is locked", "database table is locked", "deadlock detected",
  "lock timeout", "statement timeout", "could not serialize", "could not obtain lock" }

local function is_busy(message)
  for _, words in ipairs(BUSY) do
    if message:find(words, 1, true) then return true end
  end
  return false
end

-- ---- connecting ----

local function load_driver(dialect)
  local found, dbi = pcall(require, "DBI")
  found = found and pcall(require, dialect.module)
  if found then return dbi end
  return nil, ("the ledger needs LuaDBI: install the Debian package %s or the rock %s"):format(
    dialect.package, dialect.rock
  )
end

-- Runs text outside the list of statements; all rows, or nil and a message.
local function run_text(connection, text)
  local ok, statement, message = pcall(connection.prepare, connection, text)
  if not ok or not statement then return nil, tostring(ok and message or statement) end
  local called, done, why = pcall(statement.execute, statement)
  if not called or not done then
    pcall(statement.close, statement)
    return nil, tostring(called and why or done)
  end
  local rows = {}
  local fetched, row = pcall(statement.fetch, statement, true)
  while fetched and row do
    rows[#rows + 1] = row
    fetched, row = pcall(statement.fetch, statement, true)
  end
  pcall(statement.close, statement)
  if not fetched then return nil, tostring(row) end
  return rows
end

local function set_up(connection, texts)
  for _, text in ipairs(texts) do
    local rows, message = run_text(connection, text)
    if not rows then return nil, message end
  end
  return true
end

local function connect_sqlite(self)
  local path = self.address.path
  local made, message, taken = core.create_private(path)
  if not made and not taken then return nil, ("cannot create %s: %s"):format(path, message) end
  local connection
  connection, message = self.dbi.Connect("SQLite3", path)
  if not connection then return nil, message end
  connection:autocommit(true)
  local ok
  ok, message = set_up(connection, { "PRAGMA busy_timeout = " .. OPENING })
  local rows
  if ok then rows, message = run_text(connection, "SELECT sqlite_version() AS version") end
  if rows then
    local major, minor = rows[1].version:match "^(%d+)%.(%d+)"
    if tonumber(major) * 1000 + tonumber(minor) < 3035 then
      return nil, "SQLite 3.35 or newer is needed, this is " .. rows[1].version
    end
    rows, message = run_text(connection, "PRAGMA journal_mode = WAL")
  end
  if rows and rows[1] and rows[1].journal_mode ~= "wal" then
    return nil, "it cannot be used in WAL mode; is it on a network's file system?"
  end
  if rows then ok, message = set_up(connection, { "PRAGMA synchronous = FULL" }) end
  if not rows or not ok then return nil, message end
  self.identity = core.file_identity(path)
  return connection
end

-- SQLite goes on with a file that has no name any more, or not this one.
local function is_moved(self)
  return self.identity ~= nil and core.file_identity(self.address.path) ~= self.identity
end

-- LuaDBI loses the cause of a failed connect.
local function connect_postgresql(self)
  local address = self.address
  local url = address.url .. (address.url:find("?", 1, true) and "&" or "?")
    .. "tcp_user_timeout=15000&application_name=polytomic"
  if not url:find "[?&]connect_timeout=" then url = url .. "&connect_timeout=5" end
  local connection, message = self.dbi.Connect("PostgreSQL", url)
  if not connection then
    message = tostring(message):gsub("^Failed to connect to database: ", "")
    local where = {}
    for _, name in ipairs { "host", "database", "user" } do
      local value = address[name]
      if value and value ~= "" then where[#where + 1] = name .. " " .. value end
    end
    return nil, ("%s (%s); psql '%s' tells more"):format(message, table.concat(where, ", "),
      address.shown)
  end
  connection:autocommit(true)
  local ok
  ok, message = set_up(connection, { "SET client_min_messages TO error",
    "SET statement_timeout TO '30s'", "SET lock_timeout TO '5s'",
    "SET idle_in_transaction_session_timeout TO '60s'" })
  if not ok then return nil, message end
  return connection
end

local CONNECT = { sqlite = connect_sqlite, postgresql = connect_postgresql }

-- Connects where it is time to; true, or nil and a problem.
function database:connect()
  if self.connection then return true end
  local now = core.now()
  if self.next_attempt and now < self.next_attempt then
    return nil, { kind = "lost", message = self.lost_message }
  end
  local called, connection, message = pcall(CONNECT[self.address.kind], self)
  if called and connection then
    self.connection, self.next_attempt, self.lost_at = connection, nil, nil
    return true
  end
  local found = problem("lost", called and message or connection)
  self.lost_at = self.lost_at or now
  self.pause = math.min((self.next_attempt and self.pause or 0.25) * 2, LONGEST_PAUSE)
  self.next_attempt, self.lost_message = core.now() + self.pause, found.message
  if core.now() - self.lost_at > PATIENCE then found.kind = "gone" end
  return nil, found
end

-- Opens the database of an address; or nil and a message.
function M.open(address)
  local dialect = dialects[address.kind]
  local dbi, message = load_driver(dialect)
  if not dbi then return nil, message end
  local self = setmetatable({ address = address, dialect = dialect, dbi = dbi, prepared = {} },
    database)
  local ok, found = self:connect()
  if ok then return self end
  return nil, ("cannot open the ledger %s: %s"):format(address.shown, found.message)
end

-- From now on waits for others only shortly.
function database:settle()
  if self.address.kind == "sqlite" then
    run_text(self.connection, "PRAGMA busy_timeout = " .. WORKING)
  end
end

-- ---- statements ----

function database:drop(name)
  local statement = self.prepared[name]
  self.prepared[name] = nil
  if statement then pcall(statement.close, statement) end
end

function database:close()
  for name in pairs(self.prepared) do self:drop(name) end
  local connection = self.connection
  self.connection = nil
  if connection then pcall(connection.close, connection) end
end

-- What a failed statement means; the connection is given up where it is of no use any more.
function database:failed(name, message)
  self:drop(name)
  local found = problem("failed", message)
  local alive = run_text(self.connection, "SELECT 1")
    or self.in_transaction and run_text(self.connection, "ROLLBACK")
  if self.address.kind == "postgresql" and not alive then
    found.kind = "lost"
    self.in_transaction = false
    self:close()
  elseif is_busy(found.message) then
    found.kind = "busy"
  end
  return nil, found
end

-- Runs a statement with parameters, which are texts: all its rows, or nil and a problem.
function database:run(name, ...)
  local ok, found = self:connect()
  if not ok then return nil, found end
  if not self.in_transaction and is_moved(self) then
    return nil, problem("failed", "its file was deleted or replaced while it was in use")
  end
  local statement = self.prepared[name]
  if not statement then
    local text = dialects.render(self.dialect, statements[name])
    local called, made, message = pcall(self.connection.prepare, self.connection, text)
    if not called or not made then return self:failed(name, called and message or made) end
    statement = made
    self.prepared[name] = statement
  end
  local called, done, message = pcall(statement.execute, statement, ...)
  if not called or not done then return self:failed(name, called and message or done) end
  local rows, count = {}, 0
  local fetched, row = pcall(statement.fetch, statement, true)
  while fetched and row do
    count = count + 1
    rows[count] = row
    fetched, row = pcall(statement.fetch, statement, true)
  end
  if not fetched then return self:failed(name, row) end
  return rows
end

-- Runs body() as one transaction: what it returns, after COMMIT; or nil and the problem, after
-- ROLLBACK, where a statement in it failed. The body returns nil and a problem to give up.
function database:transaction(body)
  local ok, found = self:run "begin"
  if not ok then return nil, found end
  self.in_transaction = true
  local result
  result, found = body()
  if result ~= nil then ok, found = self:run "commit" end
  if result ~= nil and ok then
    self.in_transaction = false
    return result
  end
  if self.connection and self.in_transaction then
    run_text(self.connection, "ROLLBACK")
  end
  self.in_transaction = false
  return nil, found
end

return M
