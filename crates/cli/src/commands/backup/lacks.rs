//! Telling what a backup lacks: partitions that are missing for one reason share a line.

use pagewire_broker::backup::{Lacks, Missing};

use crate::output::Out;
use crate::output::units::several;

/// Partitions that a line names.
const NAMED_MAX: usize = 4;

/// A line for each topic that was left out, and for each reason for which partitions are missing.
pub(in crate::commands) fn print(lacks: &Lacks, out: &mut Out) -> anyhow::Result<()> {
    for topic in &lacks.excluded {
        out.line(format_args!("{topic}: left out, not in the backup"))?;
    }
    lines(lacks).into_iter().try_for_each(|line| out.line(line))
}

/// By reason, in the order in which they were met.
fn lines(lacks: &Lacks) -> Vec<String> {
    let mut by_reason: Vec<(&str, Vec<&Missing>)> = Vec::new();
    for missing in &lacks.missing {
        match by_reason.iter_mut().find(|(why, _)| *why == missing.why) {
            Some((_, alike)) => alike.push(missing),
            None => by_reason.push((&missing.why, vec![missing])),
        }
    }
    let mut lines: Vec<String> =
        by_reason.iter().map(|(why, of)| format!("not in the backup: {}: {why}", named(of))).collect();
    match lacks.missing_logs - lacks.missing.len().min(lacks.missing_logs) {
        0 => {}
        more => lines.push(format!("not in the backup: {}", several(more as u64, "more partition"))),
    }
    lines
}

/// All of few, some of many.
fn named(missing: &[&Missing]) -> String {
    let names = missing.iter().map(|one| format!("{}-{}", one.topic, one.partition));
    if missing.len() <= NAMED_MAX + 1 {
        return names.collect::<Vec<_>>().join(", ");
    }
    let some = names.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    format!(
        "{}: {some} and {} more (-o json names them)",
        several(missing.len() as u64, "partition"),
        missing.len() - NAMED_MAX
    )
}

/// That partitions are missing, if some are. What was left out was wished.
pub(super) fn told(lacks: &Lacks) -> Option<String> {
    match lacks.missing_logs {
        0 => None,
        1 => Some("1 partition is not in the backup".to_owned()),
        more => Some(format!("{} are not in the backup", several(more as u64, "partition"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(partitions: std::ops::Range<i32>, why: &str) -> Vec<Missing> {
        partitions
            .map(|partition| Missing { topic: "t".to_owned(), partition, why: why.to_owned() })
            .collect()
    }

    #[test]
    fn partitions_that_are_missing_for_one_reason_share_a_line() {
        let some = [missing(0..2, "gone"), missing(2..3, "rotten"), missing(3..22, "gone")].concat();
        let lacks = Lacks { missing_logs: 50, missing: some, ..Lacks::default() };
        assert_eq!(
            lines(&lacks),
            [
                "not in the backup: 21 partitions: t-0, t-1, t-3, t-4 and 17 more (-o json names them): gone",
                "not in the backup: t-2: rotten",
                "not in the backup: 28 more partitions",
            ]
        );
    }
}
