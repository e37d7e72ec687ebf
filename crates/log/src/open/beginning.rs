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
//! Offsets that somebody may have read are not given out again. After a kill the epochs may be of another moment, or
//! damaged: then what they say is told, and nothing more.

use std::sync::Arc;

use pagewire_disk::EpochCheckpoint;

use crate::answers::{Hole, OpenOptions, RecoveryReport};
use crate::epochs::{self, Epochs};
use crate::errors::LogError;
use crate::home::Home;
use crate::open::depth::Depth;
use crate::open::listing::Listing;
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
        let reached = depth.reached(None);
        if reached > start {
            let from =
                said(home).and_then(|epochs| begins(&epochs)).unwrap_or(start).clamp(start, reached - 1);
            // Older than what was lost, they would refuse the producers what comes next.
            if listing.snapshots.last().is_some_and(|newest| *newest < reached) {
                listing.snapshots.clear();
            }
            put(home, listing, from)?;
        }
        return Ok(());
    };
    // Most logs begin where nothing can be missing before.
    if first <= start || !home.certain_start {
        return Ok(());
    }
    let Some(epochs) = said(home) else { return Ok(()) };
    let Some(from) = begins(&epochs).map(|from| from.max(start)).filter(|from| *from < first) else {
        return Ok(());
    };
    if options.clean && home.vouched.is_some_and(|vouched| vouched.epochs == epochs.sum()) {
        put(home, listing, from)?;
    }
    report.holes.push(Hole { file: home.path(from, names::LOG), from, upto: first });
    Ok(())
}

/// The leader epochs as their file has them, if it is legible.
fn said(home: &Home) -> Option<Epochs> {
    let read = EpochCheckpoint::read(&*home.disk, &home.dir.join(epochs::FILE));
    read.ok().flatten().map(|checkpoint| Epochs::new(checkpoint.entries))
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
