//! The records are the evidence. Damaged ones are never served as good, and nothing is missing in silence.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::Disk;
use pagewire_log::ScrubLimits;
use pagewire_log::verify::{Event, Severity, VerifyOptions, verify};
use pagewire_record::batches;

use crate::answers::{foreign, served};
use crate::harm::{Cases, Harm};
use crate::lived::{Again, BOTH, Left, Lived, ROOT, TOPICS, topic_of};

const FLIPS: usize = 12;

#[test]
fn damaged_records_are_found_by_a_check_and_served_by_nobody() {
    let cases = are_found_and_served_by_nobody(Cases::Spread(FLIPS));
    assert!(cases > 50, "{cases}");
}

/// Damages segments; how many cases that were.
pub(crate) fn are_found_and_served_by_nobody(spread: Cases) -> usize {
    let (mut cases, mut wrong) = (0, Vec::new());
    for left in BOTH {
        let lived = Lived::new(left);
        for path in spread.files(&lived, ".log") {
            let good = &lived.files[&path];
            for harm in spread.of(good) {
                let bytes = harm.done_to(good);
                let case = format!("{left:?}, {}, {harm}", path.display());
                let found = found_by_a_check(&lived, &path, bytes.as_deref());
                let is_right = may_be_gone(&lived, &path, harm) || may_end_there(&lived, &path, harm);
                if found.is_empty() && !is_right {
                    wrong.push(format!("{case}: the check finds nothing"));
                }
                let again = lived.with(&path, bytes.as_deref());
                wrong.extend(served_as_good(&lived, &again, &case, blind_spot(&lived, &path, harm)));
                cases += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    cases
}

/// What `log check` says beyond notes.
fn found_by_a_check(lived: &Lived, path: &Path, bytes: Option<&[u8]>) -> Vec<String> {
    let disk: Arc<dyn Disk> = lived.on_disk(path, bytes);
    let mut found = Vec::new();
    let options = VerifyOptions { deep: true, ..VerifyOptions::default() };
    let tally = verify(&disk, Path::new(ROOT), options, &mut |event| {
        if let Event::Found(finding) = event
            && finding.severity > Severity::Note
        {
            found.push(finding.to_string());
        }
    });
    tally.expect("checked");
    found
}

/// The first file of a log that begins where its first file does: retention takes it just so.
fn may_be_gone(lived: &Lived, path: &PathBuf, harm: Harm) -> bool {
    let is_first = lived.ending(".log").iter().find(|log| log.parent() == path.parent()) == Some(path);
    matches!(harm, Harm::Removed) && is_first && topic_of(path) == "keyed"
}

/// Of a broker that was killed the active segment may have ended behind any batch that was not synced, and been empty.
fn may_end_there(lived: &Lived, path: &PathBuf, harm: Harm) -> bool {
    let Harm::Cut { len } = harm else { return false };
    if lived.left != Left::Killed || !is_active(lived, path) {
        return false;
    }
    let end = lying(&lived.files[path]).find(|one| one.bytes.end == len).map(|one| one.offsets.end);
    let end = if len == 0 { base_of(path) } else { end };
    end >= Some(lived.synced[topic_of(path)])
}

/// What a start and the scrub alone cannot see; the check may see it. Compaction may leave nothing of a closed segment, and no
/// checksum covers a base offset: where offsets may be missing on both sides of a batch, it may have another.
fn blind_spot(lived: &Lived, path: &PathBuf, harm: Harm) -> bool {
    let compacted = topic_of(path) == "keyed" && !is_active(lived, path);
    may_end_there(lived, path, harm)
        || compacted && (matches!(harm, Harm::Cut { len: 0 }) || moves_in_a_hole(lived, path, harm))
}

/// A batch has another base offset, and lies between its neighbours still.
fn moves_in_a_hole(lived: &Lived, path: &PathBuf, harm: Harm) -> bool {
    let (good, Some(base)) = (&lived.files[path], base_of(path)) else { return false };
    let Harm::Flip { at, .. } = harm else { return false };
    let batches: Vec<Lying> = lying(good).collect();
    let Some(which) = batches.iter().position(|one| (one.bytes.start..one.bytes.start + 8).contains(&at))
    else {
        return false;
    };
    let before = which.checked_sub(1).map_or(base, |before| batches[before].offsets.end);
    let behind = batches.get(which + 1).map(|next| next.offsets.start).or_else(|| next_base(lived, path));
    let harmed = harm.done_to(good).expect("bytes");
    let moved = lying(&harmed).nth(which).map(|one| one.offsets);
    moved.is_some_and(|moved| before <= moved.start && behind.is_some_and(|behind| moved.end <= behind))
}

/// A batch in its file.
struct Lying {
    bytes: Range<usize>,
    offsets: Range<i64>,
}

fn lying(bytes: &[u8]) -> impl Iterator<Item = Lying> {
    let mut at = 0;
    batches(bytes).map_while(Result::ok).map(move |batch| {
        let (from, header) = (at, batch.header);
        at += usize::try_from(header.size_in_bytes()).expect("a short file");
        Lying { bytes: from..at, offsets: header.base_offset..header.next_offset() }
    })
}

fn is_active(lived: &Lived, path: &Path) -> bool {
    next_base(lived, path).is_none()
}

/// Where the segment behind it begins.
fn next_base(lived: &Lived, path: &Path) -> Option<i64> {
    let logs = lived.ending(".log");
    let mut behind = logs.iter().filter(|log| log.parent() == path.parent() && log.as_path() > path);
    base_of(behind.next()?)
}

/// Before anything was verified and once the closed segments were, whatever is served is what was written; where something is
/// missing, that was said: by the start, or by the scrub. What does not hold.
pub(crate) fn served_as_good(lived: &Lived, again: &Again, case: &str, blind: bool) -> Vec<String> {
    let dir = again.dir();
    let mut wrong = Vec::new();
    for topic in TOPICS {
        let foreign = foreign(&served(&again.log(topic)).0, &lived.answers[topic].batches);
        if !foreign.is_empty() && !blind {
            wrong.push(format!("{case}: {foreign:?} served as good before the scrub was there"));
        }
    }
    // After an orderly stop the start looks at the end of the active segment only; the scrub at all of it once it is closed.
    for topic in TOPICS {
        again.log(topic).roll_if_due(i64::MAX / 2).expect("rolled");
    }
    while !dir.scrub(ScrubLimits { interval_ms: 0, bytes: 1 << 20 }, i64::MAX / 2).idle {}
    let counts = dir.scrub_counts();
    for topic in TOPICS {
        let good = &lived.answers[topic].batches;
        let (served, refused) = served(&again.log(topic));
        let foreign = foreign(&served, good);
        if !foreign.is_empty() && !blind {
            wrong.push(format!("{case}: {foreign:?} served as good"));
        }
        let missing: Vec<_> = good.keys().filter(|base| !served.contains_key(base)).collect();
        let loaded = again.report().loaded.iter().find(|loaded| loaded.topic == topic).expect("loaded");
        let report = &loaded.report;
        let found = report.cuts.len() + report.holes.len() + report.damage.len();
        let told =
            found + report.notes.len() + report.leftovers.files as usize + again.report().notices.len();
        let said = blind || told > 0 || counts.damaged + counts.unreadable > 0;
        if !said && missing.len() + refused.len() > 0 {
            wrong.push(format!("{case}: {missing:?} missing, {refused:?} refused in silence: {loaded:?}"));
        }
        // Nothing but what lies in the damaged file, or behind it in what was not yet synced, is lost.
        let elsewhere =
            |base: &&i64| **base < lived.synced[topic] && !case.contains(&file_of(lived, topic, **base));
        let lost: Vec<_> = missing.into_iter().filter(elsewhere).collect();
        if !lost.is_empty() {
            wrong.push(format!("{case}: {lost:?} of other files are lost: {loaded:?}"));
        }
    }
    wrong
}

/// The `.log` that holds this offset.
fn file_of(lived: &Lived, topic: &str, offset: i64) -> String {
    let dir = Path::new(ROOT).join(format!("{topic}-0"));
    let logs = lived.ending(".log").into_iter().filter(|path| path.starts_with(&dir));
    let mut holding = logs.filter(|path| base_of(path).is_some_and(|base| base <= offset));
    holding.next_back().map_or_else(String::new, |path| path.display().to_string())
}

/// The base offset in a file's name.
fn base_of(path: &Path) -> Option<i64> {
    path.file_stem()?.to_str()?.parse().ok()
}
