//! What is wrong with a configuration: where, what, and what to do.

use core::fmt;
use core::ops::Range;

/// A place in the configuration, such as `routes[2].path`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(Vec<Step>);

/// One step into a configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

impl Place {
    pub(super) fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// The steps from the top.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("configuration");
        }
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.is_empty() => f.write_str("\"\"")?,
                Step::Key(key) if position == 0 => f.write_str(&visible(key))?,
                Step::Key(key) => write!(f, ".{}", visible(key))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A string of the configuration, and what is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The whole string.
    pub text: String,
    /// The offending bytes.
    pub span: Range<usize>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// It is about the key of that place, not about what stands under it.
    pub is_about_key: bool,
    /// What, in lower case and without a full stop.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// The string it is about, if it is about a part of one.
    pub excerpt: Option<Excerpt>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if let Some(Excerpt { text, span }) = &self.excerpt {
            let width = |range: Range<usize>| text.get(range).map_or(0, |part| visible(part).chars().count());
            let (before, marked) = (width(0..span.start), width(span.clone()).max(1));
            write!(f, "\n    {}\n    {}{}", visible(text), " ".repeat(before), "^".repeat(marked))?;
        }
        write!(f, "\n  help: {}", self.remedy)
    }
}

/// Control characters escaped: a line break would tear the excerpt from its carets.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    visible
}

/// Everything that is wrong with a configuration, in the order of the places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// Them all; at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Problems {}
