//! What the binary says without a broker: help, wrong usage, completions, manual pages, closed pipes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use common::{pagewire, run, wait};

/// A port on which nobody listens: it was free a moment ago.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn every_help_ends_with_examples() {
    for command in [
        &["--help"][..],
        &["serve", "--help"],
        &["topic", "create", "--help"],
        &["produce", "--help"],
        &["consume", "--help"],
        &["group", "reset", "--help"],
        &["config", "set", "--help"],
        &["txn", "find-hanging", "--help"],
        &["cluster", "--help"],
        &["doctor", "--help"],
        &["log", "check", "--help"],
        &["log", "dump", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let help = run(command).ok();
        assert!(help.contains("Usage:") && help.contains("Examples:"), "{command:?}: {help}");
    }
    assert!(run(&["--version"]).ok().starts_with("pagewire "));
}

#[test]
fn help_does_not_show_what_is_hidden() {
    assert!(!run(&["--help"]).ok().contains("docs"));
}

#[test]
fn wrong_usage_is_exit_code_2_and_names_what_is_wrong() {
    for (line, hint) in [
        (&["topik"][..], "topic"),
        (&["--nonsense"], "nonsense"),
        (&["topic"], "create"),
        (&["topic", "create"], "TOPIC"),
        (&["topic", "create", "t", "-p", "0"], "0"),
        (&["topic", "alter", "t"], "--config"),
        (&["topic", "add-partitions", "t"], "--total"),
        (&["produce"], "TOPIC"),
        (&["produce", "t", "--codec", "rar"], "zstd"),
        (&["produce", "t", "--header", "novalue"], "KEY=VALUE"),
        (&["consume", "t", "--from", "yesterday"], "beginning"),
        (&["consume", "t", "--format", "%z"], "%z"),
        (&["consume", "t", "--format", "%v", "-o", "json"], "--output"),
        (&["group", "reset", "g", "--to", "earliest"], "--topic"),
        (&["group", "reset", "g", "--topic", "t"], "--to"),
        (&["config", "set", "topic/t"], "KEY=VALUE"),
        (&["config", "set", "orders", "a=b"], "topic/NAME"),
        (&["txn", "abort", "t:0"], "--start-offset"),
        (&["topic", "list", "-b", "a:b"], "port"),
        (&["topic", "list", "--timeout", "0"], "above 0"),
        (&["serve", "--listen", "9092"], "HOST:PORT"),
        (&["serve", "--set", "novalue"], "KEY=VALUE"),
        (&["serve", "--set", "log.segment.byte=1"], "log.segment.bytes"),
        (&["serve", "--log-level", "verbose"], "--log-level"),
        (&["log", "check"], "PATH"),
        (&["log", "dump", "f", "--value-decoder", "x"], "base64"),
        (&["log", "dump", "f", "--offsets-decoder", "--transaction-log-decoder"], "cannot be used"),
        (&["completions", "cmd"], "bash"),
    ] {
        let said = run(line).failed(2);
        assert!(said.contains(hint), "{line:?}: {said}");
    }
}

#[test]
fn without_a_broker_every_client_command_says_what_to_do() {
    let address = nobody();
    for line in
        [&["topic", "list"][..], &["produce", "t"], &["consume", "t"], &["group", "list"], &["cluster"]]
    {
        let mut command = pagewire();
        let said = common::Run::from(command.args(line).args(["-b", &address]).output().unwrap()).failed(1);
        assert!(said.contains(&format!("no broker at {address}")), "{said}");
        assert!(said.contains("pagewire serve") && said.contains("--bootstrap-server"), "{said}");
    }
}

#[test]
fn the_bootstrap_variable_is_heard_and_the_option_wins() {
    let (variable, option) = (nobody(), nobody());
    let list = |args: &[&str]| {
        let output = pagewire().env("PAGEWIRE_BOOTSTRAP", &variable).args(args).output().unwrap();
        common::Run::from(output).failed(1)
    };
    assert!(list(&["topic", "list"]).contains(&variable));
    assert!(list(&["topic", "list", "--bootstrap-server", &option]).contains(&option));
}

#[test]
fn every_shell_gets_a_script_and_man_gets_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(&["completions", shell]).ok().contains("pagewire"), "{shell}");
    }
    assert!(run(&["man"]).ok().contains(".TH pagewire"));
    let dir = tempfile::tempdir().unwrap();
    run(&["man", "--dir", dir.path().to_str().unwrap()]).ok();
    assert!(dir.path().join("pagewire-topic-create.1").is_file());
}

#[test]
fn pages_of_the_documentation_are_printed_and_nothing_else() {
    for (page, first) in [("settings", "# Settings"), ("apis", "# ")] {
        let run = run(&["docs", page]);
        assert!(run.out.starts_with(first), "{}", run.out);
        assert_eq!(run.err, "");
        run.ok();
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    for line in [&["docs", "settings"][..], &["completions", "bash"], &["--help"]] {
        let mut command = pagewire();
        let mut child = command.args(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((wait(&mut child), said.as_str()), (Some(0), ""), "{line:?}");
    }
}

#[test]
fn a_reader_that_wants_one_line_gets_it() {
    let mut child = pagewire().args(["docs", "settings"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "# Settings\n");
    assert_eq!(wait(&mut child), Some(0));
}

#[test]
fn a_file_where_data_is_to_be_kept_is_told_as_one() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let said = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", path]).failed(1);
    assert!(said.contains(&format!("{path} is a file")) && said.contains("--data-dir DIR"), "{said}");
}
