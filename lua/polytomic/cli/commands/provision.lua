-- The commands for many customers: their words and options; what they do is in
-- polytomic.provision.command.

local convert = require("polytomic.cli.options").convert

local FILE = { "FILE", "customers: .csv, .jsonl, .json, .lua, or - for JSON lines" }
local LEDGER = { "--ledger", "URL", "sqlite:FILE or postgresql://user@host/db" }
local KEYS = { "--keys", "FILE", "where minted API keys are written, a line each" }
local CONCURRENCY =
  { "--concurrency", "N", "customers at once, 8 unless given", convert = convert.count }
local RETRY = { "--retry-failed", false, "put back what failed before" }
local REPLACE = { "--replace-lost-keys", false, "mint anew the API keys whose values were lost" }

local function output(...)
  local choices = { ... }
  return { "--output", "FORMAT", table.concat(choices, " or "), short = "-o", choices = choices }
end

-- The function of a name, loaded when it is run.
local function late(name)
  return function(context) return require("polytomic.provision.command")[name](context) end
end

local groups = { "connection", "general" }

return {
  plan = {
    arguments = { FILE }, groups = groups, run = late "plan",
    options = { LEDGER, CONCURRENCY, output("text", "json", "jsonl") },
  },
  apply = {
    arguments = { FILE }, groups = groups, run = late "apply",
    options = {
      LEDGER, KEYS, { "--report", "FILE", "a line per customer: .csv or .jsonl" }, CONCURRENCY,
      { "--yes", false, "apply without asking", short = "-y" }, RETRY, REPLACE,
      output("text", "json"),
    },
  },
  enqueue = { arguments = { FILE }, groups = groups, run = late "enqueue", options = { LEDGER } },
  work = {
    groups = groups, run = late "work",
    options = {
      LEDGER, KEYS, CONCURRENCY,
      { "--drain", false, "end when nothing is queued or leased any more" }, RETRY, REPLACE,
    },
  },
  status = {
    groups = { "general" }, run = late "status",
    options = { LEDGER, RETRY, output("table", "json") },
  },
}
