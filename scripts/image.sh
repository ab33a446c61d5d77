# Sourced by build.sh: the filter as an OCI image, for Istio's `oci://` and for Kubernetes' image volumes.
# shellcheck shell=bash

# image [--push REGISTRY/NAME:TAG]… | image --check
image() {
    local pushes=() revision
    if [[ $* == --check ]]; then
        test_image
        return
    fi
    while [[ $# != 0 ]]; do
        [[ $1 == --push && $# -ge 2 ]] || die "image takes --push REGISTRY/NAME:TAG, any number of times, or --check alone, not: $*"
        check_reference "$2"
        pushes+=("$2")
        shift 2
    done
    build_plugin
    revision=$(image_revision)
    make_image dist/plugin.wasm "$revision" dist/image
    say "dist/image: version $(cargo_toml version), revision $revision, source $(image_source | grep . || echo "not known (IMAGE_SOURCE=URL says it)")"
    printf 'image            %s\nIstio, sha256:   %s\n' "$(image_digest dist/image)" "$(image_istio_sha256 dist/image)"
    for reference in "${pushes[@]}"; do
        push_image dist/image "$reference"
        printf 'Istio            url: oci://%s\n                 sha256: %s\n' "$reference" "$(image_istio_sha256 dist/image)"
        printf 'image volume     reference: %s@%s\n' "$reference" "$(image_digest dist/image)"
    done
}

# --- the layout ------------------------------------------------------------------------------------------------------

# Two, although there is one module: Kubernetes' image volumes are pulled for the node's platform, and newer containerds
# unpack nothing whose configuration names another one. amd64 is first because Istio's agent takes that one anywhere.
image_platforms=(amd64 arm64)

cargo_toml() { sed -n "s/^$1 = \"\(.*\)\"\$/\1/p" Cargo.toml; }
# Where the sources are: what somebody says, or what Cargo.toml says, or where this clone is from. Clones from different places
# make images with different digests, unless they say the same IMAGE_SOURCE.
image_source() {
    local source=${IMAGE_SOURCE:-$(cargo_toml repository)}
    echo "${source:-$(address_of_remote "$(git remote get-url origin 2>/dev/null || true)")}"
}
# A remote as a URL for everybody to read, without whoever's name and password: nothing, if it is a place on this machine.
address_of_remote() { # REMOTE
    case $1 in
    *[\?#[:space:]]*) ;; # may hold a token
    http://* | https://*) sed -E 's|^(https?://)([^/]*@)?|\1|; s|\.git/*$||' <<<"$1" ;;
    ssh://*) sed -E 's|^ssh://([^/]*@)?|ssh://git@|' <<<"$1" ;;
    *://* | /* | .*) ;;
    *@*:* | *.*:*) sed -E 's|^([^/]*@)?([^/:]+):/*|ssh://git@\2/|' <<<"$1" ;;
    esac
}
image_revision() {
    [[ -e .git ]] || { echo unknown && return; }
    git describe --always --abbrev=40 --exclude='*' --dirty || die "git does not tell the revision, which belongs into the image (its words are above)"
}

# JSON, with sorted keys as docker prints them; what is not known is left out.
image_annotations() { # REVISION
    local key value text=
    while IFS='=' read -r key value; do
        [[ $value != *[\"\\[:cntrl:]]* ]] || die "this cannot be an annotation of the image: $key: $value"
        [[ -z $value ]] || text+=${text:+,}\"org.opencontainers.image.$key\":\"$value\"
    done <<END
description=$(cargo_toml description)
licenses=$(cargo_toml license)
revision=$1
source=$(image_source)
title=$(cargo_toml name)
version=$(cargo_toml version)
END
    printf '{%s}' "$text"
}

blob() { # FOLDER MEDIA-TYPE: keeps what comes from standard input and prints its descriptor, without the last brace
    local digest
    cat >"$1/blob"
    digest=$(sha256sum <"$1/blob")
    digest=${digest%% *}
    printf '{"mediaType":"%s","digest":"sha256:%s","size":%s' "$2" "$digest" "$(($(wc -c <"$1/blob")))"
    mv -f "$1/blob" "$1/blobs/sha256/$digest"
}

# make_image PLUGIN REVISION FOLDER: the same plugin, revision and source give the same bytes, so nothing here may ask for the
# time, the user, or the file's own date and mode.
make_image() (
    plugin=$1 revision=$2 out=$3
    [[ $(gzip --version) == 'gzip '* ]] || say "this gzip is not GNU's: the digest will differ from the one made elsewhere"
    # What people set for their own tar and gzip is not for this.
    unset TAR_OPTIONS GZIP POSIXLY_CORRECT
    export LC_ALL=C
    umask 022
    oci=application/vnd.oci.image created=1970-01-01T00:00:00Z
    if [[ $revision != unknown ]]; then created=$(TZ=UTC0 git show -s --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ "${revision%-dirty}"); fi
    annotations=$(image_annotations "$revision")
    rm -rf "$out"
    mkdir -p "$out/blobs/sha256" "$out/tree"
    cp "$plugin" "$out/tree/plugin.wasm"
    tar -C "$out/tree" --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 --mtime=@0 -cf "$out/layer" plugin.wasm
    diff_id=$(sha256sum <"$out/layer")
    layer=$(gzip -9n <"$out/layer" | blob "$out" $oci.layer.v1.tar+gzip)
    manifests=
    for architecture in "${image_platforms[@]}"; do
        platform="\"architecture\":\"$architecture\",\"os\":\"linux\""
        config=$(printf '{"created":"%s",%s,"config":{"Labels":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s","created_by":"./build.sh image"}]}' \
            "$created" "$platform" "$annotations" "${diff_id%% *}" "$created" | blob "$out" $oci.config.v1+json)
        manifest=$(printf '{"schemaVersion":2,"mediaType":"%s","config":%s},"layers":[%s}],"annotations":%s}' \
            $oci.manifest.v1+json "$config" "$layer" "$annotations" | blob "$out" $oci.manifest.v1+json)
        manifests+=${manifests:+,}$manifest,\"platform\":{$platform}}
    done
    index=$(printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s],"annotations":%s}' \
        $oci.index.v1+json "$manifests" "$annotations" | blob "$out" $oci.index.v1+json)
    rm -r "$out/tree" "$out/layer"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$out/oci-layout"
    # The last one: a folder without it is no image.
    printf '{"schemaVersion":2,"manifests":[%s}]}' "$index" >"$out/index.json"
)

first_digest() { # FILE
    [[ $(<"$1") =~ \"digest\":\"sha256:([0-9a-f]{64})\" ]] || die "$1 names no digest"
    echo "${BASH_REMATCH[1]}"
}
image_digest() { echo "sha256:$(first_digest "$1/index.json")"; } # FOLDER

# What a WasmPlugin's `sha256` must be for `oci://`: not the module's and not the index's. Istio's agent chooses the
# manifest for linux/amd64, whatever it runs on, and compares that one's digest.
image_istio_sha256() { # FOLDER
    local index
    index=$(first_digest "$1/index.json")
    first_digest "$1/blobs/sha256/$index"
}

# --- registries ------------------------------------------------------------------------------------------------------

need_skopeo() { have skopeo || apt "copies the image to registries" skopeo; }

check_reference() {
    [[ $1 =~ ^([^/]*[.:][^/]*|localhost)/[^:@]+:[A-Za-z0-9_][A-Za-z0-9._-]*$ ]] ||
        die "--push $1: write it in full, as REGISTRY/NAME:TAG (registry.example.org/keptn/keptn-gateway:$(cargo_toml version))"
}

# Only this machine's own registries may speak without a certificate, and those that somebody asks for.
registry_tls() { # REFERENCE
    if [[ ${REGISTRY_INSECURE:-} == 1 || ${1%%/*} =~ ^(localhost|127(\.[0-9]+){3}|\[::1\])(:[0-9]+)?$ ]]; then echo false; else echo true; fi
}

push_image() { # FOLDER REGISTRY/NAME:TAG
    need_skopeo
    # The policy is about whose images this machine trusts, and this one was just made here.
    step skopeo --insecure-policy copy --quiet --all --preserve-digests --dest-tls-verify="$(registry_tls "$2")" "oci:$1" "docker://$2"
}

need_registry() { need_unpacked docker-registry docker-registry "serves the image to those that pull it"; }

# start_registry [ADDRESS]: an empty registry for this run; sets registry_address. It knows how to delete, too.
registry_address=
registry_pid=
start_registry() {
    need_registry
    mkdir -p "$scratch/registry"
    cat >"$scratch/registry.yml" <<END
version: 0.1
storage: { filesystem: { rootdirectory: "$scratch/registry" }, delete: { enabled: true } }
http: { addr: "${1:-127.0.0.1:0}" }
END
    : >"$scratch/registry.log"
    docker-registry serve "$scratch/registry.yml" </dev/null >>"$scratch/registry.log" 2>&1 &
    registry_pid=$!
    at_end+=(stop_registry)
    wait_until 30 registry_listens_or_gone || true
    [[ -n $registry_address ]] || {
        cat "$scratch/registry.log" >&2
        die "docker-registry does not start (its words are above)"
    }
}
registry_listens_or_gone() {
    registry_address=$(sed -n 's/.*listening on \([0-9.]*:[0-9]*\).*/\1/p' "$scratch/registry.log")
    [[ -n $registry_address ]] || gone "$registry_pid"
}
stop_registry() {
    kill "$registry_pid" 2>/dev/null || true
    wait "$registry_pid" 2>/dev/null || true
}

# --- tests -----------------------------------------------------------------------------------------------------------

test_image() {
    local a=$scratch/a b=$scratch/elsewhere/b revision architecture
    build_plugin
    need_skopeo
    revision=$(image_revision)
    check_same_bytes
    check_layout
    check_references
    check_source
    check_registry
    check_dockerfile
    say "the image is as it should be: $(image_digest "$a")"
}

same() { # WHAT EXPECTED FOUND
    [[ $2 == "$3" ]] || die "failed: $1 should be: $2, and is: $3"
    say "$1: $3"
}

check_same_bytes() {
    make_image dist/plugin.wasm "$revision" "$a"
    mkdir -p "$scratch/elsewhere/tmp"
    cp dist/plugin.wasm "$scratch/elsewhere/other-name"
    chmod 700 "$scratch/elsewhere/other-name"
    touch -d '2001-02-03 04:05:06' "$scratch/elsewhere/other-name"
    (
        umask 077
        export TZ=Asia/Kathmandu LC_ALL=C.UTF-8 TMPDIR=$scratch/elsewhere/tmp GZIP=--rsyncable TAR_OPTIONS=--transform=s/plugin/other/
        make_image "$scratch/elsewhere/other-name" "$revision" "$b"
    )
    same "the digest, made again in other circumstances" "$(image_digest "$a")" "$(image_digest "$b")"
    step diff -r "$a" "$b"
    # The comparison would see a difference.
    make_image Cargo.toml "$revision" "$b"
    [[ $(image_digest "$a") != "$(image_digest "$b")" ]] || die "failed: another plugin gives the same digest"
}

check_layout() {
    local digest config
    for file in "$a"/blobs/sha256/*; do
        digest=$(sha256sum <"$file")
        [[ ${digest%% *} == "${file##*/}" ]] || die "failed: $file has another digest than its name"
    done
    digest=$(skopeo inspect --raw "oci:$a" | sha256sum)
    same "what skopeo finds in the layout" "$(image_digest "$a")" "sha256:${digest%% *}"
    for architecture in "${image_platforms[@]}"; do
        step skopeo --insecure-policy --override-os linux --override-arch "$architecture" copy --quiet "oci:$a" "dir:$scratch/$architecture"
        config=$(skopeo inspect --config --raw "dir:$scratch/$architecture")
        [[ $config == *"\"architecture\":\"$architecture\",\"os\":\"linux\""* ]] || die "failed: the configuration for $architecture is: $config"
        check_layer "$scratch/$architecture" "$config"
    done
    digest=$(sha256sum <"$scratch/amd64/manifest.json")
    same "Istio's sha256 is of the manifest for amd64" "${digest%% *}" "$(image_istio_sha256 "$a")"
}

check_layer() { # FOLDER CONFIGURATION: as skopeo writes them, manifest.json and the blobs by their names
    local layer digest
    layer=$(sed -n 's/.*"layers":\[{[^]]*"digest":"sha256:\([0-9a-f]*\)"[^]]*}\].*/\1/p' "$1/manifest.json")
    same "the layer has no date" 1f8b080000000000 "$(head -c 8 "$1/$layer" | od -An -tx1 | tr -d ' ')"
    same "the layer holds" "-rw-r--r-- 0/0 $(wc -c <dist/plugin.wasm) 1970-01-01 00:00 plugin.wasm" \
        "$(TZ=UTC0 tar -tvzf "$1/$layer" --numeric-owner | tr -s ' ')"
    digest=$(gzip -dc <"$1/$layer" | sha256sum)
    same "the layer in the configuration" "$(sed 's/.*"diff_ids":\["sha256:\([0-9a-f]*\)"\].*/\1/' <<<"$2")" "${digest%% *}"
    tar -xOzf "$1/$layer" plugin.wasm | cmp - dist/plugin.wasm || die "failed: the layer holds another plugin"
}

check_references() {
    local reference
    for reference in localhost/a:1 127.0.0.1:5000/a:1 '[::1]:5000/a/b:1'; do
        same "TLS for $reference" false "$(registry_tls "$reference")"
    done
    for reference in registry.example.org/a:1 127.0.0.1.example.org/a:1 localhost.example.org:5000/localhost:1; do
        same "TLS for $reference" true "$(REGISTRY_INSECURE='' registry_tls "$reference")"
    done
    for reference in keptn-gateway:1 me/keptn-gateway:1 registry.example.org/keptn-gateway registry.example.org/a:1@sha256:0; do
        if (check_reference "$reference") 2>/dev/null; then die "failed: --push $reference is taken"; fi
    done
}

check_source() {
    local remote expected
    while read -r remote expected; do
        same "the source of a clone from $remote" "$expected" "$(address_of_remote "$remote")"
    done <<'END'
https://git.example.org/keptn/keptn-gateway.git https://git.example.org/keptn/keptn-gateway
https://ci:hush@git.example.org:8443/keptn/keptn-gateway https://git.example.org:8443/keptn/keptn-gateway
http://token@git.example.org/a@b.git http://git.example.org/a@b
https://git.example.org/a.git?private_token=hush
ssh://somebody:hush@git.example.org:2222/a.git ssh://git@git.example.org:2222/a.git
git@git.example.org:keptn/keptn-gateway.git ssh://git@git.example.org/keptn/keptn-gateway.git
git.example.org:a.git ssh://git@git.example.org/a.git
/srv/keptn-gateway
../keptn-gateway
file:///srv/keptn-gateway
END
    same "the source, when somebody says it" https://example.org/a "$(IMAGE_SOURCE=https://example.org/a image_source)"
    [[ $(IMAGE_SOURCE=https://example.org/a image_annotations "$revision") == *'"org.opencontainers.image.source":"https://example.org/a"'* ]] ||
        die "failed: the image does not say where its sources are"
}

check_registry() {
    local digest
    start_registry
    push_image "$a" "$registry_address/keptn/keptn-gateway:test"
    digest=$(skopeo inspect --raw --tls-verify=false "docker://$registry_address/keptn/keptn-gateway:test" | sha256sum)
    same "what the registry serves" "$(image_digest "$a")" "sha256:${digest%% *}"
    digest=$(skopeo inspect --raw --tls-verify=false "docker://$registry_address/keptn/keptn-gateway@sha256:$(image_istio_sha256 "$a")" | sha256sum)
    same "what it serves to Istio" "$(image_istio_sha256 "$a")" "${digest%% *}"
    step skopeo --insecure-policy copy --quiet --all --preserve-digests --src-tls-verify=false \
        "docker://$registry_address/keptn/keptn-gateway:test" "oci:$scratch/pulled"
    step diff -r "$a/blobs" "$scratch/pulled/blobs"
}

# What `docker build` makes from Dockerfile says and holds the same.
docker_built=
check_dockerfile() {
    local container entry
    local -x IMAGE_SOURCE=https://example.org/keptn-gateway
    need_docker
    step docker build --quiet --platform linux/amd64 --iidfile "$scratch/iid" \
        --build-arg "VERSION=$(cargo_toml version)" --build-arg "REVISION=$revision" --build-arg "SOURCE=$IMAGE_SOURCE" .
    docker_built=$(<"$scratch/iid")
    at_end+=(remove_docker_built)
    same "the labels from Dockerfile" "$(image_annotations "$revision")" \
        "$(docker image inspect --format '{{json .Config.Labels}}' "$docker_built")"
    # It is never started, so the command is only for docker's form.
    container=$(docker create "$docker_built" /plugin.wasm)
    docker cp "$container:/plugin.wasm" - >"$scratch/docker.tar"
    docker rm "$container" >/dev/null
    entry=$(tar -tvf "$scratch/docker.tar" --numeric-owner | tr -s ' ')
    [[ $entry == "-rw-r--r-- 0/0 $(wc -c <dist/plugin.wasm) "*" plugin.wasm" ]] || die "failed: docker's image holds: $entry"
    tar -xOf "$scratch/docker.tar" plugin.wasm | cmp - dist/plugin.wasm || die "failed: docker's image holds another plugin"
}
remove_docker_built() { docker image rm -f "$docker_built" >/dev/null; }
