//! Many routes against few: `./build.sh bench routes`.
//!
//! Both tables are made as `gatectl import openapi` makes them, of an API with as many operations, and stand beside the
//! profile's own routes, under the policy `strict`. Their look-ups are timed in turns, round by round, so that whatever
//! else the machine does is done to both; what is compared is the median round. It fails if a look-up among many
//! takes longer than [`BOUND`] times one among few.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it does not run inside the proxy, and ends where it fails"
)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gate::config::Config;
use gate::path::CanonicalPath;
use gate::request::{Field, Method};
use gate::routes::{Lookup, Protocol};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const FEW: usize = 10;
const MANY: usize = 1000;

/// So much longer may a look-up among many take than one among few: the table of many does not fit into the cache that the
/// table of few fits into.
const BOUND: f64 = 2.0;

const ROUNDS: usize = 101;
const LOOKUPS_A_ROUND: usize = 5000;

/// Operations of one resource of the API.
const OPERATIONS: [(&str, &[&str]); 5] = [
    ("", &["GET", "POST"]),
    ("/{id}", &["GET", "PUT", "DELETE"]),
    ("/status", &["GET"]),
    ("/{id}/parts/{part}", &["GET", "PATCH"]),
    ("/{id}/parts/{part}/files/{+file}", &["GET", "PUT"]),
];

fn resource(number: usize) -> String {
    format!("/api/v1/resource-{number}")
}

fn configuration(routes: usize) -> Value {
    let resources = routes / OPERATIONS.len();
    let route = |number: usize, (rest, methods): (&str, &[&str])| json!({ "path": resource(number) + rest, "upstream": "api", "methods": methods });
    let routes: Vec<_> =
        (0..resources).flat_map(|number| OPERATIONS.map(|operation| route(number, operation))).collect();
    json!({ "policy": "strict", "upstreams": [{ "name": "api" }], "routes": routes })
}

struct Table {
    config: Config,
    resources: usize,
    start_up: Duration,
    bytes: usize,
}

impl Table {
    fn new(routes: usize) -> Self {
        let json = configuration(routes).to_string();
        let before = MEMORY.current_usage();
        let config = Config::from_json(json.as_bytes()).unwrap();
        let bytes = MEMORY.current_usage() - before;
        // The shortest: in a longer one the machine did something else as well.
        let start_up = (0..ROUNDS).map(|_| {
            let begin = Instant::now();
            let config = black_box(Config::from_json(black_box(json.as_bytes())).unwrap());
            let elapsed = begin.elapsed();
            drop(config);
            elapsed
        });
        let start_up = start_up.min().unwrap();
        Self { config, resources: routes / OPERATIONS.len(), start_up, bytes }
    }

    /// How long so many look-ups of these paths take, one after the other.
    fn time(&self, request: &Request, paths: &[CanonicalPath<'_>]) -> Duration {
        let begin = Instant::now();
        for path in paths.iter().cycle().take(LOOKUPS_A_ROUND) {
            let lookup = self.config.routes().find(black_box(path), request.method, Protocol::Http);
            assert!((request.is_right)(&lookup.unwrap()), "{} is something else", request.name);
        }
        begin.elapsed()
    }
}

/// One kind of request.
struct Request {
    name: &'static str,
    method: Method,
    /// Its path for a resource of the API.
    path: fn(resource: &str) -> String,
    is_right: fn(&Lookup) -> bool,
}

fn is_found(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Route(_))
}

const REQUESTS: [Request; 6] = [
    Request { name: "a literal", method: Method::Get, path: |it| format!("{it}/status"), is_right: is_found },
    Request {
        name: "deep parameters",
        method: Method::Put,
        path: |it| format!("{it}/4711/parts/status/files/a%2Fb"),
        is_right: is_found,
    },
    Request {
        name: "405",
        method: Method::Patch,
        path: |it| format!("{it}/status"),
        is_right: |lookup| matches!(lookup, Lookup::WrongMethod { .. }),
    },
    Request {
        name: "404 below a route",
        method: Method::Get,
        path: |it| format!("{it}/4711/parts/status/nothing"),
        is_right: |lookup| matches!(lookup, Lookup::Undescribed(_)),
    },
    Request {
        name: "404 elsewhere",
        method: Method::Get,
        path: |_| "/v2/nothing/here".to_owned(),
        is_right: |lookup| matches!(lookup, Lookup::Undescribed(_)),
    },
    Request {
        name: "an operation of Keptn's",
        method: Method::Get,
        path: |_| "/configuration-service/v1/project/p/stage/s/service/v/resource/a%2Fb".to_owned(),
        is_right: is_found,
    },
];

fn median<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

fn read(path: &str) -> CanonicalPath<'_> {
    CanonicalPath::read(Field::Once(path.as_bytes())).unwrap()
}

fn nanoseconds(round: Duration) -> f64 {
    round.as_nanos() as f64 / LOOKUPS_A_ROUND as f64
}

fn main() -> ExitCode {
    let tables = [FEW, MANY].map(Table::new);
    println!("{:<32}{:>12}{:>14}", "", format!("{FEW} routes"), format!("{MANY} routes"));
    let microseconds = tables.each_ref().map(|table| table.start_up.as_secs_f64() * 1e6);
    println!("{:<32}{:>9.0} µs{:>11.0} µs", "start-up", microseconds[0], microseconds[1]);
    let kilobytes = tables.each_ref().map(|table| table.bytes as f64 / 1000.0);
    println!("{:<32}{:>9.0} kB{:>11.0} kB", "memory", kilobytes[0], kilobytes[1]);

    let mut is_good = true;
    for request in &REQUESTS {
        // Every resource in turn.
        let paths = tables.each_ref().map(|table| {
            (0..table.resources).map(|number| (request.path)(&resource(number))).collect::<Vec<_>>()
        });
        let paths = paths.each_ref().map(|paths| paths.iter().map(|path| read(path)).collect::<Vec<_>>());
        let rounds: Vec<_> = (0..ROUNDS)
            .map(|_| [0, 1].map(|table: usize| tables[table].time(request, &paths[table])))
            .collect();
        let [few, many] = [0, 1].map(|table: usize| median(rounds.iter().map(|round| round[table])));
        let mut ratios: Vec<_> =
            rounds.iter().map(|round| round[1].as_secs_f64() / round[0].as_secs_f64()).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        let verdict = if ratio <= BOUND { "" } else { "  TOO MUCH" };
        is_good &= ratio <= BOUND;
        let [few, many] = [few, many].map(nanoseconds);
        println!("{:<32}{few:>9.0} ns{many:>11.0} ns   {ratio:.2} times{verdict}", request.name);
    }
    if is_good {
        println!("a look-up among {MANY} routes takes at most {BOUND:.1} times one among {FEW}");
        ExitCode::SUCCESS
    } else {
        eprintln!("a look-up among {MANY} routes takes more than {BOUND:.1} times one among {FEW}");
        ExitCode::FAILURE
    }
}
