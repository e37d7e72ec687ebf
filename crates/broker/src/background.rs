//! Rounds that run by the clock: retention, checkpoints, time-based flushes, unlinks.
//!
//! Each round gives every log directory its turn, on that directory's I/O threads and never twice at a time: one whose disk
//! does not answer is passed over, and the others go on. A round that finds nothing to do costs microseconds; an
//! idle broker wakes up every few seconds only. Settings that change have retention look again at once.

use std::{io, sync::Arc, time::Duration};

use pagewire_log::{Flushed, Log, LogDir, Removed};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval_at, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, info, warn};

use crate::{broker::Broker, clock::now_ms, plural::counted, scrub, slack::Slack, turns::Turns};

/// Deleted files are looked for this often; `file.delete.delay.ms` is the least they wait.
const UNLINK_EVERY: Duration = Duration::from_secs(10);
/// `flush.ms` is kept to within this, or `log.flush.scheduler.interval.ms` where that is shorter. While no topic has it
/// (the default) nothing is looked at.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Files that are open beyond the budget are looked for this often. While there are none that costs nothing.
const CLOSE_FILES_EVERY: Duration = Duration::from_secs(1);

/// Records that became stable in a segment of which no checkpoint knows are written down within this. While there are none
/// that costs nothing.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// Directories that are gone, or the metadata's file, are noticed within this: one look-up of a name each.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Lines about what a round of retention deleted in a log directory: each is about one log.
const RETENTION_LINES_MAX: usize = 100;

/// Memory that a burst needed goes back within twice this.
const TRIM_EVERY: Duration = Duration::from_secs(5);

/// A round that found no room on the I/O pool is tried again this soon, however rarely it runs.
const AGAIN: Duration = Duration::from_secs(1);

/// After a change of settings others are waited for this long, so that a thousand changes in a row are a few rounds.
const SETTLE: Duration = Duration::from_millis(100);

/// Starts all rounds; they end with `stop`.
pub(crate) fn start(broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
    let config = broker.config();
    let every = |period, round| {
        tasks.spawn(repeat(Arc::clone(broker), tasks.clone(), stop.clone(), period, round));
    };
    let on_change = Some(Broker::settings_changed as fn(&Broker) -> &Notify);
    let retention = Round { early: on_change, after: wake_waiting, ..Round::by_the_clock(retain) };
    every(config.log_retention_check_interval, retention);
    every(config.producer_id_expiration_check_interval, Round::by_the_clock(expire_producers));
    every(config.log_flush_offset_checkpoint_interval, Round::by_the_clock(checkpoint));
    every(NOTE_EVERY, Round { wanted: has_unnoted, ..Round::by_the_clock(note) });
    every(UNLINK_EVERY, Round::by_the_clock(unlink));
    every(
        FLUSH_EVERY.min(config.log_flush_scheduler_interval),
        Round { wanted: has_timed_flushes, ..Round::by_the_clock(flush) },
    );
    every(LOOK_EVERY, Round { is_one_call: true, ..Round::by_the_clock(look) });
    every(CLOSE_FILES_EVERY, Round { wanted: has_too_many_files, ..Round::by_the_clock(close_files) });
    tasks.spawn(trim_memory(Arc::clone(broker), Slack::default(), stop.clone()));
    tasks.spawn(note_offline_dirs(Arc::clone(broker), stop.clone()));
    tasks.spawn(look_at_metadata(Arc::clone(broker), stop.clone()));
    let (ticking, until) = (Arc::clone(broker), stop.clone());
    tasks.spawn(async move { ticking.ticks().run(&until).await });
    scrub::start(broker, tasks, stop);
}

/// Gives back to the system: receive buffers that nobody used since the round before, and what the allocator keeps
/// after a burst.
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

/// So that it can be said since when a log directory is offline, and that one does not answer.
async fn note_offline_dirs(broker: Arc<Broker>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {
                broker.note_offline_dirs();
                broker.cluster().lanes().all().for_each(|lane| lane.tell_hanging());
            }
        }
    }
}

/// Whether the metadata would be found by the next start. One look at a time, on the threads of the directory that they are in.
async fn look_at_metadata(broker: Arc<Broker>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let looked = async {
            ticks.tick().await;
            let store = Arc::clone(broker.cluster().catalog().store());
            let home = broker.cluster().log_dirs().paths().next();
            let io = home.map_or(broker.io(), |home| broker.cluster().lanes().of(home).io());
            // Without room there the next one does it.
            let _ = io.run(move || store.look()).await;
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = looked => {}
        }
    }
}

/// What is done each time, on the I/O pool, where anything is to be done.
struct Round {
    run: fn(&LogDir, i64),
    wanted: fn(&Broker) -> bool,
    /// What makes it run before its time.
    early: Option<fn(&Broker) -> &Notify>,
    /// What follows each directory's turn.
    after: fn(&Broker),
    /// It is over at once, unless the disk does not answer.
    is_one_call: bool,
}

impl Round {
    fn by_the_clock(run: fn(&LogDir, i64)) -> Self {
        Self { run, wanted: always, early: None, after: |_| (), is_one_call: false }
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

fn has_unnoted(broker: &Broker) -> bool {
    broker.cluster().log_dirs().has_unnoted()
}

fn has_too_many_files(broker: &Broker) -> bool {
    broker.cluster().log_dirs().has_too_many_files()
}

/// Why a round is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is time.
    Time,
    /// Something changed.
    Early,
    /// Some directories are owed a turn.
    Owed,
}

async fn repeat(
    broker: Arc<Broker>,
    tasks: TaskTracker,
    stop: CancellationToken,
    period: Duration,
    round: Round,
) {
    let mut ticks = interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = Turns::default();
    loop {
        let why = tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => Why::Time,
            () = round.early(&broker) => Why::Early,
            () = sleep(AGAIN), if turns.owes_any() => Why::Owed,
        };
        if !(round.wanted)(&broker) {
            continue;
        }
        let here: Vec<Arc<LogDir>> = broker.cluster().log_dirs().here().collect();
        turns.keep(&here.iter().map(|dir| dir.path().to_path_buf()).collect::<Vec<_>>());
        for dir in here {
            if why != Why::Owed || turns.owes(dir.path()) {
                give_turn(&broker, &tasks, &round, &mut turns, why, dir);
            }
        }
    }
}

/// Has a directory do its part, on its own threads.
fn give_turn(
    broker: &Arc<Broker>,
    tasks: &TaskTracker,
    round: &Round,
    turns: &mut Turns,
    why: Why,
    dir: Arc<LogDir>,
) {
    let path = dir.path().to_path_buf();
    let Some(turn) = turns.begin(&path) else {
        // What changed may have changed behind the one under way.
        if why != Why::Time {
            turns.owe(&path);
        }
        return;
    };
    let (run, after, of, told) = (round.run, round.after, Arc::clone(broker), tasks.token());
    let job = move || {
        // Whoever stops waits for it; it is over however it ends.
        let _held = (turn, told);
        run(&dir, now_ms());
        after(&of);
    };
    let lane = broker.cluster().lanes().of(&path);
    let is_full = if round.is_one_call { lane.submit(job) } else { lane.io().submit(job) }.is_err();
    if is_full && turns.owe(&path) && why != Why::Owed {
        let dir = path.display();
        warn!(%dir, "the directory's I/O pool is full; a background round is put off until there is room");
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

fn expire_producers(log_dir: &LogDir, now_ms: i64) {
    let producers = log_dir.expire_producers(now_ms);
    if producers > 0 {
        debug!(log_dir = %log_dir.path().display(), producers, "forgotten: silent for too long");
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

/// Whoever waits at records that are gone, or in a segment that was closed, is to be told, and nobody else.
fn wake_waiting(broker: &Broker) {
    broker.image().hosted().for_each(|partition| partition.wake_if_moved());
}

/// Closed segments that nobody has synced yet (their pacing was skipped, or they were rolled by time) are synced first,
/// so that recovery after a crash never reads them.
fn checkpoint(log_dir: &LogDir, now_ms: i64) {
    flush(log_dir, now_ms);
    tell_unwritten(log_dir.write_checkpoints().map(drop));
}

/// The first records that are stable in a segment are worth a checkpoint of their own.
fn note(log_dir: &LogDir, _now_ms: i64) {
    if log_dir.has_unnoted() {
        tell_unwritten(log_dir.note_stable());
    }
}

fn tell_unwritten(written: io::Result<()>) {
    if let Err(error) = written {
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
#[path = "background_tests.rs"]
mod tests;
