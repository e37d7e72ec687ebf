//! Telling what is damaged in a backup or in what is made of it.

use pagewire_broker::backup::{Altered, Damage, Damaged, Lacks, Outcome};

use super::lacks;
use crate::output::Out;
use crate::output::units::count;

/// A line for each file and stretch that is known by its place.
pub(in crate::commands) fn print(damage: &Damage, out: &mut Out) -> anyhow::Result<()> {
    for Altered { file, reason, outcome } in &damage.altered {
        let outcome = outcome.map(told).unwrap_or_default();
        out.line(format_args!("{file} is not what was copied: {reason}{outcome}"))?;
    }
    match damage.altered_files - damage.altered.len().min(damage.altered_files) {
        0 => {}
        1 => out.line(format_args!("1 more file is not what was copied"))?,
        more => out.line(format_args!("{} more files are not what was copied", count(more as u64)))?,
    }
    for stretch in &damage.some {
        out.line(format_args!("{}", stretch_told(stretch)))?;
    }
    match damage.stretches - damage.some.len().min(damage.stretches) {
        0 => Ok(()),
        1 => out.line(format_args!("1 more place is damaged")),
        more => out.line(format_args!("{} more places are damaged", count(more as u64))),
    }
}

/// What lies damaged in a file, or does not lie there: of offsets that are missing no bytes are bad.
fn stretch_told(stretch: &Damaged) -> String {
    let Damaged { topic, partition, file, position, bytes, offset, next_offset } = stretch;
    let (name, last) = (format!("{topic}-{partition}/{file}"), next_offset - 1);
    match bytes {
        0 => format!("{name}: the offsets {offset} to {last} are missing at position {position}"),
        _ => format!("{name}: {bytes} bytes from {position} on are damaged, offsets {offset} to {last}"),
    }
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::AsItIs => "; taken as it is",
        Outcome::WrittenAnew => "; written anew",
        Outcome::LeftOut => "; left out, it is made anew from the records",
    }
}

/// How it ends: an error of its own if anything is damaged or missing.
pub(in crate::commands) fn end(damage: &Damage, so: &str, lacks: &Lacks) -> anyhow::Result<()> {
    let missing = lacks::told(lacks);
    if damage.is_none() && missing.is_none() {
        return Ok(());
    }
    let records = places(damage.stretches).map(|places| format!("records are damaged in {places}; {so}"));
    let files = files(damage).map(|files| format!("{files} not what was copied"));
    let what: Vec<String> = missing.into_iter().chain(files).chain(records).collect();
    Err(crate::Damaged(format!("done, but {}", what.join(", "))).into())
}

/// How many files are others, with the verb.
pub(super) fn files(damage: &Damage) -> Option<String> {
    match damage.altered_files {
        0 => None,
        1 => Some("one file is".to_owned()),
        more => Some(format!("{} files are", count(more as u64))),
    }
}

fn places(stretches: usize) -> Option<String> {
    match stretches {
        0 => None,
        1 => Some("one place".to_owned()),
        more => Some(format!("{} places", count(more as u64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_no_number_of_bytes() {
        let mut stretch = Damaged {
            topic: "t".into(),
            partition: 0,
            file: "00000000000000000000.log".into(),
            position: 14_656,
            bytes: 0,
            offset: 69_300,
            next_offset: 70_550,
        };
        let missing =
            "t-0/00000000000000000000.log: the offsets 69300 to 70549 are missing at position 14656";
        assert_eq!(stretch_told(&stretch), missing);
        stretch.bytes = 7;
        let damaged =
            "t-0/00000000000000000000.log: 7 bytes from 14656 on are damaged, offsets 69300 to 70549";
        assert_eq!(stretch_told(&stretch), damaged);
    }
}
