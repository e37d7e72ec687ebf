//! What the network interface must be able to do.

use anyhow::Context;

use super::{Bench, Tried, figures, is_copied};
use crate::measure::Pair;
use crate::measure::way::Way;
use crate::record::{KernelWord, Link};

const BYTES: u64 = 64 << 10;
const FILE_BYTES: u64 = 1 << 20;

pub(super) fn scatter_gather(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let aliased = |link| -> anyhow::Result<f64> {
        let mut pair = Pair::start(bench.program, link, bench.dir, FILE_BYTES)?;
        Ok(pair.alias(Way::FLOOR, BYTES)?.aliased)
    };
    let with = aliased(Link::Veth).context("a pair of virtual interfaces")?;
    let without = aliased(Link::VethNosg).context("the same without scatter-gather")?;
    Ok(Tried {
        // Where nothing goes by reference anyhow, its absence says nothing.
        holds: (is_copied(with) == Some(false)).then(|| is_copied(without)).flatten(),
        evidence: format!(
            "over a pair of virtual interfaces {:.0} % of what sendfile had sent changed with the file; with \
             tx-scatter-gather off {:.0} %",
            with * 100.0,
            without * 100.0
        ),
        figures: figures([("aliased_share", with), ("aliased_share_without_scatter_gather", without)]),
    })
}

pub(super) fn zerocopy(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let aliased = bench.aliased("zerocopy")?;
    let word = bench.route("zerocopy")?.kernel_word;
    let share = word.and_then(KernelWord::copied_share);
    let mut figures = figures([("aliased_share", aliased)]);
    figures.extend(share.map(|share| ("reported_copied_share".to_owned(), share)));
    let reported = word.map_or_else(
        || "the kernel has not reported on any send".to_owned(),
        |word| {
            format!(
                "of {} sends it reported on {} and had copied {}",
                word.sends, word.completions, word.copied
            )
        },
    );
    Ok(Tried {
        holds: verdict(aliased, share),
        evidence: format!(
            "over loopback {:.0} % of what was sent changed with the file; {reported}",
            aliased * 100.0
        ),
        figures,
    })
}

/// Both witnesses must say the same. Bytes that did not change were copied; so were those that the kernel reports.
fn verdict(aliased: f64, reported: Option<f64>) -> Option<bool> {
    let by_aliasing = is_copied(aliased)?;
    let by_report = reported.map(|copied| is_copied(1.0 - copied));
    match by_report {
        Some(by_report) if by_report != Some(by_aliasing) => None,
        _ => Some(!by_aliasing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_that_disagree_decide_nothing() {
        assert_eq!(verdict(0.0, Some(1.0)), Some(false));
        assert_eq!(verdict(1.0, Some(0.0)), Some(true));
        assert_eq!(
            (verdict(0.0, Some(0.0)), verdict(0.0, Some(0.5)), verdict(0.5, None)),
            (None, None, None)
        );
        assert_eq!(verdict(0.0, None), Some(false));
    }
}
