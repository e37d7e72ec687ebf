//! What all parts of one check share: the disk, what was asked, what was counted, and whoever is told.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::Disk;
use pagewire_record::DecompressLimits;
use uuid::Uuid;

use super::finding::{Fate, Finding, Onward, Severity};
use super::forecast::Forecast;

/// Findings of one file that are told; of more it is said how many there are.
const TOLD_PER_FILE: usize = 16;

/// Topics by name, as metadata knows them.
pub type Topics = BTreeMap<String, KnownTopic>;

/// What metadata says of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownTopic {
    /// Its id, if that is known.
    pub id: Option<Uuid>,
    /// Whether its settings let it be compacted, if they say so.
    pub compacted: Option<bool>,
    /// For each partition the id of the log directory that has it, `None` for the first. Empty where that is not known.
    pub homes: Vec<Option<Uuid>>,
    /// The process that made the topic may have ended before it had made all its logs.
    pub unmade: bool,
}

/// Reads the metadata once more, as it is by then; nothing where it cannot be read.
#[derive(Clone, Copy)]
pub struct Again<'t>(pub &'t dyn Fn() -> Arc<Topics>);

impl fmt::Debug for Again<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}

/// What to look at besides the bytes' own checks.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyOptions<'t> {
    /// Decompress every batch and read every record.
    pub deep: bool,
    /// Bounds for that.
    pub limits: DecompressLimits,
    /// What is known of the topics. Where nothing is, offsets that are missing may have been compacted.
    pub topics: Option<&'t Topics>,
    /// How to ask once more, of a directory that a broker serves: topics come and go meanwhile.
    pub again: Option<Again<'t>>,
}

/// What was looked at, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Partition directories.
    pub logs: u64,
    /// `.log` files.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Batches in them.
    pub batches: u64,
    /// Records, as the batches count them.
    pub records: u64,
    /// Findings of each severity: notes, doubts, damage.
    pub notes: u64,
    /// See above.
    pub doubts: u64,
    /// See above.
    pub damage: u64,
}

impl Tally {
    /// Counts a finding, as often as it says.
    pub fn count(&mut self, finding: &Finding) {
        *match finding.severity {
            Severity::Note => &mut self.notes,
            Severity::Doubt => &mut self.doubts,
            Severity::Damage => &mut self.damage,
        } += finding.count;
    }

    /// Adds what another check came to.
    pub fn add(&mut self, other: &Self) {
        self.logs += other.logs;
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.batches += other.batches;
        self.records += other.records;
        self.notes += other.notes;
        self.doubts += other.doubts;
        self.damage += other.damage;
    }
}

/// Told as it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something was found.
    Found(Finding),
    /// So many more bytes of records were read, of this file.
    Read {
        /// The file.
        path: &'a Path,
        /// Bytes.
        bytes: u64,
    },
}

/// One check under way.
pub(crate) struct Job<'j> {
    pub(crate) disk: &'j Arc<dyn Disk>,
    pub(crate) options: VerifyOptions<'j>,
    pub(crate) tally: Tally,
    /// What is checked is Kafka's: no start here serves it, an import may take it.
    pub(crate) is_kafkas: bool,
    tell: &'j mut dyn FnMut(Event<'_>),
}

impl<'j> Job<'j> {
    pub(crate) fn new(
        disk: &'j Arc<dyn Disk>,
        options: VerifyOptions<'j>,
        tell: &'j mut dyn FnMut(Event<'_>),
    ) -> Self {
        Self { disk, options, tally: Tally::default(), is_kafkas: false, tell }
    }

    /// Counts a finding and passes it on.
    pub(crate) fn found(&mut self, finding: Finding) {
        let finding = if self.is_kafkas { finding.at_import() } else { finding };
        self.tally.count(&finding);
        (self.tell)(Event::Found(finding));
    }

    /// Says how far it is.
    pub(crate) fn read(&mut self, path: &Path, bytes: u64) {
        (self.tell)(Event::Read { path, bytes });
    }
}

/// The findings of one file, kept back until it is certain that the file was not replaced meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    findings: Vec<Finding>,
    /// Of those past the bound the first of each severity, with how many there are.
    more: Vec<Finding>,
}

impl Kept {
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.findings.len() < TOLD_PER_FILE {
            self.findings.push(finding);
            return;
        }
        match self.more.iter_mut().find(|more| more.severity == finding.severity) {
            Some(more) => more.count += finding.count,
            None => self.more.push(finding),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(&self.more)
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.findings.iter_mut().chain(&mut self.more)
    }

    /// The files of which something is said.
    pub(crate) fn files(&self) -> impl Iterator<Item = PathBuf> {
        self.all().map(|finding| finding.path.clone())
    }

    /// Whether anything is said of this file.
    pub(crate) fn names(&self, file: &Path) -> bool {
        self.all().any(|finding| finding.path == file)
    }

    /// Whether it is still to be found where good records go on.
    pub(crate) fn seeks(&self) -> bool {
        self.all().any(Finding::seeks)
    }

    /// The walk came to what follows all that is damaged so far.
    pub(crate) fn go_on(&mut self, onward: Onward) {
        for finding in self.all_mut().filter(|finding| finding.seeks()) {
            finding.onward = Some(onward);
        }
    }

    /// Says of bytes that are no batch what becomes of them.
    pub(crate) fn resolve(&mut self, forecast: &Forecast) {
        for finding in self.all_mut() {
            if let Some(position) = finding.position.filter(|_| finding.fate == Fate::Refused) {
                finding.fate = forecast.fate_of(&finding.path, position);
                if matches!(finding.fate, Fate::Cut { .. }) {
                    finding.onward = None;
                }
                if forecast.takes_good_ones(&finding.path, position) {
                    finding.severity = Severity::Damage;
                }
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// All that were told, and one of each severity for the rest.
    pub(crate) fn tell(self, job: &mut Job<'_>) {
        self.findings.into_iter().for_each(|finding| job.found(finding));
        for more in self.more {
            let what = match more.count {
                1 => more.what,
                count => format!("{count} more findings, such as: {}", more.what),
            };
            job.found(Finding { what, ..more });
        }
    }
}
