//! What a backup holds: `backup.json`, a JSON object a line, written when everything else is there.
//!
//! ```text
//!   {"backup":{"format":1,"version":"0.1.0","cluster_id":"...","node_id":1,"started_ms":...,"verified":true}}
//!   {"file":{"name":"metadata.redb","bytes":...,"crc32c":...}}                          any number
//!   {"log":{"topic":"orders","topic_id":"...","partition":0,"log_start":0,"end":4711,"files":[...]}}   any number
//!   {"end":{"finished_ms":...,"logs":...,"bytes":...,"crc32c":...}}                     of all lines before it, and of finished_ms
//! ```
//!
//! A line more or less, or a changed byte, is noticed. Unknown fields are passed over; an unknown format is refused.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, OpenMode};
use pagewire_log::backup::{CopiedFile, SourceId, Way};
use pagewire_metadata::model::ids;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::BackupFailed;

/// Its name in a backup.
pub const MANIFEST_FILE: &str = "backup.json";
/// Its name until it is whole.
const HALF_FILE: &str = "backup.json.tmp";
/// The format that this program writes and reads.
const FORMAT: u32 = 1;
/// A log of a million segments has a line shorter than this.
const LINE_MAX: u64 = 1 << 30;

/// A manifest being written, a line for each thing that is there. No more than a line is kept in memory: a backup may have
/// millions of files.
pub(super) struct Writing<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// Under another name until it is whole.
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Where the next line goes.
    at: u64,
    crc: u32,
    logs: usize,
    bytes: u64,
}

impl<'a> Writing<'a> {
    pub(super) fn begin(disk: &'a dyn Disk, dir: &'a Path, head: Head) -> Result<Self, BackupFailed> {
        let path = dir.join(HALF_FILE);
        let file = disk.open(&path, OpenMode::CreateNew).map_err(BackupFailed::at(&path))?;
        let mut this = Self { disk, dir, path, file, at: 0, crc: 0, logs: 0, bytes: 0 };
        this.line(&Line::Backup(head))?;
        Ok(this)
    }

    pub(super) fn file(&mut self, file: FileRecord) -> Result<(), BackupFailed> {
        self.bytes += file.bytes;
        self.line(&Line::File(file))
    }

    pub(super) fn log(&mut self, log: LogRecord) -> Result<(), BackupFailed> {
        self.logs += 1;
        self.bytes += log.files.iter().map(|file| file.bytes).sum::<u64>();
        self.line(&Line::Log(log))
    }

    /// The backup is finished by it: everything else is there, and synced.
    pub(super) fn finish(mut self, finished_ms: i64) -> Result<(), BackupFailed> {
        let (logs, bytes, crc32c) = (self.logs, self.bytes, sealed(self.crc, finished_ms));
        self.line(&Line::End(End { finished_ms, logs, bytes, crc32c }))?;
        self.file.sync_all().map_err(BackupFailed::at(&self.path))?;
        let named = self.disk.rename(&self.path, &self.dir.join(MANIFEST_FILE));
        named.and_then(|()| self.disk.sync_dir(self.dir)).map_err(BackupFailed::at(&self.path))
    }

    fn line(&mut self, line: &Line) -> Result<(), BackupFailed> {
        let mut text = serde_json::to_vec(line).map_err(|error| wrong(&self.path, error.to_string()))?;
        text.push(b'\n');
        self.file.write_at(self.at, &text).map_err(BackupFailed::at(&self.path))?;
        self.at += text.len() as u64;
        self.crc = pagewire_record::crc::append(self.crc, &text);
        Ok(())
    }
}

/// The whole manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) head: Head,
    /// Beside the logs.
    pub(super) files: Vec<FileRecord>,
    pub(super) logs: Vec<LogRecord>,
    pub(super) finished_ms: i64,
}

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    format: u32,
    version: String,
    pub(super) cluster_id: String,
    pub(super) node_id: i32,
    pub(super) started_ms: i64,
    /// Every batch was checked.
    pub(super) verified: bool,
}

/// A log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogRecord {
    pub(super) topic: String,
    #[serde(with = "ids::text")]
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    pub(super) log_start: i64,
    /// First offset of the oldest segment.
    pub(super) first_base: i64,
    pub(super) end: i64,
    pub(super) files: Vec<FileRecord>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// Of all of it; none if it was never read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32c: Option<u32>,
    /// Of a closed `.log`: inode and time of the file that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<(u64, i64)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    finished_ms: i64,
    logs: usize,
    bytes: u64,
    crc32c: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Backup(Head),
    File(FileRecord),
    Log(LogRecord),
    End(End),
}

impl Head {
    pub(super) fn new(cluster_id: String, node_id: i32, started_ms: i64, verified: bool) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, cluster_id, node_id, started_ms, verified }
    }
}

impl FileRecord {
    pub(super) fn source_id(&self) -> Option<SourceId> {
        self.source.map(|(inode, modified_ns)| SourceId { inode, modified_ns })
    }

    /// The base offset in a `.log`'s name.
    pub(super) fn base_offset(&self) -> Option<i64> {
        self.name.strip_suffix(".log")?.parse().ok()
    }
}

impl From<&CopiedFile> for FileRecord {
    fn from(file: &CopiedFile) -> Self {
        let source = file.source.map(|source| (source.inode, source.modified_ns));
        Self { name: file.name.clone(), bytes: file.bytes, crc32c: file.crc32c, source }
    }
}

impl LogRecord {
    /// The name of its directory.
    pub(super) fn dir(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// Its files; for a `.log` with the offsets that its batches lie between.
    pub(super) fn bounded(&self) -> impl Iterator<Item = (&FileRecord, Option<(i64, i64)>)> {
        let mut next = self.files.iter().filter_map(FileRecord::base_offset).skip(1);
        self.files.iter().map(move |file| {
            let base = file.base_offset();
            (file, base.map(|base| (base, next.next().unwrap_or(self.end))))
        })
    }
}

impl Manifest {
    pub(super) fn bytes(&self) -> u64 {
        let logs = self.logs.iter().flat_map(|log| &log.files);
        self.files.iter().chain(logs).map(|file| file.bytes).sum()
    }

    /// Reads it, and believes it only if it is whole and names nothing outside of its directory.
    pub(super) fn read(dir: &Path) -> Result<Self, BackupFailed> {
        let path = dir.join(MANIFEST_FILE);
        let file = File::open(&path).map_err(BackupFailed::at(&path))?;
        let manifest = parse(BufReader::new(file)).map_err(|reason| wrong(&path, reason))?;
        manifest.check_names().map_err(|reason| wrong(&path, reason))?;
        Ok(manifest)
    }

    fn check_names(&self) -> Result<(), String> {
        let mut dirs = HashSet::new();
        for log in &self.logs {
            if !dirs.insert(log.dir()) {
                return Err(format!("{} is there twice", log.dir()));
            }
        }
        let names = self.logs.iter().flat_map(|log| &log.files).chain(&self.files).map(|file| &file.name);
        for name in names.chain(&dirs) {
            let mut parts = Path::new(name).components();
            if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
                return Err(format!("'{name}' is no file's name"));
            }
        }
        Ok(())
    }
}

/// The CRC-32C of all lines before the last one, and of the time in that as eight bytes.
fn sealed(crc: u32, finished_ms: i64) -> u32 {
    pagewire_record::crc::append(crc, &finished_ms.to_be_bytes())
}

fn wrong(path: &Path, reason: String) -> BackupFailed {
    BackupFailed::Manifest { path: PathBuf::from(path), reason }
}

fn parse(mut lines: impl BufRead) -> Result<Manifest, String> {
    const CUT: &str = "it is not whole: the backup was never finished, or the file is damaged";
    let (mut head, mut files, mut logs, mut crc) = (None, Vec::new(), Vec::new(), 0);
    loop {
        let mut text = Vec::new();
        lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut text).map_err(|error| error.to_string())?;
        if text.last() != Some(&b'\n') {
            return Err(CUT.to_owned());
        }
        let line: Line =
            serde_json::from_slice(&text).map_err(|error| format!("no line of a backup: {error}"))?;
        match line {
            Line::Backup(found) if head.is_none() => {
                if found.format != FORMAT {
                    return Err(format!("its format is {}, this program knows {FORMAT}", found.format));
                }
                head = Some(found);
            }
            Line::File(file) => files.push(file),
            Line::Log(log) => logs.push(log),
            Line::End(end) => {
                let head = head.ok_or(CUT)?;
                let manifest = Manifest { head, files, logs, finished_ms: end.finished_ms };
                if end.crc32c != sealed(crc, end.finished_ms)
                    || end.logs != manifest.logs.len()
                    || end.bytes != manifest.bytes()
                {
                    return Err("it was changed or damaged: its checksum does not match".to_owned());
                }
                return Ok(manifest);
            }
            Line::Backup(_) => return Err("it begins twice".to_owned()),
        }
        crc = pagewire_record::crc::append(crc, &text);
    }
}

/// Sums of bytes by the way they came.
pub(super) fn add(summary: &mut super::BackupSummary, file: &CopiedFile) {
    summary.files += 1;
    summary.bytes += file.bytes;
    *match file.way {
        Way::Copied => &mut summary.copied_bytes,
        Way::Shared => &mut summary.shared_bytes,
        Way::Linked => &mut summary.linked_bytes,
        Way::Earlier => &mut summary.earlier_bytes,
    } += file.bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |name: &str, crc32c| FileRecord {
            name: name.to_owned(),
            bytes: 100,
            crc32c,
            source: crc32c.map(|_| (7, 8)),
        };
        let log = LogRecord {
            topic: "orders".to_owned(),
            topic_id: Uuid::from_u128(5),
            partition: 1,
            log_start: 3,
            first_base: 0,
            end: 40,
            files: vec![
                file("00000000000000000000.log", Some(1)),
                file("00000000000000000010.log", None),
                file("leader-epoch-checkpoint", Some(3)),
            ],
        };
        Manifest {
            head: Head::new("cluster".to_owned(), 1, 1000, true),
            files: vec![file("metadata.redb", Some(4))],
            logs: vec![log],
            finished_ms: 2000,
        }
    }

    fn text() -> Vec<u8> {
        let disk = pagewire_disk::MemoryDisk::new();
        disk.create_dir_all(Path::new("/b")).expect("made");
        let Manifest { head, files, logs, finished_ms } = manifest();
        let mut writing = Writing::begin(&disk, Path::new("/b"), head).expect("begun");
        for log in logs {
            writing.log(log).expect("written");
        }
        for file in files {
            writing.file(file).expect("written");
        }
        writing.finish(finished_ms).expect("finished");
        let path = Path::new("/b").join(MANIFEST_FILE);
        pagewire_disk::read_small(&disk, &path, 1 << 20).expect("read").expect("there")
    }

    #[test]
    fn it_says_what_was_written() {
        assert_eq!(parse(&text()[..]), Ok(manifest()));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let text = text();
        for at in 0..text.len() {
            assert!(parse(&text[..at]).is_err(), "cut at {at}");
            let mut flipped = text.clone();
            flipped[at] ^= 1;
            let found = parse(&flipped[..]);
            assert!(found.is_err() || found == Ok(manifest()), "byte {at}: {}", flipped[at] as char);
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["../x", "/etc/passwd", "a/b", "", ".", ".."] {
            let mut bad = manifest();
            name.clone_into(&mut bad.files[0].name);
            assert!(bad.check_names().is_err(), "{name}");
            let mut bad = manifest();
            bad.logs[0].topic = format!("{name}/t");
            assert!(bad.check_names().is_err(), "{name}");
        }
        let mut twice = manifest();
        twice.logs.push(twice.logs[0].clone());
        assert!(twice.check_names().is_err());
        manifest().check_names().expect("good");
    }

    #[test]
    fn a_segment_ends_where_the_next_begins() {
        let manifest = manifest();
        let bounds: Vec<_> = manifest.logs[0].bounded().map(|(_, bounds)| bounds).collect();
        assert_eq!(bounds, [Some((0, 10)), Some((10, 40)), None]);
    }
}
