//! Every call that a clean makes fails once.

use pagewire_disk::{Call, Errno, FailingDisk, When};

use super::*;

const CALLS: [Call; 10] = [
    Call::Open,
    Call::Rename,
    Call::RemoveFile,
    Call::SyncDir,
    Call::Exists,
    Call::Read,
    Call::Write,
    Call::SetLen,
    Call::SyncData,
    Call::SyncAll,
];

fn filled(disk: &FailingDisk) -> Bench {
    let bench = Bench::on(Arc::new(disk.clone()), options(LogConfig { segment_bytes: 300, ..config() }));
    for n in 0..10 {
        bench.put(&[(&format!("k{}", n % 4), Some(&format!("value {n}")))]);
    }
    bench.roll();
    bench.put(&[("k0", Some("active"))]);
    bench.log.sync().expect("sync");
    bench
}

/// Runs a clean for every call of every kind, the call failing with `errno`; `check` sees what is left and the disk.
fn with_each_call_failing(errno: Errno, check: impl Fn(Bench, &FailingDisk, &str)) {
    for call in CALLS {
        for nth in 1.. {
            let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
            let mut bench = filled(&disk);
            let calls = disk.calls(call);
            disk.fail(call, When::Nth(nth), errno);
            let cleaned = bench.try_clean(0);
            let reached = disk.calls(call) - calls >= nth;
            disk.heal();
            check(bench, &disk, &format!("{call:?} {nth} of {errno}: {cleaned:?}"));
            if !reached {
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_costs_nothing_but_time() {
    with_each_call_failing(Errno::NOSPC, |mut bench, _, told| {
        assert!(bench.log.offline().is_none(), "{told}");
        let cleaned = bench.try_clean(0).unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(cleaned.clean_to, 10, "{told}");
        assert_eq!(
            bench.text(),
            "k1value 5 k0value 8 k1value 9 k0active".replace("k1value 5 ", "k2value 6 k3value 7 "),
            "{told}"
        );
        bench.log.unlink_due(i64::MAX).expect("unlink");
        let odd = |name: &&String| ["cleaned", "swap", "deleted"].iter().any(|end| name.ends_with(end));
        assert_eq!(bench.names().iter().filter(odd).count(), 0, "{told}: {:?}", bench.names());
        let again = bench.killed();
        assert!(again.report.cuts.is_empty(), "{told}: {:?}", again.report);
    });
}

#[test]
fn a_sick_disk_ends_writes_and_leaves_everything_readable_now_and_after_a_restart() {
    let known = |bench: &Bench| {
        let text = bench.text();
        ["k2value 6", "k3value 7", "k0value 8", "k1value 9", "k0active"]
            .iter()
            .all(|word| text.contains(word))
    };
    with_each_call_failing(Errno::IO, |bench, _, told| {
        assert!(known(&bench), "{told}: {}", bench.text());
        let again = bench.killed();
        assert!(again.report.cuts.is_empty() && known(&again), "{told}: {:?}", again.report);
    });
}

#[test]
fn a_replacement_without_its_names_is_read_and_gets_them_later() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let mut bench = filled(&disk);
    disk.fail_on("log", Call::Rename, When::Nth(2), pagewire_disk::Fault::Error(Errno::NOSPC));
    bench.try_clean(0).expect_err("not placed");
    assert!(bench.names().iter().any(|name| name.ends_with(".log.swap")));
    assert!(bench.text().ends_with("k0active"));
    bench.log.apply_retention(0).expect("retention");
    assert!(!bench.names().iter().any(|name| name.ends_with(".log.swap")));
    let mut again = bench.killed();
    again.clean(0);
    assert_eq!(again.text(), "k2value 6 k3value 7 k0value 8 k1value 9 k0active");
}
