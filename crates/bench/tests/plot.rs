//! Charts are well-formed, show what they are given, and are the same each time.

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

#[test]
fn print() {
    std::fs::write("/tmp/a.svg", growth().svg()).unwrap();
    std::fs::write("/tmp/b.svg", model().svg()).unwrap();
}
