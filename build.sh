#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

source scripts/common.sh
source scripts/tools.sh
source scripts/plugin.sh
source scripts/gateway.sh
source scripts/docker.sh
trap finish EXIT
# Without these a signal would end bash without the EXIT trap.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

case ${1:-help} in
build) shift; build_plugin "$@" ;;
run) shift; scratch_dir; run_gateway "$@" ;;
docker) shift; scratch_dir; docker_gateway "$@" ;;
trap) need_wasm; build_trap_plugin; echo "$PLUGIN_WASM_TRAP" ;;
esac
