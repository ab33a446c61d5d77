//! The report's sections on what grows, in Markdown.

use crate::plot::number;
use crate::stats::{Estimate, difference, ratio};

use super::Data;
use super::charts::Chart;
use super::tables::{cell, of_ratio};
use super::variants::{self, CPU, Experiment, MEMORY};

/// A section for each experiment: what it is, its chart, its table.
pub(super) fn sections(data: &Data, charts: &[Chart]) -> String {
    let experiments = variants::experiments(data);
    if experiments.is_empty() {
        return "Not measured: `./build.sh bench growth` does.\n".to_owned();
    }
    let section = |experiment: Experiment<'_>| {
        let name = experiment.chart_name();
        let chart = charts.iter().find(|chart| chart.name == name).map(|chart| chart.markdown() + "\n");
        let (title, what) = (experiment.title, experiment.what);
        format!("### {title}\n\n{what}\n\n{}{}", chart.unwrap_or_default(), table(data, &experiment))
    };
    experiments.into_iter().map(section).collect::<Vec<_>>().join("\n")
}

/// A row for each x, a column for each line; then what is compared.
fn table(data: &Data, experiment: &Experiment<'_>) -> String {
    let lines = data.lines(experiment.name);
    let rounds = |variant: &str, x: f64| data.rounds(variant, x, experiment.metric);
    let mut xs: Vec<f64> =
        lines.iter().flat_map(|(variant, _)| data.xs(variant, experiment.metric)).collect();
    xs.sort_by(f64::total_cmp);
    xs.dedup();
    // What Envoy itself keeps of the same load is not the filter's: the difference is.
    let [ours, nothing] = ["ours", "do_nothing"].map(|name| format!("{}/{name}", experiment.name));
    let is_there = |variant: &String| lines.iter().any(|(line, _)| line == variant);
    let has_difference = experiment.metric == MEMORY && is_there(&ours) && is_there(&nothing);

    let names = lines.iter().map(|(_, name)| variants::line(name));
    let head: Vec<&str> =
        std::iter::once(experiment.x).chain(names).chain(has_difference.then_some("difference")).collect();
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "--:|".repeat(head.len()));
    let mut row =
        |first: String, cells: Vec<String>| text += &format!("| {first} | {} |\n", cells.join(" | "));
    for x in &xs {
        let of_line = |(variant, _): &(String, &str)| {
            cell(Estimate::of(&data.values(variant, *x, experiment.metric)), number)
        };
        let more =
            has_difference.then(|| cell(difference(&rounds(&ours, *x), &rounds(&nothing, *x)), number));
        row(number(*x), lines.iter().map(of_line).chain(more).collect());
    }
    if let [first, .., last] = xs.as_slice()
        && experiment.metric == CPU
    {
        let of_line = |(variant, _): &(String, &str)| {
            cell(ratio(&rounds(variant, *last), &rounds(variant, *first)), of_ratio)
        };
        row(format!("{} over {}", number(*last), number(*first)), lines.iter().map(of_line).collect());
    }
    text
}
