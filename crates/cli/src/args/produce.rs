//! `pagewire produce`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pagewire_record::Codec;

use super::Connect;
use super::pairs::{Separator, pair, separator};

/// Options of `produce`.
#[derive(Debug, Args)]
#[command(
    after_help = "A line is the value of a record. With --key-separator a line is KEY SEPARATOR VALUE; a line without \
the separator has no key. With --line-headers a line begins with NAME:VALUE,NAME:VALUE and a tab (a tab alone: no headers).

Records with a key go to the partition that Java's clients choose for it; records without one fill a batch for one \
partition after the other. With acks 1 and all every record is written once and in order, whatever is tried again.

Examples:
  echo hello | pagewire produce greetings
  pagewire produce orders --file orders.jsonl --codec zstd
  printf 'k1:v1\\nk2:v2\\n' | pagewire produce pairs --key-separator :
  printf 'trace:1,lang:en\\thello\\n' | pagewire produce greetings --line-headers --header source=shell"
)]
pub(crate) struct ProduceArgs {
    /// Topic to write to; made if it does not exist and the broker makes topics by itself
    pub(crate) topic: String,
    /// Read lines from here; - is standard input
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,
    /// What stands between key and value in a line (\t for a tab)
    #[arg(short = 'K', long, value_name = "SEPARATOR", value_parser = separator)]
    pub(crate) key_separator: Option<Separator>,
    /// An empty value is null: in a compacted topic it deletes the key
    #[arg(long)]
    pub(crate) empty_as_null: bool,
    /// A header for every record; may be given several times
    #[arg(short = 'H', long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) header: Vec<(String, String)>,
    /// Lines begin with headers of their own: name:value,name:value and a tab
    #[arg(long)]
    pub(crate) line_headers: bool,
    /// How batches are compressed: none, gzip, snappy, lz4, zstd
    #[arg(short = 'z', long, value_name = "CODEC", default_value = "none", value_parser = codec)]
    pub(crate) codec: Codec,
    /// Who must have a record before it counts as written
    #[arg(
        short,
        long,
        value_enum,
        default_value = "all",
        value_name = "ACKS",
        allow_negative_numbers = true
    )]
    pub(crate) acks: Acks,
    /// Write to this partition, whatever the keys
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Option<i32>,
    /// Most bytes of a batch before compression
    #[arg(long, value_name = "BYTES", default_value = "524288", value_parser = clap::value_parser!(u32).range(1..=67_108_864))]
    pub(crate) batch_bytes: u32,
    /// Milliseconds a batch waits for more records
    #[arg(long, value_name = "MS", default_value = "5", value_parser = milliseconds)]
    pub(crate) linger: Duration,
    /// No progress and no summary
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// Who must have a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Acks {
    /// Nobody: no answer is awaited
    #[value(name = "0")]
    None,
    /// The leader
    #[value(name = "1")]
    Leader,
    /// All in-sync replicas; a Pagewire broker has it on stable storage
    #[value(name = "all", alias = "-1")]
    All,
}

impl Acks {
    /// As requests say it.
    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

fn codec(text: &str) -> Result<Codec, String> {
    text.parse().map_err(|error: pagewire_record::compress::UnknownCodec| error.to_string())
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    let ms: u32 = text.parse().map_err(|_| "not a number of milliseconds".to_owned())?;
    Ok(Duration::from_millis(u64::from(ms)))
}
