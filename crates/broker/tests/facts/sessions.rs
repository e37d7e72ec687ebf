//! Incremental fetch sessions (KIP-227), as a consumer of many partitions uses them.

use pagewire_wire::{
    Uuid,
    messages::{
        fetch_request::{FetchRequest, ForgottenTopic},
        fetch_response::FetchResponse,
    },
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch};

/// A fetch that carries these changes under session `id` and `epoch`.
fn change(id: i32, epoch: i32, topic_id: Uuid, from: &[(i32, i64)]) -> FetchRequest {
    let mut request = FetchAt::now("t", from).by_id(topic_id).request();
    request.session_id = id;
    request.session_epoch = epoch;
    if from.is_empty() {
        request.topics.clear();
    }
    request
}

fn forget(mut request: FetchRequest, topic_id: Uuid, partitions: &[i32]) -> FetchRequest {
    let partitions = partitions.to_vec();
    let topic = ForgottenTopic { topic: "t".into(), topic_id, partitions, ..ForgottenTopic::default() };
    request.forgotten_topics_data = vec![topic];
    request
}

/// Partition numbers and record bytes of an answer without errors.
fn told(answer: &FetchResponse) -> Vec<(i32, bool)> {
    assert_eq!(answer.error_code, 0);
    let parts = answer.partitions();
    assert!(parts.iter().all(|partition| partition.error_code == 0), "{answer:?}");
    parts.iter().map(|partition| (partition.partition_index, !partition.records.is_empty())).collect()
}

/// A session over three partitions, of which the second has a record.
fn open(client: &mut Client, topic_id: Uuid, version: i16) -> i32 {
    let answer = client.call(&change(0, 0, topic_id, &[(0, 0), (1, 0), (2, 0)]), version);
    assert_eq!(told(&answer), [(0, false), (1, true), (2, false)], "a full fetch says everything");
    assert_ne!(answer.session_id, 0);
    answer.session_id
}

fn world(settings: &[(&str, &str)]) -> (Broker, Client, Uuid) {
    let broker = Broker::with(settings);
    let mut client = broker.client();
    let topic_id = client.create_topic("t", 3);
    client.produce("t", 1, batch(&["x"]));
    (broker, client, topic_id)
}

#[test]
fn an_incremental_answer_says_what_changed_and_nothing_else() {
    let (_broker, mut client, topic_id) = world(&[]);
    for version in [7, 11, 12, 13, 18] {
        let ends = [0, 1, 2].map(|partition| client.end_of("t", partition));
        let all = [(0, ends[0]), (1, ends[1]), (2, ends[2])];
        let answer = client.call(&change(0, 0, topic_id, &all), version);
        let id = answer.session_id;
        let answer = client.call(&change(id, 1, topic_id, &[]), version);
        assert_eq!((told(&answer), answer.session_id), (vec![], id), "v{version}: nothing changed");
        client.produce("t", 2, batch(&["y"]));
        let answer = client.call(&change(id, 2, topic_id, &[]), version);
        assert_eq!(told(&answer), [(2, true)], "v{version}");
        // The same position again gives the same records again.
        let answer = client.call(&change(id, 3, topic_id, &[]), version);
        assert_eq!(told(&answer), [(2, true)], "v{version}");
        let answer = client.call(&change(id, 4, topic_id, &[(2, ends[2] + 1)]), version);
        assert_eq!(told(&answer), [], "v{version}: the position moved on");
    }
}

#[test]
fn a_moved_log_start_and_high_watermark_are_changes() {
    let (_broker, mut client, topic_id) = world(&[]);
    let answer = client.call(&change(0, 0, topic_id, &[(1, 1)]), 12);
    let id = answer.session_id;
    client.produce("t", 1, batch(&["y"]));
    crate::offsets::delete_before(&mut client, "t", 1, 1);
    // The client has read the record already, elsewhere.
    let answer = client.call(&change(id, 1, topic_id, &[(1, 2)]), 12);
    let partition = answer.partitions()[0];
    assert_eq!((partition.high_watermark, partition.log_start_offset), (2, 1));
    assert_eq!(told(&client.call(&change(id, 2, topic_id, &[]), 12)), []);
}

#[test]
fn forgotten_partitions_are_not_answered() {
    let (_broker, mut client, topic_id) = world(&[]);
    for version in [12, 13] {
        let id = open(&mut client, topic_id, version);
        let answer = client.call(&forget(change(id, 1, topic_id, &[]), topic_id, &[1]), version);
        assert_eq!(told(&answer), [], "v{version}");
        let answer = client.call(&change(id, 2, topic_id, &[(1, 0)]), version);
        assert_eq!(told(&answer), [(1, true)], "v{version}: added again");
    }
}

#[test]
fn a_session_that_forgets_everything_is_over() {
    let (_broker, mut client, topic_id) = world(&[]);
    let id = open(&mut client, topic_id, 12);
    let answer = client.call(&forget(change(id, 1, topic_id, &[]), topic_id, &[0, 1, 2]), 12);
    assert_eq!((answer.error_code, answer.session_id), (0, 0));
    assert_eq!(client.call(&change(id, 2, topic_id, &[]), 12).error_code, 70);
}

#[test]
fn an_unknown_session_is_not_found() {
    let (_broker, mut client, topic_id) = world(&[]);
    let answer = client.call(&change(999, 1, topic_id, &[(0, 0)]), 12);
    assert_eq!((answer.error_code, answer.session_id, answer.responses.len()), (70, 0, 0));
}

#[test]
fn another_epoch_than_the_next_is_invalid_and_the_session_lives() {
    let (_broker, mut client, topic_id) = world(&[]);
    let id = open(&mut client, topic_id, 12);
    for epoch in [2, 7, i32::MAX] {
        let answer = client.call(&change(id, epoch, topic_id, &[]), 12);
        assert_eq!((answer.error_code, answer.responses.len()), (71, 0));
    }
    assert_eq!(told(&client.call(&change(id, 1, topic_id, &[]), 12)), [(1, true)]);
    assert_eq!(client.call(&change(id, 1, topic_id, &[]), 12).error_code, 71);
}

#[test]
fn names_and_ids_do_not_mix_in_a_session() {
    let (_broker, mut client, topic_id) = world(&[]);
    for (first, second) in [(12, 13), (13, 12)] {
        let id = open(&mut client, topic_id, first);
        let answer = client.call(&change(id, 1, topic_id, &[]), second);
        assert_eq!(answer.error_code, 106, "v{first} then v{second}");
    }
}

#[test]
fn epoch_minus_1_ends_a_session_and_epoch_0_begins_another() {
    let (_broker, mut client, topic_id) = world(&[]);
    let id = open(&mut client, topic_id, 12);
    let answer = client.call(&change(id, -1, topic_id, &[(1, 0)]), 12);
    assert_eq!((told(&answer), answer.session_id), (vec![(1, true)], 0));
    assert_eq!(client.call(&change(id, 1, topic_id, &[]), 12).error_code, 70);

    let id = open(&mut client, topic_id, 12);
    let answer = client.call(&change(id, 0, topic_id, &[(0, 0)]), 12);
    assert_eq!(told(&answer), [(0, false)]);
    assert!(![0, id].contains(&answer.session_id));
    assert_eq!(client.call(&change(id, 1, topic_id, &[]), 12).error_code, 70);
}

#[test]
fn an_error_is_said_each_time_and_its_end_is_announced() {
    let (_broker, mut client, topic_id) = world(&[]);
    let id = client.call(&change(0, 0, topic_id, &[(0, 5), (2, 0)]), 12).session_id;
    for epoch in 1..3 {
        let answer = client.call(&change(id, epoch, topic_id, &[]), 12);
        assert_eq!(answer.errors(), [(0, 1)]);
    }
    let answer = client.call(&change(id, 3, topic_id, &[(0, 0)]), 12);
    assert_eq!(told(&answer), [(0, false)], "well again, and said so");
    assert_eq!(told(&client.call(&change(id, 4, topic_id, &[]), 12)), []);
}

#[test]
fn a_deleted_topic_is_an_error_in_its_session() {
    let (broker, mut client, topic_id) = world(&[]);
    let by_name = open(&mut client, topic_id, 12);
    let by_id = open(&mut client, topic_id, 13);
    crate::topics::delete(&mut broker.client(), "t");
    for (id, version, error) in [(by_name, 12, 3), (by_id, 13, 100)] {
        let mut errors = client.call(&change(id, 1, topic_id, &[]), version).errors();
        errors.sort_unstable();
        assert_eq!(errors, [(0, error), (1, error), (2, error)]);
    }
}

#[test]
fn partitions_that_gave_records_go_to_the_back() {
    let (_broker, mut client, topic_id) = world(&[]);
    for partition in [0, 2] {
        client.produce("t", partition, batch(&["x"]));
    }
    let mut tight = change(0, 0, topic_id, &[(0, 0), (1, 0), (2, 0)]);
    tight.max_bytes = 1;
    let answer = client.call(&tight, 12);
    assert_eq!(told(&answer), [(0, true), (1, false), (2, false)]);
    let mut served = Vec::new();
    for epoch in 1..4 {
        let mut next = change(answer.session_id, epoch, topic_id, &[]);
        next.max_bytes = 1;
        served
            .extend(told(&client.call(&next, 12)).iter().filter(|(_, data)| *data).map(|(index, _)| *index));
    }
    assert_eq!(served, [1, 2, 0], "each has its turn");
}

#[test]
fn an_incremental_fetch_is_woken_by_the_append() {
    let (broker, mut client, topic_id) = world(&[]);
    let id = client.call(&change(0, 0, topic_id, &[(0, 0), (2, 0)]), 12).session_id;
    let mut parked = change(id, 1, topic_id, &[]);
    parked.max_wait_ms = 600_000;
    let asked = client.send(&parked, 12);
    broker.client().produce("t", 2, batch(&["x"]));
    assert_eq!(told(&client.receive::<FetchRequest>(asked, 12)), [(2, true)]);
}

#[test]
fn a_full_cache_answers_without_a_session() {
    let (_broker, mut client, topic_id) = world(&[("max.incremental.fetch.session.cache.slots", "2")]);
    let first = open(&mut client, topic_id, 12);
    open(&mut client, topic_id, 12);
    let answer = client.call(&change(0, 0, topic_id, &[(0, 0), (1, 0), (2, 0)]), 12);
    assert_eq!((told(&answer).len(), answer.session_id), (3, 0), "as good as a full fetch");
    client.call(&change(first, -1, topic_id, &[]), 12);
    open(&mut client, topic_id, 12);
}

#[test]
fn no_slots_is_no_sessions() {
    let (_broker, mut client, topic_id) = world(&[("max.incremental.fetch.session.cache.slots", "0")]);
    assert_eq!(client.call(&change(0, 0, topic_id, &[(0, 0)]), 12).session_id, 0);
}
