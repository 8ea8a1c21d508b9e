-- The commands plan, apply, enqueue, work and status: what they print, ask and exit with.

local core = require "polytomic.core"
local json = require "polytomic.json_text"
local output = require "polytomic.cli.output"
local provision = require "polytomic.provision"
local report = require "polytomic.cli.report"
local reports = require "polytomic.provision.report"
local terminal = require "polytomic.terminal"

local M = {}

local PAUSE = 120 -- per cent: the command's memory grows no more than this between collections

-- ---- failures ----

-- Reports what could not begin, or broke off; returns the exit status.
local function failed(context, message, err)
  if err.problems and #err.problems > 0 then
    for _, problem in ipairs(err.problems) do
      local where = problem.line and "line " .. problem.line or "customer " .. problem.customer
      local source = context.words[1] == "-" and "standard input" or context.words[1]
      local text = ("%s: %s: %s"):format(source, where, problem.message)
      report.problem(report.INVALID, text)
    end
    local more = (err.problem_count or 0) - #err.problems
    if more > 0 then report.problem(report.INVALID, ("and %d more problems"):format(more)) end
    return report.INVALID
  end
  if err.kind == "cancelled" and core.caught_signal() then
    if err.outcome == "unsent" then
      return report.problem(report.INTERRUPTED, "interrupted; nothing was changed")
    end
    return report.problem(report.INTERRUPTED, "interrupted", "run it again to go on")
  end
  if err.kind == "ledger" or err.kind == "invalid" or err.kind == "cancelled" then
    message = message:gsub("^%w+: %w+: ", "")
    local status = err.outcome == "unsent" and report.INVALID or report.UNKNOWN
    return report.problem(status, message,
      status == report.UNKNOWN and "run it again to go on; nothing is done twice"
        or err.hint and report.translate(err.hint))
  end
  return context:failed({ name = err.operation or context.command.name, method = "GET" }, message,
    err)
end

-- What is wrong with the options, reported; or nil.
local function usage(context)
  local options = context.options
  if options.ledger then
    local place, message =
      require("polytomic.provision.ledger.address").parse(options.ledger, false)
    if not place then return context:usage(message) end
  end
  if options.report then
    local message = reports.problem(options.report)
    if message then return context:usage(message) end
  end
  if options.concurrency and options.concurrency < 1 then
    return context:usage "--concurrency must be 1 or more"
  end
end

local function is_set(name)
  local value = os.getenv(name)
  return value ~= nil and value ~= ""
end

-- The same for a ledger that must be named.
local function ledger_missing(context)
  if context.options.ledger or is_set "POLYTOMIC_LEDGER" then return nil end
  if context.words[1] and context.words[1] ~= "-" then return nil end
  return context:usage("a ledger is needed: --ledger sqlite:FILE or postgresql://user@host/db")
end

-- ---- the plan ----

local MARKS = { create = { "+", "green" }, update = { "~", "yellow" } }
local NOUNS = { org = "organization", user = "user", key = "API key of" }

local function put(text)
  local status = output.put(text)
  if status ~= report.OK then error({ status = status }, 0) end
end

local function quoted(value)
  return value and '"' .. terminal.line(value) .. '"' or "nothing"
end

-- Writes one change: what it is, and each field with its old and new value.
local function show_change(paint, change)
  local verb, kind = change.action:match "^(%a+)_(%a+)$"
  local mark = MARKS[verb]
  local subject = change.email and terminal.line(change.email) .. " of " or ""
  local customer = terminal.line(change.customer)
  local lines = { ("%s %s %s%s\n"):format(paint(mark[1], mark[2]), NOUNS[kind], subject, customer) }
  local names = {}
  for name in pairs(change.fields) do
    if name ~= "name" and name ~= "email" or change.fields[name].from then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local field = change.fields[name]
    if verb == "create" then
      lines[#lines + 1] = ("    %s: %s\n"):format(name, quoted(field.to))
    else
      lines[#lines + 1] = ("    %s: %s -> %s\n"):format(name, quoted(field.from), quoted(field.to))
    end
  end
  if change.problem then
    lines[#lines + 1] = "    " .. paint("!", "red") .. " " .. terminal.line(change.problem) .. "\n"
  end
  put(table.concat(lines))
end

local function counted(count, noun)
  return ("%d %s%s"):format(count, noun, count == 1 and "" or "s")
end

local function counts_text(paint, counts)
  local parts = {}
  for _, one in ipairs {
    { "create_org", "create", "organization" }, { "create_user", "create", "user" },
    { "create_key", "mint", "API key" }, { "update_org", "change", "organization" },
    { "update_user", "change", "user" },
  } do
    local count = counts[one[1]]
    if count > 0 then parts[#parts + 1] = one[2] .. " " .. counted(count, one[3]) end
  end
  local text = paint("=", "dim") .. " " .. counted(counts.unchanged, "customer") .. " unchanged\n"
  if #parts == 0 then return text .. "Nothing to do.\n" end
  text = text .. "Plan: " .. table.concat(parts, ", ") .. ".\n"
  if counts.problems > 0 then
    text = text .. counted(counts.problems, "problem") .. " that will be refused.\n"
  end
  return text
end

-- How changes are shown: { change(change), counts(counts) }.
local function text_view()
  local paint = terminal.painter(1)
  return {
    change = function(change) show_change(paint, change) end,
    counts = function(counts) put(counts_text(paint, counts)) end,
  }
end

local function json_view()
  local before, after = '{"changes":[', "" -- nothing where the reading fails at once
  return {
    change = function(change)
      put(before .. "\n" .. json.encode(change))
      before, after = ",", "\n"
    end,
    counts = function(counts)
      put((after == "" and before or after) .. '],"counts":' .. json.encode(counts) .. "}\n")
    end,
  }
end

local function jsonl_view()
  return {
    change = function(change) put(json.encode(change) .. "\n") end,
    counts = function(counts) put(json.encode { counts = counts } .. "\n") end,
  }
end

local VIEWS = { json = json_view, jsonl = jsonl_view }

-- ---- running ----

-- Runs body() while SIGINT and SIGTERM are caught; ends with the status of what could not be
-- written.
local function run(context, body)
  pcall(collectgarbage, "setpause", PAUSE)
  core.catch_signals()
  local ok, status = pcall(body)
  core.release_signals()
  if ok then return status end
  if type(status) == "table" and status.status then return status.status end
  local interrupted = require("polytomic.cli.interrupt").is_interrupt(status) -- while it asked
  if type(status) == "string" and not interrupted and not report.is_defect(status) then
    return report.raised(status, context.command.name)
  end
  error(status, 0)
end

local function stop()
  return core.caught_signal() ~= nil
end

-- A client whose calls wait so that a signal is noticed soon.
local function client_of(context)
  local options, status = context:client_options()
  if not options then return nil, status end
  options.wait = nil
  local made, client = pcall(context:library().new, options)
  if made then return client end
  return nil, report.raised(client, context.command.name)
end

-- ---- plan ----

function M.plan(context)
  local wrong = usage(context)
  if wrong then return wrong end
  local client, status = client_of(context)
  if not client then return status end
  local options = context.options
  return run(context, function()
    local view = (VIEWS[options.output] or text_view)()
    local path = context.words[1]
    local changes, counts, err = provision.plan(client, path, {
      concurrency = options.concurrency, on_change = view.change, interrupted = stop,
      ledger = options.ledger or true,
    })
    if not changes then return failed(context, counts, err) end
    view.counts(counts)
    return report.OK
  end)
end

-- ---- apply ----

-- Asks at the terminal; without changes there is nothing to ask.
local function confirmed(counts)
  if counts.changes == 0 then return true end
  core.release_signals()
  local agreed = require("polytomic.cli.confirm").agree "Apply these changes? [y/N] "
  core.catch_signals()
  return agreed
end

local function summary_text(summary)
  local parts = { counted(summary.done, "customer") .. " all there" }
  if summary.failed > 0 then parts[#parts + 1] = summary.failed .. " failed" end
  if summary.unknown > 0 then parts[#parts + 1] = summary.unknown .. " unknown" end
  if (summary.queued or 0) > 0 then parts[#parts + 1] = summary.queued .. " left to do" end
  return ("%s; %d created, %d updated\n"):format(table.concat(parts, ", "), summary.created,
    summary.updated)
end

local MOST_SHOWN = 20 -- failures; the report and status have them all

local function show_failures(failures)
  for i = 1, math.min(#failures, MOST_SHOWN) do
    local failure = failures[i]
    report.problem(0, ("%s: %s: %s"):format(failure.customer, failure.state, failure.message or ""))
  end
  if #failures > MOST_SHOWN then
    report.remark(#failures - MOST_SHOWN
      .. " more; --report FILE and polytomic status list them all")
  end
end

local function status_of(summary)
  if summary.interrupted then
    return report.problem(report.INTERRUPTED, "interrupted", "run it again to go on")
  end
  if summary.unknown > 0 then
    report.remark "run it again to go on; nothing is done twice"
    return report.UNKNOWN
  end
  if summary.failed > 0 then
    report.remark "--retry-failed tries again what failed"
    return report.REFUSED
  end
  return report.OK
end

function M.apply(context)
  local wrong = usage(context) or ledger_missing(context)
  if wrong then return wrong end
  local options = context.options
  local asks = not options.yes
  if asks and (context.words[1] == "-" or not (terminal.is_terminal(0) and terminal.is_terminal(2)))
  then
    return context:usage("without a terminal nobody can be asked: give --yes",
      "polytomic plan " .. context.words[1] .. " shows what it would change")
  end
  local client, status = client_of(context)
  if not client then return status end
  return run(context, function()
    local view = asks and text_view() or nil
    local declined = false
    local summary, message, err = provision.apply(client, context.words[1], {
      ledger = options.ledger, concurrency = options.concurrency, keys = options.keys,
      report = options.report, progress = true, retry_failed = options.retry_failed,
      replace_lost_keys = options.replace_lost_keys, stop = stop,
      on_change = view and view.change,
      confirm = view and function(counts)
        view.counts(counts)
        declined = not confirmed(counts)
        return not declined
      end,
    })
    if declined then
      report.remark "nothing was changed"
      return report.OK
    end
    if not summary then return failed(context, message, err) end
    show_failures(summary.failures)
    if options.output == "json" then
      json.array(summary.failures)
      put(json.encode(summary) .. "\n")
    else
      put(summary_text(summary))
    end
    return status_of(summary)
  end)
end

-- ---- enqueue, work, status ----

function M.enqueue(context)
  local wrong = usage(context) or ledger_missing(context)
  if wrong then return wrong end
  local client, status = client_of(context)
  if not client then return status end
  local result, message, err =
    provision.enqueue(client, context.words[1], { ledger = context.options.ledger })
  if not result then return failed(context, message, err) end
  return output.put(("%d of %s queued\n"):format(result.queued, counted(result.total, "customer")))
end

function M.work(context)
  local wrong = usage(context) or ledger_missing(context)
  if wrong then return wrong end
  local client, status = client_of(context)
  if not client then return status end
  local options = context.options
  return run(context, function()
    local result, message, err = provision.work(client, {
      ledger = options.ledger, concurrency = options.concurrency, keys = options.keys,
      replace_lost_keys = options.replace_lost_keys, retry_failed = options.retry_failed,
      drain = options.drain, stop = stop, progress = true,
    })
    if not result then return failed(context, message, err) end
    put(("%s done, %d failed; %d created, %d updated\n"):format(counted(result.done, "customer"),
      result.failed, result.created, result.updated))
    return report.OK
  end)
end

local function show_status(status)
  local lines = {}
  for _, name in ipairs { "queued", "running", "done", "failed", "unknown", "total" } do
    lines[#lines + 1] = ("%-8s %d\n"):format(name, status[name])
  end
  for _, failure in ipairs(status.failures) do
    lines[#lines + 1] = ("%s: %s: %s\n"):format(terminal.line(failure.customer), failure.state,
      terminal.line(failure.message or ""))
  end
  return output.put(table.concat(lines))
end

function M.status(context)
  local wrong = usage(context) or ledger_missing(context)
  if wrong then return wrong end
  local options = context.options
  local status, message, err =
    provision.status { ledger = options.ledger, retry_failed = options.retry_failed }
  if not status then return failed(context, message, err) end
  local format = options.output or terminal.is_terminal(1) and "table" or "json"
  if format == "table" then return show_status(status) end
  json.array(status.failures)
  return output.put(json.encode(status) .. "\n")
end

return M
