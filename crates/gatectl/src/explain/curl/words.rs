//! A line of the shell, and the words that it passes on.
//!
//! shlex and shell-words do not know `$'…'`, in which browsers' "Copy as cURL" writes what has a `'` or `!`, and stop at
//! nothing: people paste lines with `| jq` behind them.

/// What a line passes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) words: Vec<Vec<u8>>,
    /// The shell would put variables' values in.
    pub(super) has_variables: bool,
    /// What the shell would do with the command: `|`, `>`, `&` and what follows.
    pub(super) is_cut: bool,
}

/// Why a line is none.
pub(super) type Error = &'static str;

/// Splits a line as a POSIX shell does, with bash's `$'…'`. It ends where the command does.
///
/// # Errors
///
/// What is wrong with it, without a word of it.
pub(super) fn split(line: &[u8]) -> Result<Words, Error> {
    let mut reader = Reader { rest: line, words: Words::default(), word: None };
    reader.read()?;
    reader.end_word();
    Ok(reader.words)
}

struct Reader<'a> {
    rest: &'a [u8],
    words: Words,
    word: Option<Vec<u8>>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Goes on behind `text`, if it comes next.
    fn skip(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn push(&mut self, byte: u8) {
        self.word.get_or_insert_default().push(byte);
    }

    fn end_word(&mut self) {
        self.words.words.extend(self.word.take());
    }

    fn read(&mut self) -> Result<(), Error> {
        while let Some(byte) = self.next() {
            match byte {
                b' ' | b'\t' | b'\r' => self.end_word(),
                b'\n' => {
                    self.end_word();
                    if !self.words.words.is_empty() {
                        self.words.is_cut |= !self.rest.trim_ascii().is_empty();
                        return Ok(());
                    }
                }
                b'|' | b'&' | b';' => {
                    self.words.is_cut = true;
                    return Ok(());
                }
                b'<' | b'>' => self.redirect()?,
                b'(' | b')' => {
                    return Err("there is an unquoted ( or ) in it, which the shell would not pass on");
                }
                b'#' if self.word.is_none() => {
                    let end = self.rest.iter().position(|byte| *byte == b'\n').unwrap_or(self.rest.len());
                    self.rest = self.rest.get(end..).unwrap_or_default();
                }
                b'\\' if self.skip(b"\n") || self.skip(b"\r\n") => {}
                b'\\' => {
                    let escaped = self.next().ok_or("it ends in a backslash")?;
                    self.push(escaped);
                }
                b'^' if self.rest.starts_with(b"\"") => {
                    return Err(
                        "this is written for cmd.exe; in the browser, choose \"Copy as cURL (bash)\"",
                    );
                }
                b'\'' => {
                    self.word.get_or_insert_default();
                    loop {
                        match self.next().ok_or("a ' is not closed")? {
                            b'\'' => break,
                            byte => self.push(byte),
                        }
                    }
                }
                b'"' => self.double_quoted()?,
                b'$' if self.skip(b"'") => self.dollar_quoted()?,
                b'$' if self.skip(b"\"") => self.double_quoted()?,
                b'$' | b'`' => self.dollar(byte)?,
                byte => self.push(byte),
            }
        }
        Ok(())
    }

    /// `> file`, `2>&1`: nothing of it is passed on.
    fn redirect(&mut self) -> Result<(), Error> {
        self.words.is_cut = true;
        if self.word.as_ref().is_some_and(|word| word.iter().all(u8::is_ascii_digit)) {
            self.word = None;
        }
        self.end_word();
        while self.skip(b">") || self.skip(b"<") || self.skip(b"&") || self.skip(b" ") {}
        // The next word is a file's name: it is read as the words of a command of its own, whose first it is.
        let mut name = Reader { rest: self.rest, words: Words::default(), word: None };
        while let Some(&byte) = name.rest.first() {
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'|' | b'&' | b';' | b'<' | b'>') {
                break;
            }
            match name.next() {
                Some(b'\'') => while name.next().ok_or("a ' is not closed")? != b'\'' {},
                Some(b'"') => name.double_quoted()?,
                _ => {}
            }
        }
        self.rest = name.rest;
        Ok(())
    }

    fn double_quoted(&mut self) -> Result<(), Error> {
        self.word.get_or_insert_default();
        loop {
            match self.next().ok_or("a \" is not closed")? {
                b'"' => return Ok(()),
                b'\\' if self.skip(b"\n") => {}
                b'\\' => match self.next().ok_or("a \" is not closed")? {
                    byte @ (b'"' | b'\\' | b'$' | b'`') => self.push(byte),
                    byte => {
                        self.push(b'\\');
                        self.push(byte);
                    }
                },
                byte @ (b'$' | b'`') => self.dollar(byte)?,
                byte => self.push(byte),
            }
        }
    }

    /// What the shell would put something else in the place of.
    fn dollar(&mut self, byte: u8) -> Result<(), Error> {
        if byte == b'`' || self.rest.starts_with(b"(") {
            return Err(
                "it has a command in it, $(…) or `…`, which nobody runs here: let the shell do it, and write \
                        gatectl explain in front of the line",
            );
        }
        let is_name = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'{');
        self.words.has_variables |= self.rest.first().is_some_and(is_name);
        self.push(byte);
        Ok(())
    }

    /// bash's `$'…'`.
    fn dollar_quoted(&mut self) -> Result<(), Error> {
        const OPEN: Error = "a $' is not closed";
        self.word.get_or_insert_default();
        loop {
            match self.next().ok_or(OPEN)? {
                b'\'' => return Ok(()),
                b'\\' => match self.next().ok_or(OPEN)? {
                    b'n' => self.push(b'\n'),
                    b't' => self.push(b'\t'),
                    b'r' => self.push(b'\r'),
                    b'a' => self.push(7),
                    b'b' => self.push(8),
                    b'e' | b'E' => self.push(0x1b),
                    b'f' => self.push(0xc),
                    b'v' => self.push(0xb),
                    b'x' => self.escape(16, 2, b'x', false),
                    b'u' => self.escape(16, 4, b'u', true),
                    b'U' => self.escape(16, 8, b'U', true),
                    byte @ b'0'..=b'7' => {
                        let rest = self.digits(8, 2);
                        let first = u32::from(byte.saturating_sub(b'0'));
                        let value = rest
                            .iter()
                            .fold(first, |value, digit| value.wrapping_mul(8).wrapping_add(*digit));
                        self.push(value.to_le_bytes()[0]);
                    }
                    byte @ (b'\\' | b'\'' | b'"' | b'?') => self.push(byte),
                    byte => {
                        self.push(b'\\');
                        self.push(byte);
                    }
                },
                byte => self.push(byte),
            }
        }
    }

    fn digits(&mut self, radix: u32, most: usize) -> Vec<u32> {
        let digits = self.rest.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix));
        let digits: Vec<_> = digits.collect();
        self.rest = self.rest.get(digits.len()..).unwrap_or_default();
        digits
    }

    /// A byte, or a character, by its number; what is none stays as it is.
    fn escape(&mut self, radix: u32, most: usize, letter: u8, is_character: bool) {
        let digits = self.digits(radix, most);
        let value = digits.iter().fold(0_u32, |value, digit| value.wrapping_mul(radix).wrapping_add(*digit));
        match char::from_u32(value) {
            _ if digits.is_empty() => {
                self.push(b'\\');
                self.push(letter);
            }
            Some(character) if is_character => {
                let mut buffer = [0; 4];
                character.encode_utf8(&mut buffer).bytes().for_each(|byte| self.push(byte));
            }
            _ => self.push(value.to_le_bytes()[0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let words = split(line.as_bytes()).unwrap().words;
        words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_are_those_of_the_shell() {
        for (line, expected) in [
            (r#"curl -H 'a: b' "c d" e\ f"#, &["curl", "-H", "a: b", "c d", "e f"][..]),
            (r#"a''"" '' x"y"'z'"#, &["a", "", "xyz"]),
            ("curl \\\n  -s \\\r\n -i", &["curl", "-s", "-i"]),
            (r#""a\"b\$c\d\\""#, &[r#"a"b$c\d\"#]),
            (r"$'it\'s \x41\u00e9\101\n'", &["it's Aé A\n"]),
            ("\n\n  a # b\nc", &["a"]),
            ("a | jq .", &["a"]),
            ("a 2>/dev/null >'x y' b 2>&1", &["a", "b"]),
            ("a x?y=1&z=2", &["a", "x?y=1"]),
            ("a 'x|y' \"&\" b#c", &["a", "x|y", "&", "b#c"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|word| word.replace("é ", "é")).collect();
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn what_a_shell_would_not_pass_on_is_said() {
        for line in ["'a", "\"a", "$'a", "a\\", "a $(b)", "\"`b`\"", "curl ^\"http", "(a)"] {
            assert!(split(line.as_bytes()).is_err(), "{line}");
        }
        assert!(split(b"a \"$B\"").unwrap().has_variables);
        assert!(split(b"a ${B}").unwrap().has_variables);
        assert!(!split(b"a '$B' $ \\$c").unwrap().has_variables);
        assert!(split(b"a | b").unwrap().is_cut);
        assert!(!split(b"a \n \n").unwrap().is_cut);
    }
}
