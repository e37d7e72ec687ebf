//! What was found lost of a log of which compaction counts as possible from then on: by its settings, or because nobody knows how
//! far it was cleaned.

use pagewire_disk::OpenMode;

use super::*;
use crate::ReadError;
use crate::clean::tests::fill;

/// A log, closed in order, of which a start without snapshots found that the first segment lost its end, in which the transaction
/// that is open at its beginning may have ended.
fn lost_an_end() -> World {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 };
    let open = BatchBuilder::new(Codec::None).producer(7, 0, 0).transactional();
    log.append(fill(open, &[(Some("k"), Some("in doubt"))]), context).expect("appended");
    let first = log.size_bytes();
    append(&log, 10);
    drop(log);
    assert!(dir.close_clean(0).clean);
    drop(dir);
    let file =
        world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("a segment");
    file.set_len(first).expect("cut");
    for (name, _) in world.files_of("a-0").iter().filter(|(name, _)| name.ends_with(".snapshot")) {
        world.disk.remove_file(&path("a-0").join(name)).expect("removed");
    }
    let (dir, _) = world.open();
    assert!(is_undecided(&dir), "at the start that finds it");
    assert!(dir.close_clean(0).clean);
    world
}

fn is_undecided(dir: &LogDir) -> bool {
    let read = dir.get("a", 0).expect("a").read(0, 1 << 20, ReadUpTo::LastStable, true);
    matches!(read, Err(ReadError::Undecided { .. }))
}

#[test]
fn what_was_lost_and_in_doubt_stays_so_whatever_holes_there_may_be_from_then_on() {
    let by_settings = compacting(lost_an_end());
    let by_doubt = lost_an_end();
    by_doubt.put(CHECKPOINT, b"garbage");
    for world in [by_settings, by_doubt] {
        for start in 0..2 {
            let (dir, report) = world.open();
            assert!(is_undecided(&dir), "{start}: {report:?}");
            let lost = dir.get("a", 0).expect("a").read(1, 1 << 20, ReadUpTo::LogEnd, true);
            assert!(matches!(lost, Err(ReadError::Damaged { .. })), "{start}: {lost:?}");
            dir.close_clean(0);
        }
    }
}
