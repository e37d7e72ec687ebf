//! Fetch: what was produced comes back, within the limits that were asked for, as soon as there is enough of it.

use std::sync::Arc;

use pagewire_disk::OsDisk;
use pagewire_log::{AppendContext, Log, LogConfig, OpenOptions, Origin};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, batches, control_batch};
use pagewire_wire::{
    Uuid,
    messages::{
        fetch_request::FetchRequest,
        fetch_response::FetchResponse,
        list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    },
};

use crate::harness::{
    Broker, FetchAt, Fetched, batch, batch_of, keyed, now_ms, produce_request, records_of, values_of,
};

/// Versions on both sides of every change of the layout.
const VERSIONS: [i16; 9] = [4, 5, 7, 9, 11, 12, 13, 16, 18];

#[test]
fn every_version_gives_the_same_records_that_were_produced() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    let mut expected = Vec::new();
    for (codec, n) in Codec::ALL.into_iter().zip(0..) {
        let now = now_ms();
        let records = [(now, Some("k"), Some("v")), (now - 5, None, Some("")), (now, Some(""), None)];
        let base = client.produce("t", 0, keyed(codec, &records));
        assert_eq!(base, n * 3);
        expected.extend(records.iter().zip(base..).map(|((time, key, value), offset)| {
            (offset, *time, key.map(str::to_owned), value.map(str::to_owned))
        }));
    }
    for version in VERSIONS {
        let answer = client.fetch(&FetchAt::now("t", &[(0, 0)]).by_id(id), version);
        let partition = answer.partitions()[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 15));
        assert_eq!((partition.last_stable_offset, partition.preferred_read_replica), (15, -1));
        assert_eq!(partition.log_start_offset, if version >= 5 { 0 } else { -1 });
        let text = |bytes: Option<bytes::Bytes>| bytes.map(|b| String::from_utf8(b.to_vec()).unwrap());
        let got: Vec<_> = records_of(&answer.records())
            .into_iter()
            .map(|read| (read.offset, read.timestamp, text(read.key), text(read.value)))
            .collect();
        assert_eq!(got, expected, "v{version}");
    }
}

#[test]
fn both_routes_send_the_same_bytes() {
    let mut seen = Vec::new();
    for route in ["sendfile", "copy"] {
        let broker = Broker::with(&[("pagewire.transfer.route", route)]);
        let mut client = broker.client();
        client.create_topic("t", 2);
        let long = "x".repeat(100_000);
        for n in 0..5 {
            client.produce(
                "t",
                n % 2,
                keyed(Codec::None, &[(7, None, Some("short")), (8, Some("k"), Some(&long))]),
            );
        }
        let answer = client.fetch(&FetchAt::now("t", &[(0, 0), (1, 0)]), 12);
        assert_eq!(
            answer.partitions().iter().map(|p| records_of(p.records.bytes().unwrap()).len()).sum::<usize>(),
            10
        );
        seen.push(answer);
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_fetch_in_the_middle_of_a_batch_begins_with_that_batch() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["a", "b", "c"]));
    client.produce("t", 0, batch(&["d"]));
    let values = values_of(&client.fetch(&FetchAt::now("t", &[(0, 2)]), 12).records());
    assert_eq!(values.first(), Some(&(0, "a".into())));
    let values = values_of(&client.fetch(&FetchAt::now("t", &[(0, 3)]), 12).records());
    assert_eq!(values, [(3, "d".into())]);
}

#[test]
fn a_fetch_goes_on_in_the_next_segment() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("segment.bytes", "1048576")]);
    let value = "x".repeat(300_000);
    for _ in 0..8 {
        client.produce("t", 0, batch(&[&value]));
    }
    let (mut next, mut answers) = (0, 0);
    while next < 8 {
        let fetched =
            client.fetch(&FetchAt { partition_max_bytes: 10 << 20, ..FetchAt::now("t", &[(0, next)]) }, 12);
        let offsets: Vec<i64> = values_of(&fetched.records()).iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets.first(), Some(&next));
        next = offsets.last().unwrap() + 1;
        answers += 1;
    }
    assert!(answers > 1, "an answer never crosses a segment");
}

#[test]
fn the_first_batch_comes_whole_however_large_and_the_limits_hold_after_it() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 3);
    let large = batch(&[&"x".repeat(5000)]);
    for partition in [1, 2] {
        client.produce("t", partition, large.clone());
    }
    let tight =
        FetchAt { max_bytes: 100, partition_max_bytes: 10, ..FetchAt::now("t", &[(0, 0), (1, 0), (2, 0)]) };
    for version in [4, 12] {
        let answer = client.fetch(&tight, version);
        let sizes: Vec<_> = answer.partitions().iter().map(|p| (p.error_code, p.records.len())).collect();
        assert_eq!(sizes, [(0, 0), (0, large.len()), (0, 0)], "v{version}");
    }
    // The order asked for decides who is first.
    let answer = client.fetch(&FetchAt { from: vec![(2, 0), (1, 0)], ..tight }, 12);
    let sizes: Vec<_> = answer.partitions().iter().map(|p| (p.partition_index, p.records.len())).collect();
    assert_eq!(sizes, [(2, large.len()), (1, 0)]);
}

#[test]
fn max_bytes_bounds_the_answer_and_partition_max_bytes_each_part() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    let one = batch(&[&"x".repeat(900)]);
    let len = i32::try_from(one.len()).unwrap();
    for _ in 0..10 {
        client.produce("t", 0, one.clone());
        client.produce("t", 1, one.clone());
    }
    let both = FetchAt::now("t", &[(0, 0), (1, 0)]);
    let sizes =
        |answer: &FetchResponse| answer.partitions().iter().map(|p| p.records.len()).collect::<Vec<_>>();
    let answer = client.fetch(&FetchAt { partition_max_bytes: 3 * len, ..both.clone() }, 12);
    assert_eq!(sizes(&answer), [3 * one.len(), 3 * one.len()]);
    let answer = client.fetch(&FetchAt { max_bytes: 12 * len, ..both.clone() }, 12);
    assert_eq!(sizes(&answer), [10 * one.len(), 2 * one.len()]);
    // A limit inside a batch may cut it; what is whole is read, the rest asked for again.
    let answer = client.fetch(&FetchAt { partition_max_bytes: 3 * len + 100, ..both }, 12);
    assert!(sizes(&answer)[0] <= 3 * one.len() + 100);
    assert_eq!(values_of(answer.partitions()[0].records.bytes().unwrap()).len(), 3);
}

#[test]
fn the_brokers_own_limit_holds_too() {
    let broker = Broker::with(&[("fetch.max.bytes", "2048")]);
    let mut client = broker.client();
    client.create_topic("t", 1);
    for _ in 0..10 {
        client.produce("t", 0, batch(&[&"x".repeat(900)]));
    }
    assert!(client.fetch(&FetchAt::now("t", &[(0, 0)]), 12).records().len() <= 2048);
}

#[test]
fn a_parked_fetch_is_woken_by_the_append_and_gets_it() {
    let broker = Broker::start();
    let (mut reader, mut writer) = (broker.client(), broker.client());
    let id = writer.create_topic("t", 2);
    for version in VERSIONS {
        let from = [(0, writer.end_of("t", 0)), (1, writer.end_of("t", 1))];
        let asked = reader.send(&FetchAt::parked("t", &from).by_id(id).request(), version);
        writer.produce("t", 1, batch(&["x"]));
        let answer = reader.receive::<FetchRequest>(asked, version);
        let sizes: Vec<bool> = answer.partitions().iter().map(|p| p.records.is_empty()).collect();
        assert_eq!(sizes, [true, false], "v{version}");
    }
}

#[test]
fn a_parked_fetch_waits_for_min_bytes() {
    let broker = Broker::start();
    let (mut reader, mut writer) = (broker.client(), broker.client());
    writer.create_topic("t", 1);
    let one = batch(&["0123456789"]);
    let enough = i32::try_from(one.len() * 3).unwrap();
    let asked = reader.send(&FetchAt { min_bytes: enough, ..FetchAt::parked("t", &[(0, 0)]) }.request(), 12);
    for _ in 0..3 {
        writer.produce("t", 0, one.clone());
    }
    assert_eq!(values_of(&reader.receive::<FetchRequest>(asked, 12).records()).len(), 3);
}

#[test]
fn a_parked_fetch_ends_empty_when_its_time_is_over() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    let answer = client.fetch(&FetchAt { max_wait_ms: 20, ..FetchAt::now("t", &[(0, 1)]) }, 12);
    assert_eq!(answer.errors(), [(0, 0)]);
    assert_eq!(answer.records().len(), 0);
    // Too little is given when the time is over.
    let little = FetchAt { max_wait_ms: 20, min_bytes: 1 << 20, ..FetchAt::now("t", &[(0, 0)]) };
    assert_eq!(values_of(&client.fetch(&little, 12).records()).len(), 1);
}

#[test]
fn min_bytes_0_never_waits() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let answer = client.fetch(&FetchAt { min_bytes: 0, ..FetchAt::parked("t", &[(0, 0)]) }, 12);
    assert_eq!(answer.errors(), [(0, 0)]);
}

#[test]
fn an_offset_out_of_range_is_an_error_at_once_with_empty_records() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    for offset in [2, i64::MAX, -1, -5] {
        let answer = client.fetch(&FetchAt::parked("t", &[(0, offset)]), 12);
        let partition = answer.partitions()[0];
        assert_eq!((partition.error_code, partition.high_watermark), (1, -1), "offset {offset}");
        assert_eq!(answer.records().len(), 0);
    }
}

#[test]
fn unknown_partitions_and_topics_are_errors_at_once_with_empty_records() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    let cases = [("t", id, 5, 3, 3), ("t", id, -1, 3, 3), ("nowhere", Uuid([3; 16]), 0, 3, 100)];
    for (name, topic_id, partition, by_name, by_id) in cases {
        for version in VERSIONS {
            let answer = client.fetch(&FetchAt::parked(name, &[(partition, 0)]).by_id(topic_id), version);
            let expected = if version >= 13 { by_id } else { by_name };
            assert_eq!(answer.errors(), [(partition, expected)], "{name} v{version}");
            assert_eq!(answer.records().len(), 0);
        }
    }
}

#[test]
fn another_leader_epoch_is_fenced_or_unknown_and_the_leader_is_told() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    let at = |leader_epoch| FetchAt { leader_epoch, ..FetchAt::now("t", &[(0, 0)]).by_id(id) };
    for version in [9, 12, 16, 18] {
        assert_eq!(client.fetch(&at(0), version).errors(), [(0, 0)]);
        let answer = client.fetch(&at(1), version);
        assert_eq!(answer.errors(), [(0, 75)], "v{version}");
        assert_eq!(answer.records().len(), 0);
    }
    // Versions before 9 cannot say which epoch they know.
    assert_eq!(client.fetch(&at(1), 8).errors(), [(0, 0)]);
    assert_eq!(client.fetch(&at(1), 16).partitions()[0].current_leader.leader_id, -1);
    let answer = client.fetch(&at(-2), 16);
    assert_eq!(answer.errors(), [(0, 74)]);
    assert_eq!(answer.partitions()[0].current_leader.leader_id, 1);
    assert_eq!(answer.partitions()[0].current_leader.leader_epoch, 0);
    let endpoint = &answer.node_endpoints[0];
    assert_eq!((endpoint.node_id, endpoint.port), (1, i32::from(broker.address().port())));
    assert_eq!(client.fetch(&at(0), 16).node_endpoints, []);
}

#[test]
fn a_client_that_read_further_than_the_log_reaches_is_told_where_they_part() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x", "y"]));
    let mut request = FetchAt::parked("t", &[(0, 5)]).request();
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    let answer = client.call(&request, 12);
    let partition = answer.partitions()[0];
    assert_eq!((partition.error_code, partition.records.len()), (0, 0));
    assert_eq!((partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset), (0, 2));
    // Of an epoch the log never came to nobody knows where it ends.
    request.topics[0].partitions[0].last_fetched_epoch = 3;
    assert_eq!(client.call(&request, 12).errors(), [(0, 1)]);
}

#[test]
fn isolation_says_whether_a_list_of_aborted_transactions_comes() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    for version in [4, 11, 12] {
        for (isolation_level, expected) in [(0, None), (1, Some(Vec::new()))] {
            let answer = client.fetch(&FetchAt { isolation_level, ..FetchAt::now("t", &[(0, 0)]) }, version);
            assert_eq!(answer.partitions()[0].aborted_transactions, expected, "v{version}");
            assert_eq!(values_of(&answer.records()).len(), 1);
        }
    }
}

/// Appends to the log of `t` while no broker runs, as a coordinator of transactions would: one that is committed, one that
/// is aborted, one that stays open.
fn write_transactions(dir: &std::path::Path) {
    let options = OpenOptions {
        config: LogConfig::default(),
        recovery_point: 0,
        log_start_offset: 0,
        clean: false,
        leader_epoch: 0,
        now_ms: 0,
    };
    let (log, _) = Log::open(Arc::new(OsDisk::new()), &dir.join("t-0"), "t", 0, options).unwrap();
    let context = AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 0 };
    let data = |id, values: &[&str]| {
        let builder = BatchBuilder::new(Codec::None).producer(id, 0, 0).transactional();
        log.append(batch_of(builder, values), context).unwrap()
    };
    let end = |id, control_type| {
        let marker = EndTxnMarker { control_type, coordinator_epoch: 0 };
        log.append(control_batch(marker, id, 0, now_ms()).unwrap(), context).unwrap();
    };
    data(100, &["committed"]);
    data(200, &["aborted", "too"]);
    end(100, ControlType::Commit);
    end(200, ControlType::Abort);
    data(300, &["open"]);
    log.close(0).unwrap();
}

#[test]
fn committed_reads_end_at_the_last_stable_offset_and_name_what_was_aborted() {
    let mut broker = Broker::start();
    broker.client().create_topic("t", 1);
    broker.stop();
    std::fs::remove_file(broker.dir().join(".kafka_cleanshutdown")).unwrap();
    write_transactions(broker.dir());
    broker.restart();
    let mut client = broker.client();
    for (isolation_level, end, aborted) in [(0, 6, None), (1, 5, Some(vec![(200, 1)]))] {
        let answer = client.fetch(&FetchAt { isolation_level, ..FetchAt::now("t", &[(0, 0)]) }, 12);
        let partition = answer.partitions()[0];
        assert_eq!((partition.high_watermark, partition.last_stable_offset), (6, 5));
        let named = partition.aborted_transactions.as_ref();
        let named = named.map(|all| all.iter().map(|txn| (txn.producer_id, txn.first_offset)).collect());
        assert_eq!(named, aborted);
        let last = batches(partition.records.bytes().unwrap()).map(|batch| batch.unwrap().header).last();
        assert_eq!(last.unwrap().next_offset(), end);
        let asked = ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() };
        let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked], ..Default::default() };
        let latest = ListOffsetsRequest { isolation_level, topics: vec![topic], ..Default::default() };
        assert_eq!(client.call(&latest, 7).topics[0].partitions[0].offset, end);
    }
}

#[test]
fn a_deleted_topic_wakes_those_who_wait_for_it() {
    let broker = Broker::start();
    let mut admin = broker.client();
    for (version, error) in [(12, 3), (13, 100)] {
        let id = admin.create_topic("t", 1);
        let mut reader = broker.client();
        let asked = reader.send(&FetchAt::parked("t", &[(0, 0)]).by_id(id).request(), version);
        crate::topics::delete(&mut admin, "t");
        assert_eq!(reader.receive::<FetchRequest>(asked, version).errors(), [(0, error)]);
    }
}

#[test]
fn deleted_records_wake_those_who_wait_for_more_of_them() {
    let broker = Broker::start();
    let (mut reader, mut admin) = (broker.client(), broker.client());
    admin.create_topic("t", 1);
    admin.produce("t", 0, batch(&["a"]));
    let asked = reader.send(&FetchAt { min_bytes: 1 << 20, ..FetchAt::parked("t", &[(0, 0)]) }.request(), 12);
    crate::offsets::delete_before(&mut admin, "t", 0, 1);
    assert_eq!(reader.receive::<FetchRequest>(asked, 12).errors(), [(0, 1)]);
}

#[test]
fn many_readers_are_all_woken_by_one_append() {
    let broker = Broker::start();
    let mut writer = broker.client();
    writer.create_topic("t", 1);
    let mut readers: Vec<_> = (0..30).map(|_| broker.client()).collect();
    let parked = FetchAt::parked("t", &[(0, 0)]).request();
    let asked: Vec<i32> = readers.iter_mut().map(|reader| reader.send(&parked, 12)).collect();
    writer.produce("t", 0, batch(&["x"]));
    for (reader, asked) in readers.iter_mut().zip(asked) {
        assert_eq!(values_of(&reader.receive::<FetchRequest>(asked, 12).records()).len(), 1);
    }
}

#[test]
fn an_answer_larger_than_a_socket_takes_does_not_hold_up_others() {
    let broker = Broker::start();
    let mut writer = broker.client();
    writer.create_topic_with("t", 1, &[("max.message.bytes", "9000000")]);
    let large = "x".repeat(8 << 20);
    writer.produce("t", 0, batch(&[&large]));
    let mut slow: Vec<_> = (0..8).map(|_| broker.client()).collect();
    let all = FetchAt::now("t", &[(0, 0)]).request();
    let asked: Vec<i32> = slow.iter_mut().map(|client| client.send(&all, 12)).collect();
    writer.create_topic("u", 1);
    for n in 0..100 {
        assert_eq!(writer.produce("u", 0, batch(&["x"])), n);
    }
    for (client, asked) in slow.iter_mut().zip(asked) {
        assert_eq!(values_of(&client.receive::<FetchRequest>(asked, 12).records())[0].1.len(), large.len());
    }
}

#[test]
fn records_of_acks_all_are_read_like_all_others() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let records = batch_of(BatchBuilder::new(Codec::Zstd), &["a", "b"]);
    let mut request = produce_request("t", Uuid::NIL, &[(0, records)]);
    request.acks = -1;
    assert_eq!(client.call(&request, 9).responses[0].partition_responses[0].error_code, 0);
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12);
    assert_eq!(values_of(&fetched.records()), [(0, "a".into()), (1, "b".into())]);
}

/// So many entries for one partition take minutes if leaving one is a search through all the others.
#[test]
fn a_partition_named_many_times_is_waited_for_and_answered_once() {
    let broker = Broker::start();
    let mut greedy = broker.client();
    greedy.create_topic("t", 1);
    let repeats = vec![(0, 0); 200_000];
    let parked: Vec<i32> =
        (0..4).map(|_| greedy.send(&FetchAt::parked("t", &repeats).request(), 12)).collect();
    let mut other = broker.client();
    other.produce("t", 0, batch(&["x"]));
    assert_eq!(other.end_of("t", 0), 1);
    for id in parked {
        let fetched = greedy.receive::<FetchRequest>(id, 12);
        assert_eq!(values_of(&fetched.records()), [(0, "x".into())]);
    }
}

#[test]
fn the_last_word_about_a_partition_counts_in_the_place_of_the_first() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    for partition in 0..2 {
        for value in ["a", "b"] {
            client.produce("t", partition, batch(&[value]));
        }
    }
    let fetched = client.fetch(&FetchAt::now("t", &[(1, 0), (0, 0), (1, 1)]), 12);
    let told: Vec<_> = fetched
        .partitions()
        .iter()
        .map(|p| (p.partition_index, values_of(p.records.bytes().unwrap()).len()))
        .collect();
    assert_eq!(told, [(1, 1), (0, 2)]);
}

#[test]
fn a_fetch_of_too_many_partitions_is_an_invalid_request_or_the_end() {
    let broker = Broker::start();
    let mut client = broker.client();
    let many: Vec<(i32, i64)> = (0..=100_000).map(|partition| (partition, 0)).collect();
    let answer = client.call(&FetchAt::now("t", &many).request(), 7);
    assert_eq!((answer.error_code, answer.responses.len()), (42, 0));
    client.send(&FetchAt::now("t", &many).request(), 6);
    assert!(client.is_closed(), "version 6 has no place for it");
}

#[test]
fn more_than_the_answer_may_hold_is_not_waited_for() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&[&"x".repeat(10_000)]));
    let fetch = FetchAt { min_bytes: i32::MAX, max_bytes: 1_000, ..FetchAt::parked("t", &[(0, 0)]) };
    assert_eq!(values_of(&client.fetch(&fetch, 12).records()).len(), 1);
}

/// Each range holds a file open until the client has read the answer.
#[test]
fn an_answer_has_records_of_so_many_partitions_and_the_others_come_next() {
    const PARTITIONS: i32 = 600;
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", PARTITIONS);
    let batches: Vec<_> = (0..PARTITIONS).map(|partition| (partition, batch(&["x"]))).collect();
    client.call(&produce_request("t", Uuid::NIL, &batches), 9);
    let everything: Vec<_> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let patient = FetchAt { min_bytes: i32::MAX, max_bytes: i32::MAX, ..FetchAt::parked("t", &everything) };
    let answer = client.fetch(&patient, 12);
    let (with, without): (Vec<_>, Vec<_>) =
        answer.partitions().into_iter().partition(|p| !p.records.bytes().unwrap().is_empty());
    assert_eq!((with.len(), without.len()), (512, 88));
    assert!(without.iter().all(|p| (p.error_code, p.high_watermark) == (0, 1)));
    let rest: Vec<_> = without.iter().map(|p| (p.partition_index, 0)).collect();
    let answer = client.fetch(&FetchAt::now("t", &rest), 12);
    assert!(answer.partitions().iter().all(|p| !p.records.bytes().unwrap().is_empty()));
}

/// Waiting would not make the answer longer: it ends with the segment.
#[test]
fn records_of_a_closed_segment_are_not_waited_with() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("segment.bytes", "1048576")]);
    for _ in 0..3 {
        client.produce("t", 0, batch(&[&"x".repeat(700_000)]));
    }
    let patient = |offset| FetchAt { min_bytes: 5 << 20, ..FetchAt::parked("t", &[(0, offset)]) };
    for offset in 0..2 {
        let values = values_of(&client.fetch(&patient(offset), 12).records());
        assert_eq!(values.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [offset]);
    }
    let newest = client.send(&patient(2).request(), 12);
    let mut other = broker.client();
    assert_eq!(other.end_of("t", 0), 3);
    assert!(!client.has_answer(), "the active segment still grows");
    other.produce("t", 0, batch(&[&"x".repeat(700_000)]));
    let fetched = client.receive::<FetchRequest>(newest, 12);
    assert_eq!(values_of(&fetched.records()).len(), 1, "until it is rolled");
}
