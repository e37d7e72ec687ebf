//! A directory that is not there at the start: its partitions are offline, the others are served.

use std::{collections::BTreeMap, fs};

use pagewire_broker::StartError;
use pagewire_wire::messages::{
    delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
    describe_topic_partitions_request::DescribeTopicPartitionsRequest,
    find_coordinator_request::FindCoordinatorRequest,
};
use serde_json::json;

use super::{STORAGE_ERROR, Two, described, leaders, with_records};
use crate::harness::{Broker, Client, FetchAt, Fetched, batch, now_ms, values_of};
use crate::status::status;

#[test]
fn partitions_are_spread_over_directories_and_stay_where_they_are() {
    let mut two = Two::start();
    two.broker.client().create_topic("t", 4);
    for partition in 0..4 {
        two.broker.client().produce("t", partition, batch(&["x"]));
    }
    let before = [two.of(0, "t"), two.of(1, "t")];
    assert_eq!(before.each_ref().map(Vec::len), [2, 2]);
    two.broker.restart();
    let mut client = two.broker.client();
    for partition in 0..4 {
        assert_eq!(client.produce("t", partition, batch(&["y"])), 1);
    }
    assert_eq!([two.of(0, "t"), two.of(1, "t")], before);
    let sizes: BTreeMap<_, _> = described(&mut client)
        .into_iter()
        .map(|dir| (dir.log_dir.to_string(), (dir.error_code, dir.topics[0].partitions.len())))
        .collect();
    assert_eq!(sizes, two.dirs.iter().map(|dir| (dir.display().to_string(), (0, 2))).collect());
    client.create_topic("u", 1);
    client.create_topic("v", 1);
    assert_eq!(
        [two.of(0, "u").len() + two.of(0, "v").len(), two.of(1, "u").len() + two.of(1, "v").len()],
        [1, 1]
    );
}

/// As Kafka 4.3 answers: no leader, nobody in sync, the last one eligible.
#[test]
fn a_directory_that_is_away_takes_its_partitions_offline_and_no_others() {
    let mut two = Two::start();
    two.broker.client().create_topic("t", 4);
    for partition in 0..4 {
        two.broker.client().produce("t", partition, batch(&["x"]));
    }
    let lost = two.of(1, "t");
    two.lose_second();
    let mut client = two.broker.client();
    let expected = |partition: i32| if lost.contains(&partition) { (5, -1, 0) } else { (0, 1, 1) };
    assert_eq!(leaders(&mut client, "t"), (0..4).map(expected).collect::<Vec<_>>());
    let request = DescribeTopicPartitionsRequest { response_partition_limit: 100, ..Default::default() };
    for partition in &client.call(&request, 0).topics[0].partitions {
        let gone = usize::from(lost.contains(&partition.partition_index));
        assert_eq!(partition.eligible_leader_replicas.as_ref().unwrap().len(), gone);
        assert_eq!(partition.offline_replicas.len(), gone);
    }
    for partition in 0..4 {
        let produced = client.try_produce("t", partition, batch(&["y"]), 9).error_code;
        let fetched = client.fetch(&FetchAt::now("t", &[(partition, 0)]), 12).errors()[0].1;
        let error = if lost.contains(&partition) { STORAGE_ERROR } else { 0 };
        assert_eq!((produced, fetched), (error, error), "partition {partition}");
    }
    let told: Vec<_> =
        described(&mut client).iter().map(|dir| (dir.error_code, dir.total_bytes > 0)).collect();
    assert_eq!(told, [(0, true), (STORAGE_ERROR, false)]);
    client.create_topic("u", 3);
    assert_eq!(two.of(0, "u").len(), 3, "new ones go where they can");
    assert_eq!(two.of(0, "t").len(), 2, "and none of the lost is made anew");

    two.find_second();
    let mut client = two.broker.client();
    for partition in 0..4 {
        let values = values_of(&client.fetch(&FetchAt::now("t", &[(partition, 0)]), 12).records()).len();
        assert_eq!(values, if lost.contains(&partition) { 1 } else { 2 });
    }
}

#[test]
fn a_topic_deleted_while_a_directory_is_away_does_not_come_back_with_it() {
    let mut two = Two::start();
    two.broker.client().create_topic("t", 4);
    two.lose_second();
    let topic = DeleteTopicState { name: Some("t".into()), ..Default::default() };
    let request = DeleteTopicsRequest { topics: vec![topic], ..Default::default() };
    assert_eq!(two.broker.client().call(&request, 6).responses[0].error_code, 0);
    two.broker.restart();
    two.find_second();
    assert_eq!(two.of(1, "t"), [0; 0]);
    two.broker.client().create_topic("t", 4);
    assert_eq!(two.broker.client().produce("t", 3, batch(&["x"])), 0);
}

#[test]
fn a_partition_that_was_moved_is_not_made_anew_where_it_was() {
    let mut two = Two::start();
    two.broker.client().create_topic("t", 2);
    two.broker.client().produce("t", 0, batch(&["x"]));
    assert_eq!(two.of(0, "t"), [0]);
    two.broker.stop();
    fs::rename(two.dirs[0].join("t-0"), two.dirs[1].join("t-0")).unwrap();
    two.broker.restart();
    assert_eq!(two.broker.client().end_of("t", 0), 1);
    two.lose_second();
    assert_eq!(leaders(&mut two.broker.client(), "t"), [(5, -1, 0); 2]);
    assert_eq!(two.of(0, "t"), [0; 0]);
    two.find_second();
    assert_eq!(two.broker.client().end_of("t", 0), 1);
}

#[test]
fn the_directory_with_the_metadata_is_named_first() {
    let mut two = Two::start();
    two.broker.stop();
    let [one, other] = two.dirs.each_ref().map(|dir| dir.display().to_string());
    let swapped = Broker::try_with(&[("log.dirs", &format!("{other},{one}"))]);
    let Err(error @ StartError::Elsewhere { .. }) = swapped.map(drop) else { panic!("it is elsewhere") };
    assert!(error.to_string().contains(&one), "{error}");
}

/// The offsets topic has two partitions here, one in each directory.
#[test]
fn a_group_whose_partition_is_away_is_told_so_and_the_others_go_on() {
    let mut two = Two::start();
    let mut client = two.broker.client();
    client.create_topic("t", 1);
    let find = |client: &mut Client| {
        let coordinator_keys = (0..8).map(|number| format!("g{number}").into()).collect();
        let request = FindCoordinatorRequest { coordinator_keys, ..Default::default() };
        client.call(&request, 4).coordinators
    };
    assert!(find(&mut client).iter().all(|found| found.error_code == 0));
    two.lose_second();
    let found = find(&mut two.broker.client());
    let (lost, served): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.error_code != 0);
    assert!(!lost.is_empty() && !served.is_empty());
    for found in lost {
        assert_eq!((found.error_code, found.node_id), (15, -1), "COORDINATOR_NOT_AVAILABLE, as Kafka");
        assert!(found.error_message.as_ref().unwrap().contains("offline"));
    }
}

#[test]
fn status_tells_which_directory_is_offline_why_and_since_when() {
    let mut two = with_records();
    let said = status(&two.dirs[0]);
    assert_eq!(
        (&said["log_dirs"][1]["offline"], &said["log_dirs"][1]["away"]),
        (&json!(null), &json!(false))
    );
    assert_eq!(said["metrics"]["pagewire_log_dirs_offline"], 0);
    let before = now_ms();
    two.lose_second();
    let said = status(&two.dirs[0]);
    let (home, lost) = (&said["log_dirs"][0], &said["log_dirs"][1]);
    assert_eq!((&home["offline"], &home["offline_since_ms"]), (&json!(null), &json!(null)));
    assert_eq!((&lost["path"], &lost["away"]), (&json!(two.dirs[1].to_str()), &json!(true)));
    assert!(lost["offline"].as_str().is_some_and(|why| !why.is_empty()), "{lost}");
    let since = lost["offline_since_ms"].as_i64().unwrap();
    assert!((before..=now_ms()).contains(&since), "{lost}");
    assert_eq!(said["metrics"]["pagewire_log_dirs_offline"], 1);
    let again = status(&two.dirs[0]);
    assert_eq!(again["log_dirs"][1]["offline_since_ms"], since, "the first look counts");
    two.find_second();
    assert_eq!(status(&two.dirs[0])["log_dirs"][1]["offline_since_ms"], json!(null));
}
