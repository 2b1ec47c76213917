/**
 * What shells run at a press of TAB: each asks `thetalog __complete -- WORD...` and offers the lines that it prints, a candidate
 * and after a tab what it is; `:files` and `:folders` leave it to the shell.
 */

export type Shell = 'bash' | 'zsh' | 'fish';

/** bash ends words at `@`, `:` and `=`, too: what is before the last of them in the current word is not part of a reply. */
const BASH = `_thetalog() {
  local line=\${COMP_LINE:0:COMP_POINT} current found prefix candidate
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]}-1]}
  prefix=\${current%"\${current##*[@:=]}"}
  found=$("\${COMP_WORDS[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  case $found in
    "") ;;
    :files) compopt -o filenames 2>/dev/null; while read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -f -- "$current") ;;
    :folders) compopt -o filenames 2>/dev/null; while read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -d -- "$current") ;;
    *) while IFS=$'\\t' read -r candidate _; do COMPREPLY+=("\${candidate#"$prefix"}"); done <<<"$found" ;;
  esac
}
complete -F _thetalog thetalog
`;

const ZSH = `#compdef thetalog
_thetalog() {
  local -a lines values shown
  local line
  lines=("\${(@f)$(thetalog __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  case $lines[1] in
    "") ;;
    :files) _files ;;
    :folders) _files -/ ;;
    *)
      for line in "\${lines[@]}"; do
        values+=("\${line%%$'\\t'*}")
        shown+=("\${line/$'\\t'/  }")
      done
      compadd -l -d shown -a values ;;
  esac
}
if [ "$funcstack[1]" = _thetalog ]; then _thetalog "$@"; else compdef _thetalog thetalog; fi
`;

const FISH = `function __thetalog_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines (thetalog __complete -- $words[2..-1] "$current" 2>/dev/null)
    switch "$lines[1]"
        case :files
            __fish_complete_path "$current"
        case :folders
            __fish_complete_directories "$current"
        case '*'
            printf '%s\\n' $lines
    end
end
complete -c thetalog -f -a '(__thetalog_complete)'
`;

export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
