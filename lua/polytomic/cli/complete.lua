-- What may come next on a command line that is being typed: what the shells' completion asks for.

local commands = require "polytomic.cli.commands"
local options = require "polytomic.cli.options"
local parser = require "polytomic.cli.parser"

local M = {}

local function begins(text, with)
  return text:sub(1, #with) == with
end

-- ---- the answers ----

local Answers = {}
Answers.__index = Answers

-- Adds a word that may stand in the place of the current one, if it goes on from it.
function Answers:word(word, description)
  if not begins(word, self.current) then return end
  self[#self + 1] = { word = word, description = description }
end

function Answers:words(words, before)
  for _, word in ipairs(words) do self:word((before or "") .. word) end
end

-- File names may follow this beginning of the current word.
function Answers:files(before)
  self[#self + 1] = { files = before }
end

-- ---- options ----

-- The options of a command, or those that may come before any.
local function options_of(command)
  return options.of(command or { groups = options.every_group })
end

local function by_spelling(list)
  local known = {}
  for _, option in ipairs(list) do
    known[option[1]] = option
    if option.short then known[option.short] = option end
  end
  return known
end

local function add_options(answers, list)
  for _, option in ipairs(list) do answers:word(option[1], option[3]) end
end

-- The value of an option, after `before` in the current word.
local function add_value(answers, option, before, command)
  local value = answers.current:sub(#before + 1)
  if option[2] == "FILE" then
    answers:files(before)
  elseif begins(value, "@") then
    answers:files(before .. "@")
  elseif option.choices then
    answers:words(option.choices, before)
  elseif option[1] == "--fields" and command then
    local names = require("polytomic.cli.fields").documented(command.described_by or command.name)
    answers:words(names or {}, before .. (value:match "^.*," or ""))
  end
end

-- ---- words ----

local function add_operations(answers, suitable)
  local described = require("polytomic.cli.descriptions").operations
  for _, operation in ipairs(require("polytomic").operations) do
    local row = described[operation.name] or {}
    if not suitable or row[suitable] then answers:word(operation.name, row.summary) end
  end
end

local function add_names(answers)
  for _, entry in ipairs(commands.list) do answers:word(entry.name, entry.summary) end
  add_operations(answers)
end

-- The fields of what is run, and what the help says of each by its name.
local function fields_of(command, words)
  local operation = command.operation
  if command.name == "wait_for" then operation = require("polytomic.core").describe(words[1]) end
  local name = operation and operation.name or command.described_by
  local row = require("polytomic.cli.descriptions").operations[name] or {}
  local described = {}
  for _, field in ipairs(row.arguments or {}) do described[field.name] = field end
  return operation and operation.arguments or command.fields and command.fields() or {}, described
end

local function is_given(name, words)
  for _, word in ipairs(words) do
    if word:match "^([^:=]+):?=" == name then return true end
  end
  return false
end

-- An argument `name=value`: its name, then the values of an enumeration or a file's name.
local function add_argument(answers, command, words)
  local before = answers.current:match "^[%w_%.%-]+:?=@"
  if before then return answers:files(before) end
  local given = answers.current:match "^([%w_%.%-]+)="
  local fields, described = fields_of(command, words)
  for _, field in ipairs(fields) do
    local row = described[field.name] or field
    local values = row.values or field.type == "boolean" and { "true", "false" } or {}
    if given == field.name then
      answers:words(values, given .. "=")
    elseif field.type == "array" or not is_given(field.name, words) then
      answers:word(field.name .. (row.secret and "=@" or "="), row.description)
    end
  end
end

-- What an argument of a command may be, by its name in the help.
local KINDS = {
  FILE = function(answers) answers:files "" end,
  OPERATION = function(answers) add_operations(answers, "waits") end,
  NAME = add_names,
  ["name=value…"] = add_argument,
}

local function add_words(answers, command, words)
  local arguments = command.arguments or {}
  local argument = arguments[#words + 1]
  local last = arguments[#arguments]
  if not argument and last and last.many then argument = last end
  if not argument then return end
  if argument.choices then return answers:words(argument.choices) end
  local add = KINDS[argument[1]]
  if add then add(answers, command, words) end
end

-- The words after the command's name that are no options, nor values of options.
local function plain_words(words, at, known)
  local plain, i = {}, 1
  while i <= #words do
    local option = known[words[i]]
    if option then
      i = i + (option[2] and 1 or 0)
    elseif i ~= at and not begins(words[i], "-") then
      plain[#plain + 1] = words[i]
    end
    i = i + 1
  end
  return plain
end

-- What may come in the place of the last of the words, of which this has been typed: a list of
-- { word =, description = } or { files = the beginning of the word that file names may follow }.
function M.answers(words)
  local current = table.remove(words) or ""
  local answers = setmetatable({ current = current }, Answers)
  local at = parser.position_of_command(words)
  local command = at and require("polytomic.cli").command(words[at])
  if at and not command then return answers end
  local list = options_of(command)
  local known = by_spelling(list)
  local option = known[words[#words]]
  local before = current:match "^%-%-[%w%-]+="
  if option and option[2] then
    add_value(answers, option, "", command)
  elseif before then
    option = known[before:sub(1, -2)]
    if option and option[2] then add_value(answers, option, before, command) end
  elseif begins(current, "-") then
    add_options(answers, list)
  elseif command then
    add_words(answers, command, plain_words(words, at, known))
  else
    add_names(answers)
  end
  return answers
end

return M
