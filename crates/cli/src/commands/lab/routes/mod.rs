//! `pagewire lab routes`.

mod cheapest;
mod detail;
mod overview;
mod show;

use pagewire_lab::measure::worker::Program;
use pagewire_lab::record::RouteCell;
use pagewire_lab::report::Records;
use pagewire_lab::routes::{self, Matrix};

use super::looking::Looking;
use super::{place, report};
use crate::args::lab::routes::RoutesArgs;
use crate::output::{Format, Out};

/// Runs it.
pub(crate) fn run(args: &RoutesArgs) -> anyhow::Result<()> {
    let dir = place::of(args.file_dir.as_deref())?;
    let mut looking = Looking::new()?;
    let cells = routes::run(&Program::this()?, &matrix(args), &dir, &mut looking)?;
    looking.clear();
    print(&cells, args)?;
    report::of_run(&args.report, || Records { routes: cells, ..Records::default() })?;
    looking.end()
}

fn print(cells: &[RouteCell], args: &RoutesArgs) -> anyhow::Result<()> {
    let mut out = Out::new();
    match args.output.format {
        Format::Json => cells.iter().try_for_each(|cell| out.json_line(cell))?,
        Format::Table => show::all(cells, args.detail, &mut out)?,
    }
    out.flush()
}

/// What was asked for: all of it, or the quick part, as far as nothing else was said.
fn matrix(args: &RoutesArgs) -> Matrix {
    let mut matrix = if args.quick { Matrix::quick() } else { Matrix::default() };
    replace(&mut matrix.ways, &args.route);
    replace(&mut matrix.sizes, &args.size);
    replace(&mut matrix.residencies, &args.residency);
    replace(&mut matrix.receivers, &args.receiver);
    replace(&mut matrix.links, &args.link);
    if let Some(rounds) = args.rounds {
        matrix.rounds = usize::try_from(rounds).unwrap_or(usize::MAX);
    }
    if let Some(mib) = args.mib {
        matrix.bytes_per_run = mib << 20;
    }
    if let Some(bytes) = args.header {
        matrix.header_bytes = bytes;
    }
    matrix
}

/// Each once, in the order in which they were said.
fn replace<T: Copy + PartialEq>(values: &mut Vec<T>, said: &[T]) {
    if !said.is_empty() {
        values.clear();
        for &value in said {
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pagewire_lab::record::{Link, Residency};

    use super::*;
    use crate::args::lab::{LabArgs, LabCommand};
    use crate::args::{Cli, Command};

    fn parsed(line: &[&str]) -> Matrix {
        let line = ["pagewire", "lab", "routes"].iter().chain(line);
        match Cli::parse_from(line).command {
            Some(Command::Lab(LabArgs { command: LabCommand::Routes(args) })) => matrix(&args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_option_restricts_its_dimension_and_no_other() {
        assert_eq!(parsed(&[]), Matrix::default());
        assert_eq!(parsed(&["--quick"]), Matrix::quick());
        let some =
            parsed(&["--size", "4KiB,4096,1MiB", "--residency", "cold", "--rounds", "7", "--mib", "2"]);
        assert_eq!((some.sizes.as_slice(), some.rounds), ([4096, 1 << 20].as_slice(), 7));
        assert_eq!(
            (some.residencies.as_slice(), some.bytes_per_run),
            ([Residency::Cold].as_slice(), 2 << 20)
        );
        assert_eq!(some.ways, Matrix::default().ways);
        let some = parsed(&["--quick", "--link", "veth", "--route", "auto,copy"]);
        assert_eq!((some.links.as_slice(), some.ways.len()), ([Link::Veth].as_slice(), 2));
        assert_eq!(some.sizes, Matrix::quick().sizes);
    }
}
