//! Segments that retention takes, and a process that ends while it does.

use pagewire_disk::{Call, Errno, Fault, ForgettingDisk, When};

use super::*;

const SEEDS: u64 = 8;
/// More renames than there are.
const STEPS_MAX: u64 = 100;

fn old_and_new(log: &Log) {
    for time in [1, 4900] {
        for _ in 0..8 {
            try_append(log, time).expect("appended");
        }
    }
}

/// Nothing is lost that retention did not mean to take, and nothing else is said.
fn is_in_order(world: &World, what: &str) {
    let (dir, report) = world.open();
    let said = &report.loaded.first().expect("loaded").report;
    assert!(said.notes.is_empty() && said.holes.is_empty() && said.damage.is_empty(), "{what}: {said:?}");
    assert!(report.notices.is_empty(), "{what}: {:?}", notices(&report));
    let log = dir.get("a", 0).expect("open");
    assert!(log.marks().log_end == 16 && reads_all(&log), "{what}: {said:?}");
}

#[test]
fn whoever_is_killed_at_any_rename_of_retention_has_lost_nothing() {
    let mut segments = 0;
    for step in 1..STEPS_MAX {
        let disk = ForgettingDisk::new();
        let failing = FailingDisk::new(Arc::new(disk.clone()));
        let world = World::on(Arc::new(failing.clone())).knows("a", A);
        let config = LogConfig { index_interval_bytes: 100, ..world.config.clone() };
        let world = World { config, ..world };
        let (dir, _) = world.open();
        let log = world.create(&dir, "a", 0);
        old_and_new(&log);
        log.sync().expect("synced");
        dir.write_checkpoints().expect("written");
        failing.fail_on("a-0/", Call::Rename, When::From(step), Fault::Error(Errno::IO));
        let retained = dir.retain(5000);
        drop((log, dir));
        failing.heal();
        for seed in 0..SEEDS {
            let cut = world.moved_to(Arc::new(disk.crash(seed).expect("crash")));
            is_in_order(&cut, &format!("power cut {seed} at rename {step}"));
        }
        is_in_order(&world, &format!("killed at rename {step}"));
        if retained.failed.is_empty() {
            segments = retained.segments;
            break;
        }
    }
    assert!(segments > 1, "retention came to its end");
}
