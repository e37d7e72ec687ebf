//! `cargo run -p pagewire-fuzz -- TARGET [--seconds N | --runs N] [--seed S]`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use pagewire_fuzz::runner::{Effort, fuzz};
use pagewire_fuzz::{TARGETS, find};

/// Feed a decoder bytes that reach new code in it, until it breaks a promise or the time is up.
#[derive(Debug, Parser)]
#[command(name = "pagewire-fuzz")]
struct Arguments {
    /// What to fuzz; without it, all targets are listed.
    target: Option<String>,
    /// Stop after so many seconds.
    #[arg(long, default_value_t = 60, conflicts_with = "runs")]
    seconds: u64,
    /// Stop after so many runs instead.
    #[arg(long)]
    runs: Option<u64>,
    /// Seed of the mutations; 0 takes a new one each time.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Run the target once over this file, without the engine: to look at what an engine found.
    #[arg(long, conflicts_with_all = ["seconds", "runs", "seed"])]
    file: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "the list of targets is this program's output")]
fn run(arguments: &Arguments) -> Result<bool> {
    let Some(name) = &arguments.target else {
        for target in TARGETS {
            println!("{:14} {}", target.name, target.promise);
        }
        return Ok(true);
    };
    let Some(target) = find(name) else {
        let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no target {name:?}; the targets are: {}", known.join(", "));
    };
    if let Some(path) = &arguments.file {
        (target.run)(&std::fs::read(path).with_context(|| path.display().to_string())?);
        return Ok(true);
    }
    let effort = arguments.runs.map_or(Effort::Seconds(arguments.seconds), Effort::Runs);
    fuzz(target, effort, arguments.seed)
}

fn main() -> Result<ExitCode> {
    Ok(if run(&Arguments::parse())? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
