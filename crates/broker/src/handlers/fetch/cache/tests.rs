//! The memory of sessions: its limits, and who has to go when it is full.

use pagewire_wire::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};

use super::*;

const OLD_MS: i64 = EVICTABLE_AFTER_MS;

fn request(session_id: i32, session_epoch: i32, partitions: i32) -> FetchRequest {
    let at = |partition| FetchPartition { partition, ..FetchPartition::default() };
    let partitions = (0..partitions).map(at).collect();
    let topics = vec![FetchTopic { topic: "t".into(), partitions, ..FetchTopic::default() }];
    FetchRequest { session_id, session_epoch, topics, ..FetchRequest::default() }
}

/// A full fetch that wants a session; its id, 0 for none.
fn begin(sessions: &FetchSessions, partitions: i32, now_ms: i64) -> i32 {
    let wanted = wanted_of(&request(0, 0, partitions)).unwrap();
    sessions.create(&wanted, &Answers::default(), false, now_ms)
}

/// An incremental fetch of these partitions; what it covers, or the error.
fn go_on(
    sessions: &FetchSessions,
    id: i32,
    epoch: i32,
    partitions: i32,
    now_ms: i64,
) -> Result<usize, ErrorCode> {
    sessions.open(&request(id, epoch, partitions), 12, now_ms).map(|scope| scope.wanted().len())
}

fn sum(sessions: &FetchSessions) -> usize {
    sessions.sessions.lock().partitions
}

#[test]
fn a_full_cache_makes_no_room_for_equals_of_the_same_age() {
    let sessions = FetchSessions::new(2);
    let ids = [begin(&sessions, 3, 0), begin(&sessions, 3, 0), begin(&sessions, 3, OLD_MS - 1)];
    assert_eq!(ids.map(|id| id != 0), [true, true, false]);
    assert_eq!(sum(&sessions), 6);
}

#[test]
fn the_session_unused_for_longest_goes_first() {
    let sessions = FetchSessions::new(2);
    let (first, second) = (begin(&sessions, 3, 0), begin(&sessions, 3, 1));
    assert_eq!(go_on(&sessions, first, 1, 0, 2), Ok(3));
    let third = begin(&sessions, 3, OLD_MS + 1);
    assert_ne!(third, 0);
    assert_eq!(go_on(&sessions, second, 1, 0, OLD_MS + 1), Err(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(go_on(&sessions, first, 2, 0, OLD_MS + 1), Ok(3));
    assert_eq!(sum(&sessions), 6);
}

#[test]
fn a_larger_session_takes_the_place_of_a_smaller_one_that_is_old_enough() {
    let sessions = FetchSessions::new(1);
    let small = begin(&sessions, 2, 0);
    assert_eq!(go_on(&sessions, small, 1, 0, OLD_MS), Ok(2));
    assert_eq!(begin(&sessions, 2, OLD_MS + 1), 0, "no larger than the one in use");
    assert_ne!(begin(&sessions, 3, OLD_MS + 1), 0);
    assert_eq!(go_on(&sessions, small, 2, 0, OLD_MS + 2), Err(ErrorCode::FetchSessionIdNotFound));
}

#[test]
fn all_sessions_together_remember_a_bounded_number_of_partitions() {
    let sessions = FetchSessions::new(1000);
    let half = i32::try_from(PARTITIONS_MAX / 2).unwrap();
    assert_ne!(begin(&sessions, half, 0), 0);
    let second = begin(&sessions, half - 1, 0);
    assert_eq!(begin(&sessions, 2, 0), 0);
    assert_ne!(begin(&sessions, 1, 0), 0);
    // One that grows past the limit is served once more, and forgotten.
    assert_eq!(go_on(&sessions, second, 1, half, 0), Ok(PARTITIONS_MAX / 2));
    assert_eq!(go_on(&sessions, second, 2, 0, 0), Err(ErrorCode::FetchSessionIdNotFound));
    assert_eq!(sum(&sessions), PARTITIONS_MAX / 2 + 1);
}

#[test]
fn a_session_covers_no_more_than_one_request_may() {
    let sessions = FetchSessions::new(2);
    let most = i32::try_from(wanted::PARTITIONS_MAX).unwrap();
    let id = begin(&sessions, most, 0);
    let mut other_topic = request(id, 1, 1);
    other_topic.topics[0].topic = "u".into();
    let scope = sessions.open(&other_topic, 12, 0).ok().unwrap();
    assert!(matches!(scope.kind, Kind::Sessionless), "served once more, and forgotten");
    assert_eq!(sum(&sessions), 0);
    assert_eq!(go_on(&sessions, 0, 0, most + 1, 0), Err(ErrorCode::InvalidRequest));
}

#[test]
fn a_session_evicted_while_it_grew_is_not_counted() {
    let sessions = FetchSessions::new(1);
    let first = begin(&sessions, 1, 0);
    // One request has found the session, another one evicts it before the first is done.
    let found = sessions.find(first).unwrap();
    let mut session = found.lock();
    session.advance(1, &wanted_of(&request(first, 1, 50)).unwrap(), &[]).unwrap();
    let second = begin(&sessions, 3, OLD_MS);
    assert_ne!(second, 0, "a session in use elsewhere keeps nobody from beginning another");
    assert!(!sessions.used(&session, OLD_MS));
    assert_eq!(sum(&sessions), 3);
    sessions.end(second);
    assert_eq!(sum(&sessions), 0);
}

#[test]
fn the_sum_follows_sessions_that_grow_and_shrink() {
    let sessions = FetchSessions::new(2);
    let id = begin(&sessions, 2, 0);
    assert_eq!(go_on(&sessions, id, 1, 5, 0), Ok(5));
    assert_eq!(sum(&sessions), 5);
    let gone = ForgottenTopic { topic: "t".into(), partitions: vec![0, 1, 9], ..Default::default() };
    let request = FetchRequest { forgotten_topics_data: vec![gone], ..request(id, 2, 0) };
    assert_eq!(sessions.open(&request, 12, 0).ok().unwrap().wanted().len(), 3);
    assert_eq!(sum(&sessions), 3);
    // Epoch -1 ends it.
    assert_eq!(go_on(&sessions, id, -1, 3, 0), Ok(3));
    assert_eq!(sum(&sessions), 0);
}

/// Another broker's, or this one's of before a restart, would be somebody else's here: a client that lets go of its old
/// id must not end a session of now.
#[test]
fn ids_of_one_broker_are_not_those_of_another() {
    let ids = || {
        let sessions = FetchSessions::new(100);
        (0..100).map(|_| begin(&sessions, 1, 0)).collect::<std::collections::HashSet<_>>()
    };
    let (one, other) = (ids(), ids());
    assert_eq!((one.len(), other.len()), (100, 100));
    assert!(one.iter().chain(&other).all(|id| *id > 0));
    assert!(one.intersection(&other).count() < 3);
}

#[test]
fn a_fetch_without_a_session_is_remembered_by_nobody() {
    let sessions = FetchSessions::new(3);
    let scope = sessions.open(&request(0, -1, 4), 12, 0).ok().unwrap();
    assert!(matches!(scope.kind, Kind::Sessionless));
    assert_eq!((scope.wanted().len(), sum(&sessions)), (4, 0));
}
