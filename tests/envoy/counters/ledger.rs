//! What the filter's statistics should say, and whether they do.

use crate::support::Bed;
use std::collections::{BTreeMap, BTreeSet};
use testbed::{Envoy, wait::until};

const PREFIX: &str = "wasmcustom.keptn_gateway.";
const DURATIONS: &str = "keptn_gateway_check_duration_ms";

/// What has happened so far, in numbers.
pub(super) struct Ledger<'a> {
    bed: &'a Bed,
    expected: BTreeMap<String, u64>,
    /// Compare after each deed. The filter writes its counters every quarter of a second, so this is slow.
    pub(super) each: bool,
    /// Requests with a token that had to be judged.
    pub(super) requests: u64,
}

/// All of the filter's counters, without their prefix.
async fn counters(envoy: &Envoy) -> BTreeMap<String, u64> {
    let stats = envoy.stats().await.unwrap();
    stats
        .into_iter()
        .filter_map(|(name, count)| Some((name.strip_prefix(PREFIX)?.to_owned(), count)))
        .collect()
}

impl<'a> Ledger<'a> {
    /// Nothing has happened.
    pub(super) async fn open(bed: &'a Bed) -> Self {
        let expected = counters(&bed.envoy).await;
        assert!(expected.values().all(|count| *count == 0), "{expected:?}");
        Self { bed, expected, each: true, requests: 0 }
    }

    /// The counters that Envoy shows.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.expected.keys().cloned().collect()
    }

    /// Those that still say 0.
    pub(super) fn untouched(&self) -> BTreeSet<String> {
        let untouched = self.expected.iter().filter(|(_, count)| **count == 0);
        untouched.map(|(name, _)| name.clone()).collect()
    }

    /// What a counter says.
    pub(super) fn get(&self, name: &str) -> u64 {
        self.expected[name]
    }

    /// From now on the counters should say this more: no less, no more, and nothing else.
    pub(super) async fn adds(&mut self, what: &str, effect: &[(&str, u64)]) {
        for (name, count) in effect {
            *self.expected.get_mut(*name).unwrap_or_else(|| panic!("{what}: Envoy shows no {name}")) += count;
        }
        if self.each {
            self.is_right(what).await;
        }
    }

    /// Awaits that the counters say what they should.
    pub(super) async fn is_right(&self, what: &str) {
        let mut now = BTreeMap::new();
        let reached = until(what, async || {
            now = counters(&self.bed.envoy).await;
            (now == self.expected).then_some(())
        });
        if reached.await.is_err() {
            let names = self.expected.keys().chain(now.keys()).collect::<BTreeSet<_>>();
            let differences = names.into_iter().filter(|name| now.get(*name) != self.expected.get(*name));
            let told: Vec<_> =
                differences.map(|name| (name, now.get(name), self.expected.get(name))).collect();
            panic!("{what}: counted, and expected: {told:?}");
        }
    }

    /// Prometheus is shown the same, each number once; and how long each check took that was sent.
    pub(super) async fn agrees_with_prometheus(&self) {
        let page = || async { self.bed.envoy.admin_get("/stats/prometheus").await.unwrap() };
        // Envoy adds histograms up now and then.
        let count = format!("{DURATIONS}_count{{}} {}", self.get("checks"));
        let all = until(format!("{count} at /stats/prometheus"), async || {
            Some(page().await).filter(|page| page.lines().any(|line| line == count))
        });
        let all = all.await.unwrap();
        let shown: Vec<&str> = all
            .lines()
            .filter(|line| line.starts_with("keptn_gateway_") && !line.starts_with(DURATIONS))
            .collect();
        let sample = |(name, count): (&String, &u64)| match name.strip_prefix("refused.") {
            Some(reason) => format!("keptn_gateway_refused{{reason=\"{reason}\"}} {count}"),
            None => format!("keptn_gateway_{name}{{}} {count}"),
        };
        let mut expected: Vec<String> = self.expected.iter().map(sample).collect();
        let mut shown: Vec<String> = shown.into_iter().map(str::to_owned).collect();
        expected.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, expected);
    }
}
