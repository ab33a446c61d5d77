//! The configurations that the model is tried with. A sequence takes one of them, so that each is read once.

use gate::config::Config;

use crate::event::{LOCAL, LocalToken};

/// What of a configuration matters here. Times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub allow: u64,
    pub deny: u64,
    pub stale_if_error: u64,
    pub allow_entries: usize,
    pub deny_entries: usize,
    /// 0: no throttle.
    pub burst: u64,
    pub per_second: u64,
    /// 0: no canary.
    pub canary: u64,
    pub max_flights: usize,
    pub max_waiters: usize,
    pub timeout: u64,
    pub deadline: u64,
}

const USUAL: Settings = Settings {
    allow: 10_000,
    deny: 4000,
    stale_if_error: 20_000,
    allow_entries: 64,
    deny_entries: 64,
    burst: 3,
    per_second: 1,
    canary: 0,
    max_flights: 8,
    max_waiters: 12,
    timeout: 2000,
    deadline: 3000,
};

/// All of them.
pub const ALL: [Settings; 14] = [
    USUAL,
    Settings { allow_entries: 2, deny_entries: 2, burst: 0, ..USUAL },
    Settings { allow_entries: 1, deny_entries: 1, ..USUAL },
    Settings { allow_entries: 3, deny_entries: 1, canary: 5000, ..USUAL },
    Settings { allow: 0, ..USUAL },
    Settings { deny: 0, burst: 1, per_second: 5, ..USUAL },
    Settings { stale_if_error: 0, ..USUAL },
    Settings { burst: 0, ..USUAL },
    Settings { allow: 0, deny: 0, stale_if_error: 0, burst: 0, ..USUAL },
    Settings { canary: 1000, burst: 0, ..USUAL },
    Settings { max_flights: 2, max_waiters: 3, burst: 5, ..USUAL },
    Settings { max_flights: 1, max_waiters: 1, burst: 0, ..USUAL },
    Settings { max_waiters: 4, burst: 10, ..USUAL },
    Settings {
        allow: 1000,
        deny: 1000,
        stale_if_error: 2000,
        timeout: 100,
        deadline: 300,
        burst: 1,
        ..USUAL
    },
];

impl Settings {
    /// The configuration that says so.
    pub fn config(&self) -> Config {
        let Self { allow, deny, stale_if_error, allow_entries, deny_entries, burst, .. } = self;
        let Self { per_second, canary, max_flights, max_waiters, timeout, deadline, .. } = self;
        let tokens: Vec<_> = LOCAL.iter().map(LocalToken::json).collect();
        let json = format!(
            r#"{{
                "hosts": ["api.keptn"],
                "internal": "deny",
                "auth": {{
                    "timeout": "{timeout}ms", "deadline": "{deadline}ms",
                    "allow": "{allow}ms", "deny": "{deny}ms", "stale_if_error": "{stale_if_error}ms",
                    "allow_entries": {allow_entries}, "deny_entries": {deny_entries},
                    "throttle": {{"burst": {burst}, "per_second": {per_second}}},
                    "canary": "{canary}ms",
                    "max_flights": {max_flights}, "max_waiters": {max_waiters}
                }},
                "tokens": [{}],
                "upstreams": [{{"name": "mine"}}],
                "routes": [{{"path": "/mine", "methods": ["GET"], "upstream": "mine"}}]
            }}"#,
            tokens.join(",")
        );
        Config::from_json(json.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
    }
}
