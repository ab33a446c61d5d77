//! What can happen to a gate.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::settings;

/// Tokens that only the auth endpoint knows, or does not.
pub const TOKENS: [&str; 8] =
    ["amber", "beryl", "coral", "diamond", "emerald", "flint", "garnet", "heliotrope"];

/// A token whose hash is in the configuration.
#[derive(Debug)]
pub struct LocalToken {
    pub token: &'static str,
    /// What `sha256sum` says to it.
    sha256: &'static str,
    /// From this second on until before that one.
    pub valid: Option<(u64, u64)>,
    pub api: bool,
}

/// 2026-01-01T00:00:00Z, and an hour later.
pub const BEGIN: u64 = 1_767_225_600;
pub const END: u64 = BEGIN + 3600;

pub const LOCAL: [LocalToken; 3] = [
    LocalToken {
        token: "local",
        sha256: "25bf8e1a2393f1108d37029b3df5593236c755742ec93465bbafa9b290bddcf6",
        valid: None,
        api: false,
    },
    LocalToken {
        token: "keptn",
        sha256: "7cbdc2941fa96c43c11f76ac36a505efd488dba0a5302d411b1f82c4063e1a47",
        valid: None,
        api: true,
    },
    LocalToken {
        token: "guest",
        sha256: "84983c60f7daadc1cb8698621f802c0d9f9a3c3c295c810748fb048115c186ec",
        valid: Some((BEGIN, END)),
        api: true,
    },
];

impl LocalToken {
    pub fn json(&self) -> String {
        let Self { token, sha256, api, .. } = self;
        let valid = match self.valid {
            Some(_) => r#""not_before": "2026-01-01T00:00:00Z", "not_after": "2026-01-01T01:00:00Z","#,
            None => "",
        };
        format!(r#"{{"name": "{token}", "sha256": "{sha256}", {valid} "api": {api}}}"#)
    }
}

/// The token of this number: first those of the endpoint, then the local ones.
pub fn token(index: usize) -> &'static str {
    TOKENS.iter().copied().chain(LOCAL.iter().map(|local| local.token)).nth(index).unwrap()
}

/// The number of this token. A token that nobody sent is the canary's.
pub fn index(token: &str) -> Option<usize> {
    TOKENS.iter().copied().chain(LOCAL.iter().map(|local| local.token)).position(|known| known == token)
}

/// What a yes opens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opens {
    Upstream(&'static str),
    Reply(u16),
}

/// Routes that want a token.
pub const ROUTES: [(&str, &str, Opens); 8] = [
    ("GET", "/v1/project", Opens::Upstream("api-service")),
    ("PUT", "/v1/project/p/resource/a%2Fb", Opens::Upstream("configuration-service")),
    ("GET", "/mine", Opens::Upstream("mine")),
    ("POST", "/mine", Opens::Reply(405)),
    ("DELETE", "/configuration-service/v1/project/p", Opens::Reply(403)),
    ("GET", "/mine/none/such", Opens::Upstream("api-service")),
    ("POST", "/v1/auth", Opens::Reply(200)),
    ("GET", "/v1/auth", Opens::Reply(200)),
];

/// Whether the route is `/v1/auth`.
pub fn is_fresh(route: usize) -> bool {
    ROUTES[route].1 == "/v1/auth"
}

/// Whose clients they are, and how they look. The last two columns: one bucket for one number.
pub const ADDRESSES: [(Option<IpAddr>, usize); 6] = [
    (None, 0),
    (Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))), 1),
    (Some(IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201))), 1),
    (Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))), 2),
    (Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 1))), 3),
    (Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0xffff, 0, 0, 9))), 3),
];

/// `Cache-Control` of an answer, and how long it may be kept, in milliseconds: not at all, or so long at most.
pub const CACHE_CONTROL: [(&[&str], Option<u64>); 9] = [
    (&[], Some(u64::MAX)),
    (&["no-store"], None),
    (&["max-age=2"], Some(2000)),
    (&["public, max-age=3600"], Some(u64::MAX)),
    (&["Private, Max-Age=\"1\""], Some(1000)),
    (&["max-age=3", "NO-CACHE"], None),
    (&["max-age=0"], Some(0)),
    (&["max-age=soon"], Some(0)),
    (&["immutable, x=\"y\"", "max-age=5"], Some(5000)),
];

/// An answer of the auth endpoint, or what Envoy makes of none.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub status: Option<u16>,
    pub retry_after: &'static str,
    /// Which of [`CACHE_CONTROL`].
    pub keep: usize,
}

/// What becomes of a check that is to be sent.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// The host refuses to send it.
    Refused,
    /// It is under way.
    Sent,
    /// It is answered before anything else happens.
    Answered(Said),
}

#[derive(Clone, Debug)]
pub enum Event {
    /// A request with a token for a token's route.
    Request { token: usize, route: usize, address: usize, fate: Fate },
    /// All tokens that only the endpoint knows, at once, from everywhere.
    Rush,
    /// A request that needs no check: a public document, a token that is none, a foreign host.
    Unasked { kind: usize },
    /// One of the checks under way is answered, by its place among them.
    Answer { which: usize, said: Said },
    /// An answer to whatever check there was or will be, whichever gate sent it.
    Stray { check: usize, gate: usize, said: Said },
    /// One of those who wait is gone.
    Leaves { which: usize },
    /// One of the requests so far is over, be it for the second time.
    Gone { stream: usize },
    /// The root's timer fires, wanted or not.
    Tick { fate: Fate },
    /// Time passes, and the timer fires when it should.
    Passes { ms: u64, fate: Fate },
    /// Time passes without any tick.
    Jumps { ms: u64 },
    /// The clock goes back.
    Back { ms: u64 },
    /// The wall clock is set to so many seconds after [`BEGIN`], or lost.
    Wall(Option<i64>),
    /// A new configuration. The old gate gets what is still to come for it.
    Replaced { settings: usize },
}

/// What sort of day the auth endpoint has.
#[derive(Clone, Copy, Debug)]
pub enum Day {
    Good,
    Attack,
    Outage,
    Odd,
}

fn said(day: Day) -> impl Strategy<Value = Said> {
    let (yes, no, none, odd) = match day {
        Day::Good => (12, 2, 1, 1),
        Day::Attack => (3, 12, 1, 1),
        Day::Outage => (3, 1, 12, 1),
        Day::Odd => (3, 3, 3, 6),
    };
    let status = prop_oneof![
        yes => select(&[Some(200), Some(204)][..]),
        no => select(&[Some(401), Some(403)][..]),
        none => select(&[Some(500), Some(503), Some(504), None][..]),
        odd => select(&[Some(429), Some(302), Some(400), Some(404)][..]),
    ];
    let keep = prop_oneof![4 => Just(0), 1 => 0..CACHE_CONTROL.len()];
    (status, select(&["", "7", "61", "soon"][..]), keep).prop_map(|(status, retry_after, keep)| Said {
        status,
        retry_after,
        keep,
    })
}

fn event(day: Day) -> impl Strategy<Value = Event> {
    let fate = || prop_oneof![1 => Just(Fate::Refused), 9 => Just(Fate::Sent), 10 => said(day).prop_map(Fate::Answered)];
    let known = TOKENS.len();
    let token = prop_oneof![
        // Two that come back again and again, all, and the local ones.
        5 => 0..2_usize,
        4 => 0..known,
        1 => known..known + LOCAL.len(),
    ];
    let route = prop_oneof![3 => Just(0), 2 => 0..ROUTES.len(), 1 => Just(6_usize)];
    let ms = || {
        prop_oneof![
            3 => 0..400_u64,
            3 => select(&[500_u64, 999, 1000, 2000, 3000, 5000][..]),
            3 => 1000..9500_u64,
            1 => 9000..40_000_u64,
            1 => Just(3_600_000_u64),
        ]
    };
    prop_oneof![
        30 => (token, route, 0..ADDRESSES.len(), fate())
            .prop_map(|(token, route, address, fate)| Event::Request { token, route, address, fate }),
        1 => Just(Event::Rush),
        1 => (0..6_usize).prop_map(|kind| Event::Unasked { kind }),
        22 => (any::<usize>(), said(day)).prop_map(|(which, said)| Event::Answer { which, said }),
        2 => (any::<usize>(), any::<usize>(), said(day))
            .prop_map(|(check, gate, said)| Event::Stray { check, gate, said }),
        2 => any::<usize>().prop_map(|which| Event::Leaves { which }),
        1 => any::<usize>().prop_map(|stream| Event::Gone { stream }),
        3 => fate().prop_map(|fate| Event::Tick { fate }),
        14 => (ms(), fate()).prop_map(|(ms, fate)| Event::Passes { ms, fate }),
        3 => ms().prop_map(|ms| Event::Jumps { ms }),
        1 => ms().prop_map(|ms| Event::Back { ms }),
        1 => select(&[None, Some(-1), Some(0), Some(3599), Some(3600)][..]).prop_map(Event::Wall),
        1 => (0..settings::ALL.len()).prop_map(|settings| Event::Replaced { settings }),
    ]
}

/// A sequence, and the configuration that it begins with.
#[derive(Clone, Debug)]
pub struct Case {
    pub settings: usize,
    pub events: Vec<Event>,
}

pub fn case() -> impl Strategy<Value = Case> {
    let events = |day| vec(event(day), 1..64);
    let events = prop_oneof![
        2 => events(Day::Good),
        1 => events(Day::Attack),
        2 => events(Day::Outage),
        1 => events(Day::Odd),
    ];
    (0..settings::ALL.len(), events).prop_map(|(settings, events)| Case { settings, events })
}
