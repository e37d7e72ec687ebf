//! `pagewire log`: the files, without a broker but for `online`.

mod away;
mod check;
mod dump;
mod folded;
mod named;
mod online;
mod special;
mod telling;
mod topics;
mod whose;

use crate::args::log::{LogArgs, LogCommand};

/// Does what the command line says.
pub(crate) async fn run(args: LogArgs) -> anyhow::Result<()> {
    match args.command {
        LogCommand::Check(check) => check::run(&check, args.output.format).await,
        LogCommand::Dump(dump) => dump::run(&dump, args.output.format),
        LogCommand::Online(online) => online::run(online, args.output.format).await,
    }
}
