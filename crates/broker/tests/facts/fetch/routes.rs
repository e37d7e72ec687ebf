//! How records come from the page cache to the socket: so many bytes by each route, as the broker itself counts them.

use std::collections::BTreeMap;
use std::path::Path;

use pagewire_record::{BatchBuilder, Codec};
use serde_json::Value;

use crate::harness::{Broker, FetchAt, Fetched, batch_of};
use crate::status::{once, status};

const FETCHES: usize = 20;

/// Bytes of records by route.
type Sent = BTreeMap<String, u64>;

/// Since a broker began.
fn sent(said: &Value) -> Sent {
    let of = |(name, number): (&String, &Value)| {
        let route = name.strip_prefix("pagewire_file_bytes_sent_total{route=\"")?.strip_suffix("\"}")?;
        number.as_u64().filter(|bytes| *bytes > 0).map(|bytes| (route.to_owned(), bytes))
    };
    said["metrics"].as_object().unwrap().iter().filter_map(of).collect()
}

/// Once so many bytes are counted: the last of them may be here before they are counted there.
fn once_sent(dir: &Path, bytes: usize) -> Sent {
    sent(&once(dir, |said| sent(said).values().sum::<u64>() >= bytes as u64))
}

/// What fetches of at most so many bytes send of batches of so many records of 1 KiB, and how many bytes a client gets.
fn fetched(max_bytes: usize, records: usize) -> (Sent, usize) {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let value = "x".repeat(1 << 10);
    for _ in 0..20 {
        client.produce("t", 0, batch_of(BatchBuilder::new(Codec::None), &vec![&*value; records]));
    }
    assert_eq!(sent(&status(broker.dir())), Sent::new());
    let max = i32::try_from(max_bytes).unwrap();
    let fetch = FetchAt { max_bytes: max, partition_max_bytes: max, ..FetchAt::now("t", &[(0, 0)]) };
    let got = (0..FETCHES).map(|_| client.fetch(&fetch, 12).records().len()).sum();
    assert!(got > FETCHES * max_bytes / 10 * 8, "as many batches as fit: {got}");
    (once_sent(broker.dir(), got), got)
}

#[test]
fn a_hot_fetch_copies_no_byte_of_its_records() {
    for (max_bytes, records) in [(1 << 20, 63), (16 << 10, 15)] {
        let (sent, got) = fetched(max_bytes, records);
        assert_eq!(sent, Sent::from([("sendfile".to_owned(), got as u64)]), "fetches of {max_bytes}");
    }
}

/// Which costs less so. What is copied is counted.
#[test]
fn a_fetch_of_8_kib_at_most_is_copied() {
    let (sent, got) = fetched(8 << 10, 7);
    assert_eq!(sent, Sent::from([("copy".to_owned(), got as u64)]));
}
