//! `pagewire log`: looking at the files themselves, with or without a broker beside.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputAs;
use super::decoder::{BytesAs, Decoder};

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
    /// Print what is in them, as Kafka's DumpLogSegments does
    Dump(DumpArgs),
    /// Have a serving broker open a log directory that it could not read, or that takes no writes any more
    Online(OnlineArgs),
}

/// Options of `log check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Every batch is read and its checksum compared, offsets must rise, and each derived file (indexes, producer \
snapshots, leader epochs, checkpoints) must agree with the log. Nothing is changed and no lock is taken, so it may run beside a \
serving broker; what that broker is writing just then is not taken for damage, and what seems to be lost is looked at again before \
it is said. Data of Kafka is checked as well.

Each finding says what becomes of it: derived files are rebuilt from the log by the next start, a torn end is cut off, and \
records that are damaged in the middle of a log are answered with an error while what lies around them is served. Of records it \
says at which offset good ones go on (next_offset in JSON, null if none follow). What is to be said of many files for one cause is \
one line; JSON has each.

Of a directory of Kafka's, which no broker here serves, it says what pagewire import makes of it instead.

Whether a log was compacted, so that offsets may be missing, is read from the cleaner's checkpoint and from the metadata in the same \
directory (this program's or Kafka's) or in another that is named here; where neither says it, missing offsets are a doubt. \
Segments and whole partitions that are gone are damage: the checkpoints, the leader epochs and the metadata know of them. So are log \
directories that the metadata knows and that are away, where the one with the metadata is checked. Of one partition it is compared \
whose it is with the metadata in the directories around it, or said that it was not.

  damage   bytes that cannot be right, records that are lost
  doubt    may be right, or is put right without a loss: offsets that compaction may have taken
  note     nothing is wrong: indexes that the next start rebuilds, leftovers, files that are no log's

Exit code: 0, 1 when there is damage or something cannot be read, or 2 when something that was named is not there or nothing of a \
log's; what else was named is checked.

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

/// Options of `log online`.
#[derive(Debug, Args)]
#[command(
    after_help = "A directory of log.dirs that could not be read at the start (its disk was not mounted, another process held it), \
or that takes no writes since an I/O error, or has a log that takes none or could not be opened, is opened as a start would open it, and its partitions are served again. `pagewire \
cluster` tells how it stands. Nothing else waits meanwhile.

A directory that was served before and is empty now is not taken for a new one: most likely its disk is not mounted. Only with \
--empty it is, and the partitions it held are made anew, without records. The same goes for single partitions of a directory that \
is served: one that had records and whose directory was removed is opened when it was put back, and made anew with --empty.

What came is named, and so is what did not, with the reason.

Exit code: 0, or 1 when something did not come.

Examples:
  mount /disks/2 && pagewire log online --data-dir /disks/1 /disks/2
  pagewire log online --data-dir /disks/1 --empty /disks/2          the disk is a new one, and the old one is lost"
)]
pub(crate) struct OnlineArgs {
    /// The directory, as log.dirs names it
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// What it held is lost, or partitions of it are: make them anew in it
    #[arg(long)]
    pub(crate) empty: bool,
    /// The broker's (first) data directory [default: ./pagewire-data] [env: PAGEWIRE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The broker's properties file [env: PAGEWIRE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Options of `log dump`.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints line for line what Kafka's DumpLogSegments prints, and takes its options by their names (--files with its \
comma-separated list too, where files can be named by themselves here). The kind of a file is in its name: .log and .checkpoint, .cut (what a start set aside of a log), .index, .timeindex, .snapshot, .txnindex; checkpoints, \
partition.metadata, meta.properties, metadata.redb and what else this program keeps beside logs are printed as well; what is not \
there, a directory, a socket or a file of another kind is an error, exit code 2, and the others are printed all the same. Nothing is changed; a broker may be serving the files.

What Kafka's tool tells on standard error at its end (entries of an index that do not agree with the log, offsets that do not \
follow each other) stands there too. Damage is told where it is, in a line that begins with !, and makes the exit code 1.

Examples:
  pagewire log dump data/orders-0/00000000000000000000.log                    the batches
  pagewire log dump --deep data/orders-0/*.log                                and their records
  pagewire log dump --print-data-log data/orders-0/*.log                      with keys and values
  pagewire log dump --offsets-decoder data/__consumer_offsets-0/*.log         groups and offsets, decoded
  pagewire log dump --verify-index-only data/orders-0/*.index                 only what does not agree
  pagewire log dump -o json --deep data/orders-0/*.log | jq .offset"
)]
pub(crate) struct DumpArgs {
    /// Files
    #[arg(required_unless_present = "listed", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Files, as Kafka's tool takes them
    #[arg(long = "files", value_name = "FILE,FILE...", value_delimiter = ',')]
    pub(crate) listed: Vec<PathBuf>,
    /// Print the records of batches
    #[arg(long, alias = "deep-iteration")]
    pub(crate) deep: bool,
    /// Print keys and values as well
    #[arg(long)]
    pub(crate) print_data_log: bool,
    /// Print only keys and values; leaves control records out
    #[arg(long)]
    pub(crate) skip_record_metadata: bool,
    /// Print keys, read so; a class of Kafka's for it is taken as well (--key-decoder-class) [default: string]
    #[arg(long, alias = "key-decoder-class", value_name = "AS", value_parser = Decoder)]
    pub(crate) key_decoder: Option<BytesAs>,
    /// Print values, read so (--value-decoder-class) [default: string]
    #[arg(long, alias = "value-decoder-class", value_name = "AS", value_parser = Decoder)]
    pub(crate) value_decoder: Option<BytesAs>,
    #[command(flatten)]
    pub(crate) topic: TopicDecoder,
    /// Read no more bytes of a log than these
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_bytes: Option<u64>,
    /// Print no more batches of a log than these
    #[arg(long, value_name = "N")]
    pub(crate) max_batches: Option<u64>,
    /// Open no longer batches than this: of one that is longer the header is printed, and that it was not looked into
    #[arg(long, value_name = "BYTES", default_value_t = 128 << 20)]
    pub(crate) max_message_size: usize,
    /// Compare an index with its log, print no entries
    #[arg(long)]
    pub(crate) verify_index_only: bool,
    /// Make the quick check of an index that Kafka makes at its start, print no entries
    #[arg(long)]
    pub(crate) index_sanity_check: bool,
}

/// Whose records these are.
#[derive(Debug, Clone, Copy, Args)]
#[group(multiple = false)]
pub(crate) struct TopicDecoder {
    /// Decode records of __consumer_offsets
    #[arg(long)]
    pub(crate) offsets_decoder: bool,
    /// Decode records of __transaction_state
    #[arg(long)]
    pub(crate) transaction_log_decoder: bool,
    /// Decode records of __share_group_state
    #[arg(long)]
    pub(crate) share_group_state_decoder: bool,
    /// Decode records of __cluster_metadata, and of its snapshots
    #[arg(long)]
    pub(crate) cluster_metadata_decoder: bool,
    /// Kafka's tool has it for a topic of tiered storage, which is nothing of ours: refused with the reason
    #[arg(long, hide = true)]
    pub(crate) remote_log_metadata_decoder: bool,
}
