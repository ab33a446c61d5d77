//! Usage errors without the user's words: a forgotten `-H` must not print the token after it.

use clap::error::{ContextKind, ContextValue};

use crate::outcome::{Exit, Outcome};
use crate::secret;

/// What Keptn's CLI has, and people try.
const TOKEN_OPTIONS: [&str; 2] = ["--api-token", "--token"];

/// The outcome of arguments that clap did not accept, or of `--help`.
pub(crate) fn usage_error(mut error: clap::Error) -> Outcome {
    let is_token = matches!(
        error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(text)) if text.split(' ').next().is_some_and(|option| TOKEN_OPTIONS.contains(&option))
    );
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand] {
        let is_foreign = matches!(error.get(kind), Some(ContextValue::String(text)) if !is_harmless(text));
        if is_foreign {
            error.insert(kind, ContextValue::String("(not shown)".to_owned()));
        }
    }
    // Its tips repeat what was given.
    if error.get(ContextKind::Suggested).is_some() {
        error.insert(ContextKind::Suggested, ContextValue::None);
    }
    let mut text = error.render().to_string();
    if is_token {
        text.push_str(&format!("\n{}\n", secret::NO_ARGUMENT));
    }
    match error.exit_code() {
        0 => Outcome { stdout: text, ..Outcome::default() },
        _ => Outcome { stderr: text, exit: Exit::CannotRun, ..Outcome::default() },
    }
}

/// Whether `text` is how clap names an argument (`--answer <ANSWER>`), an option of one letter, a short word that was
/// meant as an option, or nothing. No token looks like that: Keptn's are base64.
fn is_harmless(text: &str) -> bool {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let is_option = first.len() <= 20
        && first.starts_with("--")
        && first.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_letter = matches!(first.as_bytes(), [b'-', letter] if letter.is_ascii_alphanumeric());
    // In one quoted word people give an option and its value: `"--token …"`.
    text.is_empty() || is_value(text) || ((is_option || is_letter) && (rest.is_empty() || is_value(rest)))
}

/// Whether `text` is how clap names a value: `<NAME=HOST:PORT>`, `[METHOD]`, `<FILE>...`.
fn is_value(text: &str) -> bool {
    let text = text.strip_suffix("...").unwrap_or(text);
    let name = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    let Some(name) = name('<', '>').or_else(|| name('[', ']')) else { return false };
    name.bytes().all(|byte| byte.is_ascii_uppercase() || b" '=:|_-".contains(&byte))
}
