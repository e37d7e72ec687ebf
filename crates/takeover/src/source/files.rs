//! The files in a partition's directory: which come along, and how.
//!
//! | file | |
//! |-|-|
//! | `%020d.log` | a segment; all but the last are closed: nobody writes to them any more |
//! | `.index` `.timeindex` `.txnindex` of closed segments, `.snapshot` | come along; what serves checks them |
//! | `.index` `.timeindex` of the last segment | longer than they say, after a kill: made anew |
//! | `leader-epoch-checkpoint` | comes along |
//! | `partition.metadata` | made anew |
//! | `*.deleted` `*.cleaned` `*.tmp` | what Kafka would remove at its next start |
//! | `*.swap` | a compaction that stopped half way through renaming: for Kafka to finish |

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::ImportError;

/// Where each leader epoch begins.
const LEADER_EPOCHS: &str = pagewire_disk::checkpoint::EPOCH_CHECKPOINT_FILE;

const LOG: &str = "log";
const SNAPSHOT: &str = "snapshot";
const SWAP: &str = ".swap";
/// The derived files that stand and fall with a segment.
const DERIVED: [&str; 3] = ["index", "timeindex", "txnindex"];
/// The one of them that is complete also in the last segment.
const TXN_INDEX: &str = "txnindex";
/// What systems count blocks in.
const BLOCK: u64 = 512;

/// A segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Offset of its first record, as its name has it.
    pub(crate) base: i64,
    /// Bytes of records.
    pub(crate) len: u64,
    /// Its other files that come along, by their suffix, with their lengths.
    pub(crate) derived: Vec<(&'static str, u64)>,
}

impl Segment {
    /// The name of one of its files.
    pub(crate) fn file(&self, suffix: &str) -> String {
        format!("{:020}.{suffix}", self.base)
    }

    /// The name of its records.
    pub(crate) fn log(&self) -> String {
        self.file(LOG)
    }

    /// Bytes of all that come along.
    pub(crate) fn bytes(&self) -> u64 {
        self.len + self.derived.iter().map(|(_, len)| len).sum::<u64>()
    }
}

/// The files of a partition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PartitionFiles {
    /// Oldest first.
    pub(crate) segments: Vec<Segment>,
    /// Names of what is copied besides, with lengths.
    pub(crate) small: Vec<(String, u64)>,
    /// A compaction must be finished first.
    pub(crate) has_swaps: bool,
    /// Bytes at the end of the newest segment that only its length has (`log.preallocate`).
    pub(crate) reserved: u64,
}

impl PartitionFiles {
    /// Lists the directory.
    pub(crate) fn read(dir: &Path) -> Result<Self, ImportError> {
        let mut names = Vec::new();
        let mut list = || -> io::Result<()> {
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                // Followed, should it be a link.
                let metadata = fs::metadata(entry.path())?;
                if metadata.is_file() {
                    names.push((name, metadata.len()));
                }
            }
            Ok(())
        };
        list().map_err(ImportError::at(dir))?;
        names.sort();
        let files = Self::of(&names);
        let reserved = files.segments.last().map_or(Ok(0), |last| reserved(&dir.join(last.log())));
        Ok(Self { reserved: reserved.map_err(ImportError::at(dir))?, ..files })
    }

    fn of(names: &[(String, u64)]) -> Self {
        let numbered: Vec<(i64, &str, u64)> = names
            .iter()
            .filter_map(|(name, len)| numbered(name).map(|(base, suffix)| (base, suffix, *len)))
            .collect();
        let bases: BTreeSet<i64> =
            numbered.iter().filter(|(_, suffix, _)| *suffix == LOG).map(|(base, ..)| *base).collect();
        let len_of = |base: i64, wanted: &str| {
            numbered.iter().find(|(at, suffix, _)| *at == base && *suffix == wanted).map(|(.., len)| *len)
        };
        let segment = |base: i64| {
            let is_last = bases.last() == Some(&base);
            let comes = |suffix: &&'static str| !is_last || *suffix == TXN_INDEX;
            let derived =
                DERIVED.into_iter().filter(comes).filter_map(|suffix| Some((suffix, len_of(base, suffix)?)));
            Segment { base, len: len_of(base, LOG).unwrap_or(0), derived: derived.collect() }
        };
        let is_small = |name: &str| name == LEADER_EPOCHS || numbered_with(name, SNAPSHOT);
        Self {
            segments: bases.iter().copied().map(segment).collect(),
            small: names.iter().filter(|(name, _)| is_small(name)).cloned().collect(),
            has_swaps: names.iter().any(|(name, _)| name.ends_with(SWAP)),
            reserved: 0,
        }
    }

    /// Bytes of records.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Bytes of records in the segment that is written to.
    pub(crate) fn open_bytes(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.len)
    }

    /// Bytes of all that come along, with those that are only reserved.
    pub(crate) fn bytes(&self) -> u64 {
        let small: u64 = self.small.iter().map(|(_, len)| len).sum();
        self.segments.iter().map(Segment::bytes).sum::<u64>() + small
    }
}

/// Bytes of a file that it has no blocks for.
fn reserved(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    Ok(metadata.len().saturating_sub(metadata.blocks() * BLOCK))
}

/// Twenty digits, a dot, a suffix.
fn numbered(name: &str) -> Option<(i64, &str)> {
    let (digits, suffix) = name.split_once('.')?;
    let plain = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(|base| (base, suffix)))?
}

fn numbered_with(name: &str, wanted: &str) -> bool {
    numbered(name).is_some_and(|(_, suffix)| suffix == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> PartitionFiles {
        let names: Vec<_> = names.iter().map(|name| ((*name).to_owned(), 10)).collect();
        PartitionFiles::of(&names)
    }

    #[test]
    fn closed_segments_bring_their_indexes_and_the_last_one_brings_none() {
        let found = files(&[
            "00000000000000000000.index",
            "00000000000000000000.log",
            "00000000000000000000.timeindex",
            "00000000000000000007.index",
            "00000000000000000007.log",
            "00000000000000000007.snapshot",
            "00000000000000000007.timeindex",
            "00000000000000000007.txnindex",
            "leader-epoch-checkpoint",
            "partition.metadata",
        ]);
        assert_eq!(found.segments[0].derived, [("index", 10), ("timeindex", 10)]);
        assert_eq!(found.segments[1].derived, [("txnindex", 10)]);
        assert_eq!(
            (found.segments[1].base, found.segments[1].log().as_str()),
            (7, "00000000000000000007.log")
        );
        assert_eq!(
            found.small.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["00000000000000000007.snapshot", LEADER_EPOCHS]
        );
        assert_eq!((found.log_bytes(), found.bytes()), (20, 70));
    }

    #[test]
    fn what_kafka_would_remove_stays_behind_and_half_a_compaction_is_seen() {
        let found = files(&[
            "00000000000000000000.log",
            "00000000000000000003.log.deleted",
            "00000000000000000004.log.cleaned",
            "leader-epoch-checkpoint.tmp",
            "00000000000000000005.snapshot.deleted",
            "5.log",
        ]);
        assert_eq!((found.segments.len(), found.small.len(), found.has_swaps), (1, 0, false));
        assert!(files(&["00000000000000000004.log.swap"]).has_swaps);
    }

    #[test]
    fn what_a_log_only_has_room_for_is_known() {
        let dir = tempfile::tempdir().expect("a directory");
        let log = fs::File::create(dir.path().join("00000000000000000000.log")).expect("made");
        log.set_len(1 << 30).expect("longer");
        let files = PartitionFiles::read(dir.path()).expect("listed");
        assert_eq!(files.bytes(), 1 << 30);
        assert!(files.bytes() - files.reserved < 1 << 20, "{files:?}");
    }
}
