//! Whole outputs. After a change that is meant, write them anew and read the difference:
//! `UPDATE_GOLDEN=1 cargo test -p gatectl golden; git diff crates/gatectl/tests/golden`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::run::{data, gatectl};

/// What every golden file should hold.
fn actual() -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for file in fs::read_dir(data()).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        if !file.starts_with('.') {
            let run = gatectl(["validate", &file]);
            all.insert(format!("validate-{file}"), format!("$ gatectl validate {file}\n{run}"));
        }
    }
    for (name, args) in [("help", &["--help"][..]), ("help-validate", &["validate", "--help"])] {
        all.insert(name.to_owned(), format!("$ gatectl {}\n{}", args.join(" "), gatectl(args)));
    }
    all.extend(crate::explain::golden::golden());
    all.extend(crate::cert::golden());
    all.extend(crate::verify::golden());
    all.extend(crate::render::golden());
    all.extend(crate::validate::golden());
    all.extend(crate::token::golden());
    all.extend(crate::status::golden());
    all.extend(crate::completions::golden());
    all.extend(crate::routes::golden());
    all.extend(crate::import::golden());
    all
}

#[test]
fn golden() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let actual = actual();
    let stored = || {
        let files = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        files
            .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
            .collect::<BTreeMap<_, _>>()
    };
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for (name, path) in stored() {
            if !actual.contains_key(&name) {
                fs::remove_file(path).unwrap();
            }
        }
        for (name, text) in &actual {
            fs::write(folder.join(format!("{name}.txt")), text).unwrap();
        }
    }
    let expected: BTreeMap<_, _> =
        stored().into_iter().map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect();
    assert_eq!(expected.keys().collect::<Vec<_>>(), actual.keys().collect::<Vec<_>>());
    for (name, text) in &actual {
        assert_eq!(text, &expected[name], "\n{name}, now:\n{text}\n{name}, before:\n{}", expected[name]);
    }
}
