//! Work that may hang on a sick disk, and a wait that ends.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Silence {
    /// There is no thread for the work.
    NoThread(io::Error),
    /// It was not done in time. It goes on by itself, hangs in a system call, and ends with the process.
    TimeIsUp,
    /// It panicked.
    Failed,
}

/// What `work` answers within `limit`, on a thread of its own that is called `name`.
pub(crate) fn ask<T: Send + 'static>(
    limit: Duration,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Silence> {
    let (answer, answered) = mpsc::sync_channel(1);
    // Nobody waits for an answer that comes too late.
    let work = move || drop(answer.send(work()));
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(Silence::NoThread)?;
    answered.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => Silence::TimeIsUp,
        RecvTimeoutError::Disconnected => Silence::Failed,
    })
}

/// What `work` answers within `limit`; `None` if it does not, for whatever reason.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    ask(limit, "bounded", work).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn an_answer_is_had_and_silence_says_why() {
        assert_eq!(within(LONG, || 7), Some(7));
        let hangs = || -> u8 {
            loop {
                thread::park();
            }
        };
        assert!(matches!(ask(Duration::from_millis(1), "it", hangs), Err(Silence::TimeIsUp)));
        let fails = || -> u8 { panic!("as the test wants") };
        assert!(matches!(ask(LONG, "it", fails), Err(Silence::Failed)));
        assert_eq!(within(LONG, fails), None);
    }
}
