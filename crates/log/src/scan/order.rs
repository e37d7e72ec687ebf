//! Two batches of a log that may lack offsets, of which the second goes back behind the first: one base offset is a lie, and no
//! checksum covers it.
//!
//! ```text
//!   due ── hole ── [ first ][ second ][ next      what lied had another offset, in order with all that lies around it
//!                     │         └─ did, if the first has no room between `due` and it, or if it would just fill the place between
//!                     │            the first and the next
//!                     └─ did, if the second leads right to the next
//! ```
//!
//! Where neither shows, nobody knows which of them it was, and neither is believed.

use std::io;

use pagewire_disk::DiskFile;
use pagewire_record::BatchHeader;

use crate::files::BatchWalk;

/// A batch that left offsets out, or lies behind damage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct First {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
    /// The offset that was next in its place.
    pub(crate) due: i64,
}

/// From where on bytes are not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub(crate) from: u64,
    /// A batch that is not believed either begins here, if what is behind `from` ends here.
    pub(crate) either: Option<u64>,
}

impl Doubt {
    pub(crate) fn at(from: u64) -> Self {
        Self { from, either: None }
    }

    /// Whether it begins with the batch before.
    pub(crate) fn is_of(&self, first: &First) -> bool {
        self.from == first.position
    }
}

/// What is not believed if the bytes at `position` are not in place, behind a batch that may be the one that is not. `behind`: what
/// offset comes behind the file's `size` bytes, if that is known.
pub(crate) fn doubt(
    file: &dyn DiskFile,
    first: &First,
    position: u64,
    size: u64,
    behind: Option<i64>,
) -> io::Result<Doubt> {
    let mut walk = BatchWalk::new(file, position, size);
    let (due, this) = (first.due, Doubt::at(position));
    let Some(second) = walk.whole_at(position)?.filter(|second| goes_back(due, &first.header, second)) else {
        return Ok(this);
    };
    let to = position + second.size_in_bytes();
    let next = walk.header_at(to, &(0..=i64::MAX - 1))?.map(|next| next.base_offset);
    Ok(match lie(due, &first.header, &second, if to == size { behind } else { next }) {
        Lie::First => Doubt::at(first.position),
        Lie::Second => this,
        Lie::Either => Doubt { from: first.position, either: Some(position) },
    })
}

/// Whose base offset it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    First,
    Second,
    Either,
}

/// Whether `second` goes back behind `first`, in whose place `due` was the next offset.
fn goes_back(due: i64, first: &BatchHeader, second: &BatchHeader) -> bool {
    (due..first.next_offset()).contains(&second.base_offset)
}

/// Whose base offset is the lie where it does. `next`: where the log goes on behind the second. A first one behind damage has the
/// offset that is due there from itself, and nobody knows how much room it had.
fn lie(due: i64, first: &BatchHeader, second: &BatchHeader, next: Option<i64>) -> Lie {
    let has_room = first.base_offset == due || due.saturating_add(span(first)) <= second.base_offset;
    let leads_on = next == Some(second.next_offset());
    let would_fit = next == Some(first.next_offset().saturating_add(span(second)));
    match (has_room, leads_on, would_fit) {
        (false, ..) | (_, false, true) => Lie::Second,
        (_, true, _) => Lie::First,
        _ => Lie::Either,
    }
}

fn span(header: &BatchHeader) -> i64 {
    i64::from(header.last_offset_delta) + 1
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use pagewire_record::{BatchBuilder, Codec, batches};

    use super::*;

    fn header(base_offset: i64, records: i64) -> BatchHeader {
        let mut builder = BatchBuilder::new(Codec::None).base_offset(base_offset);
        for _ in 0..records {
            builder.append(1, None, None, &[]).expect("a record");
        }
        let bytes: Bytes = builder.build().expect("a batch");
        batches(&bytes).next().expect("one").expect("whole").header
    }

    #[test]
    fn what_lies_around_two_batches_shows_which_of_them_lies() {
        let (first, second) = (header(20, 3), header(16, 2));
        assert!(goes_back(10, &first, &second) && !goes_back(17, &first, &second));
        assert_eq!(lie(10, &first, &second, Some(18)), Lie::First, "it leads on");
        assert_eq!(lie(10, &first, &second, Some(25)), Lie::Second, "it fills the place behind the first");
        assert_eq!(lie(14, &first, &second, Some(18)), Lie::Second, "the first has no room");
        for next in [None, Some(30)] {
            assert_eq!(lie(10, &first, &second, next), Lie::Either, "{next:?}");
        }
    }
}
