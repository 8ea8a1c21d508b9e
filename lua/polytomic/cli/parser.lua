-- Reads the words of a command line with argparse, led by the commands' tables of options.

local options = require "polytomic.cli.options"

local M = {}

-- Where the command's name is among the words, past options that come before it; nil where there
-- is none.
function M.position_of_command(words)
  local known = options.before_command()
  local at = 1
  while at <= #words do
    local word = words[at]
    if word:sub(1, 1) ~= "-" or word == "-" then return at end
    local option = known[word]
    at = at + (option and option[2] and 2 or 1)
  end
end

-- What to say of the first of the words before `stop` (the last one, unless given) that looks like
-- an option and is unknown; or nil.
function M.unknown_option(words, stop)
  local known = options.before_command()
  for i = 1, (stop or #words + 1) - 1 do
    local name = words[i]:match "^(%-%-?[^=]+)"
    if name and words[i] ~= "--" and not known[name] then
      local spellings = {}
      for spelling in pairs(known) do spellings[#spellings + 1] = spelling end
      table.sort(spellings)
      return require("polytomic.usage").unknown("option", name, #name > 2 and spellings or {})
    end
  end
end

-- The member of the result that an option is read into.
local function target(option)
  return (option[1]:gsub("^%-+", ""):gsub("%-", "_"))
end

local function add_option(parser, option)
  local spelling = option.short and option.short .. " " .. option[1] or option[1]
  if not option[2] then return parser:flag(spelling):target(target(option)) end
  local added = parser:option(spelling):argname(option[2]):target(target(option))
  if option.choices then added:choices(option.choices) end
  if option.convert then
    added:convert(function(text)
      local value, problem = option.convert(text)
      return value, problem and option[1] .. " " .. problem
    end)
  end
  if option.repeated then added:count "*" end
  return added
end

-- A message of argparse on one line. It takes any letter for another, so that its suggestions for
-- short options mean nothing.
local function on_one_line(message)
  local problem, meant = message:match "^([^\n]*)\nDid you mean(.*)$"
  if not problem then return message end
  local names = {}
  for name in meant:gmatch "'(%-%-[^']+)'" do names[#names + 1] = "'" .. name .. "'" end
  if #names == 0 then return problem end
  return problem .. ", did you mean " .. table.concat(names, " or ") .. "?"
end

-- The options that the words give, and the other words in `words`; or nil and a message.
function M.read(argparse, name, command, words)
  local parser = argparse("polytomic " .. name):add_help(false)
  parser:argument("words"):args "*"
  for _, option in ipairs(options.of(command)) do add_option(parser, option) end
  local ok, given = parser:pparse(words)
  if not ok then return nil, on_one_line(given) end
  return given
end

return M
