# Completion of agent-relayctl for bash. Commands and flags are known here; the names of tools and servers are asked of the
# relay, for a second at most, and nothing is said when it does not answer.
#
# What a relay answers is never expanded by the shell: names are compared and quoted as they are. (compgen -W would run a
# tool's name that looks like $(command).)

_agent_relayctl_ask() { # command: tools, servers, or tools NAME for its arguments; the words of the line so far may name a relay
    local i relay=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --relay)
            # bash cuts words at ':' and '='
            local value=${COMP_WORDS[i + 1]-}
            [[ $value == '=' ]] && value=${COMP_WORDS[i + 2]-} && ((i++))
            local j=$((i + 2))
            while [[ ${COMP_WORDS[j]-} == ':' || ${COMP_WORDS[j - 1]-} == ':' ]] && ((j < COMP_CWORD)); do
                value+=${COMP_WORDS[j]}
                ((j++))
            done
            relay=(--relay "$value")
            ;;
        esac
    done
    "${COMP_WORDS[0]}" "$@" --names --timeout 1000 "${relay[@]}" 2>/dev/null </dev/null
}

_agent_relayctl_offer() { # current word; candidates on standard input, one a line
    local name
    while IFS= read -r name; do
        [[ -n $name && $name == "$1"* ]] && COMPREPLY+=("$(printf '%q' "$name")")
    done
}

_agent_relayctl_files() { # @ and the beginning of a name
    local file
    while IFS= read -r file; do
        [[ -d $file ]] && file+=/
        COMPREPLY+=("@$(printf '%q' "$file")")
    done < <(compgen -f -- "${1#@}")
    # behind a folder more is to come
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
}

# Is @FILE being written? bash cuts its words at '@' too (unless hostcomplete is off), but replaces the whole of it.
_agent_relayctl_at() { # what will be replaced
    [[ $1 == @* && ($command == call || $command == tool) && $behind -gt 0 ]] || return
    local i=$COMP_CWORD
    [[ ${COMP_WORDS[i]} == @* ]] || ((i--))
    [[ ${COMP_WORDS[i]} == @* && ${COMP_WORDS[i - 1]} != '=' ]]
}

_agent_relayctl_flags() { # command
    local every='--relay --timeout --color --help --version'
    case $1 in
    status) echo "$every --json --no-start" ;;
    ping) echo "$every --json --count --interval" ;;
    call | tool) echo "$every --json --policy" ;;
    tools | servers) echo "$every --json --names" ;;
    agents) echo "$every --json --watch --policy" ;;
    watch) echo "$every --json" ;;
    help) echo "$every" ;;
    *) echo "$every --json" ;;
    esac
}

# The command on the line, and how many words stand behind it: `command`, `behind` and `tool` (the first of them), of the caller.
_agent_relayctl_scan() {
    local i word
    command='' behind=0 tool=''
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --relay | --timeout | --color | --policy | --count | --interval | -n | -i)
            [[ ${COMP_WORDS[i + 1]-} == '=' ]] && ((i++))
            ((i++))
            while [[ ${COMP_WORDS[i + 1]-} == ':' ]]; do ((i += 2)); done
            ;;
        -* | @) ;; # of a word that was cut at '@', its end counts
        *)
            if [[ -z $command ]]; then
                command=$word
            else
                [[ $behind == 0 ]] && tool=$word
                ((behind++))
            fi
            ;;
        esac
    done
}

_agent_relayctl() { # command, what will be replaced
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command behind tool
    local commands='status ping call tools tool agents servers watch help'
    COMPREPLY=()
    [[ $previous == '=' ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $current == '=' ]] && current=''
    case $previous in
    --color) _agent_relayctl_offer "$current" <<<$'auto\nalways\nnever'; return ;;
    --policy) _agent_relayctl_offer "$current" <<<$'fail\nwait\nmock'; return ;;
    --relay | --timeout | --count | --interval | -n | -i) return ;;
    esac
    _agent_relayctl_scan
    if _agent_relayctl_at "$2"; then
        _agent_relayctl_files "$2"
    elif [[ $current == -* ]]; then
        _agent_relayctl_offer "$current" < <(tr ' ' '\n' <<<"$(_agent_relayctl_flags "$command")")
    elif [[ -z $command ]] || [[ $command == help && $behind == 0 ]]; then
        _agent_relayctl_offer "$current" <<<"${commands// /$'\n'}"
    elif [[ $command == tool && $behind == 0 ]]; then
        _agent_relayctl_offer "$current" < <(_agent_relayctl_ask tools)
    elif [[ $command == tool && $current != *=* ]]; then
        _agent_relayctl_offer "$current" < <(_agent_relayctl_ask tools "$tool" | sed 's/$/=/')
        compopt -o nospace 2>/dev/null
    elif [[ $command == tools && $behind == 0 ]]; then
        _agent_relayctl_offer "$current" < <(_agent_relayctl_ask tools)
    elif [[ $command == servers ]]; then
        _agent_relayctl_offer "$current" < <(_agent_relayctl_ask servers)
    elif [[ $command == call && $behind == 0 ]]; then
        _agent_relayctl_offer "$current" <<<$'agents/list\nping\nprompts/list\nrelay/clients\nrelay/inflight\nrelay/ping\nrelay/servers\nrelay/status\nresources/list\ntools/call\ntools/list'
    fi
}

complete -F _agent_relayctl agent-relayctl
