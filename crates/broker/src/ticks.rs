//! A timer that is due soon, for as long as requests wait.
//!
//! The runtime wakes the thread that sleeps on its timers whenever one is set that is due before all others. A consumer at the tail
//! sets such a one with each fetch, and takes it back a moment later: two threads change places for nothing. While another is due before
//! it anyhow, nobody is woken.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

/// Shorter than nearly all times that consumers wait.
const TICK: Duration = Duration::from_millis(100);

/// Whether anybody waits. Nothing ticks where nobody does.
#[derive(Debug, Default)]
pub(crate) struct Ticks {
    wanted: AtomicBool,
    begins: Notify,
}

impl Ticks {
    /// Somebody is going to wait, with a limit.
    pub(crate) fn want(&self) {
        if !self.wanted.swap(true, Ordering::Relaxed) {
            self.begins.notify_one();
        }
    }

    /// Ticks while that was said since the last tick, until `stop`.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        stop.run_until_cancelled(async {
            loop {
                self.begins.notified().await;
                while self.wanted.swap(false, Ordering::Relaxed) {
                    sleep(TICK).await;
                }
            }
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ticks_while_somebody_says_so() {
        let (ticks, stop) = (Ticks::default(), CancellationToken::new());
        ticks.want();
        let running = ticks.run(&stop);
        let asking = async {
            for _ in 0..3 {
                sleep(TICK + TICK / 2).await;
                assert!(!ticks.wanted.load(Ordering::Relaxed), "a tick has passed");
                ticks.want();
            }
            stop.cancel();
        };
        tokio::join!(running, asking);
    }
}
