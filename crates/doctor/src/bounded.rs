//! Work that may hang on a sick disk, and a wait that ends.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What `work` answers within `limit`. `None` if it does not, or if there is no thread for it: it then goes on by itself,
/// hangs in a system call, and ends with the process.
pub fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = mpsc::sync_channel(1);
    // Nobody waits for an answer that comes too late.
    let work = move || drop(answer.send(work()));
    thread::Builder::new().name("bounded".to_owned()).spawn(work).ok()?;
    answered.recv_timeout(limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_had_and_silence_is_none() {
        assert_eq!(within(Duration::from_mins(1), || 7), Some(7));
        let hangs = || -> u8 {
            loop {
                thread::park();
            }
        };
        assert_eq!(within(Duration::from_millis(1), hangs), None);
    }
}
