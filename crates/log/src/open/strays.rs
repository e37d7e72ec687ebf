//! A segment file that somebody put among a log's own: its name lies within the offsets of another one, which goes on
//! past it.
//!
//! ```text
//!   0.log      [ 0 ........ 499 │ 500 ........ 999 ]        goes on past 500, to where the log does
//!   500.log                     [ whatever it holds ]       nobody rolled here: set aside
//!   1000.log                                         [ ... ]
//! ```
//!
//! A log is rolled at the end of the segment before, so of two files that have the same offsets one is not its own.
//! Left alone, the name of the stray would end the segment it lies in: what that has behind is not read, or even cut.
//! Which of the two is believed:
//!
//! - The segment before, where its batches lead, whole and rising, to where the log is known to go on: to the next
//!   segment, or to what the checkpoints say was reached. A file without an offset index is no witness against that,
//!   whatever it holds: here an index is made before its segment.
//! - Else whichever comes further: what is in the one and not in the other may have been answered.
//!
//! Nothing is thrown away: what is set aside keeps its bytes in a `.cut` file. That is told, as is where both stay.
//!
//! Looked for where it costs little: a file without an index, one that a crash throws doubt on, and a last one that
//! does not begin with its own offset. A stray that came with an index, below a recovery point, is told by `log
//! check` and by its readers; the records behind it are in their file, and are back at the start after it was taken
//! away.

use std::io;
use std::sync::Arc;

use pagewire_disk::{DiskFile, OpenMode};

use crate::answers::RecoveryReport;
use crate::errors::LogError;
use crate::files::{BatchWalk, Step};
use crate::home::Home;
use crate::open::cut::set_aside_whole;
use crate::open::depth::Depth;
use crate::open::listing::Listing;
use crate::open::orphans::Orphan;
use crate::segment::names;

/// Sets strays aside, and takes them out of the listing.
pub(crate) fn set_aside(
    home: &Arc<Home>,
    listing: &mut Listing,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let mut at = 1;
    while let (Some(&before), Some(&base)) = (listing.bases.get(at - 1), listing.bases.get(at)) {
        let next = listing.bases.get(at + 1).copied();
        let path = home.path(base, names::LOG);
        let doubted = is_doubtful(home, listing, (base, next), depth).map_err(LogError::at(&path))?;
        let verdict = if doubted {
            let pair = Pair { before, base, next, indexed: listing.indexed.contains(&base) };
            pair.judge(home, depth).map_err(LogError::at(&path))?
        } else {
            Verdict::Follows
        };
        match verdict {
            Verdict::Follows => at += 1,
            Verdict::BothStay { end } => {
                let told = home.path(before, names::LOG);
                report.note(format!(
                    "{}: goes on up to offset {} although {} begins at {base}, which goes on further: that one \
                     counts. One of them is not this log's",
                    told.display(),
                    end - 1,
                    path.display()
                ));
                at += 1;
            }
            Verdict::Stray { end } => {
                let reason = format!(
                    "it lies within the offsets of {}, which go on up to {}: it is not this log's",
                    home.path(before, names::LOG).display(),
                    end - 1
                );
                set_aside_whole(home, base, reason, report)?;
                listing.forget(base);
            }
        }
    }
    Ok(())
}

/// Whether more is to be known of a segment than its name.
fn is_doubtful(
    home: &Home,
    listing: &Listing,
    (base, next): (i64, Option<i64>),
    depth: &Depth,
) -> io::Result<bool> {
    if !listing.indexed.contains(&base) || !depth.believes_closed(base) {
        return Ok(true);
    }
    if next.is_some() {
        return Ok(false);
    }
    let file = home.open(base, names::LOG, OpenMode::Read)?;
    let size = file.len()?;
    let first = BatchWalk::new(&*file, 0, size).raw_header(0)?;
    Ok(size > 0 && first.is_none_or(|header| header.base_offset != base))
}

/// Two segments of which the second may be a stray.
struct Pair {
    before: i64,
    base: i64,
    next: Option<i64>,
    indexed: bool,
}

enum Verdict {
    /// The first ends where the second begins, or before.
    Follows,
    /// The first goes on to `end`, and has all there is.
    Stray { end: i64 },
    /// The first goes on to `end`, and the second further.
    BothStay { end: i64 },
}

impl Pair {
    fn judge(&self, home: &Home, depth: &Depth) -> io::Result<Verdict> {
        let upto = self.next.unwrap_or_else(|| depth.limit(self.base));
        let end = end_of(home, self.before, self.base)?.unwrap_or(i64::MIN).min(upto);
        if end <= self.base {
            return Ok(Verdict::Follows);
        }
        let goal = self.next.unwrap_or_else(|| depth.reached(None));
        let own_end = own_end_of(home, self.base)?.unwrap_or(i64::MIN).min(upto);
        let counts = own_end > end && (self.indexed || end < goal);
        Ok(if counts { Verdict::BothStay { end } } else { Verdict::Stray { end } })
    }
}

/// The offset that the whole batches of a segment lead to from the last one that its index knows, or from its
/// beginning where that knows none. No checksum covers where a batch says that it begins, so past the offset `past` it has
/// to follow the one before it.
fn end_of(home: &Home, base: i64, past: i64) -> io::Result<Option<i64>> {
    let file = home.open(base, names::LOG, OpenMode::Read)?;
    let known = match Orphan::last_entry(&*home.disk, &home.path(base, names::INDEX)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        found => found.ok().flatten(),
    };
    if let Some(entry) = known
        && let (Ok(position), Some(next)) =
            (u64::try_from(entry.position), base.checked_add(i64::from(entry.relative_offset) + 1))
        && let Some(whole) = BatchWalk::new(&*file, position, file.len()?).whole_at(position)?
        && whole.next_offset() == next
    {
        return led_to(&*file, position, whole.base_offset, past);
    }
    led_to(&*file, 0, base, past)
}

/// The same of one that must begin with its own offset.
fn own_end_of(home: &Home, base: i64) -> io::Result<Option<i64>> {
    let file = home.open(base, names::LOG, OpenMode::Read)?;
    let begins = BatchWalk::new(&*file, 0, file.len()?).whole_at(0)?;
    match begins.filter(|header| header.base_offset == base) {
        Some(_) => led_to(&*file, 0, base, i64::MAX),
        None => Ok(None),
    }
}

/// Where the whole batches from `position` on lead to whose offsets rise, from `offset` on, and have no gap past `past`.
fn led_to(file: &dyn DiskFile, position: u64, offset: i64, past: i64) -> io::Result<Option<i64>> {
    let mut walk = BatchWalk::new(file, position, file.len()?);
    let (mut least, mut end) = (offset, None);
    while let Some(Step::Batch(batch)) = walk.step()? {
        let (first, next) = (batch.header.base_offset, batch.header.next_offset());
        if !batch.is_whole() || first < least || first > least && next > past {
            break;
        }
        least = next;
        end = Some(least);
    }
    Ok(end)
}
