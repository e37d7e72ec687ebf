//! The records are the evidence. Damaged ones are never served as good, and nothing is missing in silence.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::Disk;
use pagewire_log::ScrubLimits;
use pagewire_log::verify::{Event, Severity, VerifyOptions, verify};
use pagewire_record::batches;

use crate::answers::{foreign, served};
use crate::harm::{Harm, ways};
use crate::lived::{Again, BOTH, Left, Lived, ROOT, TOPICS, topic_of};

const FLIPS: usize = 12;

#[test]
fn damaged_records_are_found_by_a_check_and_served_by_nobody() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for left in BOTH {
        let lived = Lived::new(left);
        for path in lived.sample(".log") {
            let good = &lived.files[&path];
            for harm in ways(good, FLIPS) {
                let bytes = harm.done_to(good);
                let case = format!("{left:?}, {}, {harm}", path.display());
                // Zeros behind the last batch are room that was reserved.
                let found = found_by_a_check(&lived, &path, bytes.as_deref());
                if found.is_empty() && !is_room(&lived, &path, harm) && !may_be_gone(&lived, &path, harm) {
                    wrong.push(format!("{case}: the check finds nothing"));
                }
                let again = lived.with(&path, bytes.as_deref());
                wrong.extend(served_as_good(&lived, &again, &case, blind_spot(&lived, &path, harm)));
                cases += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases > 50, "{cases}");
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

/// Zeros behind the records of the active segment of a broker that was killed.
fn is_room(lived: &Lived, path: &PathBuf, harm: Harm) -> bool {
    let is_active = lived.ending(".log").iter().rfind(|log| log.parent() == path.parent()) == Some(path);
    matches!(harm, Harm::Grown { with: 0, .. }) && is_active && lived.left == Left::Killed
}

/// A file that retention, or compaction, may have taken with its indexes half removed.
fn may_be_gone(lived: &Lived, path: &PathBuf, harm: Harm) -> bool {
    let is_first = lived.ending(".log").iter().find(|log| log.parent() == path.parent()) == Some(path);
    matches!(harm, Harm::Removed) && (is_first || topic_of(path) == "keyed")
}

/// What a start alone cannot see; the check sees it. A file that ends between two batches may be all that was written. A
/// compacted log has holes, so neither a missing segment nor an offset above its place is strange in it.
fn blind_spot(lived: &Lived, path: &PathBuf, harm: Harm) -> bool {
    let mut starts = vec![0];
    for batch in batches(&lived.files[path]).map(|batch| batch.expect("a good batch")) {
        starts.push(starts.last().expect("a place") + batch.header.size_in_bytes() as usize);
    }
    let is_compacted = topic_of(path) == "keyed";
    match harm {
        Harm::Cut { len } => starts.contains(&len),
        Harm::Removed => is_compacted,
        Harm::Flip { at, .. } => is_compacted && starts.iter().any(|start| (*start..start + 8).contains(&at)),
        _ => false,
    }
}

/// Once the closed segments were verified, whatever is served is what was written; where something is missing, that was
/// said: by the start, or by the scrub. What does not hold.
fn served_as_good(lived: &Lived, again: &Again, case: &str, blind: bool) -> Vec<String> {
    let dir = again.dir();
    // After an orderly stop the start looks at the end of the active segment only; the scrub at all of it once it is closed.
    for topic in TOPICS {
        again.log(topic).roll_if_due(i64::MAX / 2).expect("rolled");
    }
    while !dir.scrub(ScrubLimits { interval_ms: 0, bytes: 1 << 20 }, i64::MAX / 2).idle {}
    let counts = dir.scrub_counts();
    let mut wrong = Vec::new();
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
        let told = report.cuts.len() + report.holes.len() + report.notes.len() + again.report().notices.len();
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
    let base = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<i64>().ok();
    let logs = lived.ending(".log").into_iter().filter(|path| path.starts_with(&dir));
    let mut holding = logs.filter(|path| base(path).is_some_and(|base| base <= offset));
    holding.next_back().map_or_else(String::new, |path| path.display().to_string())
}
