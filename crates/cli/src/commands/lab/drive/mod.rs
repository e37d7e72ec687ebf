//! `pagewire lab drive`: progress and notes on standard error, results on standard output case by case.

mod table;

use anyhow::Result;
use pagewire_lab::drive::client::Stop;
use pagewire_lab::drive::{Event, run as drive, was_stopped};
use pagewire_lab::record::DriveCell;
use tokio::runtime::Runtime;

use crate::Stopped;
use crate::args::lab::drive::DriveArgs;
use crate::commands::stop;
use crate::output::progress::Progress;
use crate::output::{Format, Out};

/// Runs it.
pub(crate) fn run(args: &DriveArgs) -> Result<()> {
    let plan = args.plan();
    let (stop, _signals) = stop_on_signal()?;
    let mut told = Told {
        format: args.output,
        stop: stop.clone(),
        progress: Progress::new(false, None),
        out: Out::new(),
        cells: Vec::new(),
        printed: Ok(()),
    };
    let ended = drive(&plan, &stop, &mut |event| told.hear(event));
    told.progress.clear();
    // Nobody reads any more: that was why it stopped.
    told.printed?;
    match ended {
        Err(error) if was_stopped(&error) => Err(Stopped.into()),
        ended => ended,
    }
}

/// A flag that the first Ctrl-C, SIGTERM or SIGHUP sets, and what waits for them.
fn stop_on_signal() -> Result<(Stop, Runtime)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let stop = Stop::default();
    let token = runtime.block_on(async { stop::on_signal() })?;
    let flag = stop.clone();
    runtime.spawn(async move {
        token.cancelled().await;
        flag.set();
    });
    Ok((stop, runtime))
}

/// What the run has told so far.
struct Told {
    format: Format,
    stop: Stop,
    progress: Progress,
    out: Out,
    /// Every cell of the run, for whoever wants all of them at the end.
    cells: Vec<DriveCell>,
    printed: Result<()>,
}

impl Told {
    fn hear(&mut self, event: Event<'_>) {
        match event {
            Event::Step { what, done, total } => {
                if done == 0 {
                    self.progress = Progress::steps(total as u64);
                }
                self.progress.set(done as u64, what);
            }
            Event::Note(note) => self.progress.note(&format!("note: {note}")),
            Event::Cells(cells) => {
                self.cells.extend_from_slice(cells);
                let printed = self.progress.aside(|| print(&mut self.out, self.format, cells));
                if let Err(error) = printed {
                    self.printed = Err(error);
                    self.stop.set();
                }
            }
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
