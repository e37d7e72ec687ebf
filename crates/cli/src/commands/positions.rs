//! From a place as people name it to the offset it has in each partition.

use std::collections::BTreeMap;

use crate::args::position::Position;
use crate::client::offsets::{EARLIEST, LATEST};
use crate::client::{Client, Error, Place};
use crate::output::complain;

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// First offset.
    pub(super) start: i64,
    /// Offset after the last record.
    pub(super) end: i64,
}

impl Limits {
    /// The nearest offset that the partition can be read from.
    pub(super) fn clamp(self, offset: i64) -> i64 {
        offset.clamp(self.start, self.end.max(self.start))
    }
}

/// What each of the partitions holds.
pub(super) async fn limits(
    client: &mut Client,
    places: &[Place],
    isolation: i8,
) -> Result<BTreeMap<Place, Limits>, Error> {
    let at = |time| places.iter().map(|place| (place.clone(), time)).collect::<BTreeMap<_, _>>();
    let starts = client.offsets(&at(EARLIEST), isolation).await?;
    let ends = client.offsets(&at(LATEST), isolation).await?;
    let both = starts.into_iter().filter_map(|(place, start)| {
        let end = ends.get(&place).copied()?;
        Some((place, Limits { start, end }))
    });
    Ok(both.collect())
}

/// The offset of `position` in each of the partitions.
pub(super) async fn resolve(
    client: &mut Client,
    position: Position,
    limits: &BTreeMap<Place, Limits>,
    isolation: i8,
) -> Result<BTreeMap<Place, i64>, Error> {
    let at_time = match position {
        Position::Time(ms) => {
            let wanted = limits.keys().map(|place| (place.clone(), ms)).collect();
            client.offsets(&wanted, isolation).await?
        }
        _ => BTreeMap::new(),
    };
    let mut offsets = BTreeMap::new();
    for (place, limits) in limits {
        let found = at_time.get(place).copied().filter(|offset| *offset >= 0);
        let offset = settle(position, *limits, found);
        if let Position::Offset(wanted) = position
            && wanted != offset
        {
            complain(format_args!(
                "{place} holds {} to {}, not {wanted}: taking {offset}",
                limits.start, limits.end
            ));
        }
        offsets.insert(place.clone(), offset);
    }
    Ok(offsets)
}

/// `found` is the offset of the time, if a record is that young.
fn settle(position: Position, limits: Limits, found: Option<i64>) -> i64 {
    match position {
        Position::Beginning => limits.start,
        Position::End => limits.end,
        Position::Offset(offset) => limits.clamp(offset),
        Position::BeforeEnd(count) => limits.clamp(limits.end.saturating_sub(count)),
        Position::Time(_) => found.unwrap_or(limits.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_becomes_an_offset_that_the_partition_holds() {
        let limits = Limits { start: 10, end: 50 };
        for (position, found, offset) in [
            (Position::Beginning, None, 10),
            (Position::End, None, 50),
            (Position::Offset(20), None, 20),
            (Position::Offset(5), None, 10),
            (Position::Offset(99), None, 50),
            (Position::BeforeEnd(5), None, 45),
            (Position::BeforeEnd(i64::MAX), None, 10),
            (Position::Time(7), Some(33), 33),
            (Position::Time(7), None, 50),
        ] {
            assert_eq!(settle(position, limits, found), offset, "{position:?}");
        }
    }
}
