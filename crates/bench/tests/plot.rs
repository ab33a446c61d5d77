//! Charts are well-formed, show what they are given, and are the same each time.

use bench::bars::{Bar, Bars, Row};
use bench::plot::{Axis, Lines, Scale, Series};

fn growth() -> Lines {
    let line = |name: &str, base: f64, slope: f64| {
        let points: Vec<_> = [10., 30., 100., 300., 1000.].map(|x: f64| (x, base + slope * x.ln())).into();
        let intervals = points.iter().map(|(_, y)| (y - 1.5, y + 2.)).collect();
        Series { name: name.to_owned(), points, intervals, is_dots: false }
    };
    Lines {
        title: "CPU per request against routes".to_owned(),
        x: Axis { label: "routes".to_owned(), scale: Scale::Logarithmic },
        y: Axis { label: "CPU per request (µs)".to_owned(), scale: Scale::Linear },
        series: vec![
            line("keptn-gateway, cache hit", 70., 0.3),
            line("filter that does nothing", 62., 0.1),
            line("bare Envoy <route> & \"more\"", 50., 0.),
            line("another", 90., 4.),
            line("yet another one with a long name", 20., 3.),
        ],
    }
}

fn model() -> Lines {
    let curve = |name: &str, rate: f64| Series {
        name: name.to_owned(),
        points: (0..=100)
            .map(|i| (10_f64.powf(f64::from(i) * 0.03), rate * 10_f64.powf(f64::from(i) * 0.03)))
            .collect(),
        intervals: (0..=100)
            .map(|i| 10_f64.powf(f64::from(i) * 0.03))
            .map(|x| (rate * x * 0.7, rate * x * 1.3))
            .collect(),
        is_dots: false,
    };
    let dots = |name: &str, rate: f64| Series {
        name: name.to_owned(),
        points: [1., 10., 100., 1000.].map(|x| (x, rate * x * 1.05)).into(),
        intervals: Vec::new(),
        is_dots: true,
    };
    Lines {
        title: "Checks per second at the auth service".to_owned(),
        x: Axis { label: "gateways".to_owned(), scale: Scale::Logarithmic },
        y: Axis { label: "checks per second".to_owned(), scale: Scale::Logarithmic },
        series: vec![
            curve("100 tokens, model", 0.5),
            dots("100 tokens, simulated", 0.5),
            curve("1,000 tokens, model", 4.),
            dots("1,000 tokens, simulated", 4.),
        ],
    }
}

fn costs() -> Bars {
    let row = |name: &str, kind, value: f64| Row {
        name: name.to_owned(),
        bars: vec![Bar { kind, value, interval: Some((value * 0.97, value * 1.05)) }],
    };
    Bars {
        title: "CPU per request".to_owned(),
        x: Axis { label: "CPU per request (µs), less is better".to_owned(), scale: Scale::Linear },
        legend: ["keptn-gateway", "for comparison", "alternatives"].map(str::to_owned).into(),
        rows: vec![
            row("bare Envoy", 1, 55.),
            row("filter that does nothing", 1, 66.),
            row("cache hit", 0, 70.123),
            row("Envoy → nginx auth_request → service", 2, 250.),
        ],
    }
}

fn latencies() -> Bars {
    let row = |name: &str, value: f64| Row {
        name: name.to_owned(),
        bars: (0..3)
            .map(|kind| (kind, value * 4_f64.powi(kind as i32)))
            .map(|(kind, value)| Bar { kind, value, interval: Some((value * 0.9, value * 1.2)) })
            .collect(),
    };
    Bars {
        title: "Latency at 2,000 requests per second".to_owned(),
        x: Axis { label: "latency (µs)".to_owned(), scale: Scale::Logarithmic },
        legend: ["p50", "p99", "p99.9"].map(str::to_owned).into(),
        rows: vec![row("bare Envoy", 155.), row("cache hit", 170.), row("ext_authz", 310.)],
    }
}

#[test]
fn print() {
    std::fs::write("/tmp/c.svg", costs().svg()).unwrap();
    std::fs::write("/tmp/d.svg", latencies().svg()).unwrap();
    std::fs::write("/tmp/a.svg", growth().svg()).unwrap();
    std::fs::write("/tmp/b.svg", model().svg()).unwrap();
}
