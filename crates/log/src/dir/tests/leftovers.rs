//! Directories of deleted topics that kept their names.

use std::collections::HashSet;

use super::*;

#[test]
fn what_is_left_of_a_deleted_topic_goes_and_nothing_else_does() {
    let world = World::new().knows("gone", A).knows("kept", B);
    let (dir, _) = world.open();
    for (topic, partition) in [("gone", 0), ("gone", 1), ("kept", 0)] {
        append(&world.create(&dir, topic, partition), 2);
    }
    drop(dir);
    world.put("gone-7/somebodys", b"x");
    // The metadata forgot the topic, and a stop came before the directories were renamed.
    world.learns("gone", None);
    let (dir, _) = world.open();
    assert!(dir.delete_leftovers(&HashSet::new(), 5).expect("nothing to do").is_empty());
    let renamed = dir.delete_leftovers(&HashSet::from([A, B]), 5).expect("renames");
    assert_eq!(renamed, [path("gone-0"), path("gone-1")]);
    dir.unlink_due(5).expect("unlinks");
    assert_eq!(world.dirs(), ["gone-7", "kept-0"]);
    assert_eq!(dir.get("kept", 0).expect("served").marks().log_end, 2);
}

#[test]
fn strays_of_a_deleted_topic_go_too() {
    let world = World::new().knows("t", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "t", 0), 1);
    drop(dir);
    world.learns("t", Some(B));
    let (dir, _) = world.open();
    world.create(&dir, "t", 0);
    assert_eq!(world.dirs().len(), 2, "the old one was set aside");
    assert!(dir.delete_leftovers(&HashSet::from([B]), 0).expect("served").is_empty());
    assert_eq!(dir.delete_leftovers(&HashSet::from([A]), 0).expect("found").len(), 1);
    dir.unlink_due(0).expect("unlinks");
    assert_eq!(world.dirs(), ["t-0"]);
}

#[test]
fn a_directory_that_was_given_up_renames_nothing_of_whoever_opens_it_anew() {
    let world = World::new().knows("gone", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "gone", 0), 2);
    drop(dir);
    world.learns("gone", None);
    let (dir, _) = world.open();
    dir.give_up();
    assert!(dir.delete_leftovers(&HashSet::from([A]), 5).is_err());
    assert_eq!(world.dirs(), ["gone-0"]);
    let (dir, _) = world.open();
    assert_eq!(dir.delete_leftovers(&HashSet::from([A]), 5).expect("its own"), [path("gone-0")]);
}
