//! The scrub's clock: a slice of the data directories on the I/O pool, then a pause that keeps to the rate.
//!
//! What is read, found and told is `log`'s; here is only when. With nothing due it looks again every few seconds, which
//! costs microseconds.

use std::{sync::Arc, time::Duration};

use pagewire_log::{ScrubLimits, Scrubbed};
use tokio_util::sync::CancellationToken;

use crate::{broker::Broker, clock::now_ms};

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

/// Runs until `stop`.
pub(crate) async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let config = broker.config();
    let (limits, rate) = pace(config.log_scrub_interval_ms, config.log_scrub_bytes_per_second);
    loop {
        let pause = match slice(&broker, limits).await {
            None => BUSY,
            Some(done) => pause_after(done, rate),
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

/// One slice of each directory, one after the other; `None` if the I/O pool is full.
async fn slice(broker: &Arc<Broker>, limits: ScrubLimits) -> Option<Scrubbed> {
    let log_dirs = Arc::clone(broker.cluster().log_dirs());
    let job = move || {
        let mut all = Scrubbed { idle: true, ..Scrubbed::default() };
        for dir in log_dirs.here() {
            let done = dir.scrub(limits, now_ms());
            all.bytes += done.bytes;
            all.damaged += done.damaged;
            all.idle &= done.idle;
        }
        all
    };
    broker.io().run(job).await.ok()
}

/// So long that what was read stays within the rate.
fn pause_after(done: Scrubbed, rate: u64) -> Duration {
    let within_rate = Duration::from_micros(done.bytes.saturating_mul(1_000_000).div_ceil(rate.max(1)));
    if done.idle { IDLE.max(within_rate) } else { within_rate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_keeps_to_the_rate_and_is_long_when_nothing_is_due() {
        let done = |bytes, idle| Scrubbed { bytes, idle, ..Scrubbed::default() };
        assert_eq!(pause_after(done(4 << 20, false), 16 << 20), Duration::from_millis(250));
        assert_eq!(pause_after(done(0, false), 16 << 20), Duration::ZERO);
        assert_eq!(pause_after(done(100, true), 16 << 20), IDLE);
        assert_eq!(pause_after(done(1 << 30, true), 16 << 20), Duration::from_secs(64));
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
        let (mut read, mut waited) = (0, Duration::ZERO);
        // A batch is not left half verified, so a slice may be more than was asked for.
        for over in [0, 1, 1 << 20, 5 << 20, 17] {
            let bytes = limits.bytes + over;
            read += bytes;
            waited += pause_after(Scrubbed { bytes, ..Scrubbed::default() }, rate);
            let allowed = u128::from(rate) * waited.as_micros() / 1_000_000;
            assert!(u128::from(read) <= allowed, "{read} in {waited:?}");
        }
    }
}
