//! `pagewire topic`.

use clap::{Args, Subcommand};

use super::Connect;
use super::pairs::pair;

/// Options of `topic`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire topic create orders --partitions 6
  pagewire topic list
  pagewire topic describe orders")]
pub(crate) struct TopicArgs {
    /// What to do with topics.
    #[command(subcommand)]
    pub(crate) command: TopicCommand,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// Commands about topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Create topics
    Create(CreateArgs),
    /// List topics
    List(ListArgs),
    /// Show partitions, their leaders and offsets, and settings
    Describe(DescribeArgs),
    /// Change settings of topics
    Alter(AlterArgs),
    /// Delete topics with all their records
    Delete(DeleteArgs),
    /// Give a topic more partitions
    AddPartitions(AddPartitionsArgs),
}

/// Options of `topic create`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire topic create orders
  pagewire topic create orders payments --partitions 6 --config retention.ms=86400000")]
pub(crate) struct CreateArgs {
    /// Names
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Number of partitions [default: the broker's num.partitions]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) partitions: Option<i32>,
    /// Replicas of each partition [default: the broker's default.replication.factor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
    pub(crate) replication_factor: Option<i16>,
    /// A setting of the topic; may be given several times
    #[arg(short, long, visible_alias = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) config: Vec<(String, String)>,
    /// A topic that exists already is no error
    #[arg(long)]
    pub(crate) if_not_exists: bool,
    /// Only check whether it could be created
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Options of `topic list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire topic list
  pagewire topic list --internal -o json")]
pub(crate) struct ListArgs {
    /// List the broker's own topics too
    #[arg(long)]
    pub(crate) internal: bool,
}

/// Options of `topic describe`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire topic describe orders
  pagewire topic describe orders --all-configs")]
pub(crate) struct DescribeArgs {
    /// Names
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Show all settings, not only those that the topic itself sets
    #[arg(long)]
    pub(crate) all_configs: bool,
}

/// Options of `topic alter`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire topic alter orders --config retention.ms=3600000
  pagewire topic alter orders --unset retention.ms")]
pub(crate) struct AlterArgs {
    /// Names
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// A new value; may be given several times
    #[arg(short, long, visible_alias = "set", value_name = "KEY=VALUE", value_parser = pair, required_unless_present = "unset")]
    pub(crate) config: Vec<(String, String)>,
    /// Back to the default; may be given several times
    #[arg(short, long, value_name = "KEY")]
    pub(crate) unset: Vec<String>,
    /// Only check whether it could be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Options of `topic delete`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire topic delete orders
  pagewire topic delete orders payments --if-exists")]
pub(crate) struct DeleteArgs {
    /// Names
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// A topic that does not exist is no error
    #[arg(long)]
    pub(crate) if_exists: bool,
}

/// Options of `topic add-partitions`.
#[derive(Debug, Args)]
#[command(after_help = "Records with a key go to other partitions than before once there are more of them.

Examples:
  pagewire topic add-partitions orders --total 12
  pagewire topic add-partitions orders --by 2")]
pub(crate) struct AddPartitionsArgs {
    /// Name
    pub(crate) topic: String,
    /// How many there shall be
    #[arg(
        short,
        long,
        visible_alias = "partitions",
        value_name = "N",
        value_parser = clap::value_parser!(i32).range(1..),
        required_unless_present = "by",
        conflicts_with = "by"
    )]
    pub(crate) total: Option<i32>,
    /// How many more there shall be
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) by: Option<i32>,
    /// Only check whether it could be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}
