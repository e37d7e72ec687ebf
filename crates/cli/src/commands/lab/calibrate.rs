//! `pagewire lab calibrate`.

use anyhow::Context;
use pagewire_broker::config::{THRESHOLDS_FILE, ThresholdsOrigin, thresholds_in_use};
use pagewire_lab::calibrate::{self, Calibration, Cost};
use pagewire_lab::measure::worker::Program;
use pagewire_lab::{machine, size};
use pagewire_zcopy::Thresholds;
use serde::Serialize;

use super::looking::Looking;
use super::place;
use crate::args::lab::calibrate::CalibrateArgs;
use crate::args::serve::ServeArgs;
use crate::commands::serve::settings;
use crate::output::units::figure;
use crate::output::{Format, Out, Table, complain};

/// The setting that wins over what is measured.
const SETTING: &str = "pagewire.transfer.thresholds";

/// What programs read.
#[derive(Serialize)]
struct Page<'p> {
    file: String,
    /// Steps as the file has them; none if the work was stopped before there were figures enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    thresholds: Option<String>,
    /// Steps that were in force.
    before: String,
    /// Where those came from: `setting`, `measured`, `default`.
    before_from: &'static str,
    /// Whether `serve` goes by the setting all the same.
    overridden: bool,
    written: bool,
    costs: &'p [Cost],
}

/// Runs it.
pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<()> {
    // As `serve` finds them, so that what is called in force is.
    let serve =
        ServeArgs { config: args.config.clone(), data_dir: args.data_dir.clone(), ..ServeArgs::default() };
    let (config, _) = settings::load(&serve)?;
    let data_dir = config.data_dir();
    let beside = args.file_dir.as_deref().or_else(|| data_dir.is_dir().then_some(data_dir));
    let mut looking = Looking::new()?;
    let beside = place::of(beside)?;
    let machine = machine::here(&beside);
    let rounds = args.rounds.and_then(|rounds| usize::try_from(rounds).ok()).unwrap_or(calibrate::ROUNDS);
    let found = calibrate::run(&Program::this()?, &beside, rounds, &mut looking)?;
    looking.clear();
    let (before, origin, problem) = thresholds_in_use(config.transfer_thresholds, data_dir);
    if let Some(problem) = problem {
        complain(format_args!("note: the old file is not used: {problem}"));
    }
    let to_write = found.thresholds.filter(|_| !args.print);
    if let Some(thresholds) = &to_write {
        calibrate::store(data_dir, THRESHOLDS_FILE, thresholds, &machine)
            .with_context(|| format!("{} cannot be written", data_dir.join(THRESHOLDS_FILE).display()))?;
    }
    let page = Page {
        file: data_dir.join(THRESHOLDS_FILE).display().to_string(),
        thresholds: found.thresholds.map(|thresholds| thresholds.to_string()),
        before: before.to_string(),
        before_from: from(origin),
        overridden: origin == ThresholdsOrigin::Setting,
        written: to_write.is_some(),
        costs: &found.costs,
    };
    let mut out = Out::new();
    match args.output.format {
        Format::Json => out.json_line(&page)?,
        Format::Table => print(&page, &found, &before, &mut out)?,
    }
    out.flush()?;
    looking.end()
}

fn from(origin: ThresholdsOrigin) -> &'static str {
    match origin {
        ThresholdsOrigin::Setting => "setting",
        ThresholdsOrigin::Measured => "measured",
        ThresholdsOrigin::Default => "default",
    }
}

fn print(page: &Page<'_>, found: &Calibration, before: &Thresholds, out: &mut Out) -> anyhow::Result<()> {
    let after = found.thresholds.as_ref();
    table(page.costs, before, after).print(out)?;
    let line = |thresholds: &Thresholds| thresholds.to_string().trim_end().replace('\n', ", ");
    let from = match page.before_from {
        "setting" => format!("the setting {SETTING}"),
        "measured" => "measured before".to_owned(),
        other => other.to_owned(),
    };
    out.line(format_args!("\nbefore  {} ({from})", line(before)))?;
    let Some(after) = after else {
        return out.line("stopped before there were figures enough; nothing is changed");
    };
    let said = if page.written { "written to" } else { "not written (--print):" };
    out.line(format_args!("now     {}\n{said} {}", line(after), page.file))?;
    if page.overridden {
        out.line(format_args!("the setting {SETTING} wins over that file: `serve` goes by it as before"))?;
    }
    Ok(())
}

/// Costs by length, and which route goes before and now.
fn table(costs: &[Cost], before: &Thresholds, after: Option<&Thresholds>) -> Table {
    let mut table = Table::new(&[">BYTES", "ROUTE", ">CPU us", ">MIN", ">MAX", ">x DEFAULT", "", ""]);
    let mut costs: Vec<&Cost> = costs.iter().collect();
    costs.sort_by(|one, other| (one.bytes, &one.route).cmp(&(other.bytes, &other.route)));
    for cost in costs {
        let goes = |thresholds: &Thresholds| thresholds.route_for(cost.bytes).name() == cost.route;
        let mark = |goes: bool, word: &str| if goes { word.to_owned() } else { " ".to_owned() };
        table.row([
            size::text(cost.bytes),
            cost.route.clone(),
            figure(cost.cpu_us.median),
            figure(cost.cpu_us.min),
            figure(cost.cpu_us.max),
            cost.x_default.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            mark(goes(before), "before"),
            mark(after.is_some_and(goes), "now"),
        ]);
    }
    table
}
