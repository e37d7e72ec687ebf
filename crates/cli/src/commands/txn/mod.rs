//! `pagewire txn`, one file per sub-command.

mod abort;
mod describe;
mod find_hanging;
mod list;
mod producers;

use crate::args::txn::{TxnArgs, TxnCommand};
use crate::output::Out;

/// Does what is asked.
pub(crate) async fn run(args: TxnArgs) -> anyhow::Result<()> {
    let mut client = super::connect(&args.connect).await?;
    let (connect, mut out) = (&args.connect, Out::new());
    let format = connect.output.format;
    let result = match &args.command {
        TxnCommand::List(args) => list::run(&mut client, args, connect, &mut out).await,
        TxnCommand::Describe(args) => describe::run(&mut client, args, connect, &mut out).await,
        TxnCommand::Producers(args) => producers::run(&mut client, args, format, &mut out).await,
        TxnCommand::FindHanging(args) => find_hanging::run(&mut client, args, connect, &mut out).await,
        TxnCommand::Abort(args) => abort::run(&mut client, args, connect, &mut out).await,
    };
    out.flush()?;
    result
}
