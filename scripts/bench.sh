# Sourced by build.sh: how long things take, and that what must not take longer does not.
# shellcheck shell=bash

benches=(routes)

bench() { # [BENCH]
    local bench=${1:-routes}
    [[ $# -le 1 && " ${benches[*]} " == *" $bench "* ]] || die "no bench \"$*\": there is ${benches[*]}"
    need_rust
    "bench_$bench"
}

# 1,000 routes against 10: start-up, memory, look-up. It fails if the number of routes shows in a look-up.
bench_routes() {
    step cargo bench --quiet -p gate --bench routes
}
