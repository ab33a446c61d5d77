//! How tokens are judged.

use super::keys;
use super::reader::{Report, Section};
use super::tokens::Entry;
use crate::authn::{CacheSettings, Endpoint, Limits, Rate, Settings};

pub(super) fn read(auth: &Section<'_>, tokens: &[Entry], report: &Report, warnings: &Report) -> Settings {
    let cluster = auth.text(&keys::AUTH_CLUSTER).into();
    let authority = auth.text(&keys::AUTH_AUTHORITY).into();
    let known = report.len();
    let timeout = auth.duration(&keys::AUTH_TIMEOUT);
    let deadline = auth.duration(&keys::AUTH_DEADLINE);
    // What could not be read is compared with nothing.
    if report.len() == known && deadline < timeout {
        let [deadline, timeout] = [deadline, timeout].map(humantime::format_duration);
        report.add(
            auth.at(&keys::AUTH_DEADLINE),
            format!("the deadline, {deadline}, is before the time-out of a check, {timeout}"),
            "set auth.deadline to at least auth.timeout",
        );
    }
    let endpoint = Endpoint { cluster, authority, timeout };
    if let Some(odd) = endpoint.authority.find(|c: char| !c.is_ascii_graphic()) {
        let span = odd..odd.saturating_add(1);
        let remedy = "write visible ASCII characters";
        report.add_in(auth.at(&keys::AUTH_AUTHORITY), &endpoint.authority, span, "no host has this", remedy);
    }
    let limits = Limits { flights: auth.count(&keys::MAX_FLIGHTS), waiters: auth.count(&keys::MAX_WAITERS) };
    let cache = cache(auth, warnings);
    let throttle = throttle(auth);
    let canary = Some(auth.duration(&keys::CANARY)).filter(|period| !period.is_zero());
    let tokens = tokens.iter().map(|entry| entry.token.clone()).collect();
    Settings { endpoint, deadline, limits, cache, throttle, tokens, canary }
}

fn cache(auth: &Section<'_>, warnings: &Report) -> CacheSettings {
    let cache = CacheSettings {
        allow: auth.duration(&keys::ALLOW),
        deny: auth.duration(&keys::DENY),
        stale_if_error: auth.duration(&keys::STALE_IF_ERROR),
        allow_entries: auth.count(&keys::ALLOW_ENTRIES),
        deny_entries: auth.count(&keys::DENY_ENTRIES),
    };
    if cache.allow.is_zero() && !cache.stale_if_error.is_zero() && auth.value(&keys::STALE_IF_ERROR).is_some()
    {
        warnings.add(
            auth.at(&keys::STALE_IF_ERROR),
            "this does nothing, because auth.allow is 0s: no yes is remembered",
            "set auth.allow to more than 0s, or leave this away",
        );
    }
    cache
}

fn throttle(auth: &Section<'_>) -> Option<Rate> {
    let throttle = auth.section("throttle");
    // Both are far below the limit of their type.
    let number = |key| u32::try_from(throttle.number(key)).unwrap_or(u32::MAX);
    let (burst, per_second) = (number(&keys::THROTTLE_BURST), number(&keys::THROTTLE_PER_SECOND));
    (burst > 0).then_some(Rate { burst, per_second })
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::authn::LocalToken;
    use crate::config::Config;
    use crate::time::Wall;
    use crate::token::Fingerprint;

    fn config(json: &str) -> Config {
        Config::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn every_key_goes_where_it_belongs() {
        let [one, two] = ["0A", "0b"].map(|byte| byte.repeat(32));
        let config = config(&format!(
            r#"{{
                "auth": {{
                    "cluster": "c", "authority": "a", "timeout": "1s", "deadline": "2s", "max_flights": 3,
                    "max_waiters": 4, "allow": "5s", "deny": "6s", "stale_if_error": "7s", "allow_entries": 8,
                    "deny_entries": 9, "throttle": {{ "burst": 10, "per_second": 11 }}, "canary": "12s",
                    "client_header": true
                }},
                "tokens": [
                    {{ "name": "one", "sha256": "{one}", "not_before": "1970-01-01T00:00:13Z", "api": true }},
                    {{ "name": "two", "sha256": "{two}", "not_after": "1970-01-01T00:00:14.5Z" }}
                ]
            }}"#
        ));
        let hash = |hex: &str| Fingerprint::from_hex(hex).unwrap();
        let at = |milliseconds| Some(Wall::since_epoch(Duration::from_millis(milliseconds)));
        let tokens = vec![
            LocalToken {
                name: "one".into(),
                hash: hash(&one),
                not_before: at(13_000),
                not_after: None,
                api: true,
            },
            LocalToken {
                name: "two".into(),
                hash: hash(&two),
                not_before: None,
                not_after: at(14_500),
                api: false,
            },
        ];
        let expected = Settings {
            endpoint: Endpoint {
                cluster: "c".into(),
                authority: "a".into(),
                timeout: Duration::from_secs(1),
            },
            deadline: Duration::from_secs(2),
            limits: Limits { flights: 3, waiters: 4 },
            cache: CacheSettings {
                allow: Duration::from_secs(5),
                deny: Duration::from_secs(6),
                stale_if_error: Duration::from_secs(7),
                allow_entries: 8,
                deny_entries: 9,
            },
            throttle: Some(Rate { burst: 10, per_second: 11 }),
            tokens,
            canary: Some(Duration::from_secs(12)),
        };
        assert_eq!(config.authn, expected);
        assert!(config.client_header);
    }

    #[test]
    fn zero_switches_off() {
        let off = config(r#"{"auth": {"throttle": {"burst": 0}, "canary": "0s"}}"#).authn;
        assert_eq!((off.throttle, off.canary), (None, None));
        let default = config("{}");
        assert_eq!(default.authn.throttle, Some(Rate { burst: 10, per_second: 1 }));
        assert_eq!(default.authn.canary, None);
        assert!(!default.client_header);
    }
}
