//! A thread that cleans.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    thread,
};

use pagewire_log::{CleanError, Cleaned, Cleaner, CleanerLimits, Dirty, LogDir};
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info};

use crate::{broker::Broker, clock::now_ms};

/// A clean holds two buffers at a time and recurses nowhere.
const STACK_BYTES: usize = 512 * 1024;

/// Starts the thread that looks.
pub(super) fn start_lead(broker: &Arc<Broker>, tasks: &TaskTracker) {
    let (shared, token, helpers) = (Arc::clone(broker), tasks.token(), tasks.clone());
    let started = spawn(move || {
        let cleaners = shared.cleaners();
        while !cleaners.is_stopped() {
            clean_what_is_due(&shared, &helpers, Role::Lead);
            cleaners.rest(shared.config().cleaner.backoff);
        }
        drop(token);
    });
    match started {
        Ok(()) => broker.cleaners().lead.store(true, Ordering::Relaxed),
        Err(error) => error!(%error, "no thread can be started for compaction: nothing is compacted"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Lead,
    Helper,
}

/// Starts one more, if one more is allowed and can be had.
fn start_helper(broker: &Arc<Broker>, tasks: &TaskTracker) {
    let cleaners = broker.cleaners();
    if !cleaners.take_place(broker.config().cleaner.threads) {
        return;
    }
    let (shared, token, helpers) = (Arc::clone(broker), tasks.token(), tasks.clone());
    let started = spawn(move || {
        clean_what_is_due(&shared, &helpers, Role::Helper);
        shared.cleaners().helpers.fetch_sub(1, Ordering::AcqRel);
        drop(token);
    });
    if let Err(error) = started {
        cleaners.helpers.fetch_sub(1, Ordering::AcqRel);
        debug!(%error, "compaction goes on with fewer threads");
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let job = move || {
        // Where the kernel refuses it, they compete like all others.
        if let Err(error) = pagewire_zcopy::schedule_as_batch() {
            debug!(%error, "compaction is not scheduled as batch");
        }
        work();
    };
    thread::Builder::new().name("pagewire-clean".to_owned()).stack_size(STACK_BYTES).spawn(job).map(drop)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// There may be more.
    LookAgain,
    /// Nothing is due.
    AllDone,
}

/// Cleans one log after the other, the dirtiest first, as long as any is due.
fn clean_what_is_due(broker: &Arc<Broker>, tasks: &TaskTracker, role: Role) {
    let cleaners = broker.cleaners();
    let mut tool = Tool::default();
    while !cleaners.is_stopped() {
        if role == Role::Helper && cleaners.is_one_too_many(broker.config().cleaner.threads) {
            return;
        }
        let step = AssertUnwindSafe(|| clean_one(broker, tasks, &mut tool));
        match catch_unwind(step) {
            Ok(End::LookAgain) => {}
            Ok(End::AllDone) => return cleaners.counts.note_look(now_ms()),
            Err(_) => {
                return error!("looking for what to compact broke off in a panic; it is tried again later");
            }
        }
    }
}

fn clean_one(broker: &Arc<Broker>, tasks: &TaskTracker, tool: &mut Tool) -> End {
    let dirs: Vec<Arc<LogDir>> = broker.cluster().log_dirs().here().collect();
    let now_ms = now_ms();
    let Some(dirty) = dirtiest(&dirs, now_ms) else { return End::AllDone };
    start_helper(broker, tasks);
    clean(broker, dirty, tool, now_ms);
    End::LookAgain
}

/// Of all directories' logs.
fn dirtiest(dirs: &[Arc<LogDir>], now_ms: i64) -> Option<Dirty<'_>> {
    let found = dirs.iter().filter_map(|dir| dir.dirtiest(now_ms));
    found.reduce(|best, other| if other.ratio() > best.ratio() { other } else { best })
}

/// What a thread cleans with: made when it is first needed, and anew when it may take more or less.
#[derive(Default)]
struct Tool(Option<(CleanerLimits, Cleaner)>);

impl Tool {
    fn with(&mut self, limits: CleanerLimits) -> &mut Cleaner {
        let fits = self.0.take().filter(|(made_with, _)| *made_with == limits);
        &mut self.0.insert(fits.unwrap_or_else(|| (limits, Cleaner::new(limits)))).1
    }
}

/// However it ends, the log has said it, and it is not the next one to be found: the others go on.
fn clean(broker: &Broker, dirty: Dirty<'_>, tool: &mut Tool, now_ms: i64) {
    let (cleaners, limits) = (broker.cleaners(), broker.config().cleaner.limits());
    let (topic, partition, ratio) = (Arc::clone(dirty.topic()), dirty.partition(), dirty.ratio());
    match dirty.clean(tool.with(limits), now_ms, &cleaners.throttle) {
        Ok(cleaned) => {
            cleaners.counts.note(&cleaned.stats);
            tell(&topic, partition, ratio.get(), &cleaned);
        }
        Err(CleanError::GivenUp(reason)) => debug!(%topic, partition, reason, "compaction given up"),
        Err(error) => {
            if matches!(error, CleanError::Panicked(_)) {
                *tool = Tool::default();
            }
            cleaners.counts.note_failure();
        }
    }
}

fn tell(topic: &str, partition: i32, dirty_ratio: f64, cleaned: &Cleaned) {
    let stats = &cleaned.stats;
    info!(
        topic,
        partition,
        clean_to = cleaned.clean_to,
        dirty_ratio,
        records = stats.records_read,
        kept = stats.records_kept,
        without_key = stats.records_without_key,
        bytes = stats.bytes_read,
        left_bytes = stats.bytes_written,
        seconds = stats.elapsed.as_secs_f64(),
        "compacted"
    );
    if cleaned.map_was_full {
        info!(
            topic,
            partition, "more keys than fit in log.cleaner.dedupe.buffer.size: it takes several rounds"
        );
    }
}
