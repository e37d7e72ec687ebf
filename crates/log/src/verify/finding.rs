//! What a check found, as data: where, how bad, what is wrong, and what becomes of it at the next start.

use std::fmt;
use std::path::PathBuf;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is wrong; worth knowing.
    Note,
    /// It may be right, or is put right without a loss that anybody would notice.
    Doubt,
    /// Bytes that cannot be right.
    Damage,
}

impl Severity {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Doubt => "doubt",
            Self::Damage => "damage",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What becomes of it when a broker opens the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it is served, or passed over, as it is.
    Stays,
    /// The file is rebuilt from the log, at the start or at its first use.
    Rebuilt,
    /// The log ends at this offset afterwards: what lies behind it goes.
    Cut {
        /// The offset.
        offset: i64,
    },
    /// Reads of it are answered with an error; what lies before and behind it is served.
    Refused,
    /// The file or directory is removed.
    Removed,
    /// It takes the place of the file that it replaces.
    Finished,
    /// It is written anew without what it held.
    Renewed,
    /// Of a directory of Kafka's, which no start here serves: an import takes what is there.
    Imported,
    /// An import refuses the log, or takes it up to here if it is told to.
    NotImported,
    /// An import does not need it.
    LeftBehind,
}

impl Fate {
    /// In a word, for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::Rebuilt => "rebuilt",
            Self::Cut { .. } => "cut",
            Self::Refused => "refused",
            Self::Removed => "removed",
            Self::Finished => "finished",
            Self::Renewed => "renewed",
            Self::Imported => "imported",
            Self::NotImported => "not-imported",
            Self::LeftBehind => "left-behind",
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stays => f.write_str("left as it is"),
            Self::Rebuilt => f.write_str("rebuilt from the log"),
            Self::Cut { offset } => write!(f, "cut: the log ends at offset {offset} after the next start"),
            Self::Refused => {
                f.write_str("reads of it are answered with an error, what lies around it is served")
            }
            Self::Removed => f.write_str("removed at the next start"),
            Self::Finished => f.write_str("put in its place at the next start"),
            Self::Renewed => f.write_str("written anew at the next start"),
            Self::Imported => f.write_str("pagewire import takes what is there, and says so"),
            Self::NotImported => f.write_str(
                "pagewire import refuses the log; with --accept-damage it takes what is before this",
            ),
            Self::LeftBehind => f.write_str("pagewire import leaves it behind"),
        }
    }
}

/// What can be read behind records that are damaged or missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// Good records go on at this offset.
    At(i64),
    /// None follow.
    Nowhere,
}

impl fmt::Display for Onward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(offset) => write!(f, "good records go on at offset {offset}"),
            Self::Nowhere => f.write_str("no good record follows"),
        }
    }
}

/// One finding. `Display` is a line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file or directory.
    pub path: PathBuf,
    /// Where in the file.
    pub position: Option<u64>,
    /// The offset there, of a record or batch.
    pub offset: Option<i64>,
    /// Of records that are damaged or missing: where they go on. A log that is cut there has no more of them.
    pub onward: Option<Onward>,
    /// What is wrong.
    pub what: String,
    /// What becomes of it.
    pub fate: Fate,
    /// When what is told of was last written to, in milliseconds since 1970: for whoever shows it to put in words.
    pub time_ms: Option<i64>,
    /// How many this stands for: more than one where a file has more than are told one by one.
    pub count: u64,
}

impl Finding {
    /// Of a whole file or directory.
    pub fn new(severity: Severity, path: impl Into<PathBuf>, what: impl Into<String>, fate: Fate) -> Self {
        let (path, what) = (path.into(), what.into());
        Self {
            severity,
            path,
            position: None,
            offset: None,
            onward: None,
            what,
            fate,
            time_ms: None,
            count: 1,
        }
    }

    /// Of something that was written to then, if records have times.
    pub(crate) fn written(self, time_ms: i64) -> Self {
        Self { time_ms: Some(time_ms).filter(|ms| *ms >= 0), ..self }
    }

    /// Standing for so many.
    pub(crate) fn counting(self, count: u64) -> Self {
        Self { count, ..self }
    }

    /// At a position in the file.
    pub(crate) fn at(self, position: u64) -> Self {
        Self { position: Some(position), ..self }
    }

    /// Of a directory of Kafka's: what an import makes of it, where else it is said what a start does.
    pub(crate) fn at_import(self) -> Self {
        let fate = match self.fate {
            Fate::Refused if self.position.is_none() => Fate::Imported,
            // Where nothing lies behind it, which Kafka would cut as well.
            Fate::Cut { .. } => Fate::Imported,
            Fate::Refused => Fate::NotImported,
            Fate::Removed | Fate::Renewed | Fate::Finished => Fate::LeftBehind,
            other => other,
        };
        Self { fate, ..self }
    }

    /// At an offset of the log.
    pub(crate) fn offset(self, offset: i64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// With what follows.
    pub(crate) fn onward(self, onward: Onward) -> Self {
        Self { onward: Some(onward), ..self }
    }

    /// Whether it is of records that are damaged, and nobody has come yet to good ones behind them.
    pub(crate) fn seeks(&self) -> bool {
        let is_of_records = self.fate == Fate::Refused && self.position.is_some();
        is_of_records && self.severity == Severity::Damage && self.onward.is_none()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.path.display())?;
        if let Some(position) = self.position {
            write!(f, " at position {position}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, ", offset {offset}")?;
        }
        write!(f, ": {}", self.what)?;
        if let Some(onward) = self.onward {
            write!(f, "; {onward}")?;
        }
        write!(f, " ({})", self.fate)
    }
}
