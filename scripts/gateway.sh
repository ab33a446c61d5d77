# Sourced by build.sh: the gateway as people start it, and what to try on it.
# shellcheck shell=bash

# One try in three lines: what it shows, the status, what follows `curl -si`. URL stands for where the gateway is.
tries() {
    cat <<'END'
the token that the demo knows
200
-X POST -H 'x-token: demo-token' URL/v1/auth
no token
401
-X POST URL/v1/auth
another token
401
-X POST -H 'x-token: guessed' URL/v1/auth
the projects, from configuration-service
200
-H 'x-token: demo-token' URL/configuration-service/v1/project
the same without a token: configuration-service itself would not ask for one
401
URL/configuration-service/v1/project
a resource whose name has a slash
200
-H 'x-token: demo-token' URL/configuration-service/v1/project/sockshop/resource/%2Fshipyard.yaml
a name that climbs out of the project
400
-H 'x-token: demo-token' URL/configuration-service/v1/project/sockshop/resource/..%2F..%2Fetc%2Fhostname
an event, to api-service
200
-H 'x-token: demo-token' -H 'content-type: application/json' -d '{"type":"sh.keptn.event.configuration.change"}' URL/v1/event
a document that anybody may read
200
URL/swagger-ui/
END
}

print_tries() { # URL
    local shows status arguments
    while read -r shows && read -r status && read -r arguments; do
        printf '# %s: %s\ncurl -si %s\n' "$shows" "$status" "${arguments//URL/$1}"
    done < <(tries)
}

# Runs what print_tries prints, each line by a shell as a reader would, and compares the statuses.
run_tries() { # URL
    local shows status arguments line answer got wrong=0 count=0
    while read -r shows && read -r status && read -r arguments; do
        line="curl -si ${arguments//URL/$1}"
        printf '\n# %s: %s\n$ %s\n' "$shows" "$status" "$line"
        answer=$(bash -c "$line" </dev/null | tr -d '\r') || true
        got=$(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' <<<"$answer")
        printf '%s\n' "$answer"
        count=$((count + 1))
        if [[ $got != "$status" ]]; then
            say "expected $status, got ${got:-no answer}: $line"
            wrong=$((wrong + 1))
        fi
    done < <(tries)
    ((count > 0 && wrong == 0)) || die "$wrong of $count tries were not answered as they should be"
    say "$count tries, each answered as it should be"
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

need_port() { # PORT
    local free
    if ! port_taken "$1"; then return; fi
    if have ss; then ss -Hltnp "sport = :$1" >&2; fi
    free=$(free_port)
    die "port $1 is taken: stop what listens there, or choose another one: PORT=$free ./build.sh run"
}

# wait_until SECONDS COMMAND…: until the command succeeds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || return
        sleep 0.1
    done
}

# What envoy.yaml says for docker and must say otherwise here.
plugin_says='filename: /etc/envoy/plugin.wasm'
listener_says='address: 0.0.0.0, port_value: 8080'
admin_says='port_value: 9901'
says() { grep -qF "$1" "$2"; } # WHAT FILE

# need_config: sets config to the file that is run, and own_config if that is $CONFIG.
config=envoy.yaml
own_config=
need_config() {
    local literal
    if [[ -z ${CONFIG:-} ]]; then
        for literal in "$plugin_says" "$listener_says" "$admin_says"; do
            [[ $(grep -cF "$literal" $config) == 1 ]] || die "$config should say \"$literal\" exactly once"
        done
        return
    fi
    own_config=yes
    config=$(cd "$called_from" && readlink -f -- "$CONFIG") || config=
    [[ -f $config && -r $config ]] || die "CONFIG=$CONFIG is no file that can be read (seen from $called_from)"
    says "$plugin_says" "$config" ||
        die "CONFIG=$CONFIG should say \"$plugin_says\", in these very words: there the plugin that was built is put in"
    # By it is seen that Envoy is ready.
    grep -q '^admin:' "$config" || die "CONFIG=$CONFIG has no \"admin:\" at the beginning of a line: take over envoy.yaml's"
}

# start_gateway PORT LOG: sets gateway_pid and gateway_admin. An empty LOG is the terminal.
gateway_pid=
gateway_admin=
start_gateway() {
    local port=$1 log=$2 admin=9901
    if says "$listener_says" "$config"; then need_port "$port"; fi
    if port_taken $admin; then admin=0; fi
    cp dist/plugin.wasm "$scratch/plugin.wasm"
    # Loopback, because the demo's token is known to all.
    sed -e "s|$plugin_says|filename: \"$scratch/plugin.wasm\"|" \
        -e "s|$listener_says|address: 127.0.0.1, port_value: $port|" \
        -e "s|$admin_says|port_value: $admin|" "$config" >"$scratch/envoy.yaml"
    rm -f "$scratch/admin"
    (
        [[ -z $log ]] || exec >"$log" 2>&1
        # Should this script be killed without a chance to clean up, Envoy goes too.
        tie=()
        if have setpriv; then tie=(setpriv --pdeathsig TERM); fi
        exec "${tie[@]}" "$ENVOY_BIN" -c "$scratch/envoy.yaml" --disable-hot-restart \
            --admin-address-path "$scratch/admin" --drain-time-s 30 --file-flush-interval-msec 1000 \
            -l warning --component-log-level wasm:info </dev/null
    ) &
    gateway_pid=$!
    at_end+=(stop_gateway)
    if ! wait_until 60 gateway_ready_or_gone || ! gateway_runs; then
        [[ -z $log ]] || cat "$log" >&2
        die "Envoy did not get ready (its own words are above)"
    fi
}
gateway_runs() { kill -0 "$gateway_pid" 2>/dev/null; }
gateway_ready_or_gone() {
    gateway_runs || return 0
    [[ -s $scratch/admin ]] || return
    gateway_admin=$(<"$scratch/admin")
    [[ $(curl -s -m 2 "http://$gateway_admin/ready") == LIVE ]]
}
stop_gateway() {
    [[ -n $gateway_pid ]] || return 0
    kill "$gateway_pid" 2>/dev/null || true
    wait_until 10 gateway_gone || kill -KILL "$gateway_pid" 2>/dev/null || true
    wait "$gateway_pid" 2>/dev/null || true
    gateway_pid=
}
gateway_gone() { ! gateway_runs; }

free_port() {
    local port
    for port in {18080..18180}; do
        if ! port_taken "$port"; then
            echo "$port"
            return
        fi
    done
    die "no free port from 18080 to 18180"
}

run_gateway() { # [--check]
    local port=${PORT:-8080} url
    [[ $port =~ ^[1-9][0-9]{0,4}$ ]] && ((port < 65536)) || die "PORT=$port is no port: give a number from 1 to 65535"
    [[ $# == 0 || $* == --check ]] || die "run takes nothing, or --check; not: $*"
    [[ $# == 0 || -z ${CONFIG:-} ]] || die "run --check tries what envoy.yaml answers: unset CONFIG, or leave --check away"
    need_config
    # start_gateway asks again: building takes a while.
    if says "$listener_says" "$config"; then need_port "$port"; fi
    need_curl
    need_envoy
    build_plugin
    url=http://127.0.0.1:$port
    if [[ ${1:-} == --check ]]; then
        start_gateway "$port" "$scratch/envoy.log"
        run_tries "$url"
        return
    fi
    start_gateway "$port" ""
    if ! says "$listener_says" "$config"; then
        say "the gateway runs where $config lets it listen (Envoy's admin page: http://$gateway_admin)"
    elif [[ -n $own_config ]]; then
        say "the gateway runs at $url, for this machine only (Envoy's admin page: http://$gateway_admin), as $config says"
    else
        say "the gateway runs at $url, for this machine only (Envoy's admin page: http://$gateway_admin). Try, in another terminal:"
        print_tries "$url"
    fi
    say "Ctrl-C stops it. Below: Envoy's log, and a line for each request"
    wait "$gateway_pid" || die "Envoy ended by itself"
}
