# Gives the program words as they were typed, since bash parts them at "=" and ":", and gives bash
# names of files that are quoted.
_agent() {
    local -a words=()
    local word open= parted= last=-1 i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        [[ $i -ne $COMP_CWORD || $word == [=:] ]] || word=$2
        if [[ $i -gt 1 && ( $word == [=:]* || ${words[last]} == *[=:] ) ]]; then
            words[last]+=$word
            parted=yes
        else
            words+=("$word")
            last=$((last + 1))
            parted=
        fi
    done
    [[ ${COMP_WORDS[COMP_CWORD]} != [\'\"]* ]] || open=yes
    for i in "${!words[@]}"; do
        word=${words[i]//\\/}
        [[ $word != \"* ]] || { word=${word#\"} word=${word%\"}; }
        [[ $word != \'* ]] || { word=${word#\'} word=${word%\'}; }
        words[i]=$word
    done
    local -a COMP_WORDS=("${words[@]}")
    local COMP_CWORD=$last typed=${words[last]}
    _clap_complete_agent "$1" "$typed" "$3"
    [[ -z $parted ]] || COMPREPLY=("${COMPREPLY[@]#"${typed%"${typed##*[=:]}"}"}")
    words=()
    for word in "${COMPREPLY[@]}"; do
        if [[ -z $open && $word == \~/* ]]; then
            printf -v word '~/%q' "${word#\~/}"
        elif [[ -z $open ]]; then
            printf -v word '%q' "$word"
        elif [[ $word == *[\'\"\\\$\`]* ]]; then
            continue
        fi
        words+=("${word%\'\'}")
    done
    COMPREPLY=("${words[@]}")
}
complete -o nospace -o bashdefault -F _agent agent
if [[ ${BASH_VERSINFO[0]} -gt 4 || ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 ]]; then
    complete -o nospace -o bashdefault -o nosort -F _agent agent
fi
