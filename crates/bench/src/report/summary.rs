//! What the terminal shows at the end of a run.

use std::io::stdout;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::plot::number;
use crate::results::{Machine, Sample};
use crate::stats::{Estimate, ratio};

use super::Data;
use super::tables::{bound, measured};
use super::targets::{TARGETS, Verdict};
use super::variants::{self, CPU};

const HEAD: Style = Style::new().bold();
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green))).bold();
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();
const UNSURE: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow))).bold();
const PLAIN: Style = Style::new();
/// The medians in a table, and which targets are met; of any run's samples. With colours only if standard output is a
/// terminal, and `NO_COLOR` is not set.
pub fn summary(samples: &[Sample], machine: &Machine) -> String {
    let text = styled(&Data { samples: samples.to_vec(), machine: machine.clone() });
    match AutoStream::choice(&stdout()) {
        ColorChoice::Never => anstream::adapter::strip_str(&text).to_string(),
        _ => text,
    }
}

fn styled(data: &Data) -> String {
    let mut text = String::new();
    let Machine { cpu, date, revision, .. } = &data.machine;
    text += &format!("{cpu}, {date}, commit {revision}\n");
    let tables = [comparison(data), growth(data), verdicts(data)];
    for rows in tables.iter().filter(|rows| rows.len() > 1) {
        text += "\n";
        text += &aligned(rows);
    }
    text
}

/// A cell, and how it looks.
type Cell = (String, Style);

fn plain(text: impl Into<String>) -> Cell {
    (text.into(), PLAIN)
}

fn heads(names: &[&str]) -> Vec<Cell> {
    names.iter().map(|name| ((*name).to_owned(), HEAD)).collect()
}

/// Rows with all columns as wide as they must be: the first, and those of words, begin at the left.
fn aligned(rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|(text, _)| text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, ((cell, style), width)) in row.iter().zip(&widths).enumerate() {
            let fill = " ".repeat(width - cell.chars().count());
            // Verdicts are words, and the last in their line.
            let is_word = column == 0 || column == 4 && columns == 5;
            let (before, after) = if is_word { ("", fill.as_str()) } else { (fill.as_str(), "") };
            let gap = if column == 0 { "" } else { "  " };
            line += &format!("{gap}{before}{style}{cell}{style:#}{after}");
        }
        text += &format!("{}\n", line.trim_end());
    }
    text
}

/// A value, and how far its interval goes at most, in per cent of it.
fn value(estimate: Option<Estimate>) -> Cell {
    let Some(estimate) = estimate else { return plain("–") };
    let far = estimate.interval.filter(|interval| interval.low < interval.high).map(|interval| {
        let far = (interval.high - estimate.median).max(estimate.median - interval.low);
        format!(" ±{:.1} %", 100. * far / estimate.median)
    });
    plain(number(estimate.median) + &far.unwrap_or_default())
}

fn comparison(data: &Data) -> Vec<Vec<Cell>> {
    let names =
        ["", "CPU µs/request", "over bare", "requests/s", "p50 µs", "p99 µs", "callouts/request", "MiB"];
    let bare = data.rounds("bare", 0., CPU);
    let row = |variant: variants::Variant<'_>| {
        let of = |metric| data.estimate(variant.name, metric);
        let over = ratio(&data.rounds(variant.name, 0., CPU), &bare);
        let median =
            |estimate: Option<Estimate>| plain(estimate.map_or("–".to_owned(), |e| number(e.median)));
        vec![
            plain(variant.title),
            value(of(CPU)),
            plain(over.map_or("–".to_owned(), |ratio| format!("{:.3}", ratio.median))),
            value(of("requests_per_s")),
            value(of("p50_us")),
            median(of("p99_us")),
            median(of("callouts_per_request")),
            median(of("rss_mib")),
        ]
    };
    let rows = variants::measured(data).into_iter().filter(|v| data.estimate(v.name, CPU).is_some());
    std::iter::once(heads(&names)).chain(rows.map(row)).collect()
}

fn growth(data: &Data) -> Vec<Vec<Cell>> {
    let mut rows = vec![heads(&["", "at", "measured"])];
    for experiment in variants::experiments(data) {
        for (variant, name) in data.lines(experiment.name) {
            for x in data.xs(&variant, experiment.metric) {
                let measured = value(Estimate::of(&data.values(&variant, x, experiment.metric)));
                let title = format!("{}: {}", experiment.title, variants::line(name));
                rows.push(vec![plain(title), plain(number(x)), measured]);
            }
        }
    }
    rows
}

fn verdicts(data: &Data) -> Vec<Vec<Cell>> {
    let mut rows = vec![heads(&["", "target", "measured", "interval", "verdict"])];
    for target in TARGETS {
        let Some(estimate) = target.estimate(data) else { continue };
        let (word, style) = match target.verdict(&estimate) {
            Verdict::Met => ("met", GOOD),
            Verdict::NotMet => ("not met", BAD),
            Verdict::Undecided { .. } => ("undecided: the bound is inside the interval", UNSURE),
            Verdict::TooFew { .. } => ("undecided: too few rounds for an interval", UNSURE),
        };
        let [median, interval] = measured(target, &estimate);
        let cells = [target.what.to_owned(), bound(target), median, interval].map(plain);
        rows.push(cells.into_iter().chain([(word.to_owned(), style)]).collect());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_has_a_colour_and_that_takes_no_room() {
        let met = ("met".to_owned(), GOOD);
        let rows = [vec![plain("a"), plain("1"), met], vec![plain("bb"), plain("10"), plain("not met")]];
        let text = aligned(&rows);
        let (coloured, uncoloured) = text.split_once('\n').unwrap();
        assert_eq!(coloured, format!("a    1      {GOOD}met{GOOD:#}"));
        assert_eq!(uncoloured.trim_end(), "bb  10  not met");
    }
}
