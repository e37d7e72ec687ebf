//! The disks under the log directories, one each. They lose their power together, and one of them may be sick.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, ForgettingDisk, When};
use uuid::Uuid;

use crate::chance::Chance;

/// The log directories there may be, home first.
pub(crate) const ROOTS: [&str; 2] = ["/data", "/more"];

/// What a sick disk refuses. It can be read.
const REFUSED: [Call; 5] = [Call::Write, Call::SetLen, Call::SyncData, Call::SyncDir, Call::Rename];

/// A log directory's disk.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) root: &'static str,
    pub(crate) disk: ForgettingDisk,
    /// The same, as the process has it.
    used: FailingDisk,
    /// It is sick, or about to be, or cannot even be listed: whatever fails there is no wonder.
    pub(crate) is_sick: bool,
    /// The directory's id, once it was served.
    pub(crate) id: Option<Uuid>,
}

impl Place {
    pub(crate) fn new(root: &'static str) -> Self {
        let disk = ForgettingDisk::new();
        let used = FailingDisk::new(Arc::new(disk.clone()));
        Self { root, disk, used, is_sick: false, id: None }
    }

    pub(crate) fn path(&self) -> &'static Path {
        Path::new(self.root)
    }

    /// What the process uses.
    pub(crate) fn used(&self) -> Arc<dyn Disk> {
        Arc::new(self.used.clone())
    }

    /// Some call from the next ones on is refused, and all of its kind after it.
    pub(crate) fn fall_ill(&mut self, chance: &mut Chance) {
        let fault = match chance.below(3) {
            0 => Fault::Torn { errno: Errno::IO, keep: chance.below(600) },
            _ => Fault::Error(Errno::IO),
        };
        self.used.fail_on("", chance.pick(&REFUSED), When::From(1 + chance.below(4)), fault);
        self.is_sick = true;
    }

    /// It cannot be listed: a start does without it.
    pub(crate) fn be_away(&mut self) {
        self.used.fail(Call::ReadDir, When::Always, Errno::IO);
        self.is_sick = true;
    }

    pub(crate) fn recover(&mut self) {
        self.used.heal();
        self.is_sick = false;
    }

    /// What is left of it is used by another process.
    pub(crate) fn go_on_as(&mut self, disk: ForgettingDisk) {
        self.used = FailingDisk::new(Arc::new(disk.clone()));
        (self.disk, self.is_sick) = (disk, false);
    }
}
