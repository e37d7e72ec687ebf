//! `pagewire lab drive`: progress and notes on standard error, results on standard output case by case.

mod table;

use anyhow::Result;
use pagewire_lab::drive::client::Stop;
use pagewire_lab::drive::{Audience, run as drive, was_stopped};
use pagewire_lab::record::DriveCell;
use pagewire_lab::report::Records;
use pagewire_lab::watch::Watch;

use super::looking::Looking;
use super::report;
use crate::Stopped;
use crate::args::lab::drive::DriveArgs;
use crate::output::{Format, Out};

/// Runs it.
pub(crate) fn run(args: &DriveArgs) -> Result<()> {
    let plan = args.plan();
    let looking = Looking::new()?;
    let stop = looking.flag();
    let mut told = Told {
        format: args.output.format,
        stop: stop.clone(),
        looking,
        out: Out::new(),
        cells: Vec::new(),
        printed: Ok(()),
    };
    let ended = drive(&plan, &stop, &mut told);
    told.looking.clear();
    report::of_run(&args.report, || Records { drive: told.cells, ..Records::default() })?;
    // Nobody reads any more: that was why it stopped.
    told.printed?;
    match ended {
        Err(error) if was_stopped(&error) => Err(Stopped.into()),
        ended => ended,
    }
}

/// What the run has told so far.
struct Told {
    format: Format,
    stop: Stop,
    looking: Looking,
    out: Out,
    /// Every cell of the run, for the report at its end.
    cells: Vec<DriveCell>,
    printed: Result<()>,
}

impl Watch for Told {
    fn begin(&mut self, steps: u64) {
        self.looking.begin(steps);
    }

    fn step(&mut self, what: &str) {
        self.looking.step(what);
    }

    fn skip(&mut self, steps: u64) {
        self.looking.skip(steps);
    }

    fn note(&mut self, line: &str) {
        self.looking.note(line);
    }

    fn is_stopped(&self) -> bool {
        self.looking.is_stopped()
    }
}

impl Audience for Told {
    fn take(&mut self, cells: &[DriveCell]) {
        self.cells.extend_from_slice(cells);
        let printed = self.looking.aside(|| print(&mut self.out, self.format, cells));
        if let Err(error) = printed {
            self.printed = Err(error);
            self.stop.set();
        }
    }
}

fn print(out: &mut Out, format: Format, cells: &[DriveCell]) -> Result<()> {
    match format {
        Format::Json => cells.iter().try_for_each(|cell| out.json_line(cell))?,
        Format::Table => table::print(out, cells)?,
    }
    out.flush()
}
