//! The scrub's clock: a slice of a log directory on its I/O threads, then a pause that keeps to the rate, which all of them
//! share. Each directory goes at its own pace: one whose disk does not answer keeps none of the others waiting.
//!
//! What is read, found and told is `log`'s; here is only when. With nothing due it looks again every few seconds, which
//! costs microseconds.

use std::{sync::Arc, time::Duration};

use pagewire_log::{ScrubLimits, Scrubbed};
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{broker::Broker, clock::now_ms, lanes::Lane};

/// Slices in a second at the full rate, each between these bounds: short enough to be in nobody's way on an I/O thread.
const SLICES_A_SECOND: u64 = 4;
const SLICE_MIN: u64 = 64 << 10;
const SLICE_MAX: u64 = 4 << 20;
/// Between two looks while nothing is due.
const IDLE: Duration = Duration::from_secs(10);
/// A second, where the rate is 0 and only suspects are looked at: reads of them wait for I/O threads until then.
const SUSPECTS_RATE: u64 = 16 << 20;
/// No log is due.
const NEVER_MS: i64 = i64::MAX;
/// Between two attempts to find room in a full I/O pool.
const BUSY: Duration = Duration::from_secs(1);

/// Starts the scrub of each directory. They end with `stop`.
pub(crate) fn start(broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
    let rate = Arc::new(Rate::default());
    for lane in broker.cluster().lanes().all() {
        tasks.spawn(run(Arc::clone(broker), Arc::clone(lane), Arc::clone(&rate), stop.clone()));
    }
}

async fn run(broker: Arc<Broker>, lane: Arc<Lane>, shared: Arc<Rate>, stop: CancellationToken) {
    let config = broker.config();
    let (limits, rate) = pace(config.log_scrub_interval_ms, config.log_scrub_bytes_per_second);
    loop {
        let pause = match slice(&broker, &lane, limits).await {
            None => BUSY,
            Some(done) => shared.pause_after(done, rate, Instant::now()),
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// How much a slice is, and how many bytes a second may be read. At a rate of 0 nothing is due but segments in which a read
/// came to bytes that are no batch.
fn pace(interval_ms: i64, rate: u64) -> (ScrubLimits, u64) {
    let (interval_ms, rate) = if rate == 0 { (NEVER_MS, SUSPECTS_RATE) } else { (interval_ms, rate) };
    let bytes = (rate / SLICES_A_SECOND).clamp(SLICE_MIN, SLICE_MAX);
    (ScrubLimits { interval_ms, bytes }, rate)
}

/// One slice of a directory, on its own threads; `None` if they have no room. One that is away has nothing due.
async fn slice(broker: &Broker, lane: &Lane, limits: ScrubLimits) -> Option<Scrubbed> {
    match broker.cluster().log_dirs().here().find(|dir| dir.path() == lane.path()) {
        Some(dir) => lane.io().run(move || dir.scrub(limits, now_ms())).await.ok(),
        None => Some(Scrubbed { idle: true, ..Scrubbed::default() }),
    }
}

/// What all directories together may read, whichever of them have something to read.
#[derive(Debug, Default)]
struct Rate {
    /// From then on there is something left of it.
    free_at: Mutex<Option<Instant>>,
}

impl Rate {
    /// So long that what was read stays within the rate.
    fn pause_after(&self, done: Scrubbed, rate: u64, now: Instant) -> Duration {
        let took = Duration::from_micros(done.bytes.saturating_mul(1_000_000).div_ceil(rate.max(1)));
        let mut free_at = self.free_at.lock();
        let next = free_at.map_or(now, |at| at.max(now)) + took;
        let within_rate = if done.bytes > 0 {
            *free_at = Some(next);
            next.saturating_duration_since(now)
        } else {
            Duration::ZERO
        };
        if done.idle { IDLE.max(within_rate) } else { within_rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_keeps_to_the_rate_and_is_long_when_nothing_is_due() {
        let now = Instant::now();
        let pause = |bytes, idle| {
            let done = Scrubbed { bytes, idle, ..Scrubbed::default() };
            Rate::default().pause_after(done, 16 << 20, now)
        };
        assert_eq!(pause(4 << 20, false), Duration::from_millis(250));
        assert_eq!(pause(0, false), Duration::ZERO);
        assert_eq!(pause(100, true), IDLE);
        assert_eq!(pause(1 << 30, true), Duration::from_secs(64));
    }

    #[test]
    fn directories_that_are_read_side_by_side_share_the_rate() {
        let (shared, now) = (Rate::default(), Instant::now());
        let read = |bytes, at| shared.pause_after(Scrubbed { bytes, ..Scrubbed::default() }, 16 << 20, at);
        assert_eq!(read(4 << 20, now), Duration::from_millis(250));
        assert_eq!(read(4 << 20, now), Duration::from_millis(500));
        assert_eq!(read(0, now), Duration::ZERO, "nothing was read");
        assert_eq!(read(4 << 20, now + Duration::from_secs(9)), Duration::from_millis(250));
    }

    #[test]
    fn a_slice_is_a_part_of_a_second_within_bounds_and_at_no_rate_nothing_comes_due() {
        let slice = |rate| pace(1000, rate).0.bytes;
        assert_eq!((slice(1), slice(1 << 20), slice(1 << 40)), (SLICE_MIN, 256 << 10, SLICE_MAX));
        assert_eq!(pace(1000, 7).0.interval_ms, 1000);
        assert_eq!(pace(1000, 0), (ScrubLimits { interval_ms: i64::MAX, bytes: SLICE_MAX }, SUSPECTS_RATE));
    }

    #[test]
    fn after_every_slice_it_waits_until_the_rate_is_kept() {
        let (limits, rate) = pace(1000, 3 << 20);
        let (shared, begun) = (Rate::default(), Instant::now());
        let (mut read, mut waited) = (0, Duration::ZERO);
        // A batch is not left half verified, so a slice may be more than was asked for.
        for over in [0, 1, 1 << 20, 5 << 20, 17] {
            let bytes = limits.bytes + over;
            read += bytes;
            waited += shared.pause_after(Scrubbed { bytes, ..Scrubbed::default() }, rate, begun + waited);
            let allowed = u128::from(rate) * waited.as_micros() / 1_000_000;
            assert!(u128::from(read) <= allowed, "{read} in {waited:?}");
        }
    }
}
