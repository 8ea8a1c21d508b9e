-- The options of the commands, in groups: data for the parser, the help and the completion.
--
-- An option is { "--name", "ARGUMENT" or false for a flag, description, members }: `short`,
-- `convert(text)`, which gives the value or nil and what it must be, `choices`, `repeated`.

local M = {}

local function seconds(text)
  local number = tonumber(text)
  return number, number == nil and "must be a number of seconds, not '" .. text .. "'" or nil
end

local function count(text)
  local number = text:find "^%d+$" and tonumber(text)
  if number then return number end
  return nil, "must be a whole number, not '" .. text .. "'"
end

local function port(text)
  local number = count(text)
  if number and number <= 65535 then return number end
  return nil, "must be a port, 0 to 65535, not '" .. text .. "'"
end

local function names(text)
  local list = {}
  for name in text:gmatch "[^,%s]+" do list[#list + 1] = name end
  if #list > 0 then return list end
  return nil, "names nothing"
end

M.convert = { seconds = seconds, count = count, port = port, names = names }

-- Every group has a title for the help.
M.groups = {
  output = {
    title = "Output",
    {
      "--output", "FORMAT", "table (on a terminal) or json (otherwise), jsonl, csv",
      short = "-o", choices = { "table", "json", "jsonl", "csv" },
    },
    { "--fields", "NAMES", "only these fields, in this order: id,email", convert = names },
    { "--raw", false, "print JSON on one line, on a terminal too" },
    { "--csv-raw", false, "leave cells as they are that a spreadsheet would run as formulas" },
    {
      "--verbose", false,
      "show the attempts, the request id and the headers, on standard error", short = "-v",
    },
    { "--curl", false, "after a failure, print a curl command that repeats the request" },
  },
  pages = {
    title = "Lists",
    { "--all", false, "every page of a list, items as they come" },
  },
  sending = {
    title = "Sending",
    { "--dry-run", false, "print the request as a curl command, and send nothing" },
    { "--yes", false, "delete without asking", short = "-y" },
    { "--idempotency-key", "KEY", "repeats an earlier call safely" },
  },
  connection = {
    title = "Connection",
    { "--key-file", "FILE", "a file with lines POLYTOMIC_…=… or a partner key alone" },
    { "--base-url", "URL", "the API's address" },
    { "--organization", "UUID", "act within this organization" },
    { "--timeout", "SECONDS", "for the whole call, retries included", convert = seconds },
    { "--retries", "N", "attempts after the first", convert = count },
    { "--api-version", "DATE", "the version of the API" },
    { "--ca-file", "FILE", "certificate authorities to trust, PEM" },
    { "--allow-http", false, "plain http to other hosts than this machine" },
  },
  general = {
    title = "Other",
    { "--help", false, "explain the command", short = "-h" },
    { "--version", false, "print the version" },
  },
}

-- All of them, in the order of the help.
M.every_group = { "output", "pages", "sending", "connection", "general" }

-- The groups that a command takes unless it says otherwise.
M.usual = { "output", "connection", "general" }

-- Every option of a command: its own, then those of its groups.
function M.of(command)
  local list = {}
  for _, option in ipairs(command.options or {}) do list[#list + 1] = option end
  for _, name in ipairs(command.groups or M.usual) do
    for _, option in ipairs(M.groups[name]) do list[#list + 1] = option end
  end
  return list
end

-- Every option that may come before the command's name, by its spellings.
function M.before_command()
  local known = {}
  for _, group in pairs(M.groups) do
    for _, option in ipairs(group) do
      known[option[1]] = option
      if option.short then known[option.short] = option end
    end
  end
  return known
end

return M
