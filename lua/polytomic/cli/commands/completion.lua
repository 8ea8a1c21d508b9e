-- `polytomic completion SHELL`: argparse makes the completion of commands and options from a parser
-- that knows every operation; the arguments `name=value` and their enumerations are added to it.

local commands = require "polytomic.cli.commands"
local parsers = require "polytomic.cli.parser"

-- ---- what can be completed ----

-- The words that may follow an operation or a command: `name=`, or `name=value` for each value of
-- an enumeration.
local function words_of(fields, described)
  local values = {}
  for _, field in ipairs(described or {}) do values[field.name] = field.values end
  local words = {}
  for _, field in ipairs(fields or {}) do
    local known = values[field.name] or field.type == "boolean" and { "true", "false" } or { "" }
    for _, value in ipairs(known) do
      if value:find "^[%w_%-%.]*$" then words[#words + 1] = field.name .. "=" .. value end
    end
  end
  return words
end

local function add_command(parser, command, words, choices)
  local added = parser:command(command.name):summary(command.summary):add_help(false)
  added:description(command.summary or "")
  local argument = added:argument("words"):args "*"
  if #words > 0 or choices then argument:choices(choices or words) end
  parsers.add_options(added, { options = command.options, groups = {} })
end

-- A parser of everything, and the words of each operation and command.
local function whole_parser(argparse, operations)
  local descriptions = require "polytomic.cli.descriptions".operations
  local operation_command = require("polytomic.cli.commands.operation").command
  local parser = argparse("polytomic"):add_help(false)
  -- The options of the groups once, for all: shells offer them after every command.
  parsers.add_options(parser, { groups = require("polytomic.cli.options").every_group })
  local names, words = {}, {}
  for i, operation in ipairs(operations) do
    names[i] = operation.name
    local described = descriptions[operation.name] or {}
    words[operation.name] = words_of(operation.arguments, described.arguments)
    local command = operation_command(operation)
    command.summary = described.summary or command.summary
    add_command(parser, command, words[operation.name])
  end
  for _, entry in ipairs(commands.list) do
    local command = commands.find(entry.name)
    words[entry.name] = words_of(command.fields and command.fields(), nil)
    local choices = (entry.name == "help" or entry.name == "wait_for") and names
      or entry.name == "completion" and { "bash", "zsh", "fish" }
      or nil
    if choices then words[entry.name] = choices end
    add_command(parser, command, words[entry.name], choices)
  end
  return parser, words
end

local function sorted_names(words)
  local names = {}
  for name, list in pairs(words) do
    if #list > 0 then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- ---- the shells ----

local shells = {}

-- Bash splits words at `=`, so what is before it is taken off the answers again.
local BASH = [==[
_polytomic_arguments() {
    case "$1" in
CASES
    esac
}

_polytomic_all() {
    local cur word operation i
    COMPREPLY=()
    _polytomic "$@"
    cur="${COMP_LINE:0:COMP_POINT}"
    cur="${cur##*[[:space:]]}"
    [[ "$cur" = -* ]] && return
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        if [[ -n "$(_polytomic_arguments "$word")" ]]; then operation="$word"; break; fi
    done
    [[ -z "$operation" || "$cur" = "$operation" ]] && return
    local IFS=$' \t\n'
    COMPREPLY=($(compgen -W "$(_polytomic_arguments "$operation")" -- "$cur"))
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" = *= ]] && compopt -o nospace 2>/dev/null
    if [[ "$cur" = *=* && "$COMP_WORDBREAKS" = *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${cur%%=*}="}")
    fi
}

complete -F _polytomic_all -o bashdefault -o default polytomic
]==]

function shells.bash(parser, words)
  local cases = {}
  for i, name in ipairs(sorted_names(words)) do
    cases[i] = ("        %s) echo '%s' ;;"):format(name, table.concat(words[name], " "))
  end
  local text = parser:get_bash_complete():gsub("\ncomplete %-F [^\n]+\n", "\n")
  local all = table.concat(cases, "\n")
  return text .. "\n" .. BASH:gsub("CASES", function() return all end)
end

-- zsh adds a space to each word unless `compadd -S ''` says otherwise.
function shells.zsh(parser)
  return (parser:get_zsh_complete():gsub('"%*: :%(([^)]*)%)"', function(words)
    if not words:find("=", 1, true) then return nil end
    return '"*: : compadd -S \'\' -- ' .. words .. '"'
  end))
end

function shells.fish(parser, words)
  local lines = { parser:get_fish_complete() }
  for _, name in ipairs(sorted_names(words)) do
    lines[#lines + 1] = ("complete -c polytomic -n '__fish_polytomic_using_command %s' -xa '%s'")
      :format(name, table.concat(words[name], " "))
  end
  return table.concat(lines, "\n") .. "\n"
end

return {
  completion = {
    details = "For bash: eval \"$(polytomic completion bash)\" in ~/.bashrc. make install puts all "
      .. "three where the shells look for them.",
    arguments = { { "SHELL", "bash, zsh or fish" } },
    groups = { "general" },
    run = function(context)
      local shell = context.words[1]
      if not shells[shell] then
        return context:usage("no completion for '" .. shell .. "'", "bash, zsh or fish")
      end
      local parser, words = whole_parser(require "argparse", context:library().operations)
      return require("polytomic.cli.output").put(shells[shell](parser, words))
    end,
  },
}
