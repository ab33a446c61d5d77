//! The paths in `fuzz/seeds/path`: those that the fuzzing starts from, and those that broke something once.

// There are no files to read inside the proxy.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, unreachable_pub, reason = "the property is shared with the fuzz target")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test ends where it fails"
)]

#[path = "../../../fuzz/property/path.rs"]
mod property;

#[test]
fn the_property_holds_for_every_seed() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/path");
    let mut count = 0;
    for file in std::fs::read_dir(seeds).unwrap() {
        let file = file.unwrap().path();
        let path = std::fs::read(&file).unwrap();
        if std::panic::catch_unwind(|| property::holds(&path)).is_err() {
            panic!("it does not hold for {}: {}", file.display(), path.escape_ascii());
        }
        count += 1;
    }
    assert!(count > 30, "the seeds are not found");
}

/// As Envoy 1.40 was seen to do it.
#[test]
fn the_model_of_envoy_is_right_where_it_was_compared() {
    for (path, normalized) in [
        ("/a/../b", Some("/b")),
        ("/a/%2e%2E/b", Some("/b")),
        ("/a/b/..", Some("/a/")),
        ("/../a", Some("/a")),
        ("/a/./b", Some("/a/b")),
        ("/a\\b", Some("/a/b")),
        ("/a//b", Some("/a/b")),
        ("/%41", Some("/A")),
        ("/a%00", None),
        ("/a%2Fb%5cc;d", Some("/a%2Fb%5cc;d")),
        ("/a?b=/../%41", Some("/a?b=/../%41")),
    ] {
        let actual = property::envoy_normalized(path.as_bytes());
        assert_eq!(actual.as_deref(), normalized.map(str::as_bytes), "{path}");
    }
}
