//! What is measured. A case runs once against one broker and answers one number per column.

mod fetch;
mod produce;
mod start;
mod tail;

use anyhow::{Result, bail};

use crate::{broker::Broker, report::Column};

/// A measurement.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) columns: &'static [Column],
    pub(crate) run: fn(&Broker, u64) -> Result<Vec<f64>>,
    /// Needs to start brokers itself, which it can do with ours only.
    ours_only: bool,
}

impl Case {
    pub(crate) fn fits(&self, broker: &Broker) -> bool {
        !self.ours_only || broker.ours.is_some()
    }
}

static CASES: &[Case] = &[
    Case {
        name: "produce",
        what: "1 KiB records in batches of 64 KiB, acks=1, five in flight on one connection",
        columns: &["CPU-s/GiB", "MiB/s", "RSS MiB"],
        run: produce::run,
        ours_only: false,
    },
    Case {
        name: "fetch",
        what: "hot fetches of 1 MiB",
        columns: &["CPU-s/GiB", "MiB/s", "RSS MiB"],
        run: fetch::large,
        ours_only: false,
    },
    Case {
        name: "small-fetch",
        what: "hot fetches of one 16 KiB batch",
        columns: &["us CPU/request", "us/request"],
        run: fetch::small,
        ours_only: false,
    },
    Case {
        name: "tail",
        what: "1,000 produces of one 1 KiB record a second, acks=1, a consumer in long polls",
        columns: &["us CPU/produce+fetch", "p50 ms", "p99 ms", "max ms"],
        run: tail::run,
        ours_only: false,
    },
    Case {
        name: "start",
        what: "from exec to serving with an empty directory, then ten idle seconds",
        columns: &["ready ms", "idle RSS MiB", "idle CPU %"],
        run: start::run,
        ours_only: true,
    },
];

/// The named cases, or all.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    let find = |name: &String| match CASES.iter().find(|case| case.name == name) {
        Some(case) => Ok(case),
        None => bail!(
            "there is no case {name:?}; the cases are: {}",
            CASES.iter().map(|c| c.name).collect::<Vec<_>>().join(", ")
        ),
    };
    names.iter().map(find).collect()
}
