# Sourced by build.sh: a real Istio control plane, its agent and Envoy on this machine, without containers, and the
# tests in it. tests/istio/lab.sh starts it, in namespaces of its own.
# shellcheck shell=bash

istio_pinned=v0.0.0-20260827124520-eed52ebb66ad
istio_called=1.31.0-dev
kubernetes_pinned=1.34.4
# What the modules in tests/istio/tools ask for. Any Go from 1.21 on fetches it by itself.
go_for_istio=1.26.0
go_that_fetches=1.21

istio_folder=$cache/istio-$istio_pinned
kubernetes_folder=$cache/kubernetes-$kubernetes_pinned

need_istio() {
    if [[ ! -d $istio_folder || ! -d $kubernetes_folder ]]; then
        need_go_toolchain
        [[ -d $istio_folder ]] || say "Istio $istio_called: building istiod, its agent and istioctl (about 8 minutes, once)"
        keep "${istio_folder##*/}" istio_tools
        [[ -d $kubernetes_folder ]] || say "Kubernetes $kubernetes_pinned: building its API server and kubectl (about 5 minutes, once)"
        keep "${kubernetes_folder##*/}" kubernetes_tools
    fi
    need_unpacked etcd etcd-server "Kubernetes' API server keeps its objects in it"
    need_unpacked nginx nginx "Keptn 0.6.2's gateway: the tests migrate from it"
    need_registry
    need_skopeo
    have openssl || apt "makes the API server's key" openssl
    have unshare || apt "gives the lab a network of its own" util-linux
    have ip || apt "brings up the lab's network" iproute2
    need_curl
}

# The modules' versions and hashes are in go.mod and go.sum: the same sources anywhere.
istio_tools() { # FOLDER
    go_build_tools tests/istio/tools/istio "$1/bin" "-X istio.io/istio/pkg/version.buildVersion=$istio_called" || return
    local module
    module=$(cd tests/istio/tools/istio && go list -m -f '{{.Dir}}' istio.io/istio) || return
    cp "$module/manifests/charts/base/files/crd-all.gen.yaml" "$module/tools/packaging/common/envoy_bootstrap.json" "$1/" || return
    chmod u+w "$1"/*.*
}
kubernetes_tools() { # FOLDER
    local version=k8s.io/component-base/version
    go_build_tools tests/istio/tools/kubernetes "$1/bin" \
        "-X $version.gitVersion=v$kubernetes_pinned -X $version.gitMajor=${kubernetes_pinned%%.*} -X $version.gitMinor=$(cut -d . -f 2 <<<$kubernetes_pinned)"
}
go_build_tools() { # MODULE FOLDER LINKER'S FLAGS
    mkdir -p "$2"
    if (cd "$1" && GOFLAGS='' go build -buildvcs=false -ldflags "-s -w $3" -o "$2/" tool) >"$scratch/go.log" 2>&1; then return; fi
    # Not what it downloaded, which are hundreds of lines.
    grep -v '^go: downloading ' "$scratch/go.log" >&2
    return 1
}

# Puts a Go on PATH that can build Istio.
need_go_toolchain() {
    if have go && version_in $go_that_fetches 9999 "$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//; s/[- ].*//')"; then return; fi
    need_curl
    have unzip || apt "unpacks Go" unzip
    [[ -d $cache/go-$go_for_istio ]] || say "Go $go_for_istio: Istio needs it, and here is none from $go_that_fetches on"
    keep "go-$go_for_istio" go_toolchain
    export PATH=$cache/go-$go_for_istio/bin:$PATH
}
# The module from which Go itself would get its next version. Whoever has no Go cannot let Go check it.
go_toolchain_sha256=38461905b98c59173672814302e222ab43b652274bc0c95817b08b71ab66b705
go_toolchain() { # FOLDER
    local name=v0.0.1-go$go_for_istio.linux-amd64
    curl -fsSL -o "$1/go.zip" "https://proxy.golang.org/golang.org/toolchain/@v/$name.zip" || return
    if ! sha256sum --check --status <<<"$go_toolchain_sha256  $1/go.zip"; then
        say "what came as Go $go_for_istio is something else"
        return 1
    fi
    unzip -q "$1/go.zip" -d "$1" && mv "$1/golang.org/toolchain@$name"/* "$1/" && rm -r "$1/golang.org" "$1/go.zip" &&
        chmod +x "$1"/bin/* "$1"/pkg/tool/*/*
}

# istio_lab COMMAND…: in a lab of its own. The lab's network, mounts and processes are nobody else's: it needs no free
# port, changes no file of the machine, and nothing of it outlives the command.
istio_lab() {
    local user=()
    [[ $(id -u) == 0 ]] || user=(--user --map-root-user)
    unshare "${user[@]}" --net true 2>/dev/null ||
        die "this machine allows no network namespaces (\`unshare ${user[*]} --net\` fails): Istio's lab needs them; root has them"
    PATH=$istio_folder/bin:$kubernetes_folder/bin:$PATH ISTIO_FILES=$istio_folder ISTIO_CALLED=$istio_called LAB_NAMESPACES=its-own \
        unshare "${user[@]}" --net --mount --pid --fork --kill-child --mount-proc -- bash tests/istio/lab.sh "$@"
}

run_istio() { # [shell | FILTER AND ARGUMENTS FOR THE TESTS…]
    need_rust
    if [[ ${1:-} == shell ]]; then
        # The tests' other plugin, the one that can be told to die, is not for looking around.
        build_plugin
        PLUGIN_WASM=$PWD/dist/plugin.wasm
    else
        need_plugins
    fi
    need_envoy
    need_istio
    step cargo build -p gatectl
    make_image "$PLUGIN_WASM" "$(image_revision)" "$scratch/image"
    export PLUGIN_WASM ENVOY_BIN LAB_IMAGE=$scratch/image
    PATH=$(target_dir)/debug:$PATH
    if [[ ${1:-} == shell ]]; then
        lab_shell
        return
    fi
    # All that needs a network happens before: the lab has none.
    step cargo test -p testbed --test istio --no-run
    printf '+ cargo test -p testbed --test istio -- --test-threads=1 %s\n' "$*" >&2
    istio_lab cargo test --offline -p testbed --test istio -- --test-threads=1 "$@" || die "failed: the tests in Istio's lab"
}

lab_shell() {
    cat >"$scratch/shell" <<'END'
PS1='lab$ '
cat >&2 <<'HINT'
kubectl, istioctl and gatectl are on PATH; everybody's logs are in $LAB. Nothing is applied yet, nothing answers behind Keptn's
services, and there is no kubelet, so no `kubectl exec`. `exit` ends it all. Try:
  kubectl apply -k manifests/istio
  curl -si -H 'host: api.keptn' http://127.0.0.1/v1/event
  curl -s '127.0.0.1:15000/config_dump?include_eds' | gatectl verify -
HINT
END
    istio_lab bash --rcfile "$scratch/shell"
}
