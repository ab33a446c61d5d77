//! `./build.sh bench scaling`: every experiment, its CSV and its chart in `docs/scaling`, and the numbers of `docs/scaling.md`.

use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::thread;

use bench::results;
use scaling::document;
use scaling::experiments::{ALL, Size};

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the model and the simulation agree everywhere.
fn run() -> Result<bool, Box<dyn Error>> {
    fs::create_dir_all(document::folder())?;
    let mut all_agree = true;
    thread::scope(|scope| {
        // None knows of the others.
        let runs = ALL.map(|run| scope.spawn(move || run(Size::Full)));
        for run in runs {
            for experiment in run.join().map_err(|_| "an experiment has panicked")? {
                let [csv, svg] = ["csv", "svg"].map(|ending| document::file(experiment.name, ending));
                results::write(&csv, &experiment.samples())?;
                fs::write(&svg, experiment.chart().svg())?;
                let points = || experiment.curves.iter().flat_map(|curve| &curve.points);
                let (apart, compared) = (
                    points().filter(|point| !point.agrees()).count(),
                    points().filter(|point| point.model.is_some()).count(),
                );
                println!("{:14} {compared:4} points, {apart} of them off the model", experiment.name);
                all_agree &= apart == 0;
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    document::update()?;
    Ok(all_agree)
}
