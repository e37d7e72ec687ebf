//! Tells watchers what changed, from one bounded ring that all of them read.
//!
//! A watcher owns no queue: it remembers a revision and reads on from there. When the ring has dropped what comes
//! next, the watcher is told to list again. So a watcher that never reads costs nothing but its own struct.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::engine::Applied;
use crate::store::{Event, Revision, WatchSource};

/// How many revisions the ring keeps at most.
pub(crate) const KEPT_REVISIONS: usize = 512;
/// How many bytes of keys and values the ring keeps; the newest revision stays whatever its size.
const KEPT_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
struct Ring {
    /// Every change after this revision is in `changes`.
    complete_after: Revision,
    changes: VecDeque<Arc<Applied>>,
    bytes: usize,
}

impl Ring {
    fn push(&mut self, applied: Applied) {
        self.bytes += weight(&applied);
        self.changes.push_back(Arc::new(applied));
        while self.changes.len() > 1 && (self.changes.len() > KEPT_REVISIONS || self.bytes > KEPT_BYTES) {
            if let Some(dropped) = self.changes.pop_front() {
                self.bytes -= weight(&dropped);
                self.complete_after = dropped.revision;
            }
        }
    }
}

fn weight(applied: &Applied) -> usize {
    let of = |event: &Event| match event {
        Event::Put(entry) => entry.key.len() + entry.value.value.len(),
        Event::Delete { key, .. } => key.len(),
        Event::Resync { .. } => 0,
    };
    applied.events.iter().map(of).sum()
}

/// The sending half: owned by a store.
#[derive(Debug)]
pub(crate) struct Feed {
    ring: Arc<Mutex<Ring>>,
    latest: watch::Sender<Revision>,
}

impl Feed {
    /// A feed whose store stands at `revision`; older changes are not known to it.
    pub(crate) fn new(revision: Revision) -> Self {
        let ring = Ring { complete_after: revision, changes: VecDeque::new(), bytes: 0 };
        Self { ring: Arc::new(Mutex::new(ring)), latest: watch::Sender::new(revision) }
    }

    /// Makes a change visible. The caller calls this in the order of revisions.
    pub(crate) fn publish(&self, applied: Applied) {
        if applied.events.is_empty() {
            return;
        }
        let revision = applied.revision;
        self.ring.lock().push(applied);
        self.latest.send_replace(revision);
    }

    /// The store was opened again and stands at `revision`. Watchers that are behind that are told to list again.
    pub(crate) fn restart(&self, revision: Revision) {
        let mut ring = self.ring.lock();
        let known = ring.changes.back().map_or(ring.complete_after, |change| change.revision);
        if known == revision {
            return;
        }
        *ring = Ring { complete_after: revision, changes: VecDeque::new(), bytes: 0 };
        drop(ring);
        self.latest.send_replace(revision);
    }

    /// The receiving half for one watcher.
    pub(crate) fn watch(&self, prefix: &str, after: Revision) -> FeedWatch {
        FeedWatch {
            ring: Arc::clone(&self.ring),
            latest: self.latest.subscribe(),
            prefix: prefix.to_owned(),
            after,
            ready: VecDeque::new(),
            ended: false,
        }
    }
}

/// One watcher's place in the feed.
#[derive(Debug)]
pub(crate) struct FeedWatch {
    ring: Arc<Mutex<Ring>>,
    latest: watch::Receiver<Revision>,
    prefix: String,
    after: Revision,
    /// What is left of the revision being delivered.
    ready: VecDeque<Event>,
    ended: bool,
}

impl FeedWatch {
    /// Moves on to the next revision with a change under the prefix, if the ring has one.
    fn advance(&mut self) {
        let ring = self.ring.lock();
        if self.after < ring.complete_after {
            let revision = ring.changes.back().map_or(ring.complete_after, |change| change.revision);
            self.ready.push_back(Event::Resync { revision });
            self.ended = true;
            return;
        }
        let start = ring.changes.partition_point(|change| change.revision <= self.after);
        for change in ring.changes.range(start..) {
            self.after = change.revision;
            let matching = change.events.iter().filter(|event| key_of(event).starts_with(&self.prefix));
            self.ready.extend(matching.cloned());
            if !self.ready.is_empty() {
                return;
            }
        }
    }
}

fn key_of(event: &Event) -> &str {
    match event {
        Event::Put(entry) => &entry.key,
        Event::Delete { key, .. } => key,
        Event::Resync { .. } => "",
    }
}

#[async_trait]
impl WatchSource for FeedWatch {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            self.latest.mark_unchanged();
            self.advance();
            if self.ready.is_empty() && self.latest.changed().await.is_err() {
                self.ended = true;
            }
        }
    }
}
