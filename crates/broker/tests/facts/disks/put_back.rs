//! Moves whose log directories were away at a start, and partitions that are found in a directory that comes back.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{Two, moved::move_all, online, with_records};
use crate::harness::{batch, until};

/// Produces to `t-0`, which has its new directory a moment before it is served from there; the offset.
pub(super) fn produced(two: &Two, value: &str) -> i64 {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = two.broker.client().try_produce("t", 0, batch(&[value]), 9);
        if answer.error_code == 0 {
            return answer.base_offset;
        }
        assert!(Instant::now() < deadline, "{answer:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The name of a copy of `t-0`.
pub(super) fn future(two: &Two) -> String {
    let id = two.broker.client().describe_topic("t").topic_id;
    format!("t-0.{:032x}-future", u128::from_be_bytes(id.0))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_move_whose_log_was_away_at_a_start_goes_on_when_its_directory_is_back() {
    let mut two = with_records();
    move_all(&two, "t", 4, 1);
    let note = two.dirs[0].join(future(&two));
    two.broker.stop();
    fs::create_dir(&note).unwrap();
    two.unmount_second();
    two.broker.restart();
    assert!(note.exists() && two.of(0, "t").is_empty());
    two.mount_second();
    two.online(false);
    until("moved", || two.of(0, "t") == [0] && two.of(1, "t") == [1, 2, 3]);
    assert_eq!(produced(&two, "y"), 1);
}

#[test]
fn a_partition_that_is_found_in_a_directory_that_comes_back_is_remembered_there_and_no_copy_is_taken_for_it()
{
    let mut two = with_records();
    move_all(&two, "t", 4, 0);
    let copied = two.dirs[0].join(future(&two));
    two.broker.stop();
    // As a move leaves it that was broken off after the record was stored, with the source as it was before.
    copy(&two.dirs[0].join("t-0"), &copied);
    fs::rename(two.dirs[0].join("t-0"), two.dirs[1].join("t-0")).unwrap();
    let set_aside = two.dirs[0].with_extension("copy");
    fs::rename(&copied, &set_aside).unwrap();
    two.unmount_second();
    two.broker.restart();
    two.mount_second();
    two.online(false);
    until("served there", || two.of(1, "t") == [0]);
    assert_eq!(produced(&two, "y"), 1);
    two.broker.stop();
    fs::rename(&set_aside, &copied).unwrap();
    two.unmount_second();
    two.broker.restart();
    assert_eq!(two.of(0, "t"), [1, 2, 3], "a copy that is behind is served");
    assert_ne!(two.broker.client().try_produce("t", 0, batch(&["z"]), 9).error_code, 0);
    two.mount_second();
    two.online(false);
    until("served again, and moved", || two.of(0, "t") == [0, 1, 2, 3]);
    assert_eq!(produced(&two, "z"), 2);
}

#[test]
fn a_directory_whose_checkpoint_names_a_log_of_one_that_is_away_is_not_said_to_have_lost_it() {
    let mut two = with_records();
    move_all(&two, "t", 4, 1);
    two.broker.stop();
    // As a move leaves it that was broken off before the record was stored.
    let (points, marks) = ("recovery-point-offset-checkpoint", "replication-offset-checkpoint");
    for file in [points, marks] {
        let path = two.dirs[0].join(file);
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[1] = (lines[1].parse::<usize>().unwrap() + 1).to_string();
        lines.push("t 0 1".to_owned());
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    two.unmount_second();
    two.broker.restart();
    let answer = online(&two.dirs[0], &two.dirs[0], false);
    assert!(answer.contains("is served already"), "{answer}");
    two.mount_second();
    two.online(false);
    assert_eq!(produced(&two, "y"), 1);
}
