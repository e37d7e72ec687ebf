//! The sizes that buffers come in. Pure.

/// Bytes of each class, smallest first. 64 KiB holds a burst of small frames; 256 KiB to 1 MiB are where larger
/// buffers stop making a receive cheaper; 4 MiB is for frames that do not fit into that, so that their pages are
/// reused too.
pub(super) const CLASSES: [usize; 4] = [64 << 10, 256 << 10, 1 << 20, 4 << 20];

/// The smallest class's size.
pub(crate) const CLASS_SMALLEST: usize = CLASSES[0];
/// The largest class's size.
pub(crate) const CLASS_LARGEST: usize = CLASSES[CLASSES.len() - 1];
/// New buffers up to this size are charged whole when taken, larger ones as they fill.
pub(super) const CHARGED_WHOLE_MAX: usize = CLASSES[2];

/// The smallest class that holds `len` bytes; `None` beyond the largest.
pub(super) fn of(len: usize) -> Option<usize> {
    CLASSES.iter().position(|&size| len <= size)
}

/// The class of exactly that size.
pub(super) fn exactly(len: usize) -> Option<usize> {
    CLASSES.iter().position(|&size| len == size)
}

/// Bytes of a class; 0 for one there is not.
pub(super) fn size(class: usize) -> usize {
    CLASSES.get(class).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_goes_into_the_smallest_class_that_holds_it() {
        assert_eq!((of(0), of(1), of(65_536), of(65_537)), (Some(0), Some(0), Some(0), Some(1)));
        assert_eq!((of(1 << 20), of((1 << 20) + 1), of((4 << 20) + 1)), (Some(2), Some(3), None));
        assert!(CLASSES.iter().enumerate().all(|(class, &bytes)| size(class) == bytes));
        assert_eq!((size(9), exactly(65_536), exactly(65_535)), (0, Some(0), None));
    }
}
