//! What the network interface must be able to do.

use anyhow::{Context, anyhow};

use super::{Bench, Tried, figures};
use crate::measure::Pair;
use crate::measure::way::Way;
use crate::record::Link;

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
        holds: with > 0.99 && without < 0.01,
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
    let line = bench.route("zerocopy").context("there is no such route")?;
    if !line.available {
        return Err(anyhow!(line.why.clone().unwrap_or_default()));
    }
    let aliased = line.aliased.unwrap_or(0.0);
    let mut figures = figures([("aliased_share", aliased)]);
    figures.extend(line.reported_copied.map(|share| ("reported_copied_share".to_owned(), share)));
    let reported = line.reported_copied.map_or(String::new(), |share| {
        format!("; of its completions the kernel reported {:.0} % as copied after all", share * 100.0)
    });
    Ok(Tried {
        holds: aliased > 0.99,
        evidence: format!(
            "over loopback {:.0} % of what was sent changed with the file{reported}",
            aliased * 100.0
        ),
        figures,
    })
}
