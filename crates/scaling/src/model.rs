//! The formulas. `docs/scaling.md` derives them and says what each symbol means.
//!
//! Times are in seconds, rates per second. What is remembered is remembered for each *pair* of a token and a worker, and pairs
//! know nothing of each other: so everything here is about one pair, and the whole is as many times that.

/// A yes in use is asked about again after so many percent of its life, each as likely as the others.
const REFRESHED_AT_PERCENT: std::ops::RangeInclusive<u32> = 80..=90;

/// Pauses between probes while failing fast, once they have grown to their longest: 5 s, of which up to 20 % are taken away.
const PROBE_PAUSES_PERCENT: std::ops::RangeInclusive<u32> = 80..=100;
const LONGEST_PAUSE: f64 = 5.0;

/// From one probe of a worker to its next, on average: 4.5 s.
pub fn probe_pause() -> f64 {
    mean_of(probe_pauses(), |pause| pause)
}

fn probe_pauses() -> impl ExactSizeIterator<Item = f64> + Clone {
    (0..21_u32).map(|more| LONGEST_PAUSE * percent(PROBE_PAUSES_PERCENT.start() + more))
}

/// One token at one worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// λ: how many requests come in a second.
    pub rate: f64,
    /// L: how long a yes is in force, `auth.allow` or the auth service's `max-age`.
    pub allow: f64,
}

impl Pair {
    /// u: after what time a yes is asked about again, if it has been used; one for each percent.
    fn refreshes(self) -> impl ExactSizeIterator<Item = f64> + Clone {
        (0..11_u32).map(move |more| self.allow * percent(REFRESHED_AT_PERCENT.start() + more))
    }

    /// C: from one yes to the next, on average. In each such cycle there is one check.
    ///
    /// It comes after u, or with the first request, whichever is later.
    pub fn cycle(self) -> f64 {
        mean_of(self.refreshes(), |u| u + self.unused_for(u) / self.rate)
    }

    /// How many checks there are in a second.
    pub fn checks(self) -> f64 {
        1.0 / self.cycle()
    }

    /// Which share of requests need not wait.
    ///
    /// One does in each cycle whose yes was not used at all before it was over: the next.
    pub fn hit_ratio(self) -> f64 {
        1.0 - self.unused_for(self.allow) / (self.rate * self.cycle())
    }

    /// Which share of requests that come `after` the token was withdrawn still pass: those for which a yes
    /// from before is in force.
    pub fn passes_after_withdrawal(self, after: f64) -> f64 {
        let in_force = |u: f64| {
            let unused_from = after.max(u).min(self.allow);
            let unused = (self.unused_for(unused_from) - self.unused_for(self.allow)) / self.rate;
            (u - after).max(0.0) + unused
        };
        mean_of(self.refreshes(), in_force) / self.cycle()
    }

    /// For how long a worker goes on letting a withdrawn token pass, on average.
    pub fn mean_time_to_revoke(self) -> f64 {
        integral(self.allow, |after| self.passes_after_withdrawal(after))
    }

    /// For how long the last of so many workers does, on average.
    pub fn time_to_revoke_at_all(self, workers: f64) -> f64 {
        integral(self.allow, |after| 1.0 - (1.0 - self.passes_after_withdrawal(after)).powf(workers))
    }

    /// Whether, of so many workers, at least one lets a request pass later than `after` the token was withdrawn: how
    /// likely that is. It takes for granted that each yes is used before it is asked about again.
    pub fn is_let_pass_after(self, after: f64, workers: f64) -> f64 {
        let later =
            |more: f64| self.passes_after_withdrawal(after + more) * self.rate * (-self.rate * more).exp();
        1.0 - (1.0 - integral((self.allow - after).max(0.0), later)).powf(workers)
    }

    /// Which share of requests passes when the auth service has given no answer for `since` seconds: those whose last yes
    /// is younger than L and `stale_if_error` together.
    pub fn passes_in_outage(self, since: f64, stale_if_error: f64) -> f64 {
        let oldest = (self.allow + stale_if_error - since).max(0.0);
        let younger = |u: f64| {
            if oldest <= u { oldest } else { u + (self.unused_for(u) - self.unused_for(oldest)) / self.rate }
        };
        mean_of(self.refreshes(), younger) / self.cycle()
    }

    /// Checks in each step of time, if `first` is how likely the first one after something common to all pairs is in each.
    /// From there on it is the cycle again and again: a renewal equation, solved step by step.
    pub fn wave(self, first: &[f64], step: f64) -> Vec<f64> {
        let next = self.cycle_lengths(first.len(), step);
        let mut wave = first.to_vec();
        for now in 0..wave.len() {
            let again: f64 = (1..=now).map(|ago| next[ago] * wave[now - ago]).sum();
            wave[now] += again;
        }
        wave
    }

    /// The first check of a worker that knows nothing: at its first request.
    pub fn first_after_restart(self, steps: usize, step: f64) -> Vec<f64> {
        between(steps, step, |time| 1.0 - self.unused_for(time))
    }

    /// The first check after an outage: with the worker's first probe, for all its tokens that are in use.
    pub fn first_after_outage(steps: usize, step: f64) -> Vec<f64> {
        between(steps, step, |time| mean_of(probe_pauses(), |pause| time.min(pause)) / probe_pause())
    }

    /// How likely each number of steps is from one check to the next.
    fn cycle_lengths(self, steps: usize, step: f64) -> Vec<f64> {
        let mut lengths = vec![0.0; steps];
        let mut add = |length: usize, likely: f64| {
            if let Some(length) = lengths.get_mut(length) {
                *length += likely;
            }
        };
        let choices = self.refreshes().len() as f64;
        for u in self.refreshes() {
            let first = (u / step).round() as usize;
            add(first, (1.0 - self.unused_for(u)) / choices);
            for after in first..steps {
                let from = (after - first) as f64 * step;
                let likely = self.unused_for(u + from) - self.unused_for(u + from + step);
                // It is somewhere within this step, so half of it is one step later than the last check was.
                add(after, likely / choices / 2.0);
                add(after + 1, likely / choices / 2.0);
            }
        }
        lengths
    }

    /// How likely it is that no request comes for so long.
    fn unused_for(self, time: f64) -> f64 {
        (-self.rate * time).exp()
    }
}

fn percent(number: u32) -> f64 {
    f64::from(number) / 100.0
}

fn mean_of(values: impl ExactSizeIterator<Item = f64>, of: impl Fn(f64) -> f64) -> f64 {
    let count = values.len() as f64;
    values.map(of).sum::<f64>() / count
}

/// What a distribution gains in each step.
fn between(steps: usize, step: f64, distribution: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..steps).map(|at| distribution((at + 1) as f64 * step) - distribution(at as f64 * step)).collect()
}

/// From 0 to `end`, by the midpoints of a thousand steps.
fn integral(end: f64, of: impl Fn(f64) -> f64) -> f64 {
    const STEPS: u32 = 1000;
    let step = end / f64::from(STEPS);
    (0..STEPS).map(|at| of((f64::from(at) + 0.5) * step)).sum::<f64>() * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(rate: f64) -> Pair {
        Pair { rate, allow: 30.0 }
    }

    #[track_caller]
    fn assert_near(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-3 * right.abs().max(1e-3), "{left} {right}");
    }

    #[test]
    fn at_its_limits_it_is_what_one_expects() {
        assert_near(pair(1e-6).checks(), 1e-6);
        assert_near(pair(1e-6).hit_ratio() + 1.0, 1.0);
        assert_near(pair(1e3).checks(), 1.0 / 25.5);
        assert_near(pair(1e3).hit_ratio(), 1.0);
        assert_near(pair(1e3).passes_after_withdrawal(0.0), 1.0);
        assert_near(pair(1e3).passes_in_outage(0.0, 300.0), 1.0);
        assert_near(pair(1e3).passes_in_outage(330.0, 300.0), 0.0);
        assert_near(pair(1e3).mean_time_to_revoke(), 25.5 / 2.0 + 0.9 / 51.0);
    }

    #[test]
    fn a_request_passes_after_a_withdrawal_of_just_now_if_it_would_have_been_a_hit() {
        for rate in [0.001, 0.01, 0.1, 1.0, 10.0] {
            assert_near(pair(rate).passes_after_withdrawal(0.0), pair(rate).hit_ratio());
        }
    }

    #[test]
    fn nothing_passes_later_than_it_may() {
        for rate in [0.001, 0.1, 10.0] {
            assert!(pair(rate).passes_after_withdrawal(30.0).abs() < 1e-9);
            assert!(pair(rate).passes_in_outage(330.0, 300.0).abs() < 1e-9);
            assert!(pair(rate).time_to_revoke_at_all(1e6) <= 30.0);
        }
        assert!(pair(10.0).time_to_revoke_at_all(1e6) > 26.9, "one of many is asked about at 90 % of 30 s");
    }

    #[test]
    fn a_wave_comes_to_rest_at_the_steady_rate() {
        for rate in [0.02, 1.0] {
            let pair = pair(rate);
            let wave = pair.wave(&pair.first_after_restart(2000, 1.5), 1.5);
            let late: f64 = wave[1500..].iter().sum::<f64>() / 750.0;
            assert!((late / pair.checks() - 1.0).abs() < 0.01, "{rate}: {late} {}", pair.checks());
        }
    }

    #[test]
    fn what_begins_together_flattens_as_slowly_as_the_document_says() {
        let pair = pair(1e3);
        let wave = pair.wave(&pair.first_after_restart(4590, 0.3), 0.3);
        let steady = pair.checks() * 0.3;
        for cycle in [35, 42, 50] {
            // The whole cycle about its n-th wave, 85 steps long.
            let checks = &wave[cycle * 85 - 42..cycle * 85 + 43];
            let swing = checks.iter().fold(0.0_f64, |most, checks| most.max(checks / steady - 1.0));
            let expected = 2.0 * (-0.0273 * cycle as f64).exp();
            assert!((swing - expected).abs() < 0.1, "{cycle}: {swing} {expected}");
        }
    }

    #[test]
    fn what_comes_first_is_sure_to_come() {
        assert_near(Pair::first_after_outage(100, 0.1).iter().sum(), 1.0);
        assert_near(pair(1.0).first_after_restart(1000, 0.1).iter().sum(), 1.0);
    }
}
