//! The scrub's clock: a slice of the data directories on the I/O pool, then a pause that keeps to the rate.
//!
//! What is read, found and told is `log`'s; here is only when. With nothing due it looks again every few seconds, which
//! costs microseconds.

use std::{sync::Arc, time::Duration};

use pagewire_log::{ScrubLimits, Scrubbed};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{broker::Broker, clock::now_ms};

/// Slices in a second at the full rate, each between these bounds: short enough to be in nobody's way on an I/O thread.
const SLICES_A_SECOND: u64 = 4;
const SLICE_MIN: u64 = 64 << 10;
const SLICE_MAX: u64 = 4 << 20;
/// Between two looks while nothing is due.
const IDLE: Duration = Duration::from_secs(10);
/// Between two attempts to find room in a full I/O pool.
const BUSY: Duration = Duration::from_secs(1);

/// Runs until `stop`. Ends at once where the rate is 0.
pub(crate) async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    let config = broker.config();
    let (interval_ms, rate) = (config.log_scrub_interval_ms, config.log_scrub_bytes_per_second);
    if rate == 0 {
        return;
    }
    let limits = ScrubLimits { interval_ms, bytes: (rate / SLICES_A_SECOND).clamp(SLICE_MIN, SLICE_MAX) };
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

/// One slice of each directory, one after the other; `None` if the I/O pool is full.
async fn slice(broker: &Arc<Broker>, limits: ScrubLimits) -> Option<Scrubbed> {
    let log_dirs = Arc::clone(broker.cluster().log_dirs());
    let job = move || {
        let mut all = Scrubbed { idle: true, ..Scrubbed::default() };
        for dir in log_dirs.here() {
            let done = dir.scrub(limits, now_ms());
            if done.damaged > 0 {
                warn!(dir = %dir.path().display(), stretches = done.damaged, "the scrub found damaged records");
            }
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
    let within_rate = Duration::from_micros(done.bytes.saturating_mul(1_000_000) / rate.max(1));
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
}
