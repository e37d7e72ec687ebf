//! What an import came to, for people.

use std::path::Path;

use pagewire_disk::Pasted;
use pagewire_takeover::{OpenTransaction, Outcome, Refusal, Report};

use super::properties::Properties;
use crate::output::units::{bytes, count, several};
use crate::output::{Out, Table};

/// Stays behind that are told one by one; of more, only how many.
const TOLD_MAX: usize = 20;

/// Prints it.
pub(super) fn print(report: &Report, file: Option<&Properties>, out: &mut Out) -> anyhow::Result<()> {
    let mut table = Table::new(&["TOPIC", ">PARTITIONS", ">SEGMENTS", ">SIZE", ">RECORDS"]);
    for topic in &report.topics {
        let records = if topic.batches > 0 { count(topic.records) } else { String::new() };
        let numbers = (topic.partitions as u64, topic.segments as u64);
        table.row([topic.name.clone(), count(numbers.0), count(numbers.1), bytes(topic.bytes), records]);
    }
    table.print(out)?;
    out.line("")?;
    // Of a rehearsal nothing is said as if it had been done.
    let (taken, cut, setting_left, left) = if report.dry_run {
        ("would be taken as it is", "would be cut", "setting that would stay behind", "would stay behind")
    } else {
        ("taken as it is", "cut", "setting left behind", "left behind")
    };
    told(out, taken, Refusal::lines(&report.incomplete).into_iter())?;
    let metadata = report.metadata_cut.iter().map(ToString::to_string).collect::<Vec<_>>();
    told(out, cut, metadata.into_iter())?;
    told(out, cut, report.cuts.iter().map(ToString::to_string))?;
    transactions(report, out)?;
    let settings = report.settings_left.iter();
    told(out, setting_left, settings.map(|left| format!("{} of {}: {}", left.name, left.owner, left.why)))?;
    told(out, left, report.left.iter().map(|left| format!("{}: {}", left.path.display(), left.why)))?;
    told(out, "cannot be compacted", report.uncleanable.iter().map(ToString::to_string))?;
    told(out, "note", report.notes.iter().cloned())?;
    let not = report.not_carried;
    let counted = [
        (not.acls, "ACL"),
        (not.scram_credentials, "SCRAM credential"),
        (not.quotas, "quota"),
        (not.delegation_tokens, "delegation token"),
    ];
    let counted: Vec<_> = counted
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| several(number as u64, what))
        .collect();
    if !counted.is_empty() {
        out.line(format_args!("not carried over: {}", counted.join(", ")))?;
    }
    summary(report, file, out)
}

/// Those that nobody had ended, and what the ones that are left open mean.
fn transactions(report: &Report, out: &mut Out) -> anyhow::Result<()> {
    let open = &report.open_transactions;
    let end =
        |open: &OpenTransaction| match open.outcome.filter(|_| report.dry_run && report.end_transactions) {
            Some(Outcome::Commit) => format!("{open}: it would be committed"),
            Some(Outcome::Abort) => format!("{open}: it would be aborted"),
            None => open.to_string(),
        };
    told(out, "open transaction", open.iter().map(end))?;
    let ends = |open: &&OpenTransaction| report.end_transactions && open.outcome.is_some();
    let stay = if report.dry_run { "would stay open" } else { "stay open" };
    let (left, more) = match (open.len() - open.iter().filter(ends).count(), report.end_transactions) {
        (0, _) => return Ok(()),
        (left, true) => (left, ""),
        (left, false) => (left, ", or import with --end-transactions"),
    };
    out.line(format_args!(
        "open transactions: {} {stay}. Readers with isolation.level=read_committed stop before them until the broker, once it serves \
         them, ends those that its coordinator knows, each when its transaction.timeout.ms is over{more}",
        count(left as u64)
    ))
}

fn told(out: &mut Out, what: &str, lines: impl ExactSizeIterator<Item = String>) -> anyhow::Result<()> {
    let more = lines.len().saturating_sub(TOLD_MAX);
    for line in lines.take(TOLD_MAX) {
        out.line(format_args!("{what}: {line}"))?;
    }
    if more > 0 {
        out.line(format_args!("{what}: {more} more; all with -o json"))?;
    }
    Ok(())
}

fn summary(report: &Report, file: Option<&Properties>, out: &mut Out) -> anyhow::Result<()> {
    let to = all(report);
    if report.dry_run {
        return out.line(format_args!(
            "nothing was written; the import would make {to}, led from epoch {} on, producer ids from {} on",
            report.leader_epoch, report.next_producer_id
        ));
    }
    let placed = report.placed;
    let ways =
        [(placed.copied, "copied"), (placed.reflinked, "shared as blocks"), (placed.linked, "hard-linked")];
    let ways: Vec<String> = ways
        .iter()
        .filter(|(size, _)| *size > 0)
        .map(|(size, way)| format!("{} {way}", bytes(*size)))
        .collect();
    let is = match (report.is_whole(), report.others.is_empty()) {
        (true, true) => "is whole",
        (true, false) => "are whole",
        (false, true) => "has what could be taken, without what is named above",
        (false, false) => "have what could be taken, without what is named above",
    };
    out.line(format_args!(
        "{to} {is}: {}",
        if ways.is_empty() { "no records".to_owned() } else { ways.join(", ") }
    ))?;
    out.line(format_args!("serve it: {}", command(report, file)))
}

/// What to type next, with the file that was read. A node id other than the default must be said.
fn command(report: &Report, file: Option<&Properties>) -> String {
    let config = file.map_or(String::new(), |file| format!("--config {} ", Pasted(&file.path)));
    let node = match report.node_id {
        known if file.and_then(Properties::node_id).unwrap_or(1) == known => String::new(),
        node => format!(" --set node.id={node}"),
    };
    let how = if report.others.is_empty() { "--data-dir " } else { "--set log.dirs=" };
    format!("pagewire serve {config}{how}{}{node}", Pasted(Path::new(&all(report))))
}

/// The new directories, as log.dirs lists them.
fn all(report: &Report) -> String {
    let all = std::iter::once(&report.to).chain(&report.others);
    all.map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(",")
}
