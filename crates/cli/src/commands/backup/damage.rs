//! Telling what is damaged in a backup or in what is made of it.

use pagewire_broker::backup::{Damage, Damaged};

use crate::output::Out;
use crate::output::units::count;

/// A line for each stretch that is known by its place.
pub(in crate::commands) fn print(damage: &Damage, out: &mut Out) -> anyhow::Result<()> {
    for Damaged { topic, partition, file, position, bytes, offset, next_offset } in &damage.some {
        let last = next_offset - 1;
        out.line(format_args!(
            "{topic}-{partition}/{file}: {bytes} bytes from {position} on are damaged, offsets {offset} to {last}"
        ))?;
    }
    match damage.stretches - damage.some.len().min(damage.stretches) {
        0 => Ok(()),
        more => out.line(format_args!("{} more places are damaged", count(more as u64))),
    }
}

/// How it ends: an error of its own if anything is damaged.
pub(in crate::commands) fn end(damage: &Damage, so: &str) -> anyhow::Result<()> {
    match damage.stretches {
        0 => Ok(()),
        1 => Err(crate::Damaged(format!("done, but records are damaged in one place; {so}")).into()),
        more => Err(crate::Damaged(format!(
            "done, but records are damaged in {} places; {so}",
            count(more as u64)
        ))
        .into()),
    }
}
