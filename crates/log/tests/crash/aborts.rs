//! The indexes of aborted transactions against those that a rebuild from the records makes.

use std::collections::BTreeMap;

use pagewire_log::{AbortedTxn, decode_txn_index};

use crate::derived::Files;
use crate::model::Partition;
use crate::world::World;

/// Byte for byte, where the records tell everything: no compaction, no transaction that begins below the first segment.
/// Else what the rebuild says is said, and what it does not say is nobody's record.
pub(crate) fn equal(world: &World, partition: &Partition, files: &Files, rebuilt: &Files) {
    let first = first_base(files);
    let whole = !world.holes && partition.batches.iter().all(|sent| !sent.is_in_txn() || sent.base >= first);
    // An entry that was about to be written when the process died leaves an empty file.
    let of = |files: &Files| -> BTreeMap<String, Vec<u8>> {
        let is_one = |name: &String| name.ends_with(".txnindex");
        files
            .iter()
            .filter(|(name, bytes)| is_one(name) && !bytes.is_empty())
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect()
    };
    let (found, expected) = (of(files), of(rebuilt));
    if whole {
        assert_eq!(found, expected, "{}: aborted transactions", partition.topic);
        return;
    }
    let entries = |of: &BTreeMap<String, Vec<u8>>| -> Vec<AbortedTxn> {
        of.values().flat_map(|bytes| decode_txn_index(bytes).expect("whole entries")).collect()
    };
    let (found, expected) = (entries(&found), entries(&expected));
    for entry in expected {
        let is_it =
            |one: &&AbortedTxn| (one.producer_id, one.last_offset) == (entry.producer_id, entry.last_offset);
        let there = found.iter().find(is_it);
        assert!(
            there.is_some_and(|there| there.first_offset <= entry.first_offset),
            "{}: the records tell of {entry:?}, the index of {there:?}",
            partition.topic
        );
    }
    let fates = partition.fates();
    for entry in found {
        let own = partition.batches.iter().filter(|sent| {
            sent.is_in_txn()
                && sent.header.producer_id == entry.producer_id
                && (entry.first_offset..entry.last_offset).contains(&sent.base)
        });
        for sent in own {
            let fate = fates[&sent.base];
            assert_eq!(fate, crate::model::Fate::Aborted, "{}: {entry:?}, {}", partition.topic, sent.base);
        }
    }
}

fn first_base(files: &Files) -> i64 {
    let bases = files.keys().filter_map(|name| name.strip_suffix(".log")?.parse().ok());
    bases.min().unwrap_or(0)
}
