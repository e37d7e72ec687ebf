//! Batches that the new broker's compaction will not take into memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec, DecompressLimits};
use pagewire_takeover::{Begun, Depth, Dynamic, LogConfig, Options, Owner, Report, Settings, import};

use crate::kafka::{Kafka, batch};
use crate::support::{Known, options};

/// Takes no more than so many bytes of a batch.
struct Little(usize);

impl Settings for Little {
    fn refuse(&self, owner: &Owner, name: &str, value: &str) -> Option<String> {
        Known.refuse(owner, name, value)
    }

    fn refuse_together(&self, _: &Owner, _: &BTreeMap<String, String>) -> Option<String> {
        None
    }

    fn log(&self, own: &BTreeMap<String, String>, above: &Dynamic) -> LogConfig {
        LogConfig { decompress: DecompressLimits { max_bytes: self.0 }, ..Known.log(own, above) }
    }
}

/// A batch of few bytes that decompresses to many.
fn large(bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::Zstd);
    builder.append(1, Some(b"key"), Some(&vec![7; bytes]), &[]).unwrap();
    builder.build().unwrap()
}

fn taken(policy: &str, verify: Depth) -> Report {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 1);
    kafka.config(2, "orders", "cleanup.policy", policy);
    let small = |number| batch(Codec::Gzip, number);
    kafka.write("orders", orders, 0, [small(0), large(5000), small(1), large(6000)]);
    kafka.stop();
    import(&Options { verify, ..options(&kafka) }, &Little(4000), &Begun::default(), &|_| ()).unwrap()
}

#[test]
fn batches_that_compaction_will_not_take_are_named() {
    let report = taken("compact", Depth::Deep);
    let [of] = report.uncleanable.as_slice() else { panic!("{report:?}") };
    assert_eq!((of.topic.as_str(), of.partition, of.batches, of.max_bytes), ("orders", 0, 2, 4000));
    let offsets: Vec<i64> = of.first.iter().map(|place| place.offset).collect();
    assert_eq!(offsets, [3, 7]);
    let said = of.to_string();
    assert!(said.contains("offset 3)") && said.contains("Raise the topic's max.message.bytes"), "{said}");
}

#[test]
fn where_nothing_is_compacted_or_looked_into_there_are_none() {
    for (policy, depth) in [("delete", Depth::Deep), ("compact", Depth::Headers)] {
        assert_eq!(taken(policy, depth).uncleanable, []);
    }
}
