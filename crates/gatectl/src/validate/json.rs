//! For programs.

use serde_json::{Value, json};

use super::report::{Finding, Level, Report};
use crate::json::printed;

/// A list with an object for each file.
pub(super) fn output(reports: &[Report]) -> String {
    let files = reports.iter().filter(|report| report.files.is_none()).map(|report| {
        let verdict = match (report.count(Level::Unread), report.count(Level::Problem)) {
            (0, 0) => "good",
            (0, _) => "bad",
            _ => "unread",
        };
        json!({
            "file": report.file,
            "verdict": verdict,
            "configurations": report.configurations,
            "objects": report.objects,
            "left_alone": report.left_alone,
            "problems": report.findings.iter().map(finding).collect::<Value>(),
        })
    });
    printed(&files.collect::<Value>())
}

fn finding(finding: &Finding) -> Value {
    let place = finding.place.as_ref();
    json!({
        "level": finding.level.name(),
        "object": finding.object,
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "end": place.map(|place| json!({ "line": place.end_line, "column": place.end_column })),
        "message": finding.message,
        "help": finding.help,
    })
}
