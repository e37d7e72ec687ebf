//! What comes along of a whole cluster.

use std::fs;

use pagewire_metadata::model::ConfigScope;
use pagewire_takeover::{Depth, Options};

use crate::kafka::{CLUSTER, Kafka, contents, record, text};
use crate::support::{made, opened, options, refused, run};

#[test]
fn topics_keep_their_ids_partitions_and_records() {
    let mut kafka = Kafka::new(7);
    let orders = kafka.topic("orders", 2);
    let empty = kafka.topic("empty", 1);
    kafka.fill("empty", empty, 0, 0);
    let ends = [kafka.fill("orders", orders, 0, 60), kafka.fill("orders", orders, 1, 7)];
    kafka.stop();
    let before = contents(&kafka.dir());
    let report = run(&options(&kafka)).unwrap();
    assert_eq!(contents(&kafka.dir()), before, "Kafka's directory is as it was");
    assert_eq!((report.cluster_id.as_str(), report.node_id), (CLUSTER, 7));
    assert_eq!(report.topics.iter().map(|topic| topic.records).collect::<Vec<_>>(), [0, 201]);

    let made = made(&kafka.to());
    assert_eq!(made.cluster.cluster_id, CLUSTER);
    let topics: Vec<_> =
        made.topics.iter().map(|topic| (topic.name.as_str(), topic.partitions.len())).collect();
    assert_eq!(topics, [("empty", 1), ("orders", 2)]);
    assert_eq!((made.topics[1].topic_id, made.topics[1].created_ms), (orders, 1_700_000_000_000));
    assert_eq!(made.topics[1].partitions[0].replicas, [7]);

    let (logs, loaded) = opened(&kafka.to(), 7);
    assert!(loaded.clean && loaded.failed.is_empty() && loaded.notices.is_empty(), "{loaded:?}");
    for (index, end) in (0..).zip(ends) {
        assert_eq!(logs.get("orders", index).unwrap().marks().log_end, end);
        for entry in fs::read_dir(kafka.partition_dir("orders", index)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let ours = kafka.to().join(path.strip_prefix(kafka.dir()).unwrap());
                assert_eq!(fs::read(&ours).unwrap(), fs::read(&path).unwrap(), "{}", path.display());
            }
        }
    }
}

#[test]
fn epochs_and_producer_ids_go_on_above_all_that_were_given_out() {
    let mut kafka = Kafka::new(1);
    let orders = kafka.bare_topic("orders");
    kafka.placed(orders, 0, (1, &[1]), 11);
    kafka.fill("orders", orders, 0, 3);
    kafka.push(record(15, &[&1i32.to_be_bytes(), &0i64.to_be_bytes(), &3000i64.to_be_bytes(), &[0]]));
    kafka.stop();
    run(&options(&kafka)).unwrap();
    // The records are of producer 4000: a metadata log that was cut must not give it out again.
    let made = made(&kafka.to());
    assert_eq!((made.cluster.leader_epoch, made.next_producer_id), (12, 4001));
}

#[test]
fn settings_come_along_as_far_as_they_are_known() {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 1);
    kafka.fill("orders", orders, 0, 1);
    kafka.config(2, "orders", "retention.ms", "1000");
    kafka.config(2, "orders", "segment.bytes", "many");
    kafka.config(2, "orders", "no.such", "1");
    kafka.config(4, "", "log.cleaner.threads", "2");
    kafka.config(4, "1", "log.cleaner.threads", "3");
    kafka.config(4, "1", "password", "secret");
    kafka.config(16, "metrics", "interval.ms", "1");
    kafka.stop();
    let report = run(&options(&kafka)).unwrap();
    let made = made(&kafka.to());
    assert_eq!(made.topics[0].configs.iter().collect::<Vec<_>>(), [(&"retention.ms".into(), &"1000".into())]);
    let threads = |scope| made.configs[&scope].configs["log.cleaner.threads"].clone();
    assert_eq!([threads(ConfigScope::BrokerDefault), threads(ConfigScope::Broker(1))], ["2", "3"]);
    let left: Vec<_> =
        report.settings_left.iter().map(|left| (left.owner.as_str(), left.name.as_str())).collect();
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(left.contains(&("topic orders", "segment.bytes")) && left.contains(&("broker 1", "password")));
    assert!(!format!("{report:?}").contains("secret"));
}

#[test]
fn users_and_quotas_are_counted() {
    let mut kafka = Kafka::new(1);
    for user in ["a", "b"] {
        kafka.push(record(11, &[&text(user), &[1], &[1], &[1], &[1], &0i32.to_be_bytes(), &[0]]));
    }
    kafka.push(record(22, &[&text("a"), &[1], &[0]]));
    kafka.stop();
    let not = run(&options(&kafka)).unwrap().not_carried;
    assert_eq!((not.scram_credentials, not.total()), (1, 1));
}

#[test]
fn features_stay_at_the_levels_that_somebody_wanted_lower() {
    for (levels, lowered) in [
        (&[("metadata.version", 30), ("group.version", 1), ("transaction.version", 2)][..], &[][..]),
        // Not named by a Kafka that had none of them yet, or by one where it was switched off.
        (&[("metadata.version", 21)], &[]),
        (
            &[("metadata.version", 30), ("transaction.version", 1)],
            &[("group.version", 0), ("transaction.version", 1)],
        ),
        (&[("metadata.version", 21), ("group.version", 0)], &[("group.version", 0)]),
    ] {
        let mut kafka = Kafka::new(1);
        for (name, level) in levels {
            kafka.push(record(12, &[&text(name), &i16::to_be_bytes(*level), &[0]]));
        }
        kafka.stop();
        let report = run(&options(&kafka)).unwrap();
        let expected = lowered.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        assert_eq!(made(&kafka.to()).features, expected, "{levels:?}");
        let told = |name: &str| report.notes.iter().any(|note| note.contains(&format!("{name} is at level")));
        assert!(lowered.iter().all(|(name, _)| told(name)), "{:?}", report.notes);
    }
}

#[test]
fn what_belongs_to_no_topic_stays_behind_and_is_named() {
    let mut kafka = Kafka::new(1);
    let gone = kafka.topic("gone", 1);
    kafka.fill("gone", gone, 0, 1);
    kafka.push(record(9, &[gone.as_bytes(), &[0]]));
    let other = kafka.topic("other", 1);
    kafka.fill("other", gone, 0, 1);
    let id = "0123456789abcdef0123456789abcdef";
    for name in [format!("gone-1.{id}-delete"), format!("other-0.{id}-future"), format!("x-0.{id}-stray")] {
        fs::create_dir(kafka.dir().join(name)).unwrap();
    }
    kafka.stop();
    // The directory of `other` names another topic's id, so the partition itself is not here.
    let report = run(&Options { allow_missing: true, ..options(&kafka) }).unwrap();
    assert_eq!(report.left.len(), 5, "{:?}", report.left);
    assert_eq!(report.topics.iter().map(|topic| topic.bytes).collect::<Vec<_>>(), [0]);
    assert_eq!(made(&kafka.to()).topics[0].topic_id, other);
}

#[test]
fn one_topic_may_be_taken_or_left() {
    let mut kafka = Kafka::new(1);
    for name in ["a", "b", "c"] {
        let id = kafka.topic(name, 1);
        kafka.fill(name, id, 0, 1);
    }
    kafka.stop();
    let names = |wanted: &[&str], left: &[&str]| {
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let options =
            Options { topics: strings(wanted), exclude: strings(left), dry_run: true, ..options(&kafka) };
        run(&options).unwrap().topics.into_iter().map(|topic| topic.name).collect::<Vec<_>>()
    };
    assert_eq!(names(&["a", "c"], &[]), ["a", "c"]);
    assert_eq!(names(&[], &["b"]), ["a", "c"]);
    let unknown = Options { topics: vec!["d".to_owned()], ..options(&kafka) };
    assert!(run(&unknown).expect_err("no such topic").to_string().contains("no topic d"));
}

#[test]
fn a_dry_run_writes_nothing() {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 1);
    kafka.fill("orders", orders, 0, 20);
    kafka.stop();
    let before = contents(kafka.root.path());
    let report = run(&Options { dry_run: true, ..options(&kafka) }).unwrap();
    assert_eq!((report.topics[0].records, report.leader_epoch, report.placed.copied), (60, 4, 0));
    assert_eq!(contents(kafka.root.path()), before);
}

#[test]
fn every_depth_comes_to_the_same_log() {
    for (verify, is_clean) in [(Depth::Deep, true), (Depth::Headers, true), (Depth::None, true)] {
        let mut kafka = Kafka::new(1);
        let orders = kafka.topic("orders", 1);
        let end = kafka.fill("orders", orders, 0, 40);
        kafka.stop();
        run(&Options { verify, ..options(&kafka) }).unwrap();
        let (logs, loaded) = opened(&kafka.to(), 1);
        assert_eq!(
            (logs.get("orders", 0).unwrap().marks().log_end, loaded.clean),
            (end, is_clean),
            "{verify:?}"
        );
    }
}

#[test]
fn of_two_copies_of_one_broker_the_longer_is_taken() {
    let (mut one, mut two) = (Kafka::new(1), Kafka::new(1));
    let orders = one.topic("orders", 1);
    one.fill("orders", orders, 0, 4);
    let end = two.fill("orders", orders, 0, 9);
    one.stop();
    two.stop();
    let both = Options { from: vec![one.dir(), two.dir()], ..options(&one) };
    let report = run(&both).unwrap();
    assert_eq!(report.topics[0].records as i64, end);
    assert_eq!(report.left[0].path, one.partition_dir("orders", 0).canonicalize().unwrap());
    assert!(report.left[0].why.contains("twice"), "{:?}", report.left);
}

#[test]
fn a_copy_that_was_set_aside_is_named_where_the_partition_is_missing() {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 1);
    kafka.fill("orders", orders, 0, 4);
    kafka.stop();
    let aside = kafka.dir().join("orders-0.0123456789abcdef0123456789abcdef-stray");
    fs::rename(kafka.partition_dir("orders", 0), &aside).unwrap();
    let said = refused(&options(&kafka));
    assert!(
        said.contains("not here") && said.contains("-stray") && said.contains("rename it to orders-0"),
        "{said}"
    );
}

#[test]
fn a_move_between_directories_that_was_interrupted_at_its_end_is_ended() {
    let mut kafka = Kafka::new(1);
    let orders = kafka.bare_topic("orders");
    kafka.placed_in(orders, 0, kafka.directory_id());
    let end = kafka.fill("orders", orders, 0, 4);
    kafka.stop();
    let future = kafka.dir().join("orders-0.0123456789abcdef0123456789abcdef-future");
    fs::rename(kafka.partition_dir("orders", 0), &future).unwrap();
    let report = run(&options(&kafka)).unwrap();
    assert!(report.left.is_empty() && report.incomplete.is_empty(), "{report:?}");
    assert_eq!(opened(&kafka.to(), 1).0.get("orders", 0).unwrap().marks().log_end, end);
}
