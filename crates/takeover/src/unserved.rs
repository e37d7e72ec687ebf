//! Groups in `__consumer_offsets` of kinds that are not served here: share groups (KIP-932) and streams groups (KIP-1071). Their
//! records come along with the topic and are read by nobody, which is told.

use std::collections::BTreeSet;
use std::fmt;

use pagewire_record::{DecompressLimits, SharedBatch};

use crate::error::ImportError;
use crate::plan::Plan;
use crate::take::Taken;
use crate::walk::each_batch;

/// Where all groups are.
const TOPIC: &str = "__consumer_offsets";
/// Groups that are remembered, and that are named.
const KEPT_MAX: usize = 1 << 16;
const NAMED_MAX: usize = 3;

/// A kind of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Share,
    Streams,
}

impl Kind {
    /// By the type of the record that says that there is a group.
    const fn of(record: i16) -> Option<Self> {
        match record {
            11 => Some(Self::Share),
            17 => Some(Self::Streams),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Streams => "streams",
        }
    }

    const fn lost(self) -> &'static str {
        match self {
            Self::Share => "what was acknowledged in them, in __share_group_state, counts for nobody",
            Self::Streams => {
                "the offsets they committed do count: have their applications use group.protocol=classic"
            }
        }
    }
}

/// Those that are there, by kind and name.
#[derive(Debug, Default)]
pub(crate) struct Unserved(BTreeSet<(Kind, String)>);

impl Unserved {
    /// Of all partitions of the topic that come along. What cannot be read of one says nothing.
    pub(crate) fn read(plan: &Plan, taken: &[Taken]) -> Result<Self, ImportError> {
        let mut unserved = Self::default();
        for (partition, taken) in plan.partitions.iter().zip(taken) {
            if plan.name_of(partition) == TOPIC {
                each_batch(partition, taken, &mut |batch| unserved.add(batch))?;
            }
        }
        Ok(unserved)
    }

    fn add(&mut self, batch: &SharedBatch) -> Option<()> {
        batch.verify_crc().ok()?;
        if batch.header.is_control() {
            return Some(());
        }
        for record in batch.records(&DecompressLimits::default()).ok()? {
            let record = record.ok()?;
            let Some((kind, group)) = record.key.as_deref().and_then(group) else { continue };
            if record.value.is_none() {
                self.0.remove(&(kind, group));
            } else if self.0.len() < KEPT_MAX {
                self.0.insert((kind, group));
            }
        }
        Some(())
    }

    /// A line for each kind.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        [Kind::Share, Kind::Streams].into_iter().filter_map(|kind| {
            let names: Vec<_> =
                self.0.iter().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str()).collect();
            (!names.is_empty()).then(|| Line { kind, names }.to_string())
        })
    }
}

/// What the key of a record says of a group: type i16, name string.
fn group(key: &[u8]) -> Option<(Kind, String)> {
    let (kind, rest) = key.split_first_chunk().map(|(kind, rest)| (i16::from_be_bytes(*kind), rest))?;
    let kind = Kind::of(kind)?;
    let (len, name) = rest.split_first_chunk().map(|(len, rest)| (i16::from_be_bytes(*len), rest))?;
    let name = name.get(..usize::try_from(len).ok()?)?;
    Some((kind, String::from_utf8_lossy(name).into_owned()))
}

struct Line<'a> {
    kind: Kind,
    names: Vec<&'a str>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, names } = self;
        let named = names.get(..NAMED_MAX.min(names.len())).unwrap_or_default().join(", ");
        let more = if names.len() > NAMED_MAX { ", ..." } else { "" };
        let (name, are) = (kind.name(), if names.len() == 1 { "group is" } else { "groups are" });
        write!(f, "{} {name} {are} not served here ({named}{more}): {}", names.len(), kind.lost())
    }
}

#[cfg(test)]
mod tests {
    use pagewire_record::{BatchBuilder, Codec};

    use super::*;

    fn key(kind: u8, name: &str) -> Vec<u8> {
        [&[0, kind, 0, u8::try_from(name.len()).expect("short")], name.as_bytes()].concat()
    }

    #[test]
    fn share_and_streams_groups_that_are_still_there_are_told_by_kind() {
        let mut unserved = Unserved::default();
        let mut add = |kind: u8, name: &str, value: Option<&[u8]>| {
            let mut batch = BatchBuilder::new(Codec::None);
            batch.append(0, Some(&key(kind, name)), value, &[]).expect("fits");
            let bytes = batch.build().expect("a batch");
            unserved.add(&SharedBatch::first(&bytes).expect("whole")).expect("understood");
        };
        // Members, classic and consumer groups are none; nor is one that was deleted.
        for (kind, name) in [(10, "a"), (2, "b"), (3, "c"), (11, "d"), (11, "e"), (17, "f")] {
            add(kind, name, Some(&[0, 0]));
        }
        for name in ["g", "h", "i", "e"] {
            add(11, name, if name == "e" { None } else { Some(&[0, 0]) });
        }
        let lines: Vec<_> = unserved.lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("4 share groups are not served here (d, g, h, ...): "), "{lines:?}");
        assert!(lines[1].starts_with("1 streams group is not served here (f): "), "{lines:?}");
    }
}
