//! Who waits first when memory gets scarce. Pure.
//!
//! ```text
//!   buffers of all        0 ........ 1/2 .... 10/16 .... 12/16 .. 14/16 . 15/16 . 1
//!   up to  64 KiB         go on ------------------------------------------------->
//!   up to 256 KiB         go on ----------------------------------------->
//!   up to   1 MiB         go on --------------------------------->
//!   up to   2 MiB         go on ------------------------>
//!   up to a 16th of all   go on ------------->
//!   larger                go on ---->
//! ```
//!
//! So those who want much, or announce that they will, leave to those who want little a part that they cannot touch,
//! and large frames, however many and however slowly they come, keep no ordinary one waiting.

use super::class::CLASS_SMALLEST;

/// Up to so many bytes, so many sixteenths of the bound.
const SHARES: [(usize, usize); 4] = [(CLASS_SMALLEST, 16), (256 << 10, 15), (1 << 20, 14), (2 << 20, 12)];
/// Beyond these, but at most a sixteenth of the bound.
const LARGE: usize = 10;
/// Beyond that as well.
const HUGE: usize = 8;
/// What a frame may need besides its own bytes: the buffer it began in, and the start of a page.
const BESIDES: usize = 128 << 10;

/// Bytes that may be out in all once somebody got more for a buffer of `asked` bytes.
pub(super) fn ceiling(max_bytes: usize, asked: usize) -> usize {
    let share = SHARES.iter().find(|(upto, _)| asked <= *upto).map(|(_, share)| *share);
    match share.unwrap_or(if asked <= max_bytes / 16 { LARGE } else { HUGE }) {
        16 => max_bytes,
        sixteenths => max_bytes / 16 * sixteenths,
    }
}

/// The largest frame that a pool at rest has room for, whatever else it is: longer ones would wait for ever.
pub(super) fn frame_max(max_bytes: usize) -> usize {
    ceiling(max_bytes, usize::MAX).saturating_sub(BESIDES).max(CLASS_SMALLEST - crate::sys::PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = 256 << 20;

    #[test]
    fn the_more_somebody_wants_the_earlier_it_waits() {
        let ceilings = [1, 64 << 10, 100 << 10, 1 << 20, 1_100_000, 4 << 20, 16 << 20, 90 << 20]
            .map(|n| ceiling(ALL, n));
        assert!(ceilings.is_sorted_by(|a, b| a >= b));
        assert_eq!((ceilings[0], ceilings[7]), (ALL, ALL / 2));
        assert!(ceiling(ALL, 2 << 20) <= ALL / 4 * 3, "a quarter is for those who want less");
    }

    #[test]
    fn the_usual_limit_of_a_request_fits_the_usual_pool() {
        assert!(frame_max(ALL) > 104_857_600);
        assert!(frame_max(1 << 20) >= 300 << 10);
    }
}
