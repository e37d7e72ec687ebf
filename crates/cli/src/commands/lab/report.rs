//! `pagewire lab report`, and the report of a run that has just ended.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use pagewire_lab::report::{self, Records};

use crate::args::lab::report::{ReportArgs, ReportTo};
use crate::output::{Out, complain};

/// The longest line that is read, in bytes: a record of `lab drive` with its distribution and timeline is the longest.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Makes a page out of recorded lines.
pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let mut records = Records::default();
    if args.files.is_empty() {
        read(io::stdin().lock(), "standard input", &mut records)?;
    }
    for path in &args.files {
        if path == Path::new("-") {
            read(io::stdin().lock(), "standard input", &mut records)?;
            continue;
        }
        let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        read(BufReader::new(file), &path.display().to_string(), &mut records)?;
    }
    if records.is_empty() {
        bail!("there is no record to report")
    }
    let page = report::write(&args.dir, &records)?;
    let mut out = Out::new();
    out.line(page.display())?;
    out.flush()
}

/// Writes the report that the options of a command ask for, if they do and anything was recorded before it ended.
/// `records` is called only then.
pub(super) fn of_run(to: &ReportTo, records: impl FnOnce() -> Records) -> anyhow::Result<()> {
    let Some(dir) = &to.report else { return Ok(()) };
    let records = records();
    if records.is_empty() {
        complain("report: nothing was measured, so there is none");
        return Ok(());
    }
    let page = report::write(dir, &records)?;
    complain(format_args!("report: {}", page.display()));
    Ok(())
}

/// Adds the records of one file. An error says in which line.
fn read(mut input: impl BufRead, name: &str, records: &mut Records) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let taken = input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        if taken.with_context(|| format!("{name} cannot be read"))? == 0 {
            break;
        }
        if line.len() as u64 > LINE_BYTES_MAX {
            bail!("{name}, line {number}: longer than {} MiB", LINE_BYTES_MAX >> 20)
        }
        let text = std::str::from_utf8(&line).with_context(|| format!("{name}, line {number}: not UTF-8"))?;
        records.push_line(text).with_context(|| format!("{name}, line {number}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: &str = r#"{"claim":"a","holds":null,"evidence":"b","figures":{}}"#;

    fn reading(text: &str) -> Result<Records, String> {
        let mut records = Records::default();
        read(text.as_bytes(), "a.jsonl", &mut records).map_err(|error| crate::told(&error))?;
        Ok(records)
    }

    #[test]
    fn a_file_may_end_with_or_without_a_line_feed_and_have_blank_lines() {
        for text in [CLAIM.to_owned(), format!("{CLAIM}\n\n"), format!("\r\n{CLAIM}\r\n")] {
            assert_eq!(reading(&text).map(|records| records.claims.len()), Ok(1));
        }
    }

    #[test]
    fn an_error_says_the_file_and_the_line() {
        let error = reading(&format!("{CLAIM}\n\n{{}}\n")).unwrap_err();
        assert!(error.starts_with("a.jsonl, line 3: no record of the lab"), "{error}");
    }

    #[test]
    fn the_report_of_a_run_is_written_only_where_it_is_asked_for() {
        let asked = || panic!("nobody asked");
        of_run(&ReportTo::default(), asked).unwrap();
    }

    #[test]
    fn a_run_that_measured_nothing_has_no_report() {
        let dir = tempfile::tempdir().unwrap();
        let to = ReportTo { report: Some(dir.path().join("report")) };
        of_run(&to, Records::default).unwrap();
        assert!(!dir.path().join("report").exists());
    }
}
