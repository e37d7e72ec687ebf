//! What `doctor` says of a machine as it is, and of machines that were crippled on purpose.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{Broker, Run, pagewire, run, skipped};
use pagewire_broker::config::THRESHOLDS_FILE;
use pagewire_lab::calibrate;
use pagewire_lab::record::Machine;
use pagewire_zcopy::Thresholds;
use serde_json::Value;
use tempfile::TempDir;

/// A directory for one test.
fn dir() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// What a run found, by check.
struct Findings {
    run: Run,
    by_check: BTreeMap<String, Value>,
}

impl Findings {
    fn of(command: &mut Command) -> Self {
        let run = Run::from(command.output().unwrap());
        let lines = run.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let by_check = lines.map(|line| (line["check"].as_str().unwrap().to_owned(), line)).collect();
        let findings = Self { run, by_check };
        let broken = findings.by_check.values().any(|line| line["state"] == "broken");
        assert_eq!(findings.run.code, Some(i32::from(broken)), "{:?}", findings.run);
        findings
    }

    /// State, what was found, and what to do.
    #[track_caller]
    fn get(&self, check: &str) -> (&str, &str, &str) {
        let line = self.by_check.get(check).unwrap_or_else(|| panic!("no {check}: {:?}", self.run));
        let text = |key: &str| line[key].as_str().unwrap();
        (text("state"), text("found"), text("advice"))
    }

    #[track_caller]
    fn assert(&self, check: &str, state: &str, says: &str) {
        let (is, found, advice) = self.get(check);
        assert_eq!(is, state, "{check}: {found}");
        assert!(
            found.contains(says) || advice.contains(says),
            "{check} does not say {says}: {found} {advice}"
        );
    }
}

fn doctor(data_dir: &Path) -> Findings {
    Findings::of(pagewire().args(["doctor", "-o", "json", "--data-dir"]).arg(data_dir))
}

/// Runs doctor on `$1` behind a script that cripples something first.
fn after(script: &str, shell: &[&str], data_dir: &Path) -> Findings {
    let [program, options @ ..] = shell else { panic!("no shell") };
    let script = format!("{script}; exec \"$0\" doctor -o json --data-dir \"$1\"");
    let mut command = Command::new(program);
    command.args(options).args(["sh", "-ec", &script]);
    Findings::of(command.arg(pagewire().get_program()).arg(data_dir))
}

/// A mount namespace of its own, which ends with the process; none where this user may not have one.
fn own_mounts() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-Urm"]];
    let may = |way: &&&[&str]| {
        let mut command = Command::new(way[0]);
        // A namespace alone is not enough: it must be possible to mount in it.
        command.args(&way[1..]).args(["sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]);
        command.output().is_ok_and(|output| output.status.success())
    };
    let way = ways.iter().find(may).copied();
    if way.is_none() {
        skipped("this user may not mount, not even in a namespace of its own");
    }
    way
}

#[test]
fn every_line_says_what_was_found_and_what_to_do_unless_it_is_ok() {
    let dir = dir();
    let findings = doctor(dir.path());
    for (check, line) in &findings.by_check {
        let (state, found, advice) = findings.get(check);
        assert!(["ok", "could-be-better", "broken"].contains(&state), "{line}");
        assert!(!found.is_empty() && (state == "ok" || !advice.is_empty()), "{line}");
        assert!(line["group"].is_string(), "{line}");
    }
    for check in [
        "kernel",
        "processors",
        "memory",
        "swap",
        "transparent huge pages",
        "dirty pages",
        "clock source",
        "descriptors",
        "locked memory",
        "privilege",
        "congestion control",
        "TCP memory",
        "io_uring",
        "kernel TLS",
        "route copy",
        "route sendfile",
        "cachestat",
        "RWF_NOWAIT",
        "file system",
        "space",
        "O_DIRECT",
        "preallocation",
        "fdatasync",
        "data directory",
        "lock",
        "identity",
        "recovery",
        "acks=0",
        "acks=1",
        "acks=all",
    ] {
        findings.get(check);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn people_get_groups_and_a_sum_without_colour_where_no_terminal_is() {
    let dir = dir();
    let run = run(&["doctor", "--data-dir", dir.path().to_str().unwrap()]);
    for heading in ["Machine", "Limits", "Network", "Moving bytes", "Disk", "Data directory"] {
        assert!(run.out.lines().any(|line| line == heading), "no {heading}: {}", run.out);
    }
    let sum = run.out.lines().last().unwrap();
    assert!(sum.contains(" ok, ") && sum.ends_with(" broken"), "{sum}");
    assert!(!run.out.contains('\u{1b}'), "{}", run.out);
    assert!(run.out.lines().all(|line| line.chars().count() <= 100), "{}", run.out);
}

#[test]
fn few_descriptors_are_broken_and_the_exit_code_says_so() {
    let dir = dir();
    let findings = after("ulimit -n 256", &["env"], dir.path());
    findings.assert("descriptors", "broken", "hard limit 256");
    findings.assert("descriptors", "broken", "of this shell");
    findings.assert("descriptors", "broken", "LimitNOFILE");
    let room = format!("room for {} connections", pagewire_broker::connections_with(256, 0));
    findings.assert("descriptors", "broken", &room);
    assert!(!findings.get("memory maps").1.contains("in use"), "nobody's maps: {:?}", findings.run);
    assert!(findings.run.err.contains("error: broken: descriptors"), "{:?}", findings.run);
}

#[test]
fn a_sandbox_without_io_uring_is_named_as_what_refuses_it() {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

    /// `io_uring_setup`, on every architecture that Linux has it on.
    const IO_URING_SETUP: i64 = 425;
    const EPERM: u32 = 1;
    let dir = dir();
    let path = dir.path().to_path_buf();
    // A filter is of a thread and of what it starts: the other tests keep theirs.
    let sandboxed = std::thread::spawn(move || {
        let arch = TargetArch::try_from(std::env::consts::ARCH).ok()?;
        let rules = [(IO_URING_SETUP, Vec::new())].into_iter().collect();
        let filter =
            SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(EPERM), arch).unwrap();
        let filter = BpfProgram::try_from(filter).unwrap();
        seccompiler::apply_filter(&filter).ok()?;
        Some(doctor(&path))
    });
    let Some(findings) = sandboxed.join().unwrap() else {
        return skipped("this kernel takes no seccomp filter");
    };
    findings.assert("sandbox", "ok", "a seccomp filter is in force");
    findings.assert("io_uring", "could-be-better", "io_uring_setup");
    assert!(!findings.get("io_uring").1.contains("allowed"));
    findings.assert("route sendfile", "ok", "byte for byte");
}

#[test]
fn a_full_disk_is_broken() {
    let Some(shell) = own_mounts() else { return };
    let dir = dir();
    let script = "mount -t tmpfs -o size=1m none \"$1\"; ! cat /dev/zero > \"$1/full\" 2>/dev/null";
    let findings = after(script, shell, dir.path());
    findings.assert("space", "broken", "make room");
    findings.assert("fdatasync", "broken", "could not be written");
    findings.assert("file system", "broken", "memory");
    findings.assert("acks=all", "broken", "lost");
    findings.assert("route copy", "ok", "byte for byte");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_is_for_reading_only_is_broken() {
    let Some(shell) = own_mounts() else { return };
    let dir = dir();
    let script = "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"";
    let findings = after(script, shell, dir.path());
    findings.assert("data directory", "broken", "cannot be written");
    findings.assert("file system", "broken", "for reading only");
    findings.assert("fdatasync", "broken", "could not be written");
}

#[test]
fn a_directory_that_is_not_there_is_ok_and_is_not_made() {
    let dir = dir();
    let missing = dir.path().join("a/b");
    let findings = doctor(&missing);
    findings.assert("data directory", "ok", "serve makes it");
    findings.assert("lock", "ok", "no broker has used this directory yet");
    assert!(!dir.path().join("a").exists());
}

#[test]
fn a_file_in_place_of_the_directory_is_broken() {
    let dir = dir();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    doctor(&file).assert("data directory", "broken", "is no directory");
}

#[test]
fn a_running_broker_is_named_and_goes_on() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "orders", "-p", "3"]).ok();
    broker.run_with(&["produce", "orders"], b"one\n").ok();
    let data = broker.dir.path().join("data");
    let findings = doctor(&data);
    findings.assert("lock", "ok", "(pagewire): a broker is running");
    findings.assert("recovery", "ok", "a broker is running");
    // Limits are those of the broker, not of the shell that asks, which has few.
    let few = after("ulimit -n 256", &["env"], &data);
    assert!(few.get("descriptors").1.contains("(pagewire), which holds the lock"), "{:?}", few.run);
    assert!(!few.get("descriptors").1.contains("hard limit 256"), "{:?}", few.run);
    assert!(few.get("locked memory").1.contains("which holds the lock"), "{:?}", few.run);
    assert!(few.get("memory maps").1.contains("in use by process"), "{:?}", few.run);
    findings.assert("identity", "ok", "node 1 of cluster");
    findings.assert("contents", "ok", "3 partitions");
    // Its lock still holds, and so does the broker.
    let said = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()]).failed(1);
    assert!(said.contains("another"), "{said}");
    broker.run_with(&["produce", "orders"], b"two\n").ok();
}

#[test]
fn a_killed_broker_leaves_a_lock_that_hinders_nobody_and_a_recovery_to_come() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "orders"]).ok();
    broker.signal("KILL");
    let (_, dir) = broker.wait();
    let findings = doctor(&dir.path().join("data"));
    findings.assert("lock", "ok", "ended without giving it back");
    findings.assert("recovery", "could-be-better", "did not stop cleanly");

    let broker = Broker::start_in(dir, &[]);
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let findings = doctor(&dir.path().join("data"));
    findings.assert("lock", "ok", "gave it back");
    findings.assert("recovery", "ok", "stopped cleanly");
}

#[test]
fn thresholds_that_were_calibrated_here_are_ok_and_those_of_another_machine_are_said_to_be() {
    let dir = dir();
    let here = pagewire_lab::machine::here(dir.path());
    let judged = |machine: &Machine| {
        calibrate::store(dir.path(), THRESHOLDS_FILE, &Thresholds::default(), machine).unwrap();
        doctor(dir.path())
    };
    let day = here.began.split('T').next().unwrap();
    let same = judged(&here);
    same.assert("thresholds", "ok", &format!("({day}) with this kernel and processor"));
    let other = judged(&Machine { cpu: "Another 3000".to_owned(), ..here.clone() });
    other.assert(
        "thresholds",
        "could-be-better",
        &format!("({day}) elsewhere: processor Another 3000, here "),
    );
    let other = judged(&Machine { kernel: "0.0.1".to_owned(), ..here.clone() });
    other.assert("thresholds", "could-be-better", &format!("elsewhere: kernel 0.0.1, here {}", here.kernel));
}

#[test]
fn settings_that_give_no_answer_are_a_finding_and_hold_nothing_up() {
    let dir = dir();
    let pipe = dir.path().join("server.properties");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = pagewire();
    command.args(["doctor", "-o", "json", "--data-dir"]).arg(dir.path()).arg("--config").arg(&pipe);
    let findings = Findings::of(&mut command);
    findings.assert("settings", "broken", "gives no answer");
    findings.assert("lock", "ok", "no broker has used this directory yet");
}

#[test]
fn the_directory_and_the_settings_are_found_as_serve_finds_them() {
    let dir = dir();
    let file = dir.path().join("server.properties");
    let data = dir.path().join("data");
    let text = format!(
        "log.dirs={}\npagewire.acks.all.meaning=page-cache\npagewire.transfer.route=splice\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    let mut command = pagewire();
    let findings = Findings::of(command.args(["doctor", "-o", "json"]).env("PAGEWIRE_CONFIG", &file));
    findings.assert("data directory", "ok", data.to_str().unwrap());
    findings.assert("acks=all", "could-be-better", "page-cache");
    findings.assert("settings", "ok", file.to_str().unwrap());
    findings.assert("thresholds", "ok", "everything goes by splice");

    let mut command = pagewire();
    let named = dir.path().join("named");
    command.args(["doctor", "-o", "json", "--config", "/nowhere/x"]).env("PAGEWIRE_DATA_DIR", &named);
    let findings = Findings::of(&mut command);
    findings.assert("settings", "broken", "/nowhere/x");
    findings.assert("data directory", "ok", named.to_str().unwrap());
}
