//! JSON as every command prints it.

use core::fmt::Write as _;

use serde::Serialize;

use crate::source::acts_unseen;

/// `value` over several lines. JSON lets control characters beyond ASCII, and those that reorder what is read, stand as
/// they are: they are escaped here, for it is shown on terminals too.
pub(crate) fn printed(value: &impl Serialize) -> String {
    // The keys are strings, and nothing that is printed fails.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut printed = String::with_capacity(text.len().saturating_add(1));
    for character in text.chars() {
        if character != '\n' && acts_unseen(character) {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                // Writing to a string cannot fail.
                let _ = write!(printed, "\\u{unit:04x}");
            }
        } else {
            printed.push(character);
        }
    }
    printed.push('\n');
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_acts_on_a_terminal() {
        let text = "a\u{9b}31m\u{7f}\u{202e}\u{2028}\u{200b}\u{feff}ü\n\u{1b}";
        let printed = printed(&[text]);
        assert_eq!(printed, "[\n  \"a\\u009b31m\\u007f\\u202e\\u2028\\u200b\\ufeffü\\n\\u001b\"\n]\n");
        assert_eq!(serde_json::from_str::<Vec<String>>(&printed).unwrap(), [text]);
    }
}
