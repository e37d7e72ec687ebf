//! Rounds that run by the clock: retention, checkpoints, time-based flushes, unlinks.
//!
//! Each round runs on the I/O pool and never twice at a time. A round that finds nothing to do costs microseconds; an
//! idle broker wakes up every few seconds only. Settings that change have retention look again at once.

use std::{sync::Arc, time::Duration};

use pagewire_log::{Flushed, Log, LogDir, Removed};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval_at, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::{broker::Broker, clock::now_ms, plural::counted, scrub, slack::Slack};

/// Deleted files are looked for this often; `file.delete.delay.ms` is the least they wait.
const UNLINK_EVERY: Duration = Duration::from_secs(10);
/// `flush.ms` is kept to within this, or `log.flush.scheduler.interval.ms` where that is shorter. While no topic has it
/// (the default) nothing is looked at.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Files that are open beyond the budget are looked for this often. While there are none that costs nothing.
const CLOSE_FILES_EVERY: Duration = Duration::from_secs(1);

/// Directories that are gone are noticed within this: one look-up of a name each.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Lines about what a round of retention deleted in a log directory: each is about one log.
const RETENTION_LINES_MAX: usize = 100;

/// Memory that a burst needed goes back within twice this.
const TRIM_EVERY: Duration = Duration::from_secs(5);

/// After a change of settings others are waited for this long, so that a thousand changes in a row are a few rounds.
const SETTLE: Duration = Duration::from_millis(100);

/// Starts all rounds; they end with `stop`.
pub(crate) fn start(broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
    let config = broker.config();
    let every = |period, round| tasks.spawn(repeat(Arc::clone(broker), stop.clone(), period, round));
    let on_change = Some(Broker::settings_changed as fn(&Broker) -> &Notify);
    let retention = Round { early: on_change, after: wake_waiting, ..Round::by_the_clock(retain) };
    every(config.log_retention_check_interval, retention);
    every(config.log_flush_offset_checkpoint_interval, Round::by_the_clock(checkpoint));
    every(UNLINK_EVERY, Round::by_the_clock(unlink));
    every(
        FLUSH_EVERY.min(config.log_flush_scheduler_interval),
        Round { wanted: has_timed_flushes, ..Round::by_the_clock(flush) },
    );
    every(LOOK_EVERY, Round::by_the_clock(look));
    every(CLOSE_FILES_EVERY, Round { wanted: has_too_many_files, ..Round::by_the_clock(close_files) });
    tasks.spawn(trim_memory(Arc::clone(broker), Slack::default(), stop.clone()));
    tasks.spawn(note_offline_dirs(Arc::clone(broker), stop.clone()));
    tasks.spawn(scrub::run(Arc::clone(broker), stop.clone()));
}

/// Gives back to the system: receive buffers that nobody used since the round before, and what the allocator keeps after
/// a burst.
async fn trim_memory(broker: Arc<Broker>, mut slack: Slack, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TRIM_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        broker.buffers().trim();
        let mut now = slack.clone();
        let give_back = move || {
            now.give_back();
            now
        };
        // Without room on the I/O threads the next one does it.
        slack = broker.io().run(give_back).await.unwrap_or(slack);
    }
}

/// So that it can be said since when a log directory is offline.
async fn note_offline_dirs(broker: Arc<Broker>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => broker.note_offline_dirs(),
        }
    }
}

/// What is done each time, on the I/O pool, where anything is to be done.
struct Round {
    run: fn(&LogDir, i64),
    wanted: fn(&Broker) -> bool,
    /// What makes it run before its time.
    early: Option<fn(&Broker) -> &Notify>,
    /// What follows once all directories had their turn.
    after: fn(&Broker),
}

impl Round {
    fn by_the_clock(run: fn(&LogDir, i64)) -> Self {
        Self { run, wanted: always, early: None, after: |_| () }
    }

    /// Ends when the round is to run before its time.
    async fn early(&self, broker: &Broker) {
        match self.early {
            Some(reason) => {
                reason(broker).notified().await;
                sleep(SETTLE).await;
            }
            None => std::future::pending().await,
        }
    }
}

fn always(_broker: &Broker) -> bool {
    true
}

fn has_timed_flushes(broker: &Broker) -> bool {
    broker.image().topics().any(|topic| topic.config.flush_every_ms().is_some())
}

fn has_too_many_files(broker: &Broker) -> bool {
    broker.cluster().log_dirs().has_too_many_files()
}

async fn repeat(broker: Arc<Broker>, stop: CancellationToken, period: Duration, round: Round) {
    let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            () = round.early(&broker) => {}
        }
        if !(round.wanted)(&broker) {
            continue;
        }
        let (log_dirs, run) = (Arc::clone(broker.cluster().log_dirs()), round.run);
        let job = move || log_dirs.here().for_each(|dir| run(&dir, now_ms()));
        if broker.io().run(job).await.is_err() {
            warn!("the I/O pool is full; a background round was put off");
            continue;
        }
        (round.after)(&broker);
    }
}

fn retain(log_dir: &LogDir, now_ms: i64) {
    let done = log_dir.retain(now_ms);
    for (path, error) in &done.failed {
        warn!(path = %path.display(), %error, "retention failed");
    }
    for line in removed_lines(&done.removed) {
        info!("{line}");
    }
}

/// A line for each log and reason; where these are very many, what the others come to.
fn removed_lines(removed: &[(Arc<Log>, Removed)]) -> Vec<String> {
    let (told, rest) = removed.split_at(removed.len().min(RETENTION_LINES_MAX));
    let mut lines: Vec<String> = told
        .iter()
        .map(|(log, Removed { reason, segments, bytes, from, upto })| {
            let segments = counted(*segments as u64, "segment");
            let (topic, partition, last) = (log.topic(), log.partition(), upto - 1);
            format!(
                "{topic}-{partition}: {segments} deleted, offsets {from} to {last}, {bytes} bytes: {reason}"
            )
        })
        .collect();
    if !rest.is_empty() {
        let segments = rest.iter().map(|(_, removed)| removed.segments as u64).sum();
        let bytes: u64 = rest.iter().map(|(_, removed)| removed.bytes).sum();
        lines.push(format!("retention deleted {} more, {bytes} bytes", counted(segments, "segment")));
    }
    lines
}

/// Whoever waits at records that are gone, or in a segment that was closed, is to be told. Where nobody waits it costs next to
/// nothing, and who waits for something else looks once more.
fn wake_waiting(broker: &Broker) {
    broker.image().hosted().for_each(|partition| partition.wake_all());
}

/// Closed segments that nobody has synced yet (their pacing was skipped, or they were rolled by time) are synced first, so
/// that recovery after a crash never reads them.
fn checkpoint(log_dir: &LogDir, now_ms: i64) {
    flush(log_dir, now_ms);
    if let Err(error) = log_dir.write_checkpoints() {
        // The directory says it once.
        debug!(%error, "checkpoints could not be written; a restart will scan more");
    }
}

fn look(log_dir: &LogDir, _now_ms: i64) {
    log_dir.look();
}

fn unlink(log_dir: &LogDir, now_ms: i64) {
    if let Err(error) = log_dir.unlink_due(now_ms) {
        warn!(%error, "a deleted file could not be unlinked");
    }
}

fn flush(log_dir: &LogDir, now_ms: i64) {
    report_syncs(&log_dir.flush_due(now_ms));
}

fn report_syncs(done: &Flushed) {
    for (path, error) in &done.failed {
        warn!(path = %path.display(), %error, "a sync failed");
    }
}

/// Syncs and closes files when more are open than there should be.
fn close_files(log_dir: &LogDir, now_ms: i64) {
    report_syncs(&log_dir.close_files(now_ms));
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::{Arc, atomic::Ordering::Relaxed},
    };

    use pagewire_disk::{Disk, MemoryDisk};
    use pagewire_log::{AppendContext, Origin};
    use pagewire_record::{BatchBuilder, Codec};

    use super::*;
    use crate::slack::{Heap, testing::Pretended};
    use crate::testing::{Bench, ROOT, batch};

    /// A topic of one partition with batches of the times 1000, 2000 and so on, one a segment.
    async fn aged(
        bench: &Bench,
        name: &str,
        configs: &[(&str, &str)],
        batches: i64,
    ) -> Arc<pagewire_log::Log> {
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
}
