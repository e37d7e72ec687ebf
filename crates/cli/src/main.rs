//! The one binary: a broker, and a client for it and for any other Kafka broker.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but what was worked on has damaged records, 130 stopped by
//! Ctrl-C after printing what there was. A reader of standard output that goes away is not a failure.

mod args;
mod client;
mod commands;
mod output;

use std::process::ExitCode;

use clap::Parser;

use crate::output::{ClosedPipe, complain};

/// The command line makes no sense, in a way that shows only after parsing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// All was done, and some of what it was done to is damaged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Damaged(String);

/// Ctrl-C, SIGTERM or SIGHUP ended the work early; what there was has been printed.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

/// For whoever runs it at night: the work is done, somebody should look all the same.
const DAMAGED: u8 = 3;

/// What shells report for a program that Ctrl-C ended.
const STOPPED: u8 = 130;

/// An error and its causes, those left out whose words were said already.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ClosedPipe>() => ExitCode::SUCCESS,
        Err(error) if error.is::<Stopped>() => ExitCode::from(STOPPED),
        Err(error) => {
            complain(format_args!("error: {}", told(&error)));
            ExitCode::from(match error {
                _ if error.is::<Usage>() => 2,
                _ if error.is::<Damaged>() => DAMAGED,
                _ => 1,
            })
        }
    }
}
