//! `pagewire log`: looking at the files themselves, with or without a broker beside.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputAs;

/// Options of `log`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire log check pagewire-data                          is every file of it whole?
  pagewire log dump pagewire-data/orders-0/*.log            the batches of a log")]
pub(crate) struct LogArgs {
    /// What to do with the files.
    #[command(subcommand)]
    pub(crate) command: LogCommand,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}

/// Commands about files.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Read every byte and say what is not right
    Check(CheckArgs),
}

/// Options of `log check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every batch is read and its checksum compared, offsets must rise, and each derived file (indexes, producer \
snapshots, leader epochs, checkpoints) must agree with the log. Nothing is changed and no lock is taken, so it may run beside a \
serving broker; what that broker is writing just then is not taken for damage. Data of Kafka is checked as well.

Each finding says what becomes of it: derived files are rebuilt from the log by the next start, a torn end is cut off, and \
records that are damaged in the middle of a log are answered with an error while what lies around them is served.

  damage   bytes that cannot be right
  doubt    may be right, or is put right without a loss: a missing index, offsets that compaction may have taken
  note     nothing is wrong: leftovers, files that are no log's

Exit code: 0, or 1 when there is damage.

Examples:
  pagewire log check pagewire-data                a log directory
  pagewire log check pagewire-data/orders-0       one partition
  pagewire log check --deep /var/lib/kafka/data   decompress every batch and read every record too
  pagewire log check data -o json | jq 'select(.severity == \"damage\")'"
)]
pub(crate) struct CheckArgs {
    /// Log directories, partitions' directories, or single files
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Decompress every batch and read every record
    #[arg(long)]
    pub(crate) deep: bool,
    /// Print no notes
    #[arg(short, long)]
    pub(crate) quiet: bool,
}
