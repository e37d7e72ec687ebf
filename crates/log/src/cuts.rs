//! What recovery took away from a log, as data and in a line for people.

use std::fmt;
use std::path::PathBuf;

use pagewire_disk::Pasted;

/// Something cut from a log while opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The segment file, with its directory.
    pub file: PathBuf,
    /// The log ends here now: every record at or above this offset in this file is gone.
    pub offset: i64,
    /// Position of the cut in the file.
    pub position: u64,
    /// Bytes removed.
    pub bytes: u64,
    /// Why, in words.
    pub reason: String,
    /// Whole batches were among what went.
    pub good: Option<GoodBatches>,
    /// Where what went is now. What held no whole batch is kept nowhere.
    pub set_aside: Option<PathBuf>,
}

/// Whole batches among bytes that go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoodBatches {
    /// Of those that may be the log's.
    Offsets {
        /// The first of their offsets.
        first: i64,
        /// The one after the last.
        next: i64,
    },
    /// Their headers name offsets that the log cannot have there, and no checksum covers those.
    Unplaced,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, position, bytes, reason, .. } = self;
        write!(f, "{}: cut {bytes} bytes at position {position}, offset {offset}: {reason}", file.display())?;
        match self.good {
            Some(GoodBatches::Offsets { first, next }) => {
                write!(f, "; good batches of the offsets {first} to {} were among them", next - 1)?;
            }
            Some(GoodBatches::Unplaced) => f.write_str(
                "; good batches were among them (nobody knows of which offsets: their headers name some that do not belong there)",
            )?,
            None => {}
        }
        match &self.set_aside {
            Some(path) => write!(f, ", set aside in {} (pagewire log dump --deep {} shows it)", path.display(), Pasted(path)),
            None if self.good.is_some() => f.write_str(
                ", and they are kept nowhere: the directory's .cut files take too much room already, or there is none; look at \
                 them and move them away",
            ),
            None => Ok(()),
        }
    }
}
