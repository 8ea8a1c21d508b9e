-- What the command says of a failure, on standard error, and the exit status that goes with it.

local terminal = require "polytomic.terminal"

local M = {
  OK = 0,
  FAILURE = 1,
  USAGE = 2,
  INVALID = 3,
  REFUSED = 4,
  UNKNOWN = 5,
  NETWORK = 6,
  INTERRUPTED = 130,
  UNREAD = 141, -- as a shell has it for SIGPIPE
}

local BY_KIND = {
  invalid = M.INVALID,
  unconfigured = M.INVALID,
  unauthorized = M.REFUSED,
  forbidden = M.REFUSED,
  not_found = M.REFUSED,
  conflict = M.REFUSED,
  unprocessable = M.REFUSED,
  rate_limited = M.REFUSED,
  server = M.REFUSED,
  api = M.REFUSED,
  redirect = M.REFUSED,
  failed = M.REFUSED,
}

-- The exit status for a failed call.
function M.status(operation, err)
  if err.outcome == "unknown" and operation.method ~= "GET" then return M.UNKNOWN end
  return BY_KIND[err.kind] or M.NETWORK
end

-- ---- words ----

-- What the library says of itself, and what the command says in its place.
local IN_WORDS_OF_THE_COMMAND = {
  { "allow_http = true", "--allow-http" },
  { ", or give the key to polytomic%.new", ", or give --key-file" },
  { "drop_oidc = true", "drop_oidc=true" },
  { "set ca_file", "give --ca-file" },
  { "`organization`", "--organization" },
  { ' or proxy = ""', "" },
  { "give the option keys a file", "give --keys FILE" },
  { "give until_status", "give --until STATUS" },
  { "until_status", "--until" },
}

local OPTIONS = {
  base_url = "--base-url",
  organization = "--organization",
  timeout = "--timeout",
  retries = "--retries",
  version = "--api-version",
  ca_file = "--ca-file",
  idempotency_key = "--idempotency-key",
}

-- The text with the command's words in place of the library's.
function M.translate(text)
  for _, pair in ipairs(IN_WORDS_OF_THE_COMMAND) do text = text:gsub(pair[1], pair[2]) end
  return text
end

-- The message of an error raised for bad usage, without the line of the script that called the
-- library.
local function without_position(message)
  return (tostring(message):gsub("^[^\n]-:%d+: ", ""))
end

-- Whether an error says that memory ran out.
function M.is_lack_of_memory(problem)
  return tostring(problem):find("not enough memory", 1, true) ~= nil
end

-- Whether an error is not one of usage: a module that is not installed, a lack of memory, or a
-- mistake of this program.
function M.is_defect(problem)
  local message = without_position(problem)
  return M.is_lack_of_memory(problem) or message:find "^module '" ~= nil
    or message:find "^attempt to " ~= nil or message:find "^bad argument #" ~= nil
end

-- That message, in the command's words.
function M.words_of(problem)
  local text = M.translate(without_position(problem))
  return (text:gsub("^([%l_]+)", OPTIONS, 1))
end

-- ---- reporting ----

-- Writes a message and, where there is one, a hint to standard error; returns `status`.
function M.problem(status, message, advice)
  local paint = terminal.painter(2)
  terminal.clear_status_line()
  io.stderr:write(paint("polytomic:", "red"), " ", terminal.line(message), "\n")
  if advice then io.stderr:write(paint("hint:", "cyan"), " ", terminal.line(advice), "\n") end
  return status
end

-- The same for a remark that is not a problem.
function M.remark(text)
  io.stderr:write(terminal.painter(2)("note:", "cyan"), " ", terminal.line(text), "\n")
end

-- The hint that names the help of a command.
function M.see_help(name)
  return "polytomic help " .. name .. " says how it is used"
end

-- Reports what was raised for bad usage.
function M.raised(problem, name)
  local words = M.words_of(problem)
  local variable = words:match "^(%u[%u_]+) "
  local advice = variable and "correct " .. variable .. ", or unset it" or M.see_help(name)
  return M.problem(M.USAGE, words, advice)
end

local function hint_of(operation, message, err)
  if M.status(operation, err) == M.UNKNOWN then
    local replayed = err.status == 500 and "; its key gets this same answer for a day"
    local again = err.idempotency_key and not replayed
      and "repeat it with --idempotency-key " .. err.idempotency_key
      or "look before you repeat it" .. (replayed or "")
    return "it may have been carried out; " .. again
  end
  if err.kind == "invalid" then
    return "polytomic help " .. operation.name .. " lists its arguments"
  end
  if err.hint and not message:find(err.hint, 1, true) then return M.translate(err.hint) end
end

-- Reports a failed call.
function M.failed_call(operation, message, err, with_curl)
  local status = M.status(operation, err)
  M.problem(status, M.translate(message), hint_of(operation, message, err))
  if with_curl and (err.status or err.attempts and err.attempts > 0) then
    io.stderr:write(err:curl(), "\n")
  elseif with_curl then
    M.remark "nothing was sent, so there is no curl command"
  end
  return status
end

-- Reports Ctrl-C. `err` is that of the call that was under way, or nil; `advice` what the command
-- itself knows.
function M.interrupted(err, advice)
  if advice then return M.problem(M.INTERRUPTED, "interrupted", advice) end
  local operation = err and require("polytomic.core").describe(err.operation)
  local only_reads = operation and operation.method == "GET"
  if not err or err.outcome ~= "unknown" or only_reads then
    return M.problem(M.INTERRUPTED, "interrupted; nothing was changed")
  end
  local message = "interrupted; " .. tostring(err.operation) .. " may have been carried out"
  if err.idempotency_key then
    advice = "repeat it safely with --idempotency-key " .. err.idempotency_key
  else
    advice = "look before you repeat it"
  end
  return M.problem(M.INTERRUPTED, message, advice)
end

return M
