//! What was measured, as it stands in files: values in CSV, one in a line, and the machine in JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One measured value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// What was measured against what: `bare`, `hit`, `ext_authz`; in a growth run the experiment before it,
    /// `routes/ours`.
    pub variant: String,
    /// What grows, where something does: the number of routes, of cached tokens, of gateways. Else 0.
    pub x: f64,
    /// Which round it was. What is compared is of the same round: the machine was then the same.
    pub round: u32,
    /// `cpu_us_per_request`, `requests_per_s`, `p50_us`, …
    pub metric: String,
    /// Its value, in the unit that the metric's name ends in.
    pub value: f64,
}

/// Where it was measured, and what with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The day, as `2026-11-30`.
    pub date: String,
    /// The processor's name.
    pub cpu: String,
    /// How many of its cores the machine has.
    pub cores: u32,
    /// Its memory, in MiB.
    pub memory_mib: u64,
    /// The operating system and its kernel.
    pub system: String,
    /// The commit that was measured; ends in `-dirty` if there was more than that.
    pub revision: String,
    /// The plugin's size in bytes.
    pub plugin_bytes: u64,
    /// The same by `gzip -9`.
    pub plugin_gzip_bytes: u64,
    /// Versions by name: `Envoy`, `nginx`, `rustc`, the load generators.
    pub versions: BTreeMap<String, String>,
    /// How it was measured, as the report shows it: `connections`, `seconds per measurement`, …
    pub settings: BTreeMap<String, String>,
}

/// A file that is not as it should be.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    what: String,
}

impl Error {
    pub(crate) fn of(path: &Path, what: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), what: what.to_string() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

impl std::error::Error for Error {}

/// Writes the samples, in the order they have.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(path: &Path, samples: &[Sample]) -> Result<(), Error> {
    let of_path = |e: csv::Error| Error::of(path, e);
    let mut file = csv::Writer::from_path(path).map_err(of_path)?;
    samples.iter().try_for_each(|sample| file.serialize(sample)).map_err(of_path)?;
    file.flush().map_err(|e| Error::of(path, e))
}

/// Reads what [`write()`] has written.
///
/// # Errors
///
/// If the file cannot be read; if a line is no sample, or a number no finite one; and if something stands there twice:
/// one would not know what was measured.
pub fn read(path: &Path) -> Result<Vec<Sample>, Error> {
    let mut file = csv::Reader::from_path(path).map_err(|e| Error::of(path, e))?;
    let mut seen = BTreeMap::new();
    let mut samples = Vec::new();
    for (line, sample) in (2..).zip(file.deserialize()) {
        let sample: Sample = sample.map_err(|e| Error::of(path, e))?;
        let Sample { variant, x, round, metric, value } = &sample;
        if !(x.is_finite() && value.is_finite()) {
            return Err(Error::of(path, format!("line {line}: a number that is none: {x}, {value}")));
        }
        let what = (variant.clone(), metric.clone(), *round, x.to_bits());
        if let Some(before) = seen.insert(what, line) {
            let what = format!("{metric} of {variant} at {x} in round {round}");
            return Err(Error::of(
                path,
                format!("{what} stands in line {before} and in line {line}: delete one"),
            ));
        }
        samples.push(sample);
    }
    Ok(samples)
}

/// Writes what is known of the machine.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write_machine(path: &Path, machine: &Machine) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(machine).map_err(|e| Error::of(path, e))?;
    fs::write(path, json + "\n").map_err(|e| Error::of(path, e))
}

/// Reads what [`write_machine`] has written.
///
/// # Errors
///
/// If the file cannot be read or is not of that form.
pub fn read_machine(path: &Path) -> Result<Machine, Error> {
    let json = fs::read(path).map_err(|e| Error::of(path, e))?;
    serde_json::from_slice(&json).map_err(|e| Error::of(path, e))
}
