//! Counters of what was sent (and received and relayed), by which way, and what got in the way. Relaxed atomics; read
//! them as a struct.

use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(target_os = "linux")]
use crate::copied_lately::CopiedLately;
#[cfg(not(target_os = "linux"))]
use crate::missing::CopiedLately;
use crate::moved_stats::{MovedCounts, MovedStats};
use crate::route::Why;
use crate::uring_stats::{UringCounts, UringStats};
use crate::{Completions, Route};

/// What one [`Transfer::send`](crate::Transfer::send) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Sent {
    /// Bytes the kernel took, all kinds together.
    pub bytes: u64,
    /// Of these, bytes that came from memory pieces.
    pub memory_bytes: u64,
    /// Of these, file bytes by route, indexed by [`Route::index`].
    pub file_bytes: [u64; Route::COUNT],
    /// System calls that sent something or tried to.
    pub calls: u64,
    /// Times the socket was full.
    pub would_block: u64,
    /// Times a range had to be read on the I/O pool: ahead because it was cold, or past the page cache.
    pub cold_offloads: u64,
    /// What this sending did with `MSG_ZEROCOPY`. Completions may be of earlier sendings to the same socket.
    pub zerocopy: ZerocopyCounts,
    /// The route that the last file piece took, and why.
    pub last_route: Option<(Route, Why)>,
}

impl Sent {
    /// File bytes that went by `route`.
    pub fn by(&self, route: Route) -> u64 {
        self.file_bytes.get(route.index()).copied().unwrap_or(0)
    }
}

/// What became of sends with `MSG_ZEROCOPY`, see [`Route::Zerocopy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ZerocopyCounts {
    /// Calls with the flag that the kernel took bytes of.
    pub sends: u64,
    /// Of these, calls whose pages the kernel has let go of, and said so.
    pub completions: u64,
    /// Of these, calls whose bytes the kernel copied after all: the way to the peer does not take pages (loopback and
    /// veth never do).
    pub copied: u64,
    /// Calls made without the flag, because too much was in flight (`ENOBUFS`: `net.core.optmem_max`,
    /// `RLIMIT_MEMLOCK`).
    pub fallbacks: u64,
}

impl ZerocopyCounts {
    pub(crate) fn completed(&mut self, done: Completions) {
        self.completions += done.completed;
        self.copied += done.copied;
    }
}

#[derive(Debug, Default)]
struct ZerocopyStats {
    sends: AtomicU64,
    completions: AtomicU64,
    copied: AtomicU64,
    fallbacks: AtomicU64,
}

#[derive(Debug, Default)]
struct RouteStats {
    bytes: AtomicU64,
    calls: AtomicU64,
    would_block: AtomicU64,
    refusals: AtomicU64,
}

/// Counters of one [`Transfer`](crate::Transfer), since it was made. Relaxed atomics, never reset.
///
/// ```
/// let counts = pagewire_zcopy::Transfer::shared().stats().snapshot();
/// for route in counts.routes {
///     println!("{}: {} bytes in {} calls, {} refusals", route.route, route.bytes, route.calls, route.refusals);
/// }
/// ```
#[derive(Debug, Default)]
pub struct Stats {
    routes: [RouteStats; Route::COUNT],
    memory_bytes: AtomicU64,
    partial_sends: AtomicU64,
    cold_offloads: AtomicU64,
    shrunk: AtomicU64,
    turns: AtomicU64,
    let_go: AtomicU64,
    zerocopy: ZerocopyStats,
    copied_lately: CopiedLately,
    uring: UringStats,
    received: MovedStats,
    relayed: MovedStats,
}

/// What one route did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteCounts {
    /// Which.
    pub route: Route,
    /// File bytes sent by it.
    pub bytes: u64,
    /// System calls that sent, or tried to. Calls that carried memory pieces only count under copy.
    pub calls: u64,
    /// Of these, calls that found the socket full.
    pub would_block: u64,
    /// Times the kernel refused it; see [`caps`](crate::caps).
    pub refusals: u64,
}

/// [`Stats`] at one moment. The fields were read one after another, not at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatsSnapshot {
    /// By route, in the order of [`Route::ALL`].
    pub routes: [RouteCounts; Route::COUNT],
    /// Bytes that came from memory pieces (headers), sent along by whatever call was next.
    pub memory_bytes: u64,
    /// Times the kernel refused a route, all of them together.
    pub refusals: u64,
    /// Calls that took less than they were offered.
    pub partial_sends: u64,
    /// Ranges that were read on the I/O pool: ahead because they were cold, or past the page cache.
    pub cold_offloads: u64,
    /// Files found shorter than announced.
    pub shrunk: u64,
    /// Times a long sending let others have their turn.
    pub turns: u64,
    /// Times a sending that waited for its socket gave a pipe or a buffer with bytes in it back, because the others had
    /// few left; the bytes were read again.
    pub let_go: u64,
    /// What became of sends with `MSG_ZEROCOPY`.
    pub zerocopy: ZerocopyCounts,
    /// Of route `uring`, with the kernel's own word whether it copied after all.
    pub uring: UringCounts,
    /// Bytes that [`transfer_from`](crate::Transfer::transfer_from) has put into files.
    pub received: MovedCounts,
    /// Bytes that a [`Relay`](crate::Relay) has sent on.
    pub relayed: MovedCounts,
}

impl Stats {
    /// Reads all counters.
    pub fn snapshot(&self) -> StatsSnapshot {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let empty = RouteStats::default();
        let routes = Route::ALL.map(|route| {
            let stats = self.routes.get(route.index()).unwrap_or(&empty);
            RouteCounts {
                route,
                bytes: load(&stats.bytes),
                calls: load(&stats.calls),
                would_block: load(&stats.would_block),
                refusals: load(&stats.refusals),
            }
        });
        StatsSnapshot {
            routes,
            memory_bytes: load(&self.memory_bytes),
            refusals: routes.iter().map(|route| route.refusals).sum(),
            partial_sends: load(&self.partial_sends),
            cold_offloads: load(&self.cold_offloads),
            shrunk: load(&self.shrunk),
            turns: load(&self.turns),
            let_go: load(&self.let_go),
            zerocopy: self.zerocopy(),
            uring: self.uring.snapshot(),
            received: self.received.snapshot(),
            relayed: self.relayed.snapshot(),
        }
    }

    /// What became of sends with `MSG_ZEROCOPY`.
    pub(crate) fn zerocopy(&self) -> ZerocopyCounts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let ZerocopyStats { sends, completions, copied, fallbacks } = &self.zerocopy;
        ZerocopyCounts {
            sends: load(sends),
            completions: load(completions),
            copied: load(copied),
            fallbacks: load(fallbacks),
        }
    }

    #[cfg(all(target_os = "linux", feature = "uring"))]
    pub(crate) fn uring(&self) -> &UringStats {
        &self.uring
    }

    pub(crate) fn call(&self, route: Route, sent: &mut Sent) {
        sent.calls += 1;
        if let Some(stats) = self.routes.get(route.index()) {
            add(&stats.calls, 1);
        }
    }

    pub(crate) fn would_block(&self, route: Route, sent: &mut Sent) {
        sent.would_block += 1;
        if let Some(stats) = self.routes.get(route.index()) {
            add(&stats.would_block, 1);
        }
    }

    pub(crate) fn file_bytes(&self, route: Route, bytes: u64, sent: &mut Sent) {
        sent.bytes += bytes;
        if let Some(by_route) = sent.file_bytes.get_mut(route.index()) {
            *by_route += bytes;
        }
        if let Some(stats) = self.routes.get(route.index()) {
            add(&stats.bytes, bytes);
        }
    }

    pub(crate) fn memory_bytes(&self, bytes: u64, sent: &mut Sent) {
        sent.bytes += bytes;
        sent.memory_bytes += bytes;
        add(&self.memory_bytes, bytes);
    }

    pub(crate) fn refusal(&self, route: Route) {
        if let Some(stats) = self.routes.get(route.index()) {
            add(&stats.refusals, 1);
        }
    }

    pub(crate) fn partial_send(&self) {
        add(&self.partial_sends, 1);
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn cold_offload(&self, sent: &mut Sent) {
        sent.cold_offloads += 1;
        add(&self.cold_offloads, 1);
    }

    pub(crate) fn shrunk(&self) {
        add(&self.shrunk, 1);
    }

    pub(crate) fn received(&self) -> &MovedStats {
        &self.received
    }

    pub(crate) fn relayed(&self) -> &MovedStats {
        &self.relayed
    }

    pub(crate) fn let_go(&self) {
        add(&self.let_go, 1);
    }

    /// Whether the kernel has copied after all of late.
    pub(crate) fn copied_lately(&self) -> &CopiedLately {
        &self.copied_lately
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn turn(&self) {
        add(&self.turns, 1);
    }
}

#[cfg(target_os = "linux")]
impl Stats {
    pub(crate) fn zerocopy_send(&self, sent: &mut Sent) {
        sent.zerocopy.sends += 1;
        add(&self.zerocopy.sends, 1);
    }

    pub(crate) fn zerocopy_fallback(&self, sent: &mut Sent) {
        sent.zerocopy.fallbacks += 1;
        add(&self.zerocopy.fallbacks, 1);
    }

    pub(crate) fn zerocopy_completed(&self, done: Completions) {
        add(&self.zerocopy.completions, done.completed);
        add(&self.zerocopy.copied, done.copied);
        self.copied_lately.note(done);
    }
}

fn add(counter: &AtomicU64, n: u64) {
    if n != 0 {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}
