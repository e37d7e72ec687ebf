//! What readers of committed records see.

use std::sync::Arc;

use pagewire_disk::OsDisk;
use pagewire_log::{AppendContext, Log, OpenOptions, Origin};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, batches, control_batch};
use pagewire_wire::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};

use crate::harness::{Broker, FetchAt, Fetched, batch, batch_of, now_ms, values_of};

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
    let (log, _) =
        Log::open(Arc::new(OsDisk::new()), &dir.join("t-0"), "t", 0, OpenOptions::default()).unwrap();
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
