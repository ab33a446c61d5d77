# Sourced by build.sh: the instruction bench.
# shellcheck shell=bash

# What a request costs, in instructions: `./build.sh test instructions` and `./build.sh bench instructions [CASE…]`.
# It fails where a case is over its ceiling: crates/gate/benches/instructions/ceilings.rs. With musl and without the
# CPU's own SHA-256 the same is executed on every machine; main.rs there says why.
bench_instructions() { # [CASE…]
    local target
    need_rust
    have valgrind || apt "counts instructions" valgrind
    target=$(instructions_target)
    say "instructions: for $target"
    CARGO_ENCODED_RUSTFLAGS=$(join_flags --cfg 'sha2_256_backend="soft"') \
        step cargo bench --quiet --profile counted -p gate --bench instructions --target "$target" -- "$@"
}

test_instructions() { bench_instructions "$@"; }

# musl's; where it cannot be had, the machine's own, for which no ceiling holds. Unlike need_static, this needs no C
# compiler for musl: the core has no C.
instructions_target() {
    local host target
    host=$(rustc -vV | sed -n 's/^host: //p')
    target=${host%-gnu}-musl
    [[ $host == *-musl ]] && target=$host
    if [[ -d $(rustc --print target-libdir --target "$target" 2>/dev/null) ]]; then
        echo "$target"
    elif have rustup && timeout 300 rustup target add "$target" </dev/null >&2; then
        say "$target: added with rustup"
        echo "$target"
    else
        say "$target cannot be had: rustup has none, or is not here"
        echo "$host"
    fi
}
