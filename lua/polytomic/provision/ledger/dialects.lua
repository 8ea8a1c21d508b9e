-- Where SQLite and PostgreSQL differ.

local M = {}

-- The columns of `{rows $N: name type, …}` as a list of { name, type }.
local function columns_of(text)
  local columns = {}
  for name, kind in text:gmatch "([%w_]+)%s+([%w_]+)" do columns[#columns + 1] = { name, kind } end
  return columns
end

M.sqlite = {
  module = "dbd.sqlite3", package = "lua-dbi-sqlite3", rock = "luadbi-sqlite3",
  id = "INTEGER PRIMARY KEY",
  real = "REAL",
  now = "((julianday('now') - 2440587.5) * 86400.0)",
  begin = "BEGIN IMMEDIATE",
  skip_locked = "", -- a transaction has the whole ledger
  lock_schema = "SELECT 1",
  has_ledger = "SELECT count(*) AS count FROM sqlite_master WHERE name = 'polytomic_ledger'",
}

-- SQLite numbers `$N` by where it comes first.
function M.sqlite.placeholder(number)
  return "?" .. number
end

function M.sqlite.rows(parameter, text)
  local parts = {}
  for i, column in ipairs(columns_of(text)) do
    parts[i] = ("json_extract(value, '$.%s') AS %s"):format(column[1], column[1])
  end
  return ("(SELECT %s FROM json_each(?%s)) AS r"):format(table.concat(parts, ", "), parameter)
end

M.postgresql = {
  module = "dbd.postgresql", package = "lua-dbi-postgresql", rock = "luadbi-postgresql",
  id = "integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
  real = "double precision",
  now = "extract(epoch FROM clock_timestamp())::double precision",
  begin = "BEGIN",
  skip_locked = "FOR UPDATE SKIP LOCKED",
  lock_schema = "SELECT pg_advisory_xact_lock(7067914)",
  has_ledger = "SELECT count(*) AS count FROM pg_catalog.pg_class"
    .. " WHERE oid = to_regclass('polytomic_ledger')",
}

function M.postgresql.placeholder(number)
  return "$" .. number
end

function M.postgresql.rows(parameter, text)
  local parts = {}
  for i, column in ipairs(columns_of(text)) do parts[i] = column[1] .. " " .. column[2] end
  return ("json_to_recordset($%s::json) AS r(%s)"):format(parameter, table.concat(parts, ", "))
end

-- A statement in a dialect: `{now}` and the like are replaced, `{rows $1: id integer}` becomes a
-- table of the JSON list that is its parameter, `$1` the dialect's placeholder.
function M.render(dialect, text)
  text = text:gsub("{rows %$(%d+): ([^}]*)}", function(parameter, columns)
    return (dialect.rows(parameter, columns):gsub("%$", "\1"))
  end)
  text = text:gsub("{([%w_]+)}", dialect)
  text = text:gsub("%$(%d+)", dialect.placeholder):gsub("\1", "$")
  return (text:gsub("%s+", " "))
end

return M
