//! A log whose first segments are gone, or all of them. Between two segments a missing one shows by its offsets; here
//! only what lies beside them tells: the leader epochs, which are cut with the log's start before a segment goes, and
//! the checkpoints.
//!
//! ```text
//!   epochs say   0 ............... 2052 .......       an orderly stop vouches for them
//!   segments       (gone)          2052 .......  ──▶  an empty one at 0: its offsets are refused, not passed over
//!   segments       (none left)                   ──▶  an empty one at 0, and the log goes on where it had come to
//! ```
//!
//! Offsets that somebody may have read are not given out again: of a log of which nothing is left, the highest that
//! [anything](Heard) knows of counts. That it goes on there is on the disk by the names of its two segments, which have no
//! record, until a checkpoint says so; should a start end between the two, the next one puts the other in place where the epochs
//! say, which are written before if they are gone too. After a kill the epochs may be of another moment, or damaged: then what
//! they say of the first segments is told, and nothing more.

use std::sync::Arc;

use pagewire_disk::{CheckpointError, EpochCheckpoint};

use crate::answers::{Hole, OpenOptions, RecoveryReport};
use crate::epochs::{self, Epochs};
use crate::errors::LogError;
use crate::home::Home;
use crate::open::depth::Depth;
use crate::open::listing::Listing;
use crate::open::recovery::log_size;
use crate::open::witnesses::{Checkpointed, Heard};
use crate::segment::{Segment, names};

/// Puts an empty segment in the place of those that are gone, and tells.
pub(crate) fn mark_lost(
    home: &Arc<Home>,
    listing: &mut Listing,
    options: &OpenOptions,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let start = options.log_start_offset.max(0);
    let Some(&first) = listing.bases.first() else {
        return none_left(home, listing, (start, options.leader_epoch), depth, report);
    };
    if goes_on_unwritten(home, listing)? {
        let given_out = given_out(home, listing, depth);
        listing.given_out = listing.bases.last().copied().filter(|last| *last == given_out);
    }
    // Most logs begin where nothing can be missing before.
    let leads_here = listing.orphans.iter().any(|orphan| orphan.base < first);
    if first <= start || !home.certain_start && !leads_here {
        return Ok(());
    }
    let Some(epochs) = said(home)?.legible() else { return Ok(()) };
    let Some(from) = begins(&epochs).map(|from| from.max(start)).filter(|from| *from < first) else {
        return Ok(());
    };
    let is_vouched = options.clean && home.vouched.is_some_and(|vouched| vouched.epochs == epochs.sum());
    if is_vouched || goes_on_alone(home, listing, depth)? {
        put(home, listing, from)?;
    }
    report.holes.push(Hole { file: home.path(from, names::LOG), from, upto: first });
    Ok(())
}

/// Of a log that has no segment.
fn none_left(
    home: &Arc<Home>,
    listing: &mut Listing,
    (start, leader_epoch): (i64, i32),
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let reached = given_out(home, listing, depth);
    if reached <= start {
        return Ok(());
    }
    let said = said(home)?;
    if let Said::Damaged(what) = &said {
        report.note(format!("{what}; it is written anew for a log that goes on at {reached}"));
    }
    let begun = said.legible().and_then(|epochs| begins(&epochs));
    let from = begun.unwrap_or(start).clamp(start, reached - 1);
    if begun.is_none() {
        let mut epochs = Epochs::default();
        epochs.assign(leader_epoch.max(0), from);
        epochs.write(&*home.disk, &home.dir).map_err(LogError::at(home.dir.join(epochs::FILE)))?;
    }
    // Older than what was lost, they would refuse the producers what comes next.
    if listing.snapshots.last().is_some_and(|newest| *newest < reached) {
        listing.snapshots.drain(..).try_for_each(|offset| super::remove_snapshot(home, offset))?;
    }
    listing.given_out = Some(reached);
    // The later one first: where the log goes on is known then, should this start end here.
    put(home, listing, reached)?;
    put(home, listing, from)
}

/// A start put the first segment in the place of what was lost, and a second one where the log goes on, and perhaps ended before
/// the checkpoints said so.
fn goes_on_unwritten(home: &Home, listing: &Listing) -> Result<bool, LogError> {
    let [first, second] = listing.bases[..] else { return Ok(false) };
    Ok(log_size(home, first)? == 0 && log_size(home, second)? == 0)
}

/// A start put the segment in place where the log goes on, and ended before the first one.
fn goes_on_alone(home: &Home, listing: &mut Listing, depth: &Depth) -> Result<bool, LogError> {
    let [only] = listing.bases[..] else { return Ok(false) };
    let is_alone = log_size(home, only)? == 0 && given_out(home, listing, depth) == only;
    if is_alone {
        listing.given_out = Some(only);
    }
    Ok(is_alone)
}

fn given_out(home: &Home, listing: &Listing, depth: &Depth) -> i64 {
    let said = Checkpointed::of(home, depth.recovery_point);
    Heard::of((&*home.disk, &home.dir), said, &listing.snapshots, &listing.orphans).given_out_of_gone()
}

/// What the file of leader epochs says.
enum Said {
    Nothing,
    Epochs(Epochs),
    Damaged(String),
}

impl Said {
    fn legible(self) -> Option<Epochs> {
        if let Self::Epochs(epochs) = self { Some(epochs) } else { None }
    }
}

fn said(home: &Home) -> Result<Said, LogError> {
    match EpochCheckpoint::read(&*home.disk, &home.dir.join(epochs::FILE)) {
        Ok(Some(checkpoint)) => Ok(Said::Epochs(Epochs::new(checkpoint.entries))),
        Ok(None) => Ok(Said::Nothing),
        Err(CheckpointError::Io { path, error }) => Err(LogError::Io { path, error }),
        Err(error) => Ok(Said::Damaged(error.to_string())),
    }
}

fn begins(epochs: &Epochs) -> Option<i64> {
    epochs.entries().first().map(|entry| entry.start_offset)
}

fn put(home: &Arc<Home>, listing: &mut Listing, base: i64) -> Result<(), LogError> {
    Segment::create(Arc::clone(home), base).map_err(LogError::at(home.path(base, names::LOG)))?;
    home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
    listing.bases.insert(0, base);
    listing.indexed.insert(base);
    listing.timed.insert(base);
    Ok(())
}
