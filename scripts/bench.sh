# Sourced by build.sh: how long things take, and that what must not take longer does not.
# shellcheck shell=bash

benches=(rig growth start routes report instructions scaling)

# bench [BENCH] [OPTION…]: without a name it is the rig, as `./build.sh bench --quick`.
bench() {
    local bench=rig
    [[ $# == 0 || $1 == -* ]] || { bench=$1 && shift; }
    [[ " ${benches[*]} " == *" $bench "* ]] || die "no bench \"$bench\": there is ${benches[*]}"
    need_rust
    "bench_$bench" "$@"
}

# The filter beside its alternatives, in one run: about a quarter of an hour, `--quick` in four minutes.
bench_rig() { run_bench rig "$@"; }

# How cost and memory grow with routes, tokens and headers.
bench_growth() { run_bench growth "$@"; }

# From Envoy getting a configuration to the first answer by it.
bench_start() { run_bench start "$@"; }

# 1,000 routes against 10: start-up, memory, look-up. It fails if the number of routes shows in a look-up.
bench_routes() {
    [[ $# == 0 ]] || die "bench routes takes nothing, not: $*"
    step cargo bench --quiet -p gate --bench routes
}

# docs/benchmarks.md and its plots, from what the runs left in target/bench.
bench_report() { step cargo run --quiet --release -p bench -- report "$@"; }

# docs/scaling.md's simulation and plots.
bench_scaling() { step cargo run --quiet --release -p scaling -- "$@"; }

# run_bench COMMAND [OPTION…]: the program that measures, with all that it needs.
run_bench() {
    local program
    need_envoy
    need_load
    build_plugin
    build_do_nothing
    step cargo build --quiet --release -p bench
    count_hostcalls
    program=$(target_dir)/release/bench
    PLUGIN_WASM=$PWD/dist/plugin.wasm BENCH_COMMAND="./build.sh bench $*" step "$program" "$@"
}

# What the program starts besides Envoy.
need_load() {
    have taskset || apt "keeps proxy and load on cores of their own" util-linux
    have wrk || apt "asks as fast as it is answered" wrk
    need_unpacked nginx nginx "the services, and the gateway that Keptn has"
}

# Sets and exports DO_NOTHING_WASM, the filter that does nothing with all that the SDK exports;
# DO_NOTHING_TRIMMED_WASM, the same trimmed as the plugin is; and CALLS_WASM, the one that only makes the plugin's calls.
build_do_nothing() {
    need_wasm
    wasm_cargo build --quiet --profile plugin -p do-nothing --lib --example calls ||
        die "the filter that does nothing does not compile (see above)"
    local built
    built=$(target_dir)/wasm/wasm32-unknown-unknown/plugin
    DO_NOTHING_WASM=$built/do_nothing.wasm
    trim_plugin "$DO_NOTHING_WASM"
    DO_NOTHING_TRIMMED_WASM=$trimmed_file
    trim_plugin "$built/examples/calls.wasm"
    CALLS_WASM=$trimmed_file
    export DO_NOTHING_WASM DO_NOTHING_TRIMMED_WASM CALLS_WASM
}

# Sets and exports HOSTCALLS: a file with how many calls to the host a request costs, by variant.
count_hostcalls() {
    need_node
    scratch_dir
    HOSTCALLS=$scratch/hostcalls.json
    step env "PLUGIN_WASM=$PWD/dist/plugin.wasm" node tests/hostcalls/count.mjs >"$HOSTCALLS"
    export HOSTCALLS
}
