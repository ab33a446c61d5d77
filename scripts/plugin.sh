# Sourced by build.sh: compiles the filter, and puts it in dist/ if it may be shipped.
# shellcheck shell=bash

# compile_plugin [CARGO ARGUMENT…]: sets plugin_file and plugin_features, as cargo reports them.
plugin_file=
plugin_features=
compile_plugin() {
    local messages artifact
    scratch_dir
    messages=$scratch/cargo.json
    KEPTN_GATEWAY_COMMIT=$(git describe --always --dirty 2>/dev/null || echo unknown) \
        wasm_cargo build --profile plugin -p keptn-gateway --message-format=json-render-diagnostics "$@" >"$messages" ||
        die "the filter does not compile (see above)"
    artifact=$(grep '"reason":"compiler-artifact"' "$messages" | grep '"kind":\["cdylib"\]' | grep 'keptn_gateway\.wasm"') ||
        die "cargo reported no plugin"
    plugin_file=$(sed -n 's/.*"filenames":\["\([^"]*\)"\].*/\1/p' <<<"$artifact")
    plugin_features=$(sed -n 's/.*"features":\[\([^]]*\)\].*/[\1]/p' <<<"$artifact")
    [[ -f $plugin_file && -n $plugin_features ]] || die "cargo's report of the plugin is not as expected: $artifact"
    trim_plugin "$plugin_file"
    plugin_file=$trimmed_file
}

# trim_plugin FILE: sets trimmed_file, which is FILE without what Envoy would call for nothing.
trimmed_file=
trim_plugin() {
    # Where no other build writes: what is checked is what is shipped.
    scratch_dir
    trimmed_file=$(mktemp --suffix=.wasm "$scratch/trimmed.XXXXXX")
    cargo run --quiet -p wasm-info -- trim "$1" "$trimmed_file" || die "$1 cannot be trimmed (see above)"
}

# Prints what plugin_file is, and says why if it must not be shipped.
plugin_passes() {
    local info passes=true
    # Two ways to see it, because shipping it would give every client a way to kill the filter: what cargo says it
    # compiled, and (by the exports, in wasm-info) what is in the file.
    if [[ $plugin_features == *'"trap"'* ]]; then
        say "refused: built with the feature \"trap\", which is for tests only"
        passes=false
    fi
    info=$(cargo run --quiet -p wasm-info -- "$plugin_file") || passes=false
    printf '%s\n' "$info"
    if grep -aqF -e "$PWD/" -e "${CARGO_HOME:-$HOME/.cargo}/" "$plugin_file"; then
        say "refused: it holds a path of this machine: $(grep -aoF -e "$PWD/" -e "${CARGO_HOME:-$HOME/.cargo}/" "$plugin_file" | sort -u | tr '\n' ' ')"
        passes=false
    fi
    $passes
}

# build_plugin [CARGO ARGUMENT…]: leaves dist/plugin.wasm.
build_plugin() {
    need_rust
    need_wasm
    compile_plugin "$@"
    plugin_passes || die "dist/plugin.wasm is left as it was"
    mkdir -p dist
    if ! cmp -s "$plugin_file" dist/plugin.wasm; then
        # By name at once: an Envoy that is just starting reads the old file or the new one.
        local partial
        partial=$(mktemp dist/.plugin.XXXXXX)
        cp "$plugin_file" "$partial"
        chmod 644 "$partial"
        mv "$partial" dist/plugin.wasm
    fi
    say "dist/plugin.wasm: $(wc -c <dist/plugin.wasm) bytes, $(gzip -9c dist/plugin.wasm | wc -c) gzipped"
}

# Sets PLUGIN_WASM_TRAP: a filter that can be told to trap. In a target folder of its own, so that no path that is
# shipped ever holds it; and it shows that the refusal works.
build_trap_plugin() {
    local trap_dir
    trap_dir=$(target_dir)/trap
    local -x CARGO_TARGET_DIR=$trap_dir
    compile_plugin --features trap
    PLUGIN_WASM_TRAP=$plugin_file
    if plugin_passes >/dev/null; then die "a build with the feature \"trap\" would have been shipped"; fi
    say "the build for the tests with the feature \"trap\" is refused, as it must be"
}
