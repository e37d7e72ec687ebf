//! Where logs of a directory were found damaged: places to look at when it is opened, no evidence about them.
//!
//! ```text
//! 0                                     version
//! 1                                     entries
//! orders 0 1000 52428 4096 8192 1017    topic partition segment size from to offset
//! ```
//!
//! Ours alone: Kafka does not know the file, and leaves it.

use std::io;
use std::path::Path;

use super::error::{CheckpointError, load};
use super::text;
use crate::disk::Disk;
use crate::small::write_atomically;

/// Name of the file in a log directory.
pub const DAMAGE_FILE: &str = "pagewire-damage-checkpoint";

/// Some hundred thousand places.
const MAX_BYTES: u64 = 64 << 20;

/// A place that was found damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamageEntry {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Base offset of the segment.
    pub segment: i64,
    /// Bytes of its `.log`: one that is shorter is another file.
    pub size: u64,
    /// Position of the first damaged byte.
    pub from: u64,
    /// Position behind the last one; the same where records are only missing.
    pub to: u64,
    /// The first offset that may lie in it.
    pub offset: i64,
}

/// All places of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DamageCheckpoint {
    /// In any order.
    pub entries: Vec<DamageEntry>,
}

impl DamageCheckpoint {
    /// Reads the file in `dir`; nothing where there is none.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, CheckpointError> {
        let read = load(disk, &dir.join(DAMAGE_FILE), MAX_BYTES, |text| {
            let entries = text::parse(text, "a place in a segment", entry)?;
            Ok(Self { entries })
        });
        Ok(read?.unwrap_or_default())
    }

    /// Replaces the file in `dir`, durably. There is none for nothing.
    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let path = dir.join(DAMAGE_FILE);
        if !self.entries.is_empty() {
            return write_atomically(disk, &path, text::render(self.entries.iter().map(line)).as_bytes());
        }
        match disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn entry(words: &[&str]) -> Option<DamageEntry> {
    let [topic, partition, segment, size, from, to, offset] = words else { return None };
    let offset_of = |word: &str| word.parse().ok().filter(|offset: &i64| *offset >= 0);
    let entry = DamageEntry {
        topic: (*topic).to_owned(),
        partition: partition.parse().ok().filter(|partition: &i32| *partition >= 0)?,
        segment: offset_of(segment)?,
        size: size.parse().ok()?,
        from: from.parse().ok()?,
        to: to.parse().ok()?,
        offset: offset_of(offset)?,
    };
    (entry.from <= entry.to && entry.to <= entry.size && entry.segment <= entry.offset).then_some(entry)
}

fn line(entry: &DamageEntry) -> String {
    let DamageEntry { topic, partition, segment, size, from, to, offset } = entry;
    format!("{topic} {partition} {segment} {size} {from} {to} {offset}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryDisk;

    #[test]
    fn what_was_written_is_read_and_nothing_leaves_no_file() {
        let (disk, dir) = (MemoryDisk::new(), Path::new("/data"));
        disk.create_dir_all(dir).expect("made");
        let entry = DamageEntry {
            topic: "orders".to_owned(),
            partition: 1,
            segment: 1000,
            size: 52428,
            from: 4096,
            to: 8192,
            offset: 1017,
        };
        let one = DamageCheckpoint { entries: vec![entry] };
        one.write(&disk, dir).expect("written");
        assert_eq!(DamageCheckpoint::read(&disk, dir).expect("read"), one);
        DamageCheckpoint::default().write(&disk, dir).expect("removed");
        assert!(!disk.exists(&dir.join(DAMAGE_FILE)).expect("asked"));
        DamageCheckpoint::default().write(&disk, dir).expect("none to remove");
        assert_eq!(DamageCheckpoint::read(&disk, dir).expect("read"), DamageCheckpoint::default());
    }

    #[test]
    fn places_that_cannot_be_are_no_entries() {
        for words in
            ["t 0 0 100 5 4 0", "t 0 0 100 5 101 0", "t 0 9 100 0 5 3", "t -1 0 100 0 5 3", "t 0 0 9"]
        {
            assert_eq!(entry(&words.split(' ').collect::<Vec<_>>()), None, "{words}");
        }
    }
}
