//! Topics on a real broker, as tables and as JSON.

mod common;

use common::Broker;

#[test]
fn a_topic_is_created_listed_described_altered_grown_and_deleted() {
    let broker = Broker::start(&[]);
    let said = broker.run(&["topic", "create", "orders", "-p", "3", "-c", "retention.ms=60000"]).ok();
    assert_eq!(said, "orders: created, partitions 3, replication factor 1\n");
    assert_eq!(
        broker.run(&["topic", "list"]).ok(),
        "TOPIC   PARTITIONS  REPLICATION\norders           3            1\n"
    );

    let said = broker.run(&["topic", "create", "orders"]).failed(1);
    assert!(said.contains("already exists"), "{said}");
    broker.run(&["topic", "create", "orders", "--if-not-exists"]).ok();

    let page = broker.run(&["topic", "describe", "orders", "-o", "json"]).ok();
    assert!(page.contains("\"retention.ms\"") && page.contains("\"60000\""), "{page}");
    broker.run(&["topic", "alter", "orders", "--set", "segment.ms=60000", "--unset", "retention.ms"]).ok();
    let page = broker.run(&["topic", "describe", "orders"]).ok();
    assert!(page.contains("segment.ms") && !page.contains("retention.ms"), "{page}");
    let said = broker.run(&["topic", "alter", "orders", "--set", "retention.mss=1"]).failed(1);
    assert!(said.contains("retention.mss"), "{said}");

    broker.run(&["topic", "add-partitions", "orders", "--by", "1"]).ok();
    broker.run(&["topic", "add-partitions", "orders", "--total", "2"]).failed(1);
    assert!(broker.run(&["topic", "list", "-o", "json"]).ok().contains("\"partitions\": 4"));

    broker.run(&["topic", "delete", "orders"]).ok();
    broker.run(&["topic", "delete", "orders"]).failed(1);
    broker.run(&["topic", "delete", "orders", "--if-exists"]).ok();
    assert_eq!(broker.run(&["topic", "list", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn a_check_changes_nothing() {
    let broker = Broker::start(&[]);
    let said = broker.run(&["topic", "create", "t", "--dry-run"]).ok();
    assert!(said.contains("could be created"), "{said}");
    assert_eq!(broker.run(&["topic", "list", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn of_several_the_others_are_done_when_one_fails() {
    let broker = Broker::start(&[]);
    let said = broker.run(&["topic", "create", "a", "not/valid", "b"]).failed(1);
    assert!(said.contains("not/valid") && said.contains("1 of 3 failed"), "{said}");
    let list = broker.run(&["topic", "list"]).ok();
    assert!(list.contains("\na ") && list.contains("\nb "), "{list}");
}

#[test]
fn a_cluster_shows_its_nodes_and_what_they_speak() {
    let broker = Broker::start(&[]);
    let page = broker.run(&["cluster", "--apis"]).ok();
    let port = broker.address.rsplit(':').next().unwrap();
    assert!(page.contains(port) && page.contains("Produce") && page.contains("0-13"), "{page}");
    assert!(broker.run(&["cluster", "-o", "json"]).ok().contains("\"cluster_id\""));
}
