#!/usr/bin/env bash
# Shows that the tests bite: breaks the code in many small ways, one at a time, and demands that the test named for
# each fails. The list is tests/sabotage/edits.txt, which says how it is written.
#
#   scripts/sabotage.sh            every edit
#   scripts/sabotage.sh WORD…      those whose name contains one of the words
#
# It works on a copy of the last commit. Edits that only a real Envoy shows need $ENVOY_BIN (`./build.sh sabotage`
# sets it); without it they are left out, and the call fails at its end.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

say() { printf '==> %s\n' "$*"; }
die() {
    printf 'sabotage: %s\n' "$*" >&2
    exit 1
}

list=$PWD/tests/sabotage/edits.txt
# A target folder of its own, so that neither this nor ordinary work has to wait for the other or compile anew.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/sabotage
# The plugin is compiled once for each edit of it, and only to be tested.
export CARGO_PROFILE_PLUGIN_LTO=off CARGO_PROFILE_PLUGIN_CODEGEN_UNITS=16 CARGO_PROFILE_PLUGIN_OPT_LEVEL=1
# A test that an edit makes hang is ended.
limit=300

mkdir -p "$CARGO_TARGET_DIR"
exec 9>"$CARGO_TARGET_DIR/lock"
flock -n 9 || die "it runs already"
# Always in the same place: cargo would take another place for another project and compile everything.
tree=$CARGO_TARGET_DIR/tree
log=$CARGO_TARGET_DIR/test.log
rm -rf "$tree"
mkdir "$tree"
# As of now: by the commit's time cargo would take them for older than what was compiled of an edit.
git archive HEAD | tar -xm -C "$tree"
[[ -z $(git status --porcelain --untracked-files=no) ]] || say "what is not committed is left out"

names=() files=() tests=() olds=() news=()
read_list() {
    local line number=0
    while IFS= read -r line; do
        number=$((number + 1))
        case $line in
        '' | '#'*) ;;
        'edit: '*) names+=("${line#edit: }") files+=('') tests+=('') olds+=('') news+=('') ;;
        'file: '*) files[-1]=${line#file: } ;;
        'test: '*) tests[-1]=${line#test: } ;;
        '-' | '- '*) olds[-1]+=${olds[-1]:+$'\n'}${line:2} ;;
        '+' | '+ '*) news[-1]+=${news[-1]:+$'\n'}${line:2} ;;
        *) die "$list:$number: this is no line of an edit: $line" ;;
        esac
    done <"$list"
}

is_wanted() { # NAME WORD…
    local name=$1 word
    shift
    [[ $# != 0 ]] || return 0
    for word; do [[ $name != *"$word"* ]] || return 0; done
    return 1
}

# Whether a test runs in Envoy, hence needs the plugin of the edited code.
needs_envoy() { [[ $1 == *'--test envoy '* || $1 == *'--test corpus_envoy '* ]]; }

# Whether it is a case of the instruction bench, and no test of cargo's.
is_counted() { [[ $1 == 'bench instructions '* ]]; }

# run_count CASE: as run_test. Ceilings hold for code as it is compiled to be shipped.
run_count() {
    (
        cd "$tree"
        unset CARGO_PROFILE_PLUGIN_LTO CARGO_PROFILE_PLUGIN_CODEGEN_UNITS CARGO_PROFILE_PLUGIN_OPT_LEVEL
        ./build.sh bench instructions "$1"
    ) >"$log" 2>&1 && return
    if grep -q '^no case ' "$log"; then return 3; fi
    grep -q ' over its ceiling of ' "$log" || return 2
    return 1
}

# run_test TEST: the last word is the test's name, what is before it goes to cargo. 0: it passes, 1: it fails,
# 2: the code or the test does not compile, 3: there is no such test. What is printed is in $log.
run_test() {
    local arguments name=${1##* } result=0
    if is_counted "$1"; then
        run_count "$name"
        return
    fi
    read -ra arguments <<<"${1% *}"
    (
        cd "$tree"
        if needs_envoy "$1"; then ./build.sh build; fi
        cargo test --quiet --no-run "${arguments[@]}"
    ) >"$log" 2>&1 || return 2
    (cd "$tree" && PLUGIN_WASM=$tree/dist/plugin.wasm timeout "$limit" cargo test "${arguments[@]}" -- --exact "$name") >"$log" 2>&1 || result=$?
    if ((result == 124)); then
        printf 'it did not end within %s s\n' "$limit" >>"$log"
    elif ! grep -q '^running 1 test$' "$log"; then
        return 3
    fi
    ((result == 0)) || return 1
}
# sabotage INDEX: applies one edit, runs its test, and takes the edit back. Fails unless the test does.
sabotage() {
    local name=${names[$1]} file=$tree/${files[$1]} old=${olds[$1]} new=${news[$1]} test=${tests[$1]}
    local text rest result=0
    [[ -f $file && -n $old && -n $test && $old != "$new" ]] || {
        say "$name: NOT APPLIED: an edit needs a file that is there, a test, a text and another in its place"
        return 1
    }
    text=$(<"$file")
    rest=${text#*"$old"}
    if [[ $rest == "$text" || $rest == *"$old"* ]]; then
        say "$name: NOT APPLIED: its text must stand in ${files[$1]} exactly once"
        return 1
    fi
    # Quoted, for the replacement has patterns of its own.
    printf '%s\n' "${text/"$old"/"$new"}" >"$file"
    run_test "$test" || result=$?
    printf '%s\n' "$text" >"$file"
    case $result in
    0) say "$name: NOT CAUGHT: $test passes" ;;
    1)
        say "$name: caught by ${test##* }"
        return 0
        ;;
    2) say "$name: DOES NOT COMPILE" ;;
    3) say "$name: THERE IS NO SUCH TEST: $test" ;;
    esac
    tail -n 20 "$log" | sed 's/^/    /'
    return 1
}

read_list
chosen=() left_out=0
for i in "${!names[@]}"; do
    is_wanted "${names[i]}" "$@" || continue
    if needs_envoy "${tests[i]}" && [[ -z ${ENVOY_BIN:-} ]]; then
        say "${names[i]}: LEFT OUT: ENVOY_BIN is not set"
        left_out=$((left_out + 1))
    else
        chosen+=("$i")
    fi
done
((${#chosen[@]} + left_out > 0)) || die "no edit is called so: $*"

# A test that fails anyway, or is not there, would show nothing.
declare -A sound=()
for i in "${chosen[@]}"; do
    [[ -z ${sound[${tests[i]}]:-} ]] || continue
    sound[${tests[i]}]=yes
    run_test "${tests[i]}" || {
        tail -n 20 "$log" >&2
        die "without any edit this does not pass: ${tests[i]}"
    }
done
say "${#sound[@]} tests pass on the code as it is"

missed=()
for i in "${chosen[@]}"; do
    sabotage "$i" || missed+=("${names[i]}")
done
((${#missed[@]} + left_out == 0)) || die "${#missed[@]} of ${#chosen[@]} edits are not caught, $left_out left out${missed[*]:+: ${missed[*]/#/$'\n    '}}"
say "all ${#chosen[@]} edits are caught"
