//! A log that does not come along to its end: where it ends, what is lost, and in which words people are told.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// What ended a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutKind {
    /// What a killed Kafka was writing: past all that it knew to be on the disk, with nothing behind it. Kafka would
    /// cut it as well.
    TornTail,
    /// A batch that cannot be believed, where Kafka knew it on the disk, or with more behind it.
    Damage,
    /// Nothing is wrong with what is there, but Kafka had more on the disk.
    Missing,
}

/// Where a log ends before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The partition's topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// What ended it.
    pub kind: CutKind,
    /// The segment in which it ends; the partition's directory, if it has none.
    pub file: PathBuf,
    /// The byte in it.
    pub position: u64,
    /// The first offset that does not come along.
    pub offset: i64,
    /// The offset that the log should go up to at least, as far as that is known.
    pub known_end: i64,
    /// Bytes that stay behind: the rest of that segment, and all later ones.
    pub bytes: u64,
    /// Segments after that one: they stay behind whole.
    pub later_segments: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Cut {
    /// What is lost, in words: offsets as far as they are known, and bytes.
    fn loss(&self) -> String {
        let offsets = match self.known_end - 1 {
            last if last > self.offset => format!("offsets {} to {last}", self.offset),
            last if last == self.offset => format!("offset {last}"),
            _ => format!("what lies from offset {} on", self.offset),
        };
        match self.later_segments {
            0 => format!("{offsets} ({} bytes)", self.bytes),
            1 => format!("{offsets} ({} bytes, with a later segment)", self.bytes),
            more => format!("{offsets} ({} bytes, with {more} later segments)", self.bytes),
        }
    }

    /// Why the partition is refused, and what can be done.
    pub(crate) fn refusal(&self) -> String {
        let (file, position, offset) = (self.file.display(), self.position, self.offset);
        let loss = self.loss();
        match self.kind {
            CutKind::Missing => format!(
                "{file} ends at offset {offset}, but {}: {loss} would be lost. --accept-damage takes what is there; a topic \
                 can be left out with --exclude",
                self.reason
            ),
            CutKind::Damage | CutKind::TornTail => format!(
                "{file} is damaged at byte {position}, offset {offset}: {}. With --accept-damage the log ends there, and \
                 {loss} would be lost; with --verify headers a damaged payload is taken as it is; a topic can be left out \
                 with --exclude",
                self.reason
            ),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topic, partition, offset) = (&self.topic, self.partition, self.offset);
        let (file, position, reason) = (self.file.display(), self.position, &self.reason);
        write!(f, "{topic}-{partition} ends at offset {offset}, byte {position} of {file}: {reason}")?;
        match self.kind {
            CutKind::TornTail => {
                write!(f, "; a torn tail of {} bytes, which Kafka would cut as well", self.bytes)
            }
            CutKind::Damage | CutKind::Missing => write!(f, "; lost: {}", self.loss()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_says_what_is_lost() {
        let mut cut = Cut {
            topic: "orders".to_owned(),
            partition: 3,
            kind: CutKind::Damage,
            file: PathBuf::from("/kafka/orders-3/0.log"),
            position: 100,
            offset: 57,
            known_end: 60,
            bytes: 900,
            later_segments: 2,
            reason: "checksum".to_owned(),
        };
        let told = "orders-3 ends at offset 57, byte 100 of /kafka/orders-3/0.log: checksum; \
                    lost: offsets 57 to 59 (900 bytes, with 2 later segments)";
        assert_eq!(cut.to_string(), told);
        assert!(cut.refusal().contains("--accept-damage") && cut.refusal().contains("offsets 57 to 59"));
        (cut.known_end, cut.later_segments, cut.kind) = (0, 0, CutKind::TornTail);
        assert_eq!(cut.loss(), "what lies from offset 57 on (900 bytes)");
        assert!(cut.to_string().ends_with("a torn tail of 900 bytes, which Kafka would cut as well"));
    }
}
