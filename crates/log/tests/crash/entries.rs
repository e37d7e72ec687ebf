//! What a start leaves beside the records is theirs, before anybody reads: who reads finds out what is not, and makes it anew. An entry
//! of an offset index leads to a batch that ends with its offset, one of an index of aborted transactions to the marker.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use pagewire_disk::{Disk, read_small};
use pagewire_log::decode_txn_index;
use pagewire_record::{BatchHeader, complete_batches};

use crate::world::World;

/// An entry of an offset index: the last offset above the base, and the position.
const ENTRY_LEN: usize = 8;

/// Not where something happened to the files, nor where a disk or another program had its say.
pub(crate) fn lead_to_their_batches(world: &World, at: usize) {
    let (place, partition) = (world.place_of(at), &world.partitions[at]);
    if !partition.harm.is_none() || !partition.others.is_empty() || place.was_ill || partition.has_stray {
        return;
    }
    let dir = world.path(partition);
    let names = place.disk.read_dir(&dir).expect("a directory").into_iter().map(|entry| entry.name);
    for base in names.filter_map(|name| name.strip_suffix(".log").map(str::to_owned)) {
        of_one(&place.disk, &dir, &base);
    }
}

fn of_one(disk: &dyn Disk, dir: &Path, base: &str) {
    let read = |suffix: &str| {
        let path = dir.join(format!("{base}.{suffix}"));
        read_small(disk, &path, 1 << 24).expect("a read").unwrap_or_default()
    };
    let (log, mut at) = (Bytes::from(read("log")), 0);
    let mut batches: BTreeMap<u64, BatchHeader> = BTreeMap::new();
    for batch in complete_batches(&log).map_while(Result::ok) {
        batches.insert(at, batch.header);
        at += batch.header.size_in_bytes();
    }
    let told = || format!("{}/{base}", dir.display());
    let first: i64 = base.parse().expect("a base offset");
    for entry in read("index").chunks_exact(ENTRY_LEN) {
        let (relative, position) = entry.split_at(4);
        let number = |bytes: &[u8]| i64::from(u32::from_be_bytes(bytes.try_into().expect("four")));
        let (offset, position) = (first + number(relative), number(position));
        let ends = batches.get(&(position as u64)).map(BatchHeader::last_offset);
        assert_eq!(ends, Some(offset), "{}: where an entry of the index leads, {position}", told());
    }
    for entry in decode_txn_index(&read("txnindex")).unwrap_or_default() {
        let is_its = |header: &&BatchHeader| {
            header.is_control()
                && (header.base_offset, header.producer_id) == (entry.last_offset, entry.producer_id)
        };
        assert!(batches.values().any(|header| is_its(&header)), "{}: no marker of {entry:?}", told());
    }
}
