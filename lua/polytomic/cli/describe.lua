-- Describes the operations in words: the list of all, by family, and the help for one.

local descriptions = require "polytomic.cli.descriptions"
local help = require "polytomic.cli.help"
local terminal = require "polytomic.terminal"

local M = {}

-- ---- the list ----

-- Whether a word is in what is said of an operation.
local function has(operation, family, word)
  local text = operation.name .. "\n" .. family .. "\n" .. (operation.summary or "")
  return text:lower():find(word, 1, true) ~= nil
end

-- The operations with the word (all without one) by family, and how many they are.
local function by_family(operations, word)
  local families, titles, count = {}, {}, 0
  for _, operation in ipairs(operations) do
    local title = (descriptions.operations[operation.name] or {}).family or "Other"
    if not word or has(operation, title, word:lower()) then
      if not families[title] then
        families[title] = {}
        titles[#titles + 1] = title
      end
      table.insert(families[title], operation)
      count = count + 1
    end
  end
  table.sort(titles)
  return families, titles, count
end

-- Every operation with its summary, or those with the word; nil where there is none.
function M.operations(operations, word)
  local families, titles, count = by_family(operations, word)
  if count == 0 then return nil end
  local width, columns = 0, help.columns()
  for _, operation in ipairs(operations) do width = math.max(width, #operation.name) end
  local paint, parts = terminal.painter(1), {}
  for i, title in ipairs(titles) do
    local rows = {}
    for k, operation in ipairs(families[title]) do
      local summary = (descriptions.operations[operation.name] or {}).summary or operation.summary
      rows[k] = { operation.name, summary }
    end
    parts[i] = paint(title, "bold") .. "\n" .. help.two_columns(rows, columns, width)
  end
  return table.concat(parts, "\n\n") .. "\n"
end

-- ---- one operation ----

-- What an argument is, beside its meaning.
local function type_words(field)
  local words = { field.required and field.type .. ", required" or field.type }
  if field.nullable then words[#words + 1] = "may be null (:=null)" end
  if field.not_empty then words[#words + 1] = "not empty" end
  if field.secret then words[#words + 1] = "secret: give it as " .. field.name .. "=@FILE" end
  local said = (field.description or ""):lower()
  if field.deprecated and not said:find "deprecated" then words[#words + 1] = "deprecated" end
  if field.excludes and not said:find "together" then
    words[#words + 1] = "not together with " .. field.excludes
  end
  return table.concat(words, ", ")
end

local MAX_VALUES, SHOWN_VALUES = 12, 8 -- of an enumeration: a longer one is cut
local REFERENCE = "docs/operations.md"

-- Where the reference describes a type; nil for one without a name.
local function place_of(name)
  local kind = name and descriptions.types[name]
  return kind and REFERENCE .. "#" .. kind.anchor
end

local function values_words(values, name)
  if #values <= MAX_VALUES then return "One of " .. table.concat(values, ", ") end
  return ("One of %s, … (%d, see %s)"):format(
    table.concat(values, ", ", 1, SHOWN_VALUES), #values, place_of(name) or REFERENCE)
end

-- The lines for the arguments or fields of a list.
local function field_rows(fields)
  local rows = {}
  for i, field in ipairs(fields) do
    local text = { type_words(field) }
    if field.description then text[#text + 1] = field.description end
    if field.values then text[#text + 1] = values_words(field.values, field.of) end
    rows[i] = { field.name, table.concat(text, ". ") }
  end
  return rows
end

-- How the operation may be called, with its required arguments.
local function example(operation)
  local words = { "polytomic " .. operation.name }
  for _, field in ipairs(operation.arguments) do
    if field.required then
      local structured = field.type == "object" or field.type == "map" or field.type == "any"
      words[#words + 1] = field.name
        .. (structured and ":=JSON" or field.format == "uuid" and "=UUID" or "=…")
    end
  end
  return table.concat(words, " ")
end

-- The members of the objects that arguments take, one level deep: deeper ones are in the reference.
local function member_parts(fields, columns, paint)
  local parts, seen = {}, {}
  for _, field in ipairs(fields) do
    local kind = field.of and descriptions.types[field.of]
    if kind and kind.fields and not seen[field.of] then
      seen[field.of] = true
      local title = ("Members of %s (%s, see %s)"):format(field.name, field.of, place_of(field.of))
      parts[#parts + 1] = terminal.wrap(paint(title, "bold"), columns, "  ")
        .. "\n" .. help.two_columns(field_rows(kind.fields), columns)
    end
  end
  return parts
end

local function sentence(text)
  text = text:sub(1, 1):upper() .. text:sub(2)
  return text:find "[.!?]$" and text or text .. "."
end

-- The options of an operation's command by name: the general help says what they mean.
local function option_words(command)
  local names = {}
  for _, option in ipairs(require("polytomic.cli.options").of(command)) do
    names[#names + 1] = option[1]
  end
  return "Options, which polytomic --help explains: " .. table.concat(names, " ")
end

-- What one operation does and takes. `command` is the command that runs it.
function M.operation(command)
  local operation = command.operation
  local columns, paint = help.columns(), terminal.painter(1)
  local known = descriptions.operations[operation.name] or {}
  local fields = known.arguments or operation.arguments
  local parts = {
    terminal.wrap(sentence(known.summary or operation.summary or operation.id), columns),
    terminal.wrap("  " .. example(operation), columns, "    "),
  }
  local facts = { operation.method .. " " .. operation.path }
  if known.key then facts[#facts + 1] = "Needs: " .. known.key end
  if known.returns then facts[#facts + 1] = "Returns: " .. known.returns end
  if known.secrets then
    facts[#facts + 1] = "Secret in the reply: " .. table.concat(known.secrets, ", ")
      .. (known.why and " (" .. known.why .. ")" or "")
  end
  if known.note then facts[#facts + 1] = sentence(known.note) end
  for i = 2, #facts do facts[i] = terminal.wrap(facts[i], columns, "  ") end
  parts[#parts + 1] = table.concat(facts, "\n")
  if #fields > 0 then
    parts[#parts + 1] = paint("Arguments", "bold") .. "\n"
      .. help.two_columns(field_rows(fields), columns)
  end
  for _, part in ipairs(member_parts(fields, columns, paint)) do parts[#parts + 1] = part end
  parts[#parts + 1] = terminal.wrap(option_words(command), columns, "  ")
  return table.concat(parts, "\n\n") .. "\n"
end

-- The lines for the arguments of a command that takes those of an operation: `fields` are of
-- polytomic.operations, `name` is the operation that describes them.
function M.arguments(fields, name, columns)
  local described = {}
  for _, field in ipairs((descriptions.operations[name] or {}).arguments or {}) do
    described[field.name] = field
  end
  local list = {}
  for i, field in ipairs(fields) do list[i] = described[field.name] or field end
  return help.two_columns(field_rows(list), columns)
end

return M
