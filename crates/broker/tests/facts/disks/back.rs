//! A directory that comes back, or another in its place, without a restart.

use std::fs;

use pagewire_wire::Str;
use pagewire_wire::messages::{
    delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
    find_coordinator_request::FindCoordinatorRequest,
    join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
};

use super::{STORAGE_ERROR, Two, described, leaders, with_records};
use crate::harness::{Client, FetchAt, Fetched, batch, values_of};

#[test]
fn a_directory_that_was_away_is_taken_in_without_a_restart() {
    let mut two = Two::start();
    let mut client = two.broker.client();
    client.create_topic("t", 4);
    for partition in 0..4 {
        client.produce("t", partition, batch(&["x"]));
    }
    two.lose_second();
    let ask = || two.online(false);
    assert!(ask().contains("\"error\""), "it still cannot be read");
    fs::remove_file(&two.dirs[1]).unwrap();
    fs::rename(two.aside(), &two.dirs[1]).unwrap();
    let answer = ask();
    assert!(answer.contains("\"partitions\":"), "{answer}");
    let mut client = two.broker.client();
    assert!(described(&mut client).iter().all(|dir| dir.error_code == 0));
    for partition in 0..4 {
        assert_eq!(client.produce("t", partition, batch(&["y"])), 1);
    }
    let request = FindCoordinatorRequest { coordinator_keys: vec!["g".into()], ..Default::default() };
    assert_eq!(client.call(&request, 4).coordinators[0].error_code, 0);
    two.broker.restart();
    assert_eq!(two.broker.client().end_of("t", 3), 2);
}

#[test]
fn an_empty_mount_point_is_no_new_log_directory() {
    let mut two = with_records();
    let lost = two.of(1, "t");
    two.broker.stop();
    two.unmount_second();
    two.broker.restart();
    let mut client = two.broker.client();
    for &partition in &lost {
        let produced = client.try_produce("t", partition, batch(&["y"]), 9).error_code;
        assert_eq!(produced, STORAGE_ERROR);
    }
    client.create_topic("u", 4);
    assert_eq!(
        (two.of(0, "u").len(), fs::read_dir(&two.dirs[1]).unwrap().count()),
        (4, 0),
        "nothing is made there"
    );
    let answer = two.online(false);
    assert!(answer.contains("not mounted") && answer.contains("--empty"), "{answer}");
    two.mount_second();
    let answer = two.online(false);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    for partition in 0..4 {
        assert_eq!(two.broker.client().produce("t", partition, batch(&["y"])), 1, "partition {partition}");
    }
}

#[test]
fn what_is_damaged_in_a_directory_that_comes_back_is_told() {
    let mut two = with_records();
    let lost = two.of(1, "t")[0];
    for value in ["y", "z"] {
        two.broker.client().produce("t", lost, batch(&[value]));
    }
    two.broker.stop();
    let file = two.dirs[1].join(format!("t-{lost}/00000000000000000000.log"));
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    two.unmount_second();
    two.broker.restart();
    two.mount_second();
    let answer = two.online(false);
    assert!(answer.contains("\"damage\":[\"") && answer.contains("the offsets 2 to 2"), "{answer}");
    let mut client = two.broker.client();
    let fetched = client.fetch(&FetchAt::now("t", &[(lost, 0)]), 12);
    assert_eq!(values_of(&fetched.records()).len(), 2, "what lies before it is served");
    let refused = client.fetch(&FetchAt::now("t", &[(lost, 2)]), 12).errors()[0].1;
    assert_eq!(refused, 2, "CORRUPT_MESSAGE");
}

#[test]
fn partitions_whose_loss_is_accepted_are_made_anew_under_a_higher_epoch() {
    let mut two = with_records();
    let lost = two.of(1, "t");
    two.broker.stop();
    two.unmount_second();
    two.broker.restart();
    let epoch_of = |client: &mut Client, partition: i32| {
        let partitions = client.describe_topic("t").partitions;
        partitions.iter().find(|described| described.partition_index == partition).unwrap().leader_epoch
    };
    let before = epoch_of(&mut two.broker.client(), lost[0]);
    let answer = two.online(true);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    assert!(epoch_of(&mut two.broker.client(), lost[0]) > before, "clients are to look");
    assert!(two.online(true).contains("\"error\""), "once");
    two.begins_anew_with(&lost);
}

#[test]
fn a_disk_that_is_unmounted_under_the_broker_gets_nothing_by_name_and_comes_back_without_a_restart() {
    let two = with_records();
    let (lost, mut client) = (two.of(1, "t"), two.broker.client());
    two.unmount_second();
    assert_eq!(client.try_create_topic("u", 4, 1, &[]).error_code, STORAGE_ERROR);
    assert_eq!(fs::read_dir(&two.dirs[1]).unwrap().count(), 0, "another directory has the name");
    for partition in 0..4 {
        let error = if lost.contains(&partition) { STORAGE_ERROR } else { 0 };
        assert_eq!(client.try_produce("t", partition, batch(&["y"]), 9).error_code, error);
        let fetched = client.fetch(&FetchAt::now("t", &[(partition, 0)]), 12).errors()[0].1;
        assert_eq!(fetched, 0, "what is open is read");
    }
    let topic = DeleteTopicState { name: Some("u".into()), ..Default::default() };
    client.call(&DeleteTopicsRequest { topics: vec![topic], ..Default::default() }, 6);
    assert!(two.online(false).contains("not mounted"));
    two.mount_second();
    let answer = two.online(false);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    for partition in 0..4 {
        let next = if lost.contains(&partition) { 1 } else { 2 };
        assert_eq!(client.produce("t", partition, batch(&["z"])), next, "partition {partition}");
    }
    client.create_topic("u", 4);
    assert_eq!(two.of(1, "u").len(), 2);
}

#[test]
fn a_disk_that_died_under_the_broker_is_replaced_without_a_restart() {
    let mut two = with_records();
    let (lost, mut client) = (two.of(1, "t"), two.broker.client());
    two.unmount_second();
    assert_eq!(client.try_create_topic("u", 4, 1, &[]).error_code, STORAGE_ERROR);
    let answer = two.online(true);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    assert_eq!(leaders(&mut client, "t"), [(0, 1, 1); 4]);
    two.begins_anew_with(&lost);
}

/// In home, beside the second directory, a log that cannot be opened: a directory stands where its segment belongs.
#[test]
fn a_directory_comes_back_beside_one_with_a_log_that_cannot_be_opened() {
    let mut two = with_records();
    let (here, mut lost) = (two.of(0, "t"), two.of(1, "t"));
    two.broker.stop();
    let segment = two.dirs[0].join(format!("t-{}", here[0])).join("00000000000000000000.log");
    fs::rename(&segment, segment.with_extension("aside")).unwrap();
    fs::create_dir(&segment).unwrap();
    two.broker.restart();
    two.unmount_second();
    assert_eq!(two.broker.client().try_create_topic("u", 4, 1, &[]).error_code, STORAGE_ERROR);
    two.mount_second();
    let answer = two.online(false);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    let mut client = two.broker.client();
    let home = two.dirs[0].display().to_string();
    for dir in described(&mut client) {
        let error = if dir.log_dir == home { STORAGE_ERROR } else { 0 };
        assert_eq!(dir.error_code, error, "{}: only home has a log that is not served", dir.log_dir);
    }
    lost.push(here[1]);
    for &partition in &lost {
        assert_eq!(client.produce("t", partition, batch(&["y"])), 1, "partition {partition}");
    }
    assert_eq!(client.try_produce("t", here[0], batch(&["y"]), 9).error_code, STORAGE_ERROR);
}

/// A member id that a group gave out and heard nothing of since is in memory alone.
#[test]
fn groups_in_other_directories_do_not_notice_that_one_comes_back() {
    let two = with_records();
    let mut client = two.broker.client();
    let groups = ["a", "b"];
    for group in groups {
        let request = FindCoordinatorRequest { coordinator_keys: vec![group.into()], ..Default::default() };
        assert_eq!(client.call(&request, 4).coordinators[0].error_code, 0);
    }
    let mut join = |group: &'static str, member_id: Str| loop {
        let protocol = JoinGroupRequestProtocol { name: "range".into(), ..Default::default() };
        let request = JoinGroupRequest {
            group_id: group.into(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 30_000,
            member_id: member_id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        let joined = client.call(&request, 5);
        // COORDINATOR_LOAD_IN_PROGRESS
        if joined.error_code != 14 {
            break (joined.error_code, joined.member_id);
        }
    };
    let members = groups.map(|group| join(group, Str::default()).1);
    let lost = two.of(1, "__consumer_offsets");
    assert_eq!(lost.len(), 1);
    two.unmount_second();
    assert_eq!(two.broker.client().try_create_topic("u", 4, 1, &[]).error_code, STORAGE_ERROR);
    two.mount_second();
    let answer = two.online(false);
    assert!(answer.contains("\"partitions\":3"), "{answer}");
    for (group, member_id) in groups.into_iter().zip(members) {
        // By Java's hash of the name.
        let partition = i32::from(group.as_bytes()[0] % 2);
        let expected = if lost == [partition] { 25 } else { 0 };
        assert_eq!(join(group, member_id).0, expected, "{group}");
    }
}
