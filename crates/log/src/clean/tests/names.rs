//! A power cut before each sync of a directory, with many mixtures of the names that it was to make stable.

use std::collections::BTreeMap;

use pagewire_disk::{ForgettingDisk, OpenMode, Spared, create_dir_durably, read_small};

use super::*;
use crate::files::{Entry, OffsetEntry};

/// Power cuts of each death.
const SEEDS: u64 = 8;

/// Segments of which some give way to others and some are all of the same, and a map that is full before the end: one clean comes
/// right behind the other, with no sync of the log between them. Everything is stable.
fn filled() -> (ForgettingDisk, i64) {
    let disk = ForgettingDisk::new();
    let bench = Bench::on(Arc::new(disk.clone()), options(LogConfig { segment_bytes: 300, ..config() }));
    for n in 0..14 {
        bench.put(&[(&format!("k{}", n % 9), Some(&format!("{n}"))), ("t", Some("again"))]);
    }
    bench.roll();
    bench.put(&[("active", Some("last"))]);
    let end = bench.log.sync().expect("sync");
    (disk, end)
}

fn opened(disk: &ForgettingDisk, recovery_point: i64) -> Bench {
    let config = LogConfig { segment_bytes: 300, ..config() };
    let bench = Bench::on(Arc::new(disk.clone()), OpenOptions { recovery_point, ..options(config) });
    Bench { cleaner: cleaner(24 * 6), ..bench }
}

/// The latest value of every key.
fn latest(bench: &Bench) -> BTreeMap<Bytes, Option<Bytes>> {
    let records = bench.batches().into_iter().flat_map(|(_, records)| records);
    records.map(|record| (record.key.expect("a key"), record.value)).collect()
}

/// Every entry of every offset index leads to a batch that ends with its offset.
fn indexes_are_of_their_segments(bench: &Bench, told: &str) {
    let read = |base: i64, suffix: &str| {
        let path = Path::new(DIR).join(format!("{base:020}.{suffix}"));
        Bytes::from(read_small(&*bench.disk, &path, 1 << 20).expect("read").unwrap_or_default())
    };
    for segment in bench.log.segments() {
        let (mut at, mut ends) = (0_u64, BTreeMap::new());
        for batch in complete_batches(&read(segment.base_offset, "log")) {
            let header = batch.expect("a batch").header;
            ends.insert(at, header.last_offset());
            at += header.size_in_bytes();
        }
        for entry in read(segment.base_offset, "index").chunks(OffsetEntry::LEN) {
            let OffsetEntry { relative_offset, position } = OffsetEntry::parse(entry).expect("a whole entry");
            let end = segment.base_offset + i64::from(relative_offset);
            assert_eq!(ends.get(&(position as u64)), Some(&end), "{told}: {segment:?}, {ends:?}");
        }
    }
}

#[test]
fn whatever_names_a_power_cut_takes_back_every_record_is_there_and_indexes_are_of_their_segments() {
    let (filled, end) = filled();
    let (mut deaths, mut cleans) = (0, 0);
    for syncs in 1.. {
        let disk = filled.crash(0).expect("copy");
        let mut bench = opened(&disk, end);
        let known = latest(&bench);
        disk.die_before_dir_sync(syncs);
        for _ in 0..4 {
            cleans += usize::from(bench.try_clean(5000).is_ok());
        }
        if !disk.is_dead() {
            break;
        }
        deaths = syncs;
        for seed in 0..SEEDS {
            let again = opened(&disk.crash(seed).expect("crash"), end);
            let told = format!("before sync {syncs}, seed {seed}: {:?}", again.report);
            assert!(again.report.cuts.is_empty(), "{told}");
            assert_eq!((latest(&again), again.log.marks().log_end), (known.clone(), end), "{told}");
            indexes_are_of_their_segments(&again, &told);
        }
    }
    assert!(deaths > 12 && cleans > 4, "{deaths} deaths, {cleans} cleans");
}

/// Of a process that was killed, so that all of its names are seen, and that of what it wrote may be none for good.
#[test]
fn a_start_that_finishes_what_a_killed_process_began_and_a_clean_after_it_lose_no_record_with_the_power() {
    let (filled, end) = filled();
    let (mut finished, mut cut) = (0, 0);
    for syncs in 1.. {
        let disk = filled.crash(0).expect("copy");
        let mut bench = opened(&disk, end);
        let known = latest(&bench);
        disk.die_before_dir_sync(syncs);
        while bench.try_clean(5000).is_ok_and(|cleaned| cleaned.map_was_full) {}
        if !disk.is_dead() {
            break;
        }
        for of_start in 1.. {
            let dying = disk.killed();
            dying.die_before_dir_sync(of_start);
            let open = OpenOptions { recovery_point: end, ..options(config()) };
            let dying_disk: Arc<dyn Disk> = Arc::new(dying.clone());
            if let Ok((log, report)) = Log::open(Arc::clone(&dying_disk), Path::new(DIR), "t", 0, open) {
                finished += 1;
                // Nothing else comes between the start and the next clean.
                let cleaner = cleaner(24 * 6);
                let mut bench = Bench { disk: dying_disk, log, report, cleaner, clean_to: None };
                while bench.try_clean(5000).is_ok_and(|cleaned| cleaned.map_was_full) {}
            }
            if !dying.is_dead() {
                break;
            }
            for name in 0..dying.unsynced_names() {
                cut += 1;
                let left = dying.crash_sparing(Spared::AllBut(name), 0).expect("crash");
                let told = format!("before sync {syncs}, then {of_start}, without name {name}");
                let again = opened(&left, end);
                assert_eq!((latest(&again), again.log.marks().log_end), (known.clone(), end), "{told}");
                indexes_are_of_their_segments(&again, &told);
            }
        }
    }
    assert!(finished > 12 && cut > 40, "{finished} starts, {cut} power cuts");
}

/// What was to take the place of a segment, as a Kafka leaves it: that makes no index of aborted transactions where nothing of them
/// stays, and keeps no account of those that there are.
#[test]
fn a_segment_that_was_put_in_place_has_its_own_indexes_and_none_of_the_old_one() {
    let name = |suffix: &str| Path::new(DIR).join(format!("{:020}.{suffix}", 0));
    let suffixes = ["log", "index", "timeindex", "txnindex"];
    let finish = |disk: &ForgettingDisk| {
        let home = crate::home::Home::new(Arc::new(disk.clone()), DIR.into(), crate::Handles::new(8));
        crate::clean::finish_swaps(&home, &names(disk), &mut RecoveryReport::default())
    };
    for new in [&suffixes[..], &suffixes[..3]] {
        let disk = ForgettingDisk::new();
        create_dir_durably(&disk, Path::new(DIR)).expect("a directory");
        let old = suffixes.iter().map(|suffix| ((*suffix).to_owned(), b"old"));
        for (suffix, bytes) in old.chain(new.iter().map(|suffix| (format!("{suffix}.swap"), b"new"))) {
            let file = disk.open(&name(&suffix), OpenMode::Create).expect("create");
            file.write_at(0, bytes).and_then(|()| file.sync_data()).expect("write");
        }
        disk.sync_dir(Path::new(DIR)).expect("for good");
        let expected = suffixes.map(|suffix| new.contains(&suffix).then(|| b"new".to_vec()));
        for syncs in 1.. {
            let dying = disk.crash(0).expect("copy");
            dying.die_before_dir_sync(syncs);
            let _ = finish(&dying);
            let some = (0..SEEDS).map(|seed| dying.crash(seed));
            let each = (0..dying.unsynced_names())
                .flat_map(|name| [Spared::Only(name), Spared::AllBut(name)])
                .map(|spared| dying.crash_sparing(spared, 0));
            for left in some.chain(each) {
                let left = left.expect("crash");
                let named = names(&left);
                finish(&left).expect("finished");
                // What is left over goes before anything is believed.
                let read = |suffix| read_small(&left, &name(suffix), 10).expect("read");
                assert_eq!(suffixes.map(read), expected, "before sync {syncs}: {named:?}");
            }
            if !dying.is_dead() {
                break;
            }
        }
    }
}
