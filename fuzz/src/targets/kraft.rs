//! `[flags u8][offset of the snapshot u8][snapshot as a chunk][first segment as a chunk][second segment]`: the metadata
//! log of a Kafka that is taken over.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, MemoryDisk, OpenMode};
use pagewire_record::{BatchBuilder, Codec, patch_header};
use pagewire_takeover::fuzzing::{Seen, read_metadata};

use super::batch::mend_checksums;
use crate::input::{Input, chunk};

const MENDED: u8 = 1;
const HAS_SNAPSHOT: u8 = 2;
const TIME_MS: i64 = 1_700_000_000_000;
const TOPIC_ID: [u8; 16] = [7; 16];

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, at) = (input.u8(), i64::from(input.u8()));
    let files =
        [input.chunk(), input.chunk(), input.rest()].map(|bytes| in_memory(bytes, flags & MENDED != 0));
    let [snapshot, first, second] = files.each_ref().map(|file| path(&**file));
    let read = || {
        let snapshot = (flags & HAS_SNAPSHOT != 0).then(|| (at, snapshot.clone()));
        read_metadata(snapshot, vec![(0, first.clone()), (at, second.clone())])
    };
    match read() {
        Ok(seen) => {
            check(&seen, at, flags & HAS_SNAPSHOT != 0);
            assert_eq!(read().ok(), Some(seen), "not the same the second time");
        }
        Err(error) => assert!(names_a_place(&error.to_string()), "{error}"),
    }
}

fn check(seen: &Seen, at: i64, has_snapshot: bool) {
    assert!(seen.end >= if has_snapshot { at } else { 0 }, "{seen:?}");
    for (name, partitions) in &seen.topics {
        assert!(partitions.iter().all(|number| *number >= 0), "{name}: {partitions:?}");
    }
}

/// A file, or the directory that has a gap.
fn names_a_place(words: &str) -> bool {
    ["/fd/", "__cluster_metadata-0"].iter().any(|place| words.contains(place))
}

fn in_memory(bytes: &[u8], mended: bool) -> Arc<dyn DiskFile> {
    let mut bytes = bytes.to_vec();
    if mended {
        mend_checksums(&mut bytes);
    }
    let file = MemoryDisk::new().open(Path::new("file"), OpenMode::Create).expect("memory has room");
    file.write_at(0, &bytes).expect("memory has room");
    file
}

/// By which this process opens it once more.
fn path(file: &dyn DiskFile) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.file().as_raw_fd()))
}

/// A record of the metadata log: frame, kind, version, fields.
fn record(kind: u8, version: u8, fields: &[&[u8]]) -> Vec<u8> {
    [&[1, kind, version][..], &fields.concat()].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8 + 1][..], text.as_bytes()].concat()
}

fn records() -> Vec<Vec<u8>> {
    let node = [2, 0, 0, 0, 1];
    let partition = |index: u8| {
        let fields: [&[u8]; 9] = [
            &[0, 0, 0, index],
            &TOPIC_ID,
            &node,
            &node,
            &[1, 1],
            &[0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0],
            &[1],
            &[0],
            &[],
        ];
        record(3, 1, &fields)
    };
    vec![
        record(12, 0, &[&text("metadata.version"), &[0, 30, 0]]),
        record(0, 0, &[&[0, 0, 0, 1]]),
        record(2, 0, &[&text("orders"), &TOPIC_ID, &[0]]),
        partition(0),
        partition(1),
        record(23, 0, &[&[1, 0]]),
        record(4, 0, &[&[2], &text("orders"), &text("retention.ms"), &text("1000"), &[0]]),
        record(24, 0, &[&[0]]),
        record(5, 0, &[&[0, 0, 0, 1], &TOPIC_ID, &[1, 1, 4, 0xff, 0xff, 0xff, 0xff]]),
        record(15, 0, &[&[0, 0, 0, 1], &[0; 8], &[0, 0, 0, 0, 0, 0, 3, 0xe8], &[0]]),
        record(9, 0, &[&TOPIC_ID, &[0]]),
    ]
}

/// Records in batches of a few, from an offset on.
fn segment(records: &[Vec<u8>], mut offset: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for some in records.chunks(3) {
        let mut builder = BatchBuilder::new(Codec::None);
        for record in some {
            builder.append(TIME_MS, None, Some(record), &[]).expect("a small record fits");
        }
        bytes.extend(at_offset(builder, offset, false));
        offset += some.len() as i64;
    }
    bytes
}

fn at_offset(builder: BatchBuilder, offset: i64, is_control: bool) -> Vec<u8> {
    let mut batch = builder.build().expect("a small batch builds").to_vec();
    if let Some(header) = batch.first_chunk_mut() {
        patch_header(header, offset, 1);
    }
    if let Some(attributes) = batch.get_mut(22).filter(|_| is_control) {
        *attributes |= 0x20;
    }
    mend_checksums(&mut batch);
    batch
}

fn control(kind: u8, offset: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(TIME_MS, Some(&[0, 0, 0, kind]), Some(&[0, 0]), &[]).expect("a small record fits");
    at_offset(builder, offset, true)
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (all, none) = (records(), chunk(&[]));
    let made = all.get(..5).unwrap_or_default();
    let snapshot = [control(3, 0), segment(made, 1), control(4, 6)].concat();
    let (first, second) =
        (segment(all.get(..6).unwrap_or_default(), 0), segment(all.get(6..).unwrap_or_default(), 6));
    vec![
        [vec![0, 6], none.clone(), chunk(&first), second.clone()].concat(),
        [vec![MENDED, 6], none.clone(), chunk(&segment(&all, 0))].concat(),
        [vec![MENDED | HAS_SNAPSHOT, 6], chunk(&snapshot), chunk(&first), second].concat(),
        [vec![MENDED | HAS_SNAPSHOT, 200], chunk(&snapshot), none].concat(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_read() {
        let bytes = segment(&records(), 0);
        let file = in_memory(&bytes, false);
        let seen = read_metadata(None, vec![(0, path(&*file))]).expect("read");
        assert_eq!((seen.end, seen.topics.len(), seen.is_cut), (11, 0, false), "made and deleted");
        let file = in_memory(&segment(&records()[..10], 0), false);
        let seen = read_metadata(None, vec![(0, path(&*file))]).expect("read");
        assert_eq!((seen.topics, seen.settings), (vec![("orders".to_owned(), vec![0, 1])], 1));
        let snapshot = [control(3, 0), segment(&records()[..5], 1), control(4, 6)].concat();
        let file = in_memory(&snapshot, false);
        let seen = read_metadata(Some((6, path(&*file))), Vec::new()).expect("read");
        assert_eq!((seen.end, seen.topics.len()), (6, 1));
    }
}
