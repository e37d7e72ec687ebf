//! The aliasing tests of one link: for every way and size, whether the bytes go by reference. Made before the first
//! round, so that whatever ends the rounds early ends no test half way. What a cold file's test says is kept apart from
//! that of a hot one: pages that are read while they are sent may go another way. What the peer does with the bytes is
//! decided after they have gone, and no test of its own.

use std::collections::HashMap;

use pagewire_zcopy::Route;

use super::matrix::Matrix;
use super::skipped::Skipped;
use crate::measure::way::Way;
use crate::measure::{Aliasing, Pair};
use crate::record::Residency;
use crate::size;
use crate::watch::Watch;

/// The longest test: queued whole while nobody reads. Longer responses are taken for this long, which their cells say;
/// shorter ones may be treated otherwise, so each has a test of its own.
const BYTES_MAX: u64 = 64 << 10;
/// What always copies, and so has to keep its old bytes, or the test proves nothing.
const CONTROL: Way = Way::Library(Route::Copy);

/// What the tests gave: of a way, a length, and a file that was or was not in the page cache.
#[derive(Debug, Default)]
pub(super) struct Aliased {
    shares: HashMap<(Way, u64, Residency), Share>,
}

/// What one test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    /// The share of the bytes that went by reference.
    pub(super) aliased: f64,
    /// Bytes of the response that the test was made on.
    pub(super) bytes: u64,
}

impl Aliased {
    /// How many tests there are over one link.
    pub(super) fn steps(matrix: &Matrix) -> u64 {
        (tests(matrix).len() * (1 + ways(matrix).len())) as u64
    }

    /// Makes all tests that `matrix` has a use for and nothing is missing for, until `watch` says stop.
    pub(super) fn of(pair: &mut Pair, matrix: &Matrix, skipped: &Skipped, watch: &mut dyn Watch) -> Self {
        let mut this = Self::default();
        let ways = ways(matrix);
        for (residency, bytes) in tests(matrix) {
            if skipped.lacks(pair.link, residency) {
                watch.skip(1 + ways.len() as u64);
                continue;
            }
            if !this.test(pair, residency, bytes, &ways, watch) {
                break;
            }
        }
        this
    }

    /// The control, and if it can be had the ways. Whether to go on.
    fn test(
        &mut self,
        pair: &mut Pair,
        residency: Residency,
        bytes: u64,
        ways: &[Way],
        watch: &mut dyn Watch,
    ) -> bool {
        let Some(control) = aliasing(pair, CONTROL, bytes, residency, watch) else {
            watch.skip(ways.len() as u64);
            return !watch.is_stopped();
        };
        for &way in ways {
            if watch.is_stopped() {
                return false;
            }
            // A way that is not to be had says so in the first round.
            let test = aliasing(pair, way, bytes, residency, watch);
            let share = test.and_then(|test| believed(&test, &control));
            self.shares.extend(share.map(|share| ((way, bytes, residency), share)));
        }
        true
    }

    /// What is known of a response of `bytes`; `None` where no test tells.
    pub(super) fn share(&self, way: Way, bytes: u64, residency: Residency) -> Option<Share> {
        self.shares.get(&(way, bytes.min(BYTES_MAX), residency)).copied()
    }
}

fn aliasing(
    pair: &mut Pair,
    way: Way,
    bytes: u64,
    residency: Residency,
    watch: &mut dyn Watch,
) -> Option<Aliasing> {
    let (name, where_from) = (way.name(), residency.name());
    watch.step(&format!("whether {name} copies {} ({}, {where_from})", size::text(bytes), pair.link.name()));
    pair.alias_where(way, bytes, residency, &*watch).ok()
}

/// The ways that a test can tell anything about.
fn ways(matrix: &Matrix) -> Vec<Way> {
    matrix.ways.iter().copied().filter(|way| !way.has_private_buffer()).collect()
}

/// The tests to make with each of them.
fn tests(matrix: &Matrix) -> Vec<(Residency, u64)> {
    if ways(matrix).is_empty() {
        return Vec::new();
    }
    let lengths = tested(&matrix.sizes);
    let of = |&residency: &Residency| lengths.iter().map(move |&bytes| (residency, bytes));
    matrix.residencies.iter().flat_map(of).collect()
}

/// The lengths to test, each once.
fn tested(sizes: &[u64]) -> Vec<u64> {
    let mut lengths: Vec<u64> = sizes.iter().map(|&bytes| bytes.min(BYTES_MAX)).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// What a test says, if it says anything: all bytes went this way, and those of the control kept still.
fn believed(test: &Aliasing, control: &Aliasing) -> Option<Share> {
    let is_believed = test.queued.by_way >= test.bytes && control.aliased <= 0.0;
    is_believed.then_some(Share { aliased: test.aliased, bytes: test.bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::worker::protocol::Queued;

    fn test(aliased: f64, by_way: u64) -> Aliasing {
        Aliasing { aliased, bytes: 100, queued: Queued { by_way, refusal: None } }
    }

    #[test]
    fn a_test_is_believed_only_if_all_went_this_way_and_the_control_kept_still() {
        let still = test(0.0, 100);
        assert_eq!(believed(&test(1.0, 100), &still), Some(Share { aliased: 1.0, bytes: 100 }));
        assert_eq!(believed(&test(0.0, 99), &still), None);
        assert_eq!(believed(&test(1.0, 100), &test(0.01, 100)), None);
    }

    #[test]
    fn short_responses_have_tests_of_their_own_and_long_ones_share_the_longest() {
        assert_eq!(tested(&[1 << 20, 1024, 64 << 10, 4096, 1024]), [1024, 4096, 64 << 10]);
        let hot = |bytes, aliased| ((Way::Auto, bytes, Residency::Hot), Share { aliased, bytes });
        let aliased = Aliased { shares: HashMap::from([hot(1024, 0.0), hot(BYTES_MAX, 1.0)]) };
        let share = |bytes| aliased.share(Way::Auto, bytes, Residency::Hot);
        assert_eq!(share(1024), Some(Share { aliased: 0.0, bytes: 1024 }));
        assert_eq!(share(16 << 20), Some(Share { aliased: 1.0, bytes: BYTES_MAX }), "and says so");
        assert_eq!(share(2048), None);
    }

    #[test]
    fn what_holds_for_a_hot_file_says_nothing_of_a_cold_one() {
        let cold = ((Way::FLOOR, 1024, Residency::Cold), Share { aliased: 0.0, bytes: 1024 });
        let hot = ((Way::FLOOR, 1024, Residency::Hot), Share { aliased: 1.0, bytes: 1024 });
        let aliased = Aliased { shares: HashMap::from([cold]) };
        assert_eq!(aliased.share(Way::FLOOR, 1024, Residency::Hot), None);
        let aliased = Aliased { shares: HashMap::from([cold, hot]) };
        let of = |residency| aliased.share(Way::FLOOR, 1024, residency).map(|share| share.aliased);
        assert_eq!((of(Residency::Hot), of(Residency::Cold)), (Some(1.0), Some(0.0)));
        let matrix = Matrix { sizes: vec![1024, 1 << 20], ..Matrix::default() };
        assert_eq!(tests(&matrix).len(), 4, "each length hot and cold");
        let copying = Matrix { ways: vec![CONTROL], ..matrix };
        assert_eq!(Aliased::steps(&copying), 0, "nothing to tell of what has a buffer of its own");
    }
}
