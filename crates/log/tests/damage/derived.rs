//! What is derived from the records is no evidence: however it is damaged, no answer changes.

use crate::answers::Answers;
use crate::harm::Cases::{self, Spread};
use crate::lived::{BOTH, Lived, topic_of};

/// Damages files with this ending; how many cases that were.
pub(crate) fn change_no_answer(ending: &str, spread: Cases) -> usize {
    let (mut cases, mut wrong) = (0, Vec::new());
    for left in BOTH {
        let lived = Lived::new(left);
        for path in spread.files(&lived, ending) {
            let good = &lived.files[&path];
            for harm in spread.of(good) {
                let again = lived.with(&path, harm.done_to(good).as_deref());
                let topic = topic_of(&path);
                let unlike = Answers::of(&again.log(topic)).unlike(&lived.answers[topic]);
                if !unlike.is_empty() {
                    wrong.push(format!("{left:?}, {}, {harm}: {unlike:?}", path.display()));
                }
                cases += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    cases
}

#[test]
fn no_damage_to_an_offset_index_changes_an_answer() {
    assert!(change_no_answer(".index", Spread(8)) > 20);
}

#[test]
fn no_damage_to_a_time_index_changes_an_answer() {
    assert!(change_no_answer(".timeindex", Spread(8)) > 20);
}

#[test]
fn no_damage_to_an_index_of_aborted_transactions_changes_an_answer() {
    assert!(change_no_answer(".txnindex", Spread(10)) > 20);
}

#[test]
fn no_damage_to_a_snapshot_changes_an_answer() {
    assert!(change_no_answer(".snapshot", Spread(8)) > 20);
}

#[test]
fn no_damage_to_what_is_written_about_aborted_transactions_changes_an_answer() {
    assert!(change_no_answer("pagewire-aborted", Spread(12)) > 5);
}

#[test]
fn no_damage_to_what_is_written_about_compacted_segments_changes_an_answer() {
    assert!(change_no_answer("pagewire-compacted", Spread(12)) > 5);
}

#[test]
fn leader_epochs_are_those_of_the_batches_whatever_their_file_says() {
    let (_, rebuilt) = are_those_of_the_batches(Spread(200));
    assert!(rebuilt > 10, "{rebuilt}");
}

/// Of a compacted log the first batch of an epoch may be gone, so an epoch may begin later in it. How many cases, and how often
/// they were read from the batches.
pub(crate) fn are_those_of_the_batches(spread: Cases) -> (usize, usize) {
    let (mut cases, mut rebuilt) = (0, 0);
    for left in BOTH {
        let lived = Lived::new(left);
        for path in spread.files(&lived, "leader-epoch-checkpoint") {
            let good = &lived.files[&path];
            for harm in spread.of(good) {
                let again = lived.with(&path, harm.done_to(good).as_deref());
                let (topic, case) = (topic_of(&path), format!("{left:?}, {}, {harm}", path.display()));
                let mut unlike = Answers::of(&again.log(topic)).unlike(&lived.answers[topic]);
                if topic == "keyed" {
                    unlike.retain(|what| !what.starts_with("epochs"));
                }
                rebuilt +=
                    usize::from(again.report().loaded.iter().any(|log| log.report.rebuilt.contains(&path)));
                assert!(unlike.is_empty(), "{case}: {unlike:?}");
                cases += 1;
            }
        }
    }
    (cases, rebuilt)
}
