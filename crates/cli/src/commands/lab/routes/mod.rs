//! `pagewire lab routes`.

mod detail;
mod links;
mod overview;
mod setting;
mod show;

use pagewire_lab::measure::worker::Program;
use pagewire_lab::record::RouteCell;
use pagewire_lab::report::Records;
use pagewire_lab::routes::{self, Amount, Matrix};

use super::looking::Looking;
use super::{place, report};
use crate::args::lab::routes::RoutesArgs;
use crate::output::{Format, Out};

/// Runs it.
pub(crate) fn run(args: &RoutesArgs) -> anyhow::Result<()> {
    let dir = place::of(args.file_dir.as_deref())?;
    let mut looking = Looking::new()?;
    let matrix = matrix(args);
    let rounds = matrix.rounds;
    let cells = routes::run(&Program::this()?, &matrix, &dir, &mut looking)?;
    looking.clear();
    print(&cells, args)?;
    let least = cells.iter().map(|cell| cell.rounds).min();
    let printed = least.map_or_else(
        || "not one round that counts was done yet".to_owned(),
        |least| format!("the figures are those of {least} of {rounds} rounds"),
    );
    report::of_run(&args.report, || Records { routes: cells, ..Records::default() })?;
    looking.end_with(&printed)
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
        matrix.amount = Amount::Bytes(mib << 20);
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
    use clap::{CommandFactory, Parser};
    use pagewire_lab::measure::way::Way;
    use pagewire_lab::record::{Link, Residency};
    use pagewire_lab::size;

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
            (some.residencies.as_slice(), some.amount),
            ([Residency::Cold].as_slice(), Amount::Bytes(2 << 20))
        );
        assert_eq!(some.ways, Matrix::default().ways);
        let some = parsed(&["--quick", "--link", "veth", "--route", "auto,copy"]);
        assert_eq!((some.links.as_slice(), some.ways.len()), ([Link::Veth].as_slice(), 2));
        assert_eq!(some.sizes, Matrix::quick().sizes);
    }
    /// What the help says of an option's default, all and quick.
    fn defaults(option: &str) -> (String, String) {
        let mut routes = Cli::command();
        let lab = routes.find_subcommand_mut("lab").unwrap().find_subcommand_mut("routes").unwrap();
        let arg = lab.get_arguments().find(|arg| arg.get_long() == Some(option)).unwrap();
        let help = arg.get_help().unwrap().to_string();
        let said = help.rsplit_once("[default: ").unwrap().1.trim_end_matches(']').to_owned();
        let (all, quick) = said.split_once("; quick: ").unwrap_or((&said, &said));
        (all.to_owned(), quick.to_owned())
    }

    fn both(said: impl Fn(&Matrix) -> String) -> (String, String) {
        (said(&Matrix::default()), said(&Matrix::quick()))
    }

    #[test]
    fn the_help_says_what_is_measured_all_and_quick() {
        let names = |names: Vec<&str>, every: usize| {
            let count = names.len();
            match count {
                1 => names[0].to_owned(),
                2 if every == 2 => "both".to_owned(),
                _ if count == every => "all".to_owned(),
                _ => names.join(","),
            }
        };
        assert_eq!(defaults("route"), both(|matrix| names(vec![""; matrix.ways.len()], Way::all().len())));
        assert_eq!(
            defaults("residency"),
            both(|matrix| {
                names(matrix.residencies.iter().map(|where_from| where_from.name()).collect(), 2)
            })
        );
        assert_eq!(
            defaults("receiver"),
            both(|matrix| { names(matrix.receivers.iter().map(|peer| peer.name()).collect(), 2) })
        );
        assert_eq!(
            defaults("link"),
            both(|matrix| names(matrix.links.iter().map(|link| link.name()).collect(), 3))
        );
        assert_eq!(defaults("rounds"), both(|matrix| matrix.rounds.to_string()));
        assert_eq!(defaults("header"), both(|matrix| matrix.header_bytes.to_string()));
        assert_eq!(
            defaults("size"),
            both(|matrix| {
                let text = |bytes: Option<&u64>| size::text(*bytes.unwrap()).replace(' ', "");
                let (first, last) = (text(matrix.sizes.iter().min()), text(matrix.sizes.iter().max()));
                format!("{} from {first} to {last}", matrix.sizes.len())
            })
        );
    }
}
