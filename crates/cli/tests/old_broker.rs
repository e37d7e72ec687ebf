//! The client commands with a broker that speaks no newer than Kafka 2.1.
//!
//! Ours answers every version from then on, so a go-between that pretends to be old is all it takes: it answers
//! ApiVersions itself, as Kafka 2.1 does, and passes on the rest.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use bytes::Bytes;
use common::{Broker, Run, pagewire};
use pagewire_wire::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use pagewire_wire::{ApiKey, ErrorCode, RequestPrefix, encode_response};

/// The highest versions of Kafka 2.1.
const OLD: &[(ApiKey, i16)] = &[
    (ApiKey::Produce, 7),
    (ApiKey::Fetch, 10),
    (ApiKey::ListOffsets, 4),
    (ApiKey::Metadata, 7),
    (ApiKey::OffsetCommit, 6),
    (ApiKey::OffsetFetch, 5),
    (ApiKey::FindCoordinator, 2),
    (ApiKey::JoinGroup, 3),
    (ApiKey::Heartbeat, 2),
    (ApiKey::LeaveGroup, 2),
    (ApiKey::SyncGroup, 2),
    (ApiKey::DescribeGroups, 2),
    (ApiKey::ListGroups, 2),
    (ApiKey::ApiVersions, 2),
    (ApiKey::CreateTopics, 3),
    (ApiKey::DeleteTopics, 3),
    (ApiKey::InitProducerId, 1),
    (ApiKey::DescribeConfigs, 2),
    (ApiKey::CreatePartitions, 1),
    (ApiKey::DeleteGroups, 1),
];

fn frame(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame)?;
    Ok(frame)
}

fn versions(asked: RequestPrefix) -> Bytes {
    let api =
        |&(key, max_version): &(ApiKey, i16)| ApiVersion { api_key: key.code(), min_version: 0, max_version };
    let known = asked.api_version <= 2;
    let error = if known { ErrorCode::None } else { ErrorCode::UnsupportedVersion };
    // Kafka before 2.4 names nothing but its own range in a refusal; after it, ApiVersions alone.
    let api_keys = OLD.iter().filter(|(key, _)| known || *key == ApiKey::ApiVersions).map(api).collect();
    let answer = ApiVersionsResponse { error_code: error.code(), api_keys, ..ApiVersionsResponse::default() };
    let version = if known { asked.api_version } else { 0 };
    encode_response(&answer, version, asked.correlation_id).unwrap().into_bytes().unwrap()
}

/// Answers until the client has its versions, then passes on.
fn serve(mut client: TcpStream, broker: &str) -> io::Result<()> {
    loop {
        let asked = RequestPrefix::peek(&frame(&mut client)?).unwrap();
        assert_eq!(asked.api_key, ApiKey::ApiVersions.code());
        client.write_all(&versions(asked))?;
        if asked.api_version <= 2 {
            break;
        }
    }
    let broker = TcpStream::connect(broker)?;
    let (mut from, mut to) = (client.try_clone()?, broker.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (broker, client);
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Both)
}

#[test]
fn everything_works_with_the_versions_of_kafka_2_1() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let broker = Broker::start(&["--set", &format!("advertised.listeners=PLAINTEXT://{address}")]);
    let real = broker.address.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let real = real.clone();
            std::thread::spawn(move || {
                // Clients leave when they have what they want.
                let _ = serve(client, &real);
            });
        }
    });
    let run = |args: &[&str]| {
        Run::from(pagewire().env("PAGEWIRE_BOOTSTRAP", &address).args(args).output().unwrap())
    };

    assert!(run(&["cluster", "--apis"]).ok().contains("0-10"));
    run(&["topic", "create", "t", "-p", "2"]).ok();
    run(&["topic", "add-partitions", "t", "--total", "3"]).ok();
    assert!(run(&["topic", "list"]).ok().contains('t'));
    let said = run(&["topic", "alter", "t", "--set", "retention.ms=1000"]).failed(1);
    assert!(said.contains("the broker cannot do this"), "{said}");

    let dir = tempfile::tempdir().unwrap();
    let lines = dir.path().join("lines");
    std::fs::write(&lines, "k1:a\nk2:b\nk3:c\n").unwrap();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        run(&["produce", "t", "-K", ":", "-z", codec, "--file", lines.to_str().unwrap()]).ok();
    }
    let alone = run(&["consume", "t", "--format", "%k"]).ok();
    assert_eq!(["k1", "k2", "k3"].map(|key| alone.matches(key).count()), [5, 5, 5]);
    assert_eq!(run(&["consume", "t", "--group", "g", "--format", "%k"]).ok().len(), alone.len());
    assert_eq!(run(&["consume", "t", "--group", "g"]).ok(), "");
    assert!(run(&["group", "describe", "g"]).ok().contains("lag 0"));
    assert!(run(&["group", "list"]).ok().contains('g'));
    let said = run(&["group", "list", "--state", "Empty"]).failed(1);
    assert!(said.contains("ListGroups in versions 0 to 2"), "{said}");
    run(&["group", "reset", "g", "--all-topics", "--to", "2020-01-01T00:00:00Z", "--execute"]).ok();
    assert!(run(&["group", "describe", "g"]).ok().contains("lag 15"));
    run(&["group", "delete", "g"]).ok();
    run(&["group", "describe", "g"]).failed(1);
    assert!(run(&["topic", "describe", "t"]).ok().contains("offsets held 15"));
    run(&["topic", "delete", "t"]).ok();

    let tiny = ["--rounds=1", "--warm-up=0", "--seconds=0.2", "--round-bytes=1MiB", "--hot-bytes=1MiB"];
    let more = ["--cold-bytes=1MiB", "--rate=100", "--busy=2", "--idle=2", "-o", "json"];
    let cells = run(&[&["lab", "drive"], &tiny[..], &more].concat()).ok();
    assert!(["produce", "fetch-hot", "end-to-end", "connections"].iter().all(|case| cells.contains(case)));
    assert_eq!(run(&["topic", "list", "-o", "json"]).ok(), "[]\n");
}
