//! Loading a shard, again and again until it is loaded: what keeps a log from being read may pass.

use std::time::Duration;

use pagewire_zcopy::IoPool;
use tracing::error;

use super::super::load::LoadError;
use crate::partition::Partition;

/// Between two attempts when the I/O pool is full.
const BUSY_RETRY: Duration = Duration::from_millis(50);
/// Between the first failed attempt and the next. Each failure doubles it.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest time between two attempts.
const RETRY_MAX: Duration = Duration::from_mins(1);

/// Attempts to load something, and what is said when one fails.
pub(in crate::coordinators) struct Attempts {
    words: &'static str,
    failures: u32,
}

impl Attempts {
    pub(in crate::coordinators) const fn saying(words: &'static str) -> Self {
        Self { words, failures: 0 }
    }

    /// Says why the last one failed, and waits until it is time for the next.
    pub(in crate::coordinators) async fn failed(&mut self, partition: &Partition, reason: &LoadError) {
        let (words, retry) = (self.words, pause_after(self.failures));
        self.failures = self.failures.saturating_add(1);
        let (topic, partition, retry_s) = (&*partition.topic, partition.index, retry.as_secs());
        error!(topic, partition, %reason, retry_s, "{words}");
        tokio::time::sleep(retry).await;
    }
}

fn pause_after(failures: u32) -> Duration {
    RETRY_FIRST.saturating_mul(1 << failures.min(16)).min(RETRY_MAX)
}

/// Runs `job` on an I/O pool, as soon as that has room.
pub(in crate::coordinators) async fn on_pool<T: Send + 'static>(
    io: &IoPool,
    job: impl FnOnce() -> T + Clone + Send + 'static,
) -> T {
    loop {
        match io.run(job.clone()).await {
            Ok(done) => return done,
            Err(_) => tokio::time::sleep(BUSY_RETRY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_be_read_is_tried_ever_more_rarely_for_ever() {
        let waits: Vec<u64> = (0..8).map(|failures| pause_after(failures).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause_after(u32::MAX), RETRY_MAX);
    }
}
