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
    /// How many of them were syncs of a directory.
    dir_syncs: u64,
    dies: Option<Death>,
    dead: bool,
}

/// Where it ends. Counts from the beginning of the life.
#[derive(Debug)]
enum Death {
    InChange(u64, Chance),
    BeforeDirSync(u64),
}

/// How far a call comes that would change something.
#[derive(Debug)]
pub(super) enum Fate {
    /// All the way.
    Whole,
    /// The process dies in it: the change may have happened, wholly or in part. Nobody hears of it.
    Last(Chance),
    /// The process dies before it.
    Never,
}

impl Life {
    /// A call that only looks. An error once the process is dead.
    pub(super) fn look(&self) -> io::Result<()> {
        if self.0.lock().dead { Err(dead()) } else { Ok(()) }
    }

    /// A call that changes something.
    pub(super) fn change(&self) -> io::Result<Fate> {
        self.0.lock().change(false)
    }

    /// The same, of the one that makes the names in a directory stable.
    pub(super) fn dir_sync(&self) -> io::Result<Fate> {
        self.0.lock().change(true)
    }

    pub(super) fn changes(&self) -> u64 {
        self.0.lock().changes
    }

    pub(super) fn end_in(&self, changes: u64, seed: u64) {
        let mut clock = self.0.lock();
        clock.dies = Some(Death::InChange(clock.changes.saturating_add(changes).max(1), Chance::new(seed)));
    }

    pub(super) fn end_before_dir_sync(&self, syncs: u64) {
        let mut clock = self.0.lock();
        clock.dies = Some(Death::BeforeDirSync(clock.dir_syncs.saturating_add(syncs).max(1)));
    }

    pub(super) fn end(&self) {
        self.0.lock().dead = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.lock().dead
    }
}

impl Clock {
    fn change(&mut self, is_dir_sync: bool) -> io::Result<Fate> {
        if self.dead {
            return Err(dead());
        }
        self.changes += 1;
        self.dir_syncs += u64::from(is_dir_sync);
        let fate = match self.dies.take() {
            Some(Death::InChange(at, chance)) if self.changes >= at => Fate::Last(chance),
            Some(Death::BeforeDirSync(at)) if is_dir_sync && self.dir_syncs >= at => Fate::Never,
            later => {
                self.dies = later;
                Fate::Whole
            }
        };
        self.dead = !matches!(fate, Fate::Whole);
        Ok(fate)
    }
}

/// What a dead process is told, should anything of it still ask.
pub(super) fn dead() -> io::Error {
    Errno::IO.into()
}
