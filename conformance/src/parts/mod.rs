//! The parts that start, kill and restart the binary themselves. One file each; what they share is the harness.

mod cli;
mod compare;
mod crash;
mod frames;
mod hostile;
mod kafka;
mod ledger;
mod load;
mod once;
mod programs;
mod proof;
mod restart;
mod serve;
mod takeover;
mod transactions;
mod witness;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};

use crate::outcome::{Case, Outcome, Printer};
use crate::workspace::Workspace;

pub use cli::cli;
pub use compare::{compare, page as compatibility, sequences};
pub use crash::crash;
pub use hostile::hostile;
pub use programs::{connect, mirror, streams};
pub use proof::proof;
pub use restart::restart;
pub use serve::serve;
pub use takeover::takeover;
pub use transactions::transactions;
pub use witness::witness;

/// What a part needs.
#[derive(Debug)]
pub struct Context<'a> {
    /// The binary under test.
    pub binary: PathBuf,
    /// A broker that already runs, for parts that need not start their own.
    pub outside: Option<String>,
    /// Whole programs run on Apache Kafka in our broker's place.
    pub on_kafka: bool,
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
    done: Mutex<Vec<Case>>,
}

/// A case that may run beside others.
pub struct Job<'j> {
    name: &'static str,
    test: Box<dyn FnOnce() -> Result<()> + Send + 'j>,
}

impl<'j> Job<'j> {
    /// A case; an error is its failure.
    pub fn new(name: &'static str, test: impl FnOnce() -> Result<()> + Send + 'j) -> Self {
        Self { name, test: Box::new(test) }
    }
}

/// How many seeds a part lives through, and the first: `cargo xtask transactions` and `sequences` say so. Otherwise these.
fn seeds(count: u64, from: u64) -> Result<(u64, u64)> {
    let number = |name: &str, otherwise: u64| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text} is no number")),
        Err(_) => Ok(otherwise),
    };
    Ok((number("CONFORMANCE_SEEDS", count)?, number("CONFORMANCE_FROM", from)?))
}

/// A part: runs its cases.
pub type Part = fn(&Context<'_>, &Cases<'_>);

impl<'a> Cases<'a> {
    /// No case yet; when `chosen` is not empty only those named run.
    pub fn new(suite: &'static str, chosen: &'a [String], printer: &'a Printer) -> Self {
        Self { suite, chosen, printer, done: Mutex::default() }
    }

    /// Runs one case; an error is its failure.
    pub fn run(&self, name: &str, test: impl FnOnce() -> Result<()>) {
        if !self.wants(name) {
            return;
        }
        let outcome = match test() {
            Ok(()) => Outcome::Ok,
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        self.note(name, outcome);
    }

    /// Runs cases that have nothing to do with each other, begun in this order, as many at a time.
    pub fn side_by_side(&self, lanes: usize, jobs: Vec<Job<'_>>) {
        let queue = Mutex::new(jobs.into_iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            for _ in 0..lanes {
                scope.spawn(|| {
                    while let Some(Job { name, test }) = next() {
                        self.run(name, test);
                    }
                });
            }
        });
    }

    /// Whether a case of this name is to run.
    pub fn wants(&self, name: &str) -> bool {
        self.chosen.is_empty() || self.chosen.iter().any(|chosen| chosen == name)
    }

    /// Notes a case that cannot run here.
    pub fn skip(&self, name: &str, reason: &str) {
        self.note(name, Outcome::Skipped(reason.to_owned()));
    }

    /// Notes that what all cases need is not there, whichever of them are chosen.
    pub fn fail(&self, name: &str, error: &anyhow::Error) {
        self.note(name, Outcome::Failed(format!("{error:#}")));
    }

    fn note(&self, name: &str, outcome: Outcome) {
        let case = Case { name: name.to_owned(), outcome };
        self.printer.case(self.suite, &case);
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(case);
    }

    /// What ran.
    pub fn finish(self) -> Vec<Case> {
        self.done.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_side_by_side_run_once_each_and_fail_by_themselves() {
        let printer = Printer::new(true);
        let cases = Cases::new("suite", &[], &printer);
        let job =
            |name, good| Job::new(name, move || if good { Ok(()) } else { Err(anyhow::anyhow!("it broke")) });
        cases.side_by_side(2, vec![job("one", true), job("two", false), job("three", true)]);
        let mut done = cases.finish();
        done.sort_by(|one, other| one.name.cmp(&other.name));
        let lines: Vec<String> = done.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["ok one", "ok three", "FAIL two: it broke"]);
    }
}
