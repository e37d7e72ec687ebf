//! `pagewire log online` against a real broker with two log directories, of which one goes away under it. A directory that is
//! renamed is what an unmount looks like from inside the broker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Broker, Run, eventually, run};
use tempfile::TempDir;

/// A broker with two directories.
struct Two {
    broker: Broker,
    second: PathBuf,
    root: TempDir,
}

impl Two {
    /// With a topic of four partitions, and a record in each.
    fn with_records() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let second = root.path().join("second");
        let broker = Broker::start_on(dir, std::slice::from_ref(&second), &[]);
        broker.run(&["topic", "create", "t", "-p", "4"]).ok();
        let two = Self { broker, second, root };
        for partition in 0..4 {
            two.produce(partition).ok();
        }
        two
    }

    fn produce(&self, partition: i32) -> Run {
        let partition = partition.to_string();
        self.broker.run_with(&["produce", "t", "-q", "--partition", &partition, "--timeout", "5"], b"a\n")
    }

    /// Its home, the second directory and what that lies in, after an orderly stop.
    fn stopped(self) -> (TempDir, PathBuf, TempDir) {
        self.broker.signal("TERM");
        (self.broker.wait().1, self.second, self.root)
    }

    /// The partitions in the second directory.
    fn lost(&self) -> Vec<i32> {
        let names = fs::read_dir(&self.second).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter_map(|name| name.to_str()?.strip_prefix("t-")?.parse().ok()).collect()
    }

    fn aside(&self) -> PathBuf {
        self.second.with_extension("aside")
    }

    /// Until the broker has noticed.
    fn unmount(&self) {
        fs::rename(&self.second, self.aside()).unwrap();
        fs::create_dir(&self.second).unwrap();
        eventually("it is offline", || {
            self.broker.run(&["cluster"]).ok().contains("not the one that was opened")
        });
    }

    fn mount(&self) {
        fs::remove_dir(&self.second).unwrap();
        fs::rename(self.aside(), &self.second).unwrap();
    }

    fn online(&self, options: &[&str]) -> Run {
        let (home, second) = (self.broker.dir.path().join("data"), &self.second);
        let dirs = ["log", "online", text(second), "--data-dir", text(&home)];
        self.broker.run(&[&dirs[..], options].concat())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_directory_that_is_mounted_again_comes_back_with_all_that_was_acknowledged() {
    let two = Two::with_records();
    assert!(two.online(&[]).failed(1).contains("is served already"));
    let lost = two.lost();
    assert_eq!(lost.len(), 2);
    two.unmount();
    assert!(two.produce(lost[0]).code != Some(0), "nothing is acknowledged");
    let refused = two.online(&[]).failed(1);
    assert!(refused.contains("not mounted") && refused.contains("--empty"), "{refused}");
    two.mount();
    let said = two.online(&[]).ok();
    assert!(said.contains("online, 2 partitions are served again"), "{said}");
    (0..4).for_each(|partition| drop(two.produce(partition).ok()));
    assert_eq!(two.broker.run(&["consume", "t", "--from", "beginning", "-n", "8"]).ok(), "a\n".repeat(8));
}

#[test]
fn a_directory_that_is_lost_under_the_broker_is_told_with_the_whole_command_that_opens_it() {
    let two = Two::with_records();
    let home = two.broker.dir.path().join("data");
    let command = format!("pagewire log online {} --data-dir {}", text(&two.second), text(&home));
    let shown = two.broker.run(&["cluster"]).ok();
    assert!(!shown.contains("log online"), "all is well: {shown}");
    two.unmount();
    eventually("it is noticed", || two.broker.told_times("log directory is offline for writes") == 1);
    assert!(two.broker.told().contains(&format!("{command} opens it again")), "{}", two.broker.told());
    let shown = two.broker.run(&["cluster"]).ok();
    assert!(
        shown.contains(&format!("when the cause is gone, {command} opens {} again", text(&two.second))),
        "{shown}"
    );
    let told: serde_json::Value =
        serde_json::from_str(&two.broker.run(&["cluster", "-o", "json"]).ok()).unwrap();
    let commands: Vec<_> = told["directories"].as_array().unwrap().iter().map(|dir| &dir["online"]).collect();
    assert_eq!(commands, [&serde_json::Value::Null, &serde_json::Value::String(command)]);
    two.mount();
    two.online(&[]).ok();
}

#[test]
fn a_disk_that_died_is_replaced_under_the_running_broker() {
    let two = Two::with_records();
    let lost = two.lost();
    two.unmount();
    let said = two.online(&["--empty", "-o", "json"]).ok();
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&told["partitions"], &told["failed"]), (&2.into(), &serde_json::json!([])), "{said}");
    assert_eq!(two.lost().len(), lost.len());
    (0..4).for_each(|partition| drop(two.produce(partition).ok()));
    assert_eq!(two.broker.run(&["consume", "t", "--from", "beginning", "-n", "6"]).ok(), "a\n".repeat(6));
    assert!(two.online(&["--empty"]).failed(1).contains("is served already"));
}

/// Whether it took about as long as what only a person can change is waited for: nowhere near the 30 seconds of --timeout.
fn soon<T>(work: impl FnOnce() -> T) -> T {
    let began = std::time::Instant::now();
    let done = work();
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
    done
}

#[test]
fn partitions_of_a_directory_that_is_away_are_named_soon_and_the_others_are_served() {
    let two = Two::with_records();
    let mut lost = two.lost();
    lost.sort_unstable();
    let (dir, second, root) = two.stopped();
    fs::rename(&second, second.with_extension("aside")).unwrap();
    let broker = Broker::start_on(dir, std::slice::from_ref(&second), &[]);
    let (gone, there) = (lost[0].to_string(), (0..4).find(|one| !lost.contains(one)).unwrap().to_string());

    let named: Vec<String> = lost.iter().map(ToString::to_string).collect();
    let refused = soon(|| broker.run(&["consume", "t"])).failed(1);
    assert!(refused.contains(&format!("topic t, partitions {}", named.join(", "))), "{refused}");
    assert!(refused.contains(&format!("pagewire log online {}", text(&second))), "{refused}");
    assert!(refused.contains("pagewire cluster") && refused.contains("LEADER_NOT_AVAILABLE"), "{refused}");
    assert!(refused.contains("with --partition N"), "the others can be read: {refused}");
    assert_eq!(broker.run(&["consume", "t", "-p", &there]).ok(), "a\n");
    assert!(
        soon(|| broker.run(&["consume", "t", "-p", &gone])).failed(1).contains(&format!("partition {gone}"))
    );
    let refused = soon(|| broker.run_with(&["produce", "t", "-q", "--partition", &gone], b"b\n")).failed(1);
    assert!(refused.contains(&format!("partition {gone}")) && refused.contains(text(&second)), "{refused}");
    broker.run_with(&["produce", "t", "-q", "--partition", &there], b"b\n").ok();
    let (home, to) = (broker.dir.path().join("data"), root.path().join("backup"));
    let refused = broker.run(&["backup", "--from", text(&home), "--to", text(&to)]).failed(1);
    assert!(refused.contains("not in service") && refused.contains(text(&second)), "{refused}");
    assert!(refused.contains("Mount it"), "{refused}");
    assert!(!to.exists(), "nothing is left of it");
    // Without a key it does not matter which partition a record is in.
    let run = soon(|| broker.run_with(&["produce", "t", "-q"], b"c\n"));
    assert!(run.err.contains("going on without it"), "{run:?}");
    run.ok();
    drop(root);
}

#[test]
fn a_log_directory_that_was_forgotten_in_the_settings_is_named_at_the_start() {
    let two = Two::with_records();
    let (dir, second, root) = two.stopped();
    let broker = Broker::start_on(dir, &[], &[]);
    let told = broker.told();
    assert!(told.contains(&format!("are in the log directory {}", text(&second))), "{told}");
    assert!(told.contains("2 partitions are not served"), "{told}");
    drop(root);
}

#[test]
fn a_check_of_the_first_log_directory_names_the_one_that_is_away() {
    let two = Two::with_records();
    let (dir, second, root) = two.stopped();
    let home = dir.path().join("data");
    run(&["log", "check", text(&home)]).ok();
    let aside = second.with_extension("aside");
    fs::rename(&second, &aside).unwrap();
    for _ in 0..2 {
        let found = run(&["log", "check", text(&home)]);
        let line =
            format!("damage: {}: the metadata places 2 partitions in this log directory", text(&second));
        assert!(found.out.contains(&line), "{found:?}");
        found.failed(1);
        // An empty mount point is not it either.
        fs::create_dir_all(&second).unwrap();
    }
    run(&["log", "check", text(&home), text(&aside)]).ok();
    drop(root);
}

#[test]
fn a_first_log_directory_whose_identity_is_damaged_says_nothing_of_the_others() {
    let two = Two::with_records();
    let (dir, second, root) = two.stopped();
    let home = dir.path().join("data");
    let file = home.join("meta.properties");
    let good = fs::read_to_string(&file).unwrap();
    for damaged in ["", "zeros", &good.replace("node.id=1", "node.id=3")] {
        fs::write(&file, damaged).unwrap();
        let found = run(&["log", "check", text(&home)]);
        assert!(!found.out.contains("the metadata places"), "{damaged:?}: {found:?}");
        assert!(found.failed(1).contains("1 damage"), "the file itself");
    }
    fs::remove_file(&file).unwrap();
    run(&["log", "check", text(&home)]).ok();
    // One that is away is told with its path all the same.
    fs::rename(&second, second.with_extension("aside")).unwrap();
    let found = run(&["log", "check", text(&home)]);
    let line = format!("damage: {}: the metadata places 2 partitions in this log directory", text(&second));
    assert!(found.out.contains(&line), "{found:?}");
    drop(root);
}
