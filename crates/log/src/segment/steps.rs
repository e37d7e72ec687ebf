//! Where readers go on who take one batch at a time: the offset behind a batch that was handed out, and the position behind it.
//!
//! Such a reader asks for that offset next. Found here, its batch costs one read of a header; by the index it costs a page of that, the
//! header before, and its own.

use std::sync::OnceLock;

use crate::segment::packed::Packed;

/// How many are remembered for a segment, one for each reader of it, if they do not share a place.
const PLACES: u64 = 8;

/// None until the segment was read so.
#[derive(Debug, Default)]
pub(crate) struct Steps(OnceLock<Box<[Packed; PLACES as usize]>>);

impl Steps {
    /// A batch that ends before the offset `relative` ends at `position`. Takes the place of an earlier one.
    pub(crate) fn note(&self, relative: u32, position: u32) {
        let places = self.0.get_or_init(Box::default);
        if let Some(place) = places.get(place_of(relative)) {
            place.store(relative.into(), position.into());
        }
    }

    /// The position behind the batch that ends before the offset `relative`, if that is known.
    pub(crate) fn to(&self, relative: u32) -> Option<u64> {
        let (noted, position) = self.0.get()?.get(place_of(relative))?.load();
        // No batch ends where a file begins: nothing was noted.
        (noted == u64::from(relative) && position > 0).then_some(position)
    }
}

/// Offsets that follow each other by the same steps come to different places: the upper bits of the product differ.
fn place_of(relative: u32) -> usize {
    ((u64::from(relative.wrapping_mul(0x9E37_79B1)) * PLACES) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_found_until_another_one_takes_its_place() {
        let steps = Steps::default();
        assert_eq!(steps.to(0), None);
        steps.note(7, 4096);
        assert_eq!((steps.to(7), steps.to(0), steps.to(8)), (Some(4096), None, None));
        let mut found = 0;
        for relative in (16..16 * 9).step_by(16) {
            steps.note(relative, 2 * relative);
            assert_eq!(steps.to(relative), Some(2 * u64::from(relative)));
        }
        for relative in (16..16 * 9).step_by(16) {
            found += usize::from(steps.to(relative).is_some());
        }
        assert!((3..=8).contains(&found), "several readers are remembered: {found}");
    }
}
