//! What is not taken over, and what it says.

use std::fs;

use pagewire_disk::{DirLock, OsDisk};
use pagewire_takeover::{Depth, How, Options};

use crate::kafka::Kafka;
use crate::support::{made, options, refused, run};

#[test]
fn a_kafka_that_runs_keeps_its_directory() {
    let kafka = Kafka::new(1);
    kafka.stop();
    let lock = DirLock::acquire(&OsDisk::new(), &kafka.dir()).unwrap();
    assert!(refused(&options(&kafka)).contains("in use by another process"));
    drop(lock);
    run(&options(&kafka)).unwrap();
}

#[test]
fn a_directory_of_somebody_elses_is_none_of_kafkas() {
    let kafka = Kafka::new(1);
    kafka.stop();
    let to = kafka.to();
    let from = |dir| Options { from: vec![dir], ..options(&kafka) };
    let nothing = kafka.root.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    assert!(refused(&from(nothing)).contains("meta.properties"));
    run(&options(&kafka)).unwrap();
    let ours = Options { to: kafka.root.path().join("again"), ..from(to) };
    assert!(refused(&ours).contains("of this program already"));
}

#[test]
fn without_the_metadata_log_nothing_is_known() {
    let kafka = Kafka::new(1);
    kafka.stop();
    fs::remove_dir_all(kafka.dir().join("__cluster_metadata-0")).unwrap();
    assert!(refused(&options(&kafka)).contains("metadata.log.dir"));
}

#[test]
fn a_place_within_what_is_imported_is_refused_also_by_a_link() {
    let kafka = Kafka::new(1);
    kafka.stop();
    let link = kafka.root.path().join("link");
    std::os::unix::fs::symlink(kafka.dir(), &link).unwrap();
    for to in [kafka.dir().join("new"), link.join("new"), kafka.dir().join("new/deeper")] {
        let said = refused(&Options { to: to.clone(), ..options(&kafka) });
        assert!(said.contains("which is imported: choose a place outside"), "{}: {said}", to.display());
        let others = vec![to];
        assert!(refused(&Options { others, ..options(&kafka) }).contains("choose a place outside"));
    }
    let linked = Options { from: vec![link], to: kafka.dir().join("new"), ..options(&kafka) };
    assert!(refused(&linked).contains("choose a place outside"));
    run(&options(&kafka)).unwrap();
}

#[test]
fn tiered_topics_are_refused_by_name() {
    let mut kafka = Kafka::new(1);
    kafka.topic("orders", 1);
    kafka.config(2, "orders", "remote.storage.enable", "true");
    let other = kafka.topic("other", 1);
    kafka.fill("other", other, 0, 1);
    kafka.stop();
    let said = refused(&options(&kafka));
    assert!(said.contains("orders: it is tiered") && said.contains("--exclude"), "{said}");
    run(&Options { exclude: vec!["orders".to_owned()], ..options(&kafka) }).unwrap();
}

#[test]
fn formats_before_version_2_are_refused_whatever_is_looked_at() {
    for verify in [Depth::Deep, Depth::Headers, Depth::None] {
        let mut kafka = Kafka::new(1);
        let orders = kafka.topic("orders", 1);
        kafka.fill("orders", orders, 0, 1);
        kafka.stop();
        let mut message = vec![0; 100];
        (message[11], message[16]) = (88, 1);
        fs::write(kafka.partition_dir("orders", 0).join(format!("{:020}.log", 0)), message).unwrap();
        let said = refused(&Options { verify, ..options(&kafka) });
        assert!(said.contains("format 1") && said.contains("orders-0"), "{said}");
    }
}

#[test]
fn half_a_compaction_is_for_kafka_to_finish() {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 1);
    kafka.fill("orders", orders, 0, 1);
    fs::write(kafka.partition_dir("orders", 0).join(format!("{:020}.log.swap", 0)), "").unwrap();
    kafka.kill();
    assert!(refused(&options(&kafka)).contains("start it once"));
}

#[test]
fn partitions_that_another_broker_leads_are_missing_until_its_directory_is_named() {
    let (mut one, mut two) = (Kafka::new(1), Kafka::new(2));
    let orders = one.bare_topic("orders");
    one.placed(orders, 0, (1, &[1, 2]), 3);
    one.placed(orders, 1, (2, &[2, 1]), 3);
    one.placed(orders, 2, (-1, &[2]), 3);
    one.fill("orders", orders, 0, 9);
    one.fill("orders", orders, 1, 4);
    two.fill("orders", orders, 0, 8);
    let ends = [two.fill("orders", orders, 1, 5), two.fill("orders", orders, 2, 6)];
    one.stop();
    // A broker that is no controller has an older copy of the metadata.
    two.stop();
    let said = refused(&options(&one));
    assert!(
        said.contains("orders-1: not whole here: broker 2 leads it") && said.contains("orders-2: not here"),
        "{said}"
    );

    let report = run(&Options { allow_missing: true, ..options(&one) }).unwrap();
    assert_eq!(report.incomplete.len(), 2);
    assert_eq!((report.topics[0].records, made(&one.to()).topics[0].partitions.len()), (27 + 12, 3));

    let both =
        Options { from: vec![one.dir(), two.dir()], to: one.root.path().join("both"), ..options(&one) };
    let report = run(&both).unwrap();
    assert_eq!((report.node_id, report.incomplete.len()), (1, 0));
    assert_eq!(report.topics[0].records as i64, 27 + ends[0] + ends[1]);
}

#[test]
fn directories_of_two_clusters_do_not_belong_together() {
    let (one, two) = (Kafka::new(1), Kafka::new(2));
    one.stop();
    let meta = fs::read_to_string(two.dir().join("meta.properties")).unwrap();
    fs::write(two.dir().join("meta.properties"), meta.replace("cluster.id=5", "cluster.id=6")).unwrap();
    let both = Options { from: vec![one.dir(), two.dir()], ..options(&one) };
    assert!(refused(&both).contains("belongs to cluster 6"));
    let twice = Options { from: vec![one.dir(), one.dir()], ..options(&one) };
    assert!(refused(&twice).contains("named twice"));
}

#[test]
fn files_are_linked_only_when_all_that_is_in_them_is_known() {
    let kafka = Kafka::new(1);
    kafka.stop();
    let options = Options { how: How::Link, verify: Depth::Headers, ..options(&kafka) };
    assert!(refused(&options).contains("--verify deep"));
}
