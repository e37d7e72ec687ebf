//! What may be left of the first directory, which has the metadata, while the others are whole.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use pagewire_broker::StartError;
use pagewire_metadata::FILE_NAME;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::{
    find_coordinator_request::FindCoordinatorRequest, init_producer_id_request::InitProducerIdRequest,
};

use crate::disks::{STORAGE_ERROR, Two, leaders, online, with_records};
use crate::harness::{Broker, Client, batch, batch_of};

impl Two {
    fn metadata(&self) -> PathBuf {
        self.dirs[0].join(FILE_NAME)
    }

    /// Takes away everything of the first directory but for `kept`, and answers where it is.
    fn lose_home_but_for(&mut self, kept: &[&str]) -> PathBuf {
        self.broker.stop();
        let aside = self.dirs[0].with_extension("lost");
        fs::rename(&self.dirs[0], &aside).unwrap();
        fs::create_dir(&self.dirs[0]).unwrap();
        for name in kept {
            fs::copy(aside.join(name), self.dirs[0].join(name)).unwrap();
        }
        aside
    }

    fn refused(&self) -> StartError {
        self.broker.start_node().map(drop).unwrap_err()
    }

    /// Whether each partition of "t" that is in the first directory, and each that is not, takes records.
    fn writes(&self) -> [bool; 2] {
        let (here, mut client) = (self.of(1, "t"), self.broker.client());
        let mut takes = |partition| client.try_produce("t", partition, batch(&["y"]), 9).error_code == 0;
        let all: Vec<(bool, bool)> =
            (0..4).map(|partition| (here.contains(&partition), takes(partition))).collect();
        [false, true].map(|elsewhere| {
            let its: Vec<bool> =
                all.iter().filter(|(there, _)| *there == elsewhere).map(|(_, takes)| *takes).collect();
            assert_eq!(its.len(), 2);
            assert_eq!(its[0], its[1]);
            its[0]
        })
    }
}

fn epoch(client: &mut Client) -> i32 {
    client.describe_topic("t").partitions.iter().map(|partition| partition.leader_epoch).max().unwrap()
}

fn new_producer(client: &mut Client) -> i64 {
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    client.call(&request, 4).producer_id
}

#[test]
fn a_first_directory_that_is_empty_beside_one_that_was_served_begins_no_new_cluster() {
    let mut two = with_records();
    two.broker.stop();
    fs::rename(&two.dirs[0], two.aside()).unwrap();
    let refused = two.broker.start_node().map(drop);
    let Err(error @ StartError::NoHome { .. }) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("not mounted"), "{error}");
    assert!(!two.dirs[0].exists(), "nothing was made");
    fs::rename(two.aside(), &two.dirs[0]).unwrap();
    two.broker.restart();
    assert_eq!(two.broker.client().end_of("t", 3), 1);
}

/// A disk was replaced, and the metadata put back that had been saved.
#[test]
fn with_the_metadata_alone_the_other_directories_are_served_and_home_waits_to_be_made_anew() {
    let mut two = with_records();
    let (epoch_before, producer) = (epoch(&mut two.broker.client()), new_producer(&mut two.broker.client()));
    two.lose_home_but_for(&[FILE_NAME]);
    two.broker.restart();
    for _ in 0..2 {
        assert_eq!(two.writes(), [false, true]);
        assert_eq!(two.of(0, "t"), [0; 0], "nothing is made in silence");
        two.broker.restart();
    }
    let mut client = two.broker.client();
    // Both may have come further after the copy was made.
    assert!(epoch(&mut client) >= epoch_before + 1000);
    assert!(new_producer(&mut client) > producer + (1 << 31));
    let answer = online(&two.dirs[0], &two.dirs[0], true);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    assert_eq!(two.writes(), [true, true]);
    two.broker.restart();
    assert_eq!(two.writes(), [true, true]);
}

#[test]
fn with_the_metadata_alone_what_is_put_back_is_served() {
    let mut two = with_records();
    let lost = two.of(0, "t");
    let aside = two.lose_home_but_for(&[FILE_NAME]);
    two.broker.restart();
    for partition in &lost {
        let name = format!("t-{partition}");
        fs::rename(aside.join(&name), two.dirs[0].join(&name)).unwrap();
    }
    let answer = online(&two.dirs[0], &two.dirs[0], false);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    for partition in 0..4 {
        assert_eq!(two.broker.client().produce("t", partition, batch(&["y"])), 1, "partition {partition}");
    }
}

#[test]
fn with_nothing_left_the_way_on_is_a_copy_of_the_metadata_and_nothing_is_to_be_emptied() {
    let mut two = with_records();
    let aside = two.lose_home_but_for(&[]);
    let refused = two.refused();
    let said = refused.to_string();
    assert!(matches!(refused, StartError::NoHome { .. }), "{said}");
    assert!(said.contains(FILE_NAME) && !said.contains("empty the other"), "{said}");
    fs::copy(aside.join(FILE_NAME), two.metadata()).unwrap();
    two.broker.restart();
    assert_eq!(two.writes(), [false, true]);
}

/// The copy was made before a topic was, before the epoch rose and before producer ids were given out.
#[test]
fn with_everything_but_the_metadata_an_older_copy_serves_what_it_knows_and_gives_nothing_out_twice() {
    let mut two = with_records();
    let saved = two.dirs[0].with_extension("saved");
    two.broker.stop();
    fs::copy(two.metadata(), &saved).unwrap();
    two.broker.restart();
    let producer = new_producer(&mut two.broker.client());
    let of_producer = BatchBuilder::new(Codec::None).producer(producer, 0, 0);
    two.broker.client().produce("t", 0, batch_of(of_producer, &["x"]));
    two.broker.client().create_topic("late", 2);
    two.broker.stop();
    fs::remove_file(two.metadata()).unwrap();
    let said = two.refused().to_string();
    assert!(said.contains("Put the file back"), "{said}");
    fs::copy(&saved, two.metadata()).unwrap();
    two.broker.restart();
    assert_eq!(two.writes(), [true, true]);
    let mut client = two.broker.client();
    assert!(new_producer(&mut client) > producer, "given out before");
    let there = |dir: &Path| fs::read_dir(dir).unwrap().any(|entry| entry.unwrap().file_name() == "late-0");
    assert!(two.dirs.iter().any(|dir| there(dir)), "what the copy does not know is left alone");
}

/// What a transactional id is, asked until its coordinator answers.
fn producer_of(client: &mut Client, transactional_id: &'static str) -> i64 {
    let id = transactional_id.into();
    client.call(&FindCoordinatorRequest { key: id, key_type: 1, ..Default::default() }, 3);
    let id = Some(transactional_id.into());
    let request =
        InitProducerIdRequest { transactional_id: id, transaction_timeout_ms: 60_000, ..Default::default() };
    let answers = (0..500).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        client.call(&request, 4)
    });
    let mut given = answers.skip_while(|answer| answer.error_code != 0);
    given.next().expect("a producer id in time").producer_id
}

/// Of a producer that has written nothing only what is known of its transactions is left.
#[test]
fn an_older_copy_of_the_metadata_gives_no_producer_id_of_a_transactional_id_out_again() {
    let mut two = with_records();
    producer_of(&mut two.broker.client(), "before");
    let saved = two.dirs[0].with_extension("saved");
    two.broker.stop();
    fs::copy(two.metadata(), &saved).unwrap();
    two.broker.restart();
    let producer = producer_of(&mut two.broker.client(), "pay");
    two.broker.stop();
    fs::copy(&saved, two.metadata()).unwrap();
    two.broker.restart();
    let mut client = two.broker.client();
    assert!(new_producer(&mut client) > producer, "given out before");
    assert!(producer_of(&mut client, "ship") > producer, "given out before");
}

#[test]
fn metadata_of_another_cluster_is_refused_and_changes_nothing() {
    let mut other = Broker::start();
    other.client().create_topic("t", 4);
    other.stop();
    for kept in [&["meta.properties"][..], &[]] {
        let mut two = with_records();
        let aside = two.lose_home_but_for(kept);
        fs::copy(other.dir().join(FILE_NAME), two.metadata()).unwrap();
        let said = two.refused().to_string();
        assert!(said.contains("cluster") && said.contains(FILE_NAME), "{said}");
        assert_eq!(two.dirs[0].join("meta.properties").exists(), !kept.is_empty());
        fs::copy(aside.join(FILE_NAME), two.metadata()).unwrap();
        two.broker.restart();
        assert_eq!(two.writes(), [false, true]);
    }
}

/// One directory alone, of which nothing is left but the metadata.
#[test]
fn a_directory_with_nothing_but_its_metadata_is_not_served_as_if_it_were_whole() {
    let (mut broker, aside) = (Broker::start(), tempfile::tempdir().unwrap());
    broker.client().create_topic("t", 1);
    broker.client().produce("t", 0, batch(&["x"]));
    broker.stop();
    for name in ["t-0", "meta.properties"] {
        fs::rename(broker.dir().join(name), aside.path().join(name)).unwrap();
    }
    broker.restart();
    let mut client = broker.client();
    assert_eq!(leaders(&mut client, "t"), [(5, -1, 0)]);
    assert_eq!(client.try_produce("t", 0, batch(&["y"]), 9).error_code, STORAGE_ERROR);
    assert!(!broker.dir().join("t-0").exists(), "nothing was made");
    fs::rename(aside.path().join("t-0"), broker.dir().join("t-0")).unwrap();
    broker.restart();
    assert_eq!(broker.client().end_of("t", 0), 1);
}
