//! How long something may take, and how long to wait between attempts.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::Result;
use super::error::Error;

const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// What only a person can change is tried so long: another broker may take over, but a full disk does not empty itself.
pub(crate) const SHORT_PATIENCE: Duration = Duration::from_secs(3);
/// After this a person wants to know what is waited for.
const LONG: Duration = Duration::from_secs(2);

/// A point in time after which an answer is of no use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
}

impl Deadline {
    /// From now.
    pub(crate) fn after(time: Duration) -> Self {
        Self { at: Instant::now() + time }
    }

    /// This one, or one so far from now if that is earlier.
    pub(crate) fn at_most(self, time: Duration) -> Self {
        Self { at: self.at.min(Instant::now() + time) }
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.at
    }

    /// What is left, in ms, for fields of requests.
    pub(crate) fn left_ms(self) -> i32 {
        let left = self.at.saturating_duration_since(Instant::now());
        i32::try_from(left.as_millis()).unwrap_or(i32::MAX).max(1)
    }

    /// Awaits `work` until then. `what` completes "no answer to ...".
    pub(crate) async fn limit<T>(
        self,
        what: impl FnOnce() -> String,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match tokio::time::timeout_at(self.at, work).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout { what: what() }),
        }
    }
}

/// Attempts until a deadline, with growing pauses.
#[derive(Debug)]
pub(crate) struct Retry {
    deadline: Deadline,
    pause: Duration,
    since: Instant,
    told: bool,
    /// What the last attempt came to of which something was heard.
    last: Option<Error>,
}

impl Retry {
    /// Until then.
    pub(crate) fn until(deadline: Deadline) -> Self {
        Self { deadline, pause: PAUSE_FIRST, since: Instant::now(), told: false, last: None }
    }

    /// The deadline.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Whether it takes so long by now that a person should hear why. Says so once.
    pub(crate) fn should_tell(&mut self) -> bool {
        let due = !self.told && self.since.elapsed() >= LONG;
        self.told |= due;
        due
    }

    /// Waits before the next attempt, or gives `error` back: it cannot get better, or there is no time left. What the time
    /// went for says more than that the attempt in which it ended had no answer.
    pub(crate) async fn after(&mut self, error: Error) -> Result<()> {
        if error.is_silence()
            && self.deadline.has_passed()
            && let Some(last) = self.last.take()
        {
            return Err(last);
        }
        if error.needs_a_person() {
            self.deadline = self.deadline.at_most(SHORT_PATIENCE);
        }
        if !error.is_retriable() || self.deadline.has_passed() {
            return Err(error);
        }
        tracing::debug!(%error, "trying again");
        if !error.is_silence() {
            self.last = Some(error);
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        Error::Api { what: "joining".to_owned(), code: 16, message: None }
    }

    fn late() -> Error {
        Error::Timeout { what: "FindCoordinator".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_time_is_over_the_refusal_is_told_and_not_the_silence_after_it() {
        let mut retry = Retry::until(Deadline::after(Duration::from_millis(60)));
        retry.after(refused()).await.expect("there is time left");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(matches!(retry.after(late()).await, Err(Error::Api { code: 16, .. })));
        let mut retry = Retry::until(Deadline::after(Duration::from_millis(60)));
        retry.after(refused()).await.expect("there is time left");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let unconnected = Error::io(&"h:1", std::io::ErrorKind::TimedOut.into());
        assert!(matches!(retry.after(unconnected).await, Err(Error::Api { code: 16, .. })));
        let mut retry = Retry::until(Deadline::after(Duration::ZERO));
        assert!(matches!(retry.after(late()).await, Err(Error::Timeout { .. })), "nothing else is known");
    }
}
