//! What is left of batches that are kept for their producers' sake alone.

use pagewire_record::{BatchBuilder, Codec};

use super::*;

const LATER_MS: i64 = 500;

/// As in Kafka; known from the compaction, or found again after a start.
#[test]
fn a_segment_with_records_is_as_old_as_the_newest_bare_header_in_it() {
    for starts_again in [false, true] {
        let both = LogConfig { cleanup_delete: true, segment_bytes: 1 << 20, ..config() };
        let mut bench = Bench::with(both.clone());
        bench.put(&[("old", Some("1"))]);
        let mut builder = BatchBuilder::new(Codec::None).producer(7, 0, 0);
        builder.append(LATER_MS, Some(b"a"), Some(b"1"), &[]).expect("record");
        bench.append(builder.build().expect("batch"));
        bench.put(&[("old, too", Some("1"))]);
        bench.roll();
        bench.put(&[("a", Some("2"))]);
        bench.roll();
        bench.log.set_config(LogConfig { segment_bytes: 1, ..both.clone() });
        bench.clean(0);
        assert_eq!(bench.log.segments().len(), 3, "{}", bench.text());
        if starts_again {
            bench = bench.killed();
        }
        let kept = LATER_MS + RETENTION_MS;
        for (now_ms, log_start) in [(2 + RETENTION_MS, 0), (kept, 0), (kept + 1, 4)] {
            bench.log.set_config(LogConfig { retention_ms: RETENTION_MS, ..both.clone() });
            bench.log.apply_retention(now_ms).expect("retained");
            assert_eq!(bench.log.marks().log_start, log_start, "{starts_again}: {now_ms}");
        }
    }
}

/// The file is of today, the records are of 1970.
#[test]
fn a_segment_of_bare_headers_is_as_old_as_what_they_had() {
    let both = LogConfig { cleanup_delete: true, segment_bytes: 1 << 20, ..config() };
    let mut bench = Bench::with(both.clone());
    for producer in 0..3 {
        let builder = BatchBuilder::new(Codec::None).producer(producer, 0, 0);
        bench.append(fill(builder, &[(Some("a"), Some("1"))]));
    }
    bench.roll();
    bench.put(&[("a", Some("2"))]);
    bench.roll();
    // So that they do not become one.
    bench.log.set_config(LogConfig { segment_bytes: 1, ..both.clone() });
    bench.clean(0);
    assert_eq!((bench.text().as_str(), bench.batches().len()), ("a2", 4));
    bench = bench.killed();
    for (now_ms, log_start) in [(1 + RETENTION_MS, 0), (2 + RETENTION_MS, 4)] {
        bench.log.set_config(LogConfig { retention_ms: RETENTION_MS, ..both.clone() });
        bench.log.apply_retention(now_ms).expect("retained");
        assert_eq!(bench.log.marks().log_start, log_start, "{now_ms}");
    }
}
