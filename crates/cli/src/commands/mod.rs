//! The commands, one file or folder each.

mod backup;
mod cluster;
mod completions;
mod config;
mod consume;
mod docs;
mod doctor;
mod done;
mod failures;
mod group;
mod import;
mod lab;
mod log;
mod man;
mod pages;
mod pasted;
mod positions;
mod produce;
mod restore;
mod serve;
mod stop;
mod topic;
mod txn;
mod unanswered;

use std::future::Future;

use crate::args::{Cli, Command, Connect};
use crate::client::Client;

/// Does what the command line says.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Topic(args)) => as_client(topic::run(args)),
        Some(Command::Produce(args)) => as_client(produce::run(args)),
        Some(Command::Consume(args)) => as_client(consume::run(args)),
        Some(Command::Group(args)) => as_client(group::run(args)),
        Some(Command::Config(args)) => as_client(config::run(args)),
        Some(Command::Txn(args)) => as_client(txn::run(args)),
        Some(Command::Cluster(args)) => as_client(cluster::run(args)),
        Some(Command::Log(args)) => as_client(log::run(args)),
        Some(Command::Import(args)) => as_client(import::run(args)),
        Some(Command::Backup(args)) => as_client(backup::run(args)),
        Some(Command::Restore(args)) => as_client(restore::run(args)),
        Some(Command::Doctor(args)) => doctor::run(&args),
        Some(Command::Lab(args)) => lab::run(&args),
        Some(Command::LabWorker) => pagewire_lab::measure::worker::work(),
        Some(Command::Completions(args)) => completions::run(&args),
        Some(Command::Man(args)) => man::run(&args),
        Some(Command::Docs(args)) => docs::run(&args),
    }
}

/// Runs a client command. The command itself stays on this thread, which may wait for whoever reads its output;
/// fetching, sending and heartbeats go on meanwhile on threads of their own.
fn as_client(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(command);
    // Whatever still waits (a lookup, standard input) is of no use any more.
    runtime.shutdown_background();
    result
}

/// A client of the cluster that the options name.
async fn connect(options: &Connect) -> anyhow::Result<Client> {
    Ok(Client::connect(options.bootstrap_server.clone(), options.timeout).await?)
}
