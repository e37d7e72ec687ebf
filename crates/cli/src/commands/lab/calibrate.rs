//! `pagewire lab calibrate`.

use anyhow::Context;
use pagewire_broker::config::{THRESHOLDS_FILE, thresholds_in_use};
use pagewire_lab::calibrate::{self, Cost};
use pagewire_lab::measure::worker::Program;
use pagewire_lab::{machine, size};
use pagewire_zcopy::Thresholds;
use serde::Serialize;

use super::looking::Looking;
use super::place;
use crate::args::lab::calibrate::CalibrateArgs;
use crate::output::units::figure;
use crate::output::{Format, Out, Table};

/// What programs read.
#[derive(Serialize)]
struct Page<'p> {
    file: String,
    /// Steps as the file has them; none if the work was stopped before there were figures enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    thresholds: Option<String>,
    before: String,
    written: bool,
    costs: &'p [Cost],
}

/// Runs it.
pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<()> {
    let data_dir = args.data_dir.as_path();
    let beside = args.file_dir.as_deref().or_else(|| data_dir.is_dir().then_some(data_dir));
    let mut looking = Looking::new()?;
    let beside = place::of(beside)?;
    let machine = machine::here(&beside);
    let found = calibrate::run(&Program::this()?, &beside, &mut looking)?;
    looking.clear();
    let (before, _, _) = thresholds_in_use(None, data_dir);
    let to_write = found.thresholds.filter(|_| !args.print);
    if let Some(thresholds) = &to_write {
        calibrate::store(data_dir, THRESHOLDS_FILE, thresholds, &machine)
            .with_context(|| format!("{} cannot be written", data_dir.join(THRESHOLDS_FILE).display()))?;
    }
    let page = Page {
        file: data_dir.join(THRESHOLDS_FILE).display().to_string(),
        thresholds: found.thresholds.map(|thresholds| thresholds.to_string()),
        before: before.to_string(),
        written: to_write.is_some(),
        costs: &found.costs,
    };
    let mut out = Out::new();
    match args.output.format {
        Format::Json => out.json_line(&page)?,
        Format::Table => print(&page, found.thresholds.as_ref(), &before, &mut out)?,
    }
    out.flush()?;
    looking.end()
}

fn print(
    page: &Page<'_>,
    after: Option<&Thresholds>,
    before: &Thresholds,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut table = Table::new(&[">BYTES", "ROUTE", ">CPU us", ">MIN", ">MAX", "", ""]);
    let mut costs: Vec<&Cost> = page.costs.iter().collect();
    costs.sort_by_key(|cost| cost.bytes);
    for cost in costs {
        let goes = |thresholds: &Thresholds| thresholds.route_for(cost.bytes).name() == cost.route;
        let mark = |goes: bool, word: &str| if goes { word.to_owned() } else { " ".to_owned() };
        table.row([
            size::text(cost.bytes),
            cost.route.clone(),
            figure(cost.cpu_us.median),
            figure(cost.cpu_us.min),
            figure(cost.cpu_us.max),
            mark(goes(before), "before"),
            mark(after.is_some_and(goes), "now"),
        ]);
    }
    table.print(out)?;
    let line = |thresholds: &Thresholds| thresholds.to_string().trim_end().replace('\n', ", ");
    out.line(format_args!("\nbefore  {}", line(before)))?;
    let Some(after) = after else {
        return out.line("stopped before there were figures enough; nothing is changed");
    };
    let said = if page.written { "written to" } else { "not written (--print):" };
    out.line(format_args!("now     {}\n{said} {}", line(after), page.file))
}
