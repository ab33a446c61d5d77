//! Any bytes as a request's `:path`.

#![no_main]

#[path = "../property/path.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|path: &[u8]| property::holds(path));
