//! Several log directories, of which one may be away.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use pagewire_broker::StartError;
use pagewire_wire::Str;
use pagewire_wire::messages::{
    delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
    describe_log_dirs_request::DescribeLogDirsRequest,
    describe_log_dirs_response::DescribeLogDirsResult,
    describe_topic_partitions_request::DescribeTopicPartitionsRequest,
    find_coordinator_request::FindCoordinatorRequest,
    join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol},
};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Broker, Client, FetchAt, Fetched, batch, now_ms, values_of};
use crate::status::status;

/// KAFKA_STORAGE_ERROR.
pub(crate) const STORAGE_ERROR: i16 = 56;

/// A broker on two directories.
pub(crate) struct Two {
    pub(crate) broker: Broker,
    pub(crate) dirs: [PathBuf; 2],
    _root: TempDir,
}

impl Two {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dirs = ["one", "two"].map(|name| root.path().join(name));
        let listed = dirs.each_ref().map(|dir| dir.to_str().unwrap()).join(",");
        Self { broker: Broker::with(&[("log.dirs", &listed)]), dirs, _root: root }
    }

    /// Stops, puts a file where the second directory is, and starts again.
    fn lose_second(&mut self) {
        self.broker.stop();
        fs::rename(&self.dirs[1], self.aside()).unwrap();
        fs::write(&self.dirs[1], "not a directory").unwrap();
        self.broker.restart();
    }

    fn find_second(&mut self) {
        self.broker.stop();
        fs::remove_file(&self.dirs[1]).unwrap();
        fs::rename(self.aside(), &self.dirs[1]).unwrap();
        self.broker.restart();
    }

    /// Partitions in `lost` begin at 0, in the second directory; the others of "t" go on. Also after a restart.
    fn begins_anew_with(&mut self, lost: &[i32]) {
        for round in 0..2 {
            for partition in 0..4 {
                let first = i64::from(!lost.contains(&partition));
                let offset = self.broker.client().produce("t", partition, batch(&["y"]));
                assert_eq!(offset, first + round, "partition {partition}");
            }
            self.broker.restart();
        }
        assert_eq!(self.of(1, "t"), lost);
    }

    /// Moves the content of the second directory away, as an unmount does, whether or not a broker runs.
    fn unmount_second(&self) {
        fs::rename(&self.dirs[1], self.aside()).unwrap();
        fs::create_dir(&self.dirs[1]).unwrap();
    }

    fn mount_second(&self) {
        fs::remove_dir(&self.dirs[1]).unwrap();
        fs::rename(self.aside(), &self.dirs[1]).unwrap();
    }

    /// Asks for the second directory; the answer.
    fn online(&self, empty: bool) -> String {
        online(&self.dirs[0], &self.dirs[1], empty)
    }

    pub(crate) fn aside(&self) -> PathBuf {
        self.dirs[1].with_extension("aside")
    }

    /// The partitions of a topic in a directory.
    pub(crate) fn of(&self, dir: usize, topic: &str) -> Vec<i32> {
        let names = fs::read_dir(&self.dirs[dir]).unwrap().map(|entry| entry.unwrap().file_name());
        let mut found: Vec<i32> = names
            .filter_map(|name| name.to_str()?.strip_prefix(topic)?.strip_prefix('-')?.parse().ok())
            .collect();
        found.sort_unstable();
        found
    }
}

/// Asks the broker whose first directory is `home` for a directory; the answer.
pub(crate) fn online(home: &Path, dir: &Path, empty: bool) -> String {
    let dir = dir.to_str().unwrap();
    let request = format!("{{\"verb\":\"online\",\"dir\":\"{dir}\",\"empty\":{empty}}}\n");
    let mut socket = UnixStream::connect(home.join("control.sock")).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn described(client: &mut Client) -> Vec<DescribeLogDirsResult> {
    client.call(&DescribeLogDirsRequest { topics: None, ..Default::default() }, 4).results
}

pub(crate) fn leaders(client: &mut Client, topic: &'static str) -> Vec<(i16, i32, usize)> {
    let partitions = client.describe_topic(topic).partitions;
    partitions.iter().map(|p| (p.error_code, p.leader_id, p.isr_nodes.len())).collect()
}

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

/// A broker with a topic of four partitions, a record in each.
pub(crate) fn with_records() -> Two {
    let two = Two::start();
    let mut client = two.broker.client();
    client.create_topic("t", 4);
    for partition in 0..4 {
        client.produce("t", partition, batch(&["x"]));
    }
    two
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
    assert!(described(&mut client).iter().all(|dir| dir.error_code == 0), "home goes on");
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

/// A broker of one directory with two partitions, a record in each, of which the directory of the first was taken away.
fn without_a_partition() -> (Broker, TempDir) {
    let (mut broker, aside) = (Broker::start(), tempfile::tempdir().unwrap());
    let mut client = broker.client();
    client.create_topic("t", 2);
    for partition in 0..2 {
        client.produce("t", partition, batch(&["x"]));
    }
    broker.stop();
    fs::rename(broker.dir().join("t-0"), aside.path().join("t-0")).unwrap();
    broker.restart();
    (broker, aside)
}

#[test]
fn a_partition_whose_directory_was_removed_is_offline_until_it_is_put_back() {
    let (mut broker, aside) = without_a_partition();
    for _ in 0..2 {
        let mut client = broker.client();
        assert_eq!(leaders(&mut client, "t"), [(5, -1, 0), (0, 1, 1)]);
        assert_eq!(client.try_produce("t", 0, batch(&["y"]), 9).error_code, STORAGE_ERROR);
        assert!(!broker.dir().join("t-0").exists());
        let answer = online(broker.dir(), broker.dir(), false);
        assert!(answer.contains("missing partitions (1)"), "{answer}");
        broker.restart();
    }
    fs::rename(aside.path().join("t-0"), broker.dir().join("t-0")).unwrap();
    let answer = online(broker.dir(), broker.dir(), false);
    assert!(answer.contains("\"partitions\":1"), "{answer}");
    let mut client = broker.client();
    assert_eq!((client.produce("t", 0, batch(&["y"])), client.produce("t", 1, batch(&["y"]))), (1, 1));
    assert!(online(broker.dir(), broker.dir(), false).contains("served already"));
}

#[test]
fn a_partition_whose_loss_is_accepted_is_made_anew_and_the_others_keep_theirs() {
    let (mut broker, _aside) = without_a_partition();
    let before = broker.client().describe_topic("t").partitions[0].leader_epoch;
    let answer = online(broker.dir(), broker.dir(), true);
    assert!(answer.contains("\"partitions\":1"), "{answer}");
    let mut client = broker.client();
    assert!(client.describe_topic("t").partitions[0].leader_epoch > before, "clients are to look");
    assert_eq!((client.produce("t", 0, batch(&["y"])), client.produce("t", 1, batch(&["y"]))), (0, 1));
    broker.restart();
    assert_eq!((broker.client().end_of("t", 0), broker.client().end_of("t", 1)), (1, 2));
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
