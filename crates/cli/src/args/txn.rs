//! `pagewire txn`.

use std::time::Duration;

use clap::{Args, Subcommand};
use pagewire_coordinate::txn::TxnState;

use super::Connect;
use super::group::TopicPartitions;

/// Options of `txn`.
#[derive(Debug, Args)]
#[command(
    after_help = "A transaction that hangs is one that is open in a partition and that no coordinator will end: \
readers of committed records stop there, and compaction too. `find-hanging` finds it, `abort` ends it.

Examples:
  pagewire txn list --state Ongoing
  pagewire txn describe billing-1
  pagewire txn find-hanging
  pagewire txn abort orders:0 --start-offset 1234"
)]
pub(crate) struct TxnArgs {
    /// What to do with transactions.
    #[command(subcommand)]
    pub(crate) command: TxnCommand,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// Commands about transactions.
#[derive(Debug, Subcommand)]
pub(crate) enum TxnCommand {
    /// List transactional ids and their states
    List(ListArgs),
    /// Show transactional ids: state, producer, partitions that take part
    Describe(DescribeArgs),
    /// Show what partitions remember of producers, and the transactions open there
    Producers(ProducersArgs),
    /// Find transactions that no coordinator will end
    FindHanging(FindHangingArgs),
    /// End a transaction in one partition by an ABORT marker
    Abort(AbortArgs),
}

/// Options of `txn list`.
#[derive(Debug, Args)]
#[command(
    after_help = "States: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, PrepareEpochFence, Dead.

Examples:
  pagewire txn list
  pagewire txn list --state Ongoing --longer-than 60
  pagewire txn list --pattern 'billing-.*' -o json"
)]
pub(crate) struct ListArgs {
    /// Only those in one of these states
    #[arg(long, value_name = "STATE,...", value_delimiter = ',', value_parser = state)]
    pub(crate) state: Vec<String>,
    /// Only those of these producers
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    pub(crate) producer_id: Vec<i64>,
    /// Only those whose transaction is open for longer
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) longer_than: Option<Duration>,
    /// Only those whose whole name looks so, as a regular expression
    #[arg(long, value_name = "REGEX")]
    pub(crate) pattern: Option<String>,
}

/// Options of `txn describe`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire txn describe billing-1
  pagewire txn describe billing-1 billing-2 -o json")]
pub(crate) struct DescribeArgs {
    /// Transactional ids
    #[arg(required = true, value_name = "TRANSACTIONAL_ID")]
    pub(crate) ids: Vec<String>,
}

/// Options of `txn producers`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire txn producers orders
  pagewire txn producers orders:0,1 --open")]
pub(crate) struct ProducersArgs {
    /// Topics, or some of their partitions
    #[arg(required = true, value_name = "TOPIC[:N,...]")]
    pub(crate) topics: Vec<TopicPartitions>,
    /// Only those with an open transaction
    #[arg(long)]
    pub(crate) open: bool,
}

/// Options of `txn find-hanging`.
#[derive(Debug, Args)]
#[command(
    after_help = "What is younger than --longer-than is left out: its coordinator will end it when it times out. \
The exit code is 0 whether or not some are found.

Examples:
  pagewire txn find-hanging
  pagewire txn find-hanging --topic orders --longer-than 60
  pagewire txn find-hanging -o json | jq length"
)]
pub(crate) struct FindHangingArgs {
    /// Only in this topic, or some of its partitions; may be given several times [default: all topics]
    #[arg(short, long, value_name = "TOPIC[:N,...]")]
    pub(crate) topic: Vec<TopicPartitions>,
    /// Seconds since the last record of a transaction; the default is Kafka's transaction.max.timeout.ms
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "900")]
    pub(crate) longer_than: Duration,
}

/// Options of `txn abort`.
#[derive(Debug, Args)]
#[command(
    after_help = "The producer of an offset is looked up. One that writes still is not stopped by this: end it first.

Examples:
  pagewire txn abort orders:0 --start-offset 1234
  pagewire txn abort orders:0 --producer-id 7 --producer-epoch 0 --coordinator-epoch 3"
)]
pub(crate) struct AbortArgs {
    /// The partition
    #[arg(value_name = "TOPIC:N", value_parser = one_partition)]
    pub(crate) place: (String, i32),
    /// First offset of the transaction
    #[arg(
        long,
        value_name = "OFFSET",
        required_unless_present = "producer_id",
        conflicts_with = "producer_id"
    )]
    pub(crate) start_offset: Option<i64>,
    /// Its producer
    #[arg(long, value_name = "ID", requires_all = ["producer_epoch", "coordinator_epoch"])]
    pub(crate) producer_id: Option<i64>,
    /// Its producer's epoch
    #[arg(long, value_name = "N", requires = "producer_id")]
    pub(crate) producer_epoch: Option<i16>,
    /// Epoch of the coordinator in whose name it is ended, at least that of the last marker
    #[arg(long, value_name = "N", requires = "producer_id")]
    pub(crate) coordinator_epoch: Option<i32>,
}

fn state(text: &str) -> Result<String, String> {
    let names: Vec<&str> = (0..=i8::MAX).map_while(TxnState::of).map(TxnState::name).collect();
    super::one_of(&names, text)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a number of seconds that can be waited".to_owned())
}

fn one_partition(text: &str) -> Result<(String, i32), String> {
    let named: TopicPartitions = text.parse()?;
    match named.partitions.as_deref() {
        Some([partition]) => Ok((named.topic, *partition)),
        _ => Err("write one partition, TOPIC:0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_aborted_in_one_partition() {
        assert_eq!(one_partition("orders:3"), Ok(("orders".to_owned(), 3)));
        for bad in ["orders", "orders:", "orders:0,1", ":0", "orders:-1"] {
            assert!(one_partition(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_may_be_none_and_never_negative() {
        assert_eq!(seconds("0"), Ok(Duration::ZERO));
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["-1", "x", "nan", "inf", "1e300"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
