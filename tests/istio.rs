//! The manifests in a real Istio: applied to a real Kubernetes API, translated by a real istiod, with traffic through
//! the ingress gateway's Envoy.
//!
//! `./build.sh istio` starts the lab (tests/istio/lab.sh) and runs this in it, one test after the other: there is one
//! gateway, and each test begins by taking everything out of it.

#[path = "istio/agent.rs"]
mod agent;
#[path = "istio/analyze.rs"]
mod analyze;
#[path = "istio/attacks.rs"]
mod attacks;
#[path = "istio/certificate.rs"]
mod certificate;
#[path = "istio/changes.rs"]
mod changes;
#[allow(dead_code, reason = "why the gate does not run a case is for the other engine")]
#[path = "corpus/mod.rs"]
mod corpus;
#[path = "istio/corpus.rs"]
mod corpus_istio;
#[path = "istio/differences.rs"]
mod differences;
#[path = "istio/document.rs"]
mod document;
#[path = "istio/domain.rs"]
mod domain;
#[path = "istio/dumps.rs"]
mod dumps;
#[path = "corpus/engine.rs"]
mod engine;
#[path = "istio/load.rs"]
mod load;
#[path = "istio/migration.rs"]
mod migration;
#[path = "istio/modes.rs"]
mod modes;
#[path = "istio/mount.rs"]
mod mount;
#[path = "istio/protocols.rs"]
mod protocols;
#[path = "istio/standalone.rs"]
mod standalone;
#[path = "istio/support.rs"]
mod support;
#[path = "istio/tenants.rs"]
mod tenants;
#[path = "istio/tls.rs"]
mod tls;
#[path = "istio/verify.rs"]
mod verify;
