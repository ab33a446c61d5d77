//! What the command line asks for.

use std::path::PathBuf;
use testbed::{Error, Result};

/// Where results go, and where the report looks for them.
pub(crate) const DATA: &str = "target/bench";

/// The options of all runs; each says which of them it has no use for.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) quick: bool,
    /// None: as many as the time allows.
    pub(crate) rounds: Option<u32>,
    /// Of the order of things.
    pub(crate) seed: u64,
    /// Requests per second of the open loop.
    pub(crate) rate: u32,
    /// Where the results go.
    pub(crate) out: PathBuf,
    /// Only these variants or experiments; empty: all.
    pub(crate) only: Vec<String>,
}

impl Arguments {
    /// Reads what follows the command.
    ///
    /// # Errors
    /// An option is not known, or its value is not one.
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut arguments = Self {
            quick: false,
            rounds: None,
            seed: fastrand::u64(..1_000_000),
            // Below what the slowest variant can do on a slow machine: otherwise its queue would be measured.
            rate: 1500,
            out: PathBuf::from(DATA),
            only: Vec::new(),
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| Error::new(format!("{word} needs a value")));
            match word.as_str() {
                "--quick" => arguments.quick = true,
                "--rounds" => arguments.rounds = Some(number(&value()?)?),
                "--seed" => arguments.seed = number(&value()?)?,
                "--rate" => arguments.rate = number(&value()?)?,
                "--out" => arguments.out = value()?.into(),
                "--only" => arguments.only = value()?.split(',').map(str::to_owned).collect(),
                other => {
                    return Err(Error::new(format!(
                        "no option {other}: there are --quick, --rounds N, --seed N, --rate N, --out FOLDER and \
                         --only NAME,NAME"
                    )));
                }
            }
        }
        if arguments.rounds == Some(0) || arguments.rate == 0 {
            return Err(Error::new("--rounds and --rate are at least 1"));
        }
        Ok(arguments)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::new(format!("{text} is no number that fits here")))
}
