//! Where checks that take long run, and in which order the requests of a connection append.
//!
//! Nearly every request appends before its handler returns, and so in the order in which it came. One whose check takes
//! long does not; from then on, until no such request is left, the later ones of its connection wait for those before
//! them: they are pipelined. A request leaves the pipeline when it is dropped, appended or not.
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
pub(crate) struct Pipelines {
    /// Connections with a pipeline, readable without the lock: usually there is none.
    busy: AtomicUsize,
    /// By the address of the connection's peer, which the requests keep alive.
    all: Mutex<HashMap<usize, Pipeline>>,
    /// As many threads as leave a core for the event loops.
    checks: IoPool,
}

struct Pipeline {
    requests: usize,
    patience: Arc<Patience>,
    /// Ends with the last request.
    last: oneshot::Receiver<()>,
}

impl Default for Pipelines {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        Self {
            busy: AtomicUsize::new(0),
            all: Mutex::default(),
            checks: IoPool::new(cores.saturating_sub(1).max(1), CHECKS_QUEUED_MAX),
        }
    }
}

impl Pipelines {
    /// Whether requests of this connection are pipelined. Asked by the connection itself, which pipelines them too.
    pub(super) fn has(&self, peer: &Arc<Peer>) -> bool {
        self.busy.load(Ordering::Relaxed) > 0 && self.all.lock().contains_key(&key(peer))
    }

    /// The threads for checks that take long.
    pub(super) fn checks(&self) -> &IoPool {
        &self.checks
    }
}

fn key(peer: &Arc<Peer>) -> usize {
    Arc::as_ptr(peer).addr()
}

/// A request in the pipeline of its connection.
pub(super) struct Pipelined {
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    before: Option<oneshot::Receiver<()>>,
    patience: Arc<Patience>,
    /// Dropped with the request, which the next one hears.
    _done: oneshot::Sender<()>,
}

impl Pipelined {
    /// Behind those that are under way.
    pub(super) fn behind(broker: &Arc<Broker>, peer: &Arc<Peer>) -> Self {
        let pipelines = broker.produce_pipelines();
        let (done, last) = oneshot::channel();
        let mut all = pipelines.all.lock();
        let (before, patience) = if let Some(pipeline) = all.get_mut(&key(peer)) {
            pipeline.requests += 1;
            (Some(std::mem::replace(&mut pipeline.last, last)), Arc::clone(&pipeline.patience))
        } else {
            let patience = Arc::<Patience>::default();
            all.insert(key(peer), Pipeline { requests: 1, patience: Arc::clone(&patience), last });
            (None, patience)
        };
        pipelines.busy.store(all.len(), Ordering::Relaxed);
        drop(all);
        Self { broker: Arc::clone(broker), peer: Arc::clone(peer), before, patience, _done: done }
    }

    /// That of its pipeline.
    pub(super) fn patience(&self) -> Arc<Patience> {
        Arc::clone(&self.patience)
    }

    /// Returns when all before it are done.
    pub(super) async fn until_first(&mut self) {
        if let Some(before) = self.before.take() {
            // Its end is the message.
            let _ = before.await;
        }
    }
}

impl Drop for Pipelined {
    fn drop(&mut self) {
        let pipelines = self.broker.produce_pipelines();
        let mut all = pipelines.all.lock();
        if let Some(pipeline) = all.get_mut(&key(&self.peer)) {
            pipeline.requests -= 1;
            if pipeline.requests == 0 {
                all.remove(&key(&self.peer));
            }
        }
        pipelines.busy.store(all.len(), Ordering::Relaxed);
    }
}
