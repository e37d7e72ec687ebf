//! Whether a shard answers. The lock blocks and never spans an await.
//!
//! Whoever has it may be appending to a log whose disk does not answer. Who comes to wait for it longer than a moment makes
//! way for the other connections of its thread first; and of those who ask, only so many wait.

use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use crate::{aside::aside, lanes::Lane};

/// Longer than anybody has the lock who does not wait for a disk.
const MOMENT: Duration = Duration::from_micros(200);

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
        self.state.try_lock_for(MOMENT).unwrap_or_else(|| aside(true, || self.state.lock()))
    }

    /// The same for those who ask, of whom there may be any number; `None` if as many wait for the directory as may.
    pub(in crate::coordinators) fn enter(&self, lane: &Lane) -> Option<MutexGuard<'_, State<R, E>>> {
        self.state.try_lock_for(MOMENT).or_else(|| lane.wait_aside(|| self.state.lock()))
    }

    /// Whether it answers now: not while it waits for its disk.
    pub(in crate::coordinators) fn is_open(&self) -> bool {
        self.state.try_lock_for(MOMENT).is_some_and(|state| matches!(*state, State::Open(_)))
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_waits_for_a_shard_that_waits_for_its_disk_leaves_its_worker_to_others() {
        let life: std::sync::Arc<Life<&str, u8>> = std::sync::Arc::new(Life::new(14));
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let holds = std::sync::Arc::clone(&life);
        let holder = std::thread::spawn(move || {
            let _held = holds.lock();
            tell.send(()).expect("somebody listens");
            let _ = gate.recv();
        });
        told.recv().expect("it is held");
        assert!(!life.is_open());
        let (asks, begun) = tokio::sync::oneshot::channel();
        let waits = std::sync::Arc::clone(&life);
        let waiting = tokio::spawn(async move {
            asks.send(()).expect("somebody listens");
            waits.lock().is_ended()
        });
        begun.await.expect("it asks");
        let other = tokio::time::timeout(Duration::from_mins(1), tokio::spawn(async {}));
        other.await.expect("a worker is left").expect("no panic");
        assert!(!waiting.is_finished());
        drop(release);
        holder.join().expect("no panic");
        assert!(!waiting.await.expect("no panic"));
    }

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
