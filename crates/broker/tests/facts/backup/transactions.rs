//! While transactions run, by both flows: those that name their partitions first, and those that raise the epoch with each
//! end. What is restored is what a kill at the moment of the backup would have left.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use pagewire_record::{BatchBuilder, Codec, DecompressLimits, complete_batches};
use pagewire_wire::{
    Str,
    messages::{
        add_offsets_to_txn_request::AddOffsetsToTxnRequest,
        add_partitions_to_txn_request::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic},
        end_txn_request::EndTxnRequest,
        find_coordinator_request::FindCoordinatorRequest,
        init_producer_id_request::InitProducerIdRequest,
        offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic},
        txn_offset_commit_request::{
            TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
        },
    },
};
use serde_json::json;

use super::damaged::{CORRUPT_MESSAGE, flip};
use super::{EndsOthers, Place};
use crate::control::Control;
use crate::groups::coordinator;
use crate::harness::{Broker, Client, FetchAt, Fetched, batch_of, produce_request, until};

const PARTITIONS: i32 = 4;
const BACKUPS: i32 = 6;
/// So slow that the logs of a backup have their turns at times that are far apart.
const BYTES_PER_SECOND: u64 = 400_000;
/// Not now: loading, not there yet, and a transaction that is still being ended.
const LATER: [i16; 4] = [14, 15, 16, 51];

/// Asks until there is an answer other than to come later.
fn settled<T>(mut ask: impl FnMut() -> (i16, T)) -> T {
    for _ in 0..200_000 {
        match ask() {
            (0, answer) => return answer,
            (error, _) if LATER.contains(&error) => thread::yield_now(),
            (error, _) => panic!("error {error}"),
        }
    }
    panic!("it is stuck")
}

/// A transactional producer.
struct Producer {
    client: Client,
    transactional_id: Str,
    id: i64,
    epoch: i16,
    /// Raises its epoch with each end, and names no partitions.
    raises: bool,
    sequences: BTreeMap<(&'static str, i32), i32>,
}

impl Producer {
    fn new(mut client: Client, name: &str) -> Self {
        let transactional_id = Str::from(name.to_owned());
        let key = transactional_id.clone();
        let find = FindCoordinatorRequest { key, key_type: 1, ..Default::default() };
        settled(|| (client.call(&find, 3).error_code, ()));
        let request = InitProducerIdRequest {
            transactional_id: Some(transactional_id.clone()),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let (id, epoch) = settled(|| {
            let answer = client.call(&request, 4);
            (answer.error_code, (answer.producer_id, answer.producer_epoch))
        });
        let raises = name.ends_with("raising");
        Self { client, transactional_id, id, epoch, raises, sequences: BTreeMap::new() }
    }

    fn write(&mut self, topic: &'static str, partition: i32, value: &str) {
        let Self { client, transactional_id, id, epoch, raises, sequences } = self;
        if !*raises {
            let named = AddPartitionsToTxnTopic {
                name: topic.into(),
                partitions: vec![partition],
                ..Default::default()
            };
            let add = AddPartitionsToTxnRequest {
                v3_and_below_transactional_id: transactional_id.clone(),
                v3_and_below_producer_id: *id,
                v3_and_below_producer_epoch: *epoch,
                v3_and_below_topics: vec![named],
                ..Default::default()
            };
            settled(|| {
                let answer = client.call(&add, 3);
                (answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code, ())
            });
        }
        let sequence = sequences.entry((topic, partition)).or_default();
        let builder = BatchBuilder::new(Codec::None).producer(*id, *epoch, *sequence).transactional();
        let mut request =
            produce_request(topic, pagewire_wire::Uuid::NIL, &[(partition, batch_of(builder, &[value]))]);
        (request.acks, request.transactional_id) = (-1, Some(transactional_id.clone()));
        let version = if *raises { 12 } else { 11 };
        settled(|| (client.call(&request, version).responses[0].partition_responses[0].error_code, ()));
        *sequence += 1;
    }

    fn commit_offset(&mut self, group: &Str, offset: i64) {
        let Self { client, transactional_id, id, epoch, raises, .. } = self;
        if !*raises {
            let add = AddOffsetsToTxnRequest {
                transactional_id: transactional_id.clone(),
                producer_id: *id,
                producer_epoch: *epoch,
                group_id: group.clone(),
                ..Default::default()
            };
            settled(|| (client.call(&add, 3).error_code, ()));
        }
        let partition = TxnOffsetCommitRequestPartition {
            partition_index: 0,
            committed_offset: offset,
            committed_leader_epoch: -1,
            ..Default::default()
        };
        let topic = TxnOffsetCommitRequestTopic {
            name: "in".into(),
            partitions: vec![partition],
            ..Default::default()
        };
        let request = TxnOffsetCommitRequest {
            transactional_id: transactional_id.clone(),
            group_id: group.clone(),
            producer_id: *id,
            producer_epoch: *epoch,
            generation_id: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let version = if *raises { 5 } else { 3 };
        settled(|| (client.call(&request, version).topics[0].partitions[0].error_code, ()));
    }

    fn end(&mut self, committed: bool) {
        let request = EndTxnRequest {
            transactional_id: self.transactional_id.clone(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed,
            ..Default::default()
        };
        let version = if self.raises { 5 } else { 4 };
        let answer = settled(|| {
            let answer = self.client.call(&request, version);
            (answer.error_code, answer)
        });
        if self.raises {
            (self.id, self.epoch) = (answer.producer_id, answer.producer_epoch);
            self.sequences.clear();
        }
    }
}

/// One record in each partition of `t`; every other transaction is aborted.
fn write_everywhere(mut producer: Producer, stop: &AtomicBool, ended: &AtomicI32) {
    for number in 0.. {
        let word = if number % 2 == 0 { "commit" } else { "abort" };
        for partition in 0..PARTITIONS {
            let value = format!("{word} {} {number}", producer.transactional_id);
            producer.write("t", partition, &value);
        }
        producer.end(word == "commit");
        ended.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// One record of output for each offset that is consumed; every third transaction is aborted and made again.
fn consume_and_produce(mut producer: Producer, stop: &AtomicBool, ended: &AtomicI32) {
    let (group, mut consumed) = (producer.transactional_id.clone(), 0);
    for number in 1.. {
        producer.write("out", 0, &format!("{group} {consumed}"));
        producer.commit_offset(&group, consumed + 1);
        producer.end(number % 3 != 0);
        consumed += i64::from(number % 3 != 0);
        ended.fetch_add(1, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// What a reader of committed records sees of a partition, to its end.
fn committed(client: &mut Client, topic: &'static str, partition: i32) -> Vec<String> {
    let (mut next, end, mut values) = (0, client.end_of(topic, partition), Vec::new());
    while next < end {
        let fetch = FetchAt { isolation_level: 1, ..FetchAt::now(topic, &[(partition, next)]) };
        let answer = client.fetch(&fetch, 12);
        let found = answer.partitions()[0];
        assert_eq!(
            (found.error_code, found.last_stable_offset),
            (0, end),
            "{topic}-{partition} is held back"
        );
        let mut named: Vec<_> = found.aborted_transactions.iter().flatten().collect();
        named.sort_unstable_by_key(|txn| std::cmp::Reverse(txn.first_offset));
        let mut aborted = std::collections::BTreeSet::new();
        for batch in complete_batches(&answer.records()) {
            let batch = batch.unwrap();
            let header = batch.header;
            while let Some(txn) = named.pop_if(|txn| txn.first_offset <= header.base_offset) {
                aborted.insert(txn.producer_id);
            }
            next = header.next_offset();
            if header.is_control() {
                aborted.remove(&header.producer_id);
            } else if !aborted.contains(&header.producer_id) {
                let records = batch.records(&DecompressLimits::default()).unwrap();
                let value = |record: pagewire_record::Record| record.value.unwrap_or_default().to_vec();
                values.extend(records.map(|record| String::from_utf8(value(record.unwrap())).unwrap()));
            }
        }
    }
    values
}

/// The offset that a group has, no offset of a transaction that is not ended left.
fn offset_of(client: &mut Client, group: &str) -> i64 {
    let topic =
        OffsetFetchRequestTopic { name: "in".into(), partition_indexes: vec![0], ..Default::default() };
    let request = OffsetFetchRequest {
        group_id: Str::from(group.to_owned()),
        topics: Some(vec![topic]),
        require_stable: true,
        ..Default::default()
    };
    // 88: an offset is not stable yet.
    let offset = settled(|| {
        let answer = client.call(&request, 7);
        let partition = &answer.topics[0].partitions[0];
        let error = if answer.error_code == 0 { partition.error_code } else { answer.error_code };
        (if error == 88 { 14 } else { error }, partition.committed_offset)
    });
    offset.max(0)
}

const EVERYWHERE: [&str; 4] = ["a classic", "b classic", "a raising", "b raising"];
const THROUGH: [&str; 2] = ["through classic", "through raising"];

fn check(restored: &Broker) {
    // Whoever comes again ends what was under way; nobody is stuck.
    for name in EVERYWHERE.iter().chain(&THROUGH) {
        Producer::new(restored.client(), name);
    }
    let mut client = restored.client();
    coordinator(&mut client);
    let mut seen: BTreeMap<String, i32> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        for value in committed(&mut client, "t", partition) {
            assert!(value.starts_with("commit "), "{value} was aborted, and is read from t-{partition}");
            *seen.entry(value).or_default() += 1;
        }
    }
    let halves: Vec<_> = seen.iter().filter(|(_, times)| **times != PARTITIONS).collect();
    assert!(halves.is_empty() && !seen.is_empty(), "not in all partitions, once: {halves:?}");
    let out = committed(&mut client, "out", 0);
    for group in THROUGH {
        let own: Vec<_> = out.iter().filter_map(|value| value.strip_prefix(group)).collect();
        let expected: Vec<_> =
            (0..offset_of(&mut client, group)).map(|offset| format!(" {offset}")).collect();
        assert_eq!(own, expected, "the output of {group} is that of the offsets that it committed");
    }
}

#[test]
fn transactions_are_whole_in_what_is_restored_of_a_backup_made_while_they_run() {
    let broker =
        Broker::with(&[("transaction.state.log.num.partitions", "3"), ("offsets.topic.num.partitions", "3")]);
    let mut client = broker.client();
    client.create_topic_with("t", PARTITIONS, &[("internal.segment.bytes", "20000")]);
    client.create_topic("in", 1);
    client.create_topic("out", 1);
    coordinator(&mut client);
    let (place, stop, ended) = (Place::new(), AtomicBool::new(false), AtomicI32::new(0));
    thread::scope(|scope| {
        let ends_others = EndsOthers(&stop);
        for name in EVERYWHERE {
            let (broker, stop, ended) = (&broker, &stop, &ended);
            scope.spawn(move || write_everywhere(Producer::new(broker.client(), name), stop, ended));
        }
        for name in THROUGH {
            let (broker, stop, ended) = (&broker, &stop, &ended);
            scope.spawn(move || consume_and_produce(Producer::new(broker.client(), name), stop, ended));
        }
        for round in 0..BACKUPS {
            let before = ended.load(Ordering::Relaxed);
            until("more have ended", || ended.load(Ordering::Relaxed) >= before + 40);
            let request = json!({
                "verb": "backup",
                "to": place.path(&format!("backup{round}")),
                "rate_bytes_per_second": BYTES_PER_SECOND,
            });
            Control::of(broker.dir()).ask(&request).unwrap();
        }
        drop(ends_others);
    });
    for round in 0..BACKUPS {
        let (from, to) = (format!("backup{round}"), format!("data{round}"));
        place.restore(&from, &to);
        check(&Broker::on(&place.path(&to)));
    }
}

/// A transaction behind which records are lost, and then its COMMIT: it settles what was in doubt, as long as it is known that it may.
#[test]
fn where_a_note_of_transactions_in_doubt_is_left_out_a_restored_log_leaves_them_in_doubt() {
    let (mut broker, place) = (Broker::start(), Place::new());
    broker.client().create_topic("t", 1);
    let mut producer = Producer::new(broker.client(), "one");
    producer.write("t", 0, "inside");
    broker.client().produce("t", 0, batch_of(BatchBuilder::new(Codec::None), &["lost"]));
    broker.stop();
    for entry in fs::read_dir(broker.dir().join("t-0")).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|kind| kind.to_str()) {
            Some("snapshot") => fs::remove_file(path).unwrap(),
            Some("log") => flip(&path, usize::try_from(fs::metadata(&path).unwrap().len()).unwrap() - 1),
            _ => {}
        }
    }
    broker.restart();
    producer.client = broker.client();
    producer.end(true);
    place.back_up(&broker, "backup");
    broker.stop();

    place.restore("backup", "good");
    let again = Broker::on(&place.path("good"));
    let first = FetchAt { isolation_level: 1, ..FetchAt::now("t", &[(0, 0)]) };
    assert_eq!(again.client().fetch(&first, 12).errors(), [(0, 0)], "it was committed");

    let note = "t-0/pagewire-undecided";
    flip(&place.path("backup").join(note), 0);
    let damage = place.restore_with("backup", &["doubtful"], false, true).unwrap().damage;
    assert_eq!(damage.altered.iter().map(|altered| &*altered.file).collect::<Vec<_>>(), [note]);
    assert_eq!(fs::metadata(place.path("doubtful").join(note)).unwrap().len(), 0, "it asks for a look");
    let mut again = Broker::on(&place.path("doubtful"));
    for _ in 0..3 {
        assert_eq!(again.client().fetch(&first, 12).errors(), [(0, CORRUPT_MESSAGE)]);
        again.restart();
    }
}
