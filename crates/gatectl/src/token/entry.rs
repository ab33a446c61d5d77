//! An entry of the configuration's `tokens`.

use core::fmt::Write as _;
use core::time::Duration;
use std::time::SystemTime;

use clap::Args;
use gate::config::{Config, Problem, Step};
use humantime::format_rfc3339_seconds;

use crate::outcome::Outcome;
use crate::secret::Secret;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args, Debug)]
pub(super) struct EntryArgs {
    /// Whose token it is: 1 to 64 letters, digits, `-`, `_` and `.`; else it is named for today.
    #[arg(long)]
    name: Option<String>,

    /// From when on it is good, in UTC, such as 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,

    /// From when on it is no longer, in UTC, such as 2026-12-31T23:59:59Z.
    #[arg(long, value_name = "TIME", conflicts_with = "days")]
    not_after: Option<String>,

    /// For how many days it is good, from --not-before or now.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: Option<u16>,

    /// api-service takes it too: it is Keptn's own secret, or Envoy's credential_injector puts that one in.
    #[arg(long)]
    api: bool,
}

/// What an entry says of its token, which is not known yet.
#[derive(Debug)]
pub(super) struct Entry {
    name: String,
    not_before: Option<String>,
    not_after: Option<String>,
    api: bool,
}

impl EntryArgs {
    /// Reads the arguments, and tells what may surprise about them.
    ///
    /// # Errors
    ///
    /// All that is wrong with the arguments, a line for each. No value is repeated: what stands in the wrong place
    /// may be the token.
    pub(super) fn read(&self, now: SystemTime, outcome: &mut Outcome) -> Result<Entry, String> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                format!("token-{}", format_rfc3339_seconds(now).to_string().get(..10).unwrap_or_default())
            }
        };
        // The core takes an empty text for none.
        let given = [
            ("--name", Some(&name)),
            ("--not-before", self.not_before.as_ref()),
            ("--not-after", self.not_after.as_ref()),
        ];
        let empty: Vec<_> = given
            .iter()
            .filter(|(_, value)| value.is_some_and(String::is_empty))
            .map(|(option, _)| format!("gatectl: {option}: this is empty"))
            .collect();
        if !empty.is_empty() {
            return Err(empty.join("\n"));
        }
        let not_after = match self.days {
            None => self.not_after.clone(),
            Some(days) => {
                // What is wrong with it is told below.
                let begin = self.not_before.as_ref().and_then(|text| humantime::parse_rfc3339(text).ok());
                let end =
                    DAY.checked_mul(days.into()).and_then(|days| begin.unwrap_or(now).checked_add(days));
                Some(format_rfc3339_seconds(end.ok_or("gatectl: the clock is out of range")?).to_string())
            }
        };
        let entry = Entry { name, not_before: self.not_before.clone(), not_after, api: self.api };
        entry.judge()?;
        let end = entry.not_after.as_ref().and_then(|text| humantime::parse_rfc3339(text).ok());
        if end.is_some_and(|end| end <= now) {
            outcome.stderr.push_str("gatectl: note: not_after has passed: no gateway takes this token\n");
        }
        Ok(entry)
    }
}

impl Entry {
    /// Whether api-service takes it, too.
    pub(super) fn is_for_api(&self) -> bool {
        self.api
    }

    /// As JSON on one line, to go into `tokens`.
    pub(super) fn to_json(&self, token: &Secret) -> String {
        self.with_hash(&token.sha256())
    }

    fn with_hash(&self, sha256: &str) -> String {
        // Texts without anything to escape, or the core refuses them.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut out = format!("{{ \"name\": {}, \"sha256\": {}", quoted(&self.name), quoted(sha256));
        for (key, time) in [("not_before", &self.not_before), ("not_after", &self.not_after)] {
            if let Some(time) = time {
                // Writing to a string cannot fail.
                let _ = write!(out, ", \"{key}\": {}", quoted(time));
            }
        }
        if self.api {
            out.push_str(", \"api\": true");
        }
        out.push_str(" }");
        out
    }

    /// Asks the code that reads the configuration inside Envoy.
    fn judge(&self) -> Result<(), String> {
        let config = format!("{{\"tokens\":[{}]}}", self.with_hash(&"0".repeat(64)));
        Config::from_json(config.as_bytes())
            .map(|_| ())
            .map_err(|problems| problems.iter().map(told).collect::<Vec<_>>().join("\n"))
    }
}

/// What is wrong, by the option that it is wrong with.
fn told(problem: &Problem) -> String {
    let option = match problem.place.steps().last() {
        Some(Step::Key(key)) => format!("--{}", key.replace('_', "-")),
        _ => problem.place.to_string(),
    };
    let at = match &problem.excerpt {
        // Of a time all is wrong.
        Some(excerpt) if option == "--name" => {
            let before = excerpt.text.get(..excerpt.span.start).unwrap_or_default().chars().count();
            format!(", at character {}", before.saturating_add(1))
        }
        _ => String::new(),
    };
    // It names the other time, which was an argument as well.
    let message = problem.message.split(", ").next().unwrap_or_default();
    format!("gatectl: {option}: {message}{at}; {}", problem.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_reads_what_is_printed() {
        let token = Secret::read(b"hush".to_vec()).unwrap();
        let now = humantime::parse_rfc3339("2026-11-28T12:00:00Z").unwrap();
        let mut args = EntryArgs { name: None, not_before: None, not_after: None, days: Some(90), api: true };
        let mut json = |not_before: Option<&str>| {
            args.not_before = not_before.map(str::to_owned);
            let json = args.read(now, &mut Outcome::default()).unwrap().to_json(&token);
            Config::from_json(format!("{{\"tokens\":[{json}]}}").as_bytes()).unwrap();
            json.replace(&token.sha256(), "HASH")
        };
        assert_eq!(
            json(None),
            r#"{ "name": "token-2026-11-28", "sha256": "HASH", "not_after": "2027-02-26T12:00:00Z", "api": true }"#
        );
        assert_eq!(
            json(Some("2027-01-01T00:00:00Z")),
            r#"{ "name": "token-2026-11-28", "sha256": "HASH", "not_before": "2027-01-01T00:00:00Z", "#
                .to_owned()
                + r#""not_after": "2027-04-01T00:00:00Z", "api": true }"#
        );
    }
}
