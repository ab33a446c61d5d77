# Sourced by build.sh: gatectl as one file that runs on any Linux of this machine's kind.
# shellcheck shell=bash

# build_gatectl [CARGO ARGUMENT…]: leaves dist/gatectl.
build_gatectl() {
    local revision file flags
    need_rust
    need_static
    revision=$(git describe --always --dirty 2>/dev/null || echo 'revision unknown')
    # No path of this machine may end in it (panic messages carry them).
    flags=(
        "--remap-path-prefix=$HOME=/home"
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
        "--remap-path-prefix=$(pwd -P)=/keptn-gateway"
        -Ctarget-feature=+crt-static
    )
    GATECTL_VERSION="$(cargo_toml version) ($revision)" CARGO_ENCODED_RUSTFLAGS=$(join_flags "${flags[@]}") \
        step cargo build --release -p gatectl --target "$static_target" "$@"
    file=$(target_dir)/$static_target/release/gatectl
    static_passes "$file" || die "dist/gatectl is left as it was"
    mkdir -p dist
    # By name at once: one that runs is not written to.
    cp "$file" dist/.gatectl.new
    mv dist/.gatectl.new dist/gatectl
    say "dist/gatectl: $(wc -c <dist/gatectl) bytes, static ($static_target): $(dist/gatectl --version)"
}

# Says why if FILE asks for a dynamic linker, or holds a path of this machine.
static_passes() { # FILE
    have readelf || apt "looks into programs" binutils
    if readelf --program-headers --wide "$1" | grep -q INTERP; then
        say "refused: it is linked dynamically"
        return 1
    fi
    if grep -aqF -e "$PWD/" -e "${CARGO_HOME:-$HOME/.cargo}/" "$1"; then
        say "refused: it holds a path of this machine: $(grep -aoF -e "$PWD/" -e "${CARGO_HOME:-$HOME/.cargo}/" "$1" | sort -u | tr '\n' ' ')"
        return 1
    fi
}
