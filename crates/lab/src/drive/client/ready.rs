//! Asking again while a broker says that it is not ready yet.

use std::time::{Duration, Instant};

use pagewire_wire::ErrorCode;

use super::{Dial, Error, Result};

/// How long a broker may take until it is: a new topic that can be written, a transaction that is over.
const READY_MAX: Duration = Duration::from_secs(30);

/// The first answer that is no retriable error, asking `every` so long. The last error, if it never comes.
pub(super) fn when_ready<T>(dial: &Dial, every: Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + READY_MAX;
    loop {
        match ask() {
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(error) if !error.code().is_some_and(ErrorCode::is_retriable) => return Err(error),
            Err(_) if dial.stop.is_set() => return Err(Error::Stopped),
            Err(_) => std::thread::sleep(every),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: ErrorCode) -> Result<i32> {
        Err(Error::Refused { what: String::new(), code: code.code(), message: None })
    }

    #[test]
    fn what_is_retriable_is_asked_again_and_nothing_else() {
        let (dial, mut asked) = (Dial::default(), 0);
        let third = when_ready(&dial, Duration::ZERO, || {
            asked += 1;
            if asked < 3 { refused(ErrorCode::ConcurrentTransactions) } else { Ok(asked) }
        });
        assert_eq!(third.unwrap(), 3);
        let fenced = when_ready(&dial, Duration::ZERO, || refused(ErrorCode::InvalidProducerEpoch));
        assert_eq!(fenced.unwrap_err().code(), Some(ErrorCode::InvalidProducerEpoch));
        dial.stop.set();
        let stopped = when_ready(&dial, Duration::ZERO, || refused(ErrorCode::ConcurrentTransactions));
        assert!(matches!(stopped, Err(Error::Stopped)));
    }
}
