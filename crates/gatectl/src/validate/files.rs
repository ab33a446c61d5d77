//! Which files are judged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::report::{Level, Report};
use crate::recognise::NAME;
use crate::source::visible;

/// How files end that may have a configuration.
const ENDS: [&str; 3] = ["yaml", "yml", "json"];

/// Judges files, and those in folders that have configurations of ours.
pub(super) fn judge_all(paths: &[PathBuf]) -> Vec<Report> {
    let mut reports = Vec::new();
    for path in paths {
        if path.is_dir() {
            folder(path, &mut reports);
        } else {
            reports.push(Report::of_file(path, true));
        }
    }
    reports
}

fn folder(path: &Path, reports: &mut Vec<Report>) {
    let name = visible(&path.to_string_lossy());
    let mut files = Vec::new();
    if let Err(error) = walk(path, &mut files) {
        reports.push(Report::unread(name, format!("cannot be read: {error}"), None));
        return;
    }
    let all = files.len();
    let judged = files.iter().map(|file| Report::of_file(file, false));
    let judged: Vec<_> = judged.filter(|one| one.configurations > 0 || !one.findings.is_empty()).collect();
    let ours = judged.iter().filter(|report| report.configurations > 0).count();
    let is_read = judged.iter().all(|report| report.count(Level::Unread) == 0);
    reports.extend(judged);
    reports.push(if ours == 0 && is_read {
        let message = format!("none of its {all} YAML and JSON files has a configuration of {NAME}'s");
        Report::unread(name, message, Some("name the file that should have it".to_owned()))
    } else {
        Report { file: name, files: Some((ours, all)), ..Report::default() }
    });
}

/// Collects the files of a folder and of those in it, in an order that is always the same. What is hidden is left out,
/// and a link to a folder, which may lead around in a circle.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if is_hidden {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(&path, files)?;
        } else if path.is_file()
            && path.extension().is_some_and(|end| ENDS.iter().any(|known| end.eq_ignore_ascii_case(known)))
        {
            files.push(path);
        }
    }
    Ok(())
}
