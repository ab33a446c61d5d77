//! Medians, and between what they lie.
//!
//! Nothing is assumed about how the values scatter: a shared machine's are skewed, with outliers to one side. The median
//! ignores these, and its interval is made of two of the values themselves (order statistics): that the true
//! median lies below the k-th smallest of n is as likely as fewer than k heads in n throws of a coin.

use std::collections::BTreeMap;

use crate::results::Sample;

/// How often an interval should contain the true median.
const LEVEL: f64 = 0.95;

/// Between what a median lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end, one of the values.
    pub low: f64,
    /// The upper end, one of the values.
    pub high: f64,
    /// Which from below and from above the ends are: 2 of ten values are the 2nd and the 9th.
    pub rank: usize,
    /// How often such an interval contains the true median: at least 0.95; 1 where nothing scatters.
    pub level: f64,
}

/// What is known from repeated measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// Between what it lies; nothing where there are fewer than six values: not even all of them say it at 95 %.
    pub interval: Option<Interval>,
    /// Of how many values.
    pub count: usize,
}

impl Estimate {
    /// Of a value that does not scatter.
    pub fn exact(value: f64) -> Self {
        Self {
            median: value,
            interval: Some(Interval { low: value, high: value, rank: 1, level: 1. }),
            count: 1,
        }
    }

    /// The estimate of these values; nothing where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let middle = sorted.get((count.checked_sub(1)?) / 2..=count / 2)?;
        let median = middle.iter().sum::<f64>() / middle.len() as f64;
        let interval = rank(count).map(|(rank, level)| Interval {
            low: sorted[rank - 1],
            high: sorted[count - rank],
            rank,
            level,
        });
        Some(Self { median, interval, count })
    }
}

/// The largest rank from each end whose values enclose the median at [`LEVEL`], and at what level they do.
fn rank(count: usize) -> Option<(usize, f64)> {
    // The chance of exactly `heads` in `count` throws, as a logarithm: 2^-count itself is too small for many.
    let mut log_chance = -(count as f64) * std::f64::consts::LN_2;
    let mut outside = 0.;
    let mut found = None;
    for heads in 0..count / 2 {
        outside += 2. * log_chance.exp();
        if 1. - outside < LEVEL {
            break;
        }
        found = Some((heads + 1, 1. - outside));
        log_chance += ((count - heads) as f64 / (heads + 1) as f64).ln();
    }
    found
}

/// The values of one metric of one variant, by round.
pub type Rounds = BTreeMap<u32, f64>;

/// What `samples` say of this metric of this variant, where `x` is as given.
pub fn rounds(samples: &[Sample], variant: &str, x: f64, metric: &str) -> Rounds {
    samples
        .iter()
        .filter(|sample| sample.variant == variant && sample.x == x && sample.metric == metric)
        .map(|sample| (sample.round, sample.value))
        .collect()
}

/// How many times `these` are `those`: of each round that has both, then the median.
///
/// What slows one variant down for minutes slows the other down as well, and so most of it goes away.
pub fn ratio(these: &Rounds, those: &Rounds) -> Option<Estimate> {
    Estimate::of(&paired(these, those, |this, that| this / that))
}

/// How much more `these` are than `those`: of each round that has both, then the median.
pub fn difference(these: &Rounds, those: &Rounds) -> Option<Estimate> {
    Estimate::of(&paired(these, those, |this, that| this - that))
}

fn paired(these: &Rounds, those: &Rounds, compare: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    these
        .iter()
        .filter_map(|(round, this)| Some(compare(*this, *those.get(round)?)))
        .filter(|value| value.is_finite())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds_of(values: &[f64]) -> Rounds {
        (1..).zip(values.iter().copied()).collect()
    }

    fn numbers(count: u32) -> Vec<f64> {
        // Not in order: 7 is prime to all counts used here.
        (0..count).map(|index| f64::from((index * 7) % count + 1)).collect()
    }

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_the_two() {
        assert_eq!(Estimate::of(&[3., 1., 2.]).unwrap().median, 2.);
        assert_eq!(Estimate::of(&[4., 1., 3., 2.]).unwrap().median, 2.5);
        assert_eq!(Estimate::of(&[9.]).unwrap().median, 9.);
        assert_eq!(Estimate::of(&[]), None);
    }

    /// By hand for ten: 1 - 2 * (1 + 10) / 2^10 is 97.9 %, and with the next rank, (1 + 10 + 45), it is 89.1 %.
    #[test]
    fn an_interval_is_of_the_ranks_that_the_binomial_distribution_gives() {
        for (count, low, high, percent) in [
            (6, 1., 6., 96.9),
            (9, 2., 8., 96.1),
            (10, 2., 9., 97.9),
            (11, 2., 10., 98.8),
            (12, 3., 10., 96.1),
            (15, 4., 12., 96.5),
            (20, 6., 15., 95.9),
            (25, 8., 18., 95.7),
        ] {
            let interval = Estimate::of(&numbers(count)).unwrap().interval.unwrap();
            assert_eq!((interval.low, interval.high), (low, high), "of {count}");
            assert!((interval.level * 100. - percent).abs() < 0.05, "of {count}: {}", interval.level);
        }
    }

    #[test]
    fn fewer_than_six_values_have_no_interval() {
        for count in 1..6 {
            let estimate = Estimate::of(&numbers(count)).unwrap();
            assert_eq!((estimate.interval, estimate.count), (None, count as usize));
        }
    }

    /// Where 2^-n is no number of f64 any more: the normal approximation is then good.
    #[test]
    fn many_values_have_an_interval_too() {
        let interval = Estimate::of(&numbers(5000)).unwrap().interval.unwrap();
        let half_width = 1.96 * 5000_f64.sqrt() / 2.;
        assert!((interval.low - (2500. - half_width)).abs() < 2., "{interval:?}");
        assert!((0.95..0.96).contains(&interval.level), "{interval:?}");
    }

    #[test]
    fn a_ratio_is_of_the_same_round_and_not_of_medians() {
        let slow_then_fast = rounds_of(&[200., 100., 100., 300., 100., 100.]);
        let half_of_it = rounds_of(&[100., 50., 50., 150., 50., 50.]);
        let ratio = ratio(&slow_then_fast, &half_of_it).unwrap();
        assert_eq!((ratio.median, ratio.count), (2., 6));
        assert_eq!(ratio.interval.map(|interval| (interval.low, interval.high)), Some((2., 2.)));
        assert_eq!(difference(&slow_then_fast, &half_of_it).unwrap().median, 50.);
    }

    #[test]
    fn a_round_that_lacks_one_of_them_does_not_count() {
        let these = Rounds::from([(1, 10.), (2, 20.), (4, 40.)]);
        let those = Rounds::from([(2, 10.), (3, 10.), (4, 10.)]);
        assert_eq!(ratio(&these, &those).unwrap().count, 2);
        assert_eq!(ratio(&these, &Rounds::from([(9, 1.)])), None);
        assert_eq!(ratio(&these, &Rounds::from([(1, 0.)])), None);
    }
}
