-- `polytomic completion SHELL`: the completion for a shell, which asks `polytomic completion words`
-- what may come next. It writes the words typed so far to its standard input, a line each: they may
-- be secrets, and arguments are seen by every user of the machine.

local SHELLS = { "bash", "zsh", "fish" }

-- ---- the shells ----

local shells = {}

-- Bash splits words at `=` and others of COMP_WORDBREAKS; $2 is the part that its answers replace.
shells.bash = [==[
_polytomic() {
    local rest="${COMP_LINE:0:COMP_POINT}" part="" head answer file i
    local -a words=()
    COMPREPLY=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        [[ $i -eq 0 || "$rest" = [[:space:]]* ]] && words+=("")
        rest="${rest#"${rest%%[![:space:]]*}"}"
        part="${COMP_WORDS[i]}"
        [[ $i -eq $COMP_CWORD ]] && part="$rest"
        rest="${rest#"$part"}"
        words[${#words[@]}-1]+="$part"
    done
    local cur="${words[${#words[@]}-1]//[\\\"\']/}"
    head="${cur%"${2//[\\\"\']/}"}"
    words[${#words[@]}-1]="$cur"
    while IFS= read -r answer; do
        if [[ "$answer" = "*"$'\t'* ]]; then
            answer="${answer#*$'\t'}"
            compopt -o filenames 2>/dev/null
            while IFS= read -r file; do
                # Readline marks directories by itself where the word is a name and no more.
                [[ "$head" != "$answer" && -d "$file" ]] && file="$file/"
                COMPREPLY+=("$answer$file")
            done < <(compgen -f -- "${cur#"$answer"}")
        else
            COMPREPLY+=("${answer%%$'\t'*}")
        fi
    done < <(printf '%s\n' "${words[@]:1}" | polytomic completion words 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 0 ]] && return
    COMPREPLY=("${COMPREPLY[@]#"$head"}")
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" = *[=@/] ]] && compopt -o nospace 2>/dev/null
}

complete -F _polytomic polytomic
]==]

shells.zsh = [==[
#compdef polytomic

_polytomic() {
  local answer word
  local -a closed open files
  while IFS= read -r answer; do
    word="${answer%%$'\t'*}"
    if [[ $word = '*' ]]; then
      files=("${answer#*$'\t'}")
      continue
    fi
    answer="${answer#*$'\t'}"
    answer="${word//:/\\:}${answer:+:$answer}"
    if [[ $word = *[=@] ]]; then open+=("$answer"); else closed+=("$answer"); fi
  done < <(printf '%s\n' "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" |
    polytomic completion words 2>/dev/null)
  if (( $#files )); then
    compset -P "${(b)files[1]}"
    _files
  fi
  (( $#closed )) && _describe -t words word closed
  (( $#open )) && _describe -t arguments argument open -S ''
}

if [[ $funcstack[1] = _polytomic ]]; then
  _polytomic "$@"
else
  compdef _polytomic polytomic
fi
]==]

shells.fish = [==[
function __polytomic_answers
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    printf '%s\n' $words[2..-1] "$current" | polytomic completion words 2>/dev/null |
    while read -l answer
        set -l parts (string split -m 1 \t -- $answer)
        if test "$parts[1]" = '*'
            set -l typed (string sub -s (math (string length -- "$parts[2]") + 1) -- "$current")
            for file in (__fish_complete_path "$typed")
                printf '%s%s\n' "$parts[2]" $file
            end
        else
            printf '%s\n' $answer
        end
    end
end

complete -c polytomic -f -a '(__polytomic_answers)'
]==]

-- ---- the words ----

-- The answers, a line each: a word, a tab and what it is; or `*`, a tab and the beginning of the
-- word that file names may follow.
local function words()
  local typed = {}
  for line in io.lines() do typed[#typed + 1] = line end
  local lines = {}
  for i, answer in ipairs(require("polytomic.cli.complete").answers(typed)) do
    lines[i] = answer.files and "*\t" .. answer.files
      or answer.word .. "\t" .. (answer.description or "")
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

return {
  completion = {
    details = "make install puts all three where shells look for them; elsewhere: "
      .. "eval \"$(polytomic completion bash)\" in ~/.bashrc, the same with zsh after compinit in "
      .. "~/.zshrc, polytomic completion fish | source in ~/.config/fish/config.fish.",
    arguments = { { "SHELL", "bash, zsh or fish", choices = SHELLS } },
    groups = { "general" },
    run = function(context)
      local shell = context.words[1]
      local text = shell == "words" and words() or shells[shell]
      if text then return require("polytomic.cli.output").put(text) end
      return context:usage("no completion for '" .. shell .. "'", "bash, zsh or fish")
    end,
  },
}
