//! Readers while a log is compacted.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[test]
fn a_range_in_flight_keeps_the_old_bytes() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2")), ("b", Some("1"))]);
    bench.roll();
    let slice = bench.log.read(0, 1000, ReadUpTo::HighWatermark, true).expect("read");
    let range = slice.range.expect("records");
    let before = range.read_to_vec().expect("bytes");
    bench.clean(0);
    bench.log.unlink_due(i64::MAX).expect("unlink");
    assert_eq!(range.read_to_vec().expect("bytes"), before);
}

#[test]
fn a_reader_with_an_old_list_of_segments_never_opens_the_new_file() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2")), ("b", Some("1"))]);
    bench.roll();
    let bench2 = bench.killed();
    bench = bench2;
    let old = Arc::clone(&bench.log.segments.load()[0]);
    bench.clean(0);
    for mode in [pagewire_disk::OpenMode::ReadWrite, pagewire_disk::OpenMode::Create] {
        let error = old.open(crate::segment::names::INDEX, mode).expect_err("replaced");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}

/// Readers see each key's latest value of some moment, in order, whatever happens below them.
#[test]
fn readers_see_no_more_and_no_less_while_the_log_is_compacted_all_the_time() {
    let mut bench = Bench::with(LogConfig { segment_bytes: 400, ..config() });
    let done = AtomicBool::new(false);
    for n in 0..30 {
        bench.put(&[(&format!("k{}", n % 7), Some(&n.to_string()))]);
    }
    let (log, cleaner) = (&bench.log, &mut bench.cleaner);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|start| {
                let done = &done;
                scope.spawn(move || {
                    let mut rounds = 0;
                    while !done.load(Ordering::Acquire) || rounds == 0 {
                        let end = log.marks().high_watermark;
                        let all = batches_from(log, start);
                        assert!(all.windows(2).all(|pair| pair[0].0.last_offset() < pair[1].0.base_offset));
                        let keys: std::collections::BTreeSet<Bytes> = all
                            .iter()
                            .flat_map(|(_, records)| records.iter().filter_map(|r| r.key.clone()))
                            .collect();
                        assert_eq!(keys.len(), 7);
                        assert!(all.last().is_some_and(|(header, _)| header.next_offset() >= end));
                        let newest = log.offset_for_time(1).expect("lookup").expect("a record");
                        assert_eq!(newest.timestamp, 1);
                        rounds += 1;
                    }
                })
            })
            .collect();
        let mut clean_to = None;
        for n in 30..230 {
            let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
            let key = format!("k{}", n % 7);
            log.append(batch(Codec::None, &[(Some(&key), Some(&n.to_string()))]), context).expect("append");
            let range = log.cleanable(clean_to, 0).expect("look");
            clean_to = Some(log.clean(cleaner, range, 0, &Throttle::new(u64::MAX)).expect("clean").clean_to);
            log.apply_retention(0).expect("retention");
            log.unlink_due(i64::MAX).expect("unlink");
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            reader.join().expect("reader");
        }
    });
}
