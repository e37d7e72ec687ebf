//! `pagewire lab proof`.

use pagewire_lab::measure::worker::Program;
use pagewire_lab::proof::{self, Proof};
use pagewire_lab::record::{Claim, KernelWord, ProofLine};
use pagewire_lab::report::Records;

use super::looking::Looking;
use super::{place, report};
use crate::args::lab::proof::ProofArgs;
use crate::output::{Format, Out, Table};

/// Runs it.
pub(crate) fn run(args: &ProofArgs) -> anyhow::Result<()> {
    let dir = place::of(args.file_dir.as_deref())?;
    let mut looking = Looking::new()?;
    let proof = proof::run(&Program::this()?, &dir, &mut looking)?;
    looking.clear();
    let mut out = Out::new();
    match args.output.format {
        Format::Json => {
            proof.routes.iter().try_for_each(|line| out.json_line(line))?;
            proof.claims.iter().try_for_each(|claim| out.json_line(claim))?;
        }
        Format::Table => print(&proof, &mut out)?,
    }
    out.flush()?;
    report::of_run(&args.report, || {
        let Proof { routes, claims } = proof;
        Records { proof: routes, claims, ..Records::default() }
    })?;
    looking.end_with("what was not tried yet is left out")
}

fn print(proof: &Proof, out: &mut Out) -> anyhow::Result<()> {
    let mut table =
        Table::new(&["ROUTE", "COPIES", ">ALIASED", ">CONTROL", ">PAGES/BYTE", ">REPORTED", "HOW"]);
    for line in proof.routes.iter().filter(|line| line.cpu_copies.is_some()) {
        table.row(row(line));
    }
    table.print(out)?;
    for line in &proof.routes {
        if let Some(said) = aside(line) {
            out.line(said)?;
        }
    }
    for claim in &proof.claims {
        out.line(format_args!("\n{}  {}\n         {}", verdict(claim), claim.claim, claim.evidence))?;
    }
    Ok(())
}

/// What has to be said of a route in words: why it is not here, could not be tried, or is not decided.
fn aside(line: &ProofLine) -> Option<String> {
    let why = line.why.as_deref()?;
    let what = if line.available { "" } else { "not here: " };
    Some(format!("{}: {what}{why}", line.route))
}

fn row(line: &ProofLine) -> [String; 7] {
    let percent =
        |share: Option<f64>| share.map(|share| format!("{:.0} %", share * 100.0)).unwrap_or_default();
    [
        line.route.clone(),
        line.cpu_copies
            .map(|copies| if copies == 0 { "none".to_owned() } else { copies.to_string() })
            .unwrap_or_default(),
        percent(line.aliased),
        percent(line.control),
        line.allocated.map(|share| format!("{share:.2}")).unwrap_or_default(),
        line.kernel_word.map(reported).unwrap_or_default(),
        line.how.clone().unwrap_or_default(),
    ]
}

/// What the kernel said of its own sends.
fn reported(word: KernelWord) -> String {
    format!("{} of {} copied", word.copied, word.completions)
}

fn verdict(claim: &Claim) -> &'static str {
    match claim.holds {
        Some(true) => "TRUE   ",
        Some(false) => "FALSE  ",
        None => "OPEN   ",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> ProofLine {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_route_that_could_not_be_tried_is_not_said_to_be_missing() {
        let missing = line(r#"{"route":"ktls","available":false,"why":"no module"}"#);
        assert_eq!(aside(&missing).unwrap(), "ktls: not here: no module");
        let untold = line(r#"{"route":"splice","available":true,"why":"could not be tried: disk full"}"#);
        assert_eq!(aside(&untold).unwrap(), "splice: could not be tried: disk full");
        assert_eq!(aside(&line(r#"{"route":"copy","available":true}"#)), None);
    }
}
