//! How far each log is clean, over restarts and deletions.

use pagewire_disk::{Call, Errno, Fault, When};

use tracing::Level;

use super::*;
use crate::clean::tests::fill;
use crate::said::said;

#[test]
fn how_far_a_log_is_clean_is_remembered_over_a_restart() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    let clean_to = clean(&dir, 0).expect("due").expect("clean");
    assert!(clean(&dir, 0).is_none());
    assert_eq!(checkpointed(&world, "a", 0), Some(clean_to));
    dir.close_clean(0);
    let (dir, report) = world.open();
    assert!(report.clean && clean(&dir, 0).is_none());
    assert!(reads_all(&dir.get("a", 0).expect("a")));
}

#[test]
fn a_checkpoint_outside_of_its_log_is_started_over() {
    for text in ["0\n1\na 0 4711\n", "garbage", ""] {
        let world = compacting(World::new().knows("a", A));
        world.put(CHECKPOINT, text.as_bytes());
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 10);
        assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9, "{text:?}");
        assert_eq!(checkpointed(&world, "a", 0), Some(9));
    }
}

/// The settings of today do not say what moved the start.
#[test]
fn a_start_that_moved_past_what_is_clean_is_nothing_to_warn_of() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 10);
    let clean_to = clean(&dir, 0).expect("due").expect("cleaned");
    append(&log, 10);
    log.delete_records_before(clean_to + 3).expect("deleted");
    assert_eq!(said(Level::WARN, || assert!(clean(&dir, 0).expect("due").is_ok())), 0);
}

#[test]
fn a_deleted_topic_leaves_no_offset_to_the_next_of_its_name() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    clean(&dir, 0).expect("due").expect("clean");
    let dirty = {
        append(&dir.get("a", 0).expect("a"), 40);
        dir.dirtiest(0).expect("due")
    };
    dir.delete("a", 0, 0).expect("delete");
    assert_eq!(checkpointed(&world, "a", 0), None);
    assert!(dirty.clean(&mut cleaner(), 0, &throttle()).expect_err("deleted").is_harmless());
    assert_eq!(checkpointed(&world, "a", 0), None);
    world.learns("a", Some(B));
    append(&world.create(&dir, "a", 0), 10);
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9);
}

#[test]
fn nothing_is_cleaned_while_that_cannot_be_remembered() {
    let (failing, world) = World::failing();
    let world = compacting(world.knows("a", A));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    failing.fail_on(CHECKPOINT, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert!(clean(&dir, 0).expect("due").is_err());
    assert_eq!(dir.get("a", 0).expect("a").segments().len(), 4);
    failing.heal();
    assert!(clean(&dir, 1 << 40).expect("due").is_ok());
}

/// An open transaction ends the range in the middle of a segment; what is behind it there may go as well, where a
/// transaction was aborted.
#[test]
fn a_segment_is_stable_to_its_end_before_any_of_it_is_written_anew() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 4);
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 };
    let open = BatchBuilder::new(Codec::None).producer(7, 0, 0).transactional();
    log.append(fill(open, &[(Some("k"), Some("v"))]), context).expect("appended");
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    append(&log, 9);
    let until = log.marks().last_stable;
    let bases: Vec<_> = log.segments().iter().map(|segment| segment.base_offset).collect();
    let end = *bases.iter().find(|base| **base > until).expect("a segment behind it");
    assert!(!bases.contains(&until), "{until} is in the middle: {bases:?}");
    assert!(dir.is_written_stable(&log, until) && !dir.is_written_stable(&log, end));
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), until);
    assert!(dir.is_written_stable(&log, end));
}

#[test]
fn how_far_many_logs_are_clean_is_written_down_now_and_then_and_in_the_end() {
    let world = compacting(World::new().knows("a", A));
    let (dir, _) = world.open();
    let logs = [0, 1, 2].map(|partition| world.create(&dir, "a", partition));
    for log in &logs {
        append(log, 10);
    }
    while clean(&dir, 0).is_some() {}
    assert_eq!(checkpointed(&world, "a", 0), Some(9));
    for log in &logs {
        append(log, 20);
    }
    clean(&dir, 1).expect("due").expect("clean");
    assert_eq!(checkpointed(&world, "a", 0), Some(9), "not yet");
    while clean(&dir, 1).is_some() {}
    let clean_to = dir.cleaned_to("a", 0);
    assert!(clean_to > Some(9) && checkpointed(&world, "a", 0) == clean_to);
    append(&dir.get("a", 1).expect("a"), 60);
    clean(&dir, 2).expect("due").expect("clean");
    dir.close_clean(2);
    assert_eq!(checkpointed(&world, "a", 1), dir.cleaned_to("a", 1));
}
