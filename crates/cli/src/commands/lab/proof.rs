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
    looking.end()
}

fn print(proof: &Proof, out: &mut Out) -> anyhow::Result<()> {
    let mut table =
        Table::new(&["ROUTE", "COPIES", ">ALIASED", ">CONTROL", ">PAGES/BYTE", ">REPORTED", "HOW"]);
    for line in proof.routes.iter().filter(|line| line.available) {
        table.row(row(line));
    }
    table.print(out)?;
    for line in proof.routes.iter().filter(|line| !line.available) {
        out.line(format_args!("{}: not here: {}", line.route, line.why.as_deref().unwrap_or_default()))?;
    }
    for claim in &proof.claims {
        out.line(format_args!("\n{}  {}\n         {}", verdict(claim), claim.claim, claim.evidence))?;
    }
    Ok(())
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
