#!/usr/bin/env bash
# A real Istio ingress gateway without containers: etcd, kube-apiserver, istiod with its CA, and Istio's agent driving
# Envoy over mutual TLS. It starts all of it, runs COMMAND with `kubectl` and `istioctl` at hand, and everything ends
# with COMMAND.
#
#   lab.sh COMMAND…      called by scripts/istio.sh, inside network, mount and process namespaces of its own. There all
#                       ports are free, and /etc and /var/lib are covered by copies that are written to memory.
#
# COMMAND gets LAB (the folder with everybody's logs), KUBECONFIG, the addresses below, and the plugin as file, as image in
# a registry, and on a web server.
set -euo pipefail
# Outside its namespaces it would take ports 80, 443 and 6443 and write to /etc.
[[ $$ == 1 && ${LAB_NAMESPACES:-} == its-own ]] || { echo "lab.sh: ./build.sh istio runs this" >&2; exit 2; }

# The machine's own addresses for what pods have elsewhere. Kubernetes takes no loopback address for an endpoint.
gateway=10.9.0.1
export LAB_API_SERVICE=10.9.0.2:8080 LAB_CONFIGURATION_SERVICE=10.9.0.3:8080 LAB_CARTS=10.9.0.4:8080 LAB_BRIDGE=10.9.0.5:8080 LAB_NGINX=10.9.0.6:8080
registry=10.9.0.7:5000 web=10.9.0.8:8000

ip link set lo up
for address in $gateway $LAB_API_SERVICE $LAB_CONFIGURATION_SERVICE $LAB_CARTS $LAB_BRIDGE $LAB_NGINX $registry $web; do
    ip address add "${address%:*}/32" dev lo
done

LAB=$(mktemp -d "${TMPDIR:-/tmp}/keptn-gateway-lab.XXXXXX")
# kubectl keeps what it learns of an API server by its address, which somebody's own cluster may have too.
export LAB KUBECONFIG=$LAB/kubeconfig KUBECACHEDIR=$LAB/kube-cache
trap 'umount -l "$LAB" && rmdir "$LAB"' EXIT
mount -t tmpfs -o mode=755 tmpfs "$LAB"
# The agent looks for certificates below /etc, and keeps images below /var/lib. Both are made up here, over the machine's.
cover() {
    local upper=$LAB/over${1//\//-}
    mkdir -p "$upper/upper" "$upper/work"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$upper/upper,workdir=$upper/work" "$1"
}
cover /etc
cover /var/lib
mkdir -p /var/lib/istio/data /etc/istio/ingressgateway-certs /etc/keptn-gateway "$LAB/agent/var/run/secrets/tokens" "$LAB/agent/var/run/secrets/istio"
cp "$PLUGIN_WASM" /etc/keptn-gateway/plugin.wasm
# The name in istiod's certificate, by which Kubernetes' API asks it about what is applied.
istiod=istiod.istio-system.svc
echo "127.0.0.1 $istiod" >>/etc/hosts

# start NAME COMMAND…: its log is $LAB/NAME.log, its process $LAB/NAME.pid.
start() {
    local name=$1
    shift
    (cd "$LAB" && exec "$@" >>"$name.log" 2>&1 </dev/null) &
    echo $! >"$LAB/$name.pid"
}
# await NAME WHAT COMMAND…: until COMMAND succeeds, or the process NAME has ended.
await() {
    local name=$1 what=$2
    shift 2
    for ((i = 0; i < 1200; i++)); do
        if "$@" >/dev/null 2>&1; then return; fi
        kill -0 "$(cat "$LAB/$name.pid")" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 40 "$LAB/$name.log" >&2
    echo "lab.sh: $what: did not come (the end of $name's log is above)" >&2
    exit 1
}

openssl genrsa -out "$LAB/service-accounts.key" 2048 2>/dev/null
echo 'lab,admin,admin,system:masters' >"$LAB/tokens.csv"
cat >"$KUBECONFIG" <<YAML
apiVersion: v1
kind: Config
clusters: [{ name: lab, cluster: { server: "https://127.0.0.1:6443", insecure-skip-tls-verify: true } }]
users: [{ name: lab, user: { token: lab } }]
contexts: [{ name: lab, context: { cluster: lab, user: lab } }]
current-context: lab
YAML
# What this Envoy does not have: Istio's own extensions are in Istio's build of it only.
# The access log has the fields that envoy.yaml gives it, so that the same tests read both. It is a file of its own: in the
# agent's, lines of others would tear its lines apart.
cat >"$LAB/mesh.yaml" <<YAML
enablePrometheusMerge: false
defaultProviders: { metrics: [], tracing: [] }
accessLogFile: $LAB/access.log
accessLogEncoding: JSON
accessLogFormat: |
  {
    "request_id": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%PATH(NQ)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "chosen": "%FILTER_STATE(wasm.keptn.upstream:PLAIN)%",
    "route": "%ROUTE_NAME%",
    "upstream": "%UPSTREAM_CLUSTER%"
  }
YAML

start etcd etcd --data-dir "$LAB/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir "$LAB/certificates" \
    --bind-address 127.0.0.1 --advertise-address $gateway --secure-port 6443 --token-auth-file "$LAB/tokens.csv" --authorization-mode RBAC \
    --disable-admission-plugins ServiceAccount --feature-gates ImageVolume=true \
    --service-account-key-file "$LAB/service-accounts.key" --service-account-signing-key-file "$LAB/service-accounts.key" \
    --service-account-issuer https://kubernetes.default --api-audiences https://kubernetes.default,istio-ca \
    --service-cluster-ip-range 10.96.0.0/16
await kube-apiserver "Kubernetes' API" kubectl get --raw /readyz
kubectl apply --server-side -f "$ISTIO_FILES/crd-all.gen.yaml" >/dev/null
kubectl wait --for condition=established --timeout 60s crd --all >/dev/null
kubectl create namespace istio-system >/dev/null
kubectl create namespace keptn >/dev/null
kubectl -n istio-system create serviceaccount istio-ingressgateway >/dev/null
kubectl apply -f tests/istio/cluster.yaml >/dev/null
# No kubelet runs here, so nobody else says so.
kubectl -n istio-system patch pod istio-ingressgateway-0 --subresource status --type merge \
    -p "{\"status\":{\"phase\":\"Running\",\"podIP\":\"$gateway\",\"podIPs\":[{\"ip\":\"$gateway\"}],\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}" >/dev/null

source scripts/common.sh
source scripts/tools.sh
source scripts/gateway.sh
source scripts/docker.sh
source scripts/image.sh
scratch=$LAB
export LAB_IMAGE_URL=oci://$registry/keptn/keptn-gateway:1
LAB_IMAGE_SHA256=$(image_istio_sha256 "$LAB_IMAGE")
export LAB_IMAGE_SHA256
# On a web server as well.
export LAB_PLUGIN_URL=http://$web/plugin.wasm
LAB_PLUGIN_SHA256=$(sha256sum <"$PLUGIN_WASM")
export LAB_PLUGIN_SHA256=${LAB_PLUGIN_SHA256%% *}
start web python3 -m http.server "${web#*:}" --bind "${web%:*}" --directory /etc/keptn-gateway
start_registry $registry
REGISTRY_INSECURE=1 push_image "$LAB_IMAGE" "${LAB_IMAGE_URL#oci://}" 2>/dev/null

start istiod env PILOT_ENABLE_ALPN_FILTER=false PILOT_ENABLE_METADATA_EXCHANGE=false POD_NAMESPACE=istio-system POD_NAME=istiod-0 \
    pilot-discovery discovery --kubeconfig "$KUBECONFIG" --meshConfig "$LAB/mesh.yaml" --grpcAddr 127.0.0.1:15010 \
    --httpAddr 127.0.0.1:15016 --httpsAddr 127.0.0.1:15017 --secureGRPCAddr 127.0.0.1:15012 --monitoringAddr 127.0.0.1:15014 --ctrlz_port 0
await istiod istiod curl -fsS http://127.0.0.1:15016/ready
await istiod "the CA's certificate" kubectl -n istio-system get configmap istio-ca-root-cert
kubectl -n istio-system get configmap istio-ca-root-cert -o 'jsonpath={.data.root-cert\.pem}' >"$LAB/agent/var/run/secrets/istio/root-cert.pem"
# As Istio's chart has it, but for where istiod is.
kubectl apply -f - >/dev/null <<YAML
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: { name: istiod-default-validator }
webhooks:
- name: validation.istio.io
  clientConfig:
    url: https://$istiod:15017/validate
    caBundle: $(base64 -w 0 "$LAB/agent/var/run/secrets/istio/root-cert.pem")
  rules:
  - operations: [CREATE, UPDATE]
    apiGroups: [security.istio.io, networking.istio.io, telemetry.istio.io, extensions.istio.io]
    apiVersions: ["*"]
    resources: ["*"]
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
YAML
kubectl -n istio-system create token istio-ingressgateway --audience istio-ca >"$LAB/agent/var/run/secrets/tokens/istio-token"

# As the ingress gateway's pod has it, with two workers: each has a VM of its own.
PROXY_CONFIG=$(
    cat <<YAML
discoveryAddress: localhost:15012
binaryPath: $ENVOY_BIN
configPath: $LAB/agent/envoy
proxyBootstrapTemplatePath: $ISTIO_FILES/envoy_bootstrap.json
concurrency: 2
statusPort: 15020
proxyAdminPort: 15000
YAML
)
start agent env -C "$LAB/agent" POD_NAME=istio-ingressgateway-0 POD_NAMESPACE=istio-system INSTANCE_IP=$gateway \
    SERVICE_ACCOUNT=istio-ingressgateway ISTIO_META_CLUSTER_ID=Kubernetes ISTIO_META_ISTIO_VERSION="$ISTIO_CALLED" \
    ISTIOD_SAN=$istiod CA_ADDR=localhost:15012 \
    ISTIO_METAJSON_LABELS='{"istio":"ingressgateway","app":"istio-ingressgateway"}' WASM_INSECURE_REGISTRIES='*' \
    PROXY_CONFIG="$PROXY_CONFIG" pilot-agent proxy router --domain istio-system.svc.cluster.local --proxyLogLevel=warning --proxyComponentLogLevel=wasm:debug
await agent "the gateway" curl -fsS http://127.0.0.1:15021/healthz/ready
echo "lab: Istio $ISTIO_CALLED with Envoy $("$ENVOY_BIN" --version | grep -o '/[0-9.]*/' | tr -d /) is up in $SECONDS s" >&2

"$@"
