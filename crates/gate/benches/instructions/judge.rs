//! What callgrind has counted, beside what is allowed.

use core::fmt;

/// The counted instructions, as callgrind's output file has them: the line `totals: NUMBER`.
///
/// Nothing when there is no such line, or nothing was counted: then the functions to count were not found.
pub(crate) fn counted(callgrind: &str) -> Option<u64> {
    let total = callgrind.lines().rev().find_map(|line| line.strip_prefix("totals:"))?;
    total.trim().parse().ok().filter(|count| *count > 0)
}

/// The most that a case may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceiling {
    /// The case.
    pub(crate) case: &'static str,
    /// Instructions a call.
    pub(crate) instructions: u64,
}

/// How much more one case may take than another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    pub(crate) of: &'static str,
    pub(crate) against: &'static str,
    /// Of what the other takes.
    pub(crate) percent: u64,
}

/// A case's count beside its ceiling.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    case: &'static str,
    instructions: u64,
    ceiling: Option<u64>,
}

/// Below this percentage of its ceiling, a count says that the ceiling is too high to notice anything.
const LOOSE: u64 = 95;

impl Line {
    /// `total` instructions of so many calls; their mean is rounded up.
    pub(crate) fn new(case: &'static str, total: u64, calls: u32, ceilings: &[Ceiling]) -> Self {
        let ceiling = ceilings.iter().find(|ceiling| ceiling.case == case);
        let instructions = total.div_ceil(u64::from(calls.max(1)));
        Self { case, instructions, ceiling: ceiling.map(|ceiling| ceiling.instructions) }
    }

    /// The table's first line.
    pub(crate) fn title() -> String {
        format!("{:<24}{:>14}{:>14}{:>10}", "case", "instructions", "ceiling", "of it")
    }

    fn percent(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss, reason = "counts are far from 2^52")]
        self.ceiling.map(|ceiling| self.instructions as f64 * 100.0 / ceiling as f64)
    }

    fn fault(&self) -> Option<String> {
        let Self { case, instructions, ceiling } = self;
        let Some(ceiling) = ceiling else {
            let ceiling = proposed(*instructions);
            return Some(format!(
                "{case}: it has no ceiling in ceilings.rs: one hundredth above is {ceiling}"
            ));
        };
        let over = instructions.checked_sub(*ceiling).filter(|over| *over > 0)?;
        let percent = self.percent().unwrap_or_default() - 100.0;
        Some(format!("{case}: {over} instructions a call over its ceiling of {ceiling} (+{percent:.1} %)"))
    }

    /// A ceiling that has become too high to notice much.
    fn hint(&self) -> Option<String> {
        let ceiling = self.ceiling?;
        let is_loose = self.instructions.saturating_mul(100) < ceiling.saturating_mul(LOOSE);
        is_loose
            .then(|| format!("{}: its ceiling can come down to {}", self.case, proposed(self.instructions)))
    }
}

/// What is wrong with these counts; or, where nothing is, what else there is to say.
///
/// The ceilings hold for the build `recorded`. On another one nothing is wrong but growth.
pub(crate) fn verdict(lines: &[Line], growth: &Growth, recorded: &str, here: &str) -> Result<String, String> {
    let count = |case| lines.iter().find(|line| line.case == case).map(|line| line.instructions);
    let mut faults = Vec::new();
    let mut said = Vec::new();
    if let (Some(more), Some(fewer)) = (count(growth.of), count(growth.against)) {
        let Growth { of, against, percent } = growth;
        if more.saturating_mul(100) > fewer.saturating_mul(*percent) {
            faults.push(format!("{of}: {more} instructions a call, over {percent} % of {against}'s {fewer}"));
        } else {
            said.push(format!("{of} takes at most {percent} % of what {against} takes"));
        }
    }
    if recorded == here {
        faults.extend(lines.iter().filter_map(Line::fault));
        said.extend(lines.iter().filter_map(Line::hint));
        said.push("no case is over its ceiling".to_owned());
    } else {
        said.push(format!("NOT JUDGED by the ceilings, which hold for {recorded}; this is {here}"));
    }
    if faults.is_empty() {
        return Ok(said.join("\n") + "\n");
    }
    Err(format!(
        "{}\nWhat to do: make it cheaper; or, where what is won is worth that much, raise the ceiling in \
         crates/gate/benches/instructions/ceilings.rs in the same commit, and say there why.",
        faults.join("\n")
    ))
}

/// The ceiling for a count: one hundredth above it, to three digits, so that no harmless edit crosses it.
pub(crate) fn proposed(instructions: u64) -> u64 {
    let above = instructions.saturating_add(instructions.div_ceil(100));
    let step = 10_u64.saturating_pow(above.checked_ilog10().unwrap_or(0).saturating_sub(2));
    above.div_ceil(step).saturating_mul(step)
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<24}{:>14}", self.case, self.instructions)?;
        match (self.ceiling, self.percent()) {
            (Some(ceiling), Some(percent)) => {
                write!(f, "{ceiling:>14}{percent:>8.1} %{}", if percent > 100.0 { "  TOO MANY" } else { "" })
            }
            _ => write!(f, "{:>14}", "none"),
        }
    }
}
