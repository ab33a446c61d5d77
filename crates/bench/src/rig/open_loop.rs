//! The open loop: requests at a fixed rate, whatever becomes of those before.
//!
//! Each has its time in a schedule, and its latency counts from there: also while it waits for a free connection, because
//! the server stalls. A generator that measures from when it could send at last leaves out what users wait for
//! (coordinated omission). wrk has no fixed rate, and what has one cannot send another token each time.

use crate::rig::{connection::Connection, load::Answers};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};
use testbed::{Error, Result};
use tokio::{io::unix::AsyncFd, task::JoinSet};

/// More requests than these wait for a connection, as those of a browser or a pool of connections do.
const MOST_CONNECTIONS: usize = 64;

/// How many connections are open before the first request.
const CONNECTIONS: usize = 16;

/// How long an answer may take, before the request counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answers: Answers,
    /// From each request's time in the schedule to the end of its answer; the shortest first.
    pub(crate) latencies: Vec<Duration>,
}

impl Outcome {
    /// The latency that the share `share` of all requests had at most, in µs.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        quantile(&self.latencies, share).as_secs_f64() * 1e6
    }
}

/// The value at `share` of a sorted list; zero of an empty one.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// Sends `rate` requests per second for so long, evenly spaced, and awaits the answers. `request` makes each one.
///
/// # Errors
/// There is no connection, or the system has no timer.
pub(crate) async fn run(
    target: SocketAddr,
    rate: u32,
    duration: Duration,
    mut request: impl FnMut(u64) -> Vec<u8>,
) -> Result<Outcome> {
    let total = (f64::from(rate) * duration.as_secs_f64()) as u64;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(Connection::open(target).await.map_err(Error::during(format!("connecting to {target}")))?);
    }
    let mut open = idle.len();
    let period = Duration::from_secs(1) / rate;
    // First the time, then the timer: no tick comes before a request is due.
    let start = Instant::now() + period;
    let timer = timer(period).map_err(Error::during("setting a timer"))?;
    let mut due = VecDeque::new();
    let (mut scheduled, mut over) = (0, 0);
    let mut under_way = JoinSet::new();
    let mut outcome = Outcome { answers: Answers::default(), latencies: Vec::new() };
    while over < total {
        tokio::select! {
            ready = timer.readable(), if scheduled < total => {
                let mut ready = ready.map_err(Error::during("waiting for the timer"))?;
                let mut expirations = [0; 8];
                let _ = rustix::io::read(timer.get_ref(), &mut expirations);
                ready.clear_ready();
                let now = Instant::now();
                while scheduled < total {
                    let time = start + period * u32::try_from(scheduled).unwrap_or(u32::MAX);
                    if time > now {
                        break;
                    }
                    due.push_back((time, request(scheduled)));
                    scheduled += 1;
                }
            }
            Some(done) = under_way.join_next() => {
                let (answer, latency) = done.map_err(Error::during("sending requests"))?;
                over += 1;
                match answer {
                    Some((connection, status)) => {
                        outcome.answers.add(status);
                        outcome.latencies.push(latency);
                        idle.push(connection);
                    }
                    None => {
                        outcome.answers.broken += 1;
                        open -= 1;
                    }
                }
            }
        }
        while !due.is_empty() {
            let connection = match idle.pop() {
                Some(connection) => Some(connection),
                None if open < MOST_CONNECTIONS => {
                    open += 1;
                    None
                }
                None => break,
            };
            let Some((time, request)) = due.pop_front() else { break };
            under_way.spawn(one(target, connection, time, request));
        }
    }
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

/// One request, on this connection or a new one. No connection and no status: it broke.
async fn one(
    target: SocketAddr,
    connection: Option<Connection>,
    time: Instant,
    request: Vec<u8>,
) -> (Option<(Connection, u16)>, Duration) {
    let exchange = async {
        let mut connection = match connection {
            Some(connection) => connection,
            None => Connection::open(target).await.ok()?,
        };
        let status = connection.exchange(&request).await.ok()?;
        Some((connection, status))
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.ok().flatten();
    (answer, time.elapsed())
}

/// Counts every `period`, to the ns: tokio's own timer is good for a millisecond.
#[expect(unsafe_code, reason = "tokio cannot see of a type that it always gives the same open descriptor")]
fn timer(period: Duration) -> std::io::Result<AsyncFd<OwnedFd>> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let period = Timespec { tv_sec: period.as_secs() as i64, tv_nsec: i64::from(period.subsec_nanos()) };
    let every = Itimerspec { it_interval: period, it_value: period };
    rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
    // SAFETY: an `OwnedFd` is one open descriptor, the same until it is dropped, and what is registered owns it.
    Ok(unsafe { AsyncFd::register(timer) }?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// A server that answers nobody for a while: from so long after its first request, for so long.
    async fn stalling(from: Duration, stall: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let first = std::sync::Arc::new(std::sync::OnceLock::new());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let first = first.clone();
                tokio::spawn(async move {
                    let mut request = [0; REQUEST.len()];
                    while stream.read_exact(&mut request).await.is_ok() {
                        let begin: Instant = *first.get_or_init(Instant::now) + from;
                        let end = begin + stall;
                        let now = Instant::now();
                        if now >= begin && now < end {
                            tokio::time::sleep_until(end.into()).await;
                        }
                        stream.write_all(ANSWER).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_stall_of_the_server_is_in_the_latency_of_every_request_that_was_due_meanwhile() {
        let (duration, stall) = (Duration::from_secs(1), Duration::from_millis(400));
        let server = stalling(Duration::from_millis(300), stall).await;
        let outcome = run(server, 500, duration, |_| REQUEST.to_vec()).await.unwrap();
        assert_eq!(outcome.answers.wrong(200), None);
        assert_eq!(outcome.latencies.len(), 500);
        // 200 requests were due in the stall, though only 64 connections can wait for it. The first waited for all of
        // it, the last for none: half of them for more than half of it. A closed loop would have seen 64.
        let long = outcome.latencies.iter().filter(|latency| **latency > stall / 2).count();
        assert!(long >= 100, "{long} requests waited for more than half of the stall");
        assert!(outcome.latencies.last().unwrap() >= &(stall - Duration::from_millis(10)));
        assert!(outcome.quantile_us(0.5) < 200_000.0, "{}", outcome.quantile_us(0.5));
    }

    #[tokio::test]
    async fn requests_that_get_no_answer_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let outcome = run(address, 100, Duration::from_millis(100), |_| REQUEST.to_vec()).await.unwrap();
        assert_eq!(outcome.answers.broken, 10);
        assert!(outcome.answers.wrong(200).is_some());
    }

    #[test]
    fn a_quantile_is_a_value_that_so_many_do_not_exceed() {
        let values: Vec<Duration> = (1..=1000).map(Duration::from_micros).collect();
        assert_eq!(quantile(&values, 0.5), Duration::from_micros(500));
        assert_eq!(quantile(&values, 0.999), Duration::from_micros(999));
        assert_eq!(quantile(&values, 1.0), Duration::from_micros(1000));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
