//! `pagewire lab report`: the page out of recorded lines, and what it says when a line is none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::path::Path;

use common::{feed, pagewire, run};

const CLAIM: &str =
    r#"{"claim":"Bytes <move>.","holds":true,"evidence":"They did.","figures":{"moved_mib":1.5}}"#;

#[test]
fn lines_of_a_file_and_of_standard_input_become_one_page() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (file, dir) = (folder.path().join("a.jsonl"), folder.path().join("report"));
    fs::write(&file, format!("{CLAIM}\n")).unwrap();
    let mut command = pagewire();
    command.args(["lab", "report"]).args([file.as_path(), Path::new("-")]).arg("--dir").arg(&dir);
    let page = feed(command, CLAIM.replace("<move>", "stay").as_bytes()).ok();
    let html = fs::read_to_string(page.trim_end()).unwrap();
    assert!(html.contains("Bytes &lt;move&gt;.") && html.contains("Bytes stay."), "{html}");
    assert_eq!(fs::read_to_string(dir.join("proof.jsonl")).unwrap().lines().count(), 2);
}

#[test]
fn a_line_that_is_no_record_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (file, dir) = (folder.path().join("a.jsonl"), folder.path().join("report"));
    fs::write(&file, format!("{CLAIM}\n{{\"claim\":1}}\n")).unwrap();
    let said = run(&["lab", "report", file.to_str().unwrap(), "--dir", dir.to_str().unwrap()]).failed(1);
    assert!(said.contains("a.jsonl, line 2: no record of the lab"), "{said}");
    assert!(!dir.exists());
}

#[test]
fn without_any_record_there_is_no_page() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = folder.path().join("report");
    let said = run(&["lab", "report", "--dir", dir.to_str().unwrap()]).failed(1);
    assert!(said.contains("no record to report") && !dir.exists(), "{said}");
}
