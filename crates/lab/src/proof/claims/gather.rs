//! What the network interface must be able to do.

use anyhow::{Context, ensure};

use super::{Bench, Tried, figures};
use crate::copies::{self, Seen, is_copied};
use crate::measure::way::Way;
use crate::proof::bench::{Tested, tested};
use crate::record::{KernelWord, Link};

const FILE_BYTES: u64 = 1 << 20;

pub(super) fn scatter_gather(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let with = aliased(bench, Link::Veth).context("a pair of virtual interfaces")?;
    let without = aliased(bench, Link::VethNosg).context("the same without scatter-gather")?;
    Ok(Tried {
        // Where nothing goes by reference anyhow, its absence says nothing.
        holds: (is_copied(with) == Some(false)).then(|| is_copied(without)).flatten(),
        evidence: format!(
            "over a pair of virtual interfaces {:.0} % of what sendfile had sent changed with the file; with \
             tx-scatter-gather off {:.0} %; of what a copying control had sent, nothing over either",
            with * 100.0,
            without * 100.0
        ),
        figures: figures([("aliased_share", with), ("aliased_share_without_scatter_gather", without)]),
    })
}

/// What changed with the file over this link; an error where what surely copies changed as well.
fn aliased(bench: &Bench<'_>, link: Link) -> anyhow::Result<f64> {
    let mut pair = bench.pair_over(link, FILE_BYTES)?;
    let Tested { test, control } = tested(&mut pair, Way::FLOOR, &*bench.watch)?;
    kept_still(control)?;
    Ok(test.aliased)
}

fn kept_still(control: f64) -> anyhow::Result<()> {
    ensure!(
        control <= 0.0,
        "the copying control changed with the file as well ({:.0} % of it), so that the test proves nothing",
        control * 100.0
    );
    Ok(())
}

pub(super) fn zerocopy(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let line = bench.route("zerocopy")?;
    let (aliased, word) = (line.aliased.context("nothing was overwritten")?, line.kernel_word);
    let reported = word.and_then(KernelWord::copied_share);
    let seen = Seen { aliased: Some(aliased), control: line.control, reported, allocated: line.allocated };
    let mut figures = figures([("aliased_share", aliased)]);
    figures.extend(reported.map(|share| ("reported_copied_share".to_owned(), share)));
    figures.extend(seen.allocated.map(|share| ("allocated_per_byte".to_owned(), share)));
    let reported = word.map_or_else(
        || "the kernel has not reported on any send".to_owned(),
        |word| {
            format!(
                "of {} sends it reported on {} and had copied {}",
                word.sends, word.completions, word.copied
            )
        },
    );
    let (holds, doubt) = verdict(seen);
    let doubt = doubt.map_or_else(String::new, |doubt| format!("; {doubt}"));
    Ok(Tried {
        holds,
        evidence: format!(
            "over loopback {:.0} % of what was sent changed with the file; {reported}{doubt}",
            aliased * 100.0
        ),
        figures,
    })
}

/// As the route's own line has it.
fn verdict(seen: Seen) -> (Option<bool>, Option<String>) {
    let zerocopy = Way::Library(pagewire_zcopy::Route::Zerocopy);
    let found = copies::of(zerocopy, seen);
    (found.decided.then_some(found.count == 0), found.doubt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_that_disagree_decide_nothing() {
        let verdict = |aliased, reported| {
            let seen = Seen { aliased: Some(aliased), control: Some(0.0), reported, allocated: None };
            verdict(seen).0
        };
        assert_eq!(verdict(0.0, Some(1.0)), Some(false));
        assert_eq!(verdict(1.0, Some(0.0)), Some(true));
        assert_eq!(
            (verdict(0.0, Some(0.0)), verdict(1.0, Some(1.0)), verdict(0.5, None)),
            (None, None, None)
        );
        assert_eq!(verdict(0.0, None), Some(false));
    }

    #[test]
    fn over_a_link_whose_control_changed_nothing_is_proved() {
        assert!(kept_still(0.0).is_ok());
        assert!(kept_still(0.01).unwrap_err().to_string().contains("control"));
    }
}
