//! `pagewire import`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use crate::args::OutputAs;

/// Options of `import`.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("how").multiple(false),
    after_help = "Takes the directories of a stopped Apache Kafka (3.9 to 4.3, KRaft) and makes a new one of them: topics with their ids, \
partitions and settings, records byte for byte, committed offsets, producer ids. Kafka's directories are only read, and \
are as they were afterwards; nothing but a whole new directory is left behind. The settings of server.properties are \
read by serve itself (--config); users, permissions and quotas stay behind and are counted.

How records get there: blocks are shared (reflinks) where the file system can, else they are copied. --link makes hard \
links of segments that nobody writes to any more: it takes no space and no time, and needs both directories on one file \
system; do not let that Kafka join a cluster again, it could cut those files.

A transaction that nobody had ended keeps readers of committed records (isolation.level=read_committed) before it. It is named; \
--end-transactions ends it in the new directory, as Kafka had decided, or by aborting it.

Exit code: 0, or 1 when something cannot be taken over: it says what, and what to do. A log that is damaged, or shorter than \
Kafka knew it, is such a thing; with --accept-damage it is taken up to there, and what is lost is told.

Examples:
  pagewire import --from /var/lib/kafka --to /var/lib/pagewire --dry-run
  pagewire import --from /var/lib/kafka --to /var/lib/pagewire
  pagewire import --config /etc/kafka/server.properties --to /var/lib/pagewire
  pagewire import --from /disk1/kafka --from /disk2/kafka --to /disk1/pagewire --to /disk2/pagewire --exclude old-logs
  pagewire serve --data-dir /var/lib/pagewire --config server.properties"
)]
pub(crate) struct ImportArgs {
    /// A directory of Kafka's: once for each in its log.dirs, and its metadata.log.dir
    #[arg(long, value_name = "DIR", required_unless_present = "config")]
    pub(crate) from: Vec<PathBuf>,
    /// Kafka's server.properties, which names those directories; once for each broker
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// The new data directory: not there yet, or empty. Several: partitions are spread over them, the metadata is in
    /// the first
    #[arg(long, value_name = "DATA_DIR", required = true)]
    pub(crate) to: Vec<PathBuf>,
    /// Copy, also where blocks could be shared
    #[arg(long, group = "how")]
    pub(crate) copy: bool,
    /// Share blocks, or fail
    #[arg(long, group = "how")]
    pub(crate) reflink: bool,
    /// Hard links of closed segments
    #[arg(long, group = "how")]
    pub(crate) link: bool,
    /// How much is looked at first
    #[arg(long, value_enum, default_value = "deep", value_name = "DEPTH")]
    pub(crate) verify: Verify,
    /// Only these topics (name __consumer_offsets as well if groups shall go on)
    #[arg(long, value_name = "TOPIC,..", value_delimiter = ',')]
    pub(crate) topics: Vec<String>,
    /// Leave these topics out: names, separated by commas
    #[arg(long, value_name = "TOPIC,..", value_delimiter = ',')]
    pub(crate) exclude: Vec<String>,
    /// Take what is here of partitions that another broker has more of
    #[arg(long)]
    pub(crate) allow_missing: bool,
    /// Take damaged logs up to the damage: what is lost is told
    #[arg(long)]
    pub(crate) accept_damage: bool,
    /// End transactions that nobody had ended: committed where Kafka had decided so, else aborted
    #[arg(long)]
    pub(crate) end_transactions: bool,
    /// Look at everything, write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}

/// How much is looked at before it is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verify {
    /// Every batch, its checksum and every record in it
    Deep,
    /// The header of every batch
    Headers,
    /// The first header of every segment
    None,
}
