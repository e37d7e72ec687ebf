//! What stays and what goes, one fact at a time.

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{ForgettingDisk, OpenMode};
use pagewire_record::{BatchBuilder, Codec, HEADER_LEN};

use super::*;
use crate::clean::source::Source;
use crate::verify::{Event, Severity, VerifyOptions, verify};

#[test]
fn the_latest_record_of_each_key_stays_at_its_offset() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("c", Some("1")), ("b", Some("2"))]);
    let cleaned = bench.roll_and_clean(0);
    assert_eq!(bench.text(), "a2 c1 b2");
    let offsets: Vec<i64> = bench.batches().iter().flat_map(|(_, r)| r.iter().map(|r| r.offset)).collect();
    assert_eq!((offsets, bench.log.marks().log_end, cleaned.clean_to), (vec![2, 3, 4], 5, 5));
    assert_eq!((cleaned.stats.records_read, cleaned.stats.records_kept), (5, 3));
}

#[test]
fn records_in_the_active_segment_stay_and_do_not_count() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("b", Some("1"))]);
    bench.roll();
    bench.put(&[("a", Some("2"))]);
    bench.clean(0);
    assert_eq!(bench.text(), "a1 b1 a2");
    bench.roll_and_clean(0);
    assert_eq!(bench.text(), "b1 a2");
}

#[test]
fn records_of_a_batch_go_one_by_one_in_every_codec() {
    for codec in Codec::ALL {
        let mut bench = Bench::new();
        bench.append(batch(codec, &[(Some("a"), Some("1")), (Some("b"), Some("1")), (Some("c"), Some("1"))]));
        bench.put(&[("b", Some("2"))]);
        bench.roll_and_clean(0);
        assert_eq!(bench.text(), "a1 c1 b2");
        let (header, records) = bench.batches().remove(0);
        assert_eq!(header.codec(), Some(codec));
        assert_eq!((header.base_offset, header.last_offset(), header.records_count), (0, 2, 2));
        assert_eq!(records.iter().map(|r| (r.offset, r.timestamp)).collect::<Vec<_>>(), [(0, 1), (2, 3)]);
    }
}

#[test]
fn a_batch_of_which_all_stays_is_copied_byte_for_byte() {
    let mut bench = Bench::new();
    bench.append(batch(Codec::Zstd, &[(Some("a"), Some("1")), (Some("b"), Some("1"))]));
    bench.roll();
    let before = bench.files();
    bench.clean(0);
    assert_eq!(
        bench.files().iter().find(|(name, _)| name.ends_with("0.log")),
        before.iter().find(|(name, _)| name.ends_with("0.log"))
    );
}

#[test]
fn a_record_without_a_key_goes() {
    let mut bench = Bench::new();
    bench.append(batch(Codec::None, &[(None, Some("1")), (Some("a"), Some("1"))]));
    let cleaned = bench.roll_and_clean(0);
    assert_eq!((bench.text().as_str(), cleaned.stats.records_without_key), ("a1", 1));
}

#[test]
fn a_tombstone_stays_until_its_horizon_which_its_first_clean_sets() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", None), ("b", Some("1"))]);
    bench.roll_and_clean(5000);
    assert_eq!(bench.text(), "a- b1");
    let (header, records) = bench.batches().remove(0);
    assert_eq!(header.delete_horizon_ms(), Some(5000 + RETENTION_MS));
    assert_eq!((records[0].timestamp, header.max_timestamp), (1, 1), "its time stays");
    bench.roll_and_clean(5000 + RETENTION_MS - 1);
    assert_eq!(bench.text(), "a- b1");
    bench.roll_and_clean(5000 + RETENTION_MS);
    assert_eq!(bench.text(), "b1");
}

#[test]
fn a_key_that_comes_back_outlives_its_tombstone() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", None)]);
    bench.roll_and_clean(0);
    bench.put(&[("a", Some("2"))]);
    bench.roll_and_clean(0);
    assert_eq!(bench.text(), "a2");
}

#[test]
fn a_second_clean_with_nothing_new_changes_no_byte() {
    let mut bench = Bench::new();
    for n in 0..40 {
        let codec = Codec::ALL[n % 5];
        let (key, value) = (format!("k{}", n % 7), n.to_string());
        let value = (n % 5 > 0).then_some(value.as_str());
        bench.append(batch(codec, &[(Some(&key), value), (Some("x"), Some("y"))]));
    }
    bench.roll_and_clean(0);
    let batches = bench.batches();
    // What has become small is put together by further cleans, until there is nothing to put together.
    for _ in 0..5 {
        bench.clean_to = None;
        bench.clean(1);
        assert_eq!(bench.batches(), batches);
    }
    let logs = |bench: &Bench| -> Vec<_> {
        bench.files().into_iter().filter(|(name, _)| !name.ends_with("deleted")).collect()
    };
    let before = logs(&bench);
    bench.clean_to = None;
    let again = bench.clean(2);
    assert_eq!(logs(&bench), before);
    assert!(again.stats.records_read > 0 && again.stats.records_read == again.stats.records_kept);
}

#[test]
fn the_last_batch_of_a_producer_stays_as_a_bare_header() {
    let mut bench = Bench::new();
    let sequenced = |sequence, value| {
        fill(BatchBuilder::new(Codec::Lz4).producer(7, 0, sequence), &[(Some("a"), Some(value))])
    };
    bench.append(sequenced(0, "1"));
    bench.append(sequenced(1, "2"));
    bench.put(&[("a", Some("3"))]);
    bench.roll_and_clean(0);
    let batches = bench.batches();
    assert_eq!((bench.text().as_str(), batches.len()), ("a3", 2));
    let bare = &batches[0].0;
    assert_eq!((bare.base_offset, bare.last_sequence(), bare.size_in_bytes()), (1, 1, HEADER_LEN as u64));
    let bench = bench.killed();
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
    assert!(bench.log.append(sequenced(1, "2"), context).expect("again").duplicate);
    assert!(!bench.log.append(sequenced(2, "4"), context).expect("next").duplicate);
}

#[test]
fn what_took_the_place_of_a_producers_last_batch_survives_a_power_cut() {
    let disk = ForgettingDisk::new();
    let mut bench = Bench::on(Arc::new(disk.clone()), options(config()));
    let sequenced =
        |sequence| fill(BatchBuilder::new(Codec::None).producer(7, 0, sequence), &[(Some("a"), Some("1"))]);
    bench.append(sequenced(0));
    bench.put(&[("a", Some("2"))]);
    bench.roll();
    let stable = bench.log.sync().expect("sync");
    bench.append(sequenced(1));
    bench.clean(0);
    assert_eq!(bench.batches().iter().map(|(header, _)| header.base_offset).collect::<Vec<_>>(), [1, 2]);
    let options = OpenOptions { recovery_point: stable, ..options(config()) };
    let again = Bench::on(Arc::new(disk.crash(0).expect("crash")), options);
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
    assert!(again.log.append(sequenced(1), context).expect("again").duplicate);
}

#[test]
fn a_bare_header_goes_when_its_producer_has_written_more_or_is_forgotten() {
    let mut bench = Bench::new();
    bench.append(fill(BatchBuilder::new(Codec::None).producer(7, 0, 0), &[(Some("a"), Some("1"))]));
    bench.append(fill(BatchBuilder::new(Codec::None).producer(8, 0, 0), &[(Some("a"), Some("1"))]));
    bench.put(&[("a", Some("2"))]);
    bench.roll_and_clean(0);
    assert_eq!(bench.batches().len(), 3);
    bench.append(fill(BatchBuilder::new(Codec::None).producer(7, 0, 1), &[(Some("b"), Some("1"))]));
    bench.roll_and_clean(0);
    assert_eq!(bench.batches().iter().map(|(h, _)| h.base_offset).collect::<Vec<_>>(), [1, 2, 3]);
    bench.log.expire_producers(i64::MAX);
    bench.put(&[("c", Some("1"))]);
    bench.roll_and_clean(0);
    assert_eq!(bench.text(), "a2 b1 c1");
    assert_eq!(bench.batches().len(), 3);
}

#[test]
fn the_end_of_the_log_is_not_lost_when_everything_before_it_goes() {
    let mut bench = Bench::new();
    bench.append(batch(Codec::None, &[(None, Some("1"))]));
    bench.append(batch(Codec::None, &[(None, Some("2"))]));
    bench.roll_and_clean(0);
    let batches = bench.batches();
    assert_eq!((batches.len(), batches[0].0.base_offset, batches[0].0.records_count), (1, 1, 0));
    assert_eq!(findings(&bench), [""; 0]);
    assert_eq!(bench.killed().log.marks().log_end, 2);
}

#[test]
fn small_segments_become_one_and_their_files_go_after_a_while() {
    let mut bench = Bench::new();
    for _ in 0..6 {
        bench.put(&[("a", Some("1")), ("b", Some("1"))]);
        bench.roll();
    }
    bench.put(&[("c", Some("1"))]);
    let cleaned = bench.clean(100);
    assert_eq!((cleaned.stats.segments_read, cleaned.stats.segments_written), (6, 2));
    let bases: Vec<i64> = bench.log.segments().iter().map(|segment| segment.base_offset).collect();
    assert_eq!(bases, [0, 8, 12]);
    let deleted = |bench: &Bench| bench.names().iter().filter(|name| name.ends_with(".log.deleted")).count();
    bench.log.unlink_due(149).expect("unlink");
    assert_eq!(deleted(&bench), 6);
    bench.log.unlink_due(150).expect("unlink");
    let expected = ["0.log", "8.log", "12.log"];
    let mut logs = bench.names();
    logs.retain(|name| crate::segment::names::offset(name, crate::segment::names::LOG).is_some());
    assert!(
        deleted(&bench) == 0 && logs.iter().zip(expected).all(|(name, end)| name.ends_with(end)),
        "{logs:?}"
    );
    assert!(!bench.names().iter().any(|name| name.contains("txnindex") || name.contains("swap")));
}

#[test]
fn small_segments_with_an_index_entry_for_each_batch_become_one_while_the_entries_fit() {
    let segments_of = |segment_index_bytes| {
        let mut bench = Bench::with(LogConfig {
            index_interval_bytes: 0,
            segment_index_bytes,
            segment_bytes: 5000,
            ..config()
        });
        for _ in 0..6 {
            bench.put(&[("a", Some("1")), ("b", Some("1"))]);
            bench.roll();
        }
        bench.put(&[("c", Some("1"))]);
        bench.clean(100).stats.segments_written
    };
    // An entry of the time index each.
    let entry = crate::index::time::ENTRY_LEN as u32;
    assert_eq!((segments_of(6 * entry), segments_of(3 * entry)), (1, 2));
}

#[test]
fn a_map_that_holds_one_key_still_gets_through_step_by_step() {
    let mut bench = Bench::new();
    bench.cleaner = cleaner(0);
    bench.put(&[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("b", Some("2")), ("a", Some("3"))]);
    bench.roll();
    let mut ends = Vec::new();
    while bench.clean_to != Some(5) {
        let cleaned = bench.clean(0);
        assert_eq!(cleaned.map_was_full, cleaned.clean_to < 5);
        ends.push(cleaned.clean_to);
    }
    assert_eq!((bench.text().as_str(), ends), ("b2 a3", vec![1, 2, 3, 4, 5]));
}

#[test]
fn damage_is_named_and_nothing_is_changed() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2")), ("b", Some("1"))]);
    bench.roll();
    let file = bench.log.segments.load()[0].file().expect("file");
    let at = file.len().expect("len") - 1;
    let mut byte = [0];
    file.read_exact_at(at, &mut byte).expect("read");
    file.write_at(at, &[byte[0] ^ 1]).expect("flip");
    let before = bench.files();
    let error = bench.try_clean(0).expect_err("damaged");
    assert!(error.is_lasting() && error.to_string().contains("crc"), "{error}");
    assert_eq!(bench.files(), before);
}

#[test]
fn memory_is_taken_for_a_batch_that_is_as_long_as_it_says_and_not_for_one_that_lies() {
    const CHUNK: usize = 1024;
    for flipped in [false, true] {
        let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
        let long = "x".repeat(100_000);
        bench.put(&[("a", Some(&long)), ("b", Some(&long)), ("c", Some(&long)), ("d", Some(&long))]);
        bench.roll();
        let segment = Arc::clone(&bench.log.segments.load()[0]);
        let file = segment.file().expect("file");
        if flipped {
            let mut length = [0; 4];
            file.read_exact_at(8, &mut length).expect("read");
            length[1] ^= 0x02;
            file.write_at(8, &length).expect("flip");
        }
        let mut buffer = Vec::new();
        let mut source = Source::new(&segment, &*file, 0, &mut buffer, CHUNK);
        let told = source.next().err().map(|error| error.to_string());
        drop(source);
        assert_eq!(told.is_some_and(|told| told.contains("crc")), flipped);
        assert_eq!(buffer.capacity() > 4 * CHUNK, !flipped, "{}", buffer.capacity());
    }
}

#[test]
fn offsets_and_times_are_found_in_what_is_left() {
    let mut bench = Bench::new();
    for n in 0..50i64 {
        let mut builder = BatchBuilder::new(Codec::None);
        let key = format!("{}", n % 9);
        builder.append(1000 + n, Some(key.as_bytes()), Some(b"value"), &[]).expect("record");
        bench.append(builder.build().expect("batch"));
    }
    bench.roll_and_clean(0);
    for offset in 0..50 {
        let read = batches_from(&bench.log, offset);
        assert_eq!(read.first().map(|(header, _)| header.base_offset), Some(offset.max(41)), "{offset}");
        let found = bench.log.offset_for_time(1000 + offset).expect("lookup").expect("found");
        assert_eq!((found.offset, found.timestamp), (offset.max(41), 1000 + offset.max(41)));
    }
    let newest = bench.log.max_timestamp_offset().expect("lookup").expect("found");
    assert_eq!((newest.offset, newest.timestamp), (49, 1049));
    assert_eq!(bench.log.end_offset_for_epoch(0), Some((0, 50)));
}

/// What `log check` says of the partition, which nobody gave an identity.
fn findings(bench: &Bench) -> Vec<String> {
    let mut told = Vec::new();
    verify(&bench.disk, Path::new(DIR), VerifyOptions::default(), &mut |event| {
        if let Event::Found(finding) = event
            && finding.severity > Severity::Note
            && !finding.path.ends_with(PARTITION_METADATA_FILE)
        {
            told.push(format!("{}: {}", finding.path.display(), finding.what));
        }
    })
    .expect("checked");
    told
}

#[test]
fn a_bare_header_of_a_later_time_than_the_records_is_nothing_that_a_check_complains_of() {
    let mut bench = Bench::new();
    let at = |mut builder: BatchBuilder, time, key: &str| {
        builder.append(time, Some(key.as_bytes()), Some(b"value"), &[]).expect("record");
        builder.build().expect("batch")
    };
    bench.append(at(BatchBuilder::new(Codec::None).producer(7, 0, 0), 9000, "a"));
    for n in 0..6 {
        bench.append(at(BatchBuilder::new(Codec::None), 1000 + n, &n.to_string()));
    }
    bench.append(at(BatchBuilder::new(Codec::None), 1100, "a"));
    bench.roll_and_clean(0);
    let bare = bench.batches()[0].0;
    assert_eq!((bare.max_timestamp, bare.records_count), (9000, 0));
    assert_eq!(findings(&bench), [""; 0]);
    // Kafka's cleaner has an entry of it.
    let times = bench.names().into_iter().find(|name| name.ends_with("0.timeindex")).expect("there");
    let file = bench.disk.open(&Path::new(DIR).join(times), OpenMode::ReadWrite).expect("there");
    file.set_len(0).expect("emptied");
    file.write_at(0, &[&9000_i64.to_be_bytes()[..], &0_i32.to_be_bytes()].concat()).expect("written");
    assert_eq!(findings(&bench), [""; 0]);
}

#[test]
fn a_cleaned_segment_is_as_old_as_what_it_replaces() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2"))]);
    bench.roll();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    let times = std::fs::FileTimes::new().set_modified(long_ago);
    bench.log.segments.load()[0].file().expect("file").file().set_times(times).expect("times");
    bench.clean(0);
    let file = bench.log.segments.load()[0].file().expect("file");
    assert_eq!(file.file().metadata().expect("metadata").modified().expect("time"), long_ago);
}

#[test]
fn a_topic_that_is_compacted_no_more_is_left_as_it_is() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2"))]);
    bench.roll();
    bench.log.set_config(LogConfig { cleanup_compact: false, ..config() });
    assert!(bench.try_clean(0).expect_err("given up").is_harmless());
    assert_eq!(bench.text(), "a1 a2");
}

#[test]
fn who_is_told_to_stop_stops_and_leaves_nothing_behind() {
    let bench = Bench::new();
    bench.put(&[("a", Some("1")), ("a", Some("2"))]);
    bench.roll();
    let before = bench.files();
    let throttle = Throttle::new(u64::MAX);
    throttle.stop();
    let range = bench.log.cleanable(None, 0).expect("look");
    assert!(bench.log.clean(&mut cleaner(1 << 20), range, 0, &throttle).expect_err("stopped").is_harmless());
    assert_eq!(bench.files(), before);
}

#[test]
fn holes_are_no_losses_to_a_log_that_was_compacted_once() {
    let mut bench = Bench::new();
    bench.put(&[("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("c", Some("1"))]);
    bench.roll_and_clean(0);
    bench.put(&[("d", Some("1"))]);
    let text = bench.text();
    // Killed, and every checkpoint is lost.
    let again = Bench::on(Arc::clone(&bench.disk), options(config()));
    assert!(again.report.cuts.is_empty(), "{:?}", again.report);
    assert_eq!(again.text(), text);
}

#[test]
fn retention_takes_what_is_old_of_a_compacted_log_that_is_also_deleted() {
    let mut bench = Bench::with(LogConfig { cleanup_delete: true, retention_ms: 100, ..config() });
    bench.put(&[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))]);
    bench.roll_and_clean(0);
    bench.put(&[("c", Some("1"))]);
    assert_eq!(bench.log.apply_retention(90).expect("retention").segments, 0);
    assert_eq!(bench.log.apply_retention(500).expect("retention").segments, 2);
    assert_eq!((bench.text().as_str(), bench.log.marks().log_start), ("", 4));
}

#[test]
fn a_hole_of_more_than_32_bits_is_passed_over() {
    let bench = Bench::new();
    bench.put(&[("a", Some("1"))]);
    // As Kafka may leave it: the next segment begins far away.
    let far: i64 = 5 << 32;
    let mut bytes = batch(Codec::None, &[(Some("b"), Some("1"))]).to_vec();
    bytes[..8].copy_from_slice(&far.to_be_bytes());
    let path = crate::segment::names::path(Path::new(DIR), far, crate::segment::names::LOG);
    let file = bench.disk.open(&path, pagewire_disk::OpenMode::Create).expect("create");
    file.write_at(0, &bytes).expect("write");
    bench.disk.remove_file(&Path::new(DIR).join(crate::rewritten::FILE)).expect("Kafka has none");
    let mut bench = bench.killed();
    assert!(bench.report.cuts.is_empty(), "{:?}", bench.report);
    assert_eq!((bench.text().as_str(), bench.log.marks().log_end), ("a1 b1", far + 1));
    bench.put(&[("a", Some("2"))]);
    bench.roll_and_clean(0);
    assert_eq!(bench.text(), "b1 a2");
    assert_eq!(bench.killed().text(), "b1 a2");
}

#[test]
fn a_deleted_key_stays_deleted_over_cleans_kills_and_retention() {
    let both = LogConfig { cleanup_delete: true, retention_ms: i64::MAX, ..config() };
    for config in [config(), both] {
        let mut bench = Bench::with(config);
        bench.put(&[("a", Some("1")), ("b", Some("1")), ("a", None), ("c", Some("1"))]);
        let horizon_ms = 5000 + RETENTION_MS;
        for now_ms in [5000, horizon_ms - 1, horizon_ms, horizon_ms + 1] {
            bench.roll_and_clean(now_ms);
            let expected = if now_ms < horizon_ms { "b1 a- c1" } else { "b1 c1" };
            assert_eq!(bench.text(), expected, "{now_ms}");
            bench.log.apply_retention(now_ms).expect("retention");
            bench = bench.killed();
            assert!(bench.report.cuts.is_empty(), "{:?}", bench.report);
            assert_eq!(bench.text(), expected, "{now_ms}, after a kill");
        }
    }
}
