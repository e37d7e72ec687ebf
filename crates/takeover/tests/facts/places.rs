//! How bytes get to their place, and that the place is empty or whole.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use pagewire_takeover::{Begun, Dynamic, How, Options, Owner, Settings, import};

use crate::kafka::Kafka;
use crate::support::{Known, opened, options, refused, run};

fn filled() -> (Kafka, i64) {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 1);
    let end = kafka.fill("orders", orders, 0, 60);
    kafka.stop();
    (kafka, end)
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn only_records_of_closed_segments_are_linked() {
    let (kafka, end) = filled();
    let report = run(&Options { how: How::Link, ..options(&kafka) }).unwrap();
    assert!(report.placed.linked > 0 && report.placed.copied > 0, "{report:?}");
    let dir = kafka.partition_dir("orders", 0);
    let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let logs: Vec<_> =
        names.iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "log")).collect();
    for name in &names {
        let ours = kafka.to().join("orders-0").join(name);
        if !ours.exists() {
            continue;
        }
        let is_closed = logs.contains(&name) && logs.last() != Some(&name);
        assert_eq!(inode(&dir.join(name)) == inode(&ours), is_closed, "{}", ours.display());
    }
    assert_eq!(opened(&kafka.to(), 1).0.get("orders", 0).unwrap().marks().log_end, end);
}

#[test]
fn blocks_are_shared_where_the_file_system_can() {
    let (kafka, end) = filled();
    let placed = run(&Options { how: How::Auto, ..options(&kafka) }).unwrap().placed;
    assert_eq!(placed.linked, 0);
    if placed.reflinked == 0 {
        eprintln!("no reflinks here: copied");
        let to = kafka.root.path().join("other");
        assert!(refused(&Options { how: How::Reflink, to, ..options(&kafka) }).contains("--copy"));
    }
    assert_eq!(opened(&kafka.to(), 1).0.get("orders", 0).unwrap().marks().log_end, end);
}

#[test]
fn a_place_that_is_taken_stays_as_it_is() {
    let (kafka, _) = filled();
    fs::create_dir(kafka.to()).unwrap();
    run(&options(&kafka)).unwrap();
    let error = run(&options(&kafka)).expect_err("it is there").to_string();
    assert!(error.contains("not empty"), "{error}");
    opened(&kafka.to(), 1);
}

/// Fails at the last step before the metadata are written, as a process that is killed there.
struct Dies(AtomicBool);

impl Settings for Dies {
    fn refuse(&self, owner: &Owner, name: &str, value: &str) -> Option<String> {
        Known.refuse(owner, name, value)
    }

    fn refuse_together(&self, _: &Owner, _: &BTreeMap<String, String>) -> Option<String> {
        None
    }

    /// Asked when the plan is made, and when the logs are opened in their place.
    fn log(&self, own: &BTreeMap<String, String>, above: &Dynamic) -> pagewire_takeover::LogConfig {
        assert!(!self.0.swap(true, Ordering::Relaxed), "killed");
        Known.log(own, above)
    }
}

#[test]
fn an_import_that_was_killed_leaves_nothing_to_serve_and_the_next_one_begins_anew() {
    let (kafka, end) = filled();
    let killed = std::panic::catch_unwind(|| {
        import(&options(&kafka), &Dies(AtomicBool::new(false)), &Begun::default(), &|_| ())
    });
    assert!(killed.is_err() && !kafka.to().exists());
    let staging = kafka.to().with_extension("importing");
    assert!(staging.join("orders-0").exists() && !staging.join("metadata.redb").exists());
    run(&options(&kafka)).unwrap();
    assert!(!staging.exists() && !kafka.to().join(".pagewire-import").exists());
    assert_eq!(opened(&kafka.to(), 1).0.get("orders", 0).unwrap().marks().log_end, end);
}
