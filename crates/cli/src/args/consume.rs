//! `pagewire consume`.

use clap::{Args, ValueEnum};

use super::Connect;
use super::position::Position;

/// Options of `consume`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --follow it ends when it has read what was there when it began, or after -n records. With \
--follow it goes on until -n records, Ctrl-C, SIGTERM or SIGHUP. --from end follows by itself.

--format writes, for each record, the text with these replaced (as kcat does; no line end is added):
  %v %s  value              %k  key         %h  headers as name=value,...
  %o     offset             %p  partition   %t  topic
  %T     timestamp in ms    %D  timestamp as 2026-01-31T12:00:00Z
  %S     value size         %K  key size    (-1 is null)      %%  a percent sign
  \\n \\t \\r \\0 \\\\ \\xNN as usual

A member of a group begins where the group has committed, and at --from where it has not; the end is that of the moment \
in which it gets its partitions, which takes some seconds in a new group. What was printed is committed every few \
seconds and at the end, also where damaged records end it: those before them are committed.

With --isolation committed it says at the end where an open transaction holds back records.

Examples:
  pagewire consume orders
  pagewire consume orders --from end
  pagewire consume orders --from 2026-01-31T12:00:00Z -n 10
  pagewire consume orders --partition 0 --from -5
  pagewire consume orders --follow --format '%p/%o %D %k: %v\\n'
  pagewire consume orders --group billing --follow -o json | jq .value"
)]
pub(crate) struct ConsumeArgs {
    /// Topic to read
    pub(crate) topic: String,
    /// Where to begin: beginning, end, an offset, -N (N before the end), a time (RFC 3339, or ms)
    #[arg(
        short = 's',
        long,
        value_name = "POSITION",
        default_value = "beginning",
        allow_hyphen_values = true
    )]
    pub(crate) from: Position,
    /// Read only these partitions; may be given several times [default: all]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Vec<i32>,
    /// Read as a member of this group, sharing the partitions with its other members
    #[arg(short, long, value_name = "GROUP", conflicts_with = "partition")]
    pub(crate) group: Option<String>,
    /// As a member of a group, commit nothing
    #[arg(long, requires = "group")]
    pub(crate) no_commit: bool,
    /// End after so many records
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Go on with new records as they come
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// End at the end of what was there: the default
    #[arg(short, long, hide = true, conflicts_with = "follow")]
    pub(crate) exit_at_end: bool,
    /// What to print of a record [default: its value and a line end]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<String>,
    /// Which records of transactions to show
    #[arg(long, value_enum, default_value = "uncommitted", value_name = "LEVEL")]
    pub(crate) isolation: Isolation,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// Which records of transactions to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Isolation {
    /// All, as they come
    #[value(alias = "read_uncommitted")]
    Uncommitted,
    /// Only those whose transaction was committed
    #[value(alias = "read_committed")]
    Committed,
}
