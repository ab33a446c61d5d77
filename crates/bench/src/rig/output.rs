//! What goes into the folder of results, and onto the terminal.

use bench::results::{self, Machine, Sample};
use bench::stats::{self, Estimate};
use serde_json::Value;
use std::{env, fs, path::Path};
use testbed::{Error, Result};

/// Keeps of `all` what `only` names, if it names any.
///
/// # Errors
/// It names what is not there.
pub(crate) fn choose<T>(all: &mut Vec<T>, only: &[String], name: impl Fn(&T) -> &'static str) -> Result<()> {
    if let Some(unknown) = only.iter().find(|wanted| !all.iter().any(|one| name(one) == wanted.as_str())) {
        let names: Vec<&str> = all.iter().map(name).collect();
        return Err(Error::new(format!("--only {unknown}: there is no such, but {}", names.join(", "))));
    }
    if !only.is_empty() {
        all.retain(|one| only.iter().any(|wanted| name(one) == wanted.as_str()));
    }
    Ok(())
}

/// How many hostcalls a request costs, by variant: `$HOSTCALLS` is a file that tests/hostcalls/count.mjs has written.
/// They do not change from round to round: round 0.
///
/// # Errors
/// The file is not as that program writes it.
pub(crate) fn hostcalls() -> Result<Vec<Sample>> {
    let Some(file) = env::var_os("HOSTCALLS") else { return Ok(Vec::new()) };
    let text = fs::read_to_string(&file).map_err(Error::during("reading $HOSTCALLS"))?;
    let json: Value = serde_json::from_str(&text).map_err(Error::during("reading $HOSTCALLS"))?;
    let counts = json.as_object().ok_or_else(|| Error::new("$HOSTCALLS holds no object"))?;
    Ok(counts
        .iter()
        .filter_map(|(variant, count)| {
            let (variant, metric) = (variant.clone(), "hostcalls_per_request".to_owned());
            Some(Sample { variant, x: 0.0, round: 0, metric, value: count.as_f64()? })
        })
        .collect())
}

/// Writes the samples, and beside them what is known of the machine: `machine.json` of the run that compares, whose figures
/// the report is about, `machine-growth.json` and the like of the others. The folder is made.
///
/// # Errors
/// They cannot be written.
pub(crate) fn write(folder: &Path, name: &str, samples: &[Sample], machine: &Machine) -> Result<()> {
    let at = |what: &str| format!("writing {}", folder.join(what).display());
    fs::create_dir_all(folder).map_err(Error::during(at("")))?;
    let file = format!("{name}.csv");
    results::write(&folder.join(&file), samples).map_err(Error::during(at(&file)))?;
    let main = folder.join("machine.json");
    if name == "samples" {
        results::write_machine(&main, machine).map_err(Error::during(at("machine.json")))?;
    } else {
        let own = format!("machine-{name}.json");
        results::write_machine(&folder.join(&own), machine).map_err(Error::during(at(&own)))?;
        if !main.exists() {
            results::write_machine(&main, machine).map_err(Error::during(at("machine.json")))?;
        }
    }
    eprintln!("{} values in {}", samples.len(), folder.join(file).display());
    Ok(())
}

/// What was thrown away, for the report.
pub(crate) fn listed(thrown_away: &[String]) -> String {
    if thrown_away.is_empty() { "nothing".to_owned() } else { thrown_away.join(", ") }
}

/// Says loudly what was thrown away. True: nothing.
pub(crate) fn nothing_thrown_away(thrown_away: &[String]) -> bool {
    if !thrown_away.is_empty() {
        eprintln!(
            "THROWN AWAY, because an answer was wrong or something did not start: {}",
            thrown_away.join(", ")
        );
        eprintln!("the bench has failed: see what it said at each of them");
    }
    thrown_away.is_empty()
}

/// The medians, one line for each x: a first look. `./build.sh bench report` says more.
pub(crate) fn medians(samples: &[Sample]) -> String {
    const SHOWN: [&str; 3] = ["cpu_us_per_request", "rss_mib", "start_ms"];
    let mut rows: Vec<(&str, f64)> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.round > 0) {
        if !rows.contains(&(&sample.variant, sample.x)) {
            rows.push((&sample.variant, sample.x));
        }
    }
    rows.sort_by(|these, those| these.0.cmp(those.0).then(these.1.total_cmp(&those.1)));
    let shown: Vec<&str> =
        SHOWN.into_iter().filter(|metric| samples.iter().any(|sample| sample.metric == *metric)).collect();
    let mut text = format!("{:32}", "medians");
    for metric in &shown {
        text += &format!(" {metric:>20}");
    }
    for (variant, x) in rows {
        text += &format!("\n{:32}", if x == 0.0 { variant.to_owned() } else { format!("{variant} {x}") });
        for metric in &shown {
            let values: Vec<f64> = stats::rounds(samples, variant, x, metric).into_values().collect();
            let median = Estimate::of(&values).map(|estimate| format!("{:.2}", estimate.median));
            text += &format!(" {:>20}", median.unwrap_or_default());
        }
    }
    text
}
