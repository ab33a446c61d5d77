//! A Code Quality report, which GitLab shows at the lines of a change:
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.

use std::collections::HashMap;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::report::{Level, Report};
use crate::json::printed;

pub(super) fn output(reports: &[Report]) -> String {
    // Of findings with the same fingerprint GitLab shows one.
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut issues = Vec::new();
    for report in reports {
        let path = report.file.strip_prefix("./").unwrap_or(&report.file);
        for finding in &report.findings {
            let object = finding.object.as_deref().unwrap_or_default();
            // Without the line: what moves within a file is the same still.
            let what = [path, object, &finding.message].join("\0");
            let before = seen.entry(what.clone()).or_default();
            let digest = Sha256::digest(format!("{what}\0{before}"));
            let fingerprint: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            *before = before.saturating_add(1);
            let within = finding.object.iter().map(|object| format!(" ({object})")).collect::<String>();
            let help = finding.help.iter().map(|help| format!("; help: {help}")).collect::<String>();
            issues.push(json!({
                "description": format!("{}{within}{help}", finding.message),
                "check_name": format!("keptn-gateway-{}", finding.level.name()),
                "fingerprint": fingerprint,
                "severity": severity(finding.level),
                "location": {
                    "path": path,
                    "lines": { "begin": finding.place.map_or(1, |place| place.line) },
                },
            }));
        }
    }
    printed(&issues)
}

const fn severity(level: Level) -> &'static str {
    match level {
        Level::Warning => "minor",
        Level::Problem => "major",
        Level::Unread => "blocker",
    }
}
