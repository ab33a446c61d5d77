#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"

source scripts/common.sh
source scripts/tools.sh
source scripts/plugin.sh
trap finish EXIT
# Without these a signal would end bash without the EXIT trap.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

case ${1:-help} in
build) shift; build_plugin "$@" ;;
trap) need_wasm; build_trap_plugin; echo "$PLUGIN_WASM_TRAP" ;;
esac
