//! What is measured. A case runs once against one broker and answers one number per column.

mod busy;
mod compact;
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
    /// Which brokers can be measured so.
    of: Of,
}

/// Brokers that a case fits.
#[derive(PartialEq, Eq)]
enum Of {
    All,
    /// Those that do more than take and give.
    Brokers,
    /// It starts brokers itself, which it can do with ours only.
    Ours,
}

impl Case {
    pub(crate) fn fits(&self, broker: &Broker) -> bool {
        match self.of {
            Of::All => true,
            Of::Brokers => !broker.bare,
            Of::Ours => broker.ours.is_some(),
        }
    }
}

static CASES: &[Case] = &[
    Case {
        name: "produce",
        what: "1 KiB records in batches of 64 KiB, acks=1, five in flight on one connection",
        columns: &["CPU-s/GiB", "MiB/s", "RSS MiB"],
        run: produce::run,
        of: Of::All,
    },
    Case {
        name: "fetch",
        what: "hot fetches of 1 MiB",
        columns: &["CPU-s/GiB", "MiB/s", "RSS MiB"],
        run: fetch::large,
        of: Of::All,
    },
    Case {
        name: "small-fetch",
        what: "hot fetches of one 16 KiB batch",
        columns: &["us CPU/request", "us/request"],
        run: fetch::small,
        of: Of::All,
    },
    Case {
        name: "tail",
        what: "1,000 produces of one 1 KiB record a second, acks=1, a consumer in long polls",
        columns: &["us CPU/produce+fetch", "p50 ms", "p99 ms", "max ms"],
        run: tail::run,
        of: Of::All,
    },
    Case {
        name: "compact",
        what: "compaction of records of 1 KiB, eight of each key, not compressed",
        columns: &["CPU-s/GiB", "MiB/s", "left MiB", "RSS MiB"],
        run: compact::plain,
        of: Of::Brokers,
    },
    Case {
        name: "compact-zstd",
        what: "the same in batches of zstd, which are taken apart and compressed again; of bytes as they lie there",
        columns: &["CPU-s/GiB", "MiB/s", "left MiB", "RSS MiB"],
        run: compact::zstd,
        of: Of::Brokers,
    },
    Case {
        name: "tail-cleaning",
        what: "the tail alone, then while another topic is compacted",
        columns: &[
            "alone p50 ms",
            "p50 ms",
            "alone p99 ms",
            "p99 ms",
            "alone max ms",
            "max ms",
            "cleaned MiB",
        ],
        run: busy::run,
        of: Of::Brokers,
    },
    Case {
        name: "start",
        what: "from exec to serving with an empty directory, then ten idle seconds",
        columns: &["ready ms", "idle RSS MiB", "idle CPU %"],
        run: start::run,
        of: Of::Ours,
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
