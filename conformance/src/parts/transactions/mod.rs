//! Transactions of real clients, killed and replaced at random, with the broker killed under them, and checked as
//! Jepsen does for Kafka.
//!
//! ```text
//!   plan.rs      what a seed says: scripts of clients, blows, when the broker dies
//!   client.rs    a process of a client (pagewire.Transactor, transactor.py), told each call by a line
//!   cast.rs      what clients share, and a process whose every call is in the ledger
//!   worker.rs    writers and transformers; reader.rs: consumers of committed records
//!   ledger.rs    calls and answers in their order; history.rs: what they come to
//!   state.rs     what the broker has in the end
//!   check/       what is wrong; pure
//!   round.rs     one seed from its beginning to its verdict
//! ```
//!
//! A seed says what clients do and where blows fall; how the steps of clients fall together is up to the machine. So
//! one that failed need not fail again. Its ledger is kept. Where no seed is asked for, it is another in every second.

mod cast;
mod check;
mod client;
mod history;
mod ledger;
mod model;
mod plan;
mod reader;
mod round;
mod state;
mod worker;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

use super::programs::Stage;
use super::{Cases, Context, seeds};
use crate::clients::python_with_clients;
use round::{Ground, live};

/// The part.
pub fn transactions(context: &Context<'_>, cases: &Cases<'_>) {
    let name = "each_transaction_is_whole_though_clients_and_the_broker_are_killed";
    match ground(context) {
        Ok(ground) => cases.run(name, || rounds(context, &ground)),
        Err(reason) => cases.skip(name, &format!("{reason:#}")),
    }
}

fn ground<'c>(context: &'c Context<'_>) -> Result<Ground<'c>> {
    Ok(Ground {
        stage: Stage::of(context)?,
        binary: &context.binary,
        python: python_with_clients(context.workspace, context.printer)?,
        script: context.workspace.sources("python").join("transactor.py"),
        logs: context.workspace.cache("logs")?,
    })
}

fn rounds(context: &Context<'_>, ground: &Ground<'_>) -> Result<()> {
    let (count, from) = seeds(1, SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let kafka = if context.on_kafka { " --on-kafka" } else { "" };
    let mut failures = Vec::new();
    for seed in from..from.saturating_add(count) {
        context.printer.note(&format!("again: cargo xtask transactions --seeds 1 --from {seed}{kafka}"));
        match live(ground, seed) {
            Ok(said) => context.printer.note(&format!("seed {seed}: {said}")),
            Err(error) => {
                context.printer.note(&format!("seed {seed} FAILED: {error:#}"));
                failures.push(format!("{error:#}"));
            }
        }
    }
    if let Some(first) = failures.first() {
        bail!("{} of {count} seeds failed; {first}", failures.len());
    }
    Ok(())
}
