//! Facts about what a broker does by the clock.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Disk, MemoryDisk, OffsetCheckpoint};
use pagewire_log::{AppendContext, Origin};
use pagewire_record::{BatchBuilder, Codec};

use super::*;
use crate::slack::{Heap, testing::Pretended};
use crate::testing::{Bench, ROOT, batch};

/// A topic of one partition with batches of the times 1000, 2000 and so on, one a segment.
async fn aged(bench: &Bench, name: &str, configs: &[(&str, &str)], batches: i64) -> Arc<pagewire_log::Log> {
    let all = [&[("internal.segment.bytes", "100")], configs].concat();
    let log = Arc::clone(&bench.topic(name, 1, &all).await[0].log);
    for now_ms in (1..=batches).map(|n| n * 1000) {
        let mut batch = BatchBuilder::new(Codec::None);
        batch.append(now_ms, Some(b"key"), Some(b"value"), &[]).expect("record");
        let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms };
        log.append(batch.build().expect("batch"), context).expect("appended");
    }
    log
}

#[tokio::test]
async fn who_names_no_policy_keeps_everything_for_ever() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let small = [("retention.ms", "1"), ("retention.bytes", "1")];
    for (policy, kept) in [("", true), ("compact", true), ("delete", false), ("compact,delete", false)] {
        let name = format!("t{}", policy.replace(',', "-"));
        let configs = [&[("cleanup.policy", policy)][..], &small].concat();
        let log = aged(&bench, &name, &configs, 4).await;
        retain(&bench.home(), i64::MAX);
        assert_eq!(log.marks().log_start == 0, kept, "{policy:?}");
    }
}

#[tokio::test]
async fn what_was_deleted_by_request_goes_whatever_the_policy() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    for policy in ["", "compact"] {
        let name = format!("t{policy}");
        let log = aged(&bench, &name, &[("cleanup.policy", policy)], 4).await;
        log.delete_records_before(2).expect("deleted");
        retain(&bench.home(), 5000);
        assert_eq!(log.segments().first().map(|segment| segment.base_offset), Some(2), "{policy:?}");
    }
}

#[tokio::test]
async fn the_first_stable_records_of_a_log_are_written_down_before_the_next_checkpoint_is_due() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let bench = Bench::on(Arc::clone(&disk));
    let log = aged(&bench, "t", &[], 1).await;
    let point = || {
        let path = bench.home().path().join(RECOVERY_POINT_FILE);
        OffsetCheckpoint::read(&*disk, &path).expect("read").and_then(|points| points.get("t", 0))
    };
    note(&bench.home(), 0);
    assert_eq!(point().unwrap_or(0), 0, "nothing is stable");
    log.sync().expect("synced");
    assert!(has_unnoted(&bench.broker));
    note(&bench.home(), 0);
    assert_eq!(point(), Some(1));
    assert!(!has_unnoted(&bench.broker));
}

/// The round by the clock is minutes away.
#[tokio::test(start_paused = true)]
async fn a_change_of_settings_acts_though_the_io_pool_was_full_when_it_was_made() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let log = aged(&bench, "t", &[("retention.ms", "1")], 4).await;
    let (go_on, waits) = std::sync::mpsc::channel::<()>();
    bench.broker.io().submit(move || _ = waits.recv()).expect("idle");
    while bench.broker.io().submit(|| ()).is_ok() {}
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    start(&bench.broker, &tasks, &stop);
    let begun = tokio::time::Instant::now();
    bench.broker.tell_settings_changed();
    sleep(10 * SETTLE).await;
    assert_eq!(log.marks().log_start, 0, "there was no room");
    drop(go_on);
    while log.marks().log_start == 0 {
        sleep(SETTLE).await;
    }
    assert!(begun.elapsed() < bench.broker.config().log_retention_check_interval);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn only_who_waits_where_records_went_or_a_segment_was_closed_is_woken() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let mut woken = Vec::new();
    for (name, retention) in [("kept", "-1"), ("removed", "1")] {
        aged(&bench, name, &[("retention.ms", retention)], 2).await;
        let partition = bench.broker.image().topic(name).and_then(|topic| topic.hosted(0).cloned());
        let partition = partition.expect("hosted");
        // What the appends above closed is known.
        partition.wake_if_moved();
        let waker = Arc::new(crate::partition::Waker::default());
        woken.push((Arc::clone(&partition), partition.watch(&waker), waker));
    }
    let is_woken = |at: usize| {
        let waker = Arc::clone(&woken[at].2);
        async move { tokio::time::timeout(Duration::ZERO, waker.woken()).await.is_ok() }
    };
    retain(&bench.home(), 5000);
    wake_waiting(&bench.broker);
    assert!(!is_woken(0).await && is_woken(1).await);
    wake_waiting(&bench.broker);
    assert!(!is_woken(0).await && !is_woken(1).await, "once");
}

#[tokio::test]
async fn what_retention_deleted_is_told_with_its_log_offsets_and_reason() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let by_size = aged(&bench, "size", &[("retention.bytes", "150"), ("retention.ms", "-1")], 4).await;
    let by_time = aged(&bench, "time", &[("retention.ms", "2500")], 4).await;
    by_time.delete_records_before(1).expect("moved");
    let one = by_size.segments()[0].size_bytes;
    let removed = bench.home().retain(5000).removed;
    let told = removed_lines(&removed);
    let expected = [
        format!(
            "size-0: 2 segments deleted, offsets 0 to 1, {} bytes: the log was longer than retention.bytes=150",
            one * 2
        ),
        format!("time-0: 1 segment deleted, offsets 0 to 0, {one} bytes: below the log start"),
        format!("time-0: 1 segment deleted, offsets 1 to 1, {one} bytes: older than retention.ms=2500"),
    ];
    assert_eq!(told, expected);
    let many: Vec<_> = removed.iter().cycle().take(RETENTION_LINES_MAX + 2).cloned().collect();
    let told = removed_lines(&many);
    assert_eq!(told.len(), RETENTION_LINES_MAX + 1);
    let last = told.last().map_or("", String::as_str);
    assert!(last.starts_with("retention deleted 2 segments more"), "{last}");
}

#[tokio::test]
async fn a_segment_that_nobody_writes_to_is_closed_by_the_retention_round() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let configs = [("segment.ms", "60000"), ("cleanup.policy", "compact")];
    let log = aged(&bench, "idle", &configs, 1).await;
    retain(&bench.home(), 61_000);
    assert_eq!(log.segments().len(), 1, "not older than segment.ms");
    retain(&bench.home(), 61_001);
    assert_eq!(log.segments().len(), 2);
}

#[tokio::test]
async fn deleted_files_wait_for_their_delay() {
    let disk = Arc::new(MemoryDisk::new());
    let bench = Bench::on(Arc::clone(&disk) as Arc<dyn Disk>);
    let configs = [("retention.bytes", "1"), ("file.delete.delay.ms", "500")];
    aged(&bench, "t", &configs, 3).await;
    let waiting = || {
        let names = disk.read_dir(&Path::new(ROOT).join("t-0")).expect("a directory");
        names.iter().filter(|entry| entry.name.ends_with(".log.deleted")).count()
    };
    retain(&bench.home(), 5000);
    assert_eq!(waiting(), 2);
    unlink(&bench.home(), 5499);
    assert_eq!(waiting(), 2);
    unlink(&bench.home(), 5500);
    assert_eq!(waiting(), 0);
}

#[tokio::test]
async fn a_checkpoint_covers_closed_segments_though_no_topic_has_timed_flushes() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let topic = bench.topic("t", 1, &[("internal.segment.bytes", "200")]).await;
    let log = &topic[0].log;
    for now_ms in 1000..1003 {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms };
        log.append(batch(), context).expect("appended");
    }
    let active = log.segments().last().expect("a segment").base_offset;
    assert!(active > 0 && log.marks().recovery_point < active, "rolled, and not synced");
    checkpoint(&bench.home(), 2000);
    assert!(log.marks().recovery_point >= active);
}

#[tokio::test(start_paused = true)]
async fn what_a_burst_needed_goes_back_while_the_broker_runs() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let (heap, stop) = (Arc::new(Pretended::default()), CancellationToken::new());
    let slack = Slack::of(Arc::clone(&heap) as Arc<dyn Heap>);
    let trimming = tokio::spawn(trim_memory(Arc::clone(&bench.broker), slack, stop.clone()));
    while heap.trims.load(Relaxed) < 2 {
        heap.burst();
        sleep(TRIM_EVERY).await;
    }
    stop.cancel();
    trimming.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn a_running_broker_keeps_no_buffers_that_nobody_uses() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    start(&bench.broker, &tasks, &stop);
    drop(bench.broker.buffers().take(1 << 20).expect("room"));
    assert!(bench.broker.buffers().usage().idle_bytes > 0);
    while bench.broker.buffers().usage().idle_bytes > 0 {
        sleep(TRIM_EVERY).await;
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn timed_flushes_are_looked_for_only_where_somebody_wants_them() {
    let bench = Bench::on(Arc::new(MemoryDisk::new()));
    bench.topic("plain", 1, &[]).await;
    assert!(!has_timed_flushes(&bench.broker));
    bench.topic("flushed", 1, &[("flush.ms", "1000")]).await;
    assert!(has_timed_flushes(&bench.broker));
}
