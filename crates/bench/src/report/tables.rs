//! The report's tables, in Markdown.

use std::collections::{BTreeMap, BTreeSet};

use crate::plot::{number, whole};
use crate::results::Machine;
use crate::stats::{Estimate, ratio};

use super::Data;
use super::targets::{Side, TARGETS, Target, Verdict};
use super::variants::{self, CPU};

const NONE: &str = "–";

/// A table: its head, and rows of as many cells. What is a number stands at the right.
fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let is_number = |name: &&str| !name.is_empty() && !TEXTS.contains(name);
    let rule = head.map(|name| if is_number(&name) { "--:" } else { "---" }.to_owned());
    let mut text = line(&head.map(str::to_owned)) + &line(&rule).replace(' ', "");
    for row in rows {
        text += &line(&row.map(|cell| cell.replace('|', "\\|")));
    }
    text
}

/// The columns that hold no numbers.
const TEXTS: [&str; 5] = ["what", "variant", "verdict", "name", "what it is"];

/// A ratio has three digits behind the point: targets differ in the second.
pub(super) fn of_ratio(value: f64) -> String {
    format!("{value:.3}")
}

/// A value, and between what it lies where one sees a difference.
pub(super) fn cell(estimate: Option<Estimate>, show: impl Fn(f64) -> String) -> String {
    let Some(estimate) = estimate else { return NONE.to_owned() };
    let median = show(estimate.median);
    match estimate.interval.map(|interval| [interval.low, interval.high].map(show)) {
        Some([low, high]) if low != median || high != median => format!("{median} ({low} to {high})"),
        _ => median,
    }
}

pub(super) fn machine(machine: &Machine) -> String {
    let [bytes, gzipped] = [machine.plugin_bytes, machine.plugin_gzip_bytes].map(|bytes| whole(bytes as f64));
    let size = format!("{bytes} bytes, {gzipped} gzipped");
    let facts = [
        ("measured on", machine.date.clone()),
        ("commit", machine.revision.clone()),
        ("processor", format!("{}, {} cores", machine.cpu, machine.cores)),
        ("memory", format!("{} MiB", machine.memory_mib)),
        ("system", machine.system.clone()),
        ("plugin", size),
    ];
    let facts = facts.iter().map(|(name, fact)| (*name, fact));
    let more = machine.versions.iter().chain(&machine.settings).map(|(name, fact)| (&**name, fact));
    table(["name", "what it is"], facts.chain(more).map(|(name, fact)| [name.to_owned(), fact.clone()]))
}

/// A value in the target's unit, without it.
fn in_unit(target: &Target) -> impl Fn(f64) -> String {
    match target.unit {
        "×" => of_ratio,
        "bytes" => whole,
        _ => number,
    }
}

/// What a target asks for: `≤ 1.27 ×`.
pub(super) fn bound(target: &Target) -> String {
    let side = if target.side == Side::AtMost { '≤' } else { '≥' };
    format!("{side} {} {}", number(target.bound), target.unit)
}

/// What is said of it.
pub(super) fn verdict(verdict: Verdict, count: usize) -> String {
    let side = |is_right: bool| if is_right { "right" } else { "wrong" };
    match verdict {
        Verdict::Met => "met".to_owned(),
        Verdict::NotMet => "**not met**".to_owned(),
        Verdict::Undecided { is_median_right } => {
            format!(
                "**undecided**: the median is on the {} side, the interval on both",
                side(is_median_right)
            )
        }
        Verdict::TooFew { is_median_right } => format!(
            "**undecided**: {count} rounds are too few for an interval; the median is on the {} side",
            side(is_median_right)
        ),
    }
}

/// The median and the interval of a target.
pub(super) fn measured(target: &Target, estimate: &Estimate) -> [String; 2] {
    let show = in_unit(target);
    let interval = estimate.interval.filter(|interval| interval.level < 1.);
    let interval = interval.map(|interval| format!("{} to {}", show(interval.low), show(interval.high)));
    [show(estimate.median), interval.unwrap_or_else(|| NONE.to_owned())]
}

pub(super) fn targets(data: &Data) -> String {
    let row = |target: &Target| {
        let first_version = target.first_version.map_or(String::new(), number);
        let [median, interval, verdict] = match target.estimate(data) {
            Some(estimate) => {
                let [median, interval] = measured(target, &estimate);
                [median, interval, verdict(target.verdict(&estimate), estimate.count)]
            }
            None => [NONE.to_owned(), NONE.to_owned(), format!("not measured: `{}` does", target.command())],
        };
        [target.what.to_owned(), bound(target), median, interval, verdict, first_version]
    };
    table(
        ["what", "target", "measured", "interval", "verdict", "a plain first version"],
        TARGETS.iter().map(row),
    )
}

/// How many targets are met, in words.
pub(super) fn tally(data: &Data) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for target in TARGETS {
        let word = match target.estimate(data).map(|estimate| target.verdict(&estimate)) {
            Some(Verdict::Met) => "met",
            Some(Verdict::NotMet) => "not met",
            Some(Verdict::Undecided { .. } | Verdict::TooFew { .. }) => "undecided",
            None => "not measured",
        };
        *counts.entry(word).or_default() += 1;
    }
    let words = ["met", "not met", "undecided", "not measured"];
    let said = words.into_iter().filter_map(|word| Some(format!("{} {word}", counts.get(word)?)));
    format!("Of {} targets: {}.", TARGETS.len(), said.collect::<Vec<_>>().join(", "))
}

/// Of how many rounds the intervals are, and at which level.
pub(super) fn levels(data: &Data) -> String {
    let mut levels = BTreeMap::new();
    let mut too_few = false;
    let of_targets = TARGETS.iter().filter_map(|target| target.estimate(data));
    let of_variants = variants::measured(data);
    let of_variants = of_variants.iter().filter_map(|variant| data.estimate(variant.name, CPU));
    for estimate in of_targets.chain(of_variants) {
        match estimate.interval {
            Some(interval) if interval.level < 1. => _ = levels.insert(estimate.count, interval),
            Some(_) => {}
            None => too_few = true,
        }
    }
    let mut text = String::new();
    for (count, interval) in levels {
        let (rank, last) = (interval.rank, count + 1 - interval.rank);
        let level = interval.level * 100.;
        text +=
            &format!("  - of {count} rounds: from value {rank} to value {last} by size, at {level:.1} %\n");
    }
    if too_few {
        text += "  - of fewer than 6 rounds: none; nothing is decided by them\n";
    }
    text
}

pub(super) fn variants(data: &Data) -> String {
    let row = |variant: variants::Variant<'_>| [variant.title.to_owned(), variant.what.to_owned()];
    table(["variant", "what it is"], variants::measured(data).into_iter().map(row))
}

pub(super) fn ratios(data: &Data) -> String {
    let over = |variant: &str, base: &str, metric: &str| {
        let estimate = ratio(&data.rounds(variant, 0., metric), &data.rounds(base, 0., metric));
        cell(estimate.filter(|_| variant != base), of_ratio)
    };
    let row = |variant: variants::Variant<'_>| {
        let name = variant.name;
        [
            variant.title.to_owned(),
            over(name, "bare", CPU),
            over(name, "hit", CPU),
            over(name, "hit", "requests_per_s"),
            over(name, "hit", "p50_us"),
        ]
    };
    let head =
        ["variant", "CPU over bare Envoy", "CPU over a hit", "throughput over a hit", "p50 over a hit"];
    table(head, variants::measured(data).into_iter().map(row))
}

/// A table of metrics by variant; variants that have none of them are left out.
fn by_variant<const N: usize>(data: &Data, head: [&str; N], metrics: &[&str]) -> String {
    let has_any = |variant: &variants::Variant<'_>| {
        metrics.iter().any(|metric| data.estimate(variant.name, metric).is_some())
    };
    let row = |variant: variants::Variant<'_>| {
        let mut cells = metrics.iter().map(|metric| cell(data.estimate(variant.name, metric), number));
        let title = variant.title.to_owned();
        std::array::from_fn(
            |column| if column == 0 { title.clone() } else { cells.next().unwrap_or_default() },
        )
    };
    table(head, variants::measured(data).into_iter().filter(has_any).map(row))
}

const FIGURES: [&str; 5] =
    [CPU, "requests_per_s", "callouts_per_request", "hostcalls_per_request", "rss_mib"];
const LATENCIES: [&str; 3] = ["p50_us", "p99_us", "p999_us"];

pub(super) fn figures(data: &Data) -> String {
    let head = [
        "variant",
        "CPU µs per request",
        "requests per s",
        "callouts per request",
        "hostcalls",
        "memory MiB",
    ];
    by_variant(data, head, &FIGURES)
}

pub(super) fn latencies(data: &Data) -> String {
    by_variant(data, ["variant", "p50 µs", "p99 µs", "p99.9 µs"], &LATENCIES)
}

/// What no other table has.
pub(super) fn others(data: &Data) -> String {
    let is_shown = |metric: &str| FIGURES.contains(&metric) || LATENCIES.contains(&metric);
    let mut rows = Vec::new();
    for variant in variants::measured(data) {
        let of_it = data.samples.iter().filter(|sample| sample.variant == variant.name);
        let metrics: BTreeSet<&str> = of_it.map(|sample| &*sample.metric).collect();
        for metric in metrics.into_iter().filter(|metric| !is_shown(metric)) {
            let value = cell(data.estimate(variant.name, metric), number);
            rows.push([variant.title.to_owned(), format!("`{metric}`"), value]);
        }
    }
    if rows.is_empty() { String::new() } else { table(["variant", "what", "measured"], rows) }
}

/// The few lines that README shows.
pub(super) fn readme(data: &Data) -> String {
    const SHOWN: [&str; 10] = [
        "bare",
        "do_nothing",
        "do_nothing_trimmed",
        "calls",
        "hit",
        "refused",
        "lua",
        "ext_authz",
        "chain_keptn",
        "chain",
    ];
    let shown = variants::measured(data).into_iter().filter(|variant| SHOWN.contains(&variant.name));
    let row = |variant: variants::Variant<'_>| {
        let bare = data.rounds("bare", 0., CPU);
        let cpu = data.rounds(variant.name, 0., CPU);
        let value =
            |metric| data.estimate(variant.name, metric).map_or(NONE.to_owned(), |e| number(e.median));
        [
            variant.title.to_owned(),
            value(CPU),
            ratio(&cpu, &bare).map_or(NONE.to_owned(), |ratio| format!("{:.2} ×", ratio.median)),
            value("requests_per_s"),
            value("p50_us"),
        ]
    };
    let head = ["variant", "CPU µs per request", "over bare Envoy", "requests per s", "p50 µs"];
    let Machine { cpu, date, .. } = &data.machine;
    let tally = tally(data);
    format!(
        "{}\nMedians, one core of a machine with {cpu}, {date}. {tally} How it was measured, and how sure that is: \
         [docs/benchmarks.md](docs/benchmarks.md).\n",
        table(head, shown.map(row))
    )
}
