# Sourced by build.sh: how long things take, and that what must not take longer does not.
# shellcheck shell=bash

benches=(routes instructions)

bench() { # [BENCH [ARGUMENT…]]
    local bench=${1:-routes}
    shift || true
    [[ " ${benches[*]} " == *" $bench "* ]] || die "no bench \"$bench\": there are ${benches[*]}"
    need_rust
    "bench_$bench" "$@"
}

# 1,000 routes against 10: start-up, memory, look-up. It fails if the number of routes shows in a look-up.
bench_routes() {
    [[ $# == 0 ]] || die "bench routes takes nothing, not: $*"
    step cargo bench --quiet -p gate --bench routes
}
