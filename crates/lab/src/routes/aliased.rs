//! The aliasing tests of one link: for every way and size, whether the bytes go by reference. Made before the first
//! round, so that whatever ends the rounds early ends no test half way.

use std::collections::HashMap;

use pagewire_zcopy::Route;

use super::matrix::Matrix;
use crate::measure::way::Way;
use crate::measure::{Aliasing, Pair};
use crate::watch::Watch;

/// The longest test: queued whole while nobody reads. Longer responses are taken for this long, because no way treats
/// them otherwise; shorter ones it may, so each has a test of its own.
const BYTES_MAX: u64 = 64 << 10;
/// What always copies, and so has to keep its old bytes, or the test proves nothing.
const CONTROL: Way = Way::Library(Route::Copy);

/// What the tests gave.
#[derive(Debug, Default)]
pub(super) struct Aliased {
    shares: HashMap<(Way, u64), f64>,
}

impl Aliased {
    /// Makes all tests that `matrix` has a use for, until `watch` says stop.
    pub(super) fn of(pair: &mut Pair, matrix: &Matrix, watch: &dyn Watch) -> Self {
        let mut shares = HashMap::new();
        let ways: Vec<Way> = matrix.ways.iter().copied().filter(|way| !way.has_private_buffer()).collect();
        if ways.is_empty() {
            return Self::default();
        }
        for bytes in tested(&matrix.sizes) {
            if watch.is_stopped() {
                break;
            }
            let Ok(control) = pair.alias_watched(CONTROL, bytes, watch) else { continue };
            for &way in &ways {
                if watch.is_stopped() {
                    break;
                }
                // A way that is not to be had says so in the first round.
                let test = pair.alias_watched(way, bytes, watch).ok();
                let share = test.and_then(|test| believed(&test, &control));
                shares.extend(share.map(|share| ((way, bytes), share)));
            }
        }
        Self { shares }
    }

    /// The share of a response of `bytes` that goes by reference; `None` where no test tells.
    pub(super) fn share(&self, way: Way, bytes: u64) -> Option<f64> {
        self.shares.get(&(way, bytes.min(BYTES_MAX))).copied()
    }
}

/// The lengths to test, each once.
fn tested(sizes: &[u64]) -> Vec<u64> {
    let mut lengths: Vec<u64> = sizes.iter().map(|&bytes| bytes.min(BYTES_MAX)).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// What a test says, if it says anything: all bytes went this way, and those of the control kept still.
fn believed(test: &Aliasing, control: &Aliasing) -> Option<f64> {
    (test.queued.by_way >= test.bytes && control.aliased <= 0.0).then_some(test.aliased)
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
        assert_eq!(believed(&test(1.0, 100), &still), Some(1.0));
        assert_eq!(believed(&test(0.0, 99), &still), None);
        assert_eq!(believed(&test(1.0, 100), &test(0.01, 100)), None);
    }

    #[test]
    fn short_responses_have_tests_of_their_own_and_long_ones_share_the_longest() {
        assert_eq!(tested(&[1 << 20, 1024, 64 << 10, 4096, 1024]), [1024, 4096, 64 << 10]);
        let shares = HashMap::from([((Way::Auto, 1024), 0.0), ((Way::Auto, BYTES_MAX), 1.0)]);
        let aliased = Aliased { shares };
        let share = |bytes| aliased.share(Way::Auto, bytes);
        assert_eq!((share(1024), share(16 << 20), share(2048)), (Some(0.0), Some(1.0), None));
    }
}
