//! What is ours, when it is due, and that all of it is answered exactly once.

use std::fs::File;

use proptest::prelude::*;

use super::*;
use crate::sys::PAGE;

const PAGES: u64 = PAGE as u64;
/// Tiny, so that everything happens all the time.
const TINY: DropBehindOptions = DropBehindOptions {
    lag_bytes: 16 * PAGES,
    read_ahead_bytes: 8 * PAGES,
    step_bytes: PAGES,
    ranges_max: 4,
};

fn file() -> Arc<File> {
    Arc::new(File::open("/dev/null").expect("/dev/null"))
}

/// Pages `from..from + count` of `file`.
fn pages(file: &Arc<File>, from: u64, count: u64) -> FileRange {
    FileRange::new(Arc::clone(file), from * PAGES, count * PAGES)
}

/// As (first page, pages).
fn in_pages(ranges: &[FileRange]) -> Vec<(u64, u64)> {
    ranges.iter().map(|range| (range.offset() / PAGES, range.len() / PAGES)).collect()
}

#[test]
fn what_was_resident_is_never_dropped() {
    let (file, mut behind) = (file(), DropBehind::new(TINY));
    for step in 0..100 {
        assert_eq!(in_pages(&behind.sent(&pages(&file, step * 4, 4))), []);
    }
    assert_eq!(in_pages(&behind.finish()), []);
}

#[test]
fn a_window_told_again_while_it_is_sent_is_no_colder() {
    let (file, mut behind) = (file(), DropBehind::new(TINY));
    for step in 0..30 {
        behind.was_cold(&pages(&file, step / 10 * 40, 40));
        let due = in_pages(&behind.sent(&pages(&file, step * 4, 4)));
        assert_eq!(due, if step < 4 { vec![] } else { vec![((step - 4) * 4, 4)] });
    }
    assert_eq!(behind.stats().cold_bytes, 120 * PAGES);
}

/// As a fetch does, whose last batch did not fit.
#[test]
fn ranges_that_overlap_a_little_are_dropped_as_one() {
    let (file, mut behind) = (file(), DropBehind::new(DropBehindOptions { step_bytes: 8 * PAGES, ..TINY }));
    behind.was_cold(&pages(&file, 0, 100));
    let dropped: Vec<_> =
        (0..30).flat_map(|step| in_pages(&behind.sent(&pages(&file, step * 3, 4)))).collect();
    assert!(dropped.len() >= 5, "{dropped:?}");
    assert!(dropped.iter().all(|(from, count)| from % 8 == 0 && count % 8 == 0), "{dropped:?}");
}

#[test]
fn what_was_cold_is_dropped_when_the_lag_has_passed() {
    let (file, mut behind) = (file(), DropBehind::new(TINY));
    behind.was_cold(&pages(&file, 0, 100));
    for step in 0..4 {
        assert_eq!(in_pages(&behind.sent(&pages(&file, step * 4, 4))), []);
    }
    for step in 4..25 {
        assert_eq!(in_pages(&behind.sent(&pages(&file, step * 4, 4))), [((step - 4) * 4, 4)]);
        assert_eq!(behind.stats().behind_bytes, 16 * PAGES);
    }
    assert_eq!(in_pages(&behind.finish()), [(84, 16)]);
    assert_eq!(in_pages(&behind.finish()), []);
    let all = 100 * PAGES;
    let stats = DropBehindStats { sent_bytes: all, cold_bytes: all, dropped_bytes: all, behind_bytes: 0 };
    assert_eq!(behind.stats(), stats);
}

#[test]
fn the_kernels_read_ahead_is_ours_and_what_lies_behind_it_is_not() {
    let (file, mut behind) = (file(), DropBehind::new(TINY));
    behind.was_cold(&pages(&file, 10, 5));
    assert_eq!(in_pages(&behind.sent(&pages(&file, 0, 100))), [(10, 13)], "up to 8 pages behind page 15");
    assert_eq!(in_pages(&behind.finish()), []);
}

#[test]
fn a_hot_stretch_between_cold_ones_stays() {
    let (file, mut behind) = (file(), DropBehind::new(DropBehindOptions { read_ahead_bytes: 0, ..TINY }));
    behind.was_cold(&pages(&file, 0, 2));
    behind.was_cold(&pages(&file, 6, 2));
    let mut dropped = Vec::new();
    for page in 0..40 {
        dropped.extend(in_pages(&behind.sent(&pages(&file, page, 1))));
    }
    assert_eq!(dropped, [(0, 1), (1, 1), (6, 1), (7, 1)]);
}

#[test]
fn a_second_file_does_not_forget_the_first() {
    let (first, second, mut behind) = (file(), file(), DropBehind::new(TINY));
    behind.was_cold(&pages(&first, 0, 4));
    assert_eq!(in_pages(&behind.sent(&pages(&first, 0, 4))), []);
    let dropped = behind.sent(&pages(&second, 0, 16));
    assert_eq!(in_pages(&dropped), [(0, 4)], "hot bytes of another file move the cursor too");
    assert!(Arc::ptr_eq(dropped[0].file(), &first));
}

#[test]
fn what_is_sent_again_belongs_to_others_by_then() {
    let (file, mut behind) = (file(), DropBehind::new(TINY));
    behind.was_cold(&pages(&file, 0, 4));
    let _ = behind.sent(&pages(&file, 0, 4));
    let _ = behind.sent(&pages(&file, 0, 4));
    assert_eq!(in_pages(&behind.finish()), [(0, 4)]);
}

/// A consumer that reads the same again and again would make it cold for itself each time.
#[test]
fn a_reader_that_comes_back_for_what_it_dropped_drops_nothing_any_more() {
    let (file, mut behind) = (file(), DropBehind::new(TINY));
    let mut round = |is_cold: &dyn Fn(u64) -> bool| {
        let mut dropped = 0;
        for step in 0..25 {
            let range = pages(&file, step * 4, 4);
            if is_cold(step) {
                behind.was_cold(&range);
            }
            dropped += behind.sent(&range).iter().map(FileRange::len).sum::<u64>();
        }
        dropped
    };
    assert_eq!(round(&|_| true), 84 * PAGES);
    assert_eq!(round(&|step| step < 21), 0, "what it had dropped is cold to it");
    assert_eq!((round(&|_| false), round(&|_| true)), (0, 0));
    assert!(behind.finish().is_empty());
}

#[test]
fn too_many_sent_ranges_are_dropped_early_and_too_many_cold_ones_forgotten() {
    let (file, mut behind) = (file(), DropBehind::new(DropBehindOptions { read_ahead_bytes: 0, ..TINY }));
    for n in 0..6 {
        behind.was_cold(&pages(&file, n * 10, 1));
    }
    let mut dropped = Vec::new();
    for n in 0..6 {
        dropped.extend(in_pages(&behind.sent(&pages(&file, n * 10, 1))));
    }
    assert_eq!((dropped, behind.stats().behind_bytes), (vec![], 4 * PAGES), "the first two were forgotten");
    behind.was_cold(&pages(&file, 100, 1));
    assert_eq!(in_pages(&behind.sent(&pages(&file, 100, 1))), [(20, 1)]);
}

#[test]
fn what_is_dropped_ends_where_a_folio_may_end() {
    let (file, mut behind) = (file(), DropBehind::new(DropBehindOptions { step_bytes: 4 * PAGES, ..TINY }));
    let part = |from, len| FileRange::new(Arc::clone(&file), from, len);
    behind.was_cold(&part(3 * PAGES, 1 << 20));
    let mut at = 3 * PAGES;
    let mut dropped = Vec::new();
    while dropped.is_empty() {
        dropped = behind.sent(&part(at, 1000));
        at += 1000;
    }
    assert_eq!(dropped[0].len() % PAGES, 0);
    assert_eq!(in_pages(&dropped), [(3, 1)], "up to a multiple of a step in the file");
    assert!((20 * PAGES..20 * PAGES + 1000).contains(&at), "as soon as that was ripe: {at}");
    assert_eq!(in_pages(&behind.sent(&part(at, 5 * PAGES))), [(4, 4)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens: nothing is dropped that was not announced as cold or lies close behind it, no byte more often
    /// than it was announced, and what is kept is bounded.
    #[test]
    fn only_ours_and_never_too_much(
        acts in prop::collection::vec((any::<bool>(), 0..2_usize, 0..60_000_usize, 0..30_000_usize), 1..40),
    ) {
        let files = [file(), file()];
        let mut behind = DropBehind::new(TINY);
        let mut announced = [vec![0_i32; 130_000], vec![0_i32; 130_000]];
        let mut answers: Vec<FileRange> = Vec::new();
        for (cold, which, offset, len) in acts {
            let range = FileRange::new(Arc::clone(&files[which]), offset as u64, len as u64);
            if cold && len > 0 {
                behind.was_cold(&range);
                let upto = offset + len + TINY.read_ahead_bytes as usize;
                announced[which][offset..upto].iter_mut().for_each(|times| *times += 1);
            } else {
                answers.extend(behind.sent(&range));
                prop_assert!(behind.behind.len() <= TINY.ranges_max && behind.cold.len() <= TINY.ranges_max);
            }
        }
        answers.extend(behind.finish());
        for range in answers {
            let which = usize::from(Arc::ptr_eq(range.file(), &files[1]));
            let (from, upto) = (range.offset() as usize, end(&range) as usize);
            announced[which][from..upto].iter_mut().for_each(|times| *times -= 1);
        }
        prop_assert!(announced.iter().flatten().all(|&times| times >= 0));
    }
}
