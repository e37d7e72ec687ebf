//! `pagewire doctor`: asks the checks, prints each finding as it comes, sums up.

mod page;
mod plan;

use anyhow::bail;
use pagewire_doctor::{Finding, Group, State, examine};
use serde::Serialize;

use crate::args::doctor::DoctorArgs;
use crate::output::{Format, Out};
use page::Page;

/// A line for programs.
#[derive(Serialize)]
struct Line<'a> {
    group: Group,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// How many findings there were of each kind.
#[derive(Debug, Default)]
struct Tally {
    ok: usize,
    could_be_better: usize,
    broken: Vec<String>,
}

impl Tally {
    fn note(&mut self, finding: &Finding) {
        match finding.state {
            State::Ok => self.ok += 1,
            State::CouldBeBetter => self.could_be_better += 1,
            State::Broken => self.broken.push(finding.check.clone()),
        }
    }
}

/// Runs it. An error, and so exit code 1, if something is broken.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let (mut out, mut tally, mut page) = (Out::new(), Tally::default(), Page::new());
    let mut tell = |group, finding: &Finding| {
        tally.note(finding);
        match args.output.format {
            Format::Json => out.json_line(&Line { group, finding })?,
            Format::Table => page.print(group, finding, &mut out)?,
        }
        // Whoever waits sees what is there already.
        out.flush()
    };
    let (plan, settings) = plan::plan(args);
    let mut told = tell(Group::Machine, &settings);
    examine(&plan, |group, finding| {
        // A reader that went away hears no more; the checks are nearly done.
        if told.is_ok() {
            told = tell(group, &finding);
        }
    });
    told?;
    if args.output.format == Format::Table {
        Page::sum_up(tally.ok, tally.could_be_better, tally.broken.len(), &mut out)?;
        out.flush()?;
    }
    if !tally.broken.is_empty() {
        bail!("broken: {}", tally.broken.join(", "));
    }
    Ok(())
}
