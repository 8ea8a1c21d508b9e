-- The command polytomic for specs: run as users run it, a process of its own, against the sandbox,
-- in pipes or on a real pseudo-terminal (util-linux' `script`).

local cjson = require "cjson"
local process = require "spec.support.process"
local sandbox = require "spec.support.sandbox"

local M = {}

-- The words that run the command with the running interpreter.
function M.words(words)
  local all = { process.interpreter(), "lua/bin/polytomic" }
  for _, word in ipairs(words) do all[#all + 1] = word end
  return all
end

-- The environment of a user with the sandbox's partner key; `extra` on top, `false` for none.
function M.environment(extra)
  local settings = {
    POLYTOMIC_PARTNER_KEY = sandbox.partner_key,
    POLYTOMIC_DEPLOYMENT_URL = sandbox.url,
    POLYTOMIC_API_KEY = false,
    POLYTOMIC_DEPLOYMENT_KEY = false,
    POLYTOMIC_LEDGER = false,
    NO_COLOR = false,
    COLUMNS = false,
  }
  for name, value in pairs(extra or {}) do settings[name] = value end
  return process.environment(settings)
end

-- Runs the command; returns its exit status, output and errors. Options: `env`, `stdin`, `timeout`.
function M.run(words, options)
  options = options or {}
  return process.run(M.words(words), {
    env = M.environment(options.env),
    stdin = options.stdin,
    timeout = options.timeout,
  })
end

-- The decoded output of a command that must succeed without a word on standard error.
function M.result(words, options)
  local status, out, err = M.run(words, options)
  assert(status == 0 and err == "", ("status %s: %s"):format(tostring(status), err))
  return cjson.decode(out)
end

-- A line of shell for the command.
function M.line(words)
  local quoted = {}
  for i, word in ipairs(M.words(words)) do quoted[i] = process.quote(word) end
  return table.concat(quoted, " ")
end

-- Types $4 once the terminal shows $3; the file $2 gets what it shows.
local TYPING = [=[
>"$2"
{ until grep -a -q -e "$3" "$2"; do sleep 0.02; done; printf %s "$4"; } | script -qefc "$1" "$2"
]=]

-- Runs the command on a terminal of so many columns (80); returns its exit status and all that the
-- terminal got, standard error included. Options: `columns`, `env`, `input` (what is typed, once
-- the terminal shows the line `prompt` where it is given), `after` (shell after the command:
-- redirections).
function M.on_terminal(words, options)
  return M.line_on_terminal(M.line(words), options)
end

-- Runs a script of Lua on a terminal likewise.
function M.script_on_terminal(path, options)
  return M.line_on_terminal(process.quote(process.interpreter()) .. " " .. path, options)
end

-- Runs a line of shell on a terminal likewise.
function M.line_on_terminal(line, options)
  options = options or {}
  local env = { TERM = "xterm" }
  for name, value in pairs(options.env or {}) do env[name] = value end
  line = ("stty cols %d rows 24 -echo; exec %s %s"):format(options.columns or 80, line,
    options.after or "")
  local all = { "script", "-qec", line, "/dev/null" }
  if options.prompt then
    local shown = process.temporary_file()
    all = { "sh", "-c", TYPING, "sh", line, shown, options.prompt, options.input }
  end
  local status, out = process.run(all, {
    env = M.environment(env),
    stdin = options.input,
    timeout = options.timeout,
  })
  return status, (out:gsub("\r\n", "\n"))
end

-- The text without colours and other sequences of a terminal.
function M.plain(text)
  return (text:gsub("\27%[[%d;]*%a", ""))
end

return M
