//! 100,000 wrong tokens from 100,000 addresses: memory stays flat, and who is known stays known.

use super::behind_a_load_balancer;
use crate::support::with_token;
use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use testbed::{
    Bootstrap, Envoy,
    client::{Raw, Request},
    envoy::Options,
    wait::within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Wrong tokens, each from an address of its own.
const STRANGERS: usize = 100_000;
const CONNECTIONS: usize = 20;
/// How many of them a connection sends together, with one request of a client whose token is right.
const TOGETHER: usize = 50;
/// What the shipped configuration remembers of noes; the addresses that it remembers are fewer than half the strangers.
const DENY_ENTRIES: usize = 4096;
/// How much more memory may be in use after the second half of the flood than after the first. It is room for the VM's
/// largest table to double, which tables do once after they are full: 640 KiB of 5 MiB. Whatever remembered
/// the strangers of the second half would need 2 MiB at least.
const GROWTH_PERCENT: u64 = 25;

/// An auth service that takes little enough of the machine to be asked 100,000 times. Tokens that begin with `right`
/// are.
struct Service {
    address: SocketAddr,
    asked_about_right_ones: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (right, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let service = Self { address, asked_about_right_ones: right.clone(), asked: all.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::serve(stream, right.clone(), all.clone()));
            }
        });
        service
    }

    /// A check is a head and no body, and Envoy sends the next when it has the answer.
    async fn serve(mut stream: TcpStream, right: Arc<AtomicUsize>, all: Arc<AtomicUsize>) {
        let mut check = Vec::new();
        while stream.read_buf(&mut check).await.is_ok_and(|count| count > 0) {
            if !check.ends_with(b"\r\n\r\n") {
                continue;
            }
            all.fetch_add(1, Relaxed);
            let is_right = std::str::from_utf8(&check).unwrap().contains("\r\nx-token: right");
            if is_right {
                right.fetch_add(1, Relaxed);
            }
            check.clear();
            let status = if is_right { "200 OK" } else { "401 Unauthorized" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// IPv4 addresses, and IPv6 networks of customers (/64).
fn address(stranger: usize) -> String {
    let number = u32::try_from(stranger).unwrap();
    if stranger.is_multiple_of(2) {
        return Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number).to_string();
    }
    let network = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)) + (u128::from(number) << 64);
    Ipv6Addr::from_bits(network).to_string()
}

fn stranger(number: usize) -> Request {
    with_token(&format!("wrong-{number}")).header("x-forwarded-for", address(number))
}

fn known(client: usize) -> Request {
    with_token(&format!("right-{client}")).header("x-forwarded-for", format!("192.0.2.{client}"))
}

/// What is in use.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// By Envoy's own word: all but what its VMs map for themselves.
    envoy_kib: u64,
    /// The linear memories of all VMs.
    vms_kib: u64,
    /// The whole process, and what its allocators keep for later.
    resident_kib: u64,
}

async fn memory(envoy: &Envoy) -> Memory {
    let page: Value = serde_json::from_str(&envoy.admin_get("/memory").await.unwrap()).unwrap();
    let allocated: u64 = page["allocated"].as_str().unwrap().parse().unwrap();
    Memory {
        envoy_kib: allocated / 1024,
        vms_kib: linear_memory_kib(envoy.pid()),
        resident_kib: envoy.rss_kib().unwrap(),
    }
}

/// V8 reserves gibibytes of addresses for each VM's linear memory, so that no access needs a check of its bounds. What
/// the VM has grown to can be written; the rest, right behind, cannot be touched.
fn linear_memory_kib(pid: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mapping = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some((number(from)?, number(to)?, rest[..4].to_owned()))
    };
    let maps: Vec<_> = maps.lines().map(|line| mapping(line).expect("a line of /proc/PID/maps")).collect();
    let memories = maps.windows(2).filter_map(|pair| {
        let [(from, to, access), (next, end, next_access)] = pair else { return None };
        let is_one = access == "rw-p" && to == next && next_access == "---p" && end - next > 1 << 30;
        is_one.then_some((to - from) / 1024)
    });
    let memories: Vec<u64> = memories.collect();
    assert!(!memories.is_empty(), "this V8 maps its VMs' memories in another way");
    memories.iter().sum()
}

/// Sends these strangers' requests, and one of a client that is known behind each few of them.
async fn flood(envoy: &Envoy, strangers: Range<usize>) {
    let strangers: Vec<usize> = strangers.collect();
    let clients = strangers.chunks(strangers.len().div_ceil(CONNECTIONS)).enumerate();
    join_all(clients.map(async |(client, strangers)| {
        let mut stream = TcpStream::connect(envoy.listener("gateway")).await.unwrap();
        let known = known(client).bytes();
        for numbers in strangers.chunks(TOGETHER) {
            let mut requests: Vec<u8> = numbers.iter().flat_map(|number| stranger(*number).bytes()).collect();
            requests.extend_from_slice(&known);
            stream.write_all(&requests).await.unwrap();
            let answers =
                within("the answer to a client that is known", until_known(&mut stream)).await.unwrap();
            let count = |line| answers.matches(line).count();
            let counts = [count("HTTP/1.1 "), count("HTTP/1.1 401 "), count("HTTP/1.1 200 ")];
            assert_eq!(counts, [numbers.len() + 1, numbers.len(), 1], "{answers}");
        }
    }))
    .await;
}

/// Reads up to the answer of configuration-service's stand-in, which comes last. (Reading each answer by itself would
/// make this test busier than Envoy.)
async fn until_known(stream: &mut TcpStream) -> String {
    let mut answers = Vec::new();
    while !answers.ends_with(b"\"totalCount\":1}\n") {
        let count = stream.read_buf(&mut answers).await.unwrap();
        assert_ne!(count, 0, "closed after {}", answers.escape_ascii());
    }
    String::from_utf8(answers).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_strangers_leave_memory_flat_and_the_known_known() {
    let service = Service::start().await;
    // No refresh falls into the test, so that each right token is asked about exactly once.
    let bootstrap = Bootstrap::shipped()
        .cluster("api-service", service.address)
        .configuration(json!({ "auth": { "allow": "1h" } }))
        .listener("gateway", behind_a_load_balancer);
    // Debugging, the filter writes a line for each refusal.
    let options = Options { component_log_level: "wasm:info".to_owned(), ..Options::default() };
    let envoy = Envoy::start_with(&bootstrap, &options).await.unwrap();
    let clients = (0..CONNECTIONS).map(async |client| {
        let mut connection = Raw::connect(envoy.listener("gateway")).await?;
        connection.send(&known(client)).await
    });
    let answers = try_join_all(clients).await.unwrap();
    assert!(answers.iter().all(|answer| answer.status == 200));

    let before = memory(&envoy).await;
    flood(&envoy, 0..STRANGERS / 2).await;
    let half = memory(&envoy).await;
    flood(&envoy, STRANGERS / 2..STRANGERS).await;
    let all = memory(&envoy).await;
    // Past the test harness, which keeps what passing tests print to itself.
    let report = format!(
        "memory before the flood: {before:?}\nafter {} strangers: {half:?}\nafter {STRANGERS}: {all:?}\n",
        STRANGERS / 2
    );
    io::stderr().write_all(report.as_bytes()).unwrap();
    for (what, half, all) in [
        ("Envoy", half.envoy_kib, all.envoy_kib),
        ("the VMs", half.vms_kib, all.vms_kib),
        ("the process", half.resident_kib, all.resident_kib),
    ] {
        let allowed = half + half * GROWTH_PERCENT / 100;
        assert!(all <= allowed, "{what}: {half} KiB after half of the strangers, {all} KiB after all");
    }

    let asked = service.asked.load(Relaxed);
    assert_eq!((service.asked_about_right_ones.load(Relaxed), asked), (CONNECTIONS, CONNECTIONS + STRANGERS));
    let name = |counter: &str| format!("wasmcustom.keptn_gateway.{counter}");
    let expected = [
        ("ok", CONNECTIONS + STRANGERS / TOGETHER),
        ("denied", STRANGERS),
        ("cache_hit", STRANGERS / TOGETHER),
        // Every no but those that are still there: no yes had to go.
        ("cache_evicted", STRANGERS - DENY_ENTRIES),
        ("throttled", 0),
    ];
    envoy.wait_for_counter(&name("denied"), |count| count == STRANGERS as u64).await.unwrap();
    let stats = envoy.stats().await.unwrap();
    let counted = expected.map(|(counter, _)| (counter, usize::try_from(stats[&name(counter)]).unwrap()));
    assert_eq!(counted, expected);
}
