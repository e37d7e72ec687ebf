//! The project's own tasks: `cargo xtask test`, `cargo xtask docs`.
//!
//! `test` is the one gate: what a person runs before a commit and what continuous integration runs are the same parts,
//! in the table of `parts.rs`.
#![allow(clippy::print_stdout, reason = "a command-line tool that nobody pipes into `head`")]

mod bench;
mod crash;
mod damage;
mod docs;
mod layers;
mod parts;
mod report;
mod run;
mod seeded;
mod zcopy;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Tasks of the Pagewire repository.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run everything, or the named parts: lints, docs, unit tests, real clients, crash tests.
    Test {
        /// Parts to run; all of them if none is named.
        parts: Vec<String>,
        /// Show the parts and what they need.
        #[arg(long)]
        list: bool,
    },
    /// Write the pages that are made from the project's own tables (docs/settings.md, apis.md, compatibility.md).
    Docs {
        /// Only say whether the committed pages are up to date.
        #[arg(long)]
        check: bool,
    },
    /// Check that crates import only what lies below them.
    Layers,
    /// Live through seeded crashes of the log, with a summary of what they covered; exits 1 with the seeds that failed.
    Crash {
        /// How many seeds.
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Damage a small file of each kind in every bit and cut it to every length; minutes.
    Damage,
    /// Live through seeded rounds of transactions of real clients, kills among them; says of each what happened, exits 1 when one
    /// failed.
    Transactions {
        /// How many seeds.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// On a node of Apache Kafka in our broker's place.
        #[arg(long)]
        on_kafka: bool,
    },
    /// Send sequences of requests that seeds put together to this broker and to Apache Kafka; says where their answers differ, exits 1
    /// when they do.
    Sequences {
        /// How many of each file.
        #[arg(long, default_value_t = 200)]
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// Files of conformance/compare/sequences, without .txt; all if none is named.
        files: Vec<String>,
    },
    /// Measure this broker beside a bare loop, Apache Kafka and others: see `cargo xtask bench --help`.
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Show where the broker's time goes in a case of the bench, or the floor's: a flame graph, functions, system calls; see `cargo
    /// xtask profile --help`.
    #[command(disable_help_flag = true)]
    Profile {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let root = root()?;
    match Cli::parse().task {
        Task::Test { list: true, .. } => {
            parts::list();
            Ok(true)
        }
        Task::Test { parts, list: false } => parts::test(&root, &parts),
        Task::Docs { check } => docs::pages(&root, check),
        Task::Layers => layers::check(&root),
        Task::Crash { seeds, from } => crash::run(&root, seeds, from),
        Task::Damage => damage::run(&root),
        Task::Transactions { seeds, from, on_kafka } => seeded::transactions(&root, seeds, from, on_kafka),
        Task::Sequences { seeds, from, files } => seeded::sequences(&root, seeds, from, &files),
        Task::Bench { arguments } => bench::run(&root, &arguments),
        Task::Profile { arguments } => bench::profile(&root, &arguments),
    }
}

/// The repository: the folder above this crate.
fn root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).context("the crate has no parent folder")
}
