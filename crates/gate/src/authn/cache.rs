//! The decision cache: what the auth endpoint has said to tokens lately.
//!
//! Tokens are known by their SHA-256. The one exception: the token of a yes in use stands in its entry, from its
//! first use until it is asked about again, because nobody else could ask in the background.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::answer::{Keep, Yes};
use super::bounded::Bounded;
use super::failing_fast::FailingFast;
use crate::denial::Denial;
use crate::time::Time;
use crate::token::{Fingerprint, Token};

/// How soon a token is asked about again in the background when the last answer decided nothing.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A yes in use is asked about again after 80 to 90 % of its lifetime: these are the 80, and what is spread.
const REFRESHED_AT_PERCENT: u32 = 80;
const SPREAD_PERCENT: u32 = 10;

/// What the configuration says about the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a yes is in force; zero: none is kept.
    pub allow: Duration,
    /// How long a no is; zero: none is kept.
    pub deny: Duration,
    /// How long after its end a yes is honoured while no answer is to be had.
    pub stale_if_error: Duration,
    /// How many yeses are kept.
    pub allow_entries: usize,
    /// How many noes are.
    pub deny_entries: usize,
}

#[derive(Debug)]
struct Allowed {
    yes: Yes,
    ends_at: Time,
    /// Until when it is honoured while no answer is to be had.
    stale_until: Time,
    /// When the last check of this token ended without deciding anything, if it did.
    unanswered_at: Option<Time>,
    /// The log has been told that it is stale.
    is_told: bool,
    /// When it may be asked about in the background.
    ask_at: Time,
    /// The token, once it is used; then `due` has this entry too.
    in_use: Option<Secret>,
}

/// A token that is kept. `Debug` does not show it.
struct Secret(Rc<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Debug)]
struct Denied {
    denial: Denial,
    ends_at: Time,
}

/// What is known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A yes in force.
    Yes(Yes),
    /// A yes that is over, honoured because there is no answer.
    Stale(Yes),
    /// It was right. It has to be asked about, but it is no stranger's.
    Right,
    /// A no.
    No(Denial),
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Cache {
    settings: Settings,
    allowed: Bounded<Fingerprint, Allowed>,
    denied: Bounded<Fingerprint, Denied>,
    /// The yeses in use, by when they may be asked about.
    due: BTreeSet<(Time, Fingerprint)>,
}

impl Cache {
    pub(super) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            allowed: Bounded::new(settings.allow_entries, seed),
            denied: Bounded::new(settings.deny_entries, seed),
            due: BTreeSet::new(),
        }
    }

    /// What is known of `token`, which a request is using.
    ///
    /// A stale yes serves at once, and not only after one more check, while it is plain that there is no answer:
    /// failing fast is on, or there was none a moment ago, or none to anybody since there was none for this token.
    pub(super) fn look_up(
        &mut self,
        hash: Fingerprint,
        token: Token<'_>,
        now: Time,
        failing_fast: &FailingFast,
    ) -> Known {
        let Some(entry) = self.allowed.use_mut(&hash) else { return self.look_up_no(hash, now) };
        let known = if now < entry.ends_at {
            Known::Yes(entry.yes)
        } else if now >= entry.stale_until {
            self.forget_yes(hash);
            return Known::Nothing;
        } else if failing_fast.is_on()
            || entry
                .unanswered_at
                .is_some_and(|at| now.since(at) < ASKED_AGAIN_AFTER || !failing_fast.has_answered_since(at))
        {
            Known::Stale(entry.yes)
        } else {
            return Known::Right;
        };
        if entry.in_use.is_none() {
            entry.in_use = Some(Secret(token.expose().into()));
            self.due.insert((entry.ask_at, hash));
        }
        known
    }

    fn look_up_no(&mut self, hash: Fingerprint, now: Time) -> Known {
        match self.denied.use_mut(&hash) {
            Some(entry) if now < entry.ends_at => Known::No(entry.denial),
            Some(_) => {
                self.denied.remove(&hash);
                Known::Nothing
            }
            None => Known::Nothing,
        }
    }

    /// Whether the token was right lately, and is no stranger's.
    pub(super) fn is_right(&self, hash: Fingerprint, now: Time) -> bool {
        self.honoured(hash, now).is_some()
    }

    /// The yes that is honoured when no answer is to be had: one in force, or a stale one.
    pub(super) fn honoured(&self, hash: Fingerprint, now: Time) -> Option<Yes> {
        self.allowed
            .peek(&hash)
            .filter(|entry| now < entry.stale_until.max(entry.ends_at))
            .map(|entry| entry.yes)
    }

    /// Whether it is news that the token's stale yes is being honoured; it is no more afterwards.
    pub(super) fn is_stale_news(&mut self, hash: Fingerprint) -> bool {
        self.allowed.peek_mut(&hash).is_some_and(|entry| !core::mem::replace(&mut entry.is_told, true))
    }

    /// Whether the yes is in force.
    pub(super) fn is_in_force(&self, hash: Fingerprint, now: Time) -> bool {
        self.allowed.peek(&hash).is_some_and(|entry| now < entry.ends_at)
    }

    /// The endpoint has said yes. `spread` is random.
    pub(super) fn heard_yes(
        &mut self,
        hash: Fingerprint,
        yes: Yes,
        keep: Keep,
        spread: u64,
        now: Time,
    ) -> Kept {
        self.denied.remove(&hash);
        self.forget_yes(hash);
        let Some(lifetime) = keep.within(self.settings.allow).filter(|_| !self.settings.allow.is_zero())
        else {
            return Kept::Not;
        };
        let ends_at = now.after(lifetime);
        let percent = REFRESHED_AT_PERCENT.saturating_add(share(spread, SPREAD_PERCENT));
        let entry = Allowed {
            yes,
            ends_at,
            stale_until: ends_at.after(self.settings.stale_if_error),
            unanswered_at: None,
            is_told: false,
            ask_at: now.after(lifetime.saturating_mul(percent).checked_div(100).unwrap_or(lifetime)),
            in_use: None,
        };
        match self.allowed.insert(hash, entry) {
            None => Kept::Beside,
            Some((evicted, entry)) => {
                self.due.remove(&(entry.ask_at, evicted));
                Kept::InsteadOfAnother
            }
        }
    }

    /// The endpoint has said no. That ends a yes at once.
    pub(super) fn heard_no(&mut self, hash: Fingerprint, denial: Denial, keep: Keep, now: Time) -> Kept {
        self.forget_yes(hash);
        self.denied.remove(&hash);
        match keep.within(self.settings.deny) {
            None | Some(Duration::ZERO) => Kept::Not,
            Some(lifetime) => {
                match self.denied.insert(hash, Denied { denial, ends_at: now.after(lifetime) }) {
                    None => Kept::Beside,
                    Some(_) => Kept::InsteadOfAnother,
                }
            }
        }
    }

    /// No answer was to be had, or none that decides.
    pub(super) fn heard_nothing(&mut self, hash: Fingerprint, now: Time) {
        if let Some(entry) = self.allowed.peek_mut(&hash) {
            entry.unanswered_at = Some(now);
        }
        self.ask_not_before(hash, now.after(ASKED_AGAIN_AFTER));
    }

    /// The endpoint answered what its contract does not know. No stale yes covers that.
    pub(super) fn heard_nonsense(&mut self, hash: Fingerprint, now: Time) {
        if let Some(entry) = self.allowed.peek_mut(&hash) {
            entry.stale_until = entry.ends_at;
        }
        self.ask_not_before(hash, now.after(ASKED_AGAIN_AFTER));
    }

    /// When the first of the yeses in use may be asked about.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A yes in use that may be asked about now, with its token.
    pub(super) fn take_due(&mut self, now: Time) -> Option<(Fingerprint, Rc<str>)> {
        loop {
            let (_, hash) = *self.due.first().filter(|(at, _)| *at <= now)?;
            if !self.is_right(hash, now) {
                self.forget_yes(hash);
                continue;
            }
            // Should its check never be answered, it is not asked about at every use.
            let token = self.ask_not_before(hash, now.after(ASKED_AGAIN_AFTER))?;
            return Some((hash, token));
        }
    }

    /// Nothing is remembered any more.
    pub(super) fn forget(&mut self) {
        self.allowed.clear();
        self.denied.clear();
        self.due.clear();
    }

    /// No yes is remembered any more.
    pub(super) fn forget_all_yeses(&mut self) {
        self.allowed.clear();
        self.due.clear();
    }

    fn forget_yes(&mut self, hash: Fingerprint) {
        if let Some(entry) = self.allowed.remove(&hash) {
            self.due.remove(&(entry.ask_at, hash));
        }
    }

    /// Whoever uses the entry from now on is asked for at `at`, or when it would have been anyway. The token that
    /// stood in it is returned.
    fn ask_not_before(&mut self, hash: Fingerprint, at: Time) -> Option<Rc<str>> {
        let entry = self.allowed.peek_mut(&hash)?;
        self.due.remove(&(entry.ask_at, hash));
        entry.ask_at = entry.ask_at.max(at);
        entry.in_use.take().map(|Secret(token)| token)
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Not,
    Beside,
    InsteadOfAnother,
}

/// A number from 0 to `most`, by a random one.
pub(super) fn share(random: u64, most: u32) -> u32 {
    let choices = u64::from(most).saturating_add(1);
    random.checked_rem(choices).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Field;

    const TOKEN: &[u8] = b"amber";

    fn at(seconds: u64) -> Time {
        Time::since_start(Duration::from_secs(seconds))
    }

    /// A yes of 10 s was heard at 0.
    fn cache() -> (Cache, Fingerprint) {
        let settings = Settings {
            allow: Duration::from_secs(10),
            deny: Duration::from_secs(5),
            stale_if_error: Duration::from_secs(60),
            allow_entries: 4,
            deny_entries: 4,
        };
        let mut cache = Cache::new(settings, 7);
        let hash = Token::read(Field::Once(TOKEN)).unwrap().fingerprint();
        assert_eq!(cache.heard_yes(hash, Yes::listed(), Keep::Freely, 0, at(0)), Kept::Beside);
        (cache, hash)
    }

    fn look_up(cache: &mut Cache, hash: Fingerprint, now: Time, failing_fast: &FailingFast) -> Known {
        cache.look_up(hash, Token::read(Field::Once(TOKEN)).unwrap(), now, failing_fast)
    }

    #[test]
    fn debug_shows_no_token() {
        let (mut cache, hash) = cache();
        look_up(&mut cache, hash, at(1), &FailingFast::default());
        let entry = cache.allowed.peek(&hash).unwrap();
        assert!(entry.in_use.is_some());
        let shown = format!("{entry:?}");
        assert!(shown.contains("stale_until") && !shown.contains("amber"), "{shown}");
    }

    #[test]
    fn a_refresh_is_put_off_and_never_brought_forward() {
        let (mut cache, hash) = cache();
        cache.heard_nothing(hash, at(1));
        look_up(&mut cache, hash, at(2), &FailingFast::default());
        assert_eq!(cache.next_due(), Some(at(8)));
        cache.heard_nothing(hash, at(7));
        look_up(&mut cache, hash, at(8), &FailingFast::default());
        assert_eq!(cache.next_due(), Some(at(12)));
    }

    #[test]
    fn what_is_stale_is_asked_about_again_once_others_are_answered() {
        let (mut cache, hash) = cache();
        let mut failing_fast = FailingFast::default();
        cache.heard_nothing(hash, at(9));
        let stale = Known::Stale(Yes::listed());
        assert_eq!(
            look_up(&mut cache, hash, at(11), &failing_fast),
            stale,
            "a moment ago there was no answer"
        );
        assert_eq!(look_up(&mut cache, hash, at(16), &failing_fast), stale, "and none to anybody since");
        failing_fast.answered(at(17));
        assert_eq!(look_up(&mut cache, hash, at(17), &failing_fast), Known::Right);
        assert!(cache.take_due(at(17)).is_some());
        assert_eq!(look_up(&mut cache, hash, at(17), &failing_fast), Known::Right, "a refresh is no answer");
    }
}
