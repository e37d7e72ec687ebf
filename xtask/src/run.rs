//! Running a command with its output passing through, and what of it the table at the end repeats.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::report::Outcome;

/// Exit code by which a suite says that it could not run here, its reasons being on its output.
const SKIPPED: i32 = 77;

/// So many failures, and reasons why something was not tried, are repeated at the end, each cut after so many characters: whoever
/// has only the end of a long output learns what to look for.
const REPEATED_MAX: usize = 8;
const REPEATED_CHARS: usize = 300;

/// How a fresh clone is built that is built once.
const BUILT_ONCE: [(&str, &str); 3] = [
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

/// A command to run in the repository.
pub(crate) struct Step {
    command: Command,
    shown: String,
}

/// Whether this is continuous integration: a fresh clone, built once.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}

/// `cargo` with these arguments, the same one that runs this.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Step {
    let step = Step::new(root, &std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), args);
    if !in_ci() {
        return step;
    }
    // What is built once pays for the notes of a next time and never has their use; nor does it for programs that are optimised
    // as one, of which the tests are many.
    BUILT_ONCE.iter().fold(step, |step, (name, value)| step.env(name, value))
}

/// The tests of the log that only run when they are asked for, of this file and with this in their names; with optimisation.
pub(crate) fn ignored_of_the_log(root: &Path, file: &str, name: &str) -> Step {
    let test = ["test", "--release", "--quiet", "--package", "pagewire-log", "--test", file];
    cargo(root, &[&test[..], &["--", name, "--ignored", "--nocapture"]].concat())
}

impl Step {
    pub(crate) fn new(root: &Path, program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).current_dir(root).stdin(Stdio::null());
        let name =
            Path::new(program).file_name().map_or(program.into(), |n| n.to_string_lossy().into_owned());
        Self { command, shown: format!("{name} {}", args.join(" ")) }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it and judges by the exit code.
    pub(crate) fn run(self) -> Result<Outcome> {
        self.run_into(&mut std::io::stdout())
    }

    /// The same, with its lines copied to `out`.
    fn run_into(mut self, out: &mut impl Write) -> Result<Outcome> {
        let started = self.command.stdout(Stdio::piped()).spawn();
        let mut child = started.with_context(|| format!("{} could not be started", self.shown))?;
        let told = child.stdout.take().map(|from| pass_through(from, out)).unwrap_or_default();
        let status = child.wait().with_context(|| format!("{} was lost", self.shown))?;
        Ok(match status.code() {
            Some(0) if told.skipped.is_empty() => Outcome::Passed,
            Some(0) => Outcome::PassedWithout(told.skipped.join("\n")),
            Some(SKIPPED) => Outcome::Skipped("see the reasons above".into()),
            _ => {
                let ended = format!("{} ended with {status}", self.shown);
                Outcome::Failed([ended].into_iter().chain(told.failures).collect::<Vec<_>>().join("\n"))
            }
        })
    }

    /// Runs it and takes what it prints.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.command.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("{} could not be started", self.shown))?;
        if !output.status.success() {
            bail!("{} ended with {}", self.shown, output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", self.shown))
    }
}

/// What a child's lines told, without repetitions.
#[derive(Default)]
struct Told {
    failures: Vec<String>,
    /// Why tests that passed did not try what they are for.
    skipped: Vec<String>,
}

/// Copies a child's lines.
fn pass_through(from: ChildStdout, out: &mut impl Write) -> Told {
    let (mut lines, mut line) = (BufReader::new(from), Vec::new());
    let mut told = Told::default();
    // A pipe that breaks is the end of the output; the exit code tells the rest.
    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // Nobody may be listening any more; the command runs to its end all the same.
        let _ = out.write_all(&line).and_then(|()| out.flush());
        let text = String::from_utf8_lossy(&line);
        repeat(&mut told.failures, failure(&text));
        repeat(&mut told.skipped, skipped(&text));
        line.clear();
    }
    told
}

fn repeat(among: &mut Vec<String>, one: Option<String>) {
    among.extend(one.filter(|one| among.len() < REPEATED_MAX && !among.contains(one)));
}

/// What a line says that failed: `test NAME ... FAILED` of cargo, `SUITE: FAIL NAME: why` of the conformance driver.
fn failure(line: &str) -> Option<String> {
    let line = line.trim();
    let test = line.strip_prefix("test ").is_some_and(|rest| rest.ends_with(" ... FAILED"));
    let case = line.split_once(": ").is_some_and(|(_, rest)| rest.starts_with("FAIL "));
    (test || case).then(|| cut(line))
}

/// Why a test was skipped, of a line that says so: `NAME: skipped: why`.
fn skipped(line: &str) -> Option<String> {
    line.split_once(": skipped: ").map(|(_, why)| cut(&format!("not tried: {}", why.trim())))
}

fn cut(line: &str) -> String {
    line.chars().take(REPEATED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a shell's script. Its lines are for nobody: whoever runs these tests would take them for its own.
    fn outcome(script: &str) -> Outcome {
        Step::new(Path::new("/"), "sh", &["-c", script]).run_into(&mut std::io::sink()).expect("a shell")
    }

    #[test]
    fn what_failed_is_known_from_the_lines_that_say_so() {
        let told = ["test a::b ... FAILED\n", "  hostile: FAIL crowd: it waited\n"];
        assert_eq!(told.map(failure), told.map(|line| Some(line.trim().to_owned())));
        let others = ["test a::b ... ok", "test result: FAILED. 1 passed", "  cli: ok FAIL", "FAIL", ""];
        assert_eq!(others.map(failure), others.map(|_| None));
    }

    #[test]
    fn a_failed_command_says_what_failed_in_it() {
        let script = "echo 'x: FAIL one: why'; echo 'x: FAIL one: why'; echo 'x: ok two'; exit 3";
        let outcome = outcome(script);
        let Outcome::Failed(why) = outcome else { panic!("{outcome:?}") };
        assert_eq!(why.lines().skip(1).collect::<Vec<_>>(), ["x: FAIL one: why"]);
    }

    #[test]
    fn what_tests_that_pass_did_not_try_is_told_once() {
        let script = "echo 'one: skipped: no right'; echo 'test two ... two: skipped: no right'; echo 'test three ... ok'";
        assert_eq!(outcome(script), Outcome::PassedWithout("not tried: no right".to_owned()));
        assert!(matches!(outcome(&format!("{script}; exit 1")), Outcome::Failed(_)));
        assert_eq!(outcome("echo 'a is skipped: b'"), Outcome::Passed);
    }
}
