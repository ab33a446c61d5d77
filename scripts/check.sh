# Sourced by build.sh: what can be said about the code without running it.
# shellcheck shell=bash

check() {
    [[ $# == 0 ]] || die "check takes nothing, not: $*"
    need_lints
    step cargo metadata --locked --quiet --format-version 1 --no-deps >/dev/null
    step cargo fmt --all --check
    step cargo fmt --manifest-path fuzz/Cargo.toml --check
    step cargo clippy --quiet --workspace --all-targets -- -D warnings
    # The code that ships is the code under cfg(target_arch = "wasm32").
    wasm_cargo clippy --quiet -p gate --lib --tests -- -D warnings || die "failed: clippy of gate on wasm32"
    wasm_cargo clippy --quiet -p keptn-gateway --lib --all-features -- -D warnings || die "failed: clippy of the filter on wasm32"
    wasm_cargo clippy --quiet -p do-nothing --lib -- -D warnings || die "failed: clippy of do-nothing on wasm32"
    check_bans
    # The documents are for those who work on this, so they show private items, and links to those are good.
    RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' step cargo doc --quiet --workspace --no-deps --document-private-items
    need_cargo_deny
    step "$cargo_deny" --workspace --all-features check --hide-inclusion-graph licenses bans sources
    check_advisories
    need_shellcheck
    step shellcheck -x build.sh .ci/run manifests/standalone/base/drain.sh tests/istio/lab.sh
    local script
    for script in scripts/*; do
        # What build.sh sources was read with it.
        grep -q "^source $script\$" build.sh || step shellcheck -x "$script"
    done
}

# A ban on a path that does not exist (any more) bans nothing, and clippy.toml's `allow-invalid`, which the core needs
# because it has no SDK, would hide that.
check_bans() {
    mkdir -p "$scratch/bans"
    sed 's/, allow-invalid = true//' clippy.toml >"$scratch/bans/clippy.toml"
    CLIPPY_CONF_DIR=$scratch/bans cargo clippy -p keptn-gateway >"$scratch/bans/log" 2>&1 || {
        cat "$scratch/bans/log" >&2
        die "failed: clippy, when looking for bans on what does not exist"
    }
    if grep -A 3 'does not refer to' "$scratch/bans/log" >&2; then
        die "clippy.toml bans what does not exist (see above)"
    fi
}

check_advisories() {
    if "$cargo_deny" fetch db >"$scratch/fetch.log" 2>&1; then
        step "$cargo_deny" --workspace --all-features check --hide-inclusion-graph advisories
    else
        cat "$scratch/fetch.log" >&2
        say "NOT CHECKED: known vulnerabilities of the dependencies. The database of advisories cannot be had (see above)"
    fi
}
