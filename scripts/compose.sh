# Sourced by build.sh: manifests/compose, for real.
# shellcheck shell=bash

compose_file=manifests/compose/compose.yaml

# Sets compose: the command that reads compose files.
need_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    else
        have docker-compose || apt "runs $compose_file" docker-compose
        compose=(docker-compose)
    fi
    say "compose: ${compose[*]} $("${compose[@]}" version --short 2>/dev/null)"
}

# What envoy.yaml has as stand-ins, as services that others reach: a configuration with this one on port 8080.
stand_in() { # api-service|configuration-service
    sed '/^  # THE GATEWAY\./,/^  # THE STAND-INS\./d' envoy.yaml |
        awk -v on="$1" '
            /^  - name: stand-in-/ { is_on = $3 == "stand-in-" on }
            $1 == "internal_listener:" { $0 = "    address: { socket_address: { address: 0.0.0.0, port_value: " (is_on ? 8080 : 8081) " } }" }
            { print }'
}

compose_stand_ins() { # IMAGE FOLDER SUBNET'S FIRST THREE NUMBERS
    # Far from the addresses that the network gives out by itself.
    local service number=100
    echo "services:"
    for service in api-service configuration-service; do
        number=$((number + 1))
        stand_in $service >"$2/$service.yaml"
        cat <<END
  $service:
    image: $1
    entrypoint: [/usr/local/bin/envoy, -c, /etc/envoy/envoy.yaml, --concurrency, "1", --disable-hot-restart]
    user: "101:101"
    volumes: ["$2/$service.yaml:/etc/envoy/envoy.yaml:ro"]
    networks: { default: { ipv4_address: $3.$number } }
END
    done
    echo "networks: { default: { ipam: { config: [{ subnet: $3.0/24 }] } } }"
}

compose_gateway() {
    [[ $# == 0 ]] || die "compose takes nothing, not: $*"
    local image subnet=172.31.231 certs
    image=$(sed -n 's/^    image: //p' $compose_file)
    need_curl
    need_rust
    build_plugin
    need_docker
    need_compose
    need_image "$image"
    # shellcheck disable=SC2154 # build.sh calls scratch_dir before
    certs=$scratch/certs
    mkdir "$certs"
    # As its first lines say.
    step cargo run -q -p gatectl -- cert self-signed example.org --install compose -o "$certs"
    root chown 101 "$certs/tls.key"
    chmod 755 "$scratch"
    compose_stand_ins "$image" "$scratch" $subnet >"$scratch/stand-ins.yaml"
    chmod 644 "$scratch"/*.yaml
    export COMPOSE_PROJECT_NAME=keptn-gateway-$$ CERTS=$certs API_SERVICE=$subnet.101 CONFIGURATION_SERVICE=$subnet.102
    HTTP_PORT=$(free_port)
    for HTTPS_PORT in {18443..18543}; do port_taken "$HTTPS_PORT" || break; done
    at_end+=(compose_down)
    step compose_files up -d
    if ! wait_until 60 compose_is healthy; then
        compose_files logs >&2 || true
        die "the gateway is $(compose_health), not healthy (its words are above)"
    fi
    run_tries "http://127.0.0.1:$HTTP_PORT"
    compose_https
    compose_unready
    standalone_image "$image"
}
# On loopback, because the demo's token is known to all.
compose_files() { HTTP_PORT=127.0.0.1:$HTTP_PORT HTTPS_PORT=127.0.0.1:$HTTPS_PORT "${compose[@]}" -f $compose_file -f "$scratch/stand-ins.yaml" "$@"; }
compose_down() { compose_files down -t 5 >"$scratch/down.log" 2>&1 || cat "$scratch/down.log" >&2; }
compose_health() { docker inspect -f '{{.State.Health.Status}}' "$(compose_files ps -q gateway)"; }
compose_is() { [[ $(compose_health) == "$1" ]]; }

# The certificate is good for the domain, and whoever has it as an authority sees so.
compose_https() {
    local host=api.keptn.example.org token expected got
    for expected in 200 401; do
        token=guessed
        [[ $expected == 401 ]] || token=demo-token
        got=$(curl -s -m 10 -o /dev/null -w '%{http_code} %{http_version}' --cacert "$certs/tls.crt" --resolve "$host:$HTTPS_PORT:127.0.0.1" \
            -H "x-token: $token" "https://$host:$HTTPS_PORT/configuration-service/v1/project") || true
        [[ $got == "$expected 2" ]] || die "https with the token $token: expected $expected over HTTP/2, got $got"
    done
    say "https: 200 with the token, 401 without, over HTTP/2, the certificate is good for $host"
}

# A gateway whose filter was taken out must be seen.
compose_unready() {
    local file=$scratch/without-filter.yaml
    awk '/^          - \*gate$/ { next } { print }' manifests/compose/envoy.yaml >"$file"
    if cmp -s "$file" manifests/compose/envoy.yaml; then die "the filter of the listener readiness is not found in manifests/compose/envoy.yaml"; fi
    sed -i "/^networks:/i\\  gateway: { volumes: [\"$file:/etc/envoy/envoy.yaml:ro\"] }" "$scratch/stand-ins.yaml"
    chmod 644 "$file"
    step compose_files up -d gateway
    wait_until 60 compose_is unhealthy || die "without the filter the gateway is $(compose_health), and should be unhealthy"
    say "without its filter the gateway is unhealthy"
}

# manifests/standalone/Dockerfile, built as its first lines say, and what its pods run: this image with that configuration, as that
# user and on a file system that is read-only.
standalone_built=
standalone_image() { # THE IMAGE THAT IT IS FROM
    local file=manifests/standalone/Dockerfile container
    [[ $(grep '^FROM ' $file) == "FROM $1" ]] || die "$file is not from $1, as $compose_file is"
    step docker build --quiet -f $file --iidfile "$scratch/standalone.iid" .
    standalone_built=$(<"$scratch/standalone.iid")
    at_end+=(remove_standalone_built)
    cp manifests/standalone/base/envoy.yaml "$scratch/standalone.yaml"
    chmod 644 "$scratch/standalone.yaml"
    standalone_valid "$standalone_built" >"$scratch/valid.log" 2>&1 || {
        cat "$scratch/valid.log" >&2
        die "what $file makes does not take manifests/standalone/base/envoy.yaml (its words are above)"
    }
    if standalone_valid "$1" >"$scratch/valid.log" 2>&1; then die "Envoy's image without the plugin takes the configuration all the same"; fi
    grep -q 'plugin.wasm' "$scratch/valid.log" || die "Envoy's image without the plugin does not miss it: $(tail -n 3 "$scratch/valid.log")"
    container=$(docker create "$standalone_built")
    docker cp "$container:/etc/envoy/plugin.wasm" - | tar -xO | cmp - dist/plugin.wasm || die "what $file makes holds another plugin"
    docker rm "$container" >/dev/null
    say "$file: Envoy with the plugin in it takes the pods' configuration"
}
standalone_valid() { # IMAGE
    docker run --rm --network none --read-only --user 101:101 --cap-drop ALL -v "$scratch/standalone.yaml:/etc/keptn-gateway/envoy.yaml:ro" \
        --entrypoint /usr/local/bin/envoy "$1" --mode validate --config-path /etc/keptn-gateway/envoy.yaml --concurrency 2 --disable-hot-restart
}
remove_standalone_built() { docker image rm -f "$standalone_built" >/dev/null; }
