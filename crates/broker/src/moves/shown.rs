//! How moves stand, for who watches the broker: those under way, what they wait for, and those that were given up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_log::FutureLog;
use parking_lot::Mutex;
use serde::Serialize;

use super::{Move, Moves};
use crate::broker::Broker;
use crate::clock::now_ms;

/// As many that were given up are remembered; those before them are in the log.
const GIVEN_UP_MAX: usize = 16;

/// Why nothing is copied at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Turn,
    Served,
    Reopened,
    Compaction,
    Switch,
    Disk,
    Again,
}

impl Waits {
    const fn what(self) -> &'static str {
        match self {
            Self::Turn => "other moves to that directory",
            Self::Served => "its log to be served",
            Self::Reopened => "its log to be opened anew",
            Self::Compaction => "compaction of its log",
            Self::Switch => "a backup, or another change of its topic",
            Self::Disk => "a disk that does not answer",
            Self::Again => "another attempt",
        }
    }
}

/// What went wrong, and when.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    at_ms: i64,
    why: String,
}

/// What is counted since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    copied_bytes: AtomicU64,
    given_up: Mutex<VecDeque<(Arc<Move>, Failure)>>,
}

/// All of them, in numbers.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct MoveGauges {
    pub(crate) copying: u64,
    pub(crate) waiting: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) copied_bytes: u64,
}

/// What a move is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    Copying,
    Waiting,
    GivenUp,
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Shown {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    /// Where it is, if it is served.
    from: Option<String>,
    to: String,
    pub(crate) state: Standing,
    copied_bytes: u64,
    /// Of all that there is to copy.
    log_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for: Option<&'static str>,
    /// Why it broke off last, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure_ms: Option<i64>,
}

impl Shown {
    fn of(broker: &Broker, going: &Move, state: Standing, failure: Option<Failure>) -> Self {
        let waits = (*going.waits.lock()).filter(|_| state == Standing::Waiting);
        let copied_bytes = going.bytes.load(Ordering::Relaxed);
        let (last_failure, last_failure_ms) = failure.map(|one| (one.why, one.at_ms)).unzip();
        let waits_for = waits.map(Waits::what);
        let to = going.to.display().to_string();
        Self {
            copied_bytes,
            waits_for,
            last_failure,
            last_failure_ms,
            ..Self::bare(broker, &going.future, to, state)
        }
    }

    fn bare(broker: &Broker, future: &FutureLog, to: String, state: Standing) -> Self {
        let image = broker.image();
        let topic = image.topic_by_id(future.topic_id);
        let log = topic.and_then(|topic| Some(&topic.hosted(future.partition)?.log));
        Self {
            topic: future.topic.clone(),
            partition: future.partition,
            from: log.and_then(|log| Some(log.dir().parent()?.display().to_string())),
            to,
            state,
            copied_bytes: 0,
            log_bytes: log.map_or(0, |log| log.size_bytes()),
            waits_for: None,
            last_failure: None,
            last_failure_ms: None,
        }
    }
}

impl Move {
    /// Nothing is copied until then.
    pub(super) fn waits_for(&self, what: Waits) {
        *self.waits.lock() = Some(what);
    }

    pub(super) fn goes_on(&self) {
        *self.waits.lock() = None;
    }

    pub(super) fn broke_off(&self, why: &str) {
        *self.failure.lock() = Some(Failure { at_ms: now_ms(), why: why.to_owned() });
    }
}

impl Moves {
    pub(super) fn count_copied(&self, bytes: u64) {
        self.counts.copied_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn count_done(&self) {
        self.counts.done.fetch_add(1, Ordering::Relaxed);
    }

    /// A move ends where it began, for good, unless somebody wishes it again.
    pub(super) fn give_up(&self, ended: &Arc<Move>, why: &str) {
        self.counts.failed.fetch_add(1, Ordering::Relaxed);
        let mut given_up = self.counts.given_up.lock();
        if given_up.len() == GIVEN_UP_MAX {
            given_up.pop_front();
        }
        given_up.push_back((Arc::clone(ended), Failure { at_ms: now_ms(), why: why.to_owned() }));
    }

    /// It is wished again, or where it is.
    pub(super) fn no_longer_given_up(&self, future: &FutureLog) {
        self.counts.given_up.lock().retain(|(ended, _)| ended.future != *future);
    }

    /// All of them in numbers. Waits for nothing.
    pub(crate) fn gauges(&self) -> MoveGauges {
        let (all, waiting) = {
            let wanted = self.wanted.lock();
            let waiting = wanted.values().filter(|going| going.waits.lock().is_some()).count();
            (wanted.len(), waiting)
        };
        let put_off = self.put_off.lock().len();
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        MoveGauges {
            copying: all.saturating_sub(waiting) as u64,
            waiting: (waiting + put_off) as u64,
            done: read(&self.counts.done),
            failed: read(&self.counts.failed),
            copied_bytes: read(&self.counts.copied_bytes),
        }
    }

    /// All of them: those that copy, those that wait, those that were given up and whose topics are still there.
    pub(crate) fn shown(&self, broker: &Broker) -> Vec<Shown> {
        let going: Vec<Arc<Move>> = self.wanted.lock().values().cloned().collect();
        let going = going.iter().map(|going| {
            let waits = going.waits.lock().is_some();
            let state = if waits { Standing::Waiting } else { Standing::Copying };
            Shown::of(broker, going, state, going.failure.lock().clone())
        });
        let mut all: Vec<Shown> = going.collect();
        let put_off = self.put_off.lock().clone();
        all.extend(put_off.iter().map(|(to, future)| {
            let bare = Shown::bare(broker, future, to.display().to_string(), Standing::Waiting);
            Shown { waits_for: Some(Waits::Served.what()), ..bare }
        }));
        all.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
        all.sort_by_key(|one| one.state != Standing::Copying);
        let given_up: Vec<_> = self.counts.given_up.lock().iter().cloned().collect();
        let there = given_up
            .into_iter()
            .filter(|(ended, _)| broker.image().topic_by_id(ended.future.topic_id).is_some());
        all.extend(there.map(|(ended, why)| Shown::of(broker, &ended, Standing::GivenUp, Some(why))));
        all
    }
}
