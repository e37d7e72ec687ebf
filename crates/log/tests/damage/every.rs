//! Every bit of a small file of each kind flipped, and each length that is shorter, after an orderly stop and after a kill. The
//! tests beside this one take a few of these each time; all of them take minutes: `cargo xtask damage`, with optimisation.

#![allow(clippy::print_stdout, reason = "how many there were, for whoever runs all of them")]

use crate::derived::{are_those_of_the_batches, change_no_answer};
use crate::harm::Cases::Every;
use crate::records::are_found_and_served_by_nobody;
use crate::small::{
    HINTS, changes_no_answer, is_set_aside_whole, is_written_anew_or_refused, takes_no_record,
};

/// Says how many there were.
fn counted(what: &str, cases: usize, least: usize) {
    println!("{what}: {cases} cases");
    assert!(cases >= least, "{what}: {cases} cases");
}

#[test]
#[ignore = "cargo xtask damage runs it"]
fn no_bit_and_no_length_of_what_is_derived_changes_an_answer() {
    for (ending, least) in [
        (".index", 400),
        (".timeindex", 400),
        (".txnindex", 500),
        (".snapshot", 500),
        ("pagewire-aborted", 500),
        ("pagewire-compacted", 5000),
    ] {
        counted(ending, change_no_answer(ending, Every), least);
    }
    let (cases, rebuilt) = are_those_of_the_batches(Every);
    counted("leader-epoch-checkpoint", cases, 500);
    assert!(rebuilt > 100, "{rebuilt}");
}

#[test]
#[ignore = "cargo xtask damage runs it"]
fn no_bit_and_no_length_of_a_checkpoint_of_hints_changes_an_answer() {
    for name in HINTS {
        counted(name, changes_no_answer(name, Every), 100);
    }
}

#[test]
#[ignore = "cargo xtask damage runs it"]
fn no_bit_and_no_length_of_an_identity_or_a_log_start_takes_a_record() {
    counted("log-start-offset-checkpoint", takes_no_record(Every), 200);
    counted("partition.metadata", is_set_aside_whole(Every), 500);
    let (cases, refused) = is_written_anew_or_refused(Every);
    counted("meta.properties", cases, 1000);
    assert!(refused > 100, "{refused}");
}

#[test]
#[ignore = "cargo xtask damage runs it"]
fn every_bit_and_every_length_of_a_segment_is_found_and_served_by_nobody() {
    counted(".log", are_found_and_served_by_nobody(Every), 5000);
}
