//! `pagewire config`.

use clap::{Args, Subcommand};

use super::Connect;
use super::pairs::pair;
use crate::client::admin::configs::Resource;

/// Options of `config`.
#[derive(Debug, Args)]
#[command(
    after_help = "What has settings is written topic/NAME, broker/ID, brokers (whatever broker has nothing of its own), group/NAME,
or log-levels/ID (what a broker logs). Changes act at once and outlive a restart, but for log levels, which do not.

Examples:
  pagewire config describe topic/orders
  pagewire config set topic/orders retention.ms=86400000 cleanup.policy=compact
  pagewire config delete topic/orders retention.ms
  pagewire config set log-levels/1 pagewire_broker::net=DEBUG"
)]
pub(crate) struct ConfigArgs {
    /// What to do with settings.
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// Commands about settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List what has settings: topics, brokers, and groups for which some were set
    List(ListArgs),
    /// Show settings in force, where they come from, and what stands behind them
    Describe(DescribeArgs),
    /// Give settings new values
    Set(SetArgs),
    /// Take settings back, to what they would be without
    Delete(DeleteArgs),
}

/// Options of `config list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire config list
  pagewire config list -o json | jq -r '.[].resource'")]
pub(crate) struct ListArgs {}

/// Options of `config describe`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --all or --key it shows what somebody has set, for this or for what it falls back to.

Examples:
  pagewire config describe topic/orders
  pagewire config describe broker/1 --all
  pagewire config describe broker/1 --key log.retention.ms --synonyms
  pagewire config describe brokers group/billing -o json"
)]
pub(crate) struct DescribeArgs {
    /// topic/NAME, broker/ID, brokers, group/NAME, log-levels/ID
    #[arg(required = true, value_name = "RESOURCE")]
    pub(crate) resources: Vec<Resource>,
    /// Show defaults too
    #[arg(long)]
    pub(crate) all: bool,
    /// Show only these settings; may be given several times
    #[arg(short, long, value_name = "KEY", conflicts_with = "all")]
    pub(crate) key: Vec<String>,
    /// Show what would be in force without the value that is
    #[arg(short, long)]
    pub(crate) synonyms: bool,
}

/// Options of `config set`.
#[derive(Debug, Args)]
#[command(
    after_help = "All values of one command are taken, or none. A setting that shows `restart` changes in the broker's file alone.

Examples:
  pagewire config set topic/orders retention.ms=86400000
  pagewire config set brokers log.retention.ms=604800000 log.cleaner.threads=2
  pagewire config set group/billing consumer.session.timeout.ms=50000 --dry-run"
)]
pub(crate) struct SetArgs {
    /// topic/NAME, broker/ID, brokers, group/NAME, log-levels/ID
    #[arg(value_name = "RESOURCE")]
    pub(crate) resource: Resource,
    /// New values
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// Only check whether it could be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Options of `config delete`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire config delete topic/orders retention.ms
  pagewire config delete brokers log.retention.ms --dry-run")]
pub(crate) struct DeleteArgs {
    /// topic/NAME, broker/ID, brokers, group/NAME, log-levels/ID
    #[arg(value_name = "RESOURCE")]
    pub(crate) resource: Resource,
    /// Settings
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Only check whether it could be done
    #[arg(long)]
    pub(crate) dry_run: bool,
}
