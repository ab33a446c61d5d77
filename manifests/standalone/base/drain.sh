# Made by gatectl render.
# shellcheck shell=bash
#
# What Kubernetes runs before it ends a pod (preStop), so that no request is lost. Envoy itself ends at once on SIGTERM, and
# with it every request under way.
#
# From here on each answer closes its connection and new ones are still taken, as it takes a moment until nobody is sent here
# any more; then it waits for what is under way. It needs bash, which Envoy's image has and its distroless one has not:
# there, and from Kubernetes 1.30 on, `preStop: { sleep: { seconds: 75 } }` loses only requests on connections that are kept
# open without a proxy in between.
#
#   drain.sh [PORT OF ENVOY'S ADMIN [SECONDS AT LEAST]]
set -u
port=${1:-9901} least=${2:-10} most=75

ask() { # METHOD PATH
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return
    printf '%s %s HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' "$1" "$2" >&3
    cat <&3
    exec 3>&-
}
idle() { [[ $(ask GET '/stats?filter=^http\.gateway\.downstream_cx_active$') == *'downstream_cx_active: 0'* ]]; }

ask POST '/drain_listeners?graceful&skip_exit'
until ((SECONDS >= most)) || { ((SECONDS >= least)) && idle; }; do sleep 0.2; done
