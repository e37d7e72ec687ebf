//! Sessions by themselves: epochs, order, what is said and what is left unsaid.

use bytes::Bytes;
use pagewire_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use pagewire_zcopy::FileRange;

use pagewire_wire::{Str, Uuid};

use super::*;
use crate::handlers::fetch::{read::Answer, wanted::wanted_of};

fn request(epoch: i32, partitions: &[(i32, i64)]) -> FetchRequest {
    let partition = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        ..FetchPartition::default()
    };
    let partitions = partitions.iter().map(partition).collect();
    let topics = vec![FetchTopic { topic: "t".into(), partitions, ..FetchTopic::default() }];
    FetchRequest { session_id: 1, session_epoch: epoch, topics, ..FetchRequest::default() }
}

fn session(partitions: &[(i32, i64)]) -> Session {
    let mut session = Session::new(1, false);
    for wanted in &wanted_of(&request(0, partitions)).unwrap() {
        session.put(wanted);
    }
    session
}

fn advance(session: &mut Session, request: &FetchRequest) -> Result<(), ErrorCode> {
    let changed = wanted_of(request).unwrap();
    session.advance(request.session_epoch, &changed, &request.forgotten_topics_data)
}

fn answer(high_watermark: i64, records: u64) -> Answer {
    let file = Arc::new(tempfile::tempfile().unwrap());
    Answer {
        error: ErrorCode::None,
        high_watermark,
        last_stable_offset: high_watermark,
        log_start_offset: 0,
        records: (records > 0).then(|| FileRange::new(file, 0, records)),
        aborted: Vec::new(),
        diverging: None,
        leader: None,
    }
}

fn failed(error: ErrorCode) -> Answer {
    Answer { error, log_start_offset: -1, ..answer(-1, 0) }
}

/// Tells one answer per partition, in serving order; the partitions that were included.
fn tell(session: &mut Session, partitions: Vec<Answer>) -> Vec<i32> {
    let wanted = session.wanted();
    assert_eq!(wanted.len(), partitions.len());
    let told = session.tell(&wanted, &Answers { partitions, ..Answers::default() });
    let included = wanted.iter().zip(told.included).filter(|(_, included)| *included);
    included.map(|(wanted, _)| wanted.index).collect()
}

fn order(session: &Session) -> Vec<i32> {
    session.wanted().iter().map(|wanted| wanted.index).collect()
}

#[test]
fn epochs_follow_each_other_and_wrap_past_the_initial_one() {
    let mut session = session(&[(0, 0)]);
    for epoch in 1..4 {
        assert_eq!(advance(&mut session, &request(epoch + 1, &[])), Err(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(advance(&mut session, &request(epoch, &[])), Ok(()));
    }
    session.epoch = i32::MAX;
    assert_eq!(advance(&mut session, &request(i32::MAX, &[])), Ok(()));
    assert_eq!(advance(&mut session, &request(1, &[])), Ok(()));
}

#[test]
fn a_refused_request_changes_nothing() {
    let mut session = session(&[(0, 5)]);
    assert!(advance(&mut session, &request(9, &[(1, 0)])).is_err());
    assert_eq!((session.len(), session.epoch), (1, 1));
}

#[test]
fn a_change_adds_moves_and_forgets() {
    let mut session = session(&[(0, 0), (1, 0)]);
    let mut change = request(1, &[(1, 7), (2, 3)]);
    let forgotten = ForgottenTopic { topic: "t".into(), partitions: vec![0, 9], ..ForgottenTopic::default() };
    change.forgotten_topics_data = vec![forgotten];
    advance(&mut session, &change).unwrap();
    let positions: Vec<_> = session.wanted().iter().map(|w| (w.index, w.fetch_offset)).collect();
    assert_eq!(positions, [(1, 7), (2, 3)]);
    assert_eq!(session.len(), 2);
}

#[test]
fn names_and_ids_name_different_partitions() {
    let mut session = session(&[(0, 0)]);
    let named = Named::new(&"t".into(), Uuid([1; 16]));
    for wanted in session.wanted() {
        session.put(&Wanted { named: Arc::clone(&named), ..wanted });
    }
    assert_eq!(session.len(), 2);
}

#[test]
fn the_first_answer_to_a_partition_is_always_said_and_its_repetition_is_not() {
    let mut session = session(&[(0, 0), (1, 0)]);
    assert_eq!(tell(&mut session, vec![answer(0, 0), answer(4, 0)]), [0, 1]);
    assert_eq!(tell(&mut session, vec![answer(0, 0), answer(4, 0)]), [0; 0]);
    assert_eq!(tell(&mut session, vec![answer(0, 0), answer(5, 0)]), [1]);
    assert_eq!(tell(&mut session, vec![answer(0, 0), Answer { log_start_offset: 2, ..answer(5, 0) }]), [1]);
    assert_eq!(
        tell(
            &mut session,
            vec![
                Answer { diverging: Some((0, 1)), ..answer(0, 0) },
                Answer { log_start_offset: 2, ..answer(5, 0) }
            ]
        ),
        [0]
    );
}

#[test]
fn records_are_said_even_if_nothing_else_changed() {
    let mut session = session(&[(0, 0)]);
    for _ in 0..3 {
        assert_eq!(tell(&mut session, vec![answer(4, 100)]), [0]);
    }
}

#[test]
fn an_error_is_said_each_time_and_so_is_its_end() {
    let mut session = session(&[(0, 0)]);
    assert_eq!(tell(&mut session, vec![answer(4, 0)]), [0]);
    for _ in 0..2 {
        assert_eq!(tell(&mut session, vec![failed(ErrorCode::KafkaStorageError)]), [0]);
    }
    assert_eq!(tell(&mut session, vec![answer(4, 0)]), [0]);
    assert_eq!(tell(&mut session, vec![answer(4, 0)]), [0; 0]);
}

#[test]
fn partitions_that_gave_records_are_served_last_next_time() {
    let mut session = session(&[(0, 0), (1, 0), (2, 0)]);
    tell(&mut session, vec![answer(1, 10), answer(0, 0), answer(1, 10)]);
    assert_eq!(order(&session), [1, 0, 2]);
    tell(&mut session, vec![answer(1, 10), answer(1, 10), answer(1, 0)]);
    assert_eq!(order(&session), [2, 1, 0]);
}

#[test]
fn a_partition_forgotten_while_it_was_read_is_said_and_not_remembered() {
    let mut session = session(&[(0, 0)]);
    let wanted = session.wanted();
    session.forget(&wanted[0].key());
    let told = session.tell(&wanted, &Answers { partitions: vec![answer(1, 10)], ..Answers::default() });
    assert_eq!((told.included, session.len()), (vec![true], 0));
    assert!(session.order.is_empty());
}

#[test]
fn a_name_that_is_remembered_does_not_hold_the_frame_it_came_in() {
    let frame = Bytes::from(vec![b'x'; 1000]);
    let mut request = request(0, &[(0, 0), (1, 0)]);
    request.topics[0].topic = Str::from_utf8(frame.slice(..3)).unwrap();
    let mut session = Session::new(1, false);
    for wanted in wanted_of(&request).unwrap() {
        session.put(&wanted);
        session.put(&wanted);
    }
    drop(request);
    assert!(frame.is_unique(), "nothing else holds the frame");
}
