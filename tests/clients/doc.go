// Package clients drives the library inside Keptn 0.6.2's command line, github.com/keptn/go-utils, through the
// gateway: a real Envoy with the shipped envoy.yaml, before stand-ins for Keptn's two services.
//
// `./build.sh test clients` runs it.
package clients
