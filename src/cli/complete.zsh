# zsh itself completes behind "~": what another names there, it would quote.
_agent() {
    case ${words[CURRENT]} in
        \~*) _files ;;
        *) _clap_dynamic_completer_agent ;;
    esac
}
compdef _agent agent
