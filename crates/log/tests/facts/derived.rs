//! Derived files are never evidence: whatever subset of them is missing, cut or full of garbage, the log reads the
//! same, and when all of it has been read they are as they were written.

use std::collections::BTreeMap;

use pagewire_disk::OpenMode;
use pagewire_log::{AppendContext, LogConfig, OpenOptions, Origin, ReadUpTo};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, control_batch};

use crate::support::*;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }
}

/// Producers of all kinds, times that rise and fall, epochs, transactions that commit, abort and stay open.
fn written(dice: &mut Dice) -> Bench {
    let bench = Bench::with(LogConfig { segment_bytes: 2000, index_interval_bytes: 200, ..config() });
    let (mut sequences, mut epoch) = ([0; 4], 0);
    for n in 0..150 {
        epoch += i32::from(dice.roll(20) == 0);
        let id = dice.roll(4);
        let time = match dice.roll(4) {
            0 => 1000,
            1 => 5000 - n,
            _ => 1000 + n * 10,
        };
        let (records, sequence) = (1 + dice.roll(4) as i64, &mut sequences[id as usize]);
        let builder = BatchBuilder::new(Codec::None);
        let (bytes, origin) = match dice.roll(5) {
            0 => (batch(records, time), Origin::Client),
            1 if id < 2 => {
                let control_type = [ControlType::Abort, ControlType::Commit][dice.roll(2) as usize];
                let marker = EndTxnMarker { control_type, coordinator_epoch: 3 };
                (control_batch(marker, id as i64, 0, time).expect("marker"), Origin::Coordinator)
            }
            _ => {
                let mut builder = builder.producer(id as i64, 0, *sequence);
                *sequence += records as i32;
                if id < 2 {
                    builder = builder.transactional();
                }
                (fill(builder, records, time), Origin::Client)
            }
        };
        bench.log.append(bytes, AppendContext { leader_epoch: epoch, origin, now_ms: 0 }).expect("append");
    }
    bench
}

/// What is derived, by name. Of the snapshots the one that an orderly stop writes.
fn derived(bench: &Bench) -> BTreeMap<String, Vec<u8>> {
    let end = name(bench.log.marks().log_end, "snapshot");
    let wanted = |file: &String| file.ends_with("index") || *file == end || file.starts_with("leader-epoch");
    bench.names().into_iter().filter(wanted).map(|file| (file.clone(), bench.bytes(&file))).collect()
}

/// Everything a client may ask, at every offset and time.
fn answers(bench: &Bench) -> Vec<String> {
    let marks = bench.log.marks();
    let mut all = vec![format!("{:?} {:?}", marks.last_stable, bench.log.producers())];
    all.extend((0..10).map(|epoch| format!("{:?}", bench.log.end_offset_for_epoch(epoch))));
    all.push(format!("{:?}", bench.log.max_timestamp_offset().expect("lookup")));
    for offset in 0..marks.log_end {
        let read = |upto| bench.log.read(offset, 150, upto, true).expect("read");
        let headers = bench.read(offset, 1, true);
        let (committed, all_of_it) = (read(ReadUpTo::LastStable), read(ReadUpTo::LogEnd));
        let range =
            |range: Option<pagewire_zcopy::FileRange>| range.map(|range| (range.offset(), range.len()));
        let aborted: Vec<_> =
            committed.aborted.iter().filter(|txn| txn.first_offset <= offset).copied().collect();
        all.push(format!(
            "{headers:?} {:?} {:?} {aborted:?}",
            range(committed.range),
            range(all_of_it.range)
        ));
    }
    for time in (900..5100).step_by(7) {
        all.push(format!("{time} {:?}", bench.log.offset_for_time(time).expect("lookup")));
    }
    all
}

/// Some garbage in the middle of a time index is noticed by who needs that entry: then the answers are right all the
/// same.
fn may_stay(file: &str, kind: u64) -> bool {
    file.ends_with("timeindex") && kind == 5
}

fn damage(bench: &Bench, file: &str, dice: &mut Dice) -> u64 {
    let len = bench.bytes(file).len() as u64;
    let garbage: Vec<u8> = (0..len.max(40)).map(|_| dice.roll(256) as u8).collect();
    let open = || bench.disk.open(&path(file), OpenMode::ReadWrite).expect("open");
    let kind = dice.roll(6);
    match kind {
        0 => bench.disk.remove_file(&path(file)).expect("remove"),
        1 => open().set_len(dice.roll(len + 1)).expect("cut"),
        2 => open().write_at(0, &garbage).expect("garbage"),
        3 => open().write_at(0, &vec![0; len as usize]).expect("zeros"),
        4 => open().set_len(len + 1 + dice.roll(100)).expect("longer"),
        _ => open().write_at(dice.roll(len + 1), &garbage[..8]).expect("some garbage"),
    }
    kind
}

/// `whole`: after a crash without a recovery point, so that all of the log is looked at.
fn check(seed: u64, whole: bool, damaged: impl Fn(&str, &mut Dice) -> bool) {
    let mut dice = Dice(seed);
    let bench = written(&mut dice);
    let before = answers(&bench);
    bench.log.close(0).expect("close");
    let (good, marks, config) = (derived(&bench), bench.log.marks(), bench.log.config());
    let mut touched = Vec::new();
    for file in bench.names().into_iter().filter(|file| file.strip_suffix(".log").is_none()) {
        if damaged(&file, &mut dice) {
            let kind = damage(&bench, &file, &mut dice);
            touched.push((file, kind));
        }
    }
    let leader_epoch = bench.log.leader_epoch().unwrap_or(0);
    let clean = !whole && dice.roll(2) == 0;
    let synced = if whole { 0 } else { marks.log_end * dice.roll(3) as i64 / 2 };
    let recovery_point = if clean { marks.log_end } else { synced };
    let options = OpenOptions { config: (*config).clone(), clean, recovery_point, leader_epoch, ..options() };
    let bench = bench.reopened(options);
    let what = format!("seed {seed}, clean {clean}, {recovery_point}: {touched:?} {:#?}", bench.report);
    assert_eq!(bench.report.cuts, [], "{what}");
    for (was, is) in before.iter().zip(answers(&bench)) {
        assert_eq!(*was, is, "{what}");
    }
    bench.log.close(0).expect("close");
    for (file, bytes) in derived(&bench) {
        let stays = touched.iter().any(|(touched, kind)| *touched == file && may_stay(&file, *kind));
        assert!(Some(&bytes) == good.get(&file) || stays, "{file}: {what}");
    }
    assert_eq!(derived(&bench).len(), good.len(), "{what}");
}

/// The loss of an index of aborted transactions looks like there were none; whoever stops a log directory in order
/// vouches for them.
fn shows(file: &str) -> bool {
    !file.ends_with("txnindex")
}

#[test]
fn any_subset_of_derived_files_may_be_lost_or_damaged() {
    for seed in 0..60 {
        check(seed, false, |file, dice| shows(file) && dice.roll(3) == 0);
    }
}

#[test]
fn any_subset_may_be_where_all_of_the_log_is_looked_at() {
    for seed in 500..540 {
        check(seed, true, |_, dice| dice.roll(3) == 0);
    }
}

#[test]
fn all_of_them_may() {
    for seed in 1000..1020 {
        check(seed, seed % 2 == 0, |file, _| shows(file) || seed % 2 == 0);
    }
}
