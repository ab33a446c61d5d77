//! The manifests in a real Istio: applied to a real Kubernetes API, translated by a real istiod, with traffic through
//! the ingress gateway's Envoy.
//!
//! `./build.sh istio` starts the lab (tests/istio/lab.sh) and runs this in it, one test after the other: there is one
//! gateway, and each test begins by taking everything out of it.

#[path = "istio/modes.rs"]
mod modes;
#[path = "istio/standalone.rs"]
mod standalone;
#[path = "istio/support.rs"]
mod support;
