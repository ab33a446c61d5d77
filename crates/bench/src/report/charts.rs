//! The report's charts.

use std::collections::BTreeSet;

use crate::bars::{Bar, Bars, Row};
use crate::plot::{Axis, Lines, Scale, Series};
use crate::stats::{Estimate, ratio};

use super::Data;
use super::variants::{self, CPU, Experiment, Kind};

/// Where they are, below docs/.
pub(super) const FOLDER: &str = "benchmarks";

/// A chart and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Its file's, without `.svg`.
    pub(super) name: String,
    /// What it shows, for those who do not see it. The tables beside it have the numbers.
    alt: String,
    pub(super) svg: String,
}

impl Chart {
    /// Below docs/.
    pub(super) fn path(&self) -> String {
        format!("{FOLDER}/{}.svg", self.name)
    }

    pub(super) fn markdown(&self) -> String {
        format!("![{}]({})\n", self.alt.replace(['[', ']'], ""), self.path())
    }
}

/// All that there are values for.
pub(super) fn all(data: &Data) -> Vec<Chart> {
    let comparisons = [cpu(data), throughput(data), latency(data)];
    let growth = variants::experiments(data).into_iter().filter_map(|experiment| growth(data, &experiment));
    comparisons.into_iter().flatten().chain(growth).collect()
}

fn bar(kind: usize, estimate: Estimate) -> Bar {
    Bar {
        kind,
        value: estimate.median,
        interval: estimate.interval.map(|interval| (interval.low, interval.high)),
    }
}

fn axis(label: &str, scale: Scale) -> Axis {
    Axis { label: label.to_owned(), scale }
}

/// One bar for each variant that there is an estimate of.
fn bars(
    data: &Data,
    name: &str,
    title: &str,
    label: &str,
    estimate: impl Fn(&str) -> Option<Estimate>,
) -> Option<Chart> {
    let rows: Vec<_> = variants::measured(data)
        .into_iter()
        .filter_map(|variant| {
            let bars = vec![bar(variant.kind as usize, estimate(variant.name)?)];
            Some(Row { name: variant.title.to_owned(), bars })
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let chart = Bars {
        title: title.to_owned(),
        x: axis(label, Scale::Linear),
        legend: Kind::LEGEND.map(str::to_owned).into(),
        rows,
    };
    Some(Chart { name: name.to_owned(), alt: format!("Bars: {title}, by variant"), svg: chart.svg() })
}

fn cpu(data: &Data) -> Option<Chart> {
    let of = |variant: &str| data.rounds(variant, 0., CPU);
    let bare = of("bare");
    bars(
        data,
        "cpu",
        "CPU per request of the proxy's processes, over bare Envoy",
        "times bare Envoy in the same round; less is better",
        |variant| ratio(&of(variant), &bare),
    )
}

fn throughput(data: &Data) -> Option<Chart> {
    bars(
        data,
        "throughput",
        "Requests per second on one core",
        "requests per second; more is better",
        |variant| data.estimate(variant, "requests_per_s"),
    )
}

fn latency(data: &Data) -> Option<Chart> {
    let metrics = ["p50_us", "p99_us", "p999_us"];
    let row = |variant: variants::Variant<'_>| {
        let estimate = |(kind, metric): (usize, &&str)| Some(bar(kind, data.estimate(variant.name, metric)?));
        let bars: Vec<_> = metrics.iter().enumerate().filter_map(estimate).collect();
        (!bars.is_empty()).then(|| Row { name: variant.title.to_owned(), bars })
    };
    let rows: Vec<_> = variants::measured(data).into_iter().filter_map(row).collect();
    if rows.is_empty() {
        return None;
    }
    let title = "Latency at a fixed rate";
    let chart = Bars {
        title: title.to_owned(),
        x: axis("µs from when the request was due; less is better", Scale::Logarithmic),
        legend: ["p50", "p99", "p99.9"].map(str::to_owned).into(),
        rows,
    };
    let alt = format!("Marks: {title}, p50, p99 and p99.9 by variant");
    Some(Chart { name: "latency".to_owned(), alt, svg: chart.svg() })
}

fn growth(data: &Data, experiment: &Experiment<'_>) -> Option<Chart> {
    let line = |(variant, name): (String, &str)| {
        let at = |x| Some((x, Estimate::of(&data.values(&variant, x, experiment.metric))?));
        let estimates: Vec<_> = data.xs(&variant, experiment.metric).into_iter().filter_map(at).collect();
        let points = estimates.iter().map(|(x, estimate)| (*x, estimate.median)).collect();
        // Either all have one, or none is drawn: which point it belongs to is its place in the list.
        let interval =
            |(_, estimate): &(f64, Estimate)| Some((estimate.interval?.low, estimate.interval?.high));
        let intervals = estimates.iter().map(interval).collect::<Option<_>>().unwrap_or_default();
        Series { name: variants::line(name).to_owned(), points, intervals, is_dots: false }
    };
    let lines = data.lines(experiment.name);
    let series: Vec<_> = lines.into_iter().map(line).filter(|series| !series.points.is_empty()).collect();
    let xs: Vec<f64> = series.iter().flat_map(|series| &series.points).map(|(x, _)| *x).collect();
    // Two points and less are said by the table.
    if xs.iter().map(|x| x.to_bits()).collect::<BTreeSet<_>>().len() < 3 {
        return None;
    }
    let (low, high) = (xs.iter().copied().reduce(f64::min)?, xs.iter().copied().reduce(f64::max)?);
    // Memory grows evenly with what it holds: on an even axis that is a straight line.
    let is_memory = experiment.metric == variants::MEMORY;
    let scale = if !is_memory && low > 0. && high / low >= 20. { Scale::Logarithmic } else { Scale::Linear };
    let unit = match experiment.metric {
        variants::MEMORY => "resident memory of Envoy (MiB)",
        variants::START => "ms",
        _ => "CPU per request (µs)",
    };
    let chart = Lines {
        title: experiment.title.to_owned(),
        x: axis(experiment.x, scale),
        y: axis(unit, Scale::Linear),
        series,
    };
    Some(Chart {
        name: experiment.chart_name(),
        alt: format!("Lines: {}", experiment.title),
        svg: chart.svg(),
    })
}
