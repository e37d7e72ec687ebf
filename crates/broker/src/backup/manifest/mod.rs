//! What a backup holds: `backup.json`, a JSON object a line, written when everything else is there.
//!
//! ```text
//!   {"backup":{"format":1,"version":"0.1.0","cluster_id":"...","node_id":1,"started_ms":...,"verified":true}}
//!   {"file":{"name":"metadata.redb","bytes":...,"crc32c":...}}                          any number
//!   {"row":{"key":"topics/orders","value":"{\"v\":3,...}"}}                             each row of metadata.redb
//!   {"log":{"topic":"orders","topic_id":"...","partition":0,"log_start":0,"end":4711,"files":[...]}}   any number
//!   {"missing":{"topic":"orders","topic_id":"...","partition":1,"why":"..."}}           each log that could not be read
//!   {"end":{"finished_ms":...,"logs":...,"bytes":...,"crc32c":...}}                     of all lines before it, and of finished_ms
//! ```
//!
//! A `.log` with damaged records has a `damage` besides: `[{"from":...,"to":...,"offset":...,"next_offset":...}]`.
//!
//! The first line has an `excluded` besides, a list of topics, where some were left out.
//!
//! A line more or less, or a changed byte, is noticed. Unknown fields are passed over; an unknown format is refused.

#[cfg(feature = "fuzzing")]
mod again;
mod damage;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

use std::path::{Path, PathBuf};

use pagewire_log::backup::{CopiedFile, SourceId};
use pagewire_metadata::model::ids;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::BackupFailed;
#[cfg(feature = "fuzzing")]
pub(crate) use again::reads_again;
use damage::DamageRecord;
pub(super) use writing::Writing;

/// Its name in a backup.
pub const MANIFEST_FILE: &str = "backup.json";
/// The format that this program writes and reads.
const FORMAT: u32 = 1;

/// The whole manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) head: Head,
    /// Beside the logs.
    pub(super) files: Vec<FileRecord>,
    pub(super) logs: Vec<LogRecord>,
    /// Those that are not in it, and should be.
    pub(super) missing: Vec<MissingRecord>,
    /// What is in the metadata's file, should that be lost; nothing in backups of earlier builds.
    pub(super) rows: Vec<RowRecord>,
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
    /// Topics that were left out, as was wished.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) excluded: Vec<String>,
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

/// A log that is not in it: it could not be read, and was allowed to be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MissingRecord {
    pub(super) topic: String,
    #[serde(with = "ids::text")]
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    pub(super) why: String,
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
    /// When anything of that file was last changed (`st_ctime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source_changed: Option<i64>,
    /// Of a `.log`: what of it was damaged when it was copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) damage: Vec<DamageRecord>,
}

/// A row of the metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RowRecord {
    pub(super) key: String,
    /// JSON, as text.
    pub(super) value: String,
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
    Missing(MissingRecord),
    Row(RowRecord),
    End(End),
}

impl Head {
    pub(super) fn new(cluster_id: String, node_id: i32, started_ms: i64, verified: bool) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, cluster_id, node_id, started_ms, verified, excluded: Vec::new() }
    }

    pub(super) fn without(self, excluded: Vec<String>) -> Self {
        Self { excluded, ..self }
    }
}

impl FileRecord {
    pub(super) fn source_id(&self) -> Option<SourceId> {
        let changed_ns = self.source_changed;
        self.source.map(|(inode, modified_ns)| SourceId { inode, modified_ns, changed_ns })
    }

    /// The base offset in a `.log`'s name.
    pub(super) fn base_offset(&self) -> Option<i64> {
        self.name.strip_suffix(".log")?.parse().ok()
    }
}

impl From<&CopiedFile> for FileRecord {
    fn from(file: &CopiedFile) -> Self {
        let source = file.source.map(|source| (source.inode, source.modified_ns));
        let damage = file.damage.iter().copied().map(DamageRecord::from).collect();
        let source_changed = file.source.and_then(|source| source.changed_ns);
        Self {
            name: file.name.clone(),
            bytes: file.bytes,
            crc32c: file.crc32c,
            source,
            source_changed,
            damage,
        }
    }
}

impl LogRecord {
    /// The name of its directory.
    pub(super) fn dir(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// Where a file of it is within the backup.
    pub(super) fn path_of(&self, file: &FileRecord) -> String {
        format!("{}/{}", self.dir(), file.name)
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
        // The numbers are whoever wrote them's: of files that are there, no sum is so large.
        self.files.iter().chain(logs).fold(0, |sum, file| file.bytes.saturating_add(sum))
    }
}

/// The CRC-32C of all lines before the last one, and of the time in that as eight bytes.
fn sealed(crc: u32, finished_ms: i64) -> u32 {
    pagewire_record::crc::append(crc, &finished_ms.to_be_bytes())
}

fn wrong(path: &Path, reason: String) -> BackupFailed {
    BackupFailed::Manifest { path: PathBuf::from(path), reason }
}
