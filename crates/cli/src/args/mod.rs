//! What the command line may say, one file per command. Every `--help` ends with examples.

pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod consume;
pub(crate) mod decoder;
pub(crate) mod doctor;
pub(crate) mod group;
pub(crate) mod import;
pub(crate) mod lab;
pub(crate) mod log;
pub(crate) mod pairs;
pub(crate) mod position;
pub(crate) mod produce;
pub(crate) mod serve;
pub(crate) mod topic;
pub(crate) mod txn;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::client::Bootstrap;
use crate::output::Format;

/// The name as the protocol spells it, however its letters are written.
fn one_of(names: &[&str], text: &str) -> Result<String, String> {
    let found = names.iter().find(|name| name.eq_ignore_ascii_case(text));
    found.map(|name| (*name).to_owned()).ok_or_else(|| format!("it is one of {}", names.join(", ")))
}

/// Pagewire: a Kafka-compatible log whose record bytes go from the page cache to the wire.
///
/// Without a command it serves: `pagewire` is `pagewire serve`.
#[derive(Debug, Parser)]
#[command(
    name = "pagewire",
    version = pagewire_built::VERSION,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  pagewire                                     serve on 127.0.0.1:9092, data in ./pagewire-data
  echo hello | pagewire produce greetings      write a record
  pagewire consume greetings                   read it back
  pagewire topic list -b broker.example:9092   speak to any Kafka broker"
)]
pub(crate) struct Cli {
    /// Options of `serve`, where no command is named.
    #[command(flatten)]
    pub(crate) serve: serve::ServeArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a broker (the default)
    Serve(serve::ServeArgs),
    /// Create, list, describe, alter, delete topics
    Topic(topic::TopicArgs),
    /// Write records, one per line
    Produce(produce::ProduceArgs),
    /// Read records
    Consume(consume::ConsumeArgs),
    /// List, describe, reset, delete consumer groups
    Group(group::GroupArgs),
    /// List, show, change settings of topics, brokers, groups
    Config(config::ConfigArgs),
    /// List, describe, abort transactions; find those that hang
    Txn(txn::TxnArgs),
    /// Show a cluster: its id, nodes, controller and what they speak
    Cluster(ClusterArgs),
    /// Check the files of logs, or print what is in them
    Log(log::LogArgs),
    /// Make a data directory out of those that Apache Kafka left
    Import(import::ImportArgs),
    /// Copy everything a broker keeps, while it serves or not
    Backup(backup::BackupArgs),
    /// Make a data directory of a backup
    Restore(backup::RestoreArgs),
    /// Say what this machine can do, what it cannot, and what to change
    Doctor(doctor::DoctorArgs),
    /// Measure and prove how data moves, and load any Kafka broker
    Lab(lab::LabArgs),
    /// A process of the lab's, which it starts itself
    #[command(name = pagewire_lab::measure::worker::WORD, hide = true)]
    LabWorker,
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them into a directory
    Man(ManArgs),
    /// Print a page of the documentation
    #[command(hide = true)]
    Docs(DocsArgs),
}

/// Where a broker is that was started without options.
pub(crate) const BOOTSTRAP: &str = "127.0.0.1:9092";

/// How to reach a cluster, and what to print.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection and output")]
pub(crate) struct Connect {
    /// Brokers to ask first; any Kafka broker from 2.1 on
    #[arg(
        short = 'b',
        long,
        global = true,
        env = "PAGEWIRE_BOOTSTRAP",
        default_value = BOOTSTRAP,
        value_name = "HOST:PORT,..."
    )]
    pub(crate) bootstrap_server: Bootstrap,
    /// Seconds an operation may take; waiting for records or for members of a group does not count
    #[arg(long, global = true, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) output: OutputAs,
}

/// What to print.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputAs {
    /// Tables for people, JSON for programs: one document, or one a line where there are several
    #[arg(
        id = "output",
        short = 'o',
        long = "output",
        global = true,
        env = "PAGEWIRE_OUTPUT",
        value_enum,
        default_value = "table",
        value_name = "FORMAT",
        // Behind a command's own, which are counted apart from these.
        display_order = 900
    )]
    pub(crate) format: Format,
}

/// Longest time that may be asked for, in seconds.
const SECONDS_MAX: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(seconds > 0.0 && seconds <= SECONDS_MAX) {
        return Err(format!("must be above 0 and at most {SECONDS_MAX}"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Options of `cluster`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire cluster                    the nodes and who is the controller
  pagewire cluster --apis             every API with the versions the broker offers
  pagewire cluster --metrics          numbers of the broker on this machine, for Prometheus
  pagewire cluster -o json | jq .nodes")]
pub(crate) struct ClusterArgs {
    /// List every API with the versions that the broker offers
    #[arg(long)]
    pub(crate) apis: bool,
    /// Print what a broker on this machine counts instead, as Prometheus reads it
    #[arg(long, conflicts_with = "apis")]
    pub(crate) metrics: bool,
    #[command(flatten)]
    pub(crate) connect: Connect,
}

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire completions bash > ~/.local/share/bash-completion/completions/pagewire
  pagewire completions zsh > \"${fpath[1]}/_pagewire\"
  pagewire completions fish > ~/.config/fish/completions/pagewire.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire man | man -l -                  read the page of pagewire
  pagewire man --dir ~/.local/share/man/man1   write one page per command")]
pub(crate) struct ManArgs {
    /// Write a page for every command into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Options of `docs`.
#[derive(Debug, Args)]
pub(crate) struct DocsArgs {
    /// Which page
    #[arg(value_enum)]
    pub(crate) page: Page,
}

/// Pages made from the broker's tables.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Page {
    /// Every setting.
    Settings,
    /// Every API.
    Apis,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_version_tells_the_commit_that_this_was_built_from() {
        let told = Cli::command().render_version();
        assert_eq!(pagewire_built::commit_of(&told), Some(pagewire_built::COMMIT), "{told}");
    }

    #[test]
    fn every_visible_command_teaches_with_an_example() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", command.get_name());
            command.get_subcommands().filter(|sub| !sub.is_hide_set()).for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn connection_options_stand_before_or_after_the_last_word() {
        for line in [["pagewire", "topic", "-b", "h:1", "list"], ["pagewire", "topic", "list", "-b", "h:1"]] {
            let Some(Command::Topic(args)) = Cli::parse_from(line).command else {
                panic!("no topic command")
            };
            assert_eq!(args.connect.bootstrap_server.to_string(), "h:1");
        }
    }

    #[test]
    fn acks_may_be_written_as_the_protocol_has_them() {
        for (acks, code) in [("-1", -1), ("all", -1), ("0", 0), ("1", 1)] {
            let Some(Command::Produce(args)) =
                Cli::parse_from(["pagewire", "produce", "t", "--acks", acks]).command
            else {
                panic!("no produce command")
            };
            assert_eq!(args.acks.code(), code);
        }
    }

    #[test]
    fn a_time_limit_is_a_positive_number_of_seconds() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["0", "-1", "x", "nan", "inf", "1e9"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
