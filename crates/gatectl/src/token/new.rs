//! `gatectl token new`.

use core::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring::default_provider;

use super::NewArgs;
use crate::lines::Lines;
use crate::outcome::Outcome;
use crate::secret::Secret;

/// Of randomness. Keptn's installer takes 16, and base64 of those ends in `==`; of these nothing is left over.
const BYTES: usize = 24;

pub(super) fn run(args: &NewArgs, now: SystemTime, outcome: &mut Outcome) {
    if let Err(why) = try_run(args, now, outcome) {
        outcome.cannot_run(&why);
    }
}

fn try_run(args: &NewArgs, now: SystemTime, outcome: &mut Outcome) -> Result<(), String> {
    let token = make()?;
    let entry = args.entry.read(now, outcome)?;
    let opens = if entry.is_for_api() {
        "api-service takes it as soon as it is Keptn's own secret, or Envoy's credential_injector puts that one in: \
         docs/authentication.md"
    } else {
        "it opens configuration-service; api-service knows Keptn's own secret alone, see --api"
    };
    let entry = entry.to_json(&token);
    // Writing to a string cannot fail.
    if let Some(path) = &args.token_file {
        write(path, &token)?;
        outcome.made = Some(path.clone());
        let _ = writeln!(outcome.stdout, "{entry}");
    } else if args.json {
        let token = serde_json::Value::from(token.expose());
        let _ = writeln!(outcome.stdout, "{{\n  \"token\": {token},\n  \"entry\": {entry}\n}}");
    } else {
        let mut lines = Lines::default();
        lines.add("token", token.expose());
        lines.add("entry", entry);
        let _ = write!(outcome.stdout, "{lines}");
        outcome.stderr.push_str(
            "gatectl: note: the token is shown this once. Clients send it as x-token; the gateway needs the entry \
             alone, in `tokens`\n",
        );
    }
    let _ = writeln!(outcome.stderr, "gatectl: note: {opens}");
    Ok(())
}

fn make() -> Result<Secret, String> {
    let mut bytes = [0_u8; BYTES];
    let no_randomness = |_| "gatectl: the system has no randomness to give".to_owned();
    default_provider().secure_random.fill(&mut bytes).map_err(no_randomness)?;
    Secret::read(BASE64_STANDARD.encode(bytes).into_bytes())
}

/// Writes a file that was not there.
fn write(path: &Path, token: &Secret) -> Result<(), String> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(token.expose().as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AlreadyExists => {
                "it is there already, and may hold a token; name a new file".to_owned()
            }
            ErrorKind::NotFound => "there is no such folder; make it first".to_owned(),
            kind => io::Error::from(kind).to_string(),
        };
        format!("the file of --token-file cannot be written: {why}")
    })
}
