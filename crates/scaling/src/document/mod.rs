//! The numbers in `docs/scaling.md`: tables between marks, made from the CSV files beside it and from the model.

mod tables;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bench::results::{self, Sample};

use crate::experiments::{Point, curves};
use tables::{by_gateways, capacity, example, hit_ratio, knobs, outage, restart, revoke, rules};

/// Where the CSV files and the charts are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scaling")
}

/// An experiment's file.
pub fn file(experiment: &str, ending: &str) -> PathBuf {
    folder().join(experiment).with_extension(ending)
}

/// The document itself.
fn path() -> PathBuf {
    folder().with_extension("md")
}

/// What was simulated, curve by curve.
///
/// # Errors
///
/// If the CSV file cannot be read.
pub fn read(experiment: &str) -> Result<Vec<(String, Vec<Point>)>, results::Error> {
    let samples: Vec<Sample> = results::read(&file(experiment, "csv"))?;
    Ok(curves(&samples))
}

/// The document as it stands.
///
/// # Errors
///
/// If it cannot be read.
pub fn actual() -> io::Result<String> {
    fs::read_to_string(path())
}

/// The document as it should be: with the tables of today between its marks.
///
/// # Errors
///
/// If a file cannot be read, or a mark is missing.
pub fn expected() -> Result<String, Box<dyn std::error::Error>> {
    let mut text = actual()?;
    for (name, table) in tables()? {
        let [begin, end] = [format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n")];
        let missing = || format!("docs/scaling.md has no {begin}");
        let (before, rest) = text.split_once(&begin).ok_or_else(missing)?;
        let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
        text = [before, &begin, &table, &end, after].concat();
    }
    Ok(text)
}

/// Writes the document anew.
///
/// # Errors
///
/// If a file cannot be read or written, or a mark is missing.
pub fn update() -> Result<(), Box<dyn std::error::Error>> {
    fs::write(path(), expected()?)?;
    Ok(())
}

fn tables() -> Result<[(&'static str, String); 9], results::Error> {
    Ok([
        ("rules", rules()),
        ("example", example()),
        ("checks", by_gateways(&read("checks")?)),
        ("hit-ratio", hit_ratio(&read("hit-ratio")?)),
        ("revoke", revoke()),
        ("restart", restart(&read("restart")?)),
        ("outage", outage()),
        ("capacity", capacity(&read("capacity")?)),
        ("knobs", knobs()),
    ])
}
