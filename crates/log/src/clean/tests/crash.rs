//! A power cut at every single step of a clean, with every mixture of what was not synced.

use pagewire_disk::ForgettingDisk;

use super::stopping::StoppingDisk;
use super::*;

/// A disk with a log of several groups of several segments, tombstones of different ages, segments of which nothing
/// stays. Everything is on stable storage.
fn filled() -> ForgettingDisk {
    let disk = ForgettingDisk::new();
    let mut bench = Bench::on(Arc::new(disk.clone()), options(small()));
    for n in 0..6 {
        bench.put(&[(&format!("k{n}"), Some("old value")), ("t", Some("x"))]);
    }
    bench.put(&[("k3", None)]);
    bench.roll_and_clean(0);
    for n in 0..9 {
        bench.put(&[(&format!("k{}", n % 3), Some(&format!("new {n}")))]);
    }
    bench.put(&[("k4", None), ("t", Some("y"))]);
    bench.roll();
    bench.put(&[("k5", Some("active"))]);
    bench.log.sync().expect("sync");
    disk
}

/// Where its first clean ended.
const CLEAN_TO: i64 = 13;
const END: i64 = 25;

fn small() -> LogConfig {
    LogConfig { segment_bytes: 300, ..config() }
}

/// Opened with the recovery point that is known.
fn opened(disk: Arc<dyn Disk>) -> Bench {
    let bench = Bench::on(disk, OpenOptions { recovery_point: END, ..options(small()) });
    Bench { clean_to: Some(CLEAN_TO), ..bench }
}

/// What a reader who keeps the latest of each key knows in the end.
fn latest(bench: &Bench) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
    let mut latest = std::collections::BTreeMap::new();
    for record in bench.batches().into_iter().flat_map(|(_, records)| records) {
        let key = record.key.expect("key").to_vec();
        match record.value {
            Some(value) => latest.insert(key, value.to_vec()),
            None => latest.remove(&key),
        };
    }
    latest
}

fn offsets(bench: &Bench) -> Vec<i64> {
    bench.batches().iter().map(|(header, _)| header.base_offset).collect()
}

#[test]
fn a_crash_at_any_step_leaves_the_old_log_or_the_new_one_up_to_some_segment() {
    let (filled, mut steps) = (filled(), 0);
    for stop in 0.. {
        let forgetting = filled.crash(0).expect("copy");
        let stopping = StoppingDisk::new(Arc::new(forgetting.clone()));
        let mut bench = opened(Arc::new(stopping.clone()));
        let (before, known) = (offsets(&bench), latest(&bench));
        stopping.stop_after(stop);
        let done = bench.try_clean(5000);
        if !stopping.has_stopped() {
            done.expect("clean");
            break;
        }
        steps = stop;
        // Whoever reads on meanwhile misses nothing.
        assert_eq!(latest(&bench), known, "step {stop}");
        // Nothing of what was not synced, and some of it, other at every step.
        for seed in [0, stop as u64 + 1] {
            let disk: Arc<dyn Disk> = Arc::new(forgetting.crash(seed).expect("crash"));
            let again = opened(Arc::clone(&disk));
            let told = format!("step {stop}, seed {seed}: {:?}", again.report);
            assert!(again.report.cuts.is_empty(), "{told}");
            assert_eq!((latest(&again), again.log.marks().log_end), (known.clone(), END), "{told}");
            let found = offsets(&again);
            assert!(found.iter().all(|offset| before.contains(offset)), "{told}");
            // Compacted to the end now, it is what it would have been.
            let mut again = again;
            again.clean(5000);
            assert_eq!(latest(&again), known, "{told}");
            again.log.unlink_due(i64::MAX).expect("unlink");
            let left = again.names().iter().filter(|n| n.ends_with("swap") || n.ends_with("cleaned")).count();
            assert_eq!(left, 0, "{told}: {:?}", again.names());
            let once_more = again.killed();
            assert_eq!(latest(&once_more), known, "{told}");
        }
    }
    assert!(steps > 60, "{steps}");
}

#[test]
fn a_crash_while_a_crash_is_recovered_from_is_recovered_from_as_well() {
    let filled = filled();
    // The steps of a replacement between its commit and its end, found by their number of changes before.
    for stop in (30..90).step_by(7) {
        let forgetting = filled.crash(0).expect("copy");
        let stopping = StoppingDisk::new(Arc::new(forgetting.clone()));
        let mut bench = opened(Arc::new(stopping.clone()));
        let known = latest(&bench);
        stopping.stop_after(stop);
        let _ = bench.try_clean(5000);
        for inner in 0..12 {
            let crashed = forgetting.crash(stop as u64).expect("crash");
            let stopping = StoppingDisk::new(Arc::new(crashed.clone()));
            stopping.stop_after(inner);
            let options = OpenOptions { recovery_point: END, ..options(small()) };
            let interrupted = Log::open(Arc::new(stopping.clone()), Path::new(DIR), "t", 0, options);
            drop(interrupted);
            let disk: Arc<dyn Disk> = Arc::new(crashed.crash(inner as u64).expect("crash"));
            let again = opened(disk);
            assert!(again.report.cuts.is_empty(), "{stop}, {inner}: {:?}", again.report);
            assert_eq!(latest(&again), known, "{stop}, {inner}: {:?}", again.report);
        }
    }
}

/// What is left when a start dies while it finishes a replacement, after some of its renames.
#[test]
fn a_replacement_that_was_finished_half_keeps_its_index_of_aborted_transactions() {
    for done in [&[][..], &["index"], &["index", "timeindex"], &["index", "timeindex", "txnindex"]] {
        for has_own in [true, false] {
            let bench = Bench::new();
            bench.put(&[("a", Some("1")), ("b", Some("1"))]);
            bench.roll();
            let name = |suffix: &str| Path::new(DIR).join(format!("{:020}.{suffix}", 0));
            bench.disk.rename(&name("log"), &name("log.swap")).expect("rename");
            let write = |suffix: &str, bytes: &[u8]| {
                let file = bench.disk.open(&name(suffix), pagewire_disk::OpenMode::Create).expect("create");
                file.set_len(0).expect("empty");
                file.write_at(0, bytes).expect("write");
            };
            write("log", b"");
            for suffix in ["index", "timeindex", "txnindex"] {
                let renamed = done.contains(&suffix);
                if suffix == "txnindex" && !has_own {
                    // The old one went before anything was renamed.
                    if done.is_empty() {
                        write(suffix, b"old");
                    }
                    continue;
                }
                write(suffix, if renamed { b"new" } else { b"old" });
                if !renamed {
                    write(&format!("{suffix}.swap"), b"new");
                }
            }
            let names: Vec<String> = bench
                .disk
                .read_dir(Path::new(DIR))
                .expect("dir")
                .into_iter()
                .map(|entry| entry.name)
                .collect();
            let home = crate::home::Home::new(Arc::clone(&bench.disk), DIR.into(), crate::Handles::new(8));
            let mut report = crate::RecoveryReport::default();
            assert!(crate::clean::finish_swaps(&home, &names, &mut report).expect("finished"));
            let left = bench.disk.open(&name("txnindex"), pagewire_disk::OpenMode::Read);
            let told = format!("{done:?}, {has_own}");
            assert_eq!(left.is_ok(), has_own, "{told}");
            if let Ok(file) = left {
                let mut bytes = [0; 3];
                file.read_exact_at(0, &mut bytes).expect("read");
                assert_eq!(&bytes, b"new", "{told}");
            }
        }
    }
}

#[test]
fn an_unfinished_replacement_left_by_an_earlier_clean_does_not_speak_against_a_later_one() {
    let forgetting = filled();
    // Below what will be replaced: a clean that gave up and could not remove its files.
    let stale = Path::new(DIR).join(format!("{:020}.log.cleaned", 0));
    let mut seen = 0;
    for stop in 0..120 {
        let copy = forgetting.crash(0).expect("copy");
        let stopping = StoppingDisk::new(Arc::new(copy.clone()));
        let mut bench = opened(Arc::new(stopping.clone()));
        let known = latest(&bench);
        let base = bench.log.segments().get(1).expect("a second segment").base_offset;
        assert!(base > 0);
        copy.open(&stale, pagewire_disk::OpenMode::Create).expect("create");
        copy.sync_dir(Path::new(DIR)).expect("sync");
        stopping.stop_after(stop);
        let _ = bench.try_clean(5000);
        seen += usize::from(bench.names().iter().any(|name| name.ends_with(".log.swap")));
        let again = opened(Arc::new(copy.crash(stop as u64).expect("crash")));
        assert_eq!(latest(&again), known, "step {stop}: {:?}", again.report);
    }
    assert!(seen > 0);
}

#[test]
fn the_parts_of_a_split_segment_do_not_count_while_one_is_unfinished() {
    let bench = Bench::new();
    bench.put(&[("a", Some("1")), ("b", Some("1")), ("c", Some("1"))]);
    let text = bench.text();
    let copy = |name: &str| {
        let file =
            bench.disk.open(&Path::new(DIR).join(name), pagewire_disk::OpenMode::Create).expect("create");
        file.set_len(0).expect("empty");
    };
    copy("00000000000000000000.log.cleaned");
    copy("00000000000000000001.log.swap");
    copy("00000000000000000001.index.swap");
    let again = bench.killed();
    assert_eq!(again.text(), text);
    assert!(!again.names().iter().any(|name| name.ends_with("swap") || name.ends_with("cleaned")));
}

/// No CRC covers a base offset: where the last one lies, what follows the replacement stays all the same.
#[test]
fn a_replacement_whose_last_offset_lies_takes_the_place_of_no_more_than_it_was_made_of() {
    let (filled, mut seen) = (filled(), 0);
    for stop in 0..120 {
        let copy = filled.crash(0).expect("copy");
        let stopping = StoppingDisk::new(Arc::new(copy.clone()));
        let mut bench = opened(Arc::new(stopping.clone()));
        stopping.stop_after(stop);
        let _ = bench.try_clean(5000);
        let stopped = copy.crash(0).expect("crash");
        let names = |disk: &ForgettingDisk| -> Vec<String> {
            disk.read_dir(Path::new(DIR)).expect("dir").into_iter().map(|entry| entry.name).collect()
        };
        let Some(swap) = names(&stopped).into_iter().find(|name| name.ends_with(".log.swap")) else {
            continue;
        };
        let base: i64 = swap.split('.').next().and_then(|digits| digits.parse().ok()).expect("a base");
        let whole = opened(Arc::new(stopped.crash(0).expect("copy")));
        let bases = |bench: &Bench| -> Vec<i64> {
            let segments = bench.log.segments();
            segments.iter().map(|segment| segment.base_offset).filter(|other| *other > base).collect()
        };
        for bit in 0..6 {
            let lying = stopped.crash(0).expect("copy");
            if !flip_last_base(&lying, &Path::new(DIR).join(&swap), bit) {
                continue;
            }
            let again = opened(Arc::new(lying));
            assert_eq!(bases(&again), bases(&whole), "step {stop}, bit {bit}: {:?}", again.report);
            seen += 1;
        }
    }
    assert!(seen > 0);
}

/// Changes a bit of the last batch's base offset, if there is a batch.
fn flip_last_base(disk: &ForgettingDisk, path: &Path, bit: u32) -> bool {
    let file = disk.open(path, pagewire_disk::OpenMode::ReadWrite).expect("open");
    let mut bytes = vec![0; usize::try_from(file.len().expect("len")).expect("small")];
    file.read_exact_at(0, &mut bytes).expect("read");
    let bytes = Bytes::from(bytes);
    let batches = complete_batches(&bytes).map(|batch| batch.expect("a batch").header);
    let Some(last) = batches.last() else { return false };
    let at = bytes.len() as u64 - last.size_in_bytes();
    let lie = last.base_offset ^ (1 << bit);
    file.write_at(at, &lie.to_be_bytes()).expect("write");
    file.sync_data().expect("sync");
    lie > last.base_offset
}

/// Of what is not stable yet a clean says nothing: a start that does not find it would take it for lost. The first segment is
/// cleaned, the second one is closed and not synced, and of the third one, which is written to, only the index is.
#[test]
fn a_clean_names_no_aborted_transaction_that_a_power_cut_may_take() {
    let mut taken = 0;
    for seed in 0..40 {
        let disk = ForgettingDisk::new();
        let bench = Bench::on(Arc::new(disk.clone()), options(config()));
        let abort = |sequence: i32| {
            let builder = BatchBuilder::new(Codec::None).producer(7, 0, sequence).transactional();
            bench.append(fill(builder, &[(Some("a"), Some("1"))]));
            bench.append(marker(ControlType::Abort, 7));
        };
        abort(0);
        bench.roll();
        let recovery_point = bench.log.sync().expect("sync");
        abort(1);
        bench.roll();
        abort(2);
        let segments = bench.log.segments.load_full();
        segments[2].sync_aborted().expect("the first half of a sync");
        bench.log.witness_aborted(Some(&segments[0])).expect("witness");
        let after = Arc::new(disk.crash(seed).expect("crash"));
        let left = Bench::on(after, OpenOptions { recovery_point, ..options(config()) });
        taken += usize::from(left.log.marks().log_end < 6);
        let missing = |note: &&String| note.contains("entries are missing");
        assert_eq!(left.report.notes.iter().find(missing), None, "seed {seed}");
        left.log.sync().expect("sync");
        let named = crate::txns::witness::Witness::of(left.log.segments.load().iter().map(|one| &**one));
        let written = crate::txns::witness::Witness::read(&*left.disk, Path::new(DIR)).expect("read");
        assert_eq!(written, Some(named), "seed {seed}: all that is left is named by a sync");
        let is_all_stable = |one: &Arc<crate::segment::Segment>| {
            one.txns.sum_of_stable(one.base_offset) == one.txns.sum(one.base_offset)
        };
        assert!(left.log.segments.load().iter().all(is_all_stable), "seed {seed}");
    }
    assert!(taken > 5, "{taken}");
}
