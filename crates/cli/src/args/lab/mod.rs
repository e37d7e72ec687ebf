//! Options of `lab`, one file per subcommand.

pub(crate) mod calibrate;
pub(crate) mod drive;
pub(crate) mod proof;
pub(crate) mod report;
pub(crate) mod routes;
pub(crate) mod values;

use clap::{Args, Subcommand};

/// Options of `lab`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pagewire lab routes --quick          which way from a file to a socket is cheapest, here
  pagewire lab proof                   which of them copies, and how that is known
  pagewire lab calibrate --print       from which length on which route should be taken, here
  pagewire lab drive --quick           load on the broker at 127.0.0.1:9092, and what it costs it
  pagewire lab drive -b ours=127.0.0.1:9092 -b kafka=127.0.0.1:9192 --quick -o json > drive.jsonl
  pagewire lab report drive.jsonl --dir report         a page with plots of what was recorded")]
pub(crate) struct LabArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: LabCommand,
}

/// What the lab can do.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Measure every route: size, residency, receiver, link
    Routes(routes::RoutesArgs),
    /// Prove which routes copy, and try what people say about them
    Proof(proof::ProofArgs),
    /// Find this machine's thresholds and write them where `serve` reads them
    Calibrate(calibrate::CalibrateArgs),
    /// Load Kafka brokers, several of them interleaved
    Drive(Box<drive::DriveArgs>),
    /// Make a page with plots out of recorded lines
    Report(report::ReportArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::args::Cli;

    #[test]
    fn every_command_of_the_lab_has_an_example() {
        let mut all = Cli::command();
        let lab = all.find_subcommand_mut("lab").unwrap();
        let examples = lab.get_after_help().unwrap().to_string();
        let names: Vec<String> = lab.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(names.len(), 5, "{names:?}");
        for name in names {
            assert!(examples.contains(&format!("pagewire lab {name} ")), "{name}: {examples}");
        }
    }
}
