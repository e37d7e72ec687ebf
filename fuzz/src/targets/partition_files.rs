//! `[which u8, its first bit for a right checksum][bytes]`: a file of a partition's directory as checks, dumps and the scrub read it, entry by entry, without a
//! log that was opened.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, MemoryDisk, OpenMode};
use pagewire_log::decode_txn_index;
use pagewire_log::files::{
    BatchWalk, Entries, Entry, FileKind, OffsetEntry, ProducerSnapshot, Step, TimeStamped, TxnEntry,
};

use super::batch::{mend_sum, samples};
use crate::input::Input;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let which = input.u8();
    let kind = FileKind::ALL.get(usize::from(which & 0x7f) % FileKind::ALL.len()).map(|(kind, _)| *kind);
    let mut bytes = input.rest().to_vec();
    if which & 0x80 != 0 && kind == Some(FileKind::Snapshot) {
        mend_sum(&mut bytes);
    }
    let bytes = bytes.as_slice();
    let file = file(bytes);
    match kind {
        Some(FileKind::OffsetIndex) => entries::<OffsetEntry>(&*file, bytes),
        Some(FileKind::TimeIndex) => entries::<TimeStamped>(&*file, bytes),
        Some(FileKind::TxnIndex) => {
            entries::<TxnEntry>(&*file, bytes);
            if let Ok(decoded) = decode_txn_index(bytes) {
                let written: Vec<u8> = decoded.iter().flat_map(|entry| entry.to_bytes()).collect();
                assert_eq!(written, bytes, "what was read is what is written");
            }
        }
        Some(FileKind::Snapshot) => {
            if let Ok(snapshot) = ProducerSnapshot::parse(bytes) {
                assert_eq!(snapshot.to_bytes(), bytes, "what was read is what is written");
            }
        }
        _ => walk(&*file, bytes.len() as u64),
    }
}

fn file(bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = MemoryDisk::new().open(Path::new("file"), OpenMode::Create).expect("memory has room");
    file.write_at(0, bytes).expect("memory has room");
    file
}

/// Every whole entry is read, once, in order.
fn entries<E: Entry>(file: &dyn DiskFile, bytes: &[u8]) {
    let mut entries = Entries::<E>::new(file, bytes.len() as u64);
    let mut read = 0;
    while let Some((position, _)) = entries.next().expect("memory reads") {
        assert_eq!(position, (read * E::LEN) as u64);
        read += 1;
    }
    assert_eq!(read, bytes.len() / E::LEN);
}

/// The walk goes forward, ends, and calls whole only what is.
fn walk(file: &dyn DiskFile, len: u64) {
    let mut walk = BatchWalk::new(file, 0, len);
    loop {
        let before = walk.position();
        let bad = match walk.step().expect("memory reads") {
            None => break,
            Some(Step::Batch(batch)) => {
                assert!(batch.position == before && batch.end() > before && batch.end() <= len);
                continue;
            }
            Some(Step::Bad(bad)) => bad,
        };
        assert_eq!((bad.position, bad.left), (before, len - before));
        let next = walk.next_behind(before, bad.next, &(0..=i64::MAX)).expect("memory reads");
        let Some(next) = next else { break };
        assert!(next > before && next < len, "{next} behind {before}");
        walk.resume_at(next);
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let log: Vec<u8> = samples().concat();
    let gap = [&log[..], &[0; 70], &log].concat();
    let txn = [&[0, 0][..], &[1i64, 0, 4, 5].map(i64::to_be_bytes).concat()].concat();
    let snapshot = [&[0u8, 1][..], &pagewire_record::crc::crc32c(&[0; 4]).to_be_bytes(), &[0; 4]].concat();
    let files: [&[u8]; 6] = [&log, &[1; 24], &[2; 36], &txn, &snapshot, &gap];
    let seed = |(at, bytes): (usize, &&[u8])| [&[(at % FileKind::ALL.len()) as u8][..], *bytes].concat();
    files.iter().enumerate().map(seed).collect()
}
