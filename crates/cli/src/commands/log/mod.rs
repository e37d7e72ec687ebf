//! `pagewire log`: the files, without a broker.

mod check;
mod dump;

use crate::args::log::{LogArgs, LogCommand};

/// Does what the command line says.
pub(crate) fn run(args: &LogArgs) -> anyhow::Result<()> {
    match &args.command {
        LogCommand::Check(check) => check::run(check, args.output.format),
        LogCommand::Dump(dump) => dump::run(dump, args.output.format),
    }
}
