//! Sequences of requests that seeds put together, to ours and to Apache Kafka: what was asked before decides what is
//! answered, in orders that nobody thought of.
//!
//! ```text
//!   compare/sequences/*.txt   what a sequence is made of     file.rs
//!   plan                      what a seed makes of it
//!   play                      a sequence at both brokers; one at which they differ is made as short as it can be
//! ```
//!
//! Where they may differ stands in `compare/sequences.txt`, in the notation of `compare/differences.txt`, and there for all cases.
//! `cargo xtask sequences --seeds N --from SEED [FILE...]` plays as many as one likes.

mod file;
mod plan;
mod play;

use std::fs;

use anyhow::{Context as _, Result, bail};

use super::differ::known;
use super::side::Side;
use super::{Both, SETTINGS, at_both};
use crate::parts::{Cases, Context, seeds};
use crate::workspace::Workspace;
use file::Sequence;
use play::{Verdict, verdict};

/// So many sequences of each file where nobody says how many.
const SEEDS: u64 = 12;
/// After so many that differ a file is not played any further.
const TOLD_MAX: usize = 5;

/// The part.
pub fn sequences(context: &Context<'_>, cases: &Cases<'_>) {
    let files = match files(context.workspace) {
        Ok(files) => files,
        Err(error) => return cases.fail("files", &error),
    };
    at_both(context, cases, SETTINGS, |ours, theirs| {
        for file in &files {
            cases.run(&file.name, || {
                let mut both = Both { ours: Side::new(ours), theirs: Side::new(theirs) };
                all(context, &mut both, file)
            });
        }
    });
}

fn files(workspace: &Workspace) -> Result<Vec<Sequence>> {
    let folder = workspace.sources("compare");
    let rows = |name: &str| known(&fs::read_to_string(folder.join(name))?).context(name.to_owned());
    let mut known = rows("sequences.txt")?;
    known.extend(rows("differences.txt")?.into_iter().filter(|row| row.case == "*"));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder.join("sequences")).context("there are no sequences")? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("a file without a name")?;
        let text = fs::read_to_string(&path)?;
        files.push(Sequence::parse(name, &text, &known).with_context(|| path.display().to_string())?);
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

fn all(context: &Context<'_>, both: &mut Both, file: &Sequence) -> Result<()> {
    both.prepare(&file.once)?;
    let (count, from) = seeds(SEEDS, 0)?;
    let (mut compared, mut failed) = (0, Vec::new());
    for seed in from..from.saturating_add(count) {
        match verdict(both, file, seed)? {
            Verdict::Alike(answers) => compared += answers,
            Verdict::Differ(told) => failed.push(told),
        }
        if failed.len() == TOLD_MAX {
            break;
        }
    }
    context.printer.note(&format!("{}: {count} seeds from {from}, {compared} answers alike", file.name));
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}
