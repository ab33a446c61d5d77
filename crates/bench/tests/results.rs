//! What is written is read again, and what cannot be right is refused with its place.

use std::fs;

use bench::results::{Machine, Sample, read, read_machine, write, write_machine};

fn sample(round: u32, value: f64) -> Sample {
    let [variant, metric] = ["routes/ours", "cpu_us_per_request"].map(str::to_owned);
    Sample { variant, x: 1000., round, metric, value }
}

fn refusal(csv: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.csv");
    fs::write(&path, csv).unwrap();
    let error = read(&path).unwrap_err().to_string();
    error.strip_prefix(&*path.to_string_lossy()).unwrap().to_owned()
}

#[test]
fn samples_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.csv");
    let samples = vec![
        sample(1, 71.25),
        sample(2, 0.1 + 0.2),
        Sample { variant: "a,\"b\"".to_owned(), ..sample(3, 1e-9) },
    ];
    write(&path, &samples).unwrap();
    assert_eq!(read(&path).unwrap(), samples);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("variant,x,round,metric,value\nroutes/ours,1000.0,1,cpu_us_per_request,71.25\n"),
        "{text}"
    );
}

#[test]
fn what_is_known_of_the_machine_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("machine.json");
    let machine = Machine { cpu: "Any \"CPU\"".to_owned(), cores: 2, ..Machine::default() };
    write_machine(&path, &machine).unwrap();
    assert_eq!(read_machine(&path).unwrap(), machine);
}

#[test]
fn a_line_that_is_no_sample_is_refused_with_its_number() {
    let head = "variant,x,round,metric,value\nhit,0,1,p50_us,90\n";
    let refused = refusal(&format!("{head}hit,0,2,p50_us,fast\n"));
    assert!(refused.contains("line: 3"), "{refused}");
    let refused = refusal(&format!("{head}hit,0,2,p50_us,NaN\n"));
    assert!(refused.contains("line 3"), "{refused}");
}

#[test]
fn a_value_that_stands_twice_is_refused() {
    let refused = refusal("variant,x,round,metric,value\nhit,0,1,p50_us,90\nhit,0,1,p50_us,91\n");
    assert_eq!(refused, ": p50_us of hit at 0 in round 1 stands in line 2 and in line 3: delete one");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read("no/such/samples.csv".as_ref()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/samples.csv: "), "{error}");
}
