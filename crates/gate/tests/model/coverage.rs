//! Which transitions the sequences have gone through: a model that never gets somewhere proves nothing there.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! transitions {
    ($($name:ident $text:literal)*) => {
        /// Something that a gate does, as the model sees it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Seen {
            $($name,)*
        }

        const ALL: &[(Seen, &str)] = &[$((Seen::$name, $text)),*];

        static COUNTS: [AtomicU64; ALL.len()] = [const { AtomicU64::new(0) }; ALL.len()];
    };
}

transitions! {
    Asked "a stranger's token → asked"
    KnownAsked "a yes is over → asked, not charged"
    KnownAskedWhenEmpty "a yes is over, the address's bucket is empty → asked"
    KnownAskedOfShare "only the share of flights is left → asked about a token that was right"
    FreshAsked "/v1/auth with a yes in force → asked, not charged"
    Joined "asked already → waits"
    Hit "a yes in force → passes"
    NegativeHit "a no in force → refused"
    StaleUnanswered "a yes is over, no answer since → stale at once"
    StaleFailing "a yes is over, failing fast → stale at once"
    StaleLanded "a yes is over, no answer → stale for who waited"
    StaleBusy "a yes is over, busy → stale for who waited"
    StaleOver "stale too long → asked as a stranger"
    BarredOver "contract broken, then the yes is over → no stale"
    RepeatedYes "/v1/auth again → yes repeated"
    RepeatedNo "/v1/auth again → no repeated"
    RepeatedOther "/v1/auth again → what decides nothing repeated"
    FreshNotStale "/v1/auth without an answer, stale yes → refused"
    Local "listed → passes"
    LocalFresh "listed, api: true, on /v1/auth → passes"
    LocalNotApi "listed, api: false, on /v1/auth → not by its hash"
    LocalInvalid "listed, not valid at this time → not by its hash"
    LocalNoWall "listed with validity, no wall clock → not by its hash"
    CanaryRefused "canary failed → refused"
    CanaryRefusedWaiter "canary failed → who waited is refused"
    TooManyWaiters "waiters full → refused"
    TooManyFlights "flights full → refused"
    Throttled "bucket empty → refused"
    Refunded "an answer but no → refunded"
    FailingFastRefused "failing fast → refused"
    FailingFastBegun "failing fast begun"
    FailingFastEnded "failing fast ended"
    ProbeByRequest "failing fast → a request is the probe"
    ProbeByTick "failing fast → a refresh is the probe"
    ProbeInVain "a probe without an answer"
    LandedYes "yes"
    LandedNo "no"
    LandedNoOverYes "no, and a yes was remembered → gone at once"
    LandedBusy "busy"
    LandedBroken "contract broken"
    LandedDontKnow "don't know"
    LandedDeadline "our deadline"
    LandedRefused "refused by the host"
    LandedUnwaited "answered when all had left"
    NotKept "an answer not to be kept"
    Shortened "an answer to be kept for less"
    EvictedYes "a yes evicted"
    EvictedNo "a no evicted"
    RefreshAsked "a yes in use → refresh"
    RefreshYes "refresh → yes"
    RefreshNo "refresh → no"
    RefreshDontKnow "refresh → don't know"
    RefreshAgain "refresh, after 5 s again"
    TurnPassed "a refresh is due, asked already → not asked again"
    CanaryAsked "canary sent"
    CanaryPutOff "canary put off"
    CanaryFailed "canary failed"
    CanaryPassed "canary passed again"
    CanaryUndecided "canary without a decision"
    StrayAnswer "an answer to no check, or to one that is over → nothing"
    AnsweredTwice "an answer for the second time → nothing"
    OtherGate "another gate's answer → nothing"
    OldGate "an answer for a gate that was replaced"
    WentBack "the clock went back → everything forgotten"
    WentBackWaiting "the clock went back while somebody waited"
    GoneWaiting "somebody who waited is gone"
}

/// What one sequence has seen.
#[derive(Debug)]
pub struct Coverage([u64; ALL.len()]);

impl Coverage {
    pub const fn new() -> Self {
        Self([0; ALL.len()])
    }

    pub fn saw(&mut self, seen: Seen) {
        self.0[seen as usize] += 1;
    }
}

impl Drop for Coverage {
    fn drop(&mut self) {
        for (total, count) in COUNTS.iter().zip(self.0) {
            total.fetch_add(count, Relaxed);
        }
    }
}

/// Prints how often each was seen, and returns those that never were.
pub fn report() -> Vec<&'static str> {
    let counts = || ALL.iter().zip(&COUNTS).map(|((_, text), count)| (*text, count.load(Relaxed)));
    for (text, count) in counts() {
        println!("{count:>10}  {text}");
    }
    counts().filter(|(_, count)| *count == 0).map(|(text, _)| text).collect()
}
