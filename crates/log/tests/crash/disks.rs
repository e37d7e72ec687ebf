//! The disks under the log directories, one each. They lose their power together, and one of them may be sick, full, or not
//! be read.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, ForgettingDisk, When};
use pagewire_record::HEADER_LEN;
use uuid::Uuid;

use crate::chance::Chance;

/// The log directories there may be, home first.
pub(crate) const ROOTS: [&str; 2] = ["/data", "/more"];

/// What a sick disk refuses. It can be read.
const REFUSED: [Call; 7] =
    [Call::Write, Call::SetLen, Call::SyncData, Call::SyncAll, Call::SyncDir, Call::Rename, Call::RemoveFile];
/// What a full one has no room for. What is there can be removed.
const NO_ROOM: [Call; 6] =
    [Call::Write, Call::Write, Call::Preallocate, Call::SyncData, Call::SyncAll, Call::HardLink];
/// What one refuses that cannot be read.
const UNREAD: [Call; 3] = [Call::Read, Call::Open, Call::ReadDir];

/// Bytes of a batch that fit on a full disk: never all of it, or it might be found after a crash though it was refused.
const FITS_MAX: u64 = HEADER_LEN as u64;

/// What is wrong with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Illness {
    /// It refuses to be written, or cannot even be listed.
    Sick,
    Full,
    Unreadable,
}

/// A log directory's disk.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) root: &'static str,
    pub(crate) disk: ForgettingDisk,
    /// The same, as the process has it.
    used: FailingDisk,
    /// It is that, or about to be: whatever fails there is no wonder.
    pub(crate) illness: Option<Illness>,
    /// It was opened under the process, and nobody has looked at its logs.
    pub(crate) is_new: bool,
    /// Since the process started some of it could not be read.
    pub(crate) was_unreadable: bool,
    /// It ever was.
    pub(crate) was_ill: bool,
    /// Something happened to a file on it.
    pub(crate) was_harmed: bool,
    /// Its recovery points were lost, and no start has come to its end since.
    pub(crate) lost_points: bool,
    /// The directory's id, once it was served.
    pub(crate) id: Option<Uuid>,
}

impl Place {
    pub(crate) fn new(root: &'static str) -> Self {
        let disk = ForgettingDisk::new();
        let used = FailingDisk::new(Arc::new(disk.clone()));
        Self {
            root,
            disk,
            used,
            illness: None,
            is_new: false,
            was_unreadable: false,
            was_ill: false,
            was_harmed: false,
            lost_points: false,
            id: None,
        }
    }

    pub(crate) fn path(&self) -> &'static Path {
        Path::new(self.root)
    }

    /// What the process uses.
    pub(crate) fn used(&self) -> Arc<dyn Disk> {
        Arc::new(self.used.clone())
    }

    /// Something is wrong with it.
    pub(crate) fn is_ill(&self) -> bool {
        self.illness.is_some()
    }

    /// One of the next calls is refused, and mostly all of its kind after it.
    pub(crate) fn fall_ill(&mut self, chance: &mut Chance) {
        let illness = chance.pick(&[Illness::Sick, Illness::Sick, Illness::Full, Illness::Unreadable]);
        let (calls, errno, keep_max): (&[Call], _, _) = match illness {
            Illness::Sick => (&REFUSED, Errno::IO, 600),
            Illness::Full => (&NO_ROOM, Errno::NOSPC, FITS_MAX),
            Illness::Unreadable => (&UNREAD, Errno::IO, 1),
        };
        let fault = match chance.below(3) {
            0 => Fault::Torn { errno, keep: chance.below(keep_max) },
            _ => Fault::Error(errno),
        };
        let nth = 1 + chance.below(4);
        let when = if chance.one_in(3) { When::Nth(nth) } else { When::From(nth) };
        self.used.fail_on("", chance.pick(calls), when, fault);
        (self.illness, self.was_ill) = (Some(illness), true);
        self.was_unreadable |= illness == Illness::Unreadable;
    }

    /// One call of a start is refused.
    pub(crate) fn stumble(&mut self, chance: &mut Chance) {
        let (calls, errno): (&[Call], _) =
            if chance.one_in(2) { (&REFUSED, Errno::IO) } else { (&NO_ROOM, Errno::NOSPC) };
        let nth = 1 + chance.below(12);
        self.used.fail_on("", chance.pick(calls), When::Nth(nth), Fault::Error(errno));
        self.was_ill = true;
    }

    /// What was refused once is not refused again. Who is away stays so.
    pub(crate) fn get_up(&mut self) {
        if !self.is_ill() {
            self.used.heal();
        }
    }

    /// It cannot be listed: a start does without it.
    pub(crate) fn be_away(&mut self) {
        self.used.fail(Call::ReadDir, When::Always, Errno::IO);
        self.illness = Some(Illness::Sick);
    }

    pub(crate) fn recover(&mut self) {
        self.used.heal();
        self.illness = None;
    }

    /// What is left of it is used by another process.
    pub(crate) fn go_on_as(&mut self, disk: ForgettingDisk) {
        self.used = FailingDisk::new(Arc::new(disk.clone()));
        (self.disk, self.illness, self.was_unreadable, self.is_new) = (disk, None, false, false);
    }
}
