//! Facts about listeners and what they advertise.

use super::*;

#[test]
fn each_listener_advertises_its_own_address() {
    let config = load(
        "listeners=INSIDE://:29092,OUTSIDE://:9092,LOCAL://127.0.0.1:9093\n\
         listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,LOCAL:PLAINTEXT\n\
         advertised.listeners=INSIDE://broker:29092,OUTSIDE://localhost:9092\n",
    );
    let names: Vec<&str> = config.listeners.iter().map(|endpoint| &*endpoint.name).collect();
    assert_eq!(names, ["INSIDE", "OUTSIDE", "LOCAL"]);
    assert_eq!(config.listeners[0].address, "[::]:29092".parse().expect("every interface"));
    let advertised = |name| config.advertised.get(name).map(|(host, port)| format!("{host}:{port}"));
    assert_eq!(advertised("INSIDE").as_deref(), Some("broker:29092"));
    assert_eq!(advertised("OUTSIDE").as_deref(), Some("localhost:9092"));
    assert_eq!(advertised("LOCAL"), None);
}

#[test]
fn a_flag_that_says_where_to_listen_wins_over_a_file_that_advertises_loopback() {
    let moved = |advertised: &str, listeners: &str| {
        let mut sources = sources(&format!("advertised.listeners={advertised}\n"));
        sources.add("listeners", listeners, Origin::Flag);
        let (config, notices) = BrokerConfig::load(sources).expect("good settings");
        let told = config.advertised.get("PLAINTEXT").map(|(host, port)| format!("{host}:{port}"));
        (told.unwrap_or_default(), notices.join("\n"))
    };
    let (told, notices) = moved("PLAINTEXT://localhost:9092", "PLAINTEXT://127.0.0.1:19092");
    assert_eq!(told, "");
    assert_eq!(
        notices,
        "server.properties, line 1: PLAINTEXT://localhost:9092 is not told to clients, because the listeners were \
         chosen over the file's"
    );
    let (told, notices) = moved("PLAINTEXT://kafka.example:9092", "PLAINTEXT://0.0.0.0:19092");
    assert_eq!(told, "kafka.example:9092");
    assert!(notices.contains("clients are told to come to PLAINTEXT://kafka.example:9092"), "{notices}");
    assert_eq!(moved("PLAINTEXT://localhost:9092", "PLAINTEXT://0.0.0.0:9092").0, "localhost:9092");
    assert_eq!(moved("INSIDE://kafka.example:9092", "PLAINTEXT://0.0.0.0:9092").0, "");
}
