//! Reading a file of a backup, or copying it while it is read: its length, its checksum, its batches.
//!
//! A file that is not what was copied is no error here: what can be read of it is, from its beginning on, and what is wrong is
//! said. Whoever reads decides. An error is the target's disk, or an end that was asked for.

use std::cell::Cell;
use std::io;
use std::path::Path;

use pagewire_disk::{Disk, DiskFile, OpenMode};
use pagewire_log::Stretch;
use pagewire_log::backup::{BackupError, BatchCheck, Expected, carry, damage_in};

use super::BackupFailed;
use super::manifest::FileRecord;
use super::pacer::Pacer;

/// The offsets that the batches of a `.log` lie between.
type Bounds = (i64, i64);
/// Where a copy goes, and the name of that.
type Target<'a> = (&'a Path, &'a dyn DiskFile);

/// How files of a backup are read.
pub(super) struct Reading<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) pacer: &'a Pacer<'a>,
}

/// What a file of a backup is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Bytes that could be read.
    pub(super) bytes: u64,
    /// Of a `.log`: what of it is damaged, or no longer there.
    pub(super) damage: Vec<Stretch>,
    /// Why it is not what was copied, if so.
    pub(super) altered: Option<String>,
}

/// What could be read of a file.
struct Taken {
    bytes: u64,
    crc: u32,
    /// Why no more could.
    failed: Option<io::Error>,
}

impl Reading<'_> {
    /// Reads a file, and writes it to `to` if there is one. The batches of a `.log` lie between the offsets of `bounds`.
    pub(super) fn read(
        &self,
        path: &Path,
        record: &FileRecord,
        to: Option<Target<'_>>,
        bounds: Option<Bounds>,
    ) -> Result<Found, BackupFailed> {
        let opened = self.disk.open(path, OpenMode::Read).and_then(|file| Ok((file.len()?, file)));
        let (len, file) = match opened {
            Ok(opened) => opened,
            Err(error) => return Ok(nothing(record, bounds, &error)),
        };
        let known = record.damage.iter().copied().map(Stretch::from);
        let expected = bounds.map(|(base, bound)| Expected::new(base, bound).knowing(known));
        let mut check = expected.as_ref().map(BatchCheck::new);
        let taken = self.take((path, &*file), len.min(record.bytes), to, check.as_mut())?;
        let altered = altered(record, len, &taken);
        let found = Found { bytes: taken.bytes, damage: Vec::new(), altered };
        match check.zip(expected.as_ref()) {
            None => Ok(found),
            Some((check, expected)) => {
                self.with_damage(found, (path, &*file), record.bytes, (&check, expected))
            }
        }
    }

    fn take(
        &self,
        (path, file): (&Path, &dyn DiskFile),
        len: u64,
        to: Option<Target<'_>>,
        check: Option<&mut BatchCheck>,
    ) -> Result<Taken, BackupFailed> {
        let read = Cell::new(0);
        let pace = |bytes| {
            read.set(read.get() + bytes);
            self.pacer.moved(bytes)
        };
        match carry((path, file), len, to, check, &pace) {
            Ok(crc) => Ok(Taken { bytes: len, crc, failed: None }),
            Err(BackupError::Io { path: of, error })
                if of == path && error.kind() != io::ErrorKind::Interrupted =>
            {
                Ok(Taken { bytes: read.get(), crc: 0, failed: Some(error) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Says of a `.log` what of it is damaged.
    fn with_damage(
        &self,
        mut found: Found,
        file: (&Path, &dyn DiskFile),
        copied: u64,
        (check, expected): (&BatchCheck, &Expected),
    ) -> Result<Found, BackupFailed> {
        let is_cut = found.bytes < copied;
        match check.end() {
            Ok(next_offset) => {
                found.damage = expected.known_within(found.bytes).collect();
                if is_cut {
                    found.damage.extend(Stretch::missing(found.bytes, next_offset..expected.bound()));
                } else if let Some(reason) = &mut found.altered {
                    reason.push_str(": what no batch's own sum covers, such as offsets or leader epochs");
                }
            }
            Err((position, reason)) => {
                found.damage =
                    damage_in(self.disk, file, found.bytes, expected, &|bytes| self.pacer.moved(bytes))?;
                if found.damage.is_empty() {
                    // What was copied may be what was read first.
                    let twice = || format!("at byte {position} it is not the same each time: {reason}");
                    found.altered.get_or_insert_with(twice);
                }
            }
        }
        Ok(found)
    }
}

/// Of a file that cannot be opened.
fn nothing(record: &FileRecord, bounds: Option<Bounds>, error: &io::Error) -> Found {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "it is missing".to_owned(),
        _ => format!("it cannot be opened: {error}"),
    };
    let lost = bounds.filter(|_| record.bytes > 0).and_then(|(base, bound)| Stretch::missing(0, base..bound));
    Found { bytes: 0, damage: Vec::from_iter(lost), altered: Some(reason) }
}

fn altered(record: &FileRecord, len: u64, taken: &Taken) -> Option<String> {
    let Taken { bytes, crc, failed } = taken;
    if let Some(error) = failed {
        return Some(format!("it cannot be read from byte {bytes} on: {error}"));
    }
    if len != record.bytes {
        return Some(format!("it has {len} bytes, not {}", record.bytes));
    }
    let known = record.crc32c.filter(|known| known != crc)?;
    Some(format!("its CRC-32C is {crc:08x}, not {known:08x}"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use pagewire_disk::MemoryDisk;
    use pagewire_record::{BatchBuilder, Codec};

    use super::super::Limits;
    use super::*;

    const BASE: i64 = 10;
    const BOUND: i64 = 30;
    /// As a compacted log has them.
    const OFFSETS: [i64; 3] = [12, 17, 24];

    fn segment() -> Vec<u8> {
        let batch = |offset: &i64| {
            let mut builder = BatchBuilder::new(Codec::None);
            builder.append(1000, None, Some(b"value"), &[]).expect("appended");
            let mut batch = builder.build().expect("built").to_vec();
            batch[..8].copy_from_slice(&offset.to_be_bytes());
            batch
        };
        OFFSETS.iter().flat_map(batch).collect()
    }

    fn record(bytes: &[u8]) -> FileRecord {
        FileRecord {
            name: "00000000000000000010.log".to_owned(),
            bytes: bytes.len() as u64,
            crc32c: Some(pagewire_record::crc::append(0, bytes)),
            source: None,
            source_changed: None,
            damage: Vec::new(),
        }
    }

    /// What is found where `bytes` are, and the segment was.
    fn found(bytes: Option<&[u8]>) -> Found {
        beside(&segment(), bytes, None)
    }

    /// The same beside such an index.
    fn beside(copied: &[u8], bytes: Option<&[u8]>, index: Option<&[u8]>) -> Found {
        let (disk, path) = (MemoryDisk::new(), PathBuf::from("/b/00000000000000000010.log"));
        disk.create_dir_all(Path::new("/b")).expect("made");
        for (path, bytes) in [(path.clone(), bytes), (path.with_extension("index"), index)] {
            if let Some(bytes) = bytes {
                let file = disk.open(&path, OpenMode::Create).expect("opened");
                file.write_at(0, bytes).expect("written");
            }
        }
        let (limits, tell) = (Limits::default(), |_: &_| {});
        let reading = Reading { disk: &disk, pacer: &Pacer::new(&limits, &tell) };
        reading.read(&path, &record(copied), None, Some((BASE, BOUND))).expect("read")
    }

    #[test]
    fn what_was_copied_is_good() {
        let bytes = segment();
        let good = Found { bytes: bytes.len() as u64, ..Found::default() };
        assert_eq!(found(Some(&bytes)), good);
    }

    /// Base offset and leader epoch are outside of what a batch's own sum covers.
    #[test]
    fn every_flipped_bit_is_told() {
        let bytes = segment();
        let mut unseen_by_batches = 0;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let found = found(Some(&flipped));
                assert!(found.altered.is_some(), "byte {at}, bit {bit}");
                unseen_by_batches += usize::from(found.damage.is_empty());
            }
        }
        assert!(unseen_by_batches >= 3 * 32, "leader epochs at least: {unseen_by_batches}");
    }

    /// In the last bytes of a batch, whose header and first record are destroyed, lies one that leads to the next.
    #[test]
    fn a_batch_inside_a_record_is_none_of_the_copys_own() {
        let one = |offset, headers: &[(&[u8], Option<&[u8]>)]| {
            let mut builder = BatchBuilder::new(Codec::None).base_offset(offset);
            builder.append(1000, None, Some(&[7; 200]), headers).expect("appended");
            builder.build().expect("built").to_vec()
        };
        let mut trap = one(12, &[(b"h", Some(&one(17, &[])))]);
        trap[..100].fill(0);
        let (next, file) = (trap.len() as u64, [trap, one(24, &[])].concat());
        let stretch = |to, next_offset| vec![Stretch::new(0..to, BASE..next_offset)];
        assert_eq!(beside(&file, Some(&file), None).damage, stretch(file.len() as u64, BOUND));
        let entry = [14_i32.to_be_bytes(), i32::try_from(next).expect("short").to_be_bytes()].concat();
        assert_eq!(beside(&file, Some(&file), Some(&entry)).damage, stretch(next, 24));
    }

    #[test]
    fn of_a_cut_file_what_is_there_is_known_and_what_is_not_is_told() {
        let (bytes, one) = (segment(), segment().len() / 3);
        for len in 0..bytes.len() {
            let found = found(Some(&bytes[..len]));
            assert_eq!(found.bytes, len as u64);
            assert_eq!(found.altered, Some(format!("it has {len} bytes, not {}", bytes.len())));
            let [lost] = &found.damage[..] else { panic!("{len}: {found:?}") };
            let whole = len / one;
            let offset = whole.checked_sub(1).map_or(BASE, |last| OFFSETS[last] + 1);
            let from = (whole * one) as u64;
            assert_eq!(*lost, Stretch::new(from..len as u64, offset..BOUND), "{len}");
        }
    }

    #[test]
    fn a_file_that_is_missing_or_longer_is_told() {
        let mut bytes = segment();
        let missing = found(None);
        assert_eq!(missing.altered.as_deref(), Some("it is missing"));
        let all = Stretch::new(0..0, BASE..BOUND);
        assert_eq!((missing.bytes, &missing.damage[..]), (0, &[all][..]));
        bytes.push(0);
        let longer = found(Some(&bytes));
        assert_eq!(longer.bytes, segment().len() as u64, "what was not copied is not taken");
        assert!(longer.altered.is_some() && longer.damage.is_empty());
    }
}
