//! `docs/envoy.md` as its reader uses it: pieces of YAML that are pasted into `envoy.yaml`.

use serde_json::Value;
use std::{fs, path::Path};

/// A section of the document: what stands under one `##` heading.
pub(crate) struct Section {
    blocks: Vec<Block>,
    prose: String,
}

struct Block {
    language: String,
    text: String,
    /// The words before it say where in `envoy.yaml` it belongs.
    place: Option<Place>,
}

struct Place {
    side: Side,
    /// What the line begins with.
    line: String,
}

#[derive(Clone, Copy)]
enum Side {
    Above,
    Below,
    InsteadOf,
}

impl Side {
    const ALL: [(&str, Self); 3] = [
        ("bove the first line", Self::Above),
        ("elow the first line", Self::Below),
        ("nstead of the first line", Self::InsteadOf),
    ];
}

impl Section {
    pub(crate) fn read(heading: &str) -> Self {
        let document = read("docs/envoy.md");
        let (_, section) =
            document.split_once(&format!("\n## {heading}\n")).expect("the document has this section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let mut blocks = Vec::new();
        // By turns prose and code: a code block's first line is its language.
        let prose = section.split("```").step_by(2).collect();
        let mut parts = section.split("```");
        while let (Some(prose), Some(code)) = (parts.next(), parts.next()) {
            let (language, text) = code.split_once('\n').expect("a block with a language");
            blocks.push(Block { language: language.to_owned(), text: text.to_owned(), place: place(prose) });
        }
        Self { blocks, prose }
    }

    /// `envoy.yaml` with every piece pasted where the document says.
    pub(crate) fn pasted_into(&self, yaml: &str) -> String {
        let mut lines: Vec<&str> = yaml.lines().collect();
        let placed = self.blocks.iter().filter_map(|block| Some((block, block.place.as_ref()?)));
        for (block, Place { side, line }) in placed {
            let found = lines.iter().position(|there| there.trim_start().starts_with(line));
            let at = found.unwrap_or_else(|| panic!("envoy.yaml has no line {line:?}"));
            let range = match side {
                Side::Above => at..at,
                Side::Below => at + 1..at + 1,
                Side::InsteadOf => at..at + 1,
            };
            lines.splice(range, block.text.lines());
        }
        lines.join("\n")
    }

    /// The one piece of YAML that is a file of its own.
    pub(crate) fn file(&self) -> &str {
        self.only("yaml")
    }

    /// The filter's configuration.
    pub(crate) fn configuration(&self) -> Value {
        serde_json::from_str(self.only("json")).expect("the document's JSON is JSON")
    }

    /// Whether its prose has these words.
    pub(crate) fn mentions(&self, words: &str) -> bool {
        self.prose.contains(words)
    }

    fn only(&self, language: &str) -> &str {
        let mut all = self.blocks.iter().filter(|block| block.language == language && block.place.is_none());
        let first = all.next().unwrap_or_else(|| panic!("the section has no {language}"));
        assert!(all.next().is_none(), "the section has more than one {language}");
        &first.text
    }
}

/// The `envoy.yaml` that users run, as text.
pub(crate) fn shipped() -> String {
    read("envoy.yaml")
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

/// What the end of the prose says about the block that follows: `Above the first line `listeners:`:`.
fn place(prose: &str) -> Option<Place> {
    let words = prose.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = words.strip_suffix("`:")?;
    let (before, line) = line.rsplit_once(" `").expect("the line stands between back-ticks");
    // A block without a place is a file of its own; `only` finds it should a place be misspelt.
    let (_, side) = Side::ALL.into_iter().find(|(words, _)| before.ends_with(words))?;
    Some(Place { side, line: line.to_owned() })
}
