//! Telling what a backup lacks.

use pagewire_broker::backup::{Lacks, Missing};

use crate::output::Out;
use crate::output::units::several;

/// A line for each topic that was left out, and for each partition that is missing.
pub(in crate::commands) fn print(lacks: &Lacks, out: &mut Out) -> anyhow::Result<()> {
    for topic in &lacks.excluded {
        out.line(format_args!("{topic}: left out, not in the backup"))?;
    }
    for Missing { topic, partition, why } in &lacks.missing {
        out.line(format_args!("{topic}-{partition}: not in the backup: {why}"))?;
    }
    match lacks.missing_logs - lacks.missing.len().min(lacks.missing_logs) {
        0 => Ok(()),
        more => out.line(format_args!("not in the backup: {} more", several(more as u64, "partition"))),
    }
}

/// That partitions are missing, if some are. What was left out was wished.
pub(super) fn told(lacks: &Lacks) -> Option<String> {
    match lacks.missing_logs {
        0 => None,
        1 => Some("1 partition is not in the backup".to_owned()),
        more => Some(format!("{} are not in the backup", several(more as u64, "partition"))),
    }
}
