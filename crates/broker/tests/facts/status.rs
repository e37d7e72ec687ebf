//! What `status` says of a broker to which something happens.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use pagewire_record::Codec;
use serde_json::{Value, json};

use crate::configs::{SET, TOPIC, change};
use crate::control::Control;
use crate::harness::{Broker, FetchAt, Fetched, batch, keyed, now_ms};

/// Ends a test that would wait for ever.
const NEVER: Duration = Duration::from_mins(1);

pub(crate) fn status(dir: &Path) -> Value {
    Control::of(dir).ask(&json!({"verb": "status"})).unwrap()
}

/// What is said once it holds.
pub(crate) fn once(dir: &Path, holds: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let said = status(dir);
        if holds(&said) {
            return said;
        }
        assert!(begun.elapsed() < NEVER, "{said}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn metric(said: &Value, name: &str) -> u64 {
    said["metrics"][name].as_u64().unwrap_or_else(|| panic!("{name}: {said}"))
}

/// Flips the last byte of a file in place: the broker has it open.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let open = fs::OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&open, &bytes, 0).unwrap();
}

#[test]
fn numbers_move_with_what_is_written_read_and_refused() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let before = status(broker.dir());
    let records = batch(&["a", "b", "c"]);
    let bytes = records.len() as u64;
    client.produce("t", 0, records);
    let read = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12).records();
    assert_eq!(read.len() as u64, bytes);
    let refused = client.try_produce("t", 7, batch(&["x"]), 9);
    assert_ne!(refused.error_code, 0);
    assert_ne!(client.fetch(&FetchAt::now("t", &[(0, 99)]), 12).errors(), [(0, 0)], "out of range");
    client.fetch(&FetchAt { max_wait_ms: 1, ..FetchAt::now("t", &[(0, 3)]) }, 12);
    drop(client);
    let own = |name: &str| format!("{name}{{dir=\"{}\"}}", broker.dir().display());
    let after = once(broker.dir(), |said| metric(said, "pagewire_connections") == 0);
    let moved = |name: &str| metric(&after, name) - metric(&before, name);
    assert_eq!(moved("pagewire_records_in_total"), 3);
    assert_eq!(moved("pagewire_received_bytes_total"), bytes);
    assert_eq!(moved("pagewire_sent_bytes_total"), bytes);
    assert_eq!(moved("pagewire_produce_failed_total"), 1);
    assert_eq!(moved("pagewire_fetch_failed_total"), 1);
    assert_eq!(moved("pagewire_fetch_parked_total"), 1);
    assert_eq!(moved("pagewire_requests_total"), 5);
    assert_eq!(moved(&own("pagewire_log_dir_size_bytes")), bytes);
    assert_eq!(metric(&before, "pagewire_connections"), 1);
    assert_eq!(metric(&after, &own("pagewire_log_dir_logs")), 1);
    assert_eq!(metric(&after, "pagewire_connections_total"), metric(&before, "pagewire_connections_total"));
}

#[test]
fn damage_that_the_scrub_found_is_told_with_its_place() {
    let broker = Broker::with(&[("pagewire.log.scrub.interval.ms", "1")]);
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("internal.segment.bytes", "150")]);
    for value in ["a", "b", "c", "d", "e"] {
        client.produce("t", 0, batch(&[value]));
    }
    let before = status(broker.dir());
    assert_eq!(before["damage"], json!({"partitions": 0, "stretches": 0, "some": []}));
    // The second batch of two.
    spoil(&broker.dir().join("t-0/00000000000000000000.log"));
    let said = once(broker.dir(), |said| said["damage"]["stretches"] != 0);
    let place = json!({"topic": "t", "partition": 0, "offset": 1, "next_offset": 2});
    assert_eq!(said["damage"], json!({"partitions": 1, "stretches": 1, "some": [place]}));
    assert_eq!(metric(&said, "pagewire_partitions_damaged"), 1);
    assert_eq!(metric(&said, "pagewire_damaged_stretches"), 1);
    let scrub = once(broker.dir(), |said| said["log_dirs"][0]["scrub"]["damaged"] != 0);
    assert!(metric(&scrub, "pagewire_scrub_damaged_stretches_total") > 0);
    assert!(
        metric(&scrub, "pagewire_scrub_bytes_total") > 0
            && metric(&scrub, "pagewire_scrub_batches_total") > 0
    );
}

#[test]
fn a_log_whose_compaction_fails_is_told_with_the_reason_and_the_time() {
    let broker =
        Broker::with(&[("log.cleaner.backoff.ms", "10"), ("pagewire.log.scrub.bytes.per.second", "0")]);
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("internal.segment.bytes", "300")]);
    for number in 0..20 {
        client.produce("t", 0, keyed(Codec::None, &[(now_ms() + number, Some("key"), Some("value"))]));
    }
    let before = now_ms();
    assert_eq!(status(broker.dir())["compaction"]["uncleanable"], json!([]));
    spoil(&broker.dir().join("t-0/00000000000000000000.log"));
    assert_eq!(change(&mut client, (TOPIC, "t"), &[("cleanup.policy", SET, Some("compact"))], false).0, 0);
    let said = once(broker.dir(), |said| said["compaction"]["uncleanable_partitions_count"] != 0);
    let [aside] = &said["compaction"]["uncleanable"].as_array().unwrap()[..] else { panic!("{said}") };
    assert_eq!((&aside["topic"], &aside["partition"]), (&json!("t"), &json!(0)));
    assert!(!aside["reason"].as_str().unwrap().is_empty());
    assert!((before..=now_ms()).contains(&aside["since_ms"].as_i64().unwrap()), "{aside}");
    assert_eq!(metric(&said, "pagewire_cleaner_uncleanable_partitions"), 1);
    assert!(metric(&said, "pagewire_cleaner_uncleanable_bytes") > 0);
    let said = once(broker.dir(), |said| said["compaction"]["failed"] != 0);
    assert!(metric(&said, "pagewire_cleaner_failed_total") > 0);
}
