//! What is measured beside the loads: background work, and starting. A case runs once against one broker and answers one number
//! per column.

mod busy;
mod compact;
mod start;
mod tail;

use anyhow::Result;

use crate::{
    broker::{Broker, FLOOR},
    report::Column,
};

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
    /// Those that do more than take and give.
    Brokers,
    /// It starts brokers itself, which it can do with ours only.
    Ours,
}

impl Case {
    pub(crate) fn fits(&self, broker: &Broker) -> bool {
        match self.of {
            Of::Brokers => broker.name != FLOOR,
            Of::Ours => broker.ours.is_some(),
        }
    }
}

pub(crate) static CASES: &[Case] = &[
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
