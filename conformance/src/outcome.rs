//! What became of a case and of a suite, and how a person reads it.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it says.
    Ok,
    /// It did not, and why.
    Failed(String),
    /// It could not run here, and why.
    Skipped(String),
}

/// One case of a suite.
#[derive(Debug, Clone)]
pub struct Case {
    /// Unique within its suite.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Case {
    /// Reads a line of the suites' protocol: `ok NAME`, `FAIL NAME: reason`, `skip NAME: reason`. Other lines are none.
    pub fn from_line(line: &str) -> Option<Self> {
        let (verdict, rest) = line.trim_end().split_once(' ')?;
        let (name, reason) = rest.split_once(": ").unwrap_or((rest, ""));
        let outcome = match verdict {
            "ok" => Outcome::Ok,
            "FAIL" => Outcome::Failed(reason.to_owned()),
            "skip" => Outcome::Skipped(reason.to_owned()),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), outcome })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Ok => write!(f, "ok {}", self.name),
            Outcome::Failed(reason) => write!(f, "FAIL {}: {reason}", self.name),
            Outcome::Skipped(reason) => write!(f, "skip {}: {reason}", self.name),
        }
    }
}

/// One suite's run.
#[derive(Debug, Clone)]
pub struct SuiteRun {
    /// The suite's name.
    pub suite: String,
    /// Its cases, in the order they ended.
    pub cases: Vec<Case>,
    /// Wall time, preparing included.
    pub took: Duration,
}

impl SuiteRun {
    /// A suite that could not start: one skipped case that carries the reason.
    pub fn skipped(suite: &str, reason: impl Into<String>) -> Self {
        let case = Case { name: "prepare".to_owned(), outcome: Outcome::Skipped(reason.into()) };
        Self { suite: suite.to_owned(), cases: vec![case], took: Duration::ZERO }
    }

    fn count(&self, matches: impl Fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|case| matches(&case.outcome)).count()
    }

    /// Cases that failed.
    pub fn failed(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failed(_)))
    }

    /// Cases that were skipped.
    pub fn skipped_count(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped(_)))
    }
}

/// Prints cases as they end, for a person who waits.
#[derive(Debug)]
pub struct Printer {
    quiet: bool,
}

impl Printer {
    /// A quiet printer shows only what is not ok.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// A line of progress on standard error.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            // A closed standard error must not end the run.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// One case, on standard output.
    pub fn case(&self, suite: &str, case: &Case) {
        if !self.quiet || case.outcome != Outcome::Ok {
            let _ = writeln!(io::stdout().lock(), "  {suite}: {case}");
        }
    }

    /// The table at the end. Skips count as failures when `strict`. Answers whether the whole run is good.
    pub fn summary(out: &mut impl Write, runs: &[SuiteRun], strict: bool) -> bool {
        let width = runs.iter().map(|run| run.suite.len()).max().unwrap_or(0).max("suite".len());
        let _ =
            writeln!(out, "\n{:width$}  {:>5} {:>5} {:>5} {:>8}", "suite", "ok", "fail", "skip", "seconds");
        let mut good = true;
        for run in runs {
            let (failed, skipped) = (run.failed(), run.skipped_count());
            let passed = run.cases.len() - failed - skipped;
            let bad = failed > 0 || passed + skipped == 0 || (strict && skipped > 0);
            good &= !bad;
            let seconds = run.took.as_secs_f32();
            let mark = if bad { "  <-" } else { "" };
            let _ = writeln!(
                out,
                "{:width$}  {passed:>5} {failed:>5} {skipped:>5} {seconds:>8.1}{mark}",
                run.suite
            );
        }
        for run in runs {
            for case in run.cases.iter().filter(|case| case.outcome != Outcome::Ok) {
                let line: String = format!("{}: {case}", run.suite).chars().take(200).collect();
                let _ = writeln!(out, "{line}");
            }
        }
        if strict && runs.iter().any(|run| run.skipped_count() > 0) {
            let _ = writeln!(out, "a skipped case is a failure when CI=true");
        }
        good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_reads_back_from_its_own_line() {
        for line in ["ok one", "FAIL two: it broke: badly", "skip three: no tool"] {
            assert_eq!(Case::from_line(line).map(|case| case.to_string()).as_deref(), Some(line));
        }
        assert!(Case::from_line("something else").is_none());
        assert!(Case::from_line("").is_none());
    }

    #[test]
    fn a_skip_fails_a_strict_run_only() {
        let runs = [SuiteRun::skipped("java", "no mvn")];
        assert!(Printer::summary(&mut io::sink(), &runs, false));
        assert!(!Printer::summary(&mut io::sink(), &runs, true));
    }
}
