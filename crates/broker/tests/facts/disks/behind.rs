//! What a log left in a directory that was away when its copy was opened in another one: it is behind, and served by nobody.

use std::fs;

use super::{
    Two,
    moved::{move_all, wish},
    put_back::{future, produced},
    with_records,
};
use crate::configs::{BROKER, SET, change};
use crate::harness::{FetchAt, Fetched, until, values_of};

fn move_at(two: &Two, bytes_per_second: &'static str) {
    let rate = [("replica.alter.log.dirs.io.max.bytes.per.second", SET, Some(bytes_per_second))];
    assert_eq!(change(&mut two.broker.client(), (BROKER, "1"), &rate, false).0, 0);
}

/// The names in a directory that begin and end so.
fn names(two: &Two, dir: usize, begins: &str, ends: &str) -> Vec<String> {
    let names =
        fs::read_dir(&two.dirs[dir]).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(begins) && name.ends_with(ends)).collect()
}

fn values(two: &Two) -> Vec<String> {
    let fetched = two.broker.client().fetch(&FetchAt::now("t", &[(0, 0)]), 12);
    values_of(&fetched.records()).into_iter().map(|(_, value)| value).collect()
}

/// `t-0` moves home, and its broker dies when the copy has not got its name there. The second directory, whose disk had not heard
/// yet that it had lost its own, is away at the next start, which opens the copy; a record is appended to it.
fn opened_while_what_it_left_was_away() -> Two {
    let mut two = with_records();
    move_all(&two, "t", 4, 1);
    move_at(&two, "0");
    wish(&two, "t", 0..1, 0);
    let copy = two.dirs[0].join(future(&two));
    until("begun", || fs::read_dir(&copy).is_ok_and(|mut files| files.next().is_some()));
    let in_its_way = two.dirs[0].join("t-0");
    fs::write(&in_its_way, "").unwrap();
    move_at(&two, "9223372036854775807");
    until("left", || two.of(1, "t") == [1, 2, 3]);
    two.broker.stop();
    fs::remove_file(in_its_way).unwrap();
    let [left] = &names(&two, 1, "t-0.", "-delete")[..] else { panic!("it has not left") };
    fs::rename(two.dirs[1].join(left), two.dirs[1].join("t-0")).unwrap();
    two.unmount_second();
    two.broker.restart();
    assert_eq!(produced(&two, "y"), 1);
    assert_eq!((two.of(0, "t"), values(&two)), (vec![0], vec!["x".to_owned(), "y".to_owned()]));
    two
}

/// What was acknowledged is served, what is behind is kept, and the second directory is nothing but another one from now on.
fn is_served_and_what_is_behind_is_set_aside(two: &mut Two) {
    let strays = || names(two, 1, "t-0.", "-stray").len();
    assert_eq!((two.of(0, "t"), two.of(1, "t"), strays()), (vec![0], vec![1, 2, 3], 1));
    assert_eq!(produced(two, "z"), 2);
    assert_eq!(values(two), ["x", "y", "z"]);
    two.broker.stop();
    fs::rename(two.dirs[0].join("t-0"), two.dirs[1].join("t-0")).unwrap();
    two.broker.restart();
    assert_eq!(two.of(1, "t"), [0, 1, 2, 3], "put there by hand, it is the log");
    assert_eq!((produced(two, "a"), values(two).len()), (3, 4));
}

#[test]
fn what_a_log_left_in_a_directory_that_was_away_is_set_aside_at_the_start_that_finds_it() {
    let mut two = opened_while_what_it_left_was_away();
    two.broker.restart();
    assert_eq!(values(&two), ["x", "y"], "also after another start without it");
    two.broker.stop();
    two.mount_second();
    two.broker.restart();
    is_served_and_what_is_behind_is_set_aside(&mut two);
}

#[test]
fn what_a_log_left_in_a_directory_that_was_away_is_set_aside_when_that_is_taken_in() {
    let mut two = opened_while_what_it_left_was_away();
    two.mount_second();
    let answer = two.online(false);
    assert!(answer.contains("\"partitions\":3") && answer.contains("is behind it; kept in"), "{answer}");
    is_served_and_what_is_behind_is_set_aside(&mut two);
}

#[test]
fn what_a_log_left_and_could_not_be_read_when_that_was_taken_in_is_set_aside_when_it_can() {
    let mut two = opened_while_what_it_left_was_away();
    two.mount_second();
    let file = two.dirs[1].join("t-0/partition.metadata");
    let aside = file.with_extension("aside");
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    let answer = two.online(false);
    assert!(answer.contains("\"partitions\":3"), "{answer}");
    assert_eq!((two.of(1, "t"), values(&two).len()), (vec![0, 1, 2, 3], 2), "it waits");
    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    two.online(false);
    is_served_and_what_is_behind_is_set_aside(&mut two);
}

#[test]
fn what_was_set_aside_is_the_log_again_when_somebody_puts_it_back_in_its_place() {
    let mut two = opened_while_what_it_left_was_away();
    two.mount_second();
    two.online(false);
    two.broker.stop();
    fs::remove_dir_all(two.dirs[0].join("t-0")).unwrap();
    let [stray] = &names(&two, 1, "t-0.", "-stray")[..] else { panic!("not set aside") };
    fs::rename(two.dirs[1].join(stray), two.dirs[1].join("t-0")).unwrap();
    two.broker.restart();
    assert_eq!((two.of(1, "t"), values(&two)), (vec![0, 1, 2, 3], vec!["x".to_owned()]));
}
