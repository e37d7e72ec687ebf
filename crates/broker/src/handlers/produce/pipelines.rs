//! Where checks that take long run, and in which order the requests of a connection append.
//!
//! Nearly every request appends before its handler returns, and so in the order in which it came. One whose check takes
//! long does not; from then on, until no such request is left, the later ones of its connection wait for those before
//! them. A turn ends when it is dropped, appended or not.
//!
//! A connection may stop being polled for as long as its client likes, so what a request holds while it waits may be in
//! the way of that connection only. Checks have threads of their own; none is reserved from a request's future.

use std::{collections::HashMap, num::NonZero, sync::Arc, thread::available_parallelism};

use pagewire_zcopy::IoPool;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::oneshot;

use super::patience::Patience;
use crate::{broker::Broker, net::Peer};

/// Checks that may wait for a thread; past that, requests ask again.
const CHECKS_QUEUED_MAX: usize = 1024;

/// Of all connections.
pub(crate) struct Turns {
    /// Connections with a turn under way, readable without the lock: usually there is none.
    busy: AtomicUsize,
    /// By the address of the connection's peer, which the turns keep alive.
    lines: Mutex<HashMap<usize, Line>>,
    /// As many threads as leave a core for the event loops.
    checks: IoPool,
}

struct Line {
    turns: usize,
    patience: Arc<Patience>,
    /// Ends with the last turn of the line.
    last: oneshot::Receiver<()>,
}

impl Default for Turns {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self {
            busy: AtomicUsize::new(0),
            lines: Mutex::default(),
            checks: IoPool::new(cores.saturating_sub(1).max(1), CHECKS_QUEUED_MAX),
        }
    }
}

impl Turns {
    /// Whether requests of this connection must take a turn. Asked by the connection itself, which takes turns too.
    pub(super) fn are_taken(&self, peer: &Arc<Peer>) -> bool {
        self.busy.load(Ordering::Relaxed) > 0 && self.lines.lock().contains_key(&key(peer))
    }

    /// The threads for checks that take long.
    pub(super) fn checks(&self) -> &IoPool {
        &self.checks
    }
}

fn key(peer: &Arc<Peer>) -> usize {
    Arc::as_ptr(peer).addr()
}

/// A place in the line of a connection.
pub(super) struct Turn {
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    before: Option<oneshot::Receiver<()>>,
    patience: Arc<Patience>,
    /// Dropped with the turn, which the next one hears.
    _done: oneshot::Sender<()>,
}

impl Turn {
    /// Takes the next place.
    pub(super) fn take(broker: &Arc<Broker>, peer: &Arc<Peer>) -> Self {
        let turns = broker.produce_turns();
        let (done, last) = oneshot::channel();
        let mut lines = turns.lines.lock();
        let (before, patience) = if let Some(line) = lines.get_mut(&key(peer)) {
            line.turns += 1;
            (Some(std::mem::replace(&mut line.last, last)), Arc::clone(&line.patience))
        } else {
            let patience = Arc::<Patience>::default();
            lines.insert(key(peer), Line { turns: 1, patience: Arc::clone(&patience), last });
            (None, patience)
        };
        turns.busy.store(lines.len(), Ordering::Relaxed);
        drop(lines);
        Self { broker: Arc::clone(broker), peer: Arc::clone(peer), before, patience, _done: done }
    }

    /// That of its line.
    pub(super) fn patience(&self) -> Arc<Patience> {
        Arc::clone(&self.patience)
    }

    /// Returns when all before it are done.
    pub(super) async fn come(&mut self) {
        if let Some(before) = self.before.take() {
            // Its end is the message.
            let _ = before.await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let turns = self.broker.produce_turns();
        let mut lines = turns.lines.lock();
        if let Some(line) = lines.get_mut(&key(&self.peer)) {
            line.turns -= 1;
            if line.turns == 0 {
                lines.remove(&key(&self.peer));
            }
        }
        turns.busy.store(lines.len(), Ordering::Relaxed);
    }
}
