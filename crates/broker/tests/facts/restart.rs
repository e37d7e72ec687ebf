//! What a restart keeps, and what keeps a broker from starting.

use std::path::Path;

use pagewire_broker::{Node, StartError};
use pagewire_wire::messages::{
    describe_cluster_request::DescribeClusterRequest,
    metadata_request::MetadataRequest,
    offset_for_leader_epoch_request::{
        OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
    },
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch, config, runtime, values_of};

#[test]
fn ids_topics_and_records_are_the_same_after_a_restart() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    let ids = [client.create_topic("a", 2), client.create_topic("b", 1)];
    client.produce("a", 1, batch(&["x", "y"]));
    crate::topics::delete(&mut client, "b");
    let again = client.create_topic("b", 3);
    let cluster = client.call(&DescribeClusterRequest::default(), 0).cluster_id;
    for _ in 0..2 {
        broker.restart();
        let mut client = broker.client();
        let metadata = client.call(&MetadataRequest { topics: None, ..Default::default() }, 12);
        assert_eq!(metadata.cluster_id.as_ref(), Some(&cluster));
        let mut topics: Vec<_> = metadata
            .topics
            .iter()
            .map(|topic| (topic.name.clone().unwrap().to_string(), topic.topic_id, topic.partitions.len()))
            .collect();
        topics.sort();
        assert_eq!(topics, [("a".to_owned(), ids[0], 2), ("b".to_owned(), again, 3)]);
        let fetched = client.fetch(&FetchAt::now("a", &[(1, 0)]), 12);
        assert_eq!(values_of(&fetched.records()), [(0, "x".into()), (1, "y".into())]);
        assert_eq!([client.end_of("a", 0), client.end_of("a", 1), client.end_of("b", 0)], [0, 2, 0]);
    }
    assert_eq!(broker.client().produce("a", 1, batch(&["z"])), 2);
}

/// After a stop that was not clean nobody knows what the clients had seen: they are told by a new epoch to look.
#[test]
fn the_leader_epoch_rises_when_the_last_stop_was_not_clean() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["a", "b"]));
    broker.restart();
    assert_eq!(
        broker.client().describe_topic("t").partitions[0].leader_epoch,
        0,
        "a clean stop loses nothing"
    );
    for epoch in 1..3 {
        broker.stop();
        std::fs::remove_file(broker.dir().join(".kafka_cleanshutdown")).unwrap();
        broker.restart();
        let mut client = broker.client();
        assert_eq!(client.describe_topic("t").partitions[0].leader_epoch, epoch);
        let fetch = |leader_epoch| FetchAt { leader_epoch, ..FetchAt::now("t", &[(0, 0)]) };
        assert_eq!(client.fetch(&fetch(epoch - 1), 12).errors(), [(0, 74)], "fenced");
        assert_eq!(client.fetch(&fetch(epoch), 12).errors(), [(0, 0)]);
        let end = i64::from(epoch) + 1;
        assert_eq!(
            end_of_epoch(&mut client, epoch - 1),
            (epoch - 1, end),
            "it has no records of its own yet"
        );
        assert_eq!(end_of_epoch(&mut client, epoch), (epoch, end));
        client.produce("t", 0, batch(&["c"]));
        assert_eq!(end_of_epoch(&mut client, epoch - 1), (epoch - 1, end), "where the next one begins");
        assert_eq!(end_of_epoch(&mut client, epoch), (epoch, end + 1));
    }
    broker.client().create_topic("new", 1);
    assert_eq!(broker.client().describe_topic("new").partitions[0].leader_epoch, 2);
}

#[test]
fn nothing_ends_for_a_client_without_an_epoch() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["a"]));
    assert_eq!(end_of_epoch(&mut client, -1), (-1, -1));
    assert_eq!(end_of_epoch(&mut client, 0), (0, 1));
}

fn end_of_epoch(client: &mut Client, epoch: i32) -> (i32, i64) {
    let asked = OffsetForLeaderPartition { partition: 0, leader_epoch: epoch, ..Default::default() };
    let topic = OffsetForLeaderTopic { topic: "t".into(), partitions: vec![asked], ..Default::default() };
    let request = OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let found = client.call(&request, 4).topics.remove(0).partitions.remove(0);
    assert_eq!(found.error_code, 0);
    (found.leader_epoch, found.end_offset)
}

#[test]
fn many_segments_are_all_there_after_a_restart() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("segment.bytes", "1048576")]);
    let value = "x".repeat(200_000);
    for _ in 0..20 {
        client.produce("t", 0, batch(&[&value]));
    }
    broker.restart();
    let mut client = broker.client();
    assert_eq!(client.end_of("t", 0), 20);
    let mut next = 0;
    while next < 20 {
        let values = values_of(&client.fetch(&FetchAt::now("t", &[(0, next)]), 12).records());
        assert_eq!(values[0].0, next);
        next += i64::try_from(values.len()).unwrap();
    }
}

#[test]
fn stopping_disconnects_those_who_wait() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.send(&FetchAt::parked("t", &[(0, 0)]).request(), 12);
    let mut half = broker.client();
    half.send_bytes(&[0, 0, 1]);
    broker.stop();
    assert!(client.is_closed());
    assert!(half.is_closed());
}

#[test]
fn a_data_directory_in_use_is_a_clear_error() {
    let broker = Broker::start();
    let Err(error) = broker.start_node() else { panic!("two brokers on one directory") };
    let message = error.to_string();
    assert!(matches!(error, StartError::Logs(_)), "{message}");
    assert!(message.contains(broker.dir().to_str().unwrap()), "{message}");
    assert!(message.contains(&std::process::id().to_string()), "it names who holds it: {message}");
    assert_eq!(broker.client().api_versions().error_code, 0, "the one that runs goes on");
}

#[test]
fn a_port_in_use_is_a_clear_error_and_leaves_the_directory_free() {
    let holder = Broker::start();
    let dir = tempfile::tempdir().unwrap();
    let address = holder.address();
    let taken = [("listeners".to_owned(), format!("PLAINTEXT://{address}"))];
    let Err(error) = runtime().block_on(pagewire_broker::Node::start(config(dir.path(), &taken))) else {
        panic!("two brokers on one port")
    };
    assert!(matches!(error, StartError::Bind { .. }));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    let node = runtime().block_on(pagewire_broker::Node::start(config(dir.path(), &[]))).unwrap();
    runtime().block_on(node.stop()).unwrap();
}

#[test]
fn a_data_directory_that_is_a_file_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let Err(error) = runtime().block_on(pagewire_broker::Node::start(config(&file, &[]))) else {
        panic!("a broker in a file")
    };
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[test]
fn another_node_id_is_not_let_into_the_directory() {
    let mut broker = Broker::start();
    broker.stop();
    let other = [("node.id".to_owned(), "7".to_owned())];
    let Err(error) = runtime().block_on(pagewire_broker::Node::start(config(broker.dir(), &other))) else {
        panic!("a directory has one node")
    };
    assert!(matches!(error, StartError::Logs(_)), "{error}");
}

#[test]
fn a_partition_whose_log_cannot_be_opened_is_offline_and_the_rest_is_served() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 3);
    client.create_topic("u", 1);
    for partition in 0..3 {
        client.produce("t", partition, batch(&["x"]));
    }
    broker.stop();
    let log = broker.dir().join("t-1").join("00000000000000000000.log");
    let aside = broker.dir().join("aside");
    std::fs::rename(&log, &aside).unwrap();
    std::fs::create_dir(&log).unwrap();
    broker.restart();

    let mut client = broker.client();
    let described = client.describe_topic("t");
    let shown: Vec<_> = described
        .partitions
        .iter()
        .map(|p| (p.error_code, p.leader_id, p.offline_replicas.clone()))
        .collect();
    assert_eq!(shown, [(0, 1, vec![]), (5, -1, vec![1]), (0, 1, vec![])]);
    assert_eq!(client.list_offset("t", 1, -1, 7).0, 56);
    assert_eq!(client.list_offset("t", 9, -1, 7).0, 3);
    for (topic, partition, offset) in [("t", 0, 1), ("t", 2, 1), ("u", 0, 0)] {
        assert_eq!(client.produce(topic, partition, batch(&["y"])), offset);
    }
    assert_ne!(client.try_produce("t", 1, batch(&["y"]), 9).error_code, 0);

    broker.stop();
    std::fs::remove_dir(&log).unwrap();
    std::fs::rename(&aside, &log).unwrap();
    broker.restart();
    let mut client = broker.client();
    assert_eq!(client.describe_topic("t").partitions[1].error_code, 0);
    assert_eq!(client.produce("t", 1, batch(&["y"])), 1, "what it held is still there");
}

/// An empty mount point looks like a directory for a first start.
#[test]
fn no_new_cluster_is_made_where_none_is_allowed() {
    let place = tempfile::tempdir().unwrap();
    let refused = Broker::try_with(&[("pagewire.new.cluster.allowed", "false")]).map(drop);
    let Err(error @ StartError::NoCluster(_)) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("not mounted"), "{error}");
    let start = |dir: &Path| {
        let no_new = ("pagewire.new.cluster.allowed".to_owned(), "false".to_owned());
        runtime().block_on(Node::start(config(dir, &[no_new])))
    };
    let (empty, missing) = (place.path().join("empty"), place.path().join("missing"));
    std::fs::create_dir(&empty).unwrap();
    for dir in [&empty, &missing] {
        assert!(matches!(start(dir).map(drop), Err(StartError::NoCluster(_))));
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0, "nothing was made");
    assert!(!missing.exists());
    drop(Broker::on(&empty));
    let again = start(&empty).unwrap();
    runtime().block_on(again.stop()).unwrap();
}
