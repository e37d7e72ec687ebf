//! `pagewire group`.

use clap::{Args, Subcommand};

use super::Connect;
use super::position::Position;
use crate::client::Place;

/// Options of `group`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire group list
  pagewire group describe billing
  pagewire group reset billing --topic orders --to earliest --execute")]
pub(crate) struct GroupArgs {
    /// What to do with groups.
    #[command(subcommand)]
    pub(crate) command: GroupCommand,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// Commands about groups.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List groups
    List(ListArgs),
    /// Show members, offsets and lag
    Describe(DescribeArgs),
    /// Set a group's offsets; the group must have no members
    Reset(ResetArgs),
    /// Delete groups, or their offsets of some topics; they must have no members
    Delete(DeleteArgs),
}

/// Options of `group list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire group list
  pagewire group list --state Stable,Empty -o json")]
pub(crate) struct ListArgs {
    /// Only groups in one of these states
    #[arg(long, value_name = "STATE,...", value_delimiter = ',', value_parser = state)]
    pub(crate) state: Vec<String>,
}

/// As the protocol spells them.
const STATES: [&str; 8] = [
    "PreparingRebalance",
    "CompletingRebalance",
    "Stable",
    "Empty",
    "Dead",
    "Assigning",
    "Reconciling",
    "NotReady",
];

fn state(text: &str) -> Result<String, String> {
    super::one_of(&STATES, text)
}

/// Options of `group describe`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire group describe billing
  pagewire group describe --all -o json")]
pub(crate) struct DescribeArgs {
    /// Groups
    #[arg(value_name = "GROUP", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) groups: Vec<String>,
    /// All groups
    #[arg(long)]
    pub(crate) all: bool,
}

/// Options of `group reset`.
#[derive(Debug, Args)]
#[command(after_help = "Without --execute it only shows what it would do.

Examples:
  pagewire group reset billing --topic orders --to earliest
  pagewire group reset billing --topic orders --to 2026-01-31T12:00:00Z --execute
  pagewire group reset billing --topic orders:0,1 --to 42 --execute
  pagewire group reset billing --all-topics --shift-by -100 --execute")]
pub(crate) struct ResetArgs {
    /// The group; it is made if it does not exist
    pub(crate) group: String,
    /// A topic, or some of its partitions; may be given several times
    #[arg(
        short,
        long,
        value_name = "TOPIC[:N,...]",
        required_unless_present = "all_topics",
        conflicts_with = "all_topics"
    )]
    pub(crate) topic: Vec<TopicPartitions>,
    /// All topics for which the group has offsets
    #[arg(long)]
    pub(crate) all_topics: bool,
    /// earliest, latest, an offset, -N (N before the end), a time (RFC 3339, or ms)
    #[arg(
        long,
        value_name = "POSITION",
        allow_hyphen_values = true,
        required_unless_present = "shift_by",
        conflicts_with = "shift_by"
    )]
    pub(crate) to: Option<Position>,
    /// Forward by N records, or back by -N
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) shift_by: Option<i64>,
    /// Do it
    #[arg(long)]
    pub(crate) execute: bool,
    /// Only show what would be done: the default
    #[arg(long, conflicts_with = "execute")]
    pub(crate) dry_run: bool,
}

/// Options of `group delete`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire group delete billing
  pagewire group delete billing --topic orders")]
pub(crate) struct DeleteArgs {
    /// Groups
    #[arg(required = true, value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// Delete only the offsets of this topic, or of some of its partitions; may be given several times
    #[arg(short, long, value_name = "TOPIC[:N,...]")]
    pub(crate) topic: Vec<TopicPartitions>,
}

/// A topic, or some of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicPartitions {
    /// Topic name.
    pub(crate) topic: String,
    /// Partitions; `None` is all.
    pub(crate) partitions: Option<Vec<i32>>,
}

impl TopicPartitions {
    /// Whether the place is among them.
    pub(crate) fn covers(&self, place: &Place) -> bool {
        let named = self.partitions.as_ref().is_none_or(|named| named.contains(&place.partition));
        self.topic == place.topic && named
    }
}

impl std::str::FromStr for TopicPartitions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Topic names have no colon.
        let (topic, partitions) = match text.split_once(':') {
            None => (text, None),
            Some((topic, list)) => {
                let numbers = list.split(',').map(|number| match number.trim().parse::<i32>() {
                    Ok(number) if number >= 0 => Ok(number),
                    _ => Err(format!("{number:?} is not a partition, write TOPIC:0,1")),
                });
                (topic, Some(numbers.collect::<Result<Vec<_>, _>>()?))
            }
        };
        if topic.is_empty() {
            return Err("no topic, write TOPIC or TOPIC:0,1".to_owned());
        }
        Ok(Self { topic: topic.to_owned(), partitions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_may_follow_a_topic() {
        let all: TopicPartitions = "orders".parse().unwrap();
        assert_eq!(all, TopicPartitions { topic: "orders".into(), partitions: None });
        let some: TopicPartitions = "orders:0, 2".parse().unwrap();
        assert_eq!(some.partitions, Some(vec![0, 2]));
        let covered = |named: &TopicPartitions, topic| [0, 1].map(|at| named.covers(&Place::new(topic, at)));
        assert_eq!(covered(&all, "orders"), [true, true]);
        assert_eq!(covered(&some, "orders"), [true, false]);
        assert_eq!(covered(&all, "others"), [false, false]);
        for bad in ["", ":0", "orders:", "orders:-1", "orders:a"] {
            assert!(bad.parse::<TopicPartitions>().is_err(), "{bad}");
        }
    }
}
