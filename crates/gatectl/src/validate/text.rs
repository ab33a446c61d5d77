//! For people.

use core::fmt::Write as _;

use super::counted;
use super::report::{Level, Report};
use crate::style::{FAINT, GOOD, LABEL, PROBLEM, WARNING};

/// How many objects are named in a summary.
const NAMED: usize = 3;

/// For standard output: what was judged.
pub(super) fn output(reports: &[Report]) -> String {
    let mut out = String::new();
    for report in reports.iter().filter(|report| report.count(Level::Unread) == 0) {
        for finding in &report.findings {
            let _ = writeln!(out, "{}", finding.shown);
        }
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{LABEL}{}:{LABEL:#} {}", report.file, summary(report));
    }
    out
}

/// For standard error: what there was not to judge.
pub(super) fn errors(reports: &[Report]) -> String {
    let findings = reports.iter().flat_map(|report| &report.findings);
    findings.filter(|finding| finding.level == Level::Unread).map(|finding| &*finding.shown).collect()
}

fn summary(report: &Report) -> String {
    if let Some((ours, all)) = report.files {
        return format!("{ours} of {all} YAML and JSON files have a configuration");
    }
    let mut summary = match report.count(Level::Problem) {
        0 => format!("{GOOD}good{GOOD:#}"),
        count => format!("{PROBLEM}{}{PROBLEM:#}", counted(count, "problem")),
    };
    match report.count(Level::Warning) {
        0 => {}
        count => {
            let _ = write!(summary, ", {WARNING}{}{WARNING:#}", counted(count, "warning"));
        }
    }
    match report.objects.as_slice() {
        [] => {}
        few if few.len() <= NAMED => {
            let _ = write!(summary, " {FAINT}({}){FAINT:#}", few.join("; "));
        }
        many => {
            let _ = write!(summary, " {FAINT}({} places){FAINT:#}", many.len());
        }
    }
    if !report.left_alone.is_empty() {
        let _ = write!(summary, "; left alone: {}", report.left_alone.join(", "));
    }
    summary
}
