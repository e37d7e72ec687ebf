//! Indexes of aborted transactions that an orderly stop left, and somebody else changed.

use pagewire_record::{ControlType, EndTxnMarker, control_batch};

use super::super::vouched::FILE;
use super::*;

fn transact(log: &Log, count: i32) {
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 1 };
    for n in 0..count {
        let mut builder = BatchBuilder::new(Codec::None).producer(7, 0, n).transactional();
        builder.append(1, Some(b"key"), Some(&[7; 60]), &[]).expect("record");
        log.append(builder.build().expect("batch"), context).expect("append");
        let marker = EndTxnMarker { control_type: ControlType::Abort, coordinator_epoch: 0 };
        log.append(control_batch(marker, 7, 0, 1).expect("marker"), context).expect("marker");
    }
}

fn indexes(world: &World) -> Vec<(String, Vec<u8>)> {
    let names = world.disk.read_dir(&path("a-0")).expect("list").into_iter().map(|entry| entry.name);
    let read = |name: &String| pagewire_disk::read_small(&*world.disk, &path("a-0").join(name), 1 << 20);
    names
        .filter(|name| name.ends_with("txnindex"))
        .map(|name| (name.clone(), read(&name).expect("read").expect("there")))
        .collect()
}

/// An orderly stop, a change, and a start.
fn changed(change: impl Fn(&World, &[String])) -> (World, Vec<(String, Vec<u8>)>, LoadReport) {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    transact(&world.create(&dir, "a", 0), 20);
    assert!(dir.close_clean(0).clean);
    let written = indexes(&world);
    assert!(written.len() > 3);
    let names: Vec<String> = written.iter().map(|(name, _)| format!("a-0/{name}")).collect();
    change(&world, &names);
    let (dir, report) = world.open();
    drop(dir);
    (world, written, report)
}

fn rebuilt(report: &LoadReport) -> usize {
    report.loaded[0]
        .report
        .rebuilt
        .iter()
        .filter(|file| file.extension().is_some_and(|ext| ext == "txnindex"))
        .count()
}

#[test]
fn an_orderly_stop_vouches_for_what_it_left() {
    let (_, _, report) = changed(|_, _| {});
    assert_eq!((rebuilt(&report), report.loaded[0].report.notes.len()), (0, 0), "{report:?}");
}

#[test]
fn an_index_that_is_missing_though_the_stop_was_clean_is_rebuilt_from_the_log() {
    for lost in [1, 2, usize::MAX] {
        let (world, written, report) = changed(|world, names| {
            names.iter().take(lost).for_each(|name| world.disk.remove_file(&path(name)).expect("remove"));
        });
        assert_eq!(indexes(&world), written, "{report:?}");
        assert_eq!(rebuilt(&report), lost.min(written.len()));
    }
}

#[test]
fn any_bit_of_an_index_may_flip_and_any_entry_may_be_cut() {
    let mut flips = 0;
    for bit in (0..34 * 8).step_by(3) {
        let (world, written, report) = changed(|world, names| {
            let file = world.disk.open(&path(&names[1]), OpenMode::ReadWrite).expect("open");
            let (at, mut byte) = (bit / 8, [0]);
            file.read_exact_at(at, &mut byte).expect("read");
            file.write_at(at, &[byte[0] ^ 1 << (bit % 8)]).expect("write");
        });
        assert_eq!(indexes(&world), written, "bit {bit}: {report:?}");
        flips += rebuilt(&report);
    }
    assert!(flips > 90, "each was noticed: {flips}");
    let (world, written, _) = changed(|world, names| {
        world.disk.open(&path(&names[1]), OpenMode::ReadWrite).expect("open").set_len(34).expect("cut");
    });
    assert_eq!(indexes(&world), written);
}

#[test]
fn a_lost_or_damaged_checkpoint_vouches_against_nothing() {
    let (world, written, report) = changed(|world, _| world.disk.remove_file(&path(FILE)).expect("remove"));
    assert_eq!((indexes(&world), rebuilt(&report)), (written, 0), "as a directory that Kafka wrote");
    let (world, written, report) = changed(|world, _| world.put(FILE, &[0; 30]));
    assert_eq!((indexes(&world), rebuilt(&report)), (written, 0));
    assert!(matches!(report.notices.as_slice(), [Notice::Damaged(_)]));
}

#[test]
fn files_of_our_own_that_are_damaged_are_noted_by_a_check() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    dir.close_clean(0);
    drop(dir);
    let names = [FILE, "pagewire-scrub-checkpoint", "a-0/pagewire-aborted"];
    for name in names {
        world.put(name, &[0; 30]);
    }
    let mut noted = Vec::new();
    let told = verify(&world.disk, root(), VerifyOptions::default(), &mut |event| {
        if let Event::Found(finding) = event {
            noted.push(finding.path);
        }
    });
    assert_eq!(told.expect("checked").notes, 3, "{noted:?}");
    assert!(names.iter().all(|name| noted.contains(&path(name))), "{noted:?}");
}

/// How many of the epochs' files were made anew after an orderly stop and a change of one log's.
fn epochs_after(change: impl Fn(&World, &str)) -> (usize, Option<(i32, i64)>) {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    for (epoch, timestamp) in (1..4).zip(1..) {
        let context = AppendContext { leader_epoch: epoch, origin: Origin::Client, now_ms: 1 };
        log.append(batch(timestamp), context).expect("append");
    }
    assert!(dir.close_clean(0).clean);
    change(&world, "a-0/leader-epoch-checkpoint");
    world.leader_epoch.store(3, Ordering::Relaxed);
    let (dir, report) = world.open();
    let rebuilt = &report.loaded[0].report.rebuilt;
    let count = rebuilt.iter().filter(|file| file.ends_with("leader-epoch-checkpoint")).count();
    (count, dir.get("a", 0).expect("a log").end_offset_for_epoch(2))
}

#[test]
fn leader_epochs_that_the_batches_contradict_are_those_of_the_batches() {
    assert_eq!(epochs_after(|_, _| {}), (0, Some((2, 2))));
    for other in ["0\n3\n1 0\n2 2\n3 2\n", "0\n2\n1 0\n3 2\n", "0\n2\n1 0\n2 1\n", "0\n3\n1 0\n2 1\n9 2\n"] {
        assert_eq!(
            epochs_after(|world, file| world.put(file, other.as_bytes())),
            (1, Some((2, 2))),
            "{other}"
        );
    }
}

#[test]
fn leader_epochs_that_nobody_vouches_for_are_compared_and_kept() {
    let lost = |world: &World, _: &str| world.disk.remove_file(&path(FILE)).expect("remove");
    assert_eq!(epochs_after(lost), (0, Some((2, 2))));
}
