//! What the cluster says about itself: ids, disks, topics page by page.

use pagewire_wire::{
    Str,
    messages::{
        create_acls_request::{AclCreation, CreateAclsRequest},
        delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest},
        describe_acls_request::DescribeAclsRequest,
        describe_cluster_request::DescribeClusterRequest,
        describe_groups_request::DescribeGroupsRequest,
        describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest},
        describe_topic_partitions_request::{Cursor, DescribeTopicPartitionsRequest, TopicRequest},
        list_partition_reassignments_request::ListPartitionReassignmentsRequest,
        metadata_request::MetadataRequest,
        offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics},
    },
};

use crate::harness::{Broker, batch};

#[test]
fn the_cluster_has_an_id_a_controller_and_this_broker() {
    let broker = Broker::with(&[("node.id", "0"), ("broker.rack", "r1")]);
    let mut client = broker.client();
    let metadata = client.call(&MetadataRequest::default(), 12);
    let cluster = client.call(&DescribeClusterRequest::default(), 2);
    let id = metadata.cluster_id.unwrap();
    assert_eq!(id.len(), 22);
    assert_eq!((cluster.error_code, cluster.cluster_id), (0, id));
    assert_eq!((metadata.controller_id, cluster.controller_id), (0, 0));
    assert_eq!((metadata.brokers[0].node_id, metadata.brokers[0].rack.as_deref()), (0, Some("r1")));
    assert_eq!((cluster.brokers[0].broker_id, cluster.brokers[0].is_fenced), (0, false));
}

#[test]
fn controllers_are_asked_elsewhere() {
    let broker = Broker::start();
    let answer = broker.client().call(&DescribeClusterRequest { endpoint_type: 2, ..Default::default() }, 1);
    assert_eq!((answer.error_code, answer.brokers.len()), (114, 0));
}

#[test]
fn rules_of_access_are_refused_one_by_one_while_security_is_switched_off() {
    const SECURITY_DISABLED: i16 = 54;
    let told = |code, message: Option<Str>| (code, message.unwrap().to_string());
    let refused = (SECURITY_DISABLED, "No Authorizer is configured.".to_owned());
    let broker = Broker::start();
    let mut client = broker.client();
    for version in 1..=3 {
        let described = client.call(&DescribeAclsRequest::default(), version);
        let words = "No Authorizer is configured on the broker".to_owned();
        assert_eq!(told(described.error_code, described.error_message), (SECURITY_DISABLED, words));
        assert!(described.resources.is_empty());
        let creations = vec![AclCreation::default(); 2];
        let created = client.call(&CreateAclsRequest { creations, ..Default::default() }, version).results;
        let created: Vec<_> =
            created.into_iter().map(|one| told(one.error_code, one.error_message)).collect();
        assert_eq!(created, [refused.clone(), refused.clone()]);
        let filters = vec![DeleteAclsFilter::default(); 2];
        let deleted =
            client.call(&DeleteAclsRequest { filters, ..Default::default() }, version).filter_results;
        let deleted: Vec<_> =
            deleted.into_iter().map(|one| told(one.error_code, one.error_message)).collect();
        assert_eq!(deleted, [refused.clone(), refused.clone()]);
    }
}

#[test]
fn endpoints_of_an_unknown_type_are_not_supported_and_a_refusal_names_no_cluster() {
    let broker = Broker::start();
    for (endpoint_type, code) in [(2, 114), (0, 115), (9, 115), (-1, 115)] {
        let answer = broker.client().call(&DescribeClusterRequest { endpoint_type, ..Default::default() }, 1);
        assert_eq!((answer.error_code, answer.endpoint_type), (code, 1));
        assert_eq!((answer.cluster_id.as_ref(), answer.controller_id), ("", -1));
    }
}

#[test]
fn operations_are_told_only_when_asked_for() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let plain = client.call(&MetadataRequest { topics: None, ..Default::default() }, 8);
    assert_eq!(plain.topics[0].topic_authorized_operations, i32::MIN);
    assert_eq!(plain.cluster_authorized_operations, i32::MIN);
    let request = MetadataRequest {
        topics: None,
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
        ..Default::default()
    };
    let asked = client.call(&request, 8);
    // Bits of Kafka's AclOperation: read 3, write 4, create 5, delete 6, alter 7, describe 8, cluster action 9,
    // describe configs 10, alter configs 11, idempotent write 12.
    let bits = |bits: &[i32]| bits.iter().map(|bit| 1 << bit).sum::<i32>();
    assert_eq!(asked.topics[0].topic_authorized_operations, bits(&[3, 4, 5, 6, 7, 8, 10, 11]));
    assert_eq!(asked.cluster_authorized_operations, bits(&[5, 7, 8, 9, 10, 11, 12]));
}

#[test]
fn log_dirs_tell_what_each_partition_takes() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    let records = batch(&["0123456789"]);
    client.produce("t", 1, records.clone());
    let answer = client.call(&DescribeLogDirsRequest { topics: None, ..Default::default() }, 4);
    let [dir] = &answer.results[..] else { panic!("one directory") };
    assert_eq!((dir.error_code, &*dir.log_dir), (0, broker.dir().to_str().unwrap()));
    assert!(dir.total_bytes >= dir.usable_bytes && dir.usable_bytes > 0);
    let sizes: Vec<_> =
        dir.topics[0].partitions.iter().map(|p| (p.partition_index, p.partition_size)).collect();
    assert_eq!(sizes, [(0, 0), (1, i64::try_from(records.len()).unwrap())]);

    let some = DescribableLogDirTopic { topic: "t".into(), partitions: vec![1, 9], ..Default::default() };
    let answer = client.call(&DescribeLogDirsRequest { topics: Some(vec![some]), ..Default::default() }, 1);
    assert_eq!(answer.results[0].topics[0].partitions.len(), 1);
}

#[test]
fn topics_are_described_page_by_page() {
    let broker = Broker::start();
    let mut client = broker.client();
    for (name, partitions) in [("b", 3), ("a", 2), ("c", 2)] {
        client.create_topic(name, partitions);
    }
    let (mut cursor, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let request =
            DescribeTopicPartitionsRequest { response_partition_limit: 2, cursor, ..Default::default() };
        let answer = client.call(&request, 0);
        for topic in &answer.topics {
            assert_eq!(topic.error_code, 0);
            let name = topic.name.as_deref().unwrap().to_owned();
            seen.extend(topic.partitions.iter().map(|partition| (name.clone(), partition.partition_index)));
        }
        pages += 1;
        let Some(next) = answer.next_cursor else { break };
        let (topic_name, partition_index) = (next.topic_name, next.partition_index);
        cursor = Some(Cursor { topic_name, partition_index, ..Default::default() });
        assert!(pages < 10, "pages end");
    }
    let expected = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2), ("c", 0), ("c", 1)];
    assert_eq!(seen, expected.map(|(name, partition)| (name.to_owned(), partition)));
    assert!(pages >= 4);
}

#[test]
fn a_described_topic_that_does_not_exist_is_an_error_of_its_own() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let names = ["t", "nowhere", "a b"];
    let topics = names.map(|name| TopicRequest { name: name.into(), ..Default::default() }).to_vec();
    let answer = client.call(&DescribeTopicPartitionsRequest { topics, ..Default::default() }, 0);
    let codes: Vec<_> = answer.topics.iter().map(|t| (t.name.as_deref().unwrap(), t.error_code)).collect();
    assert_eq!(codes, [("a b", 17), ("nowhere", 3), ("t", 0)]);
}

#[test]
fn a_page_cannot_begin_before_the_first_partition() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let cursor = Some(Cursor { topic_name: "t".into(), partition_index: -1, ..Default::default() });
    let topics = vec![TopicRequest { name: "t".into(), ..Default::default() }];
    let answer = client.call(&DescribeTopicPartitionsRequest { topics, cursor, ..Default::default() }, 0);
    let codes: Vec<_> = answer.topics.iter().map(|t| (t.name.as_deref().unwrap(), t.error_code)).collect();
    assert_eq!(codes, [("t", 42)]);
}

#[test]
fn nothing_moves_on_one_node() {
    let broker = Broker::start();
    let answer = broker.client().call(&ListPartitionReassignmentsRequest::default(), 0);
    assert_eq!((answer.error_code, answer.topics.len()), (0, 0));
}

#[test]
fn groups_and_offsets_asked_for_many_times_are_answered_once() {
    let broker = Broker::start();
    let mut client = broker.client();
    let request = DescribeGroupsRequest { groups: vec!["g".into(); 20_000], ..Default::default() };
    assert_eq!(client.call(&request, 5).groups.len(), 1);

    let topic = |name: &'static str| OffsetFetchRequestTopics {
        name: name.into(),
        partition_indexes: vec![0; 100],
        ..Default::default()
    };
    let group = |id: &'static str| OffsetFetchRequestGroup {
        group_id: id.into(),
        topics: Some(vec![topic("t"), topic("u"), topic("t")]),
        ..Default::default()
    };
    let groups = (0..2000).map(|n| group(if n % 2 == 0 { "g" } else { "h" })).collect();
    let answer = client.call(&OffsetFetchRequest { groups, ..Default::default() }, 8);
    let ids: Vec<_> = answer.groups.iter().map(|group| group.group_id.as_str()).collect();
    assert_eq!(ids, ["g", "h"]);
    assert!(answer.groups.iter().flat_map(|group| &group.topics).all(|topic| topic.partitions.len() == 1));
}
