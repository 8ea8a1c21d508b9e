-- The commands beside the operations: a table, whose modules are loaded when they are run.
--
-- A module returns its commands by name; each is a table:
--   summary     as below, where the module wants to say more
--   arguments   its words: { "FILE", description, optional =, many =, choices = }, in order
--   options     its own options, as in options.lua
--   groups      the groups of options it takes (options.usual unless given)
--   run         function(context) → exit status; see context.lua for what it gets
--   interrupted function(context) → what to say after Ctrl-C, optional

local M = {}

-- In the order of the help.
M.list = {
  { name = "find_org", module = "convenience", group = "data",
    summary = "the organization of a name" },
  { name = "find_user", module = "convenience", group = "data",
    summary = "the user of an e-mail address" },
  { name = "ensure_org", module = "convenience", group = "data",
    summary = "makes an organization be there and be as described" },
  { name = "ensure_user", module = "convenience", group = "data",
    summary = "makes a user be there and be as described" },
  { name = "patch_org", module = "convenience", group = "data",
    summary = "changes some settings of an organization and keeps the others" },
  { name = "patch_user", module = "convenience", group = "data",
    summary = "changes the roles of a user and keeps the rest" },
  { name = "wait_for", module = "wait_for", group = "data",
    summary = "waits until work that goes on at the server has ended" },
  { name = "request", module = "request", group = "data",
    summary = "sends a request to any path of the API" },
  { name = "plan", module = "provision", group = "provision",
    summary = "shows what a file of customers would change" },
  { name = "apply", module = "provision", group = "provision",
    summary = "brings the customers of a file about, each exactly once" },
  { name = "enqueue", module = "provision", group = "provision",
    summary = "puts the customers of a file into a ledger, for workers" },
  { name = "work", module = "provision", group = "provision",
    summary = "works a ledger off, beside any number of others" },
  { name = "status", module = "provision", group = "provision",
    summary = "counts the customers of a ledger, and lists what failed and why" },
  { name = "operations", module = "operations", group = "about",
    summary = "lists the operations, or those with a word" },
  { name = "help", module = "help", group = "about",
    summary = "describes an operation or a command" },
  { name = "doctor", module = "doctor", group = "about",
    summary = "checks keys, connection and versions" },
  { name = "sandbox", module = "sandbox", group = "about",
    summary = "starts a local emulator of the API" },
  { name = "completion", module = "completion", group = "about",
    summary = "prints the completion for bash, zsh or fish" },
}

local by_name = {}
for _, entry in ipairs(M.list) do by_name[entry.name] = entry end

-- The command of a name, its module loaded; nil where there is none.
function M.find(name)
  local entry = by_name[name]
  if not entry then return nil end
  local command = require("polytomic.cli.commands." .. entry.module)[name]
  command.name, command.summary = name, command.summary or entry.summary
  return command
end

return M
