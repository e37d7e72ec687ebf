//! Which log is cleaned next, and who gets it.

use pagewire_disk::Call;

use super::*;
use crate::Share;

#[test]
fn the_dirtiest_log_comes_first_and_each_goes_to_one_cleaner() {
    let world = compacting(World::new().knows("a", A).knows("b", B));
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 10);
    append(&world.create(&dir, "a", 1), 2);
    append(&world.create(&dir, "b", 0), 40);
    assert_eq!(clean(&dir, 0).expect("due").expect("clean"), 9);
    append(&dir.get("a", 0).expect("a"), 40);
    let first = dir.dirtiest(0).expect("b is all dirty");
    assert_eq!((&**first.topic(), first.ratio()), ("b", Share::new(1.0)));
    let second = dir.dirtiest(0).expect("a is dirty, too");
    assert_eq!((&**second.topic(), second.partition()), ("a", 0));
    assert!(second.ratio() > Share::HALF && dir.dirtiest(0).is_none());
    assert_eq!(dir.cleaning(0).busy, 2);
    drop(first);
    assert_eq!(dir.dirtiest(0).map(|dirty| dirty.topic().to_string()), Some("b".to_owned()));
}

#[test]
fn a_look_reads_what_it_needs_of_each_segment_once() {
    let (failing, _, dir) = two_dirty(|config| {
        (config.max_compaction_lag_ms, config.min_compaction_lag_ms) = (1 << 41, 1 << 40);
    });
    assert!(clean(&dir, 1).is_none(), "too young");
    let calls = failing.calls(Call::Read);
    for now_ms in 2..20 {
        assert!(clean(&dir, now_ms).is_none() && dir.cleaning(now_ms).max_overdue_ms == 0);
    }
    assert_eq!(failing.calls(Call::Read), calls);
}

#[test]
fn one_look_finds_logs_for_many_cleans_and_a_later_one_what_became_dirtier() {
    let world = compacting(World::new().knows("a", A).knows("b", B));
    let (dir, _) = world.open();
    for (topic, partition, count) in [("a", 0, 10), ("a", 1, 10), ("b", 0, 10)] {
        append(&world.create(&dir, topic, partition), count);
    }
    clean(&dir, 0).expect("due").expect("a-0 is clean");
    append(&world.create(&dir, "b", 1), 10);
    append(&dir.get("a", 0).expect("a"), 40);
    let next = |now_ms| dir.dirtiest(now_ms).map(|dirty| (dirty.topic().to_string(), dirty.partition()));
    assert_eq!(next(14_999), Some(("a".to_owned(), 1)), "as it was found");
    assert_eq!(next(14_999), Some(("a".to_owned(), 1)), "what was not cleaned comes first again");
    clean(&dir, 14_999).expect("due").expect("a-1 is clean");
    append(&dir.get("a", 1).expect("a"), 40);
    let order: Vec<_> = std::iter::from_fn(|| {
        let dirty = dir.dirtiest(15_000)?;
        let name = format!("{}-{}", dirty.topic(), dirty.partition());
        dirty.clean(&mut cleaner(), 15_000, &throttle()).expect("clean");
        Some(name)
    })
    .collect();
    assert_eq!(order, ["b-0", "b-1", "a-0", "a-1"]);
}

#[test]
fn a_segment_that_is_filling_keeps_its_age_over_restarts() {
    let world = compacting(World::new().knows("a", A));
    let world = World { config: LogConfig { segment_ms: 1000, ..world.config.clone() }, ..world };
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    try_append(&log, 100).expect("append");
    drop((dir, log));
    let mut options = options();
    options.now_ms = 1100;
    let settings = |topic: &str, _| world.settings(topic);
    let (dir, _) =
        LogDir::open(Arc::clone(&world.disk), root(), &options, &settings, &|_| {}).expect("opens");
    let log = dir.get("a", 0).expect("a");
    assert!(!log.roll_if_due(1100).expect("roll"));
    assert!(log.roll_if_due(1101).expect("roll"), "as old as its first record");
}
