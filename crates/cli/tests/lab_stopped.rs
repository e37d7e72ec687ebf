//! Ctrl-C while the lab works: it ends within a moment, with what there is and nothing left behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use common::{lines, pagewire, signal, wait};
use serde_json::Value;

const DIR: &str = env!("CARGO_TARGET_TMPDIR");

/// Bytes that a worker has written so far. The receiver writes nothing but answers: two of a few words when it starts,
/// and one of about a hundred bytes after each measurement. The sender writes its file besides.
fn said_bytes(worker: &str) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{worker}/io")).unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    written.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// A run that is going to be stopped, whose words are kept.
fn spawned(args: &[&str]) -> Child {
    pagewire().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Its two workers, once they run; fewer if it has ended by itself.
fn workers(child: &mut Child) -> Vec<String> {
    let list = format!("/proc/{0}/task/{0}/children", child.id());
    let mut workers = Vec::new();
    common::eventually("both workers run", || {
        let started = std::fs::read_to_string(&list).unwrap_or_default();
        workers = started.split_whitespace().map(str::to_owned).collect();
        workers.len() == 2 || child.try_wait().unwrap().is_some()
    });
    workers
}

/// Stops it: what it said, with its workers gone.
fn stopped(mut child: Child, workers: &[String]) -> (String, String) {
    signal(&child, "INT");
    assert_eq!(wait(&mut child), Some(130));
    for worker in workers {
        assert!(!Path::new("/proc").join(worker).exists(), "worker {worker} is still there");
    }
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    // Every command of the lab says first what a test build costs.
    let said = err.lines().filter(|line| !line.contains("built without optimisation"));
    (out, said.collect())
}

#[test]
fn stopped_it_prints_what_it_has_and_leaves_no_process() {
    const ROUNDS: u64 = 1000;
    let rounds = ROUNDS.to_string();
    let small =
        ["lab", "routes", "--file-dir", DIR, "--rounds", &rounds, "--route", "copy", "--size", "1KiB"];
    let one = ["--link", "loopback", "--residency", "hot", "--receiver", "drain", "-o", "json"];
    let mut child = spawned(&[&small[..], &one].concat());
    let workers = workers(&mut child);
    common::eventually("several rounds are done", || workers.iter().all(|worker| said_bytes(worker) > 1000));
    let (out, said) = stopped(child, &workers);
    let cells: Vec<Value> = lines(&out);
    assert_eq!(cells.len(), 1, "{out}");
    let rounds = cells[0]["rounds"].as_u64().unwrap();
    assert!((1..ROUNDS).contains(&rounds), "{rounds}");
    assert_eq!(said, format!("note: stopped: the figures are those of {rounds} of {ROUNDS} rounds"));
}

#[test]
fn stopped_while_its_file_is_written_it_says_that_there_is_nothing_yet() {
    let alone = ["--link", "loopback", "--route", "copy", "--residency", "hot", "--receiver", "drain"];
    let long = ["lab", "routes", "--file-dir", DIR, "--size", "512MiB", "--mib", "512", "-o", "json"];
    let mut child = spawned(&[&long[..], &alone].concat());
    let workers = workers(&mut child);
    common::eventually("the file is being written", || {
        workers.iter().any(|worker| said_bytes(worker) > 4 << 20)
    });
    let said = "note: stopped: not one round that counts was done yet";
    assert_eq!(stopped(child, &workers), (String::new(), said.to_owned()));
}

#[test]
fn calibrating_that_is_stopped_shows_its_figures_and_changes_nothing() {
    let dir = tempfile::tempdir_in(DIR).unwrap();
    let data = dir.path().to_str().unwrap();
    let mut child = spawned(&["lab", "calibrate", "--rounds", "1000", "--data-dir", data, "-o", "json"]);
    let workers = workers(&mut child);
    // A first round of 33 measurements finds how much to send, and some more.
    common::eventually("several measurements are made", || {
        workers.iter().all(|worker| said_bytes(worker) > 10_000)
    });
    let (out, err) = stopped(child, &workers);
    let found = lines(&out).remove(0);
    assert!(!found["costs"].as_array().unwrap().is_empty(), "{found}");
    assert!(found.get("thresholds").is_none() && found["written"] == false, "{found}");
    assert_eq!(err, "");
    assert_eq!(std::fs::read_dir(data).unwrap().count(), 0);
}

/// The network namespace of a process, as the kernel names it.
fn network_of(process: &str) -> Option<PathBuf> {
    std::fs::read_link(Path::new("/proc").join(process).join("ns/net")).ok()
}

/// Whether any process, or any mount, still has it.
fn is_there(network: &Path) -> bool {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_mounted =
        std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(network.to_str().unwrap());
    is_mounted || processes.into_iter().any(|process| network_of(&process).as_deref() == Some(network))
}

#[test]
fn a_run_over_virtual_interfaces_that_is_stopped_leaves_no_namespace() {
    let small = ["lab", "routes", "--file-dir", DIR, "--rounds", "1000", "--mib", "1", "--route", "copy"];
    let one =
        ["--size", "64KiB", "--link", "veth", "--residency", "hot", "--receiver", "drain", "-o", "json"];
    let mut child = spawned(&[&small[..], &one].concat());
    let mut workers = workers(&mut child);
    common::eventually("rounds are done, or it has ended", || {
        child.try_wait().unwrap().is_some() || workers.iter().all(|worker| said_bytes(worker) > 1000)
    });
    if child.try_wait().unwrap().is_some() {
        let output = common::Run::from(child.wait_with_output().unwrap());
        eprintln!("virtual interfaces cannot be had here: {}", output.err);
        assert!(output.code != Some(0) && output.out.is_empty() && !output.err.is_empty(), "{output:?}");
        return;
    }
    workers.sort();
    let networks: Vec<PathBuf> = workers.iter().map(|worker| network_of(worker).unwrap()).collect();
    let ours = network_of("self").unwrap();
    assert!(networks[0] != networks[1] && !networks.contains(&ours), "{networks:?}, ours {ours:?}");
    let (out, _) = stopped(child, &workers);
    assert_eq!(lines(&out).len(), 1, "{out}");
    assert!(networks.iter().all(|network| !is_there(network)), "{networks:?}");
    assert!(is_there(&ours), "whoever looks would have found it");
}

#[test]
fn a_proof_that_is_stopped_prints_the_lines_that_are_done() {
    let mut child = spawned(&["lab", "proof", "--file-dir", DIR, "-o", "json"]);
    let workers = workers(&mut child);
    // Each route takes the receiver two hundred bytes of answers.
    common::eventually("a route or two are done", || workers.iter().all(|worker| said_bytes(worker) > 500));
    let (out, _) = stopped(child, &workers);
    let done = lines(&out);
    assert_eq!(done[0]["route"], "copy", "{out}");
    assert!(done.iter().all(|line| line["why"].is_null() || line["available"] == false), "{out}");
    assert!(done.iter().all(|line| line["evidence"].as_str().is_none_or(|said| !said.contains("stopped"))));
    assert!(done.len() < 20, "it went on to the end: {out}");
}
