//! A reader of committed records, of a log that something happened to: what ended a transaction may be among what was lost. Whatever
//! such a reader is shown was committed, whatever he is to leave out was aborted; of the rest he hears that it is damaged, or that
//! nobody knows what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pagewire_log::{Log, ReadError, ReadUpTo};
use pagewire_record::complete_batches;

use crate::committed::shown;
use crate::model::{Fate, Partition, Sent};
use crate::world::World;

/// What the reader came to, asking on behind whatever was refused.
#[derive(Debug, Default)]
struct Seen {
    /// Whether a batch is shown, by its base offset.
    shown: BTreeMap<i64, bool>,
    refused: BTreeSet<i64>,
}

/// Reads what is committed from one end to the other, in slices of some length, and compares it with the model.
pub(crate) fn view(world: &World, partition: &Partition, log: &Log) {
    // A seed's story does not depend on who looks on.
    let max_bytes = world.chance.clone().pick(&[1, 500, 3_000, 100_000]);
    let (seen, fates) = (read(partition, log, max_bytes), partition.fates());
    for (base, is_shown) in &seen.shown {
        let fate = fates[base];
        let is_right = match fate {
            Fate::None | Fate::Committed => *is_shown,
            Fate::Aborted => !*is_shown,
            Fate::Open => false,
        };
        let topic = partition.topic;
        assert!(
            is_right,
            "{topic}: {base}, {fate:?}, is shown: {is_shown}, {:?}, {:?}",
            partition.harm,
            log.marks()
        );
    }
    if !world.holes {
        let upto = log.marks().last_stable;
        let missing: Vec<i64> = (partition.readable().iter())
            .filter(|sent| sent.end() <= upto && !seen.knows(sent, partition.start))
            .map(|sent| sent.base)
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?} are passed over, {:?}", partition.topic, log.marks());
    }
}

impl Seen {
    fn knows(&self, sent: &Sent, start: i64) -> bool {
        let mut asked = sent.base.max(start)..sent.end();
        let has_nothing = sent.header.records_count == 0;
        has_nothing
            || self.shown.contains_key(&sent.base)
            || asked.all(|offset| self.refused.contains(&offset))
    }
}

fn read(partition: &Partition, log: &Log, max_bytes: u32) -> Seen {
    let (mut seen, mut offset) = (Seen::default(), partition.start);
    while offset < log.marks().last_stable {
        let asked = offset;
        offset += 1;
        match log.read(asked, max_bytes, ReadUpTo::LastStable, true) {
            Ok(slice) => {
                let Some(range) = slice.range else { continue };
                let bytes = bytes::Bytes::from(range.read_to_vec().expect("a range"));
                let batches: Vec<_> = complete_batches(&bytes).map_while(Result::ok).collect();
                offset = batches.last().map_or(offset, |last| offset.max(last.header.next_offset()));
                seen.shown.extend(shown(&batches, slice.aborted));
            }
            Err(ReadError::Damaged { .. } | ReadError::Corrupt { .. }) => _ = seen.refused.insert(asked),
            Err(ReadError::Undecided { next_offset, .. }) => {
                is_in_doubt(partition, log, asked..next_offset);
                seen.refused.insert(asked);
            }
            Err(error) => panic!("{}: {asked}: {error:?}", partition.topic),
        }
    }
    seen
}

/// Nobody is told so of a log that lost nothing there. How far a loss reaches the log says, which is held against the model elsewhere.
fn is_in_doubt(partition: &Partition, log: &Log, offsets: Range<i64>) {
    let damage = log.damage();
    // What a file held that is empty now is known as none.
    let is_refused = |offset| {
        let read = log.read(offset, 1, ReadUpTo::LogEnd, true);
        matches!(read, Err(ReadError::Damaged { .. } | ReadError::Corrupt { .. }))
    };
    let is_lost = damage.iter().any(|known| known.offset < offsets.end && offsets.start < known.next_offset)
        || offsets.clone().any(is_refused);
    let topic = partition.topic;
    assert!(
        is_lost,
        "{topic}: {offsets:?} are not decided, and nothing is lost: {:?} {damage:?}",
        partition.harm
    );
}
