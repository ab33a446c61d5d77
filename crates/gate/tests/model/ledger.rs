//! What must hold whatever the rules in detail are: kept apart from them, so that a mistake in one place does not
//! hide in the other.

use crate::settings::Settings;

/// What is known of a token's last definite answer.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    /// When the last answer was yes.
    yes_at: Option<u64>,
    /// The contract was broken since.
    is_barred: bool,
}

#[derive(Debug)]
pub struct Ledger {
    settings: Settings,
    heard: Vec<Heard>,
    /// Who was charged for a wrong token, and when that was asked about.
    guesses: Vec<(usize, u64)>,
    /// Who got a charge back, and when.
    refunds: Vec<(usize, u64)>,
}

impl Ledger {
    pub fn new(settings: Settings) -> Self {
        Self { settings, heard: vec![Heard::default(); 16], guesses: Vec::new(), refunds: Vec::new() }
    }

    pub fn said_yes(&mut self, token: usize, now: u64) {
        self.heard[token] = Heard { yes_at: Some(now), is_barred: false };
    }

    pub fn said_no(&mut self, token: usize) {
        self.heard[token] = Heard::default();
    }

    pub fn contract_broken(&mut self, token: usize) {
        self.heard[token].is_barred = true;
    }

    /// A token passed on what the endpoint said before.
    pub fn passed(&self, token: usize, now: u64, is_fresh: bool) {
        let heard = self.heard[token];
        let Some(yes_at) = heard.yes_at else { panic!("{token} passed without a yes") };
        let age = now - yes_at;
        let limit = match (is_fresh, heard.is_barred) {
            (true, _) => 1000,
            (false, true) => self.settings.allow,
            (false, false) => self.settings.allow + self.settings.stale_if_error,
        };
        assert!(age < limit, "{token} passed on a yes that was {age} ms old");
    }

    /// A charged check was answered with no. Nobody gets more of them than the bucket gives.
    pub fn guessed(&mut self, payer: usize, sent_at: u64) {
        let Settings { burst, per_second, .. } = self.settings;
        if burst == 0 {
            return;
        }
        self.guesses.push((payer, sent_at));
        let mut of_payer: Vec<_> =
            self.guesses.iter().filter(|(known, _)| *known == payer).map(|(_, at)| *at).collect();
        of_payer.sort_unstable();
        for (first, begin) in of_payer.iter().enumerate() {
            for (last, end) in of_payer.iter().enumerate().skip(first) {
                let count = u64::try_from(last - first + 1).unwrap();
                // What is given back may have come back by itself meanwhile: a bucket can hold that much more.
                let refunds =
                    self.refunds.iter().filter(|(known, at)| *known == payer && at >= begin).count();
                let most = burst * 1000 + (end - begin) * per_second;
                let most = most + (u64::try_from(refunds).unwrap() * 1000).min(burst * 1000);
                assert!(count * 1000 <= most, "{count} wrong tokens of {payer} in {} ms", end - begin);
            }
        }
    }

    pub fn refunded(&mut self, payer: usize, now: u64) {
        self.refunds.push((payer, now));
    }

    pub fn went_back(&mut self) {
        self.heard.fill(Heard::default());
        // What time passed since is not known.
        self.guesses.clear();
        self.refunds.clear();
    }

    pub fn canary_failed(&mut self) {
        self.heard.fill(Heard::default());
    }
}
