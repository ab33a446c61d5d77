//! What was measured, for people: the pages in docs/, README's figures, and what the terminal shows.
//!
//! Everything is made from the files that the rig wrote, and the same files make the same report: the documents are
//! compared with them by tests/docs.rs.

mod charts;
mod growth;
mod summary;
mod tables;
mod targets;
mod variants;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use minijinja::{Environment, UndefinedBehavior, context};

use crate::results::{self, Error, Machine, Sample};
use crate::stats::{self, Estimate, Rounds};
pub use summary::summary;

/// What the pages are made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    /// Of all runs: what is compared, and the growth experiments, whose variants have a `/` in their names.
    pub samples: Vec<Sample>,
    /// Where they were measured.
    pub machine: Machine,
}

/// The runs' files; the first must be there.
const FILES: [&str; 3] = ["samples.csv", "growth.csv", "start.csv"];
const MACHINE: &str = "machine.json";

impl Data {
    /// Reads what the runs have left in a folder: `samples.csv`, `machine.json`, and `growth.csv` and `start.csv` if
    /// these were made.
    ///
    /// # Errors
    ///
    /// If one of the first two is not there, or any of them is not as it should be.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let mut samples = Vec::new();
        for (index, file) in FILES.iter().enumerate() {
            let path = folder.join(file);
            if index == 0 && !path.exists() {
                return Err(Error::of(&path, "is not there: ./build.sh bench makes it"));
            }
            if path.exists() {
                samples.extend(results::read(&path)?);
            }
        }
        Ok(Self { samples, machine: results::read_machine(&folder.join(MACHINE))? })
    }

    /// The values of one metric of one variant, by round.
    fn rounds(&self, variant: &str, x: f64, metric: &str) -> Rounds {
        stats::rounds(&self.samples, variant, x, metric)
    }

    /// The same without the rounds.
    fn values(&self, variant: &str, x: f64, metric: &str) -> Vec<f64> {
        self.rounds(variant, x, metric).into_values().collect()
    }

    /// What is known of a metric of a variant with which nothing grows.
    fn estimate(&self, variant: &str, metric: &str) -> Option<Estimate> {
        Estimate::of(&self.values(variant, 0., metric))
    }

    /// The variants of a growth experiment, and what stands behind their `/`: ours first.
    fn lines(&self, experiment: &str) -> Vec<(String, &str)> {
        let names: BTreeSet<&str> = self
            .samples
            .iter()
            .filter_map(|sample| sample.variant.strip_prefix(experiment)?.strip_prefix('/'))
            .collect();
        let (ours, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| *name == "ours");
        ours.into_iter().chain(others).map(|name| (format!("{experiment}/{name}"), name)).collect()
    }

    /// At which x this metric of this variant was measured, from small to large.
    fn xs(&self, variant: &str, metric: &str) -> Vec<f64> {
        let is_meant = |sample: &&Sample| sample.variant == variant && sample.metric == metric;
        let mut xs: Vec<f64> = self.samples.iter().filter(is_meant).map(|sample| sample.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }
}

/// The files of the report, by their paths below docs/: one page and its charts.
pub fn files(data: &Data) -> BTreeMap<String, String> {
    let charts = charts::all(data);
    let page = page(data, &charts);
    let charts = charts.into_iter().map(|chart| (chart.path(), chart.svg));
    charts.chain([("benchmarks.md".to_owned(), page)]).collect()
}

/// README with its figures, which stand between two marks; nothing where it has no such marks.
pub fn readme(data: &Data, text: &str) -> Option<String> {
    let [begin, end] = ["<!-- benchmarks -->\n", "<!-- /benchmarks -->"];
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some([before, begin, &tables::readme(data), end, after].concat())
}

/// Writes the report that the files in `data` make: `benchmarks.md` and its charts into `docs`, and the figures into the
/// README beside it. Charts that the report has no more are deleted.
///
/// # Errors
///
/// If a file cannot be read or written.
pub fn write(data: &Path, docs: &Path) -> Result<(), Error> {
    let data = Data::read(data)?;
    let files = files(&data);
    let charts = docs.join(charts::FOLDER);
    fs::create_dir_all(&charts).map_err(|e| Error::of(&charts, e))?;
    for entry in fs::read_dir(&charts).map_err(|e| Error::of(&charts, e))? {
        let path = entry.map_err(|e| Error::of(&charts, e))?.path();
        let is_ours = |name: &str| files.contains_key(&format!("{}/{name}", charts::FOLDER));
        let is_old_chart = path.extension().is_some_and(|extension| extension == "svg")
            && !path.file_name().and_then(|name| name.to_str()).is_some_and(is_ours);
        if is_old_chart {
            fs::remove_file(&path).map_err(|e| Error::of(&path, e))?;
        }
    }
    for (path, text) in files {
        let path = docs.join(path);
        fs::write(&path, text).map_err(|e| Error::of(&path, e))?;
    }
    let path = docs.join("../README.md");
    if path.exists() {
        let text = fs::read_to_string(&path).map_err(|e| Error::of(&path, e))?;
        if let Some(text) = readme(&data, &text) {
            fs::write(&path, text).map_err(|e| Error::of(&path, e))?;
        }
    }
    Ok(())
}

/// The page: `template.md` with its tables and charts, and `notes.md` as it stands.
fn page(data: &Data, charts: &[charts::Chart]) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A line with nothing but `{% … %}` leaves no line behind.
    let syntax = environment.syntax().to_builder().trim_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    let chart = |name: &str| {
        charts.iter().find(|chart| chart.name == name).map(charts::Chart::markdown).unwrap_or_default()
    };
    let values = context! {
        machine => tables::machine(&data.machine),
        targets => tables::targets(data),
        tally => tables::tally(data),
        levels => tables::levels(data),
        variants => tables::variants(data),
        ratios => tables::ratios(data),
        figures => tables::figures(data),
        latencies => tables::latencies(data),
        others => tables::others(data),
        growth => growth::sections(data, charts),
        cpu_chart => chart("cpu"),
        throughput_chart => chart("throughput"),
        latency_chart => chart("latency"),
        notes => include_str!("notes.md").trim_end(),
    };
    environment
        .render_named_str("benchmarks.md", include_str!("template.md"), values)
        .expect("template.md names what it is given")
}
