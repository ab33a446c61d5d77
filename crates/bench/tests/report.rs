//! The report says what the files say, no more and no less. The numbers here are made up.

use std::fs;
use std::path::Path;

use bench::report::{self, Data, summary};
use bench::results::{Machine, Sample, write, write_machine};

const ROUNDS: u32 = 12;

/// Between -1 and 1, always the same for the same round; not in order.
fn noise(round: u32) -> f64 {
    f64::from((round * 5) % ROUNDS) / f64::from(ROUNDS) * 2. - 0.9
}

/// Values around `value`, each round off by its own up to `scatter` of it.
fn around(variant: &str, x: f64, metric: &str, value: f64, scatter: f64) -> Vec<Sample> {
    let sample = |round| Sample {
        variant: variant.to_owned(),
        x,
        round,
        metric: metric.to_owned(),
        value: value * (1. + scatter * noise(round)),
    };
    (1..=ROUNDS).map(sample).collect()
}

/// CPU per request (µs) and requests per second; all slow in the same rounds, and each scatters a little by itself.
const VARIANTS: [(&str, f64, f64); 9] = [
    ("bare", 50., 16000.),
    ("do_nothing", 60., 13500.),
    ("hit", 62., 13000.),
    ("refused", 40., 20000.),
    ("lua", 58., 14000.),
    ("ext_authz", 100., 8000.),
    ("chain", 190., 5000.),
    ("nginx_cached", 30., 27000.),
    ("another", 70., 10000.),
];

fn comparison() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (variant, cpu, throughput) in VARIANTS {
        samples.extend(around(variant, 0., "cpu_us_per_request", cpu, 0.2));
        samples.extend(around(variant, 0., "requests_per_s", throughput, 0.1));
        for (metric, times) in [("p50_us", 3.), ("p99_us", 12.), ("p999_us", 60.)] {
            samples.extend(around(variant, 0., metric, cpu * times, 0.05));
        }
    }
    // Against Lua it is decided by no interval: the ratios lie around the bound.
    for sample in samples.iter_mut().filter(|s| s.variant == "lua" && s.metric == "cpu_us_per_request") {
        sample.value *= if sample.round % 2 == 0 { 1.02 } else { 0.98 };
    }
    samples.push(Sample {
        variant: "hit".to_owned(),
        x: 0.,
        round: 0,
        metric: "hostcalls_per_request".to_owned(),
        value: 8.,
    });
    samples.extend(around("burst", 0., "callouts_per_burst", 1., 0.));
    samples
}

fn growth() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (x, cpu) in [(10., 62.), (100., 63.), (1000., 70.)] {
        samples.extend(around("routes/ours", x, "cpu_us_per_request", cpu, 0.02));
        samples.extend(around("routes/do_nothing", x, "cpu_us_per_request", 60., 0.02));
    }
    for (x, memory) in [(0., 60.), (10000., 64.), (20000., 68.)] {
        samples.extend(around("memory_tokens/ours", x, "rss_mib", memory, 0.01));
    }
    samples.extend(around("memory_full/ours", 20480., "rss_mib", 68., 0.01));
    samples.extend(around("memory_full/do_nothing", 20480., "rss_mib", 62., 0.01));
    for (x, ours, nothing) in [(1., 61., 61.), (8., 64.5, 68.)] {
        samples.extend(around("memory_workers/ours", x, "rss_mib", ours, 0.));
        samples.extend(around("memory_workers/do_nothing", x, "rss_mib", nothing, 0.));
    }
    for (x, ms) in [(0., 40.), (1000., 45.)] {
        samples.extend(around("start/ours", x, "start_ms", ms, 0.1));
    }
    samples
}

fn machine() -> Machine {
    Machine {
        date: "2026-01-02".to_owned(),
        cpu: "made-up processor".to_owned(),
        cores: 2,
        memory_mib: 4096,
        system: "Linux 0".to_owned(),
        revision: "0000000".to_owned(),
        plugin_bytes: 500_000,
        plugin_gzip_bytes: 200_001,
        versions: [("Envoy".to_owned(), "0.0.0".to_owned())].into(),
        settings: [("connections".to_owned(), "16".to_owned())].into(),
    }
}

/// A folder as a run leaves it, and what the report makes of it.
struct Written {
    folder: tempfile::TempDir,
    page: String,
}

fn written(growth: Option<Vec<Sample>>) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let [data, docs] = ["data", "docs"].map(|name| folder.path().join(name));
    fs::create_dir(&data).unwrap();
    write(&data.join("samples.csv"), &comparison()).unwrap();
    write_machine(&data.join("machine.json"), &machine()).unwrap();
    if let Some(growth) = growth {
        write(&data.join("growth.csv"), &growth).unwrap();
    }
    report::write(&data, &docs).unwrap();
    let page = fs::read_to_string(docs.join("benchmarks.md")).unwrap();
    Written { folder, page }
}

impl Written {
    fn charts(&self) -> Vec<String> {
        names(&self.folder.path().join("docs/benchmarks"))
    }

    /// The lines that begin so.
    fn line(&self, begin: &str) -> &str {
        let line = self.page.lines().find(|line| line.starts_with(begin));
        line.unwrap_or_else(|| panic!("no line begins with {begin:?} in {}", self.page))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn each_target_says_what_was_measured_and_whether_it_is_met() {
    let written = written(Some(growth()));
    let memory = "| … and of the whole Envoy with one worker, V8's compiled code included | ≤ 8 MiB |";
    assert_eq!(written.line(memory), format!("{memory} 6.001 | 5.966 to 6.036 | met |  |"));
    // With full caches 7 and 1 more than without, and half a MiB and one for each worker more.
    let vm =
        "| memory of one more VM with both halves of the cache full, over one that does nothing | ≤ 8 MiB |";
    assert_eq!(written.line(vm), format!("{vm} 5.501 | 5.466 to 5.536 | met |  |"));
    for line in [
        "| cache hit, CPU per request over bare Envoy | ≤ 1.27 × | 1.240 | 1.240 to 1.240 | met | 1.37 |",
        "| … over Lua comparing a header | ≤ 1.07 × | 1.069 | 1.048 to 1.091 | **undecided**: the median is on the right \
         side, the interval on both | 1.15 |",
        "| cache hit, p50 over ext_authz | ≤ 0.6 × | 0.620 | 0.620 to 0.620 | **not met** |  |",
        "| refused without a token, throughput over ext_authz that refuses too | ≥ 2 × | – | – | not measured: \
         `./build.sh bench` does |  |",
        "| 1,000 routes over 10, CPU per request | ≤ 1.05 × | 1.129 | 1.129 to 1.129 | **not met** |  |",
        "| plugin, gzipped | ≤ 200,000 bytes | 200,001 | – | **not met** |  |",
        "| … and in one that has to be started, with the plugin to compile | ≤ 50 ms | 40.07 | 37.73 to 42.4 | met |  |",
    ] {
        let begin = line.split_once("| ").and_then(|(_, rest)| rest.split_once(" |")).unwrap().0;
        assert_eq!(written.line(&format!("| {begin} |")), line);
    }
}

#[test]
fn every_variant_and_every_metric_stands_in_the_report() {
    let written = written(Some(growth()));
    for title in ["bare Envoy", "cache hit", "Envoy → nginx", "nginx, cached", "another"] {
        assert!(written.page.matches(&format!("\n| {title} | ")).count() >= 3, "{title}");
    }
    assert!(written.line("| burst | `callouts_per_burst`").ends_with("| 1 |"));
    assert!(written.page.contains("| made-up processor, 2 cores |"));
    assert!(written.page.contains("  - of 12 rounds: from value 3 to value 10 by size, at 96.1 %\n"));
    assert!(written.page.contains("| 1,000 over 10 | 1.129 | 1.000 |\n"), "{}", written.page);
    let of_memory = "| remembered tokens | keptn-gateway | filter that does nothing | difference |\n";
    let (_, rows) = written.page.split_once(of_memory).unwrap();
    let row = rows.lines().nth(1).unwrap();
    assert!(row.starts_with("| 20,480 | 68.01 (") && row.ends_with("| 6.001 (5.966 to 6.036) |"), "{row}");
}

#[test]
fn every_chart_is_shown_and_every_picture_is_there() {
    let written = written(Some(growth()));
    let charts = ["cpu", "growth-memory_tokens", "growth-routes", "latency", "throughput"];
    assert_eq!(written.charts(), charts.map(|name| format!("{name}.svg")));
    for name in charts {
        assert!(written.page.contains(&format!("](benchmarks/{name}.svg)\n")), "{name}");
    }
    assert_eq!(written.page.matches("![").count(), charts.len());
}

#[test]
fn what_was_not_run_is_said_with_its_command() {
    let written = written(None);
    assert!(written.page.contains("Not measured: `./build.sh bench growth` does.\n"));
    assert!(written.line("| configuration to first").contains("not measured: `./build.sh bench start` does"));
    assert!(written.line("| 1,000 routes over 10").contains("not measured: `./build.sh bench growth` does"));
    assert_eq!(written.charts(), ["cpu.svg", "latency.svg", "throughput.svg"]);
}

#[test]
fn the_page_is_plain_markdown_and_the_same_each_time() {
    let written = written(Some(growth()));
    assert_eq!(written.page, self::written(Some(growth())).page);
    assert!(!written.page.contains("\n\n\n") && !written.page.contains("{{") && !written.page.contains("{%"));
    let mut columns = None;
    for line in written.page.lines() {
        let count = line.starts_with('|').then(|| line.replace("\\|", "").matches('|').count());
        assert!(columns.is_none() || count.is_none() || columns == count, "another number of cells: {line}");
        columns = count;
    }
}

#[test]
fn an_old_chart_goes_away_and_other_files_stay() {
    let written = written(Some(growth()));
    let [data, docs] = ["data", "docs"].map(|name| written.folder.path().join(name));
    fs::write(docs.join("benchmarks/note.txt"), "").unwrap();
    fs::remove_file(data.join("growth.csv")).unwrap();
    report::write(&data, &docs).unwrap();
    assert_eq!(written.charts(), ["cpu.svg", "latency.svg", "note.txt", "throughput.svg"]);
}

#[test]
fn readme_gets_its_figures_between_its_marks_and_nothing_else_changes() {
    let written = written(None);
    let readme = written.folder.path().join("README.md");
    fs::write(&readme, "before\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nafter\n").unwrap();
    let [data, docs] = ["data", "docs"].map(|name| written.folder.path().join(name));
    report::write(&data, &docs).unwrap();
    let text = fs::read_to_string(&readme).unwrap();
    assert!(text.starts_with("before\n<!-- benchmarks -->\n| variant |"), "{text}");
    assert!(text.ends_with("\n<!-- /benchmarks -->\nafter\n") && !text.contains("old"), "{text}");
    assert!(text.contains("\n| cache hit | 62.21 | 1.24 × | "), "{text}");
}

#[test]
fn a_folder_without_samples_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = Data::read(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("samples.csv: is not there: ./build.sh bench makes it"), "{error}");
}

/// Here standard output is no terminal.
#[test]
fn the_terminal_gets_medians_and_verdicts_in_columns_and_colours_only_if_it_is_one() {
    let text = summary(&[comparison(), growth()].concat(), &machine());
    assert!(!text.contains('\x1b'), "{text}");
    let (_, verdicts) = text.split_once("  target  ").unwrap();
    let (head, rows) = verdicts.split_once('\n').unwrap();
    let column = text.lines().find(|line| line.ends_with(head)).unwrap().chars().count() - "verdict".len();
    for row in rows.lines() {
        let verdict: String = row.chars().skip(column).collect();
        let is_one = ["met", "not met", "undecided: "].iter().any(|word| verdict.starts_with(word));
        assert!(is_one, "{verdict:?} in {text}");
    }
    assert!(text.contains("Memory against remembered tokens: keptn-gateway"), "{text}");
}
