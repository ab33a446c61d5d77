//! The tables themselves.

use std::fmt::Write as _;

use crate::experiments::{Point, capacity::PATIENCE};
use crate::model::{Pair, probe_pause};

/// The numbers that the rules of thumb are made of.
pub(super) fn rules() -> String {
    let busy = Pair { rate: 1e6, allow: 1.0 };
    let often = |ratio: f64| {
        let used = (1..1000_u32).map(|tenths| f64::from(tenths) / 10.0);
        used.into_iter().find(|used| Pair { rate: *used, allow: 1.0 }.hit_ratio() >= ratio)
    };
    let mut table = "| | |\n|---|---|\n".to_owned();
    let mut row = |what: &str, value: String| writeln!(table, "| {what} | {value} |").expect(MEMORY);
    row(
        "from one check to the next, of a token in steady use at a worker",
        format!("{:.2} × `allow`", busy.cycle()),
    );
    for ratio in [0.9, 0.99, 0.999] {
        let used = often(ratio).expect("before a hundred");
        row(
            &format!(
                "requests with a token at one worker within `allow`, for a hit ratio of {} %",
                ratio * 100.0
            ),
            format!("{used:.1}"),
        );
    }
    row(
        "a withdrawn token in steady use passes at a worker, on average",
        format!("{:.2} × `allow`", busy.mean_time_to_revoke()),
    );
    row("and at the last of 4,000 workers", format!("{:.2} × `allow`", busy.time_to_revoke_at_all(4000.0)));
    row("each worker's checks in an outage", format!("one in {:.1} s", probe_pause()));
    let wave = Pair { rate: 1e6, allow: 30.0 }.cycle() / probe_pause();
    row(
        "the wave when the service is back, with the defaults",
        format!("{wave:.1} × the steady rate, for 4.5 s"),
    );
    table
}

/// Writing to a string cannot fail.
const MEMORY: &str = "there is memory";

const ALLOW: f64 = 30.0;
const STALE_IF_ERROR: f64 = 300.0;

/// What the example computes with.
#[derive(Clone, Copy)]
struct Plan {
    gateways: f64,
    workers: f64,
    tokens: f64,
    requests: f64,
    allow: f64,
}

impl Plan {
    const EXAMPLE: Self = Self { gateways: 20.0, workers: 4.0, tokens: 50.0, requests: 3000.0, allow: ALLOW };

    fn pairs(self) -> f64 {
        self.gateways * self.workers * self.tokens
    }

    fn pair(self) -> Pair {
        Pair { rate: self.requests / self.pairs(), allow: self.allow }
    }

    fn checks(self) -> f64 {
        self.pairs() * self.pair().checks()
    }

    fn after_outage(self) -> f64 {
        self.pairs() / probe_pause()
    }
}

pub(super) fn example() -> String {
    let plan = Plan::EXAMPLE;
    let Plan { gateways, workers, tokens, requests, allow } = plan;
    let pair = plan.pair();
    let all = gateways * workers;
    let mut text = "```text\n".to_owned();
    let mut line = |what: &str, formula: String| writeln!(text, "{what:34}{formula}").expect(MEMORY);
    line("pairs", format!("{gateways} · {workers} · {tokens} = {}", plan.pairs()));
    line("λ, requests per second and pair", format!("{requests} / {} = {:.3}", plan.pairs(), pair.rate));
    line("λ L, requests per pair in allow", format!("{:.3} · {allow} = {:.1}", pair.rate, pair.rate * allow));
    line(
        "C, seconds from check to check",
        format!("0.85 · {allow} + e^(-λ · 0.85 · {allow}) / λ = {:.1}", pair.cycle()),
    );
    line("checks per second", format!("{} / {:.1} = {:.0}", plan.pairs(), pair.cycle(), plan.checks()));
    line("hit ratio", format!("1 - e^(-λL) / (λ C) = {}", percent(pair.hit_ratio())));
    line("a withdrawn token, one worker", format!("{:.1} s on average", pair.mean_time_to_revoke()));
    line(
        &format!("and the last of {all}"),
        format!("{:.1} s on average, {allow} s at most", pair.time_to_revoke_at_all(all)),
    );
    line(
        "a gateway restarts",
        format!(
            "{workers} · {tokens} = {} checks, nearly all within {:.0} s",
            workers * tokens,
            (3.0 / pair.rate).min(allow)
        ),
    );
    line(
        "all restart at the same moment",
        format!(
            "{} · (1 - e^-λ) = {:.0} checks in the first second",
            plan.pairs(),
            plan.pairs() * (1.0 - (-pair.rate).exp())
        ),
    );
    line("an outage", format!("{all} / 4.5 = {:.0} checks per second", all / probe_pause()));
    line(
        "it is back",
        format!("{} / 4.5 = {:.0} checks per second, for 4.5 s", plan.pairs(), plan.after_outage()),
    );
    text.push_str("```\n");
    text
}

pub(super) fn by_gateways(curves: &[(String, Vec<Point>)]) -> String {
    let mut table = "| gateways |".to_owned();
    for (name, _) in curves {
        write!(table, " {name}: model | simulated |").expect(MEMORY);
    }
    table.push_str("\n|---|");
    table.push_str(&"---|---|".repeat(curves.len()));
    table.push('\n');
    let rows = curves.first().map_or(0, |(_, points)| points.len());
    for row in 0..rows {
        write!(table, "| {} |", curves[0].1[row].x).expect(MEMORY);
        for (_, points) in curves {
            let point = points[row];
            write!(table, " {} | {} |", short(point.model.unwrap_or(f64::NAN)), short(point.simulated))
                .expect(MEMORY);
        }
        table.push('\n');
    }
    table
}

pub(super) fn hit_ratio(curves: &[(String, Vec<Point>)]) -> String {
    let mut points: Vec<_> = curves.iter().flat_map(|(_, points)| points).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points.dedup_by(|a, b| a.x == b.x);
    let mut table =
        "| requests with a token at one worker within `allow` | model | simulated |\n|---|---|---|\n"
            .to_owned();
    for point in points.iter().filter(|point| point.x <= 50.0) {
        let model = percent(point.model.unwrap_or(f64::NAN));
        writeln!(table, "| {} | {model} | {} |", short(point.x), percent(point.simulated)).expect(MEMORY);
    }
    table
}

pub(super) fn revoke() -> String {
    let mut table = "| `allow` | requests with the token at each worker | one worker, on average | the last of 4 | of 80 | of 4,000 | never after |\n\
                     |---|---|---|---|---|---|---|\n"
        .to_owned();
    for allow in [5.0, 10.0, 30.0, 120.0] {
        for rate in [1.0, 1.0 / 60.0] {
            let pair = Pair { rate, allow };
            let last = |workers| pair.time_to_revoke_at_all(workers);
            writeln!(
                table,
                "| {} | one in {} s | {:.1} s | {:.1} s | {:.1} s | {:.1} s | {} + 3 s |",
                duration(allow),
                (1.0 / rate).round(),
                pair.mean_time_to_revoke(),
                last(4.0),
                last(80.0),
                last(4000.0),
                duration(allow),
            )
            .expect(MEMORY);
        }
    }
    table
}

pub(super) fn restart(curves: &[(String, Vec<Point>)]) -> String {
    let mut table =
        "| restarts | most checks per second, over 2 s: model | simulated |\n|---|---|---|\n".to_owned();
    for (name, points) in curves {
        let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(0.0, f64::max);
        let (model, simulated) = (most(|point| point.model.unwrap_or(0.0)), most(|point| point.simulated));
        writeln!(table, "| {name} | {} | {} |", short(model), short(simulated)).expect(MEMORY);
    }
    table
}

pub(super) fn outage() -> String {
    let mut table = "| each token at each worker | at its beginning | after 1 min | 4 min | 5 min | 5 min 15 s | 5 min 30 s |\n|---|---|---|---|---|---|---|\n".to_owned();
    for between in [1.0, 10.0, 60.0, 600.0, 3600.0] {
        let pair = Pair { rate: 1.0 / between, allow: ALLOW };
        write!(table, "| every {} |", duration(between)).expect(MEMORY);
        for since in [0.0, 60.0, 240.0, 300.0, 315.0, 330.0] {
            write!(table, " {} |", percent(pair.passes_in_outage(since, STALE_IF_ERROR))).expect(MEMORY);
        }
        table.push('\n');
    }
    table
}

pub(super) fn capacity(curves: &[(String, Vec<Point>)]) -> String {
    let mut table = "| checks per second for each 1,000 pairs |".to_owned();
    for (name, _) in curves {
        write!(table, " {name} |").expect(MEMORY);
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(curves.len()));
    table.push('\n');
    for row in 0..curves.first().map_or(0, |(_, points)| points.len()) {
        write!(table, "| {} |", short(curves[0].1[row].x)).expect(MEMORY);
        for (_, points) in curves {
            let seconds = points[row].simulated;
            let never = seconds > PATIENCE - 10.0;
            let text = match seconds {
                0.0 => "nobody notices".to_owned(),
                _ if never => "not within 3 min".to_owned(),
                _ => format!("{seconds:.0} s"),
            };
            write!(table, " {text} |").expect(MEMORY);
        }
        table.push('\n');
    }
    table
}

/// What turning does to the example.
pub(super) fn knobs() -> String {
    let plan = Plan::EXAMPLE;
    let rows = [
        ("as above", plan),
        ("`allow` 10 s", Plan { allow: 10.0, ..plan }),
        ("`allow` 2 min", Plan { allow: 120.0, ..plan }),
        ("half of the tokens listed in `tokens`", Plan { tokens: 25.0, requests: 1500.0, ..plan }),
        ("ten times as many gateways", Plan { gateways: 200.0, ..plan }),
        ("two workers for each gateway", Plan { workers: 2.0, ..plan }),
    ];
    let mut table = "| | checks per second | hit ratio | the last worker refuses after | checks per second when the service is back |\n|---|---|---|---|---|\n".to_owned();
    for (name, plan) in rows {
        let pair = plan.pair();
        writeln!(
            table,
            "| {name} | {} | {} | {:.1} s | {} |",
            short(plan.checks()),
            percent(pair.hit_ratio()),
            pair.time_to_revoke_at_all(plan.gateways * plan.workers),
            short(plan.after_outage()),
        )
        .expect(MEMORY);
    }
    table
}

/// Three digits, or as many as stand before the point.
fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn percent(share: f64) -> String {
    // What is not all is not shown as all.
    if share >= 0.9995 {
        let places = if share >= 0.9999 { "over 99.99" } else { "over 99.9" };
        return format!("{places} %");
    }
    format!("{:.1} %", share * 100.0)
}

fn duration(seconds: f64) -> String {
    if seconds >= 60.0 { format!("{} min", seconds / 60.0) } else { format!("{seconds} s") }
}
