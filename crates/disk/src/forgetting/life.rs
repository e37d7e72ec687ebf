//! The life of the process that uses the disk: how many of its calls changed something, and at which of them it ends.

use std::io;

use parking_lot::Mutex;
use rustix::io::Errno;

use super::chance::Chance;

/// One process.
#[derive(Debug, Default)]
pub(super) struct Life(Mutex<Clock>);

#[derive(Debug, Default)]
struct Clock {
    changes: u64,
    dies_at: Option<(u64, Chance)>,
    dead: bool,
}

/// How far a call comes that would change something.
#[derive(Debug)]
pub(super) enum Fate {
    /// All the way.
    Whole,
    /// The process dies in it: the change may have happened, wholly or in part. Nobody hears of it.
    Last(Chance),
}

impl Life {
    /// A call that only looks. An error once the process is dead.
    pub(super) fn look(&self) -> io::Result<()> {
        if self.0.lock().dead { Err(dead()) } else { Ok(()) }
    }

    /// A call that changes something.
    pub(super) fn change(&self) -> io::Result<Fate> {
        let mut clock = self.0.lock();
        if clock.dead {
            return Err(dead());
        }
        clock.changes += 1;
        match clock.dies_at.take() {
            Some((at, chance)) if clock.changes >= at => {
                clock.dead = true;
                Ok(Fate::Last(chance))
            }
            later => {
                clock.dies_at = later;
                Ok(Fate::Whole)
            }
        }
    }

    pub(super) fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    pub(super) fn end_in(&self, changes: u64, seed: u64) {
        let mut clock = self.0.lock();
        clock.dies_at = Some((clock.changes.saturating_add(changes).max(1), Chance::new(seed)));
    }

    pub(super) fn end(&self) {
        self.0.lock().dead = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.lock().dead
    }
}

/// What a dead process is told, should anything of it still ask.
pub(super) fn dead() -> io::Error {
    Errno::IO.into()
}
