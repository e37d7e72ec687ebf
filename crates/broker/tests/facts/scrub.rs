//! Records that went bad on the disk are refused, those around them are served.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pagewire_wire::ErrorCode;

use crate::harness::{Broker, Client, FetchAt, Fetched, batch, values_of};

/// Ends a test that would wait for ever.
const NEVER: Duration = Duration::from_mins(1);

/// Five batches of a record each: two in the closed segment at 0, two in that at 2, one in the active one.
fn fill(broker: &Broker) -> Client {
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("internal.segment.bytes", "150")]);
    for value in ["a", "b", "c", "d", "e"] {
        client.produce("t", 0, batch(&[value]));
    }
    client
}

fn segment(dir: &Path, base: i64) -> PathBuf {
    dir.join("t-0").join(format!("{base:020}.log"))
}

/// Flips a byte of the records of the second batch in the segment at 0.
fn damage(dir: &Path) {
    let file = segment(dir, 0);
    let mut bytes = fs::read(&file).unwrap();
    assert!(segment(dir, 2).is_file(), "two batches a segment");
    *bytes.last_mut().unwrap() ^= 1;
    // In place: the broker has the file open.
    let open = fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&open, &bytes, 0).unwrap();
}

/// Error code, and offsets with values.
fn fetch(client: &mut Client, offset: i64) -> (i16, Vec<(i64, String)>) {
    let fetched = client.fetch(&FetchAt::now("t", &[(0, offset)]), 12);
    (fetched.errors()[0].1, values_of(&fetched.records()))
}

fn expect_refused_in_the_middle(client: &mut Client) {
    assert_eq!(fetch(client, 0), (0, vec![(0, "a".into())]), "ends before the damage");
    assert_eq!(fetch(client, 1), (ErrorCode::CorruptMessage.code(), vec![]));
    assert_eq!(fetch(client, 2), (0, vec![(2, "c".into()), (3, "d".into())]));
    assert_eq!(fetch(client, 4), (0, vec![(4, "e".into())]));
}

#[test]
fn the_scrub_finds_a_bad_batch_in_a_closed_segment_while_it_is_served() {
    let broker = Broker::with(&[("pagewire.log.scrub.interval.ms", "1")]);
    let mut client = fill(&broker);
    damage(broker.dir());
    let begun = Instant::now();
    while client.fetch(&FetchAt::now("t", &[(0, 1)]), 12).errors()[0].1 == 0 {
        assert!(begun.elapsed() < NEVER, "never found");
        std::thread::sleep(Duration::from_millis(20));
    }
    expect_refused_in_the_middle(&mut client);
    client.produce("t", 0, batch(&["f"]));
}

#[test]
fn without_the_scrub_the_first_read_of_a_segment_after_a_start_finds_it() {
    let mut broker = Broker::with(&[("pagewire.log.scrub.bytes.per.second", "0")]);
    drop(fill(&broker));
    broker.stop();
    damage(broker.dir());
    broker.restart();
    let mut client = broker.client();
    expect_refused_in_the_middle(&mut client);
}

#[test]
fn what_was_verified_before_a_stop_is_not_due_again_after_it() {
    let mut broker = Broker::start();
    drop(fill(&broker));
    let file = broker.dir().join("pagewire-scrub-checkpoint");
    broker.restart();
    let begun = Instant::now();
    while !fs::read_to_string(&file).is_ok_and(|text| text.contains("t 0 ")) {
        assert!(begun.elapsed() < NEVER, "never written");
        std::thread::sleep(Duration::from_millis(20));
        broker.restart();
    }
}
