//! Topics that are gone leave nothing behind, whatever came in between.

use std::path::Path;
use std::sync::Arc;

use pagewire_metadata::{Catalog, EmbeddedStore, FILE_NAME, SystemClock, model::DeletedTopicRecord};
use pagewire_wire::messages::{
    offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic},
};

use crate::groups::{coordinator, once_loaded};
use crate::harness::{Broker, Client, batch, runtime};

fn commit(client: &mut Client, version: i16) {
    let partition = OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        retention_time_ms: 1_000_000,
        topics: vec![topic],
        ..Default::default()
    };
    once_loaded(|| (client.call(&request, version).topics[0].partitions[0].error_code, ()));
}

/// What is committed for the topic: asked for by name, and as one of all.
fn committed(client: &mut Client) -> (i64, usize) {
    let topic =
        OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
    let request =
        OffsetFetchRequest { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
    let offset = once_loaded(|| {
        let fetched = client.call(&request, 5);
        let offset = fetched.topics.first().map_or(-1, |topic| topic.partitions[0].committed_offset);
        (fetched.error_code, offset)
    });
    let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
    let everything = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    let all = client.call(&everything, 8).groups.remove(0);
    (offset, all.topics.len())
}

/// Looks into the metadata of a broker that does not run.
fn catalog(dir: &Path) -> Catalog {
    let store = EmbeddedStore::open(&dir.join(FILE_NAME), Arc::new(SystemClock)).unwrap();
    Catalog::new(Arc::new(store))
}

/// Deletes the topic as a broker does that is killed right after.
fn delete_and_die(broker: &mut Broker) -> DeletedTopicRecord {
    broker.stop();
    let catalog = catalog(broker.dir());
    runtime().block_on(async {
        let (record, version) = catalog.topic("t").await.unwrap().unwrap();
        catalog.delete_topic(&record, version).await.unwrap()
    })
}

fn dirs_of(broker: &Broker, topic: &str) -> usize {
    let names = std::fs::read_dir(broker.dir()).unwrap().map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| {
            name.to_string_lossy().starts_with(&format!("{topic}-"))
                && !name.to_string_lossy().ends_with("-delete")
        })
        .count()
}

#[test]
fn a_deletion_that_a_kill_broke_off_is_finished_by_the_next_start() {
    // With the topic's id in the offset, and without room for it.
    for version in [9, 4] {
        let mut broker = Broker::start();
        let mut client = broker.client();
        coordinator(&mut client);
        client.create_topic("t", 2);
        client.produce("t", 0, batch(&["x"]));
        commit(&mut client, version);
        assert_eq!(committed(&mut client), (7, 1));

        delete_and_die(&mut broker);
        assert_eq!(dirs_of(&broker, "t"), 2);
        broker.restart();
        assert_eq!(dirs_of(&broker, "t"), 0, "nothing has the name any more");
        let mut client = broker.client();
        // Once both shards are loaded, the second makes sure of it for both.
        for _ in 0..100_000 {
            if committed(&mut client) == (-1, 0) {
                break;
            }
            std::thread::yield_now();
        }
        client.create_topic("t", 1);
        assert_eq!(committed(&mut client), (-1, 0));
        broker.stop();
        let left = runtime().block_on(catalog(broker.dir()).deleted_topics()).unwrap();
        assert_eq!(left, [], "nothing is left to be done");
    }
}

#[test]
fn a_namesake_is_not_told_the_offsets_of_the_one_before_it() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    coordinator(&mut client);
    client.create_topic("t", 1);
    commit(&mut client, 9);
    let deleted = delete_and_die(&mut broker);
    // Nobody knows any more that it was deleted: what is kept with the offset is all there is.
    runtime().block_on(catalog(broker.dir()).forget_deleted(deleted.topic_id)).unwrap();
    broker.restart();
    let mut client = broker.client();
    assert_eq!(client.try_create_topic("t", 1, 1, &[]).error_code, 0);
    assert_eq!(committed(&mut client), (-1, 0));
}

#[test]
fn a_deletion_leaves_no_note_behind() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    crate::topics::delete(&mut client, "t");
    coordinator(&mut client);
    client.create_topic("t", 1);
    commit(&mut client, 9);
    crate::topics::delete(&mut client, "t");
    assert_eq!(committed(&mut client), (-1, 0));
    broker.stop();
    assert_eq!(runtime().block_on(catalog(broker.dir()).deleted_topics()).unwrap(), []);
}

#[test]
fn a_topic_that_could_not_be_made_leaves_no_note() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    let in_the_way = broker.dir().join("t-0");
    std::fs::write(&in_the_way, "").unwrap();
    assert_ne!(client.try_create_topic("t", 1, 1, &[]).error_code, 0);
    drop(client);
    broker.stop();
    let left = runtime().block_on(catalog(broker.dir()).deleted_topics()).unwrap();
    assert_eq!(left, [], "nobody ever saw it");
}
