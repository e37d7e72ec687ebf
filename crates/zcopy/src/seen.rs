//! What was seen in the page cache of late: whoever goes through a file piece by piece is not asked about at every
//! step.
//!
//! A look costs two system calls, which is much beside the sending of a few KiB. So what was seen is remembered for a
//! moment, by the thread that saw it; and where a reader goes on from where the last look ended, the next one reaches
//! as far ahead as one may. Looks that join are remembered together, for those who come behind. It is a hint: pages that go within that moment are waited for by whoever sends them, as
//! they are when they go between a look and the call behind it.

use std::cell::RefCell;
use std::fs::File;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::FileRange;

/// What was seen in the page cache so long ago may be gone.
pub(crate) const STALE_AFTER: Duration = Duration::from_millis(100);
/// So long a span of looks grows before the next one begins: both are remembered until they are stale.
const JOINED_MAX: Duration = Duration::from_millis(50);
/// Files remembered by each thread: of more, the one whose look is oldest is forgotten.
const FILES_MAX: usize = 8;

thread_local! {
    static LOOKS: RefCell<Vec<Look>> = const { RefCell::new(Vec::new()) };
}

/// What was seen of a file.
#[derive(Debug)]
struct Look {
    /// The transfer that looked, by its address.
    owner: usize,
    /// Does not keep it open, and keeps its address from being another's.
    file: Weak<File>,
    /// The last look, in the file's positions.
    last: (u64, u64),
    /// What it belongs to, and what was seen before that.
    spans: [Span; 2],
    at: Instant,
    /// Further ahead it was not, and is not looked until then.
    near_until: Option<Instant>,
}

/// Looks that joined, none of which is older than `since`: resident, in the file's positions.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
    since: Instant,
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

impl Span {
    fn of(range: &FileRange, since: Instant) -> Self {
        Self { start: range.offset(), end: range.offset().saturating_add(range.len()), since }
    }

    fn covers(&self, range: &FileRange, now: Instant) -> bool {
        let end = range.offset().saturating_add(range.len());
        self.start <= range.offset() && end <= self.end && now - self.since <= STALE_AFTER
    }

    /// Takes in what joins it at its end, while it is young.
    fn takes(&mut self, other: &Self) -> bool {
        let joins = (self.start..=self.end).contains(&other.start) && other.since - self.since <= JOINED_MAX;
        if joins {
            self.end = self.end.max(other.end);
        }
        joins
    }
}

impl Look {
    fn is_of(&self, owner: usize, file: &Arc<File>) -> bool {
        self.owner == owner && Weak::as_ptr(&self.file) == Arc::as_ptr(file)
    }

    /// Until when nobody looks further ahead, if that is so `now`.
    fn near(&self, now: Instant) -> Option<Instant> {
        self.near_until.filter(|until| *until > now)
    }

    /// Another look at the same file.
    fn again(&mut self, seen: Span, near_until: Option<Instant>) {
        (self.last, self.at, self.near_until) = ((seen.start, seen.end), seen.since, near_until);
        let [current, before] = &mut self.spans;
        if !current.takes(&seen) {
            *before = std::mem::replace(current, seen);
        }
    }
}

/// What this thread has seen of `range` for `owner`.
pub(crate) fn recall(owner: usize, range: &FileRange) -> Memory {
    LOOKS.with_borrow(|looks| {
        let Some(look) = looks.iter().find(|look| look.is_of(owner, range.file())) else {
            return Memory::Nothing;
        };
        let now = Instant::now();
        if look.spans.iter().any(|span| span.covers(range, now)) {
            Memory::Resident
        } else if (look.last.0..=look.last.1).contains(&range.offset()) && look.near(now).is_none() {
            Memory::GoesOn
        } else {
            Memory::Nothing
        }
    })
}

/// `range` is in the page cache. With `ends_there`, what lies behind it was looked at and is not.
pub(crate) fn note(owner: usize, range: &FileRange, ends_there: bool) {
    let at = Instant::now();
    let seen = Span::of(range, at);
    LOOKS.with_borrow_mut(|looks| {
        let known = looks.iter_mut().find(|look| look.is_of(owner, range.file()));
        let near = known.as_ref().and_then(|look| look.near(at));
        let near_until = if ends_there { Some(at + STALE_AFTER) } else { near };
        if let Some(look) = known {
            look.again(seen, near_until);
            return;
        }
        let (file, last) = (Arc::downgrade(range.file()), (seen.start, seen.end));
        let look = Look { owner, file, last, spans: [seen; 2], at, near_until };
        let oldest = || looks.iter().enumerate().min_by_key(|(_, look)| look.at).map(|(place, _)| place);
        match (looks.len() == FILES_MAX).then(oldest).flatten() {
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
    fn looks_that_join_are_remembered_together_and_a_jump_does_not_make_forget_them() {
        let file = file();
        for offset in (0..1000).step_by(100) {
            note(1, &range(&file, offset, 100), false);
        }
        let known = |offset, len| recall(1, &range(&file, offset, len)) == Memory::Resident;
        assert!(known(0, 1000) && !known(0, 1001));
        note(1, &range(&file, 5000, 100), false);
        assert!(known(5000, 100) && known(300, 400));
        note(1, &range(&file, 9000, 100), false);
        assert!(known(5000, 100) && !known(300, 400), "two of them");
    }

    #[test]
    fn a_span_grows_for_a_while_only() {
        let (file, now) = (file(), Instant::now());
        let mut span = Span::of(&range(&file, 0, 100), now);
        assert!(span.takes(&Span::of(&range(&file, 100, 100), now + JOINED_MAX)));
        assert!(!span.takes(&Span::of(&range(&file, 200, 100), now + 2 * JOINED_MAX)));
        let covers = |after| span.covers(&range(&file, 50, 150), now + after);
        assert!(covers(STALE_AFTER) && !covers(2 * STALE_AFTER), "none of it is older than that");
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
