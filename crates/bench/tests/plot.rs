//! Charts are well-formed, show what they are given, and are the same each time.

use std::collections::BTreeSet;

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

fn all() -> [String; 4] {
    [growth().svg(), model().svg(), costs().svg(), latencies().svg()]
}

/// The values of an attribute, wherever it stands.
fn attributes<'a>(svg: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("{name}=\"");
    svg.split(&begin).skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

#[test]
fn a_chart_is_the_same_each_time() {
    assert_eq!(all(), all());
}

#[test]
fn a_chart_stands_on_opaque_white() {
    for svg in all() {
        let background = svg.split("<rect ").nth(1).unwrap();
        let whole = format!(
            "width=\"{}\" height=\"{}\"",
            attributes(&svg, "width")[0],
            attributes(&svg, "height")[0]
        );
        assert!(
            background.contains(&whole) && background.contains("opacity=\"1\" fill=\"#FFFFFF\""),
            "{background}"
        );
    }
}

#[test]
fn no_text_is_smaller_than_12_pixels() {
    for svg in all() {
        let sizes: Vec<f64> =
            attributes(&svg, "font-size").iter().map(|size| size.parse().unwrap()).collect();
        assert!(sizes.len() > 8 && sizes.iter().all(|size| *size > 11.9), "{sizes:?}");
    }
}

/// Nothing that is drawn lies outside, and so is cut off; of texts only where they begin is known.
#[test]
fn nothing_is_drawn_outside_the_picture() {
    for svg in all() {
        let [width, height] =
            ["width", "height"].map(|name| attributes(&svg, name)[0].parse::<i32>().unwrap());
        for (names, most) in [(["x", "x1", "x2", "cx"], width), (["y", "y1", "y2", "cy"], height)] {
            for name in names {
                for value in attributes(&svg, &format!(" {name}")) {
                    let value: i32 = value.parse().unwrap();
                    assert!((0..=most).contains(&value), "{name}={value} of {most}");
                }
            }
        }
        for point in attributes(&svg, "points").iter().flat_map(|points| points.split_whitespace()) {
            let (x, y) = point.split_once(',').unwrap();
            assert!((0..=width).contains(&x.parse().unwrap()), "{point}");
            assert!((0..=height).contains(&y.parse().unwrap()), "{point}");
        }
    }
}

/// Each chart is parsed: every element ends, and no name of a series opens one.
#[test]
fn names_are_escaped_and_every_element_ends() {
    assert!(growth().svg().contains("bare Envoy &lt;route&gt; &amp; &quot;more&quot;"));
    for svg in all() {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1).map(|rest| rest.split_once('>').unwrap().0) {
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split_whitespace().next().unwrap());
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}

#[test]
fn axes_title_and_every_series_are_named() {
    let chart = model();
    let svg = chart.svg();
    let names = chart.series.iter().map(|series| &series.name);
    for text in [&chart.title, &chart.x.label, &chart.y.label].into_iter().chain(names) {
        assert_eq!(svg.matches(&format!("\n{text}\n")).count(), 1, "{text}");
    }
    for mark in ["1", "10", "100", "1,000", "10,000"] {
        assert!(svg.contains(&format!("\n{mark}\n")), "{mark}");
    }
}

#[test]
fn the_legend_stands_above_the_lines() {
    let svg = growth().svg();
    let place = |text: &str| -> i32 {
        let (before, _) = svg.split_once(text).unwrap();
        attributes(before, " y").last().unwrap().parse().unwrap()
    };
    let lowest = growth().series.iter().skip(3).map(|series| place(&series.name)).max().unwrap();
    let highest = place("\n120\n");
    assert!(lowest + 13 < highest, "{lowest}, {highest}");
}

#[test]
fn points_have_the_colour_of_the_line_before_them_and_lines_have_different_ones() {
    let colors = |lines: &Lines| -> BTreeSet<String> {
        let svg = lines.svg();
        let all = attributes(&svg, "fill").into_iter().chain(attributes(&svg, "stroke"));
        let greys = ["none", "#FFFFFF", "#000000", "#666666"];
        all.filter(|color| !greys.contains(color)).map(str::to_owned).collect()
    };
    assert_eq!(colors(&model()).len(), 2);
    assert_eq!(colors(&growth()).len(), 5);
}

#[test]
fn what_has_no_place_on_an_axis_by_powers_of_ten_is_left_out() {
    let with = |points: Vec<(f64, f64)>| {
        let mut lines = model();
        lines.series = vec![Series { name: "one".to_owned(), points, ..Series::default() }];
        lines.svg()
    };
    let plain = with(vec![(1., 1.), (10., 10.)]);
    assert_eq!(with(vec![(0., 5.), (1., 1.), (5., 0.), (5., f64::NAN), (10., 10.)]), plain);
}

#[test]
fn a_chart_of_nothing_is_a_chart() {
    for svg in [Lines::default().svg(), Bars::default().svg()] {
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    }
}

#[test]
fn a_bar_begins_at_0_and_says_its_value() {
    let svg = costs().svg();
    let bars: Vec<(i32, i32)> = svg
        .split("<rect ")
        .filter(|bar| bar.contains("opacity=\"0.75\""))
        .map(|bar| (attributes(bar, "x")[0].parse().unwrap(), attributes(bar, "width")[0].parse().unwrap()))
        .skip(3)
        .collect();
    assert_eq!(bars.len(), 4);
    assert!(bars.iter().all(|(x, _)| *x == bars[0].0), "{bars:?}");
    assert!((f64::from(bars[3].1) / f64::from(bars[0].1) - 250. / 55.).abs() < 0.05, "{bars:?}");
    for value in ["55", "66", "70.1", "250"] {
        assert!(svg.contains(&format!("\n{value}\n")), "{value}");
    }
}
