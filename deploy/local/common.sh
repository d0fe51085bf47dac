# Shared by up.sh and down.sh: what runs is remembered in .run (or RUN_DIR), one file for each process, with its pid and when that pid began.
run=${RUN_DIR:-.run}
mkdir -p "$run"
run=$(cd "$run" && pwd)
mkdir -p "$run/processes"

began() { # when a process began, so that a pid that the system gave to another is not taken for it
    local stat
    stat=$(cat "/proc/$1/stat" 2> /dev/null) || return 1
    stat=${stat##*) }
    set -- $stat
    echo "${20}"
}

alive() { # alive NAME
    local pid since
    [ -f "$run/processes/$1" ] || return 1
    read -r pid since _ < "$run/processes/$1"
    [ "$(began "$pid")" = "$since" ] && ! grep -q '^State:.Z' "/proc/$pid/status" 2> /dev/null
}

remember() { # remember NAME PID URL
    echo "$2 $(began "$2") $3" > "$run/processes/$1"
}

stop() { # stop SIGNAL NAME...: the signal to all, then wait; after a minute, SIGKILL
    local signal=$1 name pid
    shift
    for name in "$@"; do
        if alive "$name"; then
            read -r pid _ < "$run/processes/$name"
            kill "-$signal" "$pid" 2> /dev/null || true
        fi
    done
    for name in "$@"; do
        for _ in $(seq 300); do
            alive "$name" || break
            sleep 0.2
        done
        if alive "$name"; then
            read -r pid _ < "$run/processes/$name"
            kill -9 "$pid" 2> /dev/null || true
        fi
        rm -f "$run/processes/$name"
    done
}

names() { # names KIND: the remembered ones, as api-1 api-2
    local file
    for file in "$run/processes/$1"*; do [ ! -f "$file" ] || basename "$file"; done | sort -V
}

write_list() { # .run/processes.json
    local name pid url first=1
    {
        echo '['
        for name in $(names rabbitmq) $(names postgres) $(names api-) $(names worker-); do
            read -r pid _ url < "$run/processes/$name"
            [ $first = 1 ] || echo ','
            first=0
            printf '  {"name": "%s", "pid": %s, "url": "%s", "log": "%s"}' "$name" "$pid" "$url" "${RUN_DIR:-.run}/$name.log"
        done
        echo
        echo ']'
    } > "$run/processes.json.new"
    mv "$run/processes.json.new" "$run/processes.json"
}
