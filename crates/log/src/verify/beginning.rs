//! Whether a log begins where it is known to begin. A first segment that is gone leaves no hole, and of a log without segments
//! nothing is left that could have one: what tells is what lies beside them.

use std::path::Path;

use super::finding::{Fate, Finding, Onward, Severity};
use super::job::Kept;
use super::partition::Known;
use crate::segment::names;

/// Of a log in whose directory no segment is.
/// `missed`: it is no moment of the broker that serves it.
pub(super) fn none_left(
    dir: &Path,
    (known, missed): (&Known, bool),
    reached: i64,
    is_kafkas: bool,
    kept: &mut Kept,
) {
    let start = known.log_start.unwrap_or(0);
    let finding = if reached > start {
        let what = format!(
            "no segment is left of a log that had reached offset {reached}, so the offsets {start} to {} are lost unless its \
             files are put back",
            reached - 1
        );
        let severity = if known.live && !missed { Severity::Doubt } else { Severity::Damage };
        let fate = if is_kafkas { Fate::NotImported } else { Fate::Refused };
        let path = names::path(dir, start, names::LOG);
        Finding::new(severity, path, what, fate).offset(start).onward(Onward::Nowhere)
    } else {
        Finding::new(Severity::Note, dir, "a log without a segment, and none that had records", Fate::Renewed)
    };
    kept.push(finding);
}

/// Of a log whose first segment is at `first`, its first good batch perhaps behind that, and whose leader epochs begin at `said`.
/// Those are cut with the log's start, and before a segment goes. `missed`: it is no moment of the broker that serves it.
pub(super) fn compare(
    dir: &Path,
    (first, first_good): (i64, Option<i64>),
    said: Option<i64>,
    (known, missed, is_kafkas): (&Known, &dyn Fn() -> bool, bool),
    kept: &mut Kept,
) {
    let start = known.log_start.unwrap_or(0);
    let Some(said) = said.map(|said| said.max(start)).filter(|said| *said < first) else { return };
    let certain = known.certain_beginning && (!known.live || missed());
    let (severity, why, fate) = if certain {
        (Severity::Damage, "those before it are gone", if known.clean { Fate::Refused } else { Fate::Stays })
    } else {
        (Severity::Doubt, "those before it are gone, or retention took them just before a kill", Fate::Stays)
    };
    let fate = if is_kafkas { Fate::Imported } else { fate };
    let last = first - 1;
    let what = format!(
        "the log begins at offset {said}, its first segment at {first}: {why}. The offsets {said} to {last} are missing unless \
         files are put back"
    );
    let onward = first_good.map_or(Onward::Nowhere, Onward::At);
    kept.push(Finding::new(severity, dir, what, fate).offset(said).onward(onward));
}
