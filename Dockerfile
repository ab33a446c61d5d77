# The filter as an image, for those who prefer docker. Istio takes it (WasmPlugin, `url: oci://…`), and so do
# Kubernetes' image volumes. After `./build.sh build`:
#
#   docker build --platform linux/amd64 --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" \
#       --build-arg SOURCE=https://git.example.org/keptn/keptn-gateway \
#       -t registry.example.org/keptn/keptn-gateway:0.1.0 .
#   docker push registry.example.org/keptn/keptn-gateway:0.1.0
#
# The platform matters although nothing here is a program: Istio's agent asks for linux/amd64 on any machine. With
# BuildKit (docker 23 and newer) add `--provenance=false`, so that what is pushed is the image itself: the digest that
# `docker push` prints, without "sha256:", is then the WasmPlugin's `sha256`.
#
# `./build.sh image` makes one for amd64 and arm64 that has the same digest whenever the plugin, the revision and the source are
# the same. This one has not: docker writes the time of the build into it. `./build.sh image --check` builds both.
FROM scratch
ARG VERSION
ARG REVISION
# Where people find these sources.
ARG SOURCE
LABEL org.opencontainers.image.title="keptn-gateway" \
      org.opencontainers.image.description="Keptn's API gateway as a proxy-wasm filter for Envoy and Istio" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY dist/plugin.wasm /plugin.wasm
