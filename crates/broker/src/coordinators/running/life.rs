//! Whether a shard answers. The lock blocks and never spans an await.

use parking_lot::{Mutex, MutexGuard};

/// What answers as long as it is open, and the error that is the answer else.
pub(in crate::coordinators) struct Life<R, E> {
    state: Mutex<State<R, E>>,
}

/// What a shard is at the moment.
pub(in crate::coordinators) enum State<R, E> {
    /// It answers.
    Open(Box<R>),
    /// It is being loaded, its log cannot be read at the moment, or the node stops.
    Closed(E),
    /// Another shard took its place: it never answers again.
    Ended(E),
}

impl<R, E: Copy> Life<R, E> {
    /// Not open yet: whoever asks hears `error`.
    pub(in crate::coordinators) const fn new(error: E) -> Self {
        Self { state: Mutex::new(State::Closed(error)) }
    }

    /// Keeps others out until the guard goes.
    pub(in crate::coordinators) fn lock(&self) -> MutexGuard<'_, State<R, E>> {
        self.state.lock()
    }

    /// Whether it answers.
    pub(in crate::coordinators) fn is_open(&self) -> bool {
        matches!(*self.lock(), State::Open(_))
    }

    /// It answers `error` from now on. Returns what answered before.
    pub(in crate::coordinators) fn close(&self, error: E) -> Option<Box<R>> {
        self.leave(State::Closed(error))
    }

    /// [`close`](Self::close) for good. When this returns nothing of it is being written, and nothing will be, whoever still has
    /// hold of it.
    pub(in crate::coordinators) fn end(&self, error: E) -> Option<Box<R>> {
        self.leave(State::Ended(error))
    }

    fn leave(&self, to: State<R, E>) -> Option<Box<R>> {
        let mut state = self.lock();
        if state.is_ended() {
            return None;
        }
        match std::mem::replace(&mut *state, to) {
            State::Open(ready) => Some(ready),
            State::Closed(_) | State::Ended(_) => None,
        }
    }
}

impl<R, E: Copy> State<R, E> {
    /// Whether it never answers again.
    pub(in crate::coordinators) const fn is_ended(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// What answers.
    pub(in crate::coordinators) fn ready(&mut self) -> Result<&mut R, E> {
        match self {
            Self::Open(ready) => Ok(ready),
            Self::Closed(error) | Self::Ended(error) => Err(*error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_neither_closed_nor_opened_again() {
        let life: Life<&str, u8> = Life::new(14);
        assert_eq!(life.lock().ready(), Err(14), "not open yet");
        *life.lock() = State::Open(Box::new("machine"));
        assert!(life.is_open());
        assert_eq!(life.close(15).as_deref(), Some(&"machine"));
        assert_eq!((life.close(16), life.lock().ready().err()), (None, Some(16)));
        assert_eq!(life.end(17), None);
        assert!(life.close(18).is_none() && life.lock().is_ended());
        assert_eq!(life.lock().ready(), Err(17));
    }
}
