//! The most instructions that each case may take, and where that holds.

use crate::judge::{Ceiling, Growth};

/// The compiler that they hold for, as `rustc --version` names it. With another one there are more or fewer: who
/// changes it counts them all anew, in a commit that changes nothing else.
pub(crate) const COMPILER: &str = "rustc 1.95.0 (59807616e 2026-04-14)";

/// The target that they hold for.
pub(crate) const TARGET: &str = "x86_64-linux-musl";

/// In instructions a call, each one hundredth above what `./build.sh bench instructions` counted of code that is compiled
/// as the filter is, for size.
///
/// A ceiling is raised only together with what needs it, and the commit says why. It comes down as soon as it can.
pub(crate) const CEILINGS: &[Ceiling] = &[
    Ceiling { case: "hit", instructions: 10_800 },
    Ceiling { case: "hit-own-route-of-10", instructions: 9350 },
    Ceiling { case: "hit-own-route-of-1000", instructions: 9350 },
    Ceiling { case: "hit-escaped-path", instructions: 28_000 },
    Ceiling { case: "local-token", instructions: 10_800 },
    Ceiling { case: "public-route", instructions: 3000 },
    Ceiling { case: "refused-no-token", instructions: 6530 },
    Ceiling { case: "refused-wrong-token", instructions: 10_900 },
    Ceiling { case: "405", instructions: 8060 },
    Ceiling { case: "404", instructions: 8070 },
    Ceiling { case: "miss", instructions: 18_600 },
    Ceiling { case: "refusal-written", instructions: 3210 },
    Ceiling { case: "headers-read", instructions: 1530 },
    Ceiling { case: "start", instructions: 624_000 },
];

/// A look-up depends on the path, not on the number of routes.
pub(crate) const GROWTH: Growth =
    Growth { of: "hit-own-route-of-1000", against: "hit-own-route-of-10", percent: 105 };
