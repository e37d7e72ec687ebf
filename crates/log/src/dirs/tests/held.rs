//! Facts about moves that wait for the target's disk while it writes down what is to come: nothing else of the source waits.

use std::sync::mpsc;
use std::thread;

use super::moving::{append_to, begun, future, nothing, with_a_log};
use super::switch::{at, failing};
use super::*;
use crate::MoveError;

const POINTS: &str = "/b/recovery-point-offset-checkpoint";

fn is_expected(disk: &dyn Disk) -> bool {
    let read = disk.read_whole(Path::new(POINTS), 1 << 20).unwrap_or_default();
    String::from_utf8_lossy(&read).contains("t 0 ")
}

#[test]
fn what_is_written_down_in_the_target_keeps_no_work_in_the_source_waiting() {
    let (failing, disk) = failing();
    let dirs = Arc::new(with_a_log(&disk));
    let (log, mut moving) = (dirs.get("t", 0).expect("served"), begun(&dirs));
    moving.catch_up(&nothing).expect("copied");
    let (round, held) = (moving.last_round(), failing.hold(POINTS, Call::Write));
    let on_thread = round.clone();
    let halting = thread::spawn(move || moving.halt(&on_thread, u64::MAX, &nothing).map(|()| moving));
    assert!(held.is_reached());
    assert!(round.call_off());
    append_to(&log).expect("it goes on");
    let (done, until_done) = mpsc::channel();
    let source = at(&dirs, "/a");
    let working = thread::spawn(move || {
        source.retain(1);
        source.flush_due(i64::MAX);
        source.unlink_due(1).expect("unlinked");
        source.write_checkpoints().expect("written");
        done.send(source.delete_all("t", &[0], 1).expect("deleted")).expect("somebody waits");
    });
    assert_eq!(until_done.recv_timeout(PATIENCE), Ok(1));
    working.join().expect("no panic");
    drop(held);
    let halted = halting.join().expect("no panic").map(drop);
    assert!(matches!(halted, Err(MoveError::Nothing)), "{halted:?}");
    assert!(!is_expected(&*disk), "another topic of its name would be missed there");
}

#[test]
fn a_round_that_is_called_off_while_it_is_written_down_is_forgotten_again() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let mut moving = begun(&dirs);
    let (round, held) = (moving.last_round(), failing.hold(POINTS, Call::Write));
    let on_thread = round.clone();
    let halting = thread::spawn(move || moving.halt(&on_thread, u64::MAX, &nothing));
    assert!(held.is_reached());
    assert!(round.call_off());
    drop(held);
    let halted = halting.join().expect("no panic");
    assert!(matches!(halted, Err(MoveError::CalledOff)), "{halted:?}");
    assert!(!is_expected(&*disk));
}

#[test]
fn a_note_of_a_wish_that_is_there_already_is_durable_when_that_is_said() {
    let (failing, disk) = failing();
    let dirs = with_a_log(&disk);
    let target = at(&dirs, "/b");
    target.note_future(&future()).expect("noted");
    failing.fail_on("/b", Call::SyncDir, When::Always, Fault::Error(Errno::IO));
    target.note_future(&future()).expect_err("perhaps it is not on the disk");
}
