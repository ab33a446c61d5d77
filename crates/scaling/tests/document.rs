//! `docs/scaling.md` says what the CSV files beside it and the model say.

use std::collections::BTreeSet;
use std::fs;

use scaling::document;

#[test]
fn the_numbers_are_those_of_the_csv_files_and_of_the_model() {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return document::update().unwrap();
    }
    assert_eq!(
        document::actual().unwrap(),
        document::expected().unwrap(),
        "docs/scaling.md is not of today: call UPDATE_DOCS=1 cargo test -p scaling --test document"
    );
}

#[test]
fn the_model_agrees_with_every_simulated_point() {
    let mut compared = 0;
    for experiment in files("csv") {
        for (name, points) in document::read(&experiment).unwrap() {
            for point in &points {
                assert!(point.agrees(), "{experiment}, {name}: {point:?} ± {}", point.tolerance());
                compared += usize::from(point.model.is_some());
            }
        }
    }
    assert!(compared > 400, "{compared}");
}

#[test]
fn every_experiment_has_a_chart_that_the_document_shows() {
    let text = document::actual().unwrap();
    assert_eq!(files("csv"), files("svg"));
    assert!(!files("svg").is_empty());
    for experiment in files("svg") {
        assert!(text.contains(&format!("](scaling/{experiment}.svg)")), "{experiment}");
    }
}

fn files(ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(document::folder()).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == ending));
    files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}
