//! What the instruction bench says of its counts. The bench itself is `./build.sh bench instructions`.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

#[path = "../benches/instructions/judge.rs"]
mod judge;

#[allow(dead_code, reason = "the rest is for the bench")]
#[path = "../benches/instructions/ceilings.rs"]
mod ceilings;

use ceilings::CEILINGS;
use judge::{Ceiling, Growth, Line, counted, proposed, verdict};

const HERE: &str = "rustc 1.95.0 for x86_64-linux-musl";

const ALLOWED: &[Ceiling] = &[
    Ceiling { case: "hit", instructions: 1000 },
    Ceiling { case: "few", instructions: 500 },
    Ceiling { case: "many", instructions: 600 },
];

fn line(case: &'static str, total: u64) -> Line {
    Line::new(case, total, 10, ALLOWED)
}

fn judged(lines: &[Line], here: &str) -> Result<String, String> {
    let growth = Growth { of: "many", against: "few", percent: 105 };
    verdict(lines, &growth, HERE, here)
}

#[test]
fn callgrinds_total_is_read() {
    let written = "# callgrind format\nversion: 1\nevents: Ir\nsummary: 9\n\nfn=(1) measured_verdict\n0 7\n\ntotals: 1460000\n";
    assert_eq!(counted(written), Some(1_460_000));
    assert_eq!(counted(&written.replace("1460000", "0")), None, "nothing was found to count");
    assert_eq!(counted("totals: much\n"), None);
    assert_eq!(counted("summary: 9\n"), None);
}

#[test]
fn a_count_over_its_ceiling_fails_and_says_by_how_much() {
    assert_eq!(judged(&[line("hit", 10_000)], HERE), Ok("no case is over its ceiling\n".to_owned()));
    let said = judged(&[line("hit", 10_001)], HERE).unwrap_err();
    assert!(said.starts_with("hit: 1 instructions a call over its ceiling of 1000 (+0.1 %)\n"), "{said}");
    assert!(said.contains("ceilings.rs"), "{said}");
    assert_eq!(
        line("hit", 10_001).to_string(),
        "hit                               1001          1000   100.1 %  TOO MANY"
    );
}

#[test]
fn the_table_is_aligned() {
    let width = Line::title().len();
    for line in [line("hit", 9000), line("many", 6000)] {
        assert_eq!(line.to_string().len(), width, "{line}");
    }
}

#[test]
fn a_case_without_a_ceiling_fails() {
    let said = judged(&[line("new", 10)], HERE).unwrap_err();
    assert!(said.starts_with("new: it has no ceiling"), "{said}");
}

#[test]
fn a_ceiling_that_is_too_high_is_said() {
    let said = judged(&[line("hit", 9000)], HERE).unwrap();
    assert!(said.contains("hit: its ceiling can come down to 909\n"), "{said}");
}

#[test]
fn on_another_build_the_ceilings_only_stand_there() {
    let said =
        judged(&[line("hit", 20_000), line("new", 10)], "rustc 1.96.0 for aarch64-linux-musl").unwrap();
    assert_eq!(
        said,
        "NOT JUDGED by the ceilings, which hold for rustc 1.95.0 for x86_64-linux-musl; this is rustc 1.96.0 for aarch64-linux-musl\n"
    );
}

#[test]
fn growth_fails_on_every_build() {
    for here in [HERE, "another"] {
        assert!(judged(&[line("few", 1000), line("many", 1050)], here).is_ok());
        let said = judged(&[line("few", 1000), line("many", 1060)], here).unwrap_err();
        assert!(said.starts_with("many: 106 instructions a call, over 105 % of few's 100\n"), "{said}");
    }
}

#[test]
fn a_proposed_ceiling_is_one_hundredth_above() {
    for (count, ceiling) in [(0, 0), (99, 100), (900, 909), (14_600, 14_800), (665_622, 673_000)] {
        assert_eq!(proposed(count), ceiling);
    }
}

/// Otherwise a regression of several hundredths could hide below one.
#[test]
fn the_ceilings_are_of_different_cases() {
    for (place, ceiling) in CEILINGS.iter().enumerate() {
        assert!(ceiling.instructions > 0);
        assert!(!CEILINGS.iter().take(place).any(|other| other.case == ceiling.case), "{}", ceiling.case);
    }
}
