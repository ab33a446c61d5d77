//! The lines of -H, as curl takes them.

use crate::explain::head::{HeaderLine, Origin, split_header};

/// One line.
pub(super) enum Written {
    Sent(HeaderLine),
    /// curl is not to write a line of this name.
    Away(String),
}

impl Written {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Sent(line) => &line.name,
            Self::Away(name) => name,
        }
    }
}

/// Reads the lines.
///
/// # Errors
///
/// What is wrong with one, without its value.
pub(super) fn read(lines: Vec<Vec<u8>>, notes: &mut Vec<String>) -> Result<Vec<Written>, String> {
    let mut written = Vec::new();
    for (number, line) in (1..).zip(lines) {
        if line.starts_with(b"@") {
            return Err(format!("-H number {number}: its file is not read: write the lines out"));
        }
        let origin = Origin::Header(number);
        let without =
            |end: u8| line.trim_ascii_end().strip_suffix(&[end]).filter(|name| !name.contains(&b':'));
        if let Some(name) = without(b':') {
            // Nothing behind the colon: curl leaves its own line of that name away.
            written.push(Written::Away(String::from_utf8_lossy(name).to_ascii_lowercase()));
        } else if let Some(name) = without(b';') {
            let (name, value) =
                split_header(&[name, b":"].concat()).map_err(|why| format!("-H number {number}: {why}"))?;
            written.push(Written::Sent(HeaderLine { name, value, origin }));
        } else if line.contains(&b':') && !line.starts_with(b":") {
            let (name, value) = split_header(&line).map_err(|why| format!("-H number {number}: {why}"))?;
            written.push(Written::Sent(HeaderLine { name, value, origin }));
        } else {
            notes.push(format!("-H number {number} is no header line: curl does not send it"));
        }
    }
    Ok(written)
}
