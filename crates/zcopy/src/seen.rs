//! What was seen in the page cache of late: whoever goes through a file piece by piece is not asked about at every
//! step.
//!
//! A look costs two system calls, which is much beside the sending of a few KiB. So what was seen is remembered for a
//! moment, by the thread that saw it; and where a reader goes on from where the last look ended, the next one reaches
//! as far ahead as one may. It is a hint: pages that go within that moment are waited for by whoever sends them, as
//! they are when they go between a look and the call behind it.

use std::cell::RefCell;
use std::fs::File;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::FileRange;

/// What was seen in the page cache so long ago may be gone.
pub(crate) const STALE_AFTER: Duration = Duration::from_millis(100);
/// Files remembered by each thread: of more, the one whose look is oldest is forgotten.
const FILES_MAX: usize = 8;

thread_local! {
    static LOOKS: RefCell<Vec<Look>> = const { RefCell::new(Vec::new()) };
}

/// The last look at a file.
#[derive(Debug)]
struct Look {
    /// The transfer that looked, by its address.
    owner: usize,
    /// Does not keep it open, and keeps its address from being another's.
    file: Weak<File>,
    /// Resident, in the file's positions.
    start: u64,
    end: u64,
    at: Instant,
    /// Further ahead it was not, and is not looked until then.
    near_until: Option<Instant>,
}

/// What is remembered of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It was in the page cache a moment ago.
    Resident,
    /// It begins where the last look ended: whoever sends it reads on.
    GoesOn,
    Nothing,
}

impl Look {
    fn is_of(&self, owner: usize, file: &Arc<File>) -> bool {
        self.owner == owner && Weak::as_ptr(&self.file) == Arc::as_ptr(file)
    }

    /// Until when nobody looks further ahead, if that is so `now`.
    fn near(&self, now: Instant) -> Option<Instant> {
        self.near_until.filter(|until| *until > now)
    }
}

/// What this thread has seen of `range` for `owner`.
pub(crate) fn recall(owner: usize, range: &FileRange) -> Memory {
    LOOKS.with_borrow(|looks| {
        let Some(look) = looks.iter().find(|look| look.is_of(owner, range.file())) else {
            return Memory::Nothing;
        };
        let is_fresh = look.at.elapsed() <= STALE_AFTER;
        let end = range.offset().saturating_add(range.len());
        if is_fresh && look.start <= range.offset() && end <= look.end {
            Memory::Resident
        } else if (look.start..=look.end).contains(&range.offset()) && look.near(Instant::now()).is_none() {
            Memory::GoesOn
        } else {
            Memory::Nothing
        }
    })
}

/// `range` is in the page cache. With `ends_there`, what lies behind it was looked at and is not.
pub(crate) fn note(owner: usize, range: &FileRange, ends_there: bool) {
    let at = Instant::now();
    LOOKS.with_borrow_mut(|looks| {
        let known = looks.iter().position(|look| look.is_of(owner, range.file()));
        let near = known.and_then(|place| looks.get(place)?.near(at));
        let look = Look {
            owner,
            file: Arc::downgrade(range.file()),
            start: range.offset(),
            end: range.offset().saturating_add(range.len()),
            at,
            near_until: if ends_there { Some(at + STALE_AFTER) } else { near },
        };
        let oldest = || looks.iter().enumerate().min_by_key(|(_, look)| look.at).map(|(place, _)| place);
        match known.or_else(|| (looks.len() == FILES_MAX).then(oldest).flatten()) {
            Some(place) => {
                if let Some(old) = looks.get_mut(place) {
                    *old = look;
                }
            }
            None => looks.push(look),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<File> {
        Arc::new(File::open("/dev/null").expect("/dev/null"))
    }

    fn range(file: &Arc<File>, offset: u64, len: u64) -> FileRange {
        FileRange::new(Arc::clone(file), offset, len)
    }

    #[test]
    fn what_was_seen_is_remembered_by_its_transfer_and_file() {
        let (file, other) = (file(), file());
        note(1, &range(&file, 100, 50), false);
        assert_eq!(recall(1, &range(&file, 110, 40)), Memory::Resident);
        for (owner, file) in [(2, &file), (1, &other)] {
            assert_eq!(recall(owner, &range(file, 110, 40)), Memory::Nothing);
        }
        assert_eq!(recall(1, &range(&file, 99, 10)), Memory::Nothing);
    }

    #[test]
    fn whoever_goes_on_behind_it_is_told_from_whoever_jumps() {
        let file = file();
        note(1, &range(&file, 100, 50), false);
        assert_eq!(recall(1, &range(&file, 150, 10)), Memory::GoesOn);
        assert_eq!(recall(1, &range(&file, 140, 20)), Memory::GoesOn, "a step back is none");
        assert_eq!(recall(1, &range(&file, 151, 10)), Memory::Nothing);
        note(1, &range(&file, 100, 50), true);
        assert_eq!(recall(1, &range(&file, 150, 10)), Memory::Nothing, "it was looked, and there is nothing");
        note(1, &range(&file, 150, 10), false);
        assert_eq!(recall(1, &range(&file, 160, 10)), Memory::Nothing, "for a while");
    }

    #[test]
    fn a_few_files_are_remembered() {
        let files: Vec<_> = (0..2 * FILES_MAX).map(|_| file()).collect();
        for file in &files {
            note(1, &range(file, 0, 10), false);
        }
        let known = files.iter().filter(|file| recall(1, &range(file, 0, 10)) == Memory::Resident).count();
        assert_eq!(known, FILES_MAX);
        assert_eq!(recall(1, &range(files.last().expect("many"), 0, 10)), Memory::Resident);
    }
}
