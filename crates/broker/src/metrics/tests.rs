//! Each name of the table stands for the number that it promises: all numbers here are different.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use pagewire_disk::Space;
use pagewire_log::{DirDescription, LogDescription, Offline, ScrubCounts};

use pagewire_zcopy::{Stats, StatsSnapshot};

use super::{Metrics, Seen, export};
use crate::cleaner::CleanerGauges;
use crate::moves::MoveGauges;

/// Ten connections of which three are gone, five requests, and every counter another number.
fn metrics() -> Metrics {
    let metrics = Metrics::default();
    (0..10).for_each(|_| metrics.connection_opened());
    (0..3).for_each(|_| metrics.connection_closed());
    (0..5).for_each(|api| metrics.request(api));
    let counters = [
        &metrics.bytes_in,
        &metrics.bytes_out,
        &metrics.records_in,
        &metrics.produce_failed,
        &metrics.fetch_failed,
        &metrics.produce_storage_errors,
        &metrics.fetch_storage_errors,
        &metrics.fetch_parked,
        &metrics.fetch_cold_lookups,
        &metrics.fetch_dropped_bytes,
        &metrics.transactions_not_loaded,
    ];
    for (counter, number) in counters.into_iter().zip(101..) {
        counter.store(number, Relaxed);
    }
    metrics
}

/// Every route another number of bytes, calls and refusals.
fn sent() -> StatsSnapshot {
    let mut sent = Stats::default().snapshot();
    sent.cold_offloads = 401;
    for (route, number) in sent.routes.iter_mut().zip(0..) {
        (route.bytes, route.calls, route.refusals) = (500 + number, 600 + number, 700 + number);
    }
    sent
}

fn cleaner() -> CleanerGauges {
    CleanerGauges {
        busy: 201,
        due: 202,
        cleans: 203,
        failed: 204,
        bytes_read: 205,
        bytes_written: 206,
        max_dirty_percent: 207,
        max_compaction_delay_secs: 208,
        time_since_last_run_ms: 209,
        cleaner_recopy_percent: 210,
        max_buffer_utilization_percent: 211,
        max_clean_time_secs: 212,
        dead_thread_count: 213,
        uncleanable_partitions_count: 214,
        uncleanable_bytes: 215,
        uncleanable: Vec::new(),
    }
}

/// A full directory with two logs of 1000 bytes, one of them damaged in three places and the other offline, and a directory that is
/// away.
fn dirs() -> [DirDescription; 2] {
    let offline = || Offline { reason: "gone".into(), kind: std::io::ErrorKind::NotFound };
    let log = |partition, damaged| LogDescription {
        topic: "t".into(),
        topic_id: uuid::Uuid::nil(),
        partition,
        size_bytes: 1000,
        damaged,
        held_back: 7 * i64::from(partition),
        offline: (damaged == 0).then(offline),
    };
    let here = DirDescription {
        path: "/a \"b\"".into(),
        away: false,
        opening: None,
        offline: None,
        full: true,
        space: Some(Space { total_bytes: 9000, usable_bytes: 8000 }),
        logs: vec![log(0, 3), log(1, 0)],
        missing: Vec::new(),
        scrub: ScrubCounts { bytes: 301, batches: 302, logs: 303, damaged: 304, unreadable: 305 },
    };
    let away = DirDescription {
        path: "/away".into(),
        away: true,
        offline: Some(offline()),
        full: false,
        space: None,
        logs: Vec::new(),
        scrub: ScrubCounts::default(),
        ..here.clone()
    };
    [here, away]
}

fn exported(dirs: &[DirDescription]) -> BTreeMap<String, u64> {
    let (metrics, sent, cleaner) = (&metrics(), &sent(), &cleaner());
    let moves = MoveGauges { copying: 301, waiting: 302, done: 303, failed: 304, copied_bytes: 305 };
    export(&Seen {
        metrics,
        sent,
        dirs,
        cleaner,
        offline_partitions: 9,
        hanging_dirs: 8,
        moves,
        metadata_trouble: true,
    })
}

#[test]
fn each_name_has_the_number_that_it_promises() {
    let expected = [
        ("pagewire_connections_total", 10),
        ("pagewire_connections", 7),
        ("pagewire_requests_total", 5),
        ("pagewire_received_bytes_total", 101),
        ("pagewire_sent_bytes_total", 102),
        ("pagewire_cold_offloads_total", 401),
        ("pagewire_records_in_total", 103),
        ("pagewire_produce_failed_total", 104),
        ("pagewire_fetch_failed_total", 105),
        ("pagewire_produce_storage_errors_total", 106),
        ("pagewire_fetch_storage_errors_total", 107),
        ("pagewire_fetch_parked_total", 108),
        ("pagewire_fetch_cold_lookups_total", 109),
        ("pagewire_fetch_dropped_bytes_total", 110),
        ("pagewire_log_dirs_offline", 1),
        ("pagewire_log_dirs_hanging", 8),
        ("pagewire_logs_offline", 1),
        ("pagewire_partitions_offline", 9),
        ("pagewire_partitions_damaged", 1),
        ("pagewire_damaged_stretches", 3),
        ("pagewire_partitions_held_back", 1),
        ("pagewire_held_back_offsets_max", 7),
        ("pagewire_transaction_partitions_not_loaded", 111),
        ("pagewire_metadata_trouble", 1),
        ("pagewire_moves_copying", 301),
        ("pagewire_moves_waiting", 302),
        ("pagewire_moves_done_total", 303),
        ("pagewire_moves_failed_total", 304),
        ("pagewire_moves_copied_bytes_total", 305),
        ("pagewire_cleaner_busy", 201),
        ("pagewire_cleaner_due", 202),
        ("pagewire_cleaner_cleans_total", 203),
        ("pagewire_cleaner_failed_total", 204),
        ("pagewire_cleaner_read_bytes_total", 205),
        ("pagewire_cleaner_written_bytes_total", 206),
        ("pagewire_cleaner_max_dirty_percent", 207),
        ("pagewire_cleaner_max_compaction_delay_seconds", 208),
        ("pagewire_cleaner_time_since_last_run_milliseconds", 209),
        ("pagewire_cleaner_recopy_percent", 210),
        ("pagewire_cleaner_max_buffer_utilization_percent", 211),
        ("pagewire_cleaner_max_clean_time_seconds", 212),
        ("pagewire_cleaner_dead_threads", 213),
        ("pagewire_cleaner_uncleanable_partitions", 214),
        ("pagewire_cleaner_uncleanable_bytes", 215),
        ("pagewire_scrub_bytes_total", 301),
        ("pagewire_scrub_batches_total", 302),
        ("pagewire_scrub_logs_total", 303),
        ("pagewire_scrub_damaged_stretches_total", 304),
        ("pagewire_scrub_unreadable_segments_total", 305),
        (r#"pagewire_log_dir_offline{dir="/a \"b\""}"#, 0),
        (r#"pagewire_log_dir_full{dir="/a \"b\""}"#, 1),
        (r#"pagewire_log_dir_logs{dir="/a \"b\""}"#, 2),
        (r#"pagewire_log_dir_size_bytes{dir="/a \"b\""}"#, 2000),
        (r#"pagewire_log_dir_usable_bytes{dir="/a \"b\""}"#, 8000),
        (r#"pagewire_log_dir_offline{dir="/away"}"#, 1),
        (r#"pagewire_log_dir_full{dir="/away"}"#, 0),
        (r#"pagewire_log_dir_logs{dir="/away"}"#, 0),
        (r#"pagewire_log_dir_size_bytes{dir="/away"}"#, 0),
    ];
    let routes = ["copy", "sendfile", "splice", "mmap", "zerocopy", "uring", "direct", "ktls"];
    let of_routes = routes.iter().zip(0..).flat_map(|(route, number)| {
        let named = |name: &str| format!("pagewire_{name}_total{{route=\"{route}\"}}");
        [
            (named("file_bytes_sent"), 500 + number),
            (named("file_send_calls"), 600 + number),
            (named("route_refusals"), 700 + number),
        ]
    });
    let expected = expected.into_iter().map(|(name, number)| (name.to_owned(), number)).chain(of_routes);
    assert_eq!(exported(&dirs()), expected.collect::<BTreeMap<String, u64>>());
}

#[test]
fn an_answer_is_bounded_however_many_directories_there_are() {
    let [here, _] = dirs();
    let many: Vec<_> =
        (0..100).map(|number| DirDescription { path: format!("/{number}").into(), ..here.clone() }).collect();
    let all = exported(&many);
    let named = all.keys().filter(|name| name.starts_with("pagewire_log_dir_logs{")).count();
    assert_eq!(named, 32);
    assert_eq!(all["pagewire_scrub_bytes_total"], 100 * 301, "all of them count together");
}
