//! What a start says of oddities: few lines, however many there are.

use super::*;
use crate::RecoveryReport;

const BATCHES: usize = 40;
/// Bytes of one.
const BATCH: u32 = 129;

/// A log of a producer, closed in order, every other batch of whose first segment went bad, and whose producers have to be replayed.
fn rotten() -> World {
    let world = World::new().knows("a", A);
    let world = World {
        config: LogConfig { segment_bytes: BATCHES as u32 * BATCH, ..world.config.clone() },
        ..world
    };
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    for sequence in 0..BATCHES as i32 + 3 {
        let mut builder = BatchBuilder::new(Codec::None).producer(7, 0, sequence);
        builder.append(1, None, Some(&[7; 60]), &[]).expect("record");
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
        log.append(builder.build().expect("batch"), context).expect("append");
    }
    let first = log.segments().first().map(|first| (first.next_offset, first.size_bytes));
    assert_eq!(first, Some((BATCHES as i64, BATCHES as u64 * u64::from(BATCH))));
    assert!(dir.close_clean(1).clean);
    for name in
        world.files_of("a-0").into_iter().map(|(name, _)| name).filter(|name| name.ends_with(".snapshot"))
    {
        world.disk.remove_file(&path("a-0").join(name)).expect("removed");
    }
    let file = world.disk.open(&path("a-0/00000000000000000000.log"), OpenMode::ReadWrite).expect("there");
    for at in (1..BATCHES as u64).step_by(2) {
        file.write_at(at * u64::from(BATCH) + 80, b"\xff").expect("written");
    }
    world
}

#[test]
fn many_damaged_places_of_a_segment_that_a_start_passes_by_are_one_line() {
    let (dir, report) = rotten().open();
    let said = &report.loaded.first().expect("loaded").report;
    let lines: Vec<_> = said.notes.iter().filter(|note| note.contains(".log")).collect();
    assert_eq!(lines.len(), 1, "{said:?}");
    assert!(dir.get("a", 0).expect("open").known_damage() > 8);
}

#[test]
fn of_more_oddities_than_anybody_reads_the_number_is_told() {
    let mut report = RecoveryReport::default();
    (0..1000).for_each(|n| report.note(format!("oddity {n}")));
    assert_eq!((report.notes.len(), report.notes.total()), (64, 1000));
    assert_eq!(report.noted().last().as_deref(), Some("936 more such lines about this log are not named"));
}
