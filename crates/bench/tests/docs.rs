//! docs/benchmarks.md, its charts and README's figures are those that the files in docs/benchmarks make.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bench::report::{self, Data};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
const HINT: &str = "call UPDATE_DOCS=1 cargo test -p bench --test docs, or ./build.sh bench report";

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}: {HINT}", path.display()))
}

/// One test, because one call writes all of it.
#[test]
fn the_report_its_charts_and_the_figures_in_readme_are_those_of_the_data() {
    let docs = Path::new(DOCS);
    let folder = docs.join("benchmarks");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return report::write(&folder, docs).unwrap();
    }
    let data = Data::read(&folder).unwrap();
    let files = report::files(&data);
    for (path, expected) in &files {
        // Whole charts and pages are too long to be shown beside each other.
        let actual = text(&docs.join(path));
        let difference =
            actual.lines().zip(expected.lines()).enumerate().find(|(_, (is, should))| is != should);
        let line =
            difference.map(|(line, (is, should))| format!("line {}: {is}\nshould be {should}", line + 1));
        let longer = || format!("{} bytes, should be {}", actual.len(), expected.len());
        assert!(
            actual == *expected,
            "docs/{path} and the data differ: {HINT}\n{}",
            line.unwrap_or_else(longer)
        );
    }
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let charts: BTreeSet<_> =
        fs::read_dir(&folder).unwrap().map(name).filter(|name| name.ends_with(".svg")).collect();
    let old: Vec<_> =
        charts.iter().filter(|name| !files.contains_key(&format!("benchmarks/{name}"))).collect();
    assert!(old.is_empty(), "{old:?} in docs/benchmarks are of no report: {HINT}");

    let readme = text(&docs.join("../README.md"));
    let expected = report::readme(&data, &readme).expect("README.md has its figures between its marks");
    assert!(readme == expected, "README.md's figures and the data differ: {HINT}");
}
