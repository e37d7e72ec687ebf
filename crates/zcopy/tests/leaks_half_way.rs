//! Ten thousand sendings given up half-way give back what their plans carried, whatever that was.

mod common;

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use common::{
    LIMIT, descriptors, file_of, forced, is_alone, is_available, maps_of, once, only, pattern, runtime, until,
};
use pagewire_zcopy::{BufferPool, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer};

const SENDINGS: u64 = 2_500;
/// More than the socket takes.
const BYTES: usize = 120_000;

/// What a plan has between two calls of a route.
#[derive(Debug, Clone, Copy)]
enum Carried {
    /// A pipe with bytes in it.
    Pipe,
    /// A map of the file.
    Map,
    /// A buffer with what was read past the page cache, and a descriptor for more.
    Portion,
    /// The answer of a thread that is at work.
    Awaited,
}

impl Carried {
    fn route(self) -> Route {
        match self {
            Self::Pipe => Route::Splice,
            Self::Map => Route::Mmap,
            Self::Portion | Self::Awaited => Route::Direct,
        }
    }

    /// Whether the sending has come so far that its plan carries it: times that the socket was full, or that a thread
    /// was asked to read.
    fn times(self, transfer: &Transfer) -> u64 {
        let told = transfer.stats().snapshot();
        match self {
            Self::Awaited => told.cold_offloads,
            _ => told.routes[self.route().index()].would_block,
        }
    }

    /// Whether some plan holds it.
    fn is_held(self, transfer: &Transfer, file: &File) -> bool {
        match self {
            Self::Pipe => transfer.pipes().usage().in_use > 0,
            Self::Map => maps_of(file) > 0,
            Self::Portion => transfer.buffers().usage().in_use_bytes > 0,
            Self::Awaited => transfer.io().queued() > 0,
        }
    }
}

/// Keeps the one thread of `io` busy until it is dropped.
fn gate(io: &IoPool) -> Sender<()> {
    until("the thread has begun what it was asked for last", || io.queued() == 0);
    let (open, gate) = channel();
    io.submit(move || assert!(gate.recv().is_err(), "nothing is said, it is dropped")).expect("room");
    open
}

/// A plan whose sending was dropped while it carried that.
async fn given_up(transfer: &Transfer, file: &Arc<File>, carried: Carried) -> SendPlan {
    let (sender, _receiver) = tokio::net::UnixStream::pair().expect("a pair");
    socket2::SockRef::from(&sender).set_send_buffer_size(1).expect("a tiny buffer");
    let mut plan = only(FileRange::new(Arc::clone(file), 0, BYTES as u64));
    let before = carried.times(transfer);
    {
        let mut sending = std::pin::pin!(transfer.send(&sender, &mut plan));
        while carried.times(transfer) == before {
            assert!(once(sending.as_mut()).await.is_pending(), "more than the socket takes");
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(plan.sent() > 0, !matches!(carried, Carried::Awaited), "{carried:?}");
    plan
}

fn ten_thousand(carried: Carried) {
    // The first runtime of a process opens what it keeps for all.
    drop(runtime());
    let file = file_of(&pattern(BYTES, 94));
    let before = descriptors();
    let (buffers, io) = (BufferPool::new(PoolOptions::default()), IoPool::new(1, 16));
    let transfer = Transfer::new(forced(carried.route()), buffers, io);
    runtime().block_on(async {
        for turn in 0..SENDINGS {
            let gate = matches!(carried, Carried::Awaited).then(|| gate(transfer.io()));
            let plan =
                tokio::time::timeout(LIMIT, given_up(&transfer, &file, carried)).await.expect("in time");
            assert!(carried.is_held(&transfer, &file), "{carried:?}: it outlives the future, with the plan");
            // By turns: what is read for a plan that is gone, and what a plan is gone with.
            if turn % 2 == 0 {
                drop(plan);
                drop(gate);
            } else {
                drop(gate);
                drop(plan);
            }
        }
    });
    until("what was read for nobody is let go of, with its buffer and its file", || {
        transfer.buffers().usage().in_use_bytes == 0 && Arc::strong_count(&file) == 1
    });
    assert_eq!((transfer.pipes().usage().in_use, maps_of(&file)), (0, 0), "{carried:?}");
    drop(transfer);
    until("descriptors for reads past the page cache are closed", || descriptors() <= before);
    assert_eq!(descriptors(), before, "{carried:?}");
}

/// Four kinds, each a quarter.
#[test]
fn ten_thousand_futures_dropped_half_way_leave_nothing_of_what_they_carried() {
    if !is_alone("ten_thousand_futures_dropped_half_way_leave_nothing_of_what_they_carried") {
        return;
    }
    for carried in [Carried::Pipe, Carried::Map, Carried::Portion, Carried::Awaited] {
        if is_available(carried.route()) {
            ten_thousand(carried);
        }
    }
}
