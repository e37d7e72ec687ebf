//! The parts that start, kill and restart the binary themselves. One file each; what they share is the harness.

mod cli;
mod crash;
mod frames;
mod hostile;
mod kafka;
mod ledger;
mod load;
mod proof;
mod restart;
mod serve;
mod takeover;
mod witness;

use std::path::PathBuf;

use anyhow::Result;

use crate::outcome::{Case, Outcome, Printer};
use crate::workspace::Workspace;

pub use cli::cli;
pub use crash::crash;
pub use hostile::hostile;
pub use proof::proof;
pub use restart::restart;
pub use serve::serve;
pub use takeover::takeover;
pub use witness::witness;

/// What a part needs.
#[derive(Debug)]
pub struct Context<'a> {
    /// The binary under test.
    pub binary: PathBuf,
    /// A broker that already runs, for parts that need not start their own.
    pub outside: Option<String>,
    /// The checkout.
    pub workspace: &'a Workspace,
    /// For progress.
    pub printer: &'a Printer,
}

/// The cases of a part, as they end.
#[derive(Debug)]
pub struct Cases<'a> {
    suite: &'static str,
    chosen: &'a [String],
    printer: &'a Printer,
    done: Vec<Case>,
}

/// A part: runs its cases.
pub type Part = fn(&Context<'_>, &mut Cases<'_>);

impl<'a> Cases<'a> {
    /// No case yet; when `chosen` is not empty only those named run.
    pub fn new(suite: &'static str, chosen: &'a [String], printer: &'a Printer) -> Self {
        Self { suite, chosen, printer, done: Vec::new() }
    }

    /// Runs one case; an error is its failure.
    pub fn run(&mut self, name: &str, test: impl FnOnce() -> Result<()>) {
        if !self.chosen.is_empty() && !self.chosen.iter().any(|chosen| chosen == name) {
            return;
        }
        let outcome = match test() {
            Ok(()) => Outcome::Ok,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.note(name, outcome);
    }

    /// Notes a case that cannot run here.
    pub fn skip(&mut self, name: &str, reason: &str) {
        self.note(name, Outcome::Skipped(reason.to_owned()));
    }

    fn note(&mut self, name: &str, outcome: Outcome) {
        let case = Case { name: name.to_owned(), outcome };
        self.printer.case(self.suite, &case);
        self.done.push(case);
    }

    /// What ran.
    pub fn finish(self) -> Vec<Case> {
        self.done
    }
}
