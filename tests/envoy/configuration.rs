//! What Envoy and the filter make of a configuration.
