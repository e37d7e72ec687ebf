//! What a restored broker is: the one that was backed up, a little older.

use std::fs;
use std::os::unix::fs::MetadataExt;

use pagewire_broker::StartError;

use super::Place;
use crate::harness::{Broker, FetchAt, Fetched, batch, config, runtime, values_of};

#[test]
fn topics_ids_settings_and_records_are_those_of_the_backup() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic_with("t", 2, &[("retention.ms", "-1")]);
    client.produce("t", 1, batch(&["a", "b"]));
    let place = Place::new();
    place.back_up(&broker, "backup");
    client.produce("t", 1, batch(&["c"]));
    client.create_topic("later", 1);
    let restored = place.restore("backup", "data");
    assert_eq!(restored.logs, 2);
    let again = Broker::on(&place.path("data"));
    let mut client = again.client();
    let topic = client.describe_topic("t");
    assert_eq!((topic.topic_id, topic.partitions.len()), (id, 2));
    assert_eq!(client.describe_topic("later").error_code, 3);
    let fetched = client.fetch(&FetchAt::now("t", &[(1, 0)]), 12);
    assert_eq!(values_of(&fetched.records()), [(0, "a".into()), (1, "b".into())]);
    assert_eq!(client.produce("t", 1, batch(&["d"])), 2);
}

#[test]
fn several_log_directories_become_one() {
    let place = Place::new();
    let dirs = [place.path("a"), place.path("b")].map(|dir| dir.display().to_string()).join(",");
    let broker = Broker::with(&[("log.dirs", &dirs)]);
    let mut client = broker.client();
    client.create_topic("t", 4);
    for partition in 0..4 {
        client.produce("t", partition, batch(&["x"]));
    }
    assert!((0..4).any(|partition| place.path(&format!("b/t-{partition}")).exists()), "both are used");
    let request = serde_json::json!({"verb": "backup", "to": place.path("backup")});
    crate::control::Control::of(&place.path("a")).ask(&request).unwrap();
    drop(broker);
    place.restore("backup", "data");
    let mut again = Broker::on(&place.path("data"));
    for _ in 0..2 {
        for partition in 0..4 {
            assert_eq!(again.client().end_of("t", partition), 1);
        }
        again.restart();
    }
}

#[test]
fn a_backup_becomes_several_directories_which_keep_what_they_have() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 4);
    for partition in 0..4 {
        client.produce("t", partition, batch(&["x"]));
    }
    crate::offsets::delete_before(&mut client, "t", 3, 1);
    let place = Place::new();
    place.back_up(&broker, "backup");
    place.restore_with("backup", &["a", "b"], false, false).unwrap();
    let holds = |dir: &str| (0..4).filter(|at| place.path(&format!("{dir}/t-{at}")).exists()).count();
    assert_eq!((holds("a"), holds("b")), (2, 2), "spread");
    let dirs = ["a", "b"].map(|dir| place.path(dir).display().to_string()).join(",");
    let config = [("log.dirs", dirs.as_str())];
    let away = place.path("away");
    fs::rename(place.path("b"), &away).unwrap();
    fs::write(place.path("b"), "no directory").unwrap();
    let offline = Broker::with(&config);
    let mut client = offline.client();
    let errors = client.describe_topic("t").partitions.iter().filter(|found| found.error_code != 0).count();
    assert_eq!(errors, 2, "none is made anew where it is not");
    drop(offline);
    fs::remove_file(place.path("b")).unwrap();
    fs::rename(&away, place.path("b")).unwrap();
    let mut again = Broker::with(&config);
    for _ in 0..2 {
        let mut client = again.client();
        for partition in 0..4 {
            assert_eq!(client.end_of("t", partition), 1);
        }
        assert_eq!(client.list_offset("t", 3, -2, 7).1, 1);
        again.restart();
    }
}

/// Also at the first start: an empty mount point is no new directory.
#[test]
fn a_restored_directory_that_is_not_mounted_is_missed_and_nothing_is_written_in_its_place() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 4);
    for partition in 0..4 {
        client.produce("t", partition, batch(&["x"]));
    }
    let place = Place::new();
    place.back_up(&broker, "backup");
    place.restore_with("backup", &["a", "b"], false, false).unwrap();
    let dirs = ["a", "b"].map(|dir| place.path(dir).display().to_string()).join(",");
    let config = [("log.dirs", dirs.as_str())];
    fs::rename(place.path("b"), place.path("aside")).unwrap();
    for is_there in [true, false] {
        if is_there {
            fs::create_dir(place.path("b")).unwrap();
        }
        let offline = Broker::with(&config);
        let mut client = offline.client();
        client.create_topic(if is_there { "u" } else { "v" }, 4);
        let partitions = client.describe_topic("t").partitions;
        let errors = partitions.iter().filter(|found| found.error_code != 0).count();
        assert_eq!(errors, 2, "none is made anew");
        drop(offline);
        if is_there {
            fs::remove_dir(place.path("b")).expect("nothing is in it");
        }
    }
    assert!(!place.path("b").exists());
    fs::rename(place.path("aside"), place.path("b")).unwrap();
    let again = Broker::with(&config);
    for partition in 0..4 {
        assert_eq!(again.client().end_of("t", partition), 1);
    }
}

/// The metadata of the original knows the paths that it served; in a restored one these are nobody's.
#[test]
fn an_empty_directory_where_the_original_had_one_is_a_new_one() {
    let place = Place::new();
    let dirs = [place.path("a"), place.path("b")].map(|dir| dir.display().to_string()).join(",");
    let config = [("log.dirs", dirs.as_str())];
    let broker = Broker::with(&config);
    let mut client = broker.client();
    client.create_topic("t", 2);
    for partition in 0..2 {
        client.produce("t", partition, batch(&["x"]));
    }
    let request = serde_json::json!({"verb": "backup", "to": place.path("backup")});
    crate::control::Control::of(&place.path("a")).ask(&request).unwrap();
    drop(broker);
    for name in ["a", "b"] {
        fs::remove_dir_all(place.path(name)).unwrap();
    }
    place.restore("backup", "a");
    fs::create_dir(place.path("b")).unwrap();
    let again = Broker::with(&config);
    let mut client = again.client();
    assert_eq!([client.end_of("t", 0), client.end_of("t", 1)], [1, 1]);
    client.create_topic("u", 4);
    assert!((0..4).any(|at| place.path(&format!("b/u-{at}")).exists()), "it is served");
}

/// Clients may have seen records, and epochs, that the backup does not have.
#[test]
fn it_leads_by_an_epoch_that_its_original_cannot_have_reached() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["a"]));
    let place = Place::new();
    place.back_up(&broker, "backup");
    place.restore("backup", "data");
    let again = Broker::on(&place.path("data"));
    let mut client = again.client();
    let epoch = client.describe_topic("t").partitions[0].leader_epoch;
    assert!(epoch >= 1000, "{epoch}");
    let old = FetchAt { leader_epoch: 7, ..FetchAt::now("t", &[(0, 0)]) };
    assert_eq!(client.fetch(&old, 12).errors(), [(0, 74)], "fenced");
}

#[test]
fn an_open_deletion_of_records_is_kept() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for value in ["a", "b", "c"] {
        client.produce("t", 0, batch(&[value]));
    }
    crate::offsets::delete_before(&mut client, "t", 0, 2);
    let place = Place::new();
    place.back_up(&broker, "backup");
    place.restore("backup", "data");
    let again = Broker::on(&place.path("data"));
    assert_eq!(again.client().list_offset("t", 0, -2, 7).1, 2);
}

#[test]
fn linked_segments_are_the_backups_own_and_serving_changes_none_of_them() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("internal.segment.bytes", "1000")]);
    let value = "x".repeat(400);
    for _ in 0..9 {
        client.produce("t", 0, batch(&[&value]));
    }
    let place = Place::new();
    place.back_up(&broker, "backup");
    let linked = place.try_restore("backup", "data", true).unwrap();
    let first = "t-0/00000000000000000000.log";
    let inode = |of: &str| fs::metadata(place.path(of).join(first)).unwrap().ino();
    assert!(linked.linked_bytes > 0 && inode("backup") == inode("data"));
    let mut again = Broker::on(&place.path("data"));
    again.client().produce("t", 0, batch(&[&value]));
    again.restart();
    assert_eq!(again.client().end_of("t", 0), 10);
    drop(again);
    // Every byte of the backup is still what its manifest says.
    place.restore("backup", "another");
}

#[test]
fn a_backup_and_an_unfinished_restore_are_not_served() {
    let broker = Broker::start();
    let place = Place::new();
    place.back_up(&broker, "backup");
    let start = |name: &str| {
        let node = pagewire_broker::Node::start(config(&place.path(name), &[]));
        runtime().block_on(node).map(drop).expect_err("not served")
    };
    assert!(matches!(start("backup"), StartError::Backup(_)));
    place.restore("backup", "data");
    fs::write(place.path("data/restore.unfinished"), "").unwrap();
    assert!(matches!(start("data"), StartError::Unfinished(_)));
}
