//! What is to be reached, and whether it is.

use crate::stats::{Estimate, Rounds, difference, ratio};

use super::Data;
use super::variants::{CPU, MEMORY, START};

/// On which side of its bound a value is right. The bound itself is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    AtMost,
    AtLeast,
}

impl Side {
    fn has(self, value: f64, bound: f64) -> bool {
        match self {
            Self::AtMost => value <= bound,
            Self::AtLeast => value >= bound,
        }
    }
}

/// What is measured. Variants and metrics are named as in the CSV files.
#[derive(Clone, Copy, Debug)]
enum Measure {
    /// A metric of a variant over that of another, round by round.
    Ratio { metric: &'static str, variant: &'static str, over: &'static str },
    /// CPU per request of a variant of a growth experiment, at one x over that at another.
    Growth { variant: &'static str, from: f64, to: f64 },
    /// How much more memory a variant needs than another, wherever both were measured at the same x.
    Memory { variant: &'static str, over: &'static str },
    /// How much more memory one more VM with full caches needs than one more that does nothing.
    Vm,
    /// A metric by itself.
    Alone { metric: &'static str, variant: &'static str },
    /// The plugin's size; nothing scatters.
    PluginGzipped,
}

/// The most workers that memory is measured with.
const MANY_WORKERS: f64 = 8.;

/// One target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) what: &'static str,
    measure: Measure,
    pub(super) side: Side,
    pub(super) bound: f64,
    pub(super) unit: &'static str,
    /// What a plain first version of such a filter had, measured when the targets were set.
    pub(super) first_version: Option<f64>,
}

/// Whether a target is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The whole interval is on the right side.
    Met,
    /// The whole interval is on the wrong side.
    NotMet,
    /// The bound is inside the interval. The median is on the right side, or is not. Not reached either way.
    Undecided { is_median_right: bool },
    /// There were too few rounds for an interval. Not reached either way.
    TooFew { is_median_right: bool },
}

const fn target(what: &'static str, measure: Measure, side: Side, bound: f64) -> Target {
    Target { what, measure, side, bound, unit: "×", first_version: None }
}

const fn hit_over(over: &'static str, metric: &'static str) -> Measure {
    Measure::Ratio { metric, variant: "hit", over }
}

const THROUGHPUT: &str = "requests_per_s";

/// All of them.
pub(super) const TARGETS: &[Target] = &[
    Target {
        first_version: Some(1.37),
        ..target("cache hit, CPU per request over bare Envoy", hit_over("bare", CPU), Side::AtMost, 1.27)
    },
    Target {
        first_version: Some(1.12),
        ..target("… over the filter that does nothing", hit_over("do_nothing", CPU), Side::AtMost, 1.06)
    },
    target("… over the same, trimmed", hit_over("do_nothing_trimmed", CPU), Side::AtMost, 1.06),
    Target {
        first_version: Some(1.15),
        ..target("… over Lua comparing a header", hit_over("lua", CPU), Side::AtMost, 1.07)
    },
    Target {
        first_version: Some(0.73),
        ..target("… over ext_authz", hit_over("ext_authz", CPU), Side::AtMost, 0.69)
    },
    Target {
        first_version: Some(1.37),
        ..target(
            "cache hit, throughput over ext_authz",
            hit_over("ext_authz", THROUGHPUT),
            Side::AtLeast,
            1.45,
        )
    },
    target("cache hit, p50 over ext_authz", hit_over("ext_authz", "p50_us"), Side::AtMost, 0.6),
    target(
        "cache hit, throughput over Envoy → nginx as Keptn has it",
        hit_over("chain_keptn", THROUGHPUT),
        Side::AtLeast,
        2.5,
    ),
    target(
        "cache hit, throughput over Envoy → nginx with its best settings",
        hit_over("chain", THROUGHPUT),
        Side::AtLeast,
        2.5,
    ),
    target(
        "refused without a token, throughput over ext_authz that lets pass",
        Measure::Ratio { metric: THROUGHPUT, variant: "refused", over: "ext_authz" },
        Side::AtLeast,
        2.,
    ),
    target(
        "refused without a token, throughput over ext_authz that refuses too",
        Measure::Ratio { metric: THROUGHPUT, variant: "refused", over: "ext_authz_refused" },
        Side::AtLeast,
        2.,
    ),
    target(
        "1,000 routes over 10, CPU per request",
        Measure::Growth { variant: "routes/ours", from: 10., to: 1000. },
        Side::AtMost,
        1.05,
    ),
    Target {
        unit: "MiB",
        ..target(
            "memory of one more VM with both halves of the cache full, over one that does nothing",
            Measure::Vm,
            Side::AtMost,
            8.,
        )
    },
    Target {
        unit: "MiB",
        ..target(
            "… and of the whole Envoy with one worker, V8's compiled code included",
            Measure::Memory { variant: "memory_full/ours", over: "memory_full/do_nothing" },
            Side::AtMost,
            8.,
        )
    },
    Target { unit: "bytes", ..target("plugin, gzipped", Measure::PluginGzipped, Side::AtMost, 200_000.) },
    Target {
        unit: "ms",
        ..target(
            "configuration to first request, in a VM that runs",
            Measure::Alone { metric: START, variant: "reconfigure/ours" },
            Side::AtMost,
            50.,
        )
    },
    Target {
        unit: "ms",
        ..target(
            "… and in one that has to be started, with the plugin to compile",
            Measure::Alone { metric: START, variant: "start/ours" },
            Side::AtMost,
            50.,
        )
    },
];

impl Target {
    /// What was measured; nothing where it was not.
    pub(super) fn estimate(&self, data: &Data) -> Option<Estimate> {
        match self.measure {
            Measure::Ratio { metric, variant, over } => {
                ratio(&data.rounds(variant, 0., metric), &data.rounds(over, 0., metric))
            }
            Measure::Growth { variant, from, to } => {
                ratio(&data.rounds(variant, to, CPU), &data.rounds(variant, from, CPU))
            }
            Measure::Memory { variant, over } => {
                let at = |x| difference(&data.rounds(variant, x, MEMORY), &data.rounds(over, x, MEMORY));
                data.xs(variant, MEMORY).into_iter().rev().find_map(at)
            }
            Measure::Vm => difference(&one_more_vm(data, "ours"), &one_more_vm(data, "do_nothing")),
            Measure::Alone { metric, variant } => {
                Estimate::of(&data.rounds(variant, 0., metric).into_values().collect::<Vec<_>>())
            }
            Measure::PluginGzipped => {
                let bytes = data.machine.plugin_gzip_bytes;
                (bytes > 0).then(|| Estimate::exact(bytes as f64))
            }
        }
    }

    /// The command that measures it.
    pub(super) fn command(&self) -> &'static str {
        match self.measure {
            Measure::Ratio { .. } | Measure::PluginGzipped => "./build.sh bench",
            Measure::Growth { .. } | Measure::Memory { .. } | Measure::Vm => "./build.sh bench growth",
            Measure::Alone { .. } => "./build.sh bench start",
        }
    }

    pub(super) fn verdict(&self, estimate: &Estimate) -> Verdict {
        let is_right = |value| self.side.has(value, self.bound);
        let is_median_right = is_right(estimate.median);
        match estimate.interval {
            None => Verdict::TooFew { is_median_right },
            Some(interval) => match [interval.low, interval.high].map(is_right) {
                [true, true] => Verdict::Met,
                [false, false] => Verdict::NotMet,
                _ => Verdict::Undecided { is_median_right },
            },
        }
    }
}

/// What one more worker's VM takes, with full caches: what more workers add, and what filling the caches of one adds.
fn one_more_vm(data: &Data, name: &str) -> Rounds {
    let of_workers = |x| data.rounds(&format!("memory_workers/{name}"), x, MEMORY);
    let (one, many) = (of_workers(1.), of_workers(MANY_WORKERS));
    let full = format!("memory_full/{name}");
    let full = data.xs(&full, MEMORY).into_iter().next_back().map(|x| data.rounds(&full, x, MEMORY));
    let vm = |(round, full): (u32, f64)| {
        let (one, many) = (one.get(&round)?, many.get(&round)?);
        Some((round, (full - one) + (many - one) / (MANY_WORKERS - 1.)))
    };
    full.unwrap_or_default().into_iter().filter_map(vm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(side: Side, values: &[f64]) -> Verdict {
        let target = target("", Measure::PluginGzipped, side, 1.06);
        target.verdict(&Estimate::of(values).unwrap())
    }

    #[test]
    fn a_target_is_met_only_if_the_whole_interval_says_so() {
        let around = |middle: f64| [-0.02, -0.01, -0.01, 0., 0.01, 0.02].map(|by| middle + by);
        for (side, low, high) in [(Side::AtMost, 1., 1.2), (Side::AtLeast, 1.2, 1.)] {
            assert_eq!(verdict(side, &around(low)), Verdict::Met);
            assert_eq!(verdict(side, &around(high)), Verdict::NotMet);
            let near = if side == Side::AtMost { 1.055 } else { 1.075 };
            assert_eq!(verdict(side, &around(near)), Verdict::Undecided { is_median_right: true });
        }
        assert_eq!(verdict(Side::AtMost, &around(1.07)), Verdict::Undecided { is_median_right: false });
    }

    #[test]
    fn a_value_at_the_bound_is_right() {
        assert_eq!(verdict(Side::AtMost, &[1.06; 6]), Verdict::Met);
        assert_eq!(verdict(Side::AtLeast, &[1.06; 6]), Verdict::Met);
    }

    #[test]
    fn too_few_rounds_decide_nothing_however_good_they_look() {
        assert_eq!(verdict(Side::AtMost, &[0.1; 5]), Verdict::TooFew { is_median_right: true });
    }
}
