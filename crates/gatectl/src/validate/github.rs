//! Workflow commands, which GitHub shows at the lines of a change:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.
//!
//! Nothing of a file begins a line here: whoever writes files must not write commands.

use core::fmt::Write as _;

use super::report::{Finding, Level, Report};
use super::{count, counted};
use crate::recognise::NAME;

pub(super) fn output(reports: &[Report]) -> String {
    let mut out = String::new();
    for report in reports {
        for finding in &report.findings {
            out.push_str(&command(&report.file, finding));
        }
    }
    let files = reports.iter().filter(|report| report.files.is_none()).count();
    let unread = match count(reports, Level::Unread) {
        0 => String::new(),
        unread => format!(", {unread} not judged"),
    };
    let problems = counted(count(reports, Level::Problem), "problem");
    let warnings = counted(count(reports, Level::Warning), "warning");
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{}{unread}: {problems}, {warnings}", counted(files, "file"));
    out
}

fn command(file: &str, finding: &Finding) -> String {
    let mut properties = Vec::new();
    let mut add = |key: &str, value: &str| properties.push(format!("{key}={}", property(value)));
    // What came from standard input is nowhere in the repository.
    if file != "standard input" {
        add("file", file.strip_prefix("./").unwrap_or(file));
        if let Some(place) = &finding.place {
            add("line", &place.line.to_string());
            add("col", &place.column.to_string());
            // Columns are for a single line, else GitHub takes none of them.
            if place.end_line == place.line && place.end_column > place.column {
                add("endLine", &place.end_line.to_string());
                add("endColumn", &place.end_column.to_string());
            }
        }
    }
    add("title", finding.object.as_deref().unwrap_or(NAME));
    let level = if finding.level == Level::Warning { "warning" } else { "error" };
    let help = finding.help.iter().map(|help| format!("\nhelp: {help}")).collect::<String>();
    format!("::{level} {}::{}\n", properties.join(","), data(&format!("{}{help}", finding.message)))
}

/// A message, so that nothing in it ends it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, so that nothing in it ends it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Place;

    #[test]
    fn nothing_in_a_command_ends_it() {
        assert_eq!(data("50%\r\n::error::x, y"), "50%25%0D%0A::error::x, y");
        assert_eq!(property("50%\r\n::error::x, y"), "50%25%0D%0A%3A%3Aerror%3A%3Ax%2C y");
    }

    #[test]
    fn a_command_says_where_and_what() {
        let place = Place { line: 3, column: 5, end_line: 3, end_column: 9 };
        let finding = Finding {
            level: Level::Problem,
            place: Some(place),
            object: Some("ConfigMap a/b, c: d.yaml".to_owned()),
            message: "hosts[0]: 100% wrong".to_owned(),
            help: Some("write a host".to_owned()),
            shown: String::new(),
        };
        assert_eq!(
            command("./a,b.yaml", &finding),
            "::error file=a%2Cb.yaml,line=3,col=5,endLine=3,endColumn=9,title=ConfigMap a/b%2C c%3A d.yaml\
             ::hosts[0]: 100%25 wrong%0Ahelp: write a host\n"
        );
        let place = Place { end_line: 4, end_column: 1, ..place };
        let finding =
            Finding { level: Level::Warning, place: Some(place), object: None, help: None, ..finding };
        assert_eq!(
            command("a.yaml", &finding),
            "::warning file=a.yaml,line=3,col=5,title=keptn-gateway::hosts[0]: 100%25 wrong\n"
        );
        assert_eq!(
            command("standard input", &finding),
            "::warning title=keptn-gateway::hosts[0]: 100%25 wrong\n"
        );
    }
}
