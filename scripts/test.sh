# Sourced by build.sh: the tests, each stage by itself or all in this order.
# shellcheck shell=bash

test_stages=(native wasm hostcalls instructions envoy run clients browser fuzz)

run_tests() { # [STAGE [ARGUMENT FOR ITS RUNNER…]]
    local stage
    if [[ $# == 0 ]]; then
        for stage in "${test_stages[@]}"; do "test_$stage"; done
        say "all tests passed: ${test_stages[*]}"
        return
    fi
    stage=$1
    shift
    [[ " ${test_stages[*]} " == *" $stage "* ]] || die "no stage \"$stage\" of tests: there are ${test_stages[*]}"
    "test_$stage" "$@"
}

# Rules, properties, the corpus, the documents' examples.
test_native() {
    need_rust
    # What gatectl takes a curl line for is compared with what curl sends.
    need_curl
    step cargo test -p gate -p gatectl -p wasm-info -p bench -p scaling "$@"
}

# The same core and corpus, as the code that ships: compiled for wasm32.
test_wasm() {
    need_wasm
    need_wasm_runner
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$wasm_runner
    wasm_cargo test -p gate --lib --tests "$@" | tee "$scratch/wasm.log" || die "failed: the tests of gate on wasm32"
    # The runner is content with no test at all: a lost attribute would go unnoticed.
    grep -q '^test result: ok\. [1-9]' "$scratch/wasm.log" || die "failed: not one test of gate ran on wasm32"
}

# What the plugin asks of its host, counted for each kind of request.
test_hostcalls() {
    need_plugins
    need_node
    # Run as a program, not by `node --test`: that would print the table of counts before the report, or not at all.
    step node --test-reporter=spec "$@" tests/hostcalls/hostcalls.test.mjs
}

# What only a real host can show: in the Envoy that is used, and in the oldest supported.
test_envoy() {
    need_plugins
    need_gatectl
    need_envoy
    need_envoy_oldest
    step env "ENVOY_BIN=$ENVOY_BIN" cargo test -p testbed "$@"
    step env "ENVOY_BIN=$ENVOY_BIN_OLDEST" cargo test -p testbed "$@"
}

# The command that people start with.
test_run() {
    need_curl
    PORT=$(free_port) step ./build.sh run --check
}

# Keptn's own client library.
test_clients() {
    need_plugins
    need_envoy
    need_go
    build_testbed_gateway
    (
        cd tests/clients
        # Go would repeat an old result: it does not see that the plugin has changed.
        step go test -count=1 "$@" ./...
    )
}

# Envoy and the stand-ins, as a program for those who are not written in Rust.
build_testbed_gateway() {
    step cargo build -p testbed --bin gateway
    TESTBED_GATEWAY=$(target_dir)/debug/gateway
    export TESTBED_GATEWAY
}

# What people see in a browser, which is a real one.
test_browser() {
    need_browser
    # Not by `node --test`: a file without a single test would be a test that passes.
    step node --test-reporter=spec "$@" tests/browser/browser.test.mjs | tee "$scratch/browser.log" || exit
    grep -q '^ℹ pass [1-9]' "$scratch/browser.log" || die "failed: not one test ran in a browser"
}

# docs/images, made anew.
screenshots() {
    [[ $# == 0 ]] || die "screenshots takes nothing, not: $*"
    need_browser
    step node tests/browser/screenshots.mjs docs/images
}

need_browser() {
    need_plugins
    need_envoy
    need_chromium
    need_browser_packages
    build_testbed_gateway
    step cargo build -p gatectl
    GATECTL=$(target_dir)/debug/gatectl
    export GATECTL
}

need_plugins() {
    [[ -z ${PLUGIN_WASM:-} || -z ${PLUGIN_WASM_TRAP:-} ]] || return 0
    build_plugin
    build_trap_plugin
    PLUGIN_WASM=$PWD/dist/plugin.wasm
    export PLUGIN_WASM PLUGIN_WASM_TRAP
}

# Sets and exports GATECTL: the program, as the tests of other crates run it.
need_gatectl() {
    step cargo build -p gatectl
    GATECTL=$(target_dir)/debug/gatectl
    export GATECTL
}

# A fixed number of inputs from a fixed seed: the same every time. `./build.sh fuzz` goes on for longer.
test_fuzz() { fuzz path -runs=200000 -seed=1 "$@"; }

# fuzz [TARGET [LIBFUZZER'S OPTION…]]
#
# Without cargo-fuzz and without nightly: the instrumentation that libFuzzer needs is a stable compiler's as well.
# `--target` keeps it away from build scripts and macros, which could not be linked with it.
fuzz() {
    local target=${1:-path} host
    shift || true
    need_rust
    have c++ || apt "compiles libFuzzer" g++
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS='' CARGO_ENCODED_RUSTFLAGS=$(join_flags --cfg=fuzzing -Cpasses=sancov-module \
        -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
        -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
        -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks) \
        step cargo build --manifest-path fuzz/Cargo.toml --locked --release --target "$host" --target-dir fuzz/target --bin "$target"
    # libFuzzer writes what it finds into the first folder and only reads the others. A test, which has a fixed seed,
    # starts from what is committed and nothing else, so that it is the same every time.
    local corpus=("fuzz/corpus/$target")
    [[ " $* " != *" -seed="* ]] || corpus=("$scratch/corpus")
    [[ ! -d fuzz/seeds/$target ]] || corpus+=("fuzz/seeds/$target")
    mkdir -p "${corpus[0]}" "fuzz/artifacts/$target"
    step "fuzz/target/$host/release/$target" "-artifact_prefix=fuzz/artifacts/$target/" "$@" "${corpus[@]}"
}
