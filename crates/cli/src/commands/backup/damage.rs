//! Telling what is damaged in a backup or in what is made of it.

use pagewire_broker::backup::{Altered, Damage, Damaged, Outcome};

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
        more => out.line(format_args!("{} more files are not what was copied", count(more as u64)))?,
    }
    for Damaged { topic, partition, file, position, bytes, offset, next_offset } in &damage.some {
        let (last, what) = (next_offset - 1, if *bytes == 0 { "missing" } else { "damaged" });
        out.line(format_args!(
            "{topic}-{partition}/{file}: {bytes} bytes from {position} on are {what}, offsets {offset} to {last}"
        ))?;
    }
    match damage.stretches - damage.some.len().min(damage.stretches) {
        0 => Ok(()),
        more => out.line(format_args!("{} more places are damaged", count(more as u64))),
    }
}

fn told(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::AsItIs => "; taken as it is",
        Outcome::WrittenAnew => "; written anew",
        Outcome::LeftOut => "; left out, it is made anew from the records",
    }
}

/// How it ends: an error of its own if anything is damaged.
pub(in crate::commands) fn end(damage: &Damage, so: &str) -> anyhow::Result<()> {
    if damage.is_none() {
        return Ok(());
    }
    let records = places(damage.stretches).map(|places| format!("records are damaged in {places}; {so}"));
    let files = files(damage).map(|files| format!("{files} not what was copied"));
    let what: Vec<String> = files.into_iter().chain(records).collect();
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
