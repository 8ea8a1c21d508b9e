-- The help of the command and of its commands, as wide as the terminal. Needs neither argparse nor
-- the core.

local commands = require "polytomic.cli.commands"
local options = require "polytomic.cli.options"
local terminal = require "polytomic.terminal"

local M = {}

local WIDEST = 100 -- columns; longer lines are hard to read

local INTRODUCTION = [[
Calls the Polytomic API.

  polytomic create_org name=Acme         runs an operation and prints its result
  polytomic operations users             lists the operations with a word
  polytomic help create_org              describes one]]

local ARGUMENTS = "An argument is name=value, name:=JSON, name=@FILE (the text of a file) or "
  .. "name=- (standard input). Lists are separated by commas or given repeatedly."

local EPILOG = "Keys come from POLYTOMIC_API_KEY, POLYTOMIC_PARTNER_KEY and "
  .. "POLYTOMIC_DEPLOYMENT_KEY or from --key-file, never from an argument.\n\nExit status: 0 done, "
  .. "1 this machine failed (the result could not be written, memory ran out, a module is "
  .. "missing), 2 usage, 3 invalid or unconfigured, 4 refused by the server, 5 it is not known "
  .. "whether a change was carried out, 6 network, 130 interrupted, 141 nobody read the result."

local function title(text)
  return terminal.painter(1)(terminal.wrap(text, M.columns()), "bold") .. "\n"
end

-- The columns that help is laid out for.
function M.columns()
  return math.min(terminal.columns(1) or 80, WIDEST)
end

-- Lines of `left   right`, where right is wrapped beside left, or below where there is little room.
-- `rows` are { left, right }; `least` is how wide the left column is at least.
function M.two_columns(rows, columns, least)
  local widest = least or 0
  local longest = 0 -- of the words on the right, which are never broken
  for _, row in ipairs(rows) do
    widest = math.max(widest, terminal.width(row[1]))
    for word in (row[2] or ""):gmatch "[^ ]+" do
      longest = math.max(longest, terminal.width(word))
    end
  end
  local beside = widest + 4 <= columns / 2 and widest + 4 + longest <= columns
  local indent = beside and widest + 4 or 6
  local lines = {}
  for _, row in ipairs(rows) do
    local left, right = "  " .. row[1], row[2] or ""
    if beside then
      local text = (" "):rep(indent) .. right
      local wrapped = terminal.wrap(text, columns, (" "):rep(indent))
      lines[#lines + 1] = (terminal.pad(left, indent) .. wrapped:sub(indent + 1)):gsub(" +$", "")
    else
      lines[#lines + 1] = left
      if right ~= "" then
        lines[#lines + 1] =
          terminal.wrap((" "):rep(indent) .. right, columns, (" "):rep(indent))
      end
    end
  end
  return table.concat(lines, "\n")
end

local function spelling(option)
  local words = (option.short and option.short .. ", " or "") .. option[1]
  return option[2] and words .. " " .. option[2] or words
end

local function option_rows(list)
  local rows = {}
  for _, option in ipairs(list) do rows[#rows + 1] = { spelling(option), option[3] } end
  return rows
end

-- The options of a group, without those that a command has of its own.
local function group_rows(group, command)
  local own, list = {}, {}
  for _, option in ipairs(command.options or {}) do own[option[1]] = true end
  for _, option in ipairs(group) do
    if not own[option[1]] then list[#list + 1] = option end
  end
  return option_rows(list)
end

-- The options of a command, by group.
function M.options(command, columns)
  local parts = {}
  if command.options and #command.options > 0 then
    parts[1] = title("Options") .. M.two_columns(option_rows(command.options), columns)
  end
  for _, name in ipairs(command.groups or options.usual) do
    local group = options.groups[name]
    parts[#parts + 1] = title(group.title) .. M.two_columns(group_rows(group, command), columns)
  end
  return table.concat(parts, "\n\n")
end

-- The line that shows how a command is called.
local function usage(command)
  local words = { "polytomic " .. command.name }
  for _, argument in ipairs(command.arguments or {}) do
    local word = argument[1] .. (argument.many and not argument[1]:find "…$" and " …" or "")
    words[#words + 1] = argument.optional and "[" .. word .. "]" or word
  end
  return table.concat(words, " ") .. " [options]"
end

-- The help of a command that is not an operation.
function M.command(command)
  local columns = M.columns()
  local summary = command.summary:sub(1, 1):upper() .. command.summary:sub(2) .. "."
  local parts =
    { terminal.wrap(summary, columns), terminal.wrap("  " .. usage(command), columns, "    ") }
  if command.details then parts[#parts + 1] = terminal.wrap(command.details, columns) end
  if command.fields then
    local describe = require "polytomic.cli.describe"
    parts[#parts + 1] = title("Arguments")
      .. describe.arguments(command.fields(), command.described_by, columns)
  elseif command.arguments and command.arguments[1] then
    parts[#parts + 1] = title("Arguments") .. M.two_columns(command.arguments, columns)
  end
  parts[#parts + 1] = M.options(command, columns)
  return table.concat(parts, "\n\n") .. "\n"
end

local GROUPS = {
  { "data", "Commands on organizations, users and work" },
  { "provision", "Commands for many customers" },
  { "about", "Commands around them" },
}

local function command_rows(group)
  local rows = {}
  for _, entry in ipairs(commands.list) do
    if entry.group == group then rows[#rows + 1] = { entry.name, entry.summary } end
  end
  return rows
end

-- The help of the whole command.
function M.general()
  local columns = M.columns()
  local parts = { terminal.wrap(INTRODUCTION, columns), terminal.wrap(ARGUMENTS, columns) }
  for _, group in ipairs(GROUPS) do
    local rows = command_rows(group[1])
    if #rows > 0 then
      parts[#parts + 1] = title(group[2]) .. M.two_columns(rows, columns)
    end
  end
  local all = { groups = options.every_group }
  parts[#parts + 1] = M.options(all, columns)
  parts[#parts + 1] = terminal.wrap(EPILOG, columns)
  return table.concat(parts, "\n\n") .. "\n"
end

return M
