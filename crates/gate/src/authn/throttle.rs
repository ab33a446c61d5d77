//! The throttle: how many wrong tokens an address may have checked.
//!
//! Each address has a bucket. A check takes one out, and whatever the endpoint answers but *no* puts it
//! back: only who guesses runs out. While the answer is awaited the one is missing, so an address cannot have
//! more checks under way than its bucket holds and regains meanwhile.

use core::net::IpAddr;

use super::bounded::Bounded;
use crate::time::Time;

/// How many addresses are remembered. A full bucket is not, so these are addresses that guessed lately.
const ADDRESSES: usize = 16_384;

/// What one check takes out, so that a bucket can refill by the millisecond.
const ONE: u64 = 1000;

/// How much an address may have checked in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// And then again each second.
    pub per_second: u32,
}

/// Whose bucket it is.
///
/// IPv6 gives each customer at least 2^64 addresses: the first half counts. Clients whose address Envoy does
/// not know (on a UNIX socket) share one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    V4([u8; 4]),
    V6([u8; 8]),
    Unknown,
}

impl Payer {
    pub(super) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::V4(address.octets()),
            Some(IpAddr::V6(address)) => match address.octets() {
                [a, b, c, d, e, f, g, h, ..] => Self::V6([a, b, c, d, e, f, g, h]),
            },
            None => Self::Unknown,
        }
    }
}

/// What is missing from a bucket, in thousandths, at a time.
#[derive(Debug)]
struct Bucket {
    missing: u64,
    at: Time,
}

#[derive(Debug)]
pub(super) struct Throttle {
    /// Nothing: it is switched off.
    rate: Option<Rate>,
    buckets: Bounded<Payer, Bucket>,
}

impl Throttle {
    pub(super) fn new(rate: Option<Rate>, seed: u64) -> Self {
        Self { rate, buckets: Bounded::new(ADDRESSES, seed) }
    }

    /// Takes a check out of this bucket, or says after how many seconds there will be one in it.
    pub(super) fn charge(&mut self, payer: Payer, now: Time) -> Result<(), u8> {
        let Some(rate) = self.rate else { return Ok(()) };
        let capacity = u64::from(rate.burst).saturating_mul(ONE);
        let missing = self.missing(payer, rate, now).saturating_add(ONE);
        if missing > capacity {
            let lacking = missing.saturating_sub(capacity);
            let seconds = lacking.div_ceil(u64::from(rate.per_second.max(1)).saturating_mul(ONE));
            return Err(u8::try_from(seconds).unwrap_or(u8::MAX));
        }
        self.buckets.insert(payer, Bucket { missing, at: now });
        Ok(())
    }

    /// Puts it back.
    pub(super) fn refund(&mut self, payer: Payer, now: Time) {
        let Some(rate) = self.rate else { return };
        match self.missing(payer, rate, now).saturating_sub(ONE) {
            0 => drop(self.buckets.remove(&payer)),
            missing => drop(self.buckets.insert(payer, Bucket { missing, at: now })),
        }
    }

    /// All buckets are full: after the clock has gone back, they would not refill until it is where it was.
    pub(super) fn forget(&mut self) {
        self.buckets.clear();
    }

    fn missing(&self, payer: Payer, rate: Rate, now: Time) -> u64 {
        self.buckets.peek(&payer).map_or(0, |bucket| {
            let elapsed = u64::try_from(now.since(bucket.at).as_millis()).unwrap_or(u64::MAX);
            bucket.missing.saturating_sub(elapsed.saturating_mul(u64::from(rate.per_second)))
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::since_start(Duration::from_millis(milliseconds))
    }

    fn payer(address: &str) -> Payer {
        Payer::of(Some(address.parse().unwrap()))
    }

    fn throttle(burst: u32, per_second: u32) -> Throttle {
        Throttle::new(Some(Rate { burst, per_second }), 7)
    }

    #[test]
    fn a_bucket_empties_and_refills() {
        let mut throttle = throttle(2, 1);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(payer);
        assert_eq!(throttle.charge(one, at(0)), Ok(()));
        assert_eq!(throttle.charge(one, at(0)), Ok(()));
        assert_eq!(throttle.charge(one, at(1)), Err(1));
        assert_eq!(throttle.charge(other, at(1)), Ok(()), "a neighbour has a bucket of its own");
        assert_eq!(throttle.charge(one, at(999)), Err(1));
        assert_eq!(throttle.charge(one, at(1000)), Ok(()));
        assert_eq!(throttle.charge(one, at(1000)), Err(1));
        assert_eq!(throttle.charge(one, at(3_600_000)), Ok(()));
        assert_eq!(throttle.charge(one, at(3_600_000)), Ok(()), "it holds no more than its burst");
        assert_eq!(throttle.charge(one, at(3_600_000)), Err(1));
    }

    #[test]
    fn refunds_never_fill_a_bucket_beyond_its_burst() {
        let mut throttle = throttle(1, 1);
        let one = payer("192.0.2.1");
        assert_eq!(throttle.charge(one, at(0)), Ok(()));
        throttle.refund(one, at(0));
        assert_eq!(throttle.buckets.len(), 0, "a full bucket takes no memory");
        assert_eq!(throttle.charge(one, at(0)), Ok(()));
        // It has refilled by itself before the answer came.
        throttle.refund(one, at(5000));
        throttle.refund(one, at(5000));
        assert_eq!(throttle.charge(one, at(5000)), Ok(()));
        assert_eq!(throttle.charge(one, at(5000)), Err(1));
    }

    #[test]
    fn addresses_are_one_when_their_owner_is() {
        assert_eq!(payer("::ffff:192.0.2.1"), payer("192.0.2.1"));
        assert_eq!(payer("2001:db8:1:2::1"), payer("2001:db8:1:2:ffff::"));
        assert_ne!(payer("2001:db8:1:2::1"), payer("2001:db8:1:3::1"));
        assert_ne!(payer("192.0.2.1"), payer("192.0.2.2"));
        assert_eq!(Payer::of(None), Payer::Unknown);
    }

    #[test]
    fn a_scan_from_everywhere_takes_a_bounded_memory() {
        let mut throttle = throttle(1, 1);
        for address in 0..100_000_u32 {
            assert_eq!(throttle.charge(Payer::V4(address.to_be_bytes()), at(0)), Ok(()));
        }
        assert_eq!(throttle.buckets.len(), ADDRESSES);
    }

    #[test]
    fn it_can_be_switched_off() {
        let mut throttle = Throttle::new(None, 7);
        for _ in 0..100 {
            assert_eq!(throttle.charge(Payer::Unknown, at(0)), Ok(()));
        }
        throttle.refund(Payer::Unknown, at(0));
        assert_eq!(throttle.buckets.len(), 0);
    }
}
